// links: mlt_trail mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "lib/ok.h"
#include "lib/records.h"
#include "lib/tempdir.h"
#include "trail/trail.h"
#include "trail/verify.h"

#include <cmocka.h>

struct fixture {
    char base[TEMPDIR_MAX];
    char dir[80];
    struct mlt_env *env;
    struct mlt_error err;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct records records;
};

static void open_trail(struct fixture *f, const struct mlt_admission *admission) {
    OK(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err));
    OK(mlt_trail_start(f->trail, admission, &f->err));
    records_reopen(&f->records, f->env, mlt_trail_keys(f->trail));
}

static void close_trail(struct fixture *f) {
    records_close(&f->records);
    OK(mlt_trail_close(f->trail, &f->err));
    f->trail = NULL;
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->env = mlt_env_posix();
    tempdir_make(f->base, "trail");
    (void)snprintf(f->dir, sizeof(f->dir), "%s/t", f->base);
    f->opt.dir = f->dir;
    f->opt.journal_bytes = 256 << 10;
    f->opt.reserve_bytes = 1;
    OK(mlt_trail_create(f->env, &f->opt, "example.org/test", false, false, &f->err));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    tempdir_remove(f->base);
    free(f);
    return 0;
}

static void append(struct fixture *f, size_t n, size_t payload, struct mlt_head *head) {
    struct mlt_receipt *receipts = calloc(n, sizeof(*receipts));
    mlt_batch_reset(&f->records.batch);
    for (size_t i = 0; i < n; i++) {
        records_prediction(&f->records, payload);
    }
    OK(mlt_trail_append_wait(f->trail, &f->records.batch, false, receipts, head, &f->err));
    free(receipts);
}

static void assert_verifies(struct fixture *f, uint64_t size) {
    struct mlt_verify_options vo = {.dir = f->dir};
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    OK(mlt_verify_trail(f->env, &vo, r, &f->err));
    if (!r->verdict) {
        fail_msg("%s: %s", r->faults[0].file, r->faults[0].text);
    }
    assert_int_equal(r->size, size);
    free(r);
}

// What was acknowledged is there after closing and opening, and every entry has the leaf hash of its receipt.
static void test_append_and_reopen(void **state) {
    struct fixture *f = *state;
    struct mlt_head head;
    struct mlt_receipt receipts[10];
    open_trail(f, NULL);
    for (size_t i = 0; i < 10; i++) {
        records_prediction(&f->records, 50);
    }
    OK(mlt_trail_append_wait(f->trail, &f->records.batch, false, receipts, &head, &f->err));
    assert_int_equal(head.size, 10);
    close_trail(f);
    assert_verifies(f, 10);
    open_trail(f, NULL);
    struct mlt_arena arena = {0};
    for (uint64_t i = 0; i < 10; i++) {
        struct mlt_bytes entry;
        uint8_t leaf[MLT_HASH_LEN];
        OK(mlt_trail_entry(f->trail, i, &arena, &entry, &f->err));
        mlt_merkle_leaf(leaf, entry);
        assert_memory_equal(leaf, receipts[i].leaf, MLT_HASH_LEN);
    }
    mlt_arena_clear(&arena);
    for (size_t i = 0; i < 4; i++) {
        append(f, 250, 100, &head);
    }
    assert_int_equal(head.size, 1010);
    close_trail(f);
    assert_verifies(f, 1010);
}

// Many groups use the journal's regions in turn, and nothing is lost over it.
static void test_regions_wrap(void **state) {
    struct fixture *f = *state;
    struct mlt_head head;
    open_trail(f, NULL);
    for (size_t i = 0; i < 60; i++) {
        append(f, 20, 1000, &head);
    }
    close_trail(f);
    assert_verifies(f, 1200);
}

// A writer is alone: a second one is refused, a reader is not.
static void test_one_writer(void **state) {
    struct fixture *f = *state;
    struct mlt_trail *second;
    struct mlt_trail_options opt = f->opt;
    open_trail(f, NULL);
    assert_int_equal(mlt_trail_open(&second, f->env, &opt, &f->err), MLT_BUSY);
    opt.read_only = true;
    OK(mlt_trail_open(&second, f->env, &opt, &f->err));
    OK(mlt_trail_close(second, &f->err));
    close_trail(f);
}

// A trail is copied, its keys are not.
static void test_state_within(void **state) {
    struct fixture *f = *state;
    char dir[96];
    char within[112];
    (void)snprintf(dir, sizeof(dir), "%s/u/", f->base);
    struct mlt_trail_options opt = {.dir = dir, .state_dir = dir};
    assert_int_equal(mlt_trail_create(f->env, &opt, "example.org/u", false, false, &f->err), MLT_INVALID);
    (void)snprintf(within, sizeof(within), "%s/u/state", f->base);
    opt.state_dir = within;
    assert_int_equal(mlt_trail_create(f->env, &opt, "example.org/u", false, false, &f->err), MLT_INVALID);
    (void)snprintf(within, sizeof(within), "%s/u.keys", f->base);
    OK(mlt_trail_create(f->env, &opt, "example.org/u", false, false, &f->err));
}

// A copy of the trail has a lock of its own; that of the key is one.
static void test_one_signer(void **state) {
    struct fixture *f = *state;
    struct mlt_trail *second;
    struct mlt_head head;
    struct mlt_trail_options opt = f->opt;
    char command[256];
    char copy[96];
    char state_dir[96];
    open_trail(f, NULL);
    append(f, 5, 10, &head);
    (void)snprintf(copy, sizeof(copy), "%s.copy", f->dir);
    (void)snprintf(state_dir, sizeof(state_dir), "%s.state", f->dir);
    (void)snprintf(command, sizeof(command), "cp -r %s %s", f->dir, copy);
    assert_int_equal(system(command), 0);
    opt.dir = copy;
    opt.state_dir = state_dir;
    assert_int_equal(mlt_trail_open(&second, f->env, &opt, &f->err), MLT_BUSY);
    opt.read_only = true;
    OK(mlt_trail_open(&second, f->env, &opt, &f->err));
    OK(mlt_trail_close(second, &f->err));
    append(f, 5, 10, &head);
    close_trail(f);
    assert_verifies(f, 10);
}

// A name that ends with a slash means the same trail, with the same state.
static void test_verify_slash(void **state) {
    struct fixture *f = *state;
    char dir[96];
    struct mlt_verify_options vo = {.dir = dir};
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    (void)snprintf(dir, sizeof(dir), "%s//", f->dir);
    OK(mlt_verify_trail(f->env, &vo, r, &f->err));
    assert_true(r->verdict && r->authenticated);
    free(r);
}

// A trail that is written is checked up to the head signed last, published or not.
static void test_verify_live(void **state) {
    struct fixture *f = *state;
    struct mlt_head head;
    struct mlt_verify_options vo = {.dir = f->dir};
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    f->opt.publish_interval_ns = 3600 * MLT_NS_PER_S;
    open_trail(f, NULL);
    append(f, 300, 10, &head);
    OK(mlt_verify_trail(f->env, &vo, r, &f->err));
    assert_true(r->verdict && r->live);
    assert_int_equal(r->size, 300);
    close_trail(f);
    OK(mlt_verify_trail(f->env, &vo, r, &f->err));
    assert_true(r->verdict && !r->live);
    free(r);
}

// A copy put back in place of the trail is not signed on, and not verified.
static void test_rolled_back(void **state) {
    struct fixture *f = *state;
    struct mlt_head head;
    char command[256];
    open_trail(f, NULL);
    append(f, 5, 10, &head);
    close_trail(f);
    (void)snprintf(command, sizeof(command), "cp -r %s %s.old", f->dir, f->dir);
    assert_int_equal(system(command), 0);
    open_trail(f, NULL);
    append(f, 5, 10, &head);
    close_trail(f);
    (void)snprintf(command, sizeof(command), "rm -r %s && mv %s.old %s", f->dir, f->dir, f->dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err), MLT_CONFLICT);
    assert_non_null(strstr(f->err.text, "10"));
    struct mlt_verify_options vo = {.dir = f->dir};
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    OK(mlt_verify_trail(f->env, &vo, r, &f->err));
    assert_false(r->verdict);
    assert_int_equal(r->faults[0].what, MLT_VERIFY_STATE);
    free(r);
}

// An erased secret is gone from its slot, and stays so over a restart.
static void test_erase(void **state) {
    struct fixture *f = *state;
    struct mlt_head head;
    const uint64_t index = 3;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    bool erased;
    struct mlt_bytes sealed;
    struct mlt_arena arena = {0};
    open_trail(f, NULL);
    append(f, 5, 10, &head);
    OK(mlt_trail_sealed(f->trail, index, &arena, &sealed, wrapped, &erased, &f->err));
    OK(mlt_trail_erase(f->trail, &index, 1, &f->err));
    append(f, 5, 10, &head);
    close_trail(f);
    open_trail(f, NULL);
    assert_int_equal(mlt_trail_sealed(f->trail, index, &arena, &sealed, wrapped, &erased, &f->err), MLT_NOTFOUND);
    assert_true(erased);
    close_trail(f);
    mlt_arena_clear(&arena);

    // Nobody recorded this one: that is what verification is for.
    struct mlt_verify_options vo = {.dir = f->dir};
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    OK(mlt_verify_trail(f->env, &vo, r, &f->err));
    assert_false(r->verdict);
    assert_int_equal(r->faults[0].what, MLT_VERIFY_SLOT);
    assert_int_equal(r->faults[0].index, index);
    free(r);
}

// The list of an erasure may be so long that it lies beside the entry.
static void test_long_erasure(void **state) {
    static const struct mlt_producer producer = {"local:test", "local"};
    struct fixture *f = *state;
    const uint64_t index = 1;
    struct mlt_head head;
    struct mlt_receipt receipt;
    struct mlt_problem problem = {0};
    struct mlt_buf json = {0};
    open_trail(f, NULL);
    append(f, 2, 10, &head);
    mlt_buf_put_str(&json, "{\"kind\":\"erasure\",\"ground\":\"g\",\"requested_by\":\"a\",\"approved_by\":\"b\","
                           "\"entries\":[1");
    for (size_t i = 0; i < 20000; i++) {
        mlt_buf_put_str(&json, ",0");
    }
    mlt_buf_put_str(&json, "]}");
    mlt_batch_reset(&f->records.batch);
    OK(mlt_builder_add_own(f->records.builder, &f->records.batch, &producer, mlt_buf_bytes(&json), &problem, &f->err));
    assert_int_equal(f->records.batch.drafts[0].num_details, 1);
    OK(mlt_trail_append_wait(f->trail, &f->records.batch, true, &receipt, &head, &f->err));
    OK(mlt_trail_erase(f->trail, &index, 1, &f->err));
    close_trail(f);
    assert_verifies(f, 3);
    mlt_buf_clear(&json);
}

// Long facts lie beside the entry, under their hash.
static void test_details(void **state) {
    struct fixture *f = *state;
    struct mlt_receipt receipt;
    struct mlt_head head;
    open_trail(f, NULL);
    records_dataset(&f->records, 40000);
    assert_true(f->records.batch.drafts[0].num_details > 0);
    uint8_t hash[MLT_HASH_LEN];
    memcpy(hash, f->records.batch.drafts[0].details[0].hash, MLT_HASH_LEN);
    OK(mlt_trail_append_wait(f->trail, &f->records.batch, false, &receipt, &head, &f->err));
    struct mlt_arena arena = {0};
    struct mlt_bytes bytes;
    OK(mlt_trail_detail(f->trail, hash, &arena, &bytes, &f->err));
    mlt_arena_clear(&arena);
    close_trail(f);
    assert_verifies(f, 1);
}

static void overwrite(const struct fixture *f, const char *name, uint8_t byte) {
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fputc(byte, file), byte);
    assert_int_equal(fclose(file), 0);
}

// A position that no file can have is damage, as one beyond the end is: not a failure of the disk.
static void test_positions_beyond_any_file(void **state) {
    struct fixture *f = *state;
    struct mlt_head head;
    struct mlt_arena arena = {0};
    struct mlt_bytes bytes;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    bool erased;
    open_trail(f, NULL);
    append(f, 3, 50, &head);
    overwrite(f, "entries.idx", 0xff);
    assert_int_equal(mlt_trail_entry(f->trail, 1, &arena, &bytes, &f->err), MLT_CORRUPT);
    overwrite(f, "entries.idx", 0);
    OK(mlt_trail_entry(f->trail, 1, &arena, &bytes, &f->err));
    overwrite(f, "payloads/index", 0xff);
    assert_int_equal(mlt_trail_sealed(f->trail, 1, &arena, &bytes, wrapped, &erased, &f->err), MLT_CORRUPT);
    overwrite(f, "payloads/index", 0);
    OK(mlt_trail_sealed(f->trail, 1, &arena, &bytes, wrapped, &erased, &f->err));
    mlt_arena_clear(&arena);
    close_trail(f);
    assert_verifies(f, 3);
}

// A trail.json that cannot be read does not say that there is a trail.
static void test_create_beside_what_cannot_be_read(void **state) {
    struct fixture *f = *state;
    char dir[100];
    char meta[120];
    struct mlt_trail_options opt = f->opt;
    (void)snprintf(dir, sizeof(dir), "%s/other", f->base);
    (void)snprintf(meta, sizeof(meta), "%s/trail.json", dir);
    opt.dir = dir;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(meta, 0700), 0);
    assert_int_equal(mlt_trail_create(f->env, &opt, "example.org/other", false, false, &f->err), MLT_IO);
    assert_int_equal(mlt_trail_create(f->env, &f->opt, "example.org/test", false, false, &f->err), MLT_CONFLICT);
    assert_int_equal(rmdir(meta), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append_and_reopen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_regions_wrap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_signer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_state_within, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify_slash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rolled_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_erase, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_erasure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_details, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_positions_beyond_any_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_create_beside_what_cannot_be_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
