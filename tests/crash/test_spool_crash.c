// links: mlt_spool mlt_base_posix mlt_testlib
//
// Whatever fails or stops a writer of a spool, and whoever adopts what it left: what was synced is sent, numbers that
// are sent rise by one, nothing is invented, and the tally counts at least what was promised.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "lib/fault_grid.h"
#include "record/json.h"
#include "spool/orphan.h"
#include "spool/writer.h"

#define DIR "spool"
#define ROUNDS 24
#define TWICE 4       // every so many rounds two are put at once
#define BODY_LEN 1500 // several sectors, and a segment of 16 KiB takes ten
#define SENT_MAX 256

struct promise {
    uint64_t put;    // sequences 1 to this were put and reported so
    uint64_t synced; // ... and survive a power loss
};

struct sent {
    uint64_t sequence[SENT_MAX];
    size_t num;
    uint64_t tally, lost; // 0: none
    bool wrong;
};

static char body[BODY_LEN + 1];

static bool take(void *arg, const struct mlt_frame *f) {
    struct sent *s = arg;
    struct mlt_json j = {0};
    uint64_t n = 0;
    bool is_json = mlt_json_scan(&j, f->body, NULL) == MLT_OK;
    if (is_json && mlt_json_u64(&j, mlt_json_get(&j, 0, "sequence"), &n) && s->num < SENT_MAX) {
        s->sequence[s->num++] = n;
    } else if (is_json && mlt_json_u64(&j, mlt_json_get(&j, 0, "count"), &n)) {
        s->wrong = s->wrong || (s->tally != 0 && s->tally != n);
        s->tally = n;
        (void)mlt_json_u64(&j, mlt_json_get(&j, 0, "lost"), &s->lost);
    } else {
        s->wrong = true;
    }
    mlt_json_clear(&j);
    return true;
}

// Puts predictions, syncs now and then, and tells the spool that the server has some.
static void write_some(struct mlt_env *env, struct promise *promise) {
    struct mlt_spool_writer *w = NULL;
    const struct mlt_spool_options opt = {.dir = DIR, .serving_node = "n", .bytes_max = MLT_SPOOL_BYTES_MIN};
    struct mlt_spool_place place = {0};
    struct mlt_buf after = {0};
    mlt_buf_printf(&after, ",\"x\":\"%s\"}", body);
    if (mlt_spool_writer_open(&w, env, &opt, NULL) != MLT_OK) {
        mlt_buf_clear(&after);
        return;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct mlt_spool_put put;
        const struct mlt_spool_item item = {MLT_FRAME_RECORD, mlt_str("{\"kind\":\"prediction\",\"sequence\":"),
                                            MLT_SPOOL_SEQUENCE, mlt_buf_bytes(&after)};
        const struct mlt_spool_item both[] = {item, item};
        size_t num = i % TWICE == TWICE - 1 ? 2 : 1;
        if (mlt_spool_writer_put_all(w, both, num, &put, NULL) == MLT_OK) {
            promise->put = put.sequence + num - 1;
        }
        if (i % 5 == 4 && mlt_spool_writer_sync(w, NULL) == MLT_OK) {
            promise->synced = promise->put;
        }
        if (i == 2) {
            place = mlt_spool_writer_place(w);
        } else if (i == 14) {
            (void)(mlt_spool_writer_acked(w, &place, NULL) == MLT_OK);
        }
    }
    mlt_spool_writer_free(w); // as a process that dies: without its tally
    mlt_buf_clear(&after);
}

// Adopts and sends all that is there; false: it could not.
static bool adopt_all(struct mlt_env *env, struct sent *sent, char why[static FAULT_WHY_MAX]) {
    struct mlt_orphan *o = NULL;
    for (;;) {
        struct mlt_error err = {0};
        if (mlt_orphan_find(&o, env, DIR, "", &err) != MLT_OK) {
            (void)snprintf(why, FAULT_WHY_MAX, "what was left cannot be adopted: %.200s", err.text);
            return false;
        }
        if (!o) {
            return true;
        }
        struct mlt_spool_reader r = {env, DIR, o->stream, {0}, {0}};
        struct mlt_spool_place place = o->at;
        enum mlt_spool_found found = MLT_SPOOL_FOUND_NOTHING;
        struct mlt_spool_damage damage;
        enum mlt_status status = mlt_orphan_owe(o, &err);
        while (status == MLT_OK) {
            status = mlt_spool_read(&r, &place, &o->until, take, sent, &found, &damage, &err);
            if (status != MLT_OK || found == MLT_SPOOL_FOUND_NOTHING) {
                break;
            }
            if (found == MLT_SPOOL_FOUND_DAMAGE) {
                mlt_orphan_damaged(o, &damage);
            }
            status = mlt_orphan_acked(o, &place, &err);
        }
        mlt_spool_reader_clear(&r);
        if (status != MLT_OK) {
            (void)snprintf(why, FAULT_WHY_MAX, "what was left cannot be sent: %.200s", err.text);
            mlt_orphan_free(o);
            return false;
        }
        mlt_orphan_remove(o);
    }
}

static bool includes(const struct sent *s, uint64_t sequence) {
    for (size_t i = 0; i < s->num; i++) {
        if (s->sequence[i] == sequence) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct promise *p, const struct sent *s, bool rebooted, char why[static FAULT_WHY_MAX]) {
    uint64_t promised = rebooted ? p->synced : p->put;
    // What was acknowledged may be gone: rounds 0 to 2, when that came so far.
    for (uint64_t n = 4; n <= promised; n++) {
        if (!includes(s, n)) {
            (void)snprintf(why, FAULT_WHY_MAX, "%llu of %llu promised is not sent", (unsigned long long)n,
                           (unsigned long long)promised);
            return false;
        }
    }
    if (s->wrong) {
        (void)snprintf(why, FAULT_WHY_MAX, "something was sent that nobody wrote");
        return false;
    }
    if (promised > 0 && (s->tally < promised || s->tally > ROUNDS + ROUNDS / TWICE)) {
        (void)snprintf(why, FAULT_WHY_MAX, "the tally says %llu, %llu were promised", (unsigned long long)s->tally,
                       (unsigned long long)promised);
        return false;
    }
    return true;
}

enum { WRITE, POWER, ADOPT, NUM_SCRIPTS };
static const char *const scripts[NUM_SCRIPTS] = {"write", "power", "adopt"};

static void go_on(struct simdisk *disk, bool *rebooted) {
    *rebooted = simdisk_dead(disk);
    if (*rebooted) {
        simdisk_reboot(disk);
        // The simulated disk has no directory above this one that could be synced.
        (void)(simdisk_env(disk)->mkdir(simdisk_env(disk), DIR, true, NULL) == MLT_OK);
    } else {
        simdisk_restart(disk);
    }
}

static bool run(const struct fault_run *r, uint64_t *operations, char why[static FAULT_WHY_MAX]) {
    struct simdisk *disk = simdisk_new(r->seed);
    struct promise promise = {0};
    struct sent sent = {0};
    bool rebooted = false, again = false;
    simdisk_lie(disk, r->lying);
    if (r->script != ADOPT) {
        simdisk_plan(disk, r->fault, r->at ? r->at : UINT64_MAX);
    }
    write_some(simdisk_env(disk), &promise);
    *operations = simdisk_operations(disk);
    if (r->script == POWER) { // whatever failed before, and was said to be well again
        simdisk_kill(disk);
    }
    go_on(disk, &rebooted);
    if (r->script == ADOPT) {
        simdisk_plan(disk, r->fault, r->at ? r->at : UINT64_MAX);
        (void)adopt_all(simdisk_env(disk), &sent, why);
        *operations = simdisk_operations(disk);
        go_on(disk, &again);
    }
    simdisk_plan(disk, SIMDISK_NONE, 0);
    bool good = adopt_all(simdisk_env(disk), &sent, why);
    good = good && holds(&promise, &sent, rebooted || again, why);
    simdisk_free(disk);
    return good;
}

static const struct fault_grid grid = {
    .program = "test_spool_crash", .scripts = scripts, .num_scripts = NUM_SCRIPTS, .run = run};

static void test_write(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&grid, WRITE), 0);
}

static void test_a_sync_that_failed_is_not_believed_when_it_succeeds(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&grid, POWER), 0);
}

static void test_adopt(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&grid, ADOPT), 0);
}

static void test_a_disk_that_lies_is_caught(void **state) {
    (void)state;
    assert_true(fault_grid_caught(&grid, WRITE, 12, 40, 2) > 0);
}

int main(int argc, char **argv) {
    int status;
    memset(body, 0x78, BODY_LEN);
    if (fault_grid_asked(&grid, argc, argv, &status)) {
        return status;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_a_sync_that_failed_is_not_believed_when_it_succeeds),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_a_disk_that_lies_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
