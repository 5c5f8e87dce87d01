// links: mlt_trail mlt_testlib
//
// What the crash grid does not single out: a full disk, a clock that goes back, a disk that cannot be read, one batch
// twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/records.h"
#include "lib/simdisk.h"
#include "trail/trail.h"
#include "trail/verify.h"

#include <cmocka.h>

struct fixture {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct records records;
    struct mlt_head head;
    struct mlt_error err;
    unsigned fatal_calls;
    int64_t stepped_from;
    uint8_t *admitted; // content hashes seen, for the table in memory
    size_t num_admitted;
};

static void must(struct fixture *f, enum mlt_status st) {
    if (st) {
        fail_msg("%s", f->err.text);
    }
}

static void count_fatal(void *arg, const struct mlt_error *err) {
    struct fixture *f = arg;
    (void)err;
    f->fatal_calls++;
}

static void note_step(void *arg, int64_t kept, int64_t clock) {
    struct fixture *f = arg;
    assert_true(clock < kept);
    f->stepped_from = kept;
}

static void open_trail(struct fixture *f, const struct mlt_admission *admission) {
    must(f, mlt_trail_open(&f->trail, f->env, &f->opt, &f->err));
    must(f, mlt_trail_start(f->trail, admission, &f->err));
    records_open(&f->records, f->env, mlt_trail_keys(f->trail));
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->disk = simdisk_new(11);
    f->env = simdisk_env(f->disk);
    f->opt = (struct mlt_trail_options){.dir = "/d/t",
                                        .journal_bytes = 64 << 10,
                                        .reserve_bytes = 1 << 20,
                                        .publish_interval_ns = INT64_C(3600) * MLT_NS_PER_S,
                                        .fatal = count_fatal,
                                        .fatal_arg = f,
                                        .clock_step = note_step,
                                        .clock_step_arg = f};
    must(f, f->env->mkdir(f->env, "/d", false, &f->err));
    must(f, mlt_trail_create(f->env, &f->opt, "example.org/recovery", false, false, &f->err));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    simdisk_free(f->disk);
    free(f->admitted);
    free(f);
    return 0;
}

static enum mlt_status append(struct fixture *f, bool uses_reserve) {
    struct mlt_receipt receipt;
    mlt_batch_reset(&f->records.batch);
    records_prediction(&f->records, 100);
    return mlt_trail_append_wait(f->trail, &f->records.batch, uses_reserve, &receipt, &f->head, &f->err);
}

static enum mlt_status close_trail(struct fixture *f) {
    records_close(&f->records);
    return mlt_trail_close(f->trail, &f->err);
}

// Below the reserve appends are refused, what keeps the trail accountable goes on, and nothing is broken afterwards.
static void test_reserve(void **state) {
    struct fixture *f = *state;
    open_trail(f, NULL);
    simdisk_fill(f->disk, 500 << 10);
    assert_int_equal(append(f, false), MLT_NOSPACE);
    assert_non_null(strstr(f->err.text, "reserve"));
    must(f, append(f, true));
    assert_int_equal(f->head.size, 1);
    simdisk_fill(f->disk, UINT64_MAX);
    must(f, close_trail(f));
}

// A full disk behind the journal stops the writer; the group was durable, and the next start has it.
static void test_full_disk(void **state) {
    struct fixture *f = *state;
    open_trail(f, NULL);
    must(f, append(f, true));
    simdisk_fill(f->disk, 10);
    assert_int_equal(append(f, true), MLT_IO);
    assert_int_equal(f->fatal_calls, 1);
    assert_int_equal(append(f, true), MLT_IO);
    assert_int_equal(close_trail(f), MLT_IO);
    simdisk_restart(f->disk);
    simdisk_fill(f->disk, UINT64_MAX);
    open_trail(f, NULL);
    must(f, append(f, true));
    assert_int_equal(f->head.size, 3);
    must(f, close_trail(f));
}

// When the clock goes back, `received` stands still, and somebody is told.
static void test_clock_step(void **state) {
    struct fixture *f = *state;
    open_trail(f, NULL);
    must(f, append(f, false));
    int64_t before = f->head.received;
    simdisk_clock(f->disk, before - MLT_NS_PER_S);
    must(f, append(f, false));
    assert_int_equal(f->head.received, before);
    assert_int_equal(f->stepped_from, before);
    must(f, close_trail(f));
    simdisk_clock(f->disk, before - MLT_NS_PER_S);
    f->stepped_from = 0;
    open_trail(f, NULL);
    must(f, append(f, false));
    assert_int_equal(f->head.received, before); // also over a restart
    must(f, close_trail(f));
}

// A file that cannot be read stops the start with its name.
static void test_unreadable(void **state) {
    struct fixture *f = *state;
    open_trail(f, NULL);
    must(f, append(f, false));
    must(f, close_trail(f));
    simdisk_read_error(f->disk, "/d/t/hash/0");
    assert_int_equal(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err), MLT_IO);
    assert_non_null(strstr(f->err.text, "hash/0"));
}

static enum mlt_status admit(void *ctx, const struct mlt_draft *draft, uint64_t index, enum mlt_added *added,
                             uint64_t *first, struct mlt_error *err) {
    struct fixture *f = ctx;
    (void)err;
    for (size_t i = 0; i < f->num_admitted; i++) {
        if (memcmp(f->admitted + i * 16, draft->content, 16) == 0) {
            *added = MLT_ADDED_DUPLICATE;
            *first = i;
            return MLT_OK;
        }
    }
    assert_int_equal(index, f->num_admitted);
    f->admitted = realloc(f->admitted, (f->num_admitted + 1) * 16);
    assert_non_null(f->admitted);
    memcpy(f->admitted + 16 * f->num_admitted++, draft->content, 16);
    return MLT_OK;
}

// The same record again gets the receipt of the first time, within a group and later.
static void test_duplicates(void **state) {
    struct fixture *f = *state;
    const struct mlt_admission admission = {.ctx = f, .admit = admit};
    struct mlt_receipt receipts[3];
    open_trail(f, &admission);
    records_prediction(&f->records, 10);
    f->records.next = 0;
    records_prediction(&f->records, 10);
    records_prediction(&f->records, 10);
    must(f, mlt_trail_append_wait(f->trail, &f->records.batch, false, receipts, &f->head, &f->err));
    assert_int_equal(f->head.size, 2);
    assert_int_equal(receipts[1].added, MLT_ADDED_DUPLICATE);
    assert_int_equal(receipts[1].index, 0);
    assert_memory_equal(receipts[1].leaf, receipts[0].leaf, MLT_HASH_LEN);
    uint8_t leaf[MLT_HASH_LEN];
    memcpy(leaf, receipts[0].leaf, sizeof(leaf));
    f->records.next = 0;
    must(f, append(f, false) == MLT_OK ? MLT_OK : MLT_INTERNAL);
    mlt_batch_reset(&f->records.batch);
    f->records.next = 0;
    records_prediction(&f->records, 10);
    must(f, mlt_trail_append_wait(f->trail, &f->records.batch, false, receipts, &f->head, &f->err));
    assert_int_equal(receipts[0].added, MLT_ADDED_DUPLICATE);
    assert_memory_equal(receipts[0].leaf, leaf, MLT_HASH_LEN);
    must(f, close_trail(f));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reserve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
