// links: mlt_index mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "index/postings.h"

#include <cmocka.h>

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/mlt-postings-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static bool unlink_each(void *arg, const char *name) {
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
    return unlink(path) == 0;
}

static int remove_dir(void **state) {
    (void)state;
    struct mlt_env *env = mlt_env_posix();
    (void)env->list(env, dir, unlink_each, dir, NULL);
    return rmdir(dir);
}

static struct mlt_term term_of(uint8_t n) {
    struct mlt_term t = {.dim = MLT_DIM_NODE};
    memset(t.hash, n, sizeof(t.hash));
    return t;
}

static void lists_of_all_sizes_read_back_as_written(void **state) {
    // Lists below, at and above the sizes at which their form changes read back as written.
    (void)state;
    static const uint32_t counts[] = {1, 2, 5, 6, 7, 63, 64, 65, 66, 5000};
    enum { N = sizeof(counts) / sizeof(*counts) };
    struct mlt_postings p = {0};
    for (uint8_t n = 0; n < N; n++) {
        struct mlt_term t = term_of(n);
        for (uint32_t i = 0; i < counts[n]; i++) {
            assert_true(mlt_postings_add(&p, &t, i * 3 + n));
            assert_true(mlt_postings_add(&p, &t, i * 3 + n));
        }
    }
    struct mlt_runs *runs;
    struct mlt_run_writer *lists;
    struct mlt_run_writer *bitmaps;
    assert_int_equal(mlt_runs_open(&runs, dir, false, NULL), MLT_OK);
    assert_int_equal(mlt_run_begin(&lists, runs, MLT_RUN_LISTS, NULL), MLT_OK);
    assert_int_equal(mlt_run_begin(&bitmaps, runs, MLT_RUN_BITMAPS, NULL), MLT_OK);
    assert_int_equal(mlt_postings_write(&p, 17, lists, bitmaps, NULL), MLT_OK);
    assert_int_equal(mlt_run_ingest(bitmaps, NULL), MLT_OK);
    assert_int_equal(mlt_run_ingest(lists, NULL), MLT_OK);

    struct mlt_buf value = {0};
    for (uint8_t n = 0; n < N; n++) {
        struct mlt_term t = term_of(n);
        uint8_t key[MLT_RUN_KEY_LEN];
        bool found;
        uint32_t count;
        uint32_t last;
        roaring_bitmap_t *b;
        mlt_run_key(key, &t, 17);
        assert_int_equal(mlt_runs_get(runs, MLT_RUN_LISTS, mlt_bytes_of(key, sizeof(key)), &value, &found, NULL),
                         MLT_OK);
        assert_true(found);
        assert_int_equal(mlt_list_read(mlt_buf_bytes(&value), &count, &last, &b, NULL), MLT_OK);
        assert_int_equal(count, counts[n]);
        assert_int_equal(last, (counts[n] - 1) * 3 + n);
        assert_int_equal(b != NULL, count <= MLT_LIST_INLINE_MAX);
        if (b == NULL) {
            assert_int_equal(mlt_list_load(runs, &t, 17, count, &b, NULL), MLT_OK);
        }
        roaring_bitmap_t *want = mlt_list_bitmap(mlt_postings_find(&p, &t), UINT32_MAX);
        assert_true(roaring_bitmap_equals(b, want));
        roaring_bitmap_free(want);
        roaring_bitmap_free(b);
    }
    mlt_buf_clear(&value);
    mlt_postings_clear(&p);
    mlt_runs_close(runs);
}

static void a_cut_list_ends_before_its_end(void **state) {
    // A list cut at an offset has exactly the postings below it.
    (void)state;
    for (uint32_t count = 1; count < 200; count += 13) {
        struct mlt_postings p = {0};
        struct mlt_term t = term_of(1);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(mlt_postings_add(&p, &t, i * 2));
        }
        for (uint32_t end = 0; end < count * 2 + 2; end++) {
            roaring_bitmap_t *b = mlt_list_bitmap(mlt_postings_find(&p, &t), end);
            uint32_t want = (end + 1) / 2 < count ? (end + 1) / 2 : count;
            assert_int_equal(roaring_bitmap_get_cardinality(b), want);
            roaring_bitmap_free(b);
        }
        mlt_postings_clear(&p);
    }
}

static void a_list_of_another_length_is_corrupt(void **state) {
    // A value that is too short, too long, or counts nothing is refused as corrupt.
    (void)state;
    uint8_t value[16] = {0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 9};
    uint32_t count;
    uint32_t last;
    roaring_bitmap_t *b;
    assert_int_equal(mlt_list_read(mlt_bytes_of(value, 16), &count, &last, &b, NULL), MLT_OK);
    roaring_bitmap_free(b);
    for (size_t len = 0; len < 16; len++) {
        assert_int_equal(mlt_list_read(mlt_bytes_of(value, len), &count, &last, &b, NULL), MLT_CORRUPT);
    }
    value[3] = 0;
    assert_int_equal(mlt_list_read(mlt_bytes_of(value, 8), &count, &last, &b, NULL), MLT_CORRUPT);
    value[3] = 65;
    assert_int_equal(mlt_list_read(mlt_bytes_of(value, 16), &count, &last, &b, NULL), MLT_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_of_all_sizes_read_back_as_written, make_dir, remove_dir),
        cmocka_unit_test(a_cut_list_ends_before_its_end),
        cmocka_unit_test(a_list_of_another_length_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
