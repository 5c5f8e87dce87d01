// links: mlt_trail mlt_testlib
//
// The crash grid of the changes of keys: one fault at each operation that changes the disk, in a rotation of the
// signing key, in one of the key-encryption key, and in a recovery. Afterwards the trail opens, with the old key or
// with the new one; everything acknowledged is there, and receipts from before hold; `verify` says true; calling the
// change again ends it; and the entry about it is there once. lib/fault_grid.h has what the command line takes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/contains.h"
#include "lib/fault_grid.h"
#include "lib/receipts.h"
#include "lib/records.h"
#include "store/files.h"
#include "trail/keys.h"

#include <cmocka.h>

#define MAX_RECEIPTS 64
#define MAX_HEADS 16

static const char *const CHANGES[] = {"signing", "kek", "recover"};
enum change { SIGNING, KEK, RECOVER, NUM_CHANGES };
static const char *const EVENTS[] = {"\"control\":\"key-rotated\"", "\"control\":\"kek-rotated\"",
                                     "\"control\":\"recovered\""};

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
    struct mlt_record_keys first_keys;
    uint8_t last_kek[MLT_KEK_LEN];
    size_t num_rotations; // of the key-encryption key, that ended
    struct mlt_error err;
};

struct saved {
    char path[128];
    uint8_t *bytes;
    uint64_t len;
};
#define MAX_SAVED 32

static void ignore_fatal(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)err;
}

static bool opens(struct session *s) {
    if (mlt_trail_open(&s->trail, s->env, &s->opt, &s->err) != MLT_OK) {
        return false;
    }
    if (mlt_trail_start(s->trail, NULL, &s->err) != MLT_OK) {
        (void)mlt_trail_close(s->trail, NULL);
        s->trail = NULL;
        return false;
    }
    records_reopen(&s->records, s->env, mlt_trail_keys(s->trail));
    return true;
}

static bool appends(struct session *s, size_t predictions) {
    assert(s->num_receipts + predictions <= MAX_RECEIPTS && s->num_heads < MAX_HEADS);
    mlt_batch_reset(&s->records.batch);
    for (size_t i = 0; i < predictions; i++) {
        records_prediction(&s->records, 100);
    }
    records_dataset(&s->records, 100); // without a payload: its slot is empty
    struct mlt_receipt receipts[MAX_RECEIPTS];
    bool good =
        mlt_trail_append_wait(s->trail, &s->records.batch, false, receipts, &s->heads[s->num_heads], &s->err) == MLT_OK;
    if (good) {
        memcpy(&s->receipts[s->num_receipts], receipts, predictions * sizeof(receipts[0]));
        s->num_receipts += predictions;
        s->num_heads++;
    }
    return good;
}

static bool closes(struct session *s) {
    records_close(&s->records);
    bool good = mlt_trail_close(s->trail, &s->err) == MLT_OK;
    s->trail = NULL;
    return good;
}

static bool verifies(struct session *s, const struct mlt_vkey *key) {
    return heads_hold(s->env, s->opt.dir, key, s->heads, s->num_heads, &s->err);
}

// --- an older copy ---

static size_t paths_of(struct saved *out) {
    static const char *const OTHERS[] = {"trail.json", "checkpoint", "journal/groups"};
    size_t num = 0;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(out[num++].path, sizeof(out->path), "/d/t/%s", OTHERS[i]);
    }
    for (unsigned id = 0; id < MLT_NUM_FILES; id++) {
        (void)snprintf(out[num++].path, sizeof(out->path), "/d/t/%s", mlt_files_name(id));
    }
    assert(num <= MAX_SAVED);
    return num;
}

static size_t save(struct session *s, struct saved *out) {
    size_t num = paths_of(out);
    for (size_t i = 0; i < num; i++) {
        out[i].len = 0;
        uint8_t *bytes = simdisk_bytes(s->disk, out[i].path, &out[i].len); // NULL as well when empty
        out[i].bytes = malloc(out[i].len + 1);
        assert(out[i].bytes);
        if (bytes) {
            memcpy(out[i].bytes, bytes, out[i].len);
        }
    }
    return num;
}

static bool restores(struct session *s, struct saved *saved, size_t num) {
    bool good = true;
    for (size_t i = 0; i < num; i++) {
        good = good && mlt_env_replace_file(s->env, saved[i].path, mlt_bytes_of(saved[i].bytes, saved[i].len), false,
                                            &s->err) == MLT_OK;
        free(saved[i].bytes);
    }
    return good;
}

static bool prepare(struct session *s, enum change change) {
    struct saved saved[MAX_SAVED];
    bool good = s->env->mkdir(s->env, "/d", false, &s->err) == MLT_OK &&
                mlt_trail_create(s->env, &s->opt, "example.org/keys", false, false, &s->err) == MLT_OK &&
                s->env->sync_dir(s->env, "", &s->err) == MLT_OK && opens(s) && appends(s, 3) && appends(s, 2);
    if (!good) {
        return false;
    }
    s->first_keys = *mlt_trail_keys(s->trail);
    memcpy(s->last_kek, s->first_keys.kek, MLT_KEK_LEN);
    good = closes(s);
    if (good && change == RECOVER) {
        size_t num_heads = s->num_heads;
        size_t num_receipts = s->num_receipts;
        size_t num = save(s, saved);
        good = opens(s) && appends(s, 4) && closes(s) && restores(s, saved, num);
        s->num_heads = num_heads; // the others are lost
        s->num_receipts = num_receipts;
    }
    return good;
}

static enum mlt_status make(struct session *s, enum change change) {
    const struct mlt_key_change how = {.by = "local:test", .reason = "as the plan says"};
    struct mlt_kek_change kek;
    struct mlt_recovery plan;
    enum mlt_status st;
    switch (change) {
    case SIGNING:
        return mlt_trail_rotate_signing(s->env, &s->opt, &how, &s->err);
    case KEK:
        return mlt_trail_rotate_kek(s->env, &s->opt, &how, &kek, &s->err);
    default:
        st = mlt_trail_plan_recovery(s->env, &s->opt, NULL, &plan, &s->err);
        return st ? st : mlt_trail_recover(s->env, &s->opt, &plan, &how, &s->err);
    }
}

// --- what must hold ---

static bool complain(struct session *s, const char *what) {
    (void)snprintf(s->err.text, sizeof(s->err.text), "%s", what);
    return false;
}

static size_t count_events(struct session *s, enum change change) {
    struct mlt_arena arena = {0};
    struct mlt_bytes entry;
    size_t num = 0;
    for (uint64_t i = 0; mlt_trail_entry(s->trail, i, &arena, &entry, NULL) == MLT_OK; i++) {
        num += contains(entry, EVENTS[change]);
        mlt_arena_reset(&arena);
    }
    mlt_arena_clear(&arena);
    return num;
}

// Every secret acknowledged opens with the trail's keys, and, once the old key is gone, none with the old one.
static bool secrets_open(struct session *s, bool old_is_gone) {
    struct mlt_sealer *now = NULL;
    struct mlt_sealer *before = NULL;
    struct mlt_arena arena = {0};
    bool good = mlt_record_keys_sealer(&now, mlt_trail_keys(s->trail), &s->err) == MLT_OK &&
                mlt_sealer_new(&before, s->first_keys.kek, &s->err) == MLT_OK;
    for (size_t i = 0; i < s->num_receipts && good; i++) {
        struct mlt_bytes sealed;
        uint8_t wrapped[MLT_WRAPPED_LEN];
        uint8_t secret[MLT_SECRET_LEN];
        bool erased;
        good = mlt_trail_sealed(s->trail, s->receipts[i].index, &arena, &sealed, wrapped, &erased, &s->err) == MLT_OK &&
               mlt_seal_unwrap(now, secret, wrapped, &s->err) == MLT_OK;
        if (good && old_is_gone && mlt_seal_unwrap(before, secret, wrapped, NULL) == MLT_OK) {
            good = complain(s, "a secret opens with the key that was destroyed");
        }
    }
    mlt_arena_clear(&arena);
    mlt_sealer_free(now);
    mlt_sealer_free(before);
    return good;
}

static bool goes_on(struct session *s, enum change change, bool ended) {
    if (!opens(s)) {
        return false;
    }
    if (change == KEK && !mlt_trail_keys(s->trail)->has_old_kek &&
        memcmp(mlt_trail_keys(s->trail)->kek, s->last_kek, MLT_KEK_LEN) != 0) {
        s->num_rotations++;
        memcpy(s->last_kek, mlt_trail_keys(s->trail)->kek, MLT_KEK_LEN);
    }
    size_t num_keys = mlt_trail_chain(s->trail)->num_keys;
    bool good = receipts_hold(s->trail, s->receipts, s->num_receipts, &s->err) &&
                secrets_open(s, change == KEK && ended) && appends(s, 2);
    size_t num = count_events(s, change);
    if (good && change != KEK && num != num_keys - 1) {
        good = complain(s, "not one entry for each change of keys");
    }
    if (good && change == KEK && num != s->num_rotations) {
        good = complain(s, "not one entry for each rotation that ended");
    }
    return closes(s) && good;
}

static bool survives(struct session *s, enum change change, const struct mlt_vkey *first_key) {
    bool took = false;
    if (change != RECOVER) {
        if (!verifies(s, NULL) || !goes_on(s, change, false)) {
            return false;
        }
    } else {
        took = opens(s) && closes(s); // else it is refused as before, and recovered below
    }
    if (!took && make(s, change) != MLT_OK) {
        return false;
    }
    // Whoever trusts the first key is led to the one in use.
    return goes_on(s, change, true) && verifies(s, NULL) && verifies(s, first_key);
}

static bool run_one(const struct fault_run *r, uint64_t *operations, char why[static FAULT_WHY_MAX]) {
    const enum change change = r->script;
    struct session *s = calloc(1, sizeof(*s));
    struct mlt_vkey first_key = {0};
    assert(s);
    s->disk = simdisk_new(r->seed);
    s->env = simdisk_env(s->disk);
    s->opt = (struct mlt_trail_options){.dir = "/d/t",
                                        .journal_bytes = 32 << 10,
                                        .reserve_bytes = 1,
                                        .publish_interval_ns = INT64_C(3600) * MLT_NS_PER_S,
                                        .fatal = ignore_fatal};
    bool good = prepare(s, change);
    if (good) {
        struct mlt_key_file *file = calloc(1, sizeof(*file));
        assert(file);
        good = mlt_key_file_read(file, s->env, "/d/t.state/signing.key", &s->err) == MLT_OK;
        first_key = file->chain.keys[0];
        free(file);
    }
    simdisk_lie(s->disk, r->lying);
    simdisk_plan(s->disk, r->fault, r->at);
    if (good) {
        enum mlt_status st = make(s, change);
        good = r->fault != SIMDISK_NONE || st == MLT_OK;
        *operations = simdisk_operations(s->disk);
        simdisk_plan(s->disk, SIMDISK_NONE, 0);
        bool died = r->fault >= SIMDISK_DEATH_BEFORE || simdisk_dead(s->disk) || r->seed % 2 == 0;
        simdisk_lie(s->disk, false);
        if (died) {
            simdisk_kill(s->disk);
            simdisk_reboot(s->disk);
        } else {
            simdisk_restart(s->disk);
        }
        good = good && survives(s, change, &first_key);
    }
    if (!good) {
        (void)snprintf(why, FAULT_WHY_MAX, "%.250s", s->err.text);
    }
    if (s->trail) {
        (void)closes(s);
    }
    simdisk_free(s->disk);
    free(s);
    return good;
}

static const struct fault_grid GRID = {"test_crash_keys", CHANGES, NUM_CHANGES, run_one};

// Whatever operation of a rotation of the signing key fails: one key signs, and the other vouches for it.
static void test_signing(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&GRID, SIGNING), 0);
}

// Whatever operation of a rotation of the key-encryption key fails: no secret is lost, and the old key opens none in
// the end.
static void test_kek(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&GRID, KEK), 0);
}

// Whatever operation of a recovery fails: the trail is refused as before, or is the successor.
static void test_recover(void **state) {
    (void)state;
    assert_int_equal(fault_grid_quick(&GRID, RECOVER), 0);
}

// A disk that says it synced and did not is noticed by this grid: the net holds fish.
static void test_lying_disk_is_caught(void **state) {
    (void)state;
    assert_true(fault_grid_caught(&GRID, KEK, 10, 60, 5) > 0);
}

int main(int argc, char **argv) {
    int status;
    if (fault_grid_asked(&GRID, argc, argv, &status)) {
        return status;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_signing), cmocka_unit_test(test_kek),
                                       cmocka_unit_test(test_recover), cmocka_unit_test(test_lying_disk_is_caught)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
