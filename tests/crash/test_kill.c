// links: mlt_trail mlt_base_posix mlt_testlib
//
// A writer on a real disk is killed at any moment, twenty times over; what it was told had been written is there.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "lib/records.h"
#include "lib/tempdir.h"
#include "trail/trail.h"
#include "trail/verify.h"

#include <cmocka.h>

#define ROUNDS 20
#define LIFE_MAX_US 60000 // some tens of groups

// Appends until it is killed; every acknowledged head goes down the pipe.
static void write_until_killed(const char *dir, int out) {
    struct mlt_env *env = mlt_env_posix();
    struct mlt_trail_options opt = {.dir = dir, .reserve_bytes = 1, .publish_interval_ns = MLT_NS_PER_S / 10};
    struct mlt_trail *t;
    struct records r;
    struct mlt_receipt receipts[20];
    struct mlt_head head;
    struct mlt_error err = {0};
    if (mlt_trail_open(&t, env, &opt, &err) || mlt_trail_start(t, NULL, &err)) {
        (void)fprintf(stderr, "writer: %s\n", err.text);
        _exit(3);
    }
    records_open(&r, env, mlt_trail_keys(t));
    for (uint64_t i = 0;; i++) {
        mlt_batch_reset(&r.batch);
        for (uint64_t k = 0; k <= i % 20; k++) {
            records_prediction(&r, 400);
        }
        if (mlt_trail_append_wait(t, &r.batch, false, receipts, &head, &err) ||
            write(out, &head, sizeof(head)) != (ssize_t)sizeof(head)) {
            (void)fprintf(stderr, "writer: %s\n", err.text);
            _exit(3);
        }
    }
}

// Whole heads only: the last one may be cut by the kill, then it was not received.
static bool read_head(int in, struct mlt_head *head) {
    size_t got = 0;
    while (got < sizeof(*head)) {
        ssize_t n = read(in, (uint8_t *)head + got, sizeof(*head) - got);
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static void one_round(const char *dir, long life_us, struct mlt_head *last) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        write_until_killed(dir, ends[1]);
    }
    (void)close(ends[1]);
    struct mlt_head head;
    if (read_head(ends[0], &head)) {
        *last = head; // it is up; now let it live for a while
    }
    const struct timespec life = {0, life_us * 1000};
    (void)nanosleep(&life, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read_head(ends[0], &head)) {
        *last = head;
    }
    (void)close(ends[0]);
}

// Killed at any moment, the trail has all that was acknowledged, and the next writer goes on from there.
static void test_kill(void **state) {
    struct mlt_env *env = mlt_env_posix();
    struct mlt_error err = {0};
    struct mlt_head last = {0};
    char base[TEMPDIR_MAX];
    char dir[80];
    unsigned seed = 1;
    (void)state;
    tempdir_make(base, "kill");
    (void)snprintf(dir, sizeof(dir), "%s/t", base);
    struct mlt_trail_options opt = {.dir = dir, .journal_bytes = 128 << 10};
    if (mlt_trail_create(env, &opt, "example.org/kill", false, false, &err)) {
        fail_msg("%s", err.text);
    }
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1103515245 + 12345;
        one_round(dir, (long)(seed >> 8) % LIFE_MAX_US, &last);
        struct mlt_bytes head = mlt_bytes_of(last.note, last.note_len);
        struct mlt_verify_options vo = {.dir = dir, .heads = &head, .num_heads = last.note_len ? 1 : 0};
        struct mlt_verify_report *r = calloc(1, sizeof(*r));
        assert_non_null(r);
        if (mlt_verify_trail(env, &vo, r, &err)) {
            fail_msg("round %d: %s", i, err.text);
        }
        if (!r->verdict) {
            fail_msg("round %d: %s: %s", i, r->faults[0].file, r->faults[0].text);
        }
        assert_true(r->size >= last.size);
        free(r);
    }
    assert_true(last.size > 0);
    tempdir_remove(base);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
