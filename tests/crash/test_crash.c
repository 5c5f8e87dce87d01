// links: mlt_trail mlt_testlib
//
// The crash grid: a scripted session on a simulated disk, with one fault at each operation that changes the disk.
// Afterwards everything acknowledged must be there, `verify` must say true, and the tree must extend every head that
// was handed out. `test_crash` alone runs the quick form; `test_crash --seeds N` runs every fault at every operation
// with N seeds; `test_crash --seed S --fault F --at N` replays one run.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/receipts.h"
#include "lib/records.h"
#include "lib/simdisk.h"
#include "trail/trail.h"
#include "trail/verify.h"

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
    uint64_t next = s->records.next;
    records_open(&s->records, s->env, mlt_trail_keys(s->trail));
    s->records.next = next;
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
    struct mlt_bytes heads[MAX_HEADS];
    for (size_t i = 0; i < s->num_heads; i++) {
        heads[i] = mlt_bytes_of(s->heads[i].note, s->heads[i].note_len);
    }
    struct mlt_verify_options vo = {.dir = s->opt.dir, .heads = heads, .num_heads = s->num_heads};
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    assert(r);
    bool good = mlt_verify_trail(s->env, &vo, r, &s->err) == MLT_OK && r->verdict;
    if (!good && r->num_faults > 0) {
        (void)snprintf(s->err.text, sizeof(s->err.text), "%s: %s", r->faults[0].file, r->faults[0].text);
    }
    free(r);
    return good;
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

struct run {
    uint64_t seed;
    enum simdisk_fault fault;
    uint64_t at;
    bool lying;
};

static bool run_one(const struct run *r, uint64_t *operations, char why[static 256]) {
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
        (void)snprintf(why, 256, "%.250s", s->err.text);
    }
    do_close(s);
    simdisk_free(s->disk);
    free(s);
    return good;
}

static uint64_t session_length(void) {
    uint64_t operations = 0;
    char why[256] = "";
    const struct run r = {.seed = 1};
    if (!run_one(&r, &operations, why)) {
        fail_msg("without a fault: %s", why);
    }
    return operations;
}

static bool run_reported(const struct run *r) {
    uint64_t operations;
    char why[256] = "";
    bool good = run_one(r, &operations, why);
    if (!good) {
        fprintf(stderr, "replay with: test_crash --seed %llu --fault %s --at %llu\n  %s\n", (unsigned long long)r->seed,
                simdisk_fault_names[r->fault], (unsigned long long)r->at, why);
    }
    return good;
}

static size_t run_grid(uint64_t num_seeds, bool every_fault) {
    uint64_t length = session_length();
    size_t failed = 0;
    for (uint64_t seed = 1; seed <= num_seeds; seed++) {
        for (uint64_t at = 1; at <= length; at++) {
            for (unsigned f = SIMDISK_ERROR_APPLIED; f <= SIMDISK_DEATH_AFTER; f++) {
                if (every_fault || (at + seed) % 5 + 1 == f) {
                    const struct run r = {seed, f, at, false};
                    failed += !run_reported(&r);
                }
            }
        }
    }
    printf("%llu operations, %llu seeds, %zu failed\n", (unsigned long long)length, (unsigned long long)num_seeds,
           failed);
    return failed;
}

// Whatever operation fails, and however: nothing acknowledged is lost, and the trail goes on.
static void test_grid(void **state) {
    (void)state;
    assert_int_equal(run_grid(2, false), 0);
}

// A disk that says it synced and did not is noticed by this grid: the net holds fish.
static void test_lying_disk_is_caught(void **state) {
    (void)state;
    size_t caught = 0;
    for (uint64_t at = 20; at <= 120; at += 10) {
        uint64_t operations;
        char why[256];
        const struct run r = {.seed = at, .fault = SIMDISK_DEATH_BEFORE, .at = at, .lying = true};
        caught += !run_one(&r, &operations, why);
    }
    assert_true(caught > 0);
}

static enum simdisk_fault fault_named(const char *name) {
    for (unsigned f = 0; f < SIMDISK_NUM_FAULTS; f++) {
        if (strcmp(simdisk_fault_names[f], name) == 0) {
            return f;
        }
    }
    fprintf(stderr, "no fault %s\n", name);
    exit(2);
}

int main(int argc, char **argv) {
    struct run r = {.seed = 1};
    uint64_t seeds = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0) {
            seeds = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            r.seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--fault") == 0) {
            r.fault = fault_named(argv[i + 1]);
        } else if (strcmp(argv[i], "--at") == 0) {
            r.at = strtoull(argv[i + 1], NULL, 10);
        } else {
            fprintf(stderr, "usage: test_crash [--seeds N | --seed S --fault F --at N]\n");
            return 2;
        }
    }
    if (r.fault) {
        return run_reported(&r) ? 0 : 1;
    }
    if (seeds) {
        return run_grid(seeds, true) ? 1 : 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grid), cmocka_unit_test(test_lying_disk_is_caught)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
