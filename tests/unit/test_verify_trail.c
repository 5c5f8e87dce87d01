// links: mlt_trail mlt_testlib
//
// Verification of a trail of several slices: by threads as without them, interrupted and taken up again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/records.h"
#include "lib/simdisk.h"
#include "trail/trail.h"
#include "trail/verify_private.h"
#include "trail/verify_state.h"

#include <cmocka.h>

#define BATCH 500
#define NUM_ENTRIES 20000 // three slices, the last one partial, its last bundle too
#define SLICE (MLT_SLICE_BUNDLES * MLT_FILES_BUNDLE)

struct fixture {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_trail_options opt;
    struct mlt_verify_report *report;
    struct mlt_verify_state state;
    struct mlt_error err;
    atomic_int steps; // reads until `pace` says stop; negative: never
};

static void must(struct fixture *f, enum mlt_status st) {
    if (st) {
        fail_msg("%s", f->err.text);
    }
}

static void fill(struct fixture *f, struct mlt_trail *t, size_t num) {
    struct records r;
    struct mlt_head head;
    struct mlt_receipt *receipts = calloc(BATCH, sizeof(*receipts));
    assert_non_null(receipts);
    records_open(&r, f->env, mlt_trail_keys(t));
    for (size_t b = 0; b < num / BATCH; b++) {
        mlt_batch_reset(&r.batch);
        for (size_t i = 0; i < BATCH; i++) {
            records_prediction(&r, 40);
        }
        must(f, mlt_trail_append_wait(t, &r.batch, false, receipts, &head, &f->err));
    }
    records_close(&r);
    free(receipts);
}

static void grow(struct fixture *f, size_t num) {
    struct mlt_trail *t;
    must(f, mlt_trail_open(&t, f->env, &f->opt, &f->err));
    must(f, mlt_trail_start(t, NULL, &f->err));
    fill(f, t, num);
    must(f, mlt_trail_close(t, &f->err));
}

// The seed is where the keys come from.
static struct fixture *make(uint64_t seed) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->report = calloc(1, sizeof(*f->report));
    assert_non_null(f->report);
    f->disk = simdisk_new(seed);
    f->env = simdisk_env(f->disk);
    atomic_init(&f->steps, -1);
    f->opt = (struct mlt_trail_options){
        .dir = "/d/t", .reserve_bytes = 1, .publish_interval_ns = INT64_C(3600) * MLT_NS_PER_S};
    must(f, f->env->mkdir(f->env, "/d", false, &f->err));
    must(f, mlt_trail_create(f->env, &f->opt, "example.org/verify", false, false, &f->err));
    grow(f, NUM_ENTRIES);
    return f;
}

static int set_up(void **state) {
    *state = make(9);
    return 0;
}

static void release(struct fixture *f) {
    mlt_verify_state_clear(&f->state);
    simdisk_free(f->disk);
    free(f->report);
    free(f);
}

static int tear_down(void **state) {
    release(*state);
    return 0;
}

static bool pace(void *arg, uint64_t bytes) {
    struct fixture *f = arg;
    (void)bytes;
    int left = atomic_load(&f->steps);
    return left < 0 || atomic_fetch_sub(&f->steps, 1) > 0;
}

static enum mlt_status run(struct fixture *f, unsigned threads, struct mlt_verify_state *state) {
    const struct mlt_verify_options vo = {
        .dir = f->opt.dir, .threads = threads, .state = state, .pace = pace, .pace_arg = f};
    return mlt_verify_trail(f->env, &vo, f->report, &f->err);
}

static void check_clean(const struct fixture *f, uint64_t size) {
    const struct mlt_verify_report *r = f->report;
    if (!r->verdict) {
        fail_msg("%s", r->faults[0].text);
    }
    assert_true(r->authenticated && r->payloads_checked);
    assert_int_equal(r->size, size);
    assert_int_equal(r->entries, size);
    assert_int_equal(r->payloads, size);
}

static void flip(struct fixture *f, const char *name, uint64_t off) {
    char path[64];
    uint64_t len;
    (void)snprintf(path, sizeof(path), "/d/t/%s", name);
    uint8_t *bytes = simdisk_bytes(f->disk, path, &len);
    assert_true(bytes && off < len);
    bytes[off] ^= 1;
}

// However many threads there are, the report is the same.
static void test_threads(void **state) {
    struct fixture *f = *state;
    for (unsigned threads = 0; threads <= 3; threads++) {
        must(f, run(f, threads, NULL));
        check_clean(f, NUM_ENTRIES);
    }
}

// Damage in one slice is located by the walk in order, wherever it is and whoever looked ahead.
static void test_damage_is_located(void **state) {
    struct fixture *f = *state;
    const uint64_t entries[] = {3, SLICE - 1, SLICE, 2 * SLICE + 300, NUM_ENTRIES - 1};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        for (unsigned threads = 0; threads <= 2; threads += 2) {
            flip(f, "hash/0", entries[i] * MLT_HASH_LEN + 5);
            must(f, run(f, threads, NULL));
            assert_false(f->report->verdict);
            assert_true(f->report->num_faults >= 1); // in the last tile the roots of heads differ as well
            assert_int_equal(f->report->faults[0].what, MLT_VERIFY_TILE);
            assert_int_equal(f->report->faults[0].index, entries[i]);
            flip(f, "hash/0", entries[i] * MLT_HASH_LEN + 5);
            flip(f, "slots", entries[i] * MLT_WRAPPED_LEN + 20);
            must(f, run(f, threads, NULL));
            assert_false(f->report->verdict);
            assert_int_equal(f->report->faults[0].what, MLT_VERIFY_SLOT);
            assert_int_equal(f->report->faults[0].index, entries[i]);
            assert_int_equal(f->report->payloads, NUM_ENTRIES);
            flip(f, "slots", entries[i] * MLT_WRAPPED_LEN + 20);
        }
    }
}

// Sealed payloads may be left alone; everything else is checked, and the report says so.
static void test_no_payloads(void **state) {
    struct fixture *f = *state;
    const struct mlt_verify_options vo = {.dir = f->opt.dir, .no_payloads = true};
    flip(f, "payloads/data", 5000);
    must(f, mlt_verify_trail(f->env, &vo, f->report, &f->err));
    assert_true(f->report->verdict && !f->report->payloads_checked);
    assert_int_equal(f->report->payloads, NUM_ENTRIES);
    must(f, run(f, 0, NULL));
    assert_false(f->report->verdict);
    memset(f->report, 0, sizeof(*f->report));
    flip(f, "payloads/data", 5000);
}

static void through_file(struct fixture *f) {
    struct mlt_buf text = {0};
    mlt_verify_state_format(&text, &f->state);
    mlt_verify_state_clear(&f->state);
    must(f, mlt_verify_state_parse(&f->state, mlt_buf_bytes(&text), &f->err));
    mlt_buf_clear(&text);
}

// Stopped after any number of reads, it goes on and comes to the same end.
static void test_interrupted(void **state) {
    struct fixture *f = *state;
    unsigned stopped = 0;
    for (int steps = 0; steps < 60; steps += 3) {
        for (unsigned threads = 0; threads <= 2; threads += 2) {
            atomic_store(&f->steps, steps);
            enum mlt_status st = run(f, threads, &f->state);
            if (st == MLT_BUSY) {
                stopped++;
                assert_false(f->report->verdict);
                atomic_store(&f->steps, -1);
                if (f->state.frontier.size > 0) {
                    through_file(f);
                }
                uint64_t from = f->state.frontier.size;
                must(f, run(f, threads, &f->state));
                assert_int_equal(f->report->resumed_at, from);
            } else {
                must(f, st);
            }
            check_clean(f, NUM_ENTRIES);
            mlt_verify_state_clear(&f->state);
        }
    }
    assert_true(stopped > 10);
}

static void stop_in_records(struct fixture *f) {
    for (int steps = 1; f->state.records == 0; steps++) {
        mlt_verify_state_clear(&f->state);
        atomic_store(&f->steps, steps);
        assert_int_equal(run(f, 0, &f->state), MLT_BUSY);
    }
    atomic_store(&f->steps, -1);
}

// What was found stays found, even if it was put right meanwhile.
static void test_faults_are_kept(void **state) {
    struct fixture *f = *state;
    flip(f, "slots", 30);
    flip(f, "hash/0", 77);
    stop_in_records(f);
    flip(f, "slots", 30);
    flip(f, "hash/0", 77);
    through_file(f);
    must(f, run(f, 0, &f->state));
    assert_false(f->report->verdict);
    assert_int_equal(f->report->num_faults, 2);
    assert_int_equal(f->report->faults[0].what, MLT_VERIFY_TILE);
    assert_int_equal(f->report->faults[1].what, MLT_VERIFY_SLOT);
}

// A trail that grew is read on from there, and its new head holds the verified part.
static void test_grown(void **state) {
    struct fixture *f = *state;
    stop_in_records(f);
    grow(f, BATCH);
    must(f, run(f, 2, &f->state));
    check_clean(f, NUM_ENTRIES + BATCH);
    assert_true(f->report->resumed_at > 0);
}

// A state is of one trail and of the tree that was verified: with another it is refused, not believed.
static void test_other_trail(void **state) {
    struct fixture *f = *state;
    stop_in_records(f);
    struct fixture *other = make(10);
    other->state = f->state;
    f->state = (struct mlt_verify_state){0};
    assert_int_equal(run(other, 0, &other->state), MLT_CONFLICT);
    f->state = other->state;
    other->state = (struct mlt_verify_state){0};
    release(other);
    f->state.frontier.hash[0][0] ^= 1;
    assert_int_equal(run(f, 0, &f->state), MLT_CONFLICT);
    assert_false(f->report->verdict);
    f->state.frontier.hash[0][0] ^= 1;
    flip(f, "hash/1", 3); // the tree on disk is no longer what was verified
    assert_int_equal(run(f, 0, &f->state), MLT_CONFLICT);
}

// A state file with any byte changed, or cut anywhere, is refused.
static void test_state_file(void **state) {
    struct fixture *f = *state;
    struct mlt_buf text = {0};
    struct mlt_verify_state read;
    flip(f, "slots", 30);
    stop_in_records(f);
    mlt_verify_state_format(&text, &f->state);
    for (size_t i = 0; i + 1 < text.len; i++) {
        text.data[i] ^= 1;
        assert_int_equal(mlt_verify_state_parse(&read, mlt_buf_bytes(&text), NULL), MLT_CORRUPT);
        text.data[i] ^= 1;
        assert_int_equal(mlt_verify_state_parse(&read, mlt_bytes_of(text.data, i), NULL), MLT_CORRUPT);
    }
    must(f, mlt_verify_state_parse(&read, mlt_buf_bytes(&text), &f->err));
    assert_int_equal(read.num_faults, 1);
    mlt_verify_state_clear(&read);
    mlt_buf_clear(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_located, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_payloads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_grown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_trail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_state_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
