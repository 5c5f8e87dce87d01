// links: mlt_trail mlt_testlib
//
// Changes of keys: what they refuse, what the verifier makes of forgeries with a replaced key, and what an interrupted
// one leaves to be used. tests/crash/test_crash_keys.c has the faults.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/ok.h"
#include "lib/records.h"
#include "lib/simdisk.h"
#include "store/files.h"
#include "trail/keys.h"
#include "trail/meta.h"
#include "trail/verify.h"

#include <cmocka.h>

struct fixture {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct records records;
    struct mlt_error err;
    struct mlt_head heads[8]; // of every append
    size_t num_heads;
    struct mlt_verify_report report;
};

static const struct mlt_key_change HOW = {.by = "local:test", .reason = "for the test"};

static void open_trail(struct fixture *f) {
    OK(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err));
    OK(mlt_trail_start(f->trail, NULL, &f->err));
}

static void close_trail(struct fixture *f) {
    OK(mlt_trail_close(f->trail, &f->err));
    f->trail = NULL;
}

// Opens, appends, closes.
static void append(struct fixture *f, size_t n) {
    struct mlt_receipt receipts[16];
    open_trail(f);
    records_reopen(&f->records, f->env, mlt_trail_keys(f->trail));
    for (size_t i = 0; i < n; i++) {
        records_prediction(&f->records, 50);
    }
    OK(mlt_trail_append_wait(f->trail, &f->records.batch, false, receipts, &f->heads[f->num_heads], &f->err));
    f->num_heads++;
    records_close(&f->records);
    close_trail(f);
}

static void create(struct fixture *f, bool raw) {
    f->disk = simdisk_new(3);
    f->env = simdisk_env(f->disk);
    f->opt = (struct mlt_trail_options){.dir = "/t", .journal_bytes = 32 << 10, .reserve_bytes = 1};
    OK(mlt_trail_create(f->env, &f->opt, "example.org/keys", raw, false, &f->err));
    OK(f->env->sync_dir(f->env, "", &f->err));
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    create(f, false);
    append(f, 3);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    simdisk_free(f->disk);
    free(f);
    return 0;
}

static bool verifies(struct fixture *f, const struct mlt_vkey *key, const char *state_dir) {
    struct mlt_bytes heads[8];
    for (size_t i = 0; i < f->num_heads; i++) {
        heads[i] = mlt_bytes_of(f->heads[i].note, f->heads[i].note_len);
    }
    const struct mlt_verify_options vo = {
        .dir = "/t", .state_dir = state_dir, .key = key, .heads = heads, .num_heads = f->num_heads};
    OK(mlt_verify_trail(f->env, &vo, &f->report, &f->err));
    return f->report.verdict;
}

static bool fault_says(const struct fixture *f, const char *text) {
    for (size_t i = 0; i < f->report.num_faults && i < MLT_VERIFY_FAULTS_MAX; i++) {
        if (strstr(f->report.faults[i].text, text)) {
            return true;
        }
    }
    return false;
}

static void read_key_file(struct fixture *f, struct mlt_key_file *file) {
    OK(mlt_key_file_read(file, f->env, "/t.state/signing.key", &f->err));
}

// Whoever holds the old key, the new one, or receipts from before, verifies the whole trail; with and without <state>.
static void test_everybody_is_led(void **state) {
    struct fixture *f = *state;
    struct mlt_key_file before;
    struct mlt_key_file after;
    read_key_file(f, &before);
    OK(mlt_trail_rotate_signing(f->env, &f->opt, &HOW, &f->err));
    append(f, 2);
    OK(mlt_trail_rotate_signing(f->env, &f->opt, &HOW, &f->err));
    append(f, 1);
    read_key_file(f, &after);
    assert_int_equal(after.chain.num_keys, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(verifies(f, &after.chain.keys[i], NULL));
    }
    assert_true(verifies(f, NULL, NULL));
    OK(f->env->rename(f->env, "/t.state/signing.key", "/t.state/gone", &f->err));
    assert_true(verifies(f, &before.chain.keys[0], NULL));
    assert_true(f->report.authenticated);
}

// Whoever stole the key that was replaced signs nothing with it that anybody takes.
static void test_replaced_key_is_of_no_use(void **state) {
    struct fixture *f = *state;
    struct mlt_key_file stolen;
    struct mlt_signer thief;
    struct mlt_buf note = {0};
    read_key_file(f, &stolen);
    OK(mlt_key_file_signer(&thief, &stolen, NULL, &f->err));
    OK(mlt_trail_rotate_signing(f->env, &f->opt, &HOW, &f->err));
    append(f, 2);
    const struct mlt_head *last = &f->heads[f->num_heads - 1];
    struct mlt_checkpoint c = {.size = last->size};
    (void)snprintf(c.origin, sizeof(c.origin), "example.org/keys");
    memcpy(c.root, last->root, sizeof(c.root));
    OK(mlt_checkpoint_sign(&note, &c, &thief, &f->err));
    OK(mlt_env_replace_file(f->env, "/t/checkpoint", mlt_buf_bytes(&note), false, &f->err));
    assert_false(verifies(f, NULL, NULL));
    assert_true(fault_says(f, "was replaced at size"));
    mlt_buf_clear(&note);
    mlt_signer_clear(&thief);
}

// A trail.json that names another key in front, with a link that the old key did not sign, leads nowhere.
static void test_forged_link(void **state) {
    struct fixture *f = *state;
    struct mlt_key_file real;
    struct mlt_signer forger;
    struct mlt_buf text = {0};
    static struct mlt_meta meta;
    const uint8_t seed[MLT_ED25519_SEED_LEN] = {9};
    read_key_file(f, &real);
    OK(mlt_signer_init(&forger, mlt_str("example.org/keys"), seed, &f->err));
    OK(mlt_env_read_file(f->env, "/t/trail.json", MLT_META_LEN_MAX, &text, &f->err));
    OK(mlt_meta_parse(&meta, mlt_buf_bytes(&text), &f->err));
    struct mlt_key_link link = {.size = 3, .kept = 3};
    OK(mlt_key_link_sign(&link, &forger, &forger, &f->err));
    OK(mlt_key_chain_push(&meta.chain, &forger.vkey, &link, &f->err));
    mlt_buf_reset(&text);
    OK(mlt_meta_sign(&meta, &forger, &f->err));
    mlt_meta_format(&text, &meta);
    OK(mlt_env_replace_file(f->env, "/t/trail.json", mlt_buf_bytes(&text), false, &f->err));
    assert_false(verifies(f, &real.chain.keys[0], NULL));
    assert_true(fault_says(f, "not as it was signed by"));
    assert_int_equal(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err), MLT_CONFLICT);
    mlt_buf_clear(&text);
    mlt_signer_clear(&forger);
}

// A <state> from before a rotation does not sign beside the key that followed.
static void test_older_state(void **state) {
    struct fixture *f = *state;
    struct mlt_key_file before;
    read_key_file(f, &before);
    OK(mlt_trail_rotate_signing(f->env, &f->opt, &HOW, &f->err));
    OK(mlt_key_file_write(f->env, "/t.state/signing.key", &before, &f->err));
    assert_int_equal(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err), MLT_CORRUPT); // its head is by the newer key
}

// The bytes of the replaced key are overwritten, as far as a file system lets a program see.
static void test_old_key_is_not_left(void **state) {
    struct fixture *f = *state;
    struct mlt_key_file before;
    struct mlt_file *old;
    uint8_t bytes[64];
    size_t got;
    read_key_file(f, &before);
    OK(f->env->open(f->env, &old, "/t.state/signing.key", MLT_OPEN_READ, &f->err));
    OK(mlt_trail_rotate_signing(f->env, &f->opt, &HOW, &f->err));
    OK(f->env->read(f->env, old, bytes, sizeof(bytes), 0, &got, &f->err));
    for (size_t i = 0; i < got; i++) {
        assert_int_equal(bytes[i], 0);
    }
    f->env->close(f->env, old);
}

// What cannot be kept in the trail is refused before anything happens.
static void test_refusals(void **state) {
    struct fixture *f = *state;
    char long_reason[MLT_KEY_REASON_MAX + 2];
    memset(long_reason, 'x', sizeof(long_reason) - 1);
    long_reason[sizeof(long_reason) - 1] = '\0';
    struct mlt_key_change how = {.by = "local:test", .reason = ""};
    assert_int_equal(mlt_trail_rotate_signing(f->env, &f->opt, &how, &f->err), MLT_INVALID);
    how.reason = long_reason;
    assert_int_equal(mlt_trail_rotate_signing(f->env, &f->opt, &how, &f->err), MLT_INVALID);
    how.reason = "good";
    how.uri = "pkcs11:token=t;object=k?pin-value=1234";
    assert_int_equal(mlt_trail_rotate_signing(f->env, &f->opt, &how, &f->err), MLT_INVALID);
    assert_non_null(strstr(f->err.text, "MLTRAIL_PIN_FILE"));
    how.uri = NULL;
    open_trail(f);
    assert_int_equal(mlt_trail_rotate_signing(f->env, &f->opt, &how, &f->err), MLT_BUSY);
    close_trail(f);
    assert_true(verifies(f, NULL, NULL));
}

// A plain log keeps to what was submitted: the change stands in trail.json alone.
static void test_raw(void **state) {
    struct fixture *f = *state;
    simdisk_free(f->disk);
    f->num_heads = 0;
    create(f, true);
    OK(mlt_trail_rotate_signing(f->env, &f->opt, &HOW, &f->err));
    open_trail(f);
    struct mlt_trail_stats stats;
    mlt_trail_get_stats(f->trail, &stats);
    assert_int_equal(stats.size, 0);
    assert_int_equal(mlt_trail_chain(f->trail)->num_keys, 2);
    close_trail(f);
    assert_true(verifies(f, NULL, NULL));
}

// An interrupted rotation of the key-encryption key leaves a trail that is used, also for erasing: what was erased in
// between does not come back when the rotation goes on.
static void test_erasure_amid_rotation(void **state) {
    struct fixture *f = *state;
    struct mlt_kek_change done;
    const uint64_t erased = 1;
    uint64_t len;
    bool begun = false;
    bool moving = false;
    for (uint64_t at = 1; !moving; at++) {
        simdisk_plan(f->disk, SIMDISK_DEATH_AFTER, at);
        (void)(mlt_trail_rotate_kek(f->env, &f->opt, &HOW, &done, &f->err) == MLT_OK);
        simdisk_plan(f->disk, SIMDISK_NONE, 0);
        assert_true(simdisk_dead(f->disk));
        simdisk_reboot(f->disk);
        moving = simdisk_bytes(f->disk, "/t/slots.move", &len) != NULL;
        if (!begun && simdisk_bytes(f->disk, "/t.state/kek.next", &len)) {
            begun = true;
            at = 0; // from here on each try goes on where the last one was
        }
    }
    assert_true(verifies(f, NULL, NULL));
    open_trail(f);
    assert_true(mlt_trail_keys(f->trail)->has_old_kek);
    assert_null(simdisk_bytes(f->disk, "/t/slots.move", &len));
    OK(mlt_trail_erase(f->trail, &erased, 1, &f->err));
    close_trail(f);
    append(f, 1);
    OK(mlt_trail_rotate_kek(f->env, &f->opt, &HOW, &done, &f->err));
    assert_true(done.resumed);
    assert_int_equal(done.num_erased, 1);
    assert_int_equal(done.num_wrapped, 3);
    const uint8_t *slots = simdisk_bytes(f->disk, "/t/slots", &len);
    for (size_t i = 0; i < MLT_WRAPPED_LEN; i++) {
        assert_int_equal(slots[MLT_WRAPPED_LEN + i], 0xff);
    }
}

// A slot that opens under neither key stops the rotation, located, and no key is destroyed.
static void test_damaged_slot(void **state) {
    struct fixture *f = *state;
    struct mlt_kek_change done;
    uint64_t len;
    simdisk_bytes(f->disk, "/t/slots", &len)[MLT_WRAPPED_LEN * 2 + 30] ^= 1;
    assert_int_equal(mlt_trail_rotate_kek(f->env, &f->opt, &HOW, &done, &f->err), MLT_CORRUPT);
    assert_non_null(strstr(f->err.text, "the slot of entry 2"));
    simdisk_bytes(f->disk, "/t/slots", &len)[MLT_WRAPPED_LEN * 2 + 30] ^= 1;
    assert_true(verifies(f, NULL, NULL));
    OK(mlt_trail_rotate_kek(f->env, &f->opt, &HOW, &done, &f->err));
    assert_true(done.resumed);
    assert_true(verifies(f, NULL, NULL));
}

// --- recovery ---

struct copy {
    uint8_t *bytes[32];
    uint64_t len[32];
};

static void path_of(char out[static 64], size_t i) {
    static const char *const others[] = {"trail.json", "checkpoint", "journal/groups"};
    (void)snprintf(out, 64, "/t/%s", i < 3 ? others[i] : mlt_files_name((enum mlt_files_id)(i - 3)));
}

static void save(struct fixture *f, struct copy *c) {
    char path[64];
    for (size_t i = 0; i < 3 + MLT_NUM_FILES; i++) {
        path_of(path, i);
        c->len[i] = 0;
        const uint8_t *bytes = simdisk_bytes(f->disk, path, &c->len[i]);
        c->bytes[i] = malloc(c->len[i] + 1);
        assert_non_null(c->bytes[i]);
        if (bytes) {
            memcpy(c->bytes[i], bytes, c->len[i]);
        }
    }
}

static void restore(struct fixture *f, struct copy *c) {
    char path[64];
    for (size_t i = 0; i < 3 + MLT_NUM_FILES; i++) {
        path_of(path, i);
        OK(mlt_env_replace_file(f->env, path, mlt_bytes_of(c->bytes[i], c->len[i]), false, &f->err));
        free(c->bytes[i]);
    }
}

// A trail that is all there is not recovered; nor is one that was tampered with.
static void test_only_older_copies(void **state) {
    struct fixture *f = *state;
    struct mlt_recovery plan;
    uint64_t len;
    assert_int_equal(mlt_trail_plan_recovery(f->env, &f->opt, NULL, &plan, &f->err), MLT_INVALID);
    assert_non_null(strstr(f->err.text, "nothing is to be recovered"));
    simdisk_bytes(f->disk, "/t/hash/0", &len)[5] ^= 1;
    assert_int_not_equal(mlt_trail_plan_recovery(f->env, &f->opt, NULL, &plan, &f->err), MLT_OK);
}

// Successors are numbered; a name of before is refused; each loss shows for the receipts that it concerns and no
// others.
static void test_successors(void **state) {
    struct fixture *f = *state;
    struct mlt_recovery plan;
    struct copy older;
    struct mlt_key_file file;
    read_key_file(f, &file);
    for (int round = 0; round < 2; round++) {
        save(f, &older);
        append(f, 2);
        restore(f, &older);
        assert_false(verifies(f, NULL, NULL));
        assert_int_equal(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err), MLT_CONFLICT);
        assert_int_equal(mlt_trail_plan_recovery(f->env, &f->opt, "example.org/keys", &plan, &f->err), MLT_INVALID);
        OK(mlt_trail_plan_recovery(f->env, &f->opt, NULL, &plan, &f->err));
        assert_string_equal(plan.new_origin, round == 0 ? "example.org/keys/2" : "example.org/keys/3");
        assert_int_equal(plan.last.size - plan.kept, 2);
        OK(mlt_trail_recover(f->env, &f->opt, &plan, &HOW, &f->err));
        assert_false(verifies(f, NULL, NULL));
        assert_int_equal(f->report.num_faults, 1); // the receipt of what was lost
        assert_true(fault_says(f, "were lost"));
        f->num_heads--;
        assert_true(verifies(f, NULL, NULL));
        assert_true(verifies(f, &file.chain.keys[0], NULL));
        append(f, 1);
    }
    open_trail(f);
    assert_string_equal(mlt_trail_origin(f->trail), "example.org/keys/3");
    close_trail(f);
}

// What was looked at is what is recovered, or nothing is.
static void test_plan_must_fit(void **state) {
    struct fixture *f = *state;
    struct mlt_recovery plan;
    struct copy older;
    save(f, &older);
    append(f, 2);
    restore(f, &older);
    OK(mlt_trail_plan_recovery(f->env, &f->opt, NULL, &plan, &f->err));
    plan.kept_root[0] ^= 1;
    assert_int_equal(mlt_trail_recover(f->env, &f->opt, &plan, &HOW, &f->err), MLT_CONFLICT);
    plan.kept_root[0] ^= 1;
    OK(mlt_trail_recover(f->env, &f->opt, &plan, &HOW, &f->err));
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_everybody_is_led),
        WITH(test_replaced_key_is_of_no_use),
        WITH(test_forged_link),
        WITH(test_older_state),
        WITH(test_old_key_is_not_left),
        WITH(test_refusals),
        WITH(test_raw),
        WITH(test_erasure_amid_rotation),
        WITH(test_damaged_slot),
        WITH(test_only_older_copies),
        WITH(test_successors),
        WITH(test_plan_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
