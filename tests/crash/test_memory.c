// links: mlt_trail mlt_base_posix mlt_testlib -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
//
// The first, second, … allocation of a session fails, until the session gets through: nothing crashes, what was
// acknowledged is there, and `verify` says true.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base_posix/env_posix.h"
#include "lib/no_memory.h"
#include "lib/records.h"
#include "lib/tempdir.h"
#include "trail/keys.h"
#include "trail/trail.h"
#include "trail/verify.h"

#include <cmocka.h>

static void ignore_fatal(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)err;
}

// Opens, appends once, closes; the head when the append was acknowledged.
static bool session(struct mlt_env *env, const struct mlt_trail_options *opt, struct mlt_batch *batch,
                    struct mlt_head *head) {
    struct mlt_trail *t;
    struct mlt_receipt receipts[8];
    struct mlt_head acknowledged;
    if (mlt_trail_open(&t, env, opt, NULL) != MLT_OK) {
        return false;
    }
    bool good = mlt_trail_start(t, NULL, NULL) == MLT_OK;
    if (good && mlt_trail_append_wait(t, batch, true, receipts, &acknowledged, NULL) == MLT_OK) {
        *head = acknowledged;
    } else {
        good = false;
    }
    return mlt_trail_close(t, NULL) == MLT_OK && good;
}

static void make_batch(struct mlt_env *env, const struct mlt_trail_options *opt, struct records *r) {
    struct mlt_trail *t;
    assert_int_equal(mlt_trail_open(&t, env, opt, NULL), MLT_OK);
    records_open(r, env, mlt_trail_keys(t));
    records_prediction(r, 100);
    records_dataset(r, 17000);
    assert_int_equal(mlt_trail_close(t, NULL), MLT_OK);
}

// Whichever allocation fails, the trail is whole afterwards.
static void test_sweep(void **state) {
    struct mlt_env *env = mlt_env_posix();
    struct mlt_head head = {0};
    struct records r;
    char base[TEMPDIR_MAX];
    char dir[80];
    (void)state;
    tempdir_make(base, "memory");
    (void)snprintf(dir, sizeof(dir), "%s/t", base);
    struct mlt_trail_options opt = {.dir = dir, .journal_bytes = 128 << 10, .fatal = ignore_fatal};
    assert_int_equal(mlt_trail_create(env, &opt, "example.org/memory", false, false, NULL), MLT_OK);
    make_batch(env, &opt, &r);
    bool through = false;
    long n;
    for (n = 1; !through; n++) {
        assert_true(n < 2000);
        no_memory_at(n);
        bool good = session(env, &opt, &r.batch, &head);
        through = !no_memory_end() && good;
        struct mlt_bytes note = mlt_bytes_of(head.note, head.note_len);
        struct mlt_verify_options vo = {.dir = dir, .heads = &note, .num_heads = head.note_len ? 1 : 0};
        struct mlt_verify_report *report = calloc(1, sizeof(*report));
        assert_non_null(report);
        struct mlt_error err = {0};
        if (mlt_verify_trail(env, &vo, report, &err) || !report->verdict) {
            fail_msg("allocation %ld: %s %s: %s", n, err.text, report->faults[0].file, report->faults[0].text);
        }
        free(report);
    }
    assert_true(n > 10); // some did fail
    records_close(&r);
    tempdir_remove(base);
}

// A trail with a few entries, of which the changes of keys have something to move.
static void make_trail(struct mlt_env *env, const struct mlt_trail_options *opt) {
    struct mlt_head head = {0};
    struct records r;
    assert_int_equal(mlt_trail_create(env, opt, "example.org/memory", false, false, NULL), MLT_OK);
    make_batch(env, opt, &r);
    assert_true(session(env, opt, &r.batch, &head));
    records_close(&r);
}

static enum mlt_status rotate_signing(struct mlt_env *env, const struct mlt_trail_options *opt) {
    const struct mlt_key_change how = {.by = "local:test", .reason = "for the test"};
    return mlt_trail_rotate_signing(env, opt, &how, NULL);
}

static enum mlt_status rotate_kek(struct mlt_env *env, const struct mlt_trail_options *opt) {
    const struct mlt_key_change how = {.by = "local:test", .reason = "for the test"};
    struct mlt_kek_change done;
    return mlt_trail_rotate_kek(env, opt, &how, &done, NULL);
}

// A chain of keys is full before every allocation has failed: then another trail is taken.
#define TRIES_PER_TRAIL 25

static void sweep_change(enum mlt_status (*change)(struct mlt_env *env, const struct mlt_trail_options *opt)) {
    struct mlt_env *env = mlt_env_posix();
    struct mlt_verify_report *report = calloc(1, sizeof(*report));
    char base[TEMPDIR_MAX];
    char dir[100];
    assert_non_null(report);
    tempdir_make(base, "memory");
    struct mlt_trail_options opt = {.dir = dir, .journal_bytes = 128 << 10, .fatal = ignore_fatal};
    bool through = false;
    long n;
    for (n = 1; !through; n++) {
        assert_true(n < 4000);
        if (n % TRIES_PER_TRAIL == 1) {
            (void)snprintf(dir, sizeof(dir), "%s/t%ld", base, n);
            make_trail(env, &opt);
        }
        no_memory_at(n);
        enum mlt_status st = change(env, &opt);
        through = !no_memory_end() && !st;
        const struct mlt_verify_options vo = {.dir = dir};
        struct mlt_error err = {0};
        if (mlt_verify_trail(env, &vo, report, &err) || !report->verdict || !report->payloads_checked) {
            fail_msg("allocation %ld: %s %s: %s", n, err.text, report->faults[0].file, report->faults[0].text);
        }
    }
    assert_true(n > 10); // some did fail
    free(report);
    tempdir_remove(base);
}

// Whichever allocation fails while a key is replaced, the trail is whole afterwards, under one key or the other.
static void test_sweep_signing(void **state) {
    (void)state;
    sweep_change(rotate_signing);
}

static void test_sweep_kek(void **state) {
    (void)state;
    sweep_change(rotate_kek);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sweep), cmocka_unit_test(test_sweep_signing),
                                       cmocka_unit_test(test_sweep_kek)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
