// links: mlt_server mlt_base_posix mlt_testlib
#include "segment_api.h"
#include "server/segmenting.h"

#define WHOLE 16 // entries of a segment here

// A seal works in process, without a thread; who opens the trail next knows of it.
static void test_seal_in_process(void **state) {
    struct fixture *f = *state;
    append(f, 100);
    for (int turn = 0; turn < 2; turn++) {
        struct mlt_api *api = open_api(f, (struct mlt_api_options){.segment_entries = WHOLE});
        struct mlt_segments *segments;
        struct mlt_head head;
        OK(mlt_segmenting_segments(api->segmenting, &segments, &f->err));
        if (turn == 1) {
            assert_int_equal(mlt_segments_covered(segments), 101); // 100, and that logging started
        }
        mlt_trail_head(mlt_api_trail(api), &head);
        OK(mlt_segments_seal(segments, 101, &f->err));
        uint64_t last;
        assert_int_equal(count_control(f, api, "segment", &last), 7); // six whole ones and the seal
        close_api(f, api);
    }
}

// A commitment that the entries do not give is recorded as damage when its links are needed, once, and not built upon.
static void test_damage_is_recorded(void **state) {
    struct fixture *f = *state;
    append(f, 20);
    struct mlt_segment_part made;
    size_t bad;
    uint64_t entry;
    OK(mlt_segment_build(&f->job, 0, WHOLE, NULL, 0, &made, &bad, &f->err));
    made.segment.root[0] ^= 1;
    OK(commit(f, &made.segment, &entry, &f->err));
    append(f, WHOLE * 17);
    struct mlt_api *api = open_api(f, (struct mlt_api_options){.segments = true, .segment_entries = WHOLE});
    assert_non_null(strstr(await_control(f, api, "damage"), "the links of entries 0 to 15 are not those"));
    uint64_t last = 0;
    uint64_t merged;
    assert_int_equal(count_control(f, api, "damage", &last), 1);
    assert_in_range(count_control(f, api, "segment", &merged), 16, 18); // the forged one, and no merge
    assert_int_equal(mlt_segmenting_covered(api->segmenting) % WHOLE, 0);
    close_api(f, api);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_seal_in_process),
        TEST(test_damage_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
