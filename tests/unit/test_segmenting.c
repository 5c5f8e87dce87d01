// links: mlt_server mlt_base_posix mlt_testlib
#include <time.h>

#include "segment_trail.h"
#include "server/api_state.h"
#include "server/segmenting.h"

#define WHOLE 16  // entries of a segment here
#define WAIT_S 20 // for the thread

// The API on the fixture's trail, which is closed meanwhile.
static struct mlt_api *open_api(struct fixture *f, bool background) {
    struct mlt_api *api = NULL;
    const struct mlt_api_options opt = {.trail = f->opt, .segments = background, .segment_entries = WHOLE};
    mlt_segments_close(f->segments);
    f->segments = NULL;
    records_close(&f->records);
    OK(mlt_trail_close(f->trail, &f->err));
    OK(mlt_api_open(&api, f->env, &opt, &f->err));
    return api;
}

static void close_api(struct fixture *f, struct mlt_api *api) {
    OK(mlt_api_close(api, &f->err));
    OK(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err));
    OK(mlt_trail_start(f->trail, NULL, &f->err));
    records_open(&f->records, f->env, mlt_trail_keys(f->trail));
}

static uint64_t count_control(struct fixture *f, struct mlt_api *api, const char *what, uint64_t *last) {
    struct mlt_head head;
    struct mlt_source src;
    struct mlt_term term;
    const struct mlt_bytes value = mlt_str(what);
    uint64_t found[1] = {0};
    uint64_t total = 0;
    size_t num = 0;
    bool more;
    mlt_trail_head(mlt_api_trail(api), &head);
    OK(mlt_index_source(api->index, head.size, false, &src, &f->err));
    mlt_term_make(&term, src.index_key, MLT_DIM_CONTROL, &value, 1);
    OK(src.find(src.ctx, &term, 1, UINT64_MAX, true, 1, found, &num, &total, &more, &f->err));
    mlt_index_source_clear(&src);
    *last = found[0];
    return total;
}

// A seal works in process, without a thread; who opens the trail next knows of it.
static void test_seal_in_process(void **state) {
    struct fixture *f = *state;
    append(f, 100);
    for (int turn = 0; turn < 2; turn++) {
        struct mlt_api *api = open_api(f, false);
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
    struct mlt_api *api = open_api(f, true);
    uint64_t last = 0;
    for (int i = 0; count_control(f, api, "damage", &last) == 0; i++) {
        assert_in_range(i, 0, WAIT_S * 100);
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    struct mlt_arena arena = {0};
    struct mlt_bytes bytes;
    OK(mlt_trail_entry(mlt_api_trail(api), last, &arena, &bytes, &f->err));
    assert_non_null(strstr(mlt_arena_cstr(&arena, bytes), "the links of entries 0 to 15 are not those"));
    mlt_arena_clear(&arena);
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
