// links: mlt_trail mlt_testlib
//
// `verify` with roots, on trails whose anchor is not theirs: the good cases are in tests/http/test_anchors.py, where a
// real authority stamps real checkpoints. This anchor's token and checkpoint are good (tests/vectors/timestamp), for
// the first 7 entries of another log named example.com/trail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/records.h"
#include "lib/simdisk.h"
#include "lib/timestamp_vectors.h"
#include "note/checkpoint.h"
#include "record/anchor.h"
#include "trail/verify.h"

static struct mlt_timestamp_roots *roots;

static void must(enum mlt_status status, const struct mlt_error *err) {
    if (status) {
        fail_msg("%s", err->text);
    }
}

// The record that a server would write for this checkpoint and token.
static void write_anchor(struct mlt_buf *out, const char *token_file) {
    struct mlt_buf note = {0}, token = {0};
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    struct mlt_checkpoint head;
    struct mlt_json_writer w;
    timestamp_vector(&note, "note");
    timestamp_vector(&token, token_file);
    struct mlt_anchor a = {.is_timestamp = true, .checkpoint = mlt_buf_bytes(&note), .token = mlt_buf_bytes(&token)};
    assert_int_equal(mlt_note_parse(&parsed, &arena, a.checkpoint, NULL), MLT_OK);
    assert_int_equal(mlt_checkpoint_parse(&head, parsed.text, NULL), MLT_OK);
    assert_int_equal(mlt_timestamp_read(&a.says, a.token, NULL), MLT_OK);
    a.tree_size = head.size;
    memcpy(a.root, head.root, sizeof a.root);
    mlt_sha256_one(a.token_hash, a.token);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "anchor");
    mlt_anchor_put(&w, &a);
    mlt_jw_end_object(&w);
    mlt_arena_clear(&arena);
    mlt_buf_clear(&note);
    mlt_buf_clear(&token);
}

// A trail of `before` predictions and then the anchor.
static void make(struct mlt_env *env, const char *origin, size_t before, const char *token_file) {
    static const struct mlt_producer own = {.principal = "mltrail", .assurance = "local"};
    const struct mlt_trail_options opt = {.dir = "/d/t", .journal_bytes = 256 << 10, .reserve_bytes = 1};
    struct mlt_error err = {0};
    struct mlt_problem problem;
    struct mlt_trail *t;
    struct records r;
    struct mlt_receipt receipts[16];
    struct mlt_head head;
    struct mlt_buf anchor = {0};
    must(env->mkdir(env, "/d", false, &err), &err);
    must(mlt_trail_create(env, &opt, origin, false, false, &err), &err);
    must(mlt_trail_open(&t, env, &opt, &err), &err);
    must(mlt_trail_start(t, NULL, &err), &err);
    records_open(&r, env, mlt_trail_keys(t));
    for (size_t i = 0; i < before; i++) {
        records_prediction(&r, 60);
    }
    write_anchor(&anchor, token_file);
    must(mlt_builder_add_own(r.builder, &r.batch, &own, mlt_buf_bytes(&anchor), &problem, &err), &err);
    must(mlt_trail_append_wait(t, &r.batch, false, receipts, &head, &err), &err);
    records_close(&r);
    mlt_buf_clear(&anchor);
    must(mlt_trail_close(t, &err), &err);
}

// What `verify` finds wrong with the anchor; "" when nothing. Without roots nothing may be wrong.
static void find_fault(char out[static 512], const char *origin, size_t before, const char *token_file) {
    struct simdisk *disk = simdisk_new(3);
    static struct mlt_verify_report report;
    struct mlt_error err = {0};
    make(simdisk_env(disk), origin, before, token_file);
    struct mlt_verify_options opt = {.dir = "/d/t"};
    must(mlt_verify_trail(simdisk_env(disk), &opt, &report, &err), &err);
    assert_true(report.verdict);
    assert_int_equal(report.anchors, 0);
    opt.tsa_roots = roots;
    must(mlt_verify_trail(simdisk_env(disk), &opt, &report, &err), &err);
    assert_int_equal(report.anchors, 1);
    assert_int_equal(report.verdict, report.num_faults == 0);
    out[0] = '\0';
    if (report.num_faults > 0) {
        assert_int_equal(report.num_faults, 1);
        assert_int_equal(report.faults[0].what, MLT_VERIFY_ANCHOR);
        assert_int_equal(report.faults[0].index, before);
        (void)snprintf(out, 512, "%s", report.faults[0].text);
    }
    simdisk_free(disk);
}

static void test_another_tree(void **state) {
    // A good token for a tree that this trail never had is a fault, located to the anchor.
    (void)state;
    char why[512];
    find_fault(why, "example.com/trail", 9, "good.tst");
    assert_non_null(strstr(why, "another tree"));
}

static void test_before_its_tree(void **state) {
    // An anchor cannot stand in the log before the tree that it stamps.
    (void)state;
    char why[512];
    find_fault(why, "example.com/trail", 3, "good.tst");
    assert_non_null(strstr(why, "another tree"));
}

static void test_another_origin(void **state) {
    // A checkpoint of another log proves nothing about this one.
    (void)state;
    char why[512];
    find_fault(why, "example.com/other", 9, "good.tst");
    assert_non_null(strstr(why, "not of this trail"));
}

static void test_false_token(void **state) {
    // A token that does not verify is told as such.
    (void)state;
    char why[512];
    find_fault(why, "example.com/trail", 9, "no-usage.tst");
    assert_non_null(strstr(why, "purpose"));
}

static int set_up(void **state) {
    (void)state;
    roots = timestamp_vector_roots("root.pem");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    mlt_timestamp_roots_free(roots);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_tree),
        cmocka_unit_test(test_before_its_tree),
        cmocka_unit_test(test_another_origin),
        cmocka_unit_test(test_false_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
