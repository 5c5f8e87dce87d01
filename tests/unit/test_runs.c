// links: mlt_index mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "crypto/sha256.h"
#include "index/index.h"
#include "index/names.h"

#include <cmocka.h>

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/mlt-runs-XXXXXX");
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

static struct mlt_term term_of(uint32_t n, uint8_t dim) {
    struct mlt_term t = {.dim = dim};
    uint8_t hash[MLT_HASH_LEN];
    uint8_t in[4];
    mlt_store_u32be(in, n);
    mlt_sha256_one(hash, mlt_bytes_of(in, sizeof(in)));
    memcpy(t.hash, hash, MLT_TERM_LEN);
    return t;
}

static void write_names(struct mlt_runs *runs, const struct mlt_names *names) {
    struct mlt_run_writer *w;
    assert_int_equal(mlt_run_begin(&w, runs, MLT_RUN_NAMES, NULL), MLT_OK);
    assert_int_equal(mlt_names_write(names, w, NULL), MLT_OK);
    assert_int_equal(mlt_run_ingest(w, NULL), MLT_OK);
}

static void names_of_several_runs_are_found_in_order_of_entries(void **state) {
    // Names of several runs are found in the order of their entries, and absent ones are not found.
    (void)state;
    struct mlt_runs *runs;
    static const uint8_t content[MLT_CONTENT_LEN] = {7};
    struct mlt_names names = {0};
    assert_int_equal(mlt_runs_open(&runs, dir, false, NULL), MLT_OK);
    for (uint64_t run = 0; run < 9; run++) {
        for (uint32_t i = 0; i < 1000; i++) {
            struct mlt_term t = term_of(i, MLT_DIM_REQUEST);
            assert_true(mlt_names_add(&names, &t, run * 1000 + i, i % 2 == 0, i, content));
        }
        write_names(runs, &names);
        mlt_names_reset(&names);
    }
    mlt_names_clear(&names);
    mlt_runs_close(runs);

    assert_int_equal(mlt_runs_open(&runs, dir, true, NULL), MLT_OK);
    struct mlt_run_scan *scan;
    assert_int_equal(mlt_run_scan_new(&scan, runs, MLT_RUN_NAMES, NULL), MLT_OK);
    uint64_t entry;
    struct mlt_bytes value;
    for (uint32_t i = 0; i < 1000; i++) {
        struct mlt_term t = term_of(i, MLT_DIM_REQUEST);
        mlt_run_scan_seek(scan, &t);
        for (uint64_t run = 0; run < 9; run++, mlt_run_scan_next(scan)) {
            assert_true(mlt_run_scan_at(scan, &entry, &value));
            assert_int_equal(entry, run * 1000 + i);
            assert_int_equal(value.len, i % 2 == 0 ? MLT_NAME_VALUE_LEN : 0);
        }
        assert_false(mlt_run_scan_at(scan, &entry, &value));
        t.dim = MLT_DIM_EVENT;
        mlt_run_scan_seek(scan, &t);
        assert_false(mlt_run_scan_at(scan, &entry, &value));
    }
    assert_int_equal(mlt_run_scan_status(scan, NULL), MLT_OK);
    mlt_run_scan_free(scan);
    mlt_runs_close(runs);
}

static void meta_survives_closing(void **state) {
    // What META was told is there after reopening; a second opener of a database in use is refused as busy.
    (void)state;
    struct mlt_runs *runs;
    struct mlt_runs *second;
    struct mlt_buf value = {0};
    bool found;
    assert_int_equal(mlt_runs_open(&runs, dir, false, NULL), MLT_OK);
    assert_int_equal(mlt_runs_put_meta(runs, "k", mlt_str("value"), NULL), MLT_OK);
    assert_int_equal(mlt_runs_open(&second, dir, false, NULL), MLT_BUSY);
    mlt_runs_close(runs);
    char below_a_file[100];
    snprintf(below_a_file, sizeof(below_a_file), "%s/CURRENT/lock", dir);
    assert_int_not_equal(mlt_runs_open(&second, below_a_file, false, NULL), MLT_BUSY);
    assert_int_equal(mlt_runs_open(&runs, dir, false, NULL), MLT_OK);
    assert_int_equal(mlt_runs_get(runs, MLT_RUN_META, mlt_str("k"), &value, &found, NULL), MLT_OK);
    assert_true(found && mlt_bytes_is(mlt_buf_bytes(&value), "value"));
    assert_int_equal(mlt_runs_get(runs, MLT_RUN_META, mlt_str("no"), &value, &found, NULL), MLT_OK);
    assert_false(found);
    mlt_buf_clear(&value);
    mlt_runs_close(runs);
}

static void an_empty_run_leaves_nothing(void **state) {
    // A run without keys leaves no file, neither ingested nor staged; a read-only open of nothing creates nothing.
    (void)state;
    struct mlt_runs *runs;
    struct mlt_run_writer *w;
    char path[400];
    assert_int_not_equal(mlt_runs_open(&runs, dir, true, NULL), MLT_OK);
    assert_int_equal(mlt_runs_open(&runs, dir, false, NULL), MLT_OK);
    assert_int_equal(mlt_run_begin(&w, runs, MLT_RUN_STREAMS, NULL), MLT_OK);
    assert_int_equal(mlt_run_ingest(w, NULL), MLT_OK);
    assert_int_equal(mlt_runs_count(runs, MLT_RUN_STREAMS), 0);
    snprintf(path, sizeof(path), "%s/staged-streams", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    mlt_runs_close(runs);
}

static void a_term_stands_under_each_dimension_apart(void **state) {
    // A map gives each distinct term one number, tells dimensions apart, and sorts by hash and then dimension.
    (void)state;
    struct mlt_termmap m = {0};
    for (uint32_t i = 0; i < 5000; i++) {
        struct mlt_term t = term_of(i / 2, i % 2 == 0 ? MLT_DIM_REQUEST : MLT_DIM_EVENT);
        assert_int_equal(mlt_termmap_find(&m, &t), MLT_TERMMAP_NONE);
        assert_int_equal(mlt_termmap_add(&m, &t), i);
        assert_int_equal(mlt_termmap_add(&m, &t), i);
    }
    uint32_t *ids = mlt_termmap_sorted(&m);
    for (uint32_t i = 1; i < m.num_terms; i++) {
        uint8_t a[MLT_RUN_KEY_LEN];
        uint8_t b[MLT_RUN_KEY_LEN];
        mlt_run_key(a, &m.terms[ids[i - 1]], 0);
        mlt_run_key(b, &m.terms[ids[i]], 0);
        assert_true(memcmp(a, b, sizeof(a)) < 0);
    }
    free(ids);
    mlt_termmap_clear(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_of_several_runs_are_found_in_order_of_entries, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(meta_survives_closing, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(an_empty_run_leaves_nothing, make_dir, remove_dir),
        cmocka_unit_test(a_term_stands_under_each_dimension_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
