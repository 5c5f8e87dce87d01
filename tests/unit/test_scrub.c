// links: mlt_server mlt_base_posix mlt_testlib
#include "segment_api.h"

static const struct mlt_api_options often = {.scrub = {.interval_ns = MLT_NS_PER_S / 100, .rate = UINT64_C(1) << 40}};

static void has(const char *text, const char *what) {
    if (!strstr(text, what)) {
        fail_msg("no %s in %s", what, text);
    }
}

// A trail that is as it was signed is scrubbed without a fault, and its commitments are computed again.
static void test_commitments_are_counted(void **state) {
    struct fixture *f = *state;
    append(f, 100);
    OK(mlt_segments_seal(f->segments, f->size, &f->err));
    struct mlt_api *api = open_api(f, often);
    const char *text = await_control(f, api, "scrub");
    has(text, "\"verdict\":true");
    has(text, "\"commitments\":2"); // of the whole segment, and the seal
    close_api(f, api);
}

// A commitment that the entries do not give is damage, although every byte is as it was signed.
static void test_wrong_commitment_is_damage(void **state) {
    struct fixture *f = *state;
    struct mlt_segment_part made;
    struct mlt_scrub_stats stats;
    char entry_member[64];
    uint64_t entry;
    size_t bad;
    append(f, 100);
    OK(mlt_segment_build(&f->job, 0, ENTRIES, NULL, 0, &made, &bad, &f->err));
    made.segment.root[0] ^= 1;
    OK(commit(f, &made.segment, &entry, &f->err));
    struct mlt_api *api = open_api(f, often);
    const char *text = await_control(f, api, "scrub");
    (void)snprintf(entry_member, sizeof(entry_member), "\"file\":\"entries.dat\",\"entry\":%llu}",
                   (unsigned long long)entry);
    has(text, "\"verdict\":false");
    has(text, entry_member);
    mlt_scrub_get_stats(api, &stats);
    assert_int_equal(stats.faults, 1);
    close_api(f, api);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_commitments_are_counted),
        TEST(test_wrong_commitment_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
