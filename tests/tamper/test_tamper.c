// links: mlt_trail mlt_testlib
//
// The tamper grid: a bit flipped, a file cut, parts exchanged, a directory rolled back. `verify` must say false each
// time, and name the file and where it can the entry.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/records.h"
#include "lib/simdisk.h"
#include "store/files.h"
#include "trail/trail.h"
#include "trail/verify.h"

#include <cmocka.h>

#define NUM_BATCHES 60
#define BATCH 10
#define NUM_ENTRIES (NUM_BATCHES * BATCH)
#define FLIPS 40 // positions tried in each file

struct fixture {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_trail_options opt;
    struct mlt_verify_report report;
    struct mlt_error err;
    struct mlt_head head;
    uint8_t detail[MLT_HASH_LEN];
    uint64_t entry_end[NUM_ENTRIES]; // in entries.dat
};

static void must(struct fixture *f, enum mlt_status st) {
    if (st) {
        fail_msg("%s", f->err.text);
    }
}

static void ignore_fatal(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)err;
}

static void fill(struct fixture *f, struct mlt_trail *t) {
    struct records r;
    struct mlt_receipt receipts[BATCH];
    uint64_t at = 0;
    size_t n = 0;
    records_open(&r, f->env, mlt_trail_keys(t));
    for (size_t b = 0; b < NUM_BATCHES; b++) {
        mlt_batch_reset(&r.batch);
        for (size_t i = 0; i < BATCH; i++) {
            if (b == 7 && i == 3) {
                records_dataset(&r, 20000);
                memcpy(f->detail, r.batch.drafts[i].details[0].hash, MLT_HASH_LEN);
            } else {
                records_prediction(&r, 60);
            }
            at += 2 + r.batch.drafts[i].entry_len;
            f->entry_end[n++] = at;
        }
        must(f, mlt_trail_append_wait(t, &r.batch, false, receipts, &f->head, &f->err));
    }
    records_close(&r);
}

// `killed`: the journal still has its groups.
static struct fixture *make(bool killed) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->disk = simdisk_new(5);
    f->env = simdisk_env(f->disk);
    f->opt = (struct mlt_trail_options){.dir = "/d/t",
                                        .journal_bytes = 256 << 10,
                                        .reserve_bytes = 1,
                                        .publish_interval_ns = INT64_C(3600) * MLT_NS_PER_S,
                                        .fatal = ignore_fatal};
    must(f, f->env->mkdir(f->env, "/d", false, &f->err));
    must(f, mlt_trail_create(f->env, &f->opt, "example.org/tamper", false, false, &f->err));
    struct mlt_trail *t;
    must(f, mlt_trail_open(&t, f->env, &f->opt, &f->err));
    must(f, mlt_trail_start(t, NULL, &f->err));
    fill(f, t);
    if (killed) {
        simdisk_kill(f->disk);
    }
    enum mlt_status st = mlt_trail_close(t, &f->err);
    assert_int_equal(st != MLT_OK, killed);
    if (killed) {
        simdisk_reboot(f->disk);
    }
    return f;
}

static int set_up(void **state) {
    *state = make(false);
    return 0;
}

static int set_up_killed(void **state) {
    *state = make(true);
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    simdisk_free(f->disk);
    free(f);
    return 0;
}

// With threads that look ahead the report is the same, fault by fault.
static bool verify(struct fixture *f) {
    struct mlt_verify_options vo = {.dir = f->opt.dir, .threads = 2};
    must(f, mlt_verify_trail(f->env, &vo, &f->report, &f->err));
    uint64_t num_faults = f->report.num_faults;
    vo.threads = 0;
    must(f, mlt_verify_trail(f->env, &vo, &f->report, &f->err));
    assert_int_equal(f->report.num_faults, num_faults);
    return f->report.verdict;
}

static bool names(const struct fixture *f, const char *file, uint64_t index) {
    for (size_t i = 0; i < f->report.num_faults && i < MLT_VERIFY_FAULTS_MAX; i++) {
        const struct mlt_verify_fault *fault = &f->report.faults[i];
        if (strcmp(fault->file, file) == 0 && (index == UINT64_MAX || (fault->has_index && fault->index == index))) {
            return true;
        }
    }
    return false;
}

static uint8_t *bytes_of(struct fixture *f, const char *name, uint64_t *len) {
    char path[256];
    (void)snprintf(path, sizeof(path), "/d/%s", name);
    uint8_t *bytes = simdisk_bytes(f->disk, path, len);
    assert_non_null(bytes);
    return bytes;
}

static uint64_t owner_entry(const struct fixture *f, uint64_t off) {
    uint64_t i = 0;
    while (f->entry_end[i] <= off) {
        i++;
    }
    return i;
}

typedef uint64_t (*owner_fn)(const struct fixture *f, uint64_t off);

static void flip_all(struct fixture *f, const char *name, const char *reported, uint64_t len_max, owner_fn owner) {
    uint64_t len;
    uint8_t *bytes = bytes_of(f, name, &len);
    len = len_max && len_max < len ? len_max : len;
    for (uint64_t k = 0; k < FLIPS; k++) {
        uint64_t off = k < 4 && k < len ? k : (len - 1) * k / (FLIPS - 1);
        bytes[off] ^= (uint8_t)(1u << k % 8);
        if (verify(f)) {
            fail_msg("a bit of %s at %llu was flipped, and verify is content", name, (unsigned long long)off);
        }
        if (!names(f, reported, owner ? owner(f, off) : UINT64_MAX)) {
            fail_msg("a bit of %s at %llu was flipped, and verify names %s (entry %llu): %s", name,
                     (unsigned long long)off, f->report.faults[0].file, (unsigned long long)f->report.faults[0].index,
                     f->report.faults[0].text);
        }
        bytes[off] ^= (uint8_t)(1u << k % 8);
    }
    assert_true(verify(f));
}

static uint64_t owner_slot(const struct fixture *f, uint64_t off) {
    (void)f;
    return off / MLT_WRAPPED_LEN;
}

static uint64_t owner_leaf(const struct fixture *f, uint64_t off) {
    (void)f;
    return off / MLT_HASH_LEN;
}

static uint64_t owner_tile(const struct fixture *f, uint64_t off) {
    (void)f;
    return off / MLT_HASH_LEN * MLT_TILE_WIDTH;
}

// A bit anywhere in the entries is found, and the entry is named.
static void test_entries(void **state) {
    flip_all(*state, "t/entries.dat", "entries.dat", 0, owner_entry);
}

// A bit in any other file is found, and the file is named; the entry, where the file has one per entry.
static void test_other_files(void **state) {
    struct fixture *f = *state;
    flip_all(f, "t/entries.idx", "entries.idx", 0, NULL);
    flip_all(f, "t/hash/0", "hash/0", 0, owner_leaf);
    flip_all(f, "t/hash/1", "hash/1", 0, owner_tile);
    flip_all(f, "t/slots", "slots", 0, owner_slot);
    flip_all(f, "t/payloads/data", "payloads/data", 0, NULL);
    flip_all(f, "t/checkpoint", "checkpoint", 0, NULL);
    flip_all(f, "t/trail.json", "trail.json", 0, NULL);
}

// A changed payload index is found; what it points at fails as well.
static void test_payload_index(void **state) {
    struct fixture *f = *state;
    uint64_t len;
    uint8_t *bytes = bytes_of(f, "t/payloads/index", &len);
    for (uint64_t k = 0; k < FLIPS; k++) {
        uint64_t off = (len - 1) * k / (FLIPS - 1);
        bytes[off] ^= 1;
        assert_false(verify(f));
        assert_true(names(f, "payloads/index", UINT64_MAX) || names(f, "payloads/data", UINT64_MAX));
        bytes[off] ^= 1;
    }
}

// A detail is bound by its hash.
static void test_detail(void **state) {
    struct fixture *f = *state;
    char name[128] = "t/details/";
    mlt_hex_encode(name + strlen(name), mlt_bytes_of(f->detail, MLT_HASH_LEN));
    flip_all(f, name, name + 2, 0, NULL);
}

// Groups that are still in the journal are checked as everything else, those already in the files included.
static void test_journal_of_killed_trail(void **state) {
    struct fixture *f = *state;
    assert_true(verify(f));
    assert_true(f->report.journal_groups > 0);
    assert_int_equal(f->report.size, NUM_ENTRIES);
    uint64_t len;
    uint8_t *bytes = bytes_of(f, "t/journal/groups", &len);
    for (uint64_t k = 0; k < FLIPS; k++) {
        uint64_t off = MLT_JOURNAL_HEADERS_LEN + 4096 * (k % 8) + k * 97;
        bytes[off] ^= 4;
        assert_false(verify(f));
        assert_true(names(f, "journal/groups", UINT64_MAX));
        struct mlt_trail *t;
        assert_int_equal(mlt_trail_open(&t, f->env, &f->opt, &f->err), MLT_CORRUPT);
        assert_non_null(strstr(f->err.text, "offset"));
        bytes[off] ^= 4;
    }
    assert_true(verify(f));
}

// A file cut short, or gone, is named.
static void test_truncation(void **state) {
    struct fixture *f = *state;
    static const char *const files[] = {"entries.dat", "entries.idx",   "hash/0",        "hash/1",
                                        "slots",       "payloads/data", "payloads/index"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        struct mlt_file *file;
        uint64_t len;
        (void)snprintf(path, sizeof(path), "/d/t/%s", files[i]);
        must(f, f->env->open(f->env, &file, path, MLT_OPEN_WRITE, &f->err));
        uint8_t *bytes = simdisk_bytes(f->disk, path, &len);
        uint8_t *saved = malloc(len);
        memcpy(saved, bytes, len);
        must(f, f->env->truncate(f->env, file, len - 5, &f->err));
        assert_false(verify(f));
        assert_true(names(f, files[i], UINT64_MAX));
        must(f, f->env->write(f->env, file, saved, len, 0, &f->err));
        must(f, f->env->write(f->env, file, "x", 1, len, &f->err));
        assert_false(verify(f));
        assert_true(names(f, files[i], UINT64_MAX));
        must(f, f->env->truncate(f->env, file, len, &f->err));
        assert_true(verify(f));
        f->env->close(f->env, file);
        free(saved);
    }
}

// A payload and its slot exchanged with those of another entry unseal, and do not fit the commitments.
static void test_exchanged_payloads(void **state) {
    struct fixture *f = *state;
    uint64_t len;
    uint8_t *slots = bytes_of(f, "t/slots", &len);
    uint8_t *index = bytes_of(f, "t/payloads/index", &len);
    uint8_t *data = bytes_of(f, "t/payloads/data", &len);
    uint32_t end0 = mlt_load_u32be(index + 8);
    uint32_t end1 = mlt_load_u32be(index + 12);
    uint8_t slot[MLT_WRAPPED_LEN];
    uint8_t payload[4096];
    assert_int_equal(end1 - end0, end0); // the same shape, other values
    assert_true(end0 <= sizeof(payload));
    memcpy(slot, slots, sizeof(slot));
    memcpy(slots, slots + MLT_WRAPPED_LEN, MLT_WRAPPED_LEN);
    memcpy(slots + MLT_WRAPPED_LEN, slot, sizeof(slot));
    memcpy(payload, data, end0);
    memcpy(data, data + end0, end0);
    memcpy(data + end0, payload, end0);
    assert_false(verify(f));
    assert_true(names(f, "payloads/data", 0) && names(f, "payloads/data", 1));
}

// A directory rolled back is whole in itself; the head in <state> and any receipt tell.
static void test_rollback(void **state) {
    struct fixture *f = *state;
    struct fixture *later = make(false);
    struct mlt_bytes head = mlt_bytes_of(later->head.note, later->head.note_len);
    struct mlt_verify_options vo = {.dir = f->opt.dir, .heads = &head, .num_heads = 1};
    must(f, mlt_verify_trail(f->env, &vo, &f->report, &f->err));
    assert_true(f->report.verdict); // made alike: the same seed, the same tree
    struct mlt_trail *t;
    struct records r;
    struct mlt_receipt receipt;
    must(f, mlt_trail_open(&t, later->env, &later->opt, &f->err));
    must(f, mlt_trail_start(t, NULL, &f->err));
    records_open(&r, later->env, mlt_trail_keys(t));
    records_prediction(&r, 10);
    must(f, mlt_trail_append_wait(t, &r.batch, false, &receipt, &later->head, &f->err));
    records_close(&r);
    must(f, mlt_trail_close(t, &f->err));
    must(f, mlt_verify_trail(f->env, &vo, &f->report, &f->err));
    assert_false(f->report.verdict);
    assert_true(names(f, "receipt 1", UINT64_MAX));

    // The newer state beside the older trail.
    uint64_t len;
    uint64_t newer_len;
    uint8_t *older = bytes_of(f, "t.state/head", &len);
    const uint8_t *newer = bytes_of(later, "t.state/head", &newer_len);
    assert_int_equal(len, newer_len);
    memcpy(older, newer, len);
    assert_false(verify(f));
    assert_true(names(f, "head", UINT64_MAX));
    assert_int_equal(mlt_trail_open(&t, f->env, &f->opt, &f->err), MLT_CONFLICT);
    simdisk_free(later->disk);
    free(later);
}

// Nothing changed: verify is content. Without this, a verifier that always says false would pass.
static void test_untouched(void **state) {
    struct fixture *f = *state;
    assert_true(verify(f));
    assert_true(f->report.authenticated && f->report.payloads_checked);
    assert_int_equal(f->report.entries, NUM_ENTRIES);
    assert_int_equal(f->report.payloads, NUM_ENTRIES - 1);
    assert_true(f->report.details > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_untouched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_payload_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_detail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_journal_of_killed_trail, set_up_killed, tear_down),
        cmocka_unit_test_setup_teardown(test_truncation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchanged_payloads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rollback, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
