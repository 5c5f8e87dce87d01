// links: mlt_monitor mlt_testlib
//
// The monitor against a log in memory that can be made to lie, with its state on a disk that can fail.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/simdisk.h"
#include "monitor/monitor_private.h"
#include "record/link_tree.h"

#include <cmocka.h>

#define ENTRIES_MAX 2000
#define NOW INT64_C(1795426801123456789) // 2026-11-23T09:40:01.123456789Z

struct log {
    char *entry[ENTRIES_MAX];
    size_t num;
    int64_t received;
    struct mlt_signer signer;
    uint64_t published; // size of the checkpoint served; UINT64_MAX: num
    const char *broken; // a path that is served with a byte changed; NULL: none
};

struct fixture {
    struct log log;
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_monitor *monitor;
    struct mlt_monitor_options opt;
    struct mlt_monitor_round round;
    struct mlt_error err;
    unsigned told[MLT_NUM_ALARMS];
    char text[MLT_ALARM_TEXT_LEN]; // of the last alarm
    char evidence[256];
};

// --- the log ---

static void add_text(struct log *l, const char *text) {
    assert_true(l->num < ENTRIES_MAX);
    size_t len = strlen(text);
    l->entry[l->num] = malloc(len + 1);
    assert_non_null(l->entry[l->num]);
    memcpy(l->entry[l->num++], text, len + 1);
}

static void add_facts(struct log *l, const char *kind, const char *facts) {
    char text[4096];
    char when[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(when, l->received++);
    (void)snprintf(text, sizeof text,
                   "{\"v\":1,\"kind\":\"%s\",\"id\":\"i%zu\",\"time\":null,\"received\":\"%s\",\"producer\":{"
                   "\"principal\":\"p\",\"assurance\":\"local\"},\"facts\":%s}",
                   kind, l->num, when, facts);
    add_text(l, text);
}

static void add_predictions(struct log *l, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char facts[128];
        (void)snprintf(facts, sizeof facts, "{\"request_id\":\"r%zu\",\"model\":\"m\",\"model_version\":\"1\"}",
                       l->num);
        add_facts(l, "prediction", facts);
    }
}

static struct mlt_bytes entry_of(const struct log *l, uint64_t index) {
    return mlt_str(l->entry[index]);
}

// A commitment as the log would make it, computed in memory; `wrong` spoils it.
static void add_segment(struct log *l, uint64_t first, uint64_t end, bool wrong) {
    struct mlt_link_leaves leaves = {0};
    struct mlt_link_tree tree = {0};
    struct mlt_arena arena = {0};
    char facts[256];
    char root[2 * MLT_HASH_LEN + 1];
    for (uint64_t i = first; i < end; i++) {
        assert_int_equal(mlt_link_leaves_add(&leaves, i, entry_of(l, i), &arena, NULL), MLT_OK);
    }
    size_t num = leaves.num;
    assert_int_equal(mlt_link_tree_build(&tree, &leaves, NULL), MLT_OK);
    tree.root[0] ^= wrong ? 1 : 0;
    mlt_hex_encode(root, mlt_bytes_of(tree.root, sizeof tree.root));
    (void)snprintf(facts, sizeof facts,
                   "{\"control\":\"segment\",\"first\":%llu,\"end\":%llu,\"links\":%zu,\"root\":\"%s\"}",
                   (unsigned long long)first, (unsigned long long)end, num, root);
    add_facts(l, "control", facts);
    mlt_link_tree_clear(&tree);
    mlt_arena_clear(&arena);
}

static uint64_t size_of(const struct log *l) {
    return l->published < l->num ? l->published : l->num;
}

static void hash_at(const struct log *l, unsigned level, uint64_t position, uint8_t out[static MLT_HASH_LEN]) {
    struct mlt_frontier f = {0};
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    uint64_t width = UINT64_C(1) << (MLT_TILE_HEIGHT * level);
    for (uint64_t i = position * width; i < (position + 1) * width; i++) {
        uint8_t leaf[MLT_HASH_LEN];
        mlt_merkle_leaf(leaf, entry_of(l, i));
        (void)mlt_frontier_add(&f, leaf, roots);
    }
    mlt_frontier_root(&f, out);
}

static enum mlt_status serve_checkpoint(const struct log *l, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_checkpoint c = {.size = size_of(l)};
    struct mlt_frontier f = {0};
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    (void)snprintf(c.origin, sizeof c.origin, "%s", l->signer.vkey.name);
    for (uint64_t i = 0; i < c.size; i++) {
        uint8_t leaf[MLT_HASH_LEN];
        mlt_merkle_leaf(leaf, entry_of(l, i));
        (void)mlt_frontier_add(&f, leaf, roots);
    }
    mlt_frontier_root(&f, c.root);
    return mlt_checkpoint_sign(out, &c, &l->signer, err);
}

static enum mlt_status get(void *ctx, const char *path, size_t max, struct mlt_buf *out, struct mlt_error *err) {
    const struct log *l = ctx;
    struct mlt_tile_id id;
    mlt_buf_reset(out);
    if (strcmp(path, "checkpoint") == 0) {
        return serve_checkpoint(l, out, err);
    }
    if (!mlt_tile_path_parse(&id, mlt_str(path)) || mlt_tile_width(l->num, id.level, id.number) < id.width) {
        return mlt_fail(err, MLT_NOTFOUND, "no such tile");
    }
    for (unsigned i = 0; i < id.width; i++) {
        uint64_t at = id.number * MLT_TILE_WIDTH + i;
        uint8_t hash[MLT_HASH_LEN];
        if (id.entries) {
            mlt_buf_put_u16be(out, (uint16_t)entry_of(l, at).len);
            mlt_buf_put_bytes(out, entry_of(l, at));
        } else {
            hash_at(l, id.level, at, hash);
            mlt_buf_put(out, hash, sizeof hash);
        }
    }
    if (l->broken && strcmp(path, l->broken) == 0) {
        out->data[out->len / 2] ^= 1;
    }
    assert_true(out->len <= max);
    return MLT_OK;
}

// --- the monitor ---

static void hear(void *arg, const struct mlt_alarm *alarm, const char *evidence) {
    struct fixture *f = arg;
    f->told[alarm->kind]++;
    (void)snprintf(f->text, sizeof f->text, "%s", alarm->text);
    (void)snprintf(f->evidence, sizeof f->evidence, "%s", evidence);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    uint8_t seed[32] = {7};
    assert_non_null(f);
    f->disk = simdisk_new(3);
    f->env = simdisk_env(f->disk);
    simdisk_clock(f->disk, NOW);
    f->log.received = NOW - 3600 * MLT_NS_PER_S;
    f->log.published = UINT64_MAX;
    assert_int_equal(mlt_signer_init(&f->log.signer, mlt_str("example.org/log"), seed, &f->err), MLT_OK);
    assert_int_equal(f->env->mkdir(f->env, "/d", false, &f->err), MLT_OK);
    assert_int_equal(f->env->sync_dir(f->env, "", &f->err), MLT_OK);
    f->opt = (struct mlt_monitor_options){.env = f->env,
                                          .fetch = {&f->log, get},
                                          .state_dir = "/d/state",
                                          .key = &f->log.signer.vkey,
                                          .findings = MLT_FINDINGS_HIGH,
                                          .alarm = hear,
                                          .alarm_arg = f};
    *state = f;
    return 0;
}

static void close_monitor(struct fixture *f) {
    mlt_monitor_close(f->monitor);
    f->monitor = NULL;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    close_monitor(f);
    for (size_t i = 0; i < f->log.num; i++) {
        free(f->log.entry[i]);
    }
    mlt_signer_clear(&f->log.signer);
    simdisk_free(f->disk);
    free(f);
    return 0;
}

static enum mlt_status step(struct fixture *f) {
    memset(f->told, 0, sizeof f->told);
    if (!f->monitor) {
        enum mlt_status st = mlt_monitor_open(&f->monitor, &f->opt, &f->err);
        if (st) {
            return st;
        }
    }
    return mlt_monitor_step(f->monitor, &f->round, &f->err);
}

// A round without an alarm.
static void good(struct fixture *f) {
    if (step(f) != MLT_OK) {
        fail_msg("%s", f->err.text);
    }
    if (f->round.num_alarms > 0) {
        fail_msg("%s", f->text);
    }
}

// A round with this alarm and no other one.
static void alarm_of(struct fixture *f, enum mlt_alarm_kind kind, uint64_t num) {
    if (step(f) != MLT_OK) {
        fail_msg("%s", f->err.text);
    }
    if (f->told[kind] != num || f->round.num_alarms != num) {
        fail_msg("%s: told %u, alarms %llu: %s", mlt_alarm_name(kind), f->told[kind],
                 (unsigned long long)f->round.num_alarms, f->text);
    }
}

// --- tests ---

// Whatever the steps in which a log grows, and wherever the monitor is opened again, the tree comes out.
static void test_grows(void **state) {
    struct fixture *f = *state;
    const size_t steps[] = {1, 2, 250, 3, 256, 1, 511, 300};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        uint64_t before = f->log.num;
        add_predictions(&f->log, steps[i]);
        good(f);
        assert_int_equal(f->round.size, f->log.num);
        assert_int_equal(f->round.size_before, before);
        assert_int_equal(f->round.num_new, steps[i]);
        good(f);
        assert_int_equal(f->round.num_new, 0);
        if (i % 2 == 0) {
            close_monitor(f);
        }
    }
}

// Whole segments, small ones that are superseded, and large ones over them are computed again and found right.
static void test_segments(void **state) {
    struct fixture *f = *state;
    add_predictions(&f->log, 20);
    add_segment(&f->log, 0, 16, false);
    good(f);
    assert_int_equal(f->round.num_segments, 1);
    add_segment(&f->log, 16, 21, false); // a seal
    close_monitor(f);
    add_predictions(&f->log, 30);
    add_segment(&f->log, 16, 32, false); // supersedes it
    good(f);
    assert_int_equal(f->round.num_segments, 2);
    add_segment(&f->log, 32, 48, false);
    add_segment(&f->log, 0, 48, false); // over all of them
    good(f);
    close_monitor(f);
    add_segment(&f->log, 0, 48, false);
    good(f);
    assert_int_equal(f->round.num_segments, 1);
    assert_int_equal(f->round.num_unchecked, 0);
}

// A commitment with another root, one that leaves entries out, and one that says nothing are told.
static void test_wrong_segments(void **state) {
    struct fixture *f = *state;
    add_predictions(&f->log, 40);
    add_segment(&f->log, 0, 16, true);
    alarm_of(f, MLT_ALARM_SEGMENT, 1);
    assert_non_null(strstr(f->text, "another root"));
    assert_non_null(strstr(f->evidence, "wrong-segment"));
    add_segment(&f->log, 20, 32, false);
    alarm_of(f, MLT_ALARM_SEGMENT, 1);
    assert_non_null(strstr(f->text, "begins at 20"));
    add_facts(&f->log, "control", "{\"control\":\"segment\",\"first\":0,\"end\":4000,\"links\":1,\"root\":\"00\"}");
    alarm_of(f, MLT_ALARM_SEGMENT, 1);
    // Entries were told of; the log goes on.
    add_segment(&f->log, 0, 32, false);
    good(f);
}

static void replace(struct log *l, size_t index, const char *text) {
    free(l->entry[index]);
    size_t num = l->num;
    l->num = index;
    add_text(l, text);
    l->num = num;
}

// A log that has another past is a fork, one that is smaller a rollback; neither is remembered, and both are told once.
static void test_fork_and_rollback(void **state) {
    struct fixture *f = *state;
    add_predictions(&f->log, 600);
    good(f);
    char kept[4096];
    (void)snprintf(kept, sizeof kept, "%s", f->log.entry[77]);
    replace(&f->log, 77, "something else");
    alarm_of(f, MLT_ALARM_FORK, 1); // of the same size
    add_predictions(&f->log, 10);
    assert_int_equal(step(f), MLT_OK); // the same fork, grown
    assert_int_equal(f->told[MLT_ALARM_FORK], 0);
    assert_int_equal(f->round.num_alarms, 1);
    assert_int_equal(f->round.size_before, 600);
    close_monitor(f);
    assert_int_equal(step(f), MLT_OK);
    assert_int_equal(f->told[MLT_ALARM_FORK], 0);
    assert_int_equal(f->round.num_alarms, 1); // told before, and false all the same
    replace(&f->log, 77, kept);
    f->log.published = 599;
    alarm_of(f, MLT_ALARM_ROLLBACK, 1);
    f->log.published = UINT64_MAX;
    good(f);
    assert_int_equal(f->round.size, 610);
}

// A bundle or tile that is served otherwise than it was signed is told, and nothing of that round is remembered.
static void test_served_otherwise(void **state) {
    struct fixture *f = *state;
    add_predictions(&f->log, 300);
    good(f);
    add_predictions(&f->log, 300);
    f->log.broken = "tile/0/001";
    alarm_of(f, MLT_ALARM_TILE, 1);
    f->log.broken = "tile/1/000.p/2";
    alarm_of(f, MLT_ALARM_TILE, 1);
    f->log.broken = "tile/entries/001";
    assert_int_equal(step(f), MLT_OK);
    assert_true(f->told[MLT_ALARM_ENTRIES] > 0);
    f->log.broken = NULL;
    good(f);
    assert_int_equal(f->round.size_before, 300);
    assert_int_equal(f->round.size, 600);
}

// What was seen long ago is read again at random: an entry changed since, and a tile changed since, are told.
static void test_read_again(void **state) {
    struct fixture *f = *state;
    f->opt.num_again = 20;
    add_predictions(&f->log, 700);
    good(f);
    good(f);
    f->log.broken = "tile/entries/001";
    assert_int_equal(step(f), MLT_OK);
    assert_true(f->round.num_alarms > 0 && f->told[MLT_ALARM_ENTRIES] == 1);
    f->log.broken = "tile/0/000";
    assert_int_equal(step(f), MLT_OK);
    assert_true(f->round.num_alarms > 0 && f->told[MLT_ALARM_TILE] == 1);
    f->log.broken = NULL;
    good(f);
}

// An entry that is none, and a time of receipt that goes back, are told; the tree is sound and is remembered.
static void test_entries(void **state) {
    struct fixture *f = *state;
    add_predictions(&f->log, 3);
    add_text(&f->log, "{\"v\":1}");
    alarm_of(f, MLT_ALARM_FORMAT, 1);
    f->log.received -= 10;
    add_predictions(&f->log, 1);
    alarm_of(f, MLT_ALARM_RECEIVED, 1);
    good(f);
    assert_int_equal(f->round.size_before, 5);
}

// In a plain log entries are bytes.
static void test_raw(void **state) {
    struct fixture *f = *state;
    f->opt.raw = true;
    add_text(&f->log, "anything");
    add_text(&f->log, "");
    good(f);
}

// A mirror that is kept must not change under what is served.
static void test_mirror(void **state) {
    struct fixture *f = *state;
    f->opt.mirror_dir = "/d/mirror";
    add_predictions(&f->log, 256);
    good(f);
    uint64_t len;
    uint8_t *bytes = simdisk_bytes(f->disk, "/d/mirror/tile/entries/000", &len);
    assert_non_null(bytes);
    struct mlt_mirror_dir dir;
    assert_int_equal(mlt_mirror_dir_init(&dir, f->env, "/d/mirror", NULL), MLT_OK);
    assert_int_equal(mlt_mirror_dir_keep(&dir, "tile/entries/000", mlt_bytes_of(bytes, len), NULL), MLT_OK);
    assert_int_equal(mlt_mirror_dir_keep(&dir, "tile/entries/000", mlt_str("x"), NULL), MLT_CONFLICT);
}

// Whatever write, sync or rename fails or is torn by a crash: afterwards the monitor opens and goes on, without an
// alarm that an honest log did not earn.
static void test_crashes(void **state) {
    static const enum simdisk_fault faults[] = {SIMDISK_ERROR_APPLIED, SIMDISK_ERROR_NOT_APPLIED, SIMDISK_DEATH_BEFORE,
                                                SIMDISK_DEATH_DURING, SIMDISK_DEATH_AFTER};
    for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++) {
        for (uint64_t at = 1;; at++) {
            void *one;
            assert_int_equal(set_up(&one), 0);
            struct fixture *f = one;
            add_predictions(&f->log, 20);
            add_segment(&f->log, 0, 16, false);
            good(f);
            add_predictions(&f->log, 20);
            add_segment(&f->log, 16, 32, false);
            simdisk_plan(f->disk, faults[k], at);
            enum mlt_status ignored = step(f);
            (void)ignored;
            bool fired = simdisk_fired(f->disk);
            simdisk_plan(f->disk, SIMDISK_NONE, 0);
            close_monitor(f);
            if (simdisk_dead(f->disk)) {
                simdisk_reboot(f->disk);
            }
            add_predictions(&f->log, 3);
            add_segment(&f->log, 0, 32, false);
            good(f);
            assert_int_equal(f->round.size, f->log.num);
            (void)tear_down(&one);
            if (!fired) {
                break;
            }
        }
    }
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fork_and_rollback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_served_otherwise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_raw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mirror, set_up, tear_down),
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
