// links: mlt_index mlt_testlib
#include <setjmp.h>
#include <stdlib.h>

#include "index/streams.h"

#include <cmocka.h>

static const struct mlt_term stream = {.hash = {1}, .dim = MLT_DIM_STREAM};

static void consecutive_numbers_make_one_run(void **state) {
    // Consecutive numbers make one run whatever lies between them in the log; a gap, a repetition or a step back begins
    // another.
    (void)state;
    struct mlt_streams s = {0};
    static const uint64_t sequence[] = {0, 1, 2, 7, 8, 8, 3, 4, 5};
    for (size_t i = 0; i < 9; i++) {
        assert_true(mlt_streams_add(&s, &stream, sequence[i], 10 * i));
    }
    const struct mlt_stream_runs *r = mlt_streams_find(&s, &stream);
    assert_int_equal(r->num_runs, 4);
    static const struct mlt_stream_run want[] = {{0, 3, 0, 20}, {7, 2, 30, 40}, {8, 1, 50, 50}, {3, 3, 60, 80}};
    assert_memory_equal(r->runs, want, sizeof(want));
    mlt_streams_clear(&s);
}

static void the_largest_number_does_not_wrap(void **state) {
    // After the largest number there is, 0 begins another run.
    (void)state;
    struct mlt_streams s = {0};
    assert_true(mlt_streams_add(&s, &stream, UINT64_MAX - 1, 1));
    assert_true(mlt_streams_add(&s, &stream, UINT64_MAX, 2));
    assert_true(mlt_streams_add(&s, &stream, 0, 3));
    assert_int_equal(mlt_streams_find(&s, &stream)->num_runs, 2);
    mlt_streams_clear(&s);
}

static void runs_join_across_stretches(void **state) {
    // A run that goes on in the next stretch is one run for the reader.
    (void)state;
    struct mlt_stream_runs r = {0};
    assert_true(mlt_stream_runs_append(&r, &(struct mlt_stream_run){5, 10, 100, 120}));
    assert_true(mlt_stream_runs_append(&r, &(struct mlt_stream_run){15, 2, 130, 131}));
    assert_true(mlt_stream_runs_append(&r, &(struct mlt_stream_run){18, 1, 132, 132}));
    assert_int_equal(r.num_runs, 2);
    assert_int_equal(r.runs[0].count, 12);
    assert_int_equal(r.runs[0].last_entry, 131);
    mlt_stream_runs_clear(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consecutive_numbers_make_one_run),
        cmocka_unit_test(the_largest_number_does_not_wrap),
        cmocka_unit_test(runs_join_across_stretches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
