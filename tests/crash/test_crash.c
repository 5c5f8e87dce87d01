// links: mlt_trail mlt_testlib
//
// The crash grid: a scripted session on a simulated disk, with one fault at each operation that changes the disk.
// Afterwards everything acknowledged must be there, `verify` must say true, and the tree must extend every head that
// was handed out. `test_crash` alone runs the quick form; lib/fault_grid.h has the others.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/fault_grid.h"
#include "lib/receipts.h"
#include "lib/records.h"

#include <cmocka.h>

#define MAX_RECEIPTS 256
#define MAX_HEADS 64
#define GROUPS_BEFORE_CLOSE 12 // with regions of 32 KiB: the journal goes round twice

struct session {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct records records;
    struct mlt_receipt receipts[MAX_RECEIPTS];
    size_t num_receipts;
    struct mlt_head heads[MAX_HEADS];
    size_t num_heads;
    struct mlt_error err;
    bool stopped; // a step failed: the process would have ended
};

static void ignore_fatal(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)err;
}

static bool step(struct session *s, enum mlt_status st) {
    s->stopped = s->stopped || st != MLT_OK;
    return st == MLT_OK;
}

static void do_open(struct session *s) {
    if (s->stopped || !step(s, mlt_trail_open(&s->trail, s->env, &s->opt, &s->err))) {
        return;
    }
    if (!step(s, mlt_trail_start(s->trail, NULL, &s->err))) {
        (void)mlt_trail_close(s->trail, NULL);
        s->trail = NULL;
        return;
    }
    records_reopen(&s->records, s->env, mlt_trail_keys(s->trail));
}

static void do_append(struct session *s, size_t predictions, size_t datasets) {
    if (s->stopped) {
        return;
    }
    size_t n = predictions + datasets;
    struct mlt_receipt *out = &s->receipts[s->num_receipts];
    assert(s->num_receipts + n <= MAX_RECEIPTS && s->num_heads < MAX_HEADS);
    mlt_batch_reset(&s->records.batch);
    for (size_t i = 0; i < predictions; i++) {
        records_prediction(&s->records, 300);
    }
    for (size_t i = 0; i < datasets; i++) {
        records_dataset(&s->records, 17000);
    }
    if (step(s, mlt_trail_append_wait(s->trail, &s->records.batch, false, out, &s->heads[s->num_heads], &s->err))) {
        s->num_receipts += n;
        s->num_heads++;
    }
}

static void do_publish(struct session *s) {
    if (!s->stopped) {
        (void)step(s, mlt_trail_publish(s->trail, &s->err));
    }
}

static void do_close(struct session *s) {
    if (s->trail) {
        records_close(&s->records);
        (void)step(s, mlt_trail_close(s->trail, &s->err));
        s->trail = NULL;
    }
}

static void run_script(struct session *s) {
    do_open(s);
    for (size_t i = 0; i < GROUPS_BEFORE_CLOSE; i++) {
        do_append(s, 1 + i % 5, i == 4);
        if (i % 5 == 3) {
            do_publish(s);
        }
    }
    do_close(s);
    do_open(s);
    do_append(s, 3, 0);
    do_append(s, 1, 1);
    do_publish(s);
    do_append(s, 2, 0);
    if (!s->stopped && !simdisk_dead(s->disk)) {
        simdisk_restart(s->disk); // killed: what follows recovers the journal
        s->env = simdisk_env(s->disk);
    }
    do_close(s);
}

// Opens what a kill left, within the reach of the fault.
static void run_recovery(struct session *s) {
    s->stopped = simdisk_dead(s->disk) || simdisk_fired(s->disk);
    do_open(s);
    do_append(s, 2, 0);
    do_close(s);
}

static bool verifies(struct session *s) {
    return heads_hold(s->env, s->opt.dir, NULL, s->heads, s->num_heads, &s->err);
}

// The machine is back. Nothing acknowledged may be missing, and the trail must go on.
static bool survives(struct session *s, bool power_lost) {
    if (power_lost) {
        simdisk_kill(s->disk);
        simdisk_reboot(s->disk);
    } else {
        simdisk_restart(s->disk);
    }
    s->stopped = false;
    if (!verifies(s)) {
        return false;
    }
    do_open(s);
    if (s->stopped) {
        return false;
    }
    bool good = receipts_hold(s->trail, s->receipts, s->num_receipts, &s->err);
    do_append(s, 2, 0);
    do_close(s);
    return good && !s->stopped && verifies(s);
}

static bool run_one(const struct fault_run *r, uint64_t *operations, char why[static FAULT_WHY_MAX]) {
    struct session *s = calloc(1, sizeof(*s));
    assert(s);
    s->disk = simdisk_new(r->seed);
    s->env = simdisk_env(s->disk);
    s->opt = (struct mlt_trail_options){.dir = "/d/t",
                                        .journal_bytes = 32 << 10,
                                        .reserve_bytes = 1,
                                        .publish_interval_ns = INT64_C(3600) * MLT_NS_PER_S,
                                        .fatal = ignore_fatal};
    bool good = s->env->mkdir(s->env, "/d", false, &s->err) == MLT_OK &&
                mlt_trail_create(s->env, &s->opt, "example.org/crash", false, false, &s->err) == MLT_OK &&
                s->env->sync_dir(s->env, "", &s->err) == MLT_OK;
    simdisk_lie(s->disk, r->lying);
    simdisk_plan(s->disk, r->fault, r->at);
    if (good) {
        run_script(s);
        run_recovery(s);
        *operations = simdisk_operations(s->disk);
        simdisk_plan(s->disk, SIMDISK_NONE, 0);
        bool died = r->fault >= SIMDISK_DEATH_BEFORE || simdisk_dead(s->disk);
        simdisk_lie(s->disk, false);
        good = survives(s, died || r->seed % 2 == 0);
    }
    if (!good) {
        (void)snprintf(why, FAULT_WHY_MAX, "%.250s", s->err.text);
    }
    do_close(s);
    simdisk_free(s->disk);
    free(s);
    return good;
}

static const char *const SCRIPTS[] = {"session"};
static const struct fault_grid GRID = {"test_crash", SCRIPTS, 1, run_one};

// Whatever operation fails, and however: nothing acknowledged is lost, and the trail goes on.
static void test_grid(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&GRID, 0), 0);
}

// A disk that says it synced and did not is noticed by this grid: the net holds fish.
static void test_lying_disk_is_caught(void **state) {
    (void)state;
    assert_true(fault_grid_caught(&GRID, 0, 20, 120, 10) > 0);
}

int main(int argc, char **argv) {
    int status;
    if (fault_grid_asked(&GRID, argc, argv, &status)) {
        return status;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grid), cmocka_unit_test(test_lying_disk_is_caught)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
