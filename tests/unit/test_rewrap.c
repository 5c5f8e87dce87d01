// links: mlt_store mlt_testlib
//
// Slots that go from one key to the next, in place: over several runs, interrupted and gone on with.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/simdisk.h"
#include "store/rewrap.h"

#include <cmocka.h>

#define NUM_SLOTS ((uint64_t)2 * MLT_REWRAP_RUN + 100)
#define OLD 'o'
#define NEW 'n'

struct fixture {
    struct simdisk *disk;
    struct mlt_files files;
    uint64_t num_calls;
    uint64_t fail_at; // number of the call that fails; 0: none
    struct mlt_error err;
};

// Of every ten slots one is empty and one is erased; the others say in their first byte which key they are under.
static uint8_t first_byte(uint64_t index) {
    return index % 10 == 3 ? 0 : index % 10 == 7 ? 0xff : OLD;
}

static void open_slots(struct fixture *f) {
    f->files.env = simdisk_env(f->disk);
    assert_int_equal(f->files.env->open(f->files.env, &f->files.file[MLT_FILE_SLOTS], "/t/slots",
                                        MLT_OPEN_WRITE | MLT_OPEN_CREATE, &f->err),
                     MLT_OK);
    f->files.size = NUM_SLOTS;
    (void)snprintf(f->files.dir, sizeof(f->files.dir), "/t");
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->disk = simdisk_new(7);
    struct mlt_env *env = simdisk_env(f->disk);
    assert_int_equal(env->mkdir(env, "/t", false, &f->err), MLT_OK);
    open_slots(f);
    uint8_t *all = malloc(NUM_SLOTS * MLT_WRAPPED_LEN);
    assert_non_null(all);
    for (uint64_t i = 0; i < NUM_SLOTS; i++) {
        uint8_t first = first_byte(i);
        memset(all + i * MLT_WRAPPED_LEN, first == OLD ? (int)(i % 250) : first, MLT_WRAPPED_LEN);
        all[i * MLT_WRAPPED_LEN] = first;
    }
    assert_int_equal(env->write(env, f->files.file[MLT_FILE_SLOTS], all, NUM_SLOTS * MLT_WRAPPED_LEN, 0, &f->err),
                     MLT_OK);
    assert_int_equal(env->sync(env, f->files.file[MLT_FILE_SLOTS], &f->err), MLT_OK);
    assert_int_equal(env->sync_dir(env, "/t", &f->err), MLT_OK);
    free(all);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    f->files.env->close(f->files.env, f->files.file[MLT_FILE_SLOTS]);
    simdisk_free(f->disk);
    free(f);
    return 0;
}

static enum mlt_status rewrap(void *ctx, uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_error *err) {
    struct fixture *f = ctx;
    f->num_calls++;
    if (f->num_calls == f->fail_at || (slot[0] != OLD && slot[0] != NEW)) {
        return mlt_fail(err, MLT_CORRUPT, "opens under neither key");
    }
    slot[0] = NEW;
    return MLT_OK;
}

static enum mlt_status run_all(struct fixture *f, struct mlt_rewrap *r) {
    enum mlt_status st = MLT_OK;
    while (!st && r->at < NUM_SLOTS) {
        st = mlt_rewrap_run(r, &f->files, NUM_SLOTS, rewrap, f, &f->err);
    }
    return st;
}

static void reopen(struct fixture *f) {
    f->files.env->close(f->files.env, f->files.file[MLT_FILE_SLOTS]);
    open_slots(f);
}

// Every slot is what it was, but for the key; returns how many are under the new one.
static uint64_t count_new(struct fixture *f) {
    uint64_t len;
    const uint8_t *all = simdisk_bytes(f->disk, "/t/slots", &len);
    uint64_t num = 0;
    assert_int_equal(len, NUM_SLOTS * MLT_WRAPPED_LEN);
    for (uint64_t i = 0; i < NUM_SLOTS; i++) {
        const uint8_t *slot = all + i * MLT_WRAPPED_LEN;
        uint8_t first = first_byte(i);
        uint8_t body = first == OLD ? (uint8_t)(i % 250) : first;
        assert_true(slot[0] == first || (first == OLD && slot[0] == NEW));
        for (size_t k = 1; k < MLT_WRAPPED_LEN; k++) {
            assert_int_equal(slot[k], body);
        }
        num += slot[0] == NEW;
    }
    return num;
}

static uint64_t count(uint8_t first, uint64_t below) {
    uint64_t num = 0;
    for (uint64_t i = 0; i < below; i++) {
        num += first_byte(i) == first;
    }
    return num;
}

static uint64_t count_secrets(uint64_t below) {
    return count(OLD, below);
}

// All runs are taken, empty and erased slots stay as they are, and both are counted.
static void test_all(void **state) {
    struct fixture *f = *state;
    struct mlt_rewrap r = {0};
    uint64_t len;
    assert_int_equal(run_all(f, &r), MLT_OK);
    assert_int_equal(count_new(f), count_secrets(NUM_SLOTS));
    assert_int_equal(r.num_wrapped, count_secrets(NUM_SLOTS));
    assert_int_equal(r.num_erased, count(0xff, NUM_SLOTS));
    assert_int_equal(f->num_calls, count_secrets(NUM_SLOTS));
    assert_int_equal(mlt_rewrap_forget(&f->files, &f->err), MLT_OK);
    assert_null(simdisk_bytes(f->disk, "/t/slots.move", &len));
    assert_int_equal(mlt_rewrap_forget(&f->files, &f->err), MLT_OK); // nothing to forget is fine
}

// Interrupted in the second run it goes on with that run, and counts as if nothing had happened.
static void test_goes_on(void **state) {
    struct fixture *f = *state;
    struct mlt_rewrap r = {0};
    f->fail_at = count_secrets(MLT_REWRAP_RUN) + 10;
    assert_int_equal(run_all(f, &r), MLT_CORRUPT);
    assert_non_null(strstr(f->err.text, "the slot of entry 16"));
    assert_int_equal(count_new(f), count_secrets(MLT_REWRAP_RUN)); // nothing of a run that fails is written
    reopen(f);
    f->fail_at = 0;
    assert_int_equal(mlt_rewrap_redo(&r, &f->files, &f->err), MLT_OK);
    assert_int_equal(r.at, 0); // the first run is the one that slots.move holds
    assert_int_equal(run_all(f, &r), MLT_OK);
    assert_int_equal(count_new(f), count_secrets(NUM_SLOTS));
    assert_int_equal(r.num_wrapped, count_secrets(NUM_SLOTS));
    assert_int_equal(r.num_erased, count(0xff, NUM_SLOTS));
}

// A power cut at any operation leaves every slot whole, once the run that was under way is written again.
static void test_power_cuts(void **state) {
    struct fixture *f = *state;
    for (uint64_t at = 1; at < 40; at++) {
        for (unsigned fault = SIMDISK_DEATH_BEFORE; fault <= SIMDISK_DEATH_AFTER; fault++) {
            struct mlt_rewrap r = {0};
            simdisk_plan(f->disk, fault, at);
            enum mlt_status st = mlt_rewrap_redo(&r, &f->files, &f->err);
            st = st ? st : run_all(f, &r);
            bool died = simdisk_dead(f->disk);
            if (died) {
                simdisk_reboot(f->disk);
                reopen(f);
            }
            simdisk_plan(f->disk, SIMDISK_NONE, 0);
            assert_int_equal(mlt_rewrap_redo(&r, &f->files, &f->err), MLT_OK);
            (void)count_new(f);
            if (!died) {
                assert_int_equal(st, MLT_OK);
                return;
            }
        }
    }
    fail_msg("it never came to an end");
}

// A slots.move with a flipped bit, or cut, or for another tree, is not written anywhere.
static void test_damaged_move(void **state) {
    struct fixture *f = *state;
    struct mlt_rewrap r = {0};
    uint64_t len;
    assert_int_equal(mlt_rewrap_run(&r, &f->files, NUM_SLOTS, rewrap, f, &f->err), MLT_OK);
    uint8_t *move = simdisk_bytes(f->disk, "/t/slots.move", &len);
    assert_non_null(move);
    uint64_t before = count_new(f);
    for (uint64_t at = 0; at < 48; at++) {
        move[at] ^= 4;
        assert_int_equal(mlt_rewrap_redo(&r, &f->files, &f->err), MLT_OK);
        assert_int_equal(r.at, 0);
        assert_int_equal(r.num_wrapped, 0);
        move[at] ^= 4;
    }
    f->files.size = 100; // fewer than the run has
    assert_int_equal(mlt_rewrap_redo(&r, &f->files, &f->err), MLT_OK);
    f->files.size = NUM_SLOTS;
    assert_int_equal(count_new(f), before);
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {WITH(test_all), WITH(test_goes_on), WITH(test_power_cuts),
                                       WITH(test_damaged_move)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
