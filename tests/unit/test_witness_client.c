// links: mlt_witness mlt_base_posix mlt_testlib
//
// What a witness answers, judged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/small_log.h"
#include "witness/client.h"

#define NOW INT64_C(1700000000)

struct fixture {
    struct small_log log;
    struct mlt_cosigner witness;
    struct mlt_cosigner other;
    struct mlt_buf note;
    struct mlt_arena arena;
    struct mlt_note parsed;
    struct mlt_buf body;
    struct mlt_witness_question q;
    struct mlt_witness_reply reply;
};

static int set_up(void **state) {
    static struct fixture f;
    uint8_t seed[32] = {7};
    memset(&f, 0, sizeof(f));
    small_log_init(&f.log, "log.example.com/a", 1, 0, "a");
    assert_int_equal(mlt_cosigner_init(&f.witness, mlt_str("w.example.com"), seed, NULL), MLT_OK);
    seed[0] = 8;
    assert_int_equal(mlt_cosigner_init(&f.other, mlt_str("v.example.com"), seed, NULL), MLT_OK);
    small_log_note(&f.log, 5, &f.note);
    assert_int_equal(mlt_note_parse(&f.parsed, &f.arena, mlt_buf_bytes(&f.note), NULL), MLT_OK);
    f.q = (struct mlt_witness_question){
        .vkey = &f.witness.vkey, .note_text = f.parsed.text, .old_size = 2, .size = 5, .now_s = NOW};
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    small_log_clear(&f->log);
    mlt_cosigner_clear(&f->witness);
    mlt_cosigner_clear(&f->other);
    mlt_buf_clear(&f->note);
    mlt_buf_clear(&f->body);
    mlt_arena_clear(&f->arena);
    return 0;
}

static void add_line(struct fixture *f, const struct mlt_cosigner *c, int64_t time) {
    assert_int_equal(mlt_cosignature_sign(&f->body, f->parsed.text, c, (uint64_t)time, NULL), MLT_OK);
}

static enum mlt_witness_outcome judge(struct fixture *f, int status) {
    mlt_witness_judge(&f->reply, &f->q, status, mlt_buf_bytes(&f->body));
    mlt_buf_reset(&f->body);
    return f->reply.outcome;
}

static enum mlt_witness_outcome judge_text(struct fixture *f, int status, const char *body) {
    mlt_buf_reset(&f->body);
    mlt_buf_put_str(&f->body, body);
    return judge(f, status);
}

static void test_cosigned(void **state) {
    // Only the line of the key that the policy has is kept, whatever else comes along.
    struct fixture *f = *state;
    add_line(f, &f->other, NOW);
    add_line(f, &f->witness, NOW - 3);
    assert_int_equal(judge(f, 200), MLT_WITNESS_COSIGNED);
    assert_int_equal(f->reply.time, NOW - 3);
    assert_non_null(strstr(f->reply.line, "w.example.com"));
    assert_null(strstr(f->reply.line, "v.example.com"));
}

static void test_not_its_own(void **state) {
    // A cosignature by another key, of another note, or none at all does not count.
    struct fixture *f = *state;
    add_line(f, &f->other, NOW);
    assert_int_equal(judge(f, 200), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 200, ""), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 200, "<html>welcome</html>\n"), MLT_WITNESS_FAILED);
    assert_int_equal(mlt_cosignature_sign(&f->body, mlt_str("another\n4\nAAAA\n"), &f->witness, (uint64_t)NOW, NULL),
                     MLT_OK);
    assert_int_equal(judge(f, 200), MLT_WITNESS_FAILED);
    assert_true(f->reply.text[0] != '\0' && f->reply.line[0] == '\0');
}

static void test_clock(void **state) {
    // A time far from now, on either side, makes a cosignature worthless.
    struct fixture *f = *state;
    add_line(f, &f->witness, NOW + MLT_WITNESS_CLOCK_MAX_S);
    assert_int_equal(judge(f, 200), MLT_WITNESS_COSIGNED);
    add_line(f, &f->witness, NOW + MLT_WITNESS_CLOCK_MAX_S + 1);
    assert_int_equal(judge(f, 200), MLT_WITNESS_FAILED);
    assert_non_null(strstr(f->reply.text, "clock"));
    add_line(f, &f->witness, NOW - MLT_WITNESS_CLOCK_MAX_S - 1);
    assert_int_equal(judge(f, 200), MLT_WITNESS_FAILED);
}

static void test_conflict(void **state) {
    // 409 names a size; where it names none, or the one that was asked with, it is no answer. At the same size it means
    // another root, with or without a body.
    struct fixture *f = *state;
    assert_int_equal(judge_text(f, 409, "3\n"), MLT_WITNESS_SIZE);
    assert_int_equal(f->reply.size, 3);
    assert_int_equal(judge_text(f, 409, "18446744073709551615"), MLT_WITNESS_SIZE);
    assert_int_equal(judge_text(f, 409, "0\n"), MLT_WITNESS_SIZE);
    assert_int_equal(judge_text(f, 409, "2\n"), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 409, ""), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 409, "03\n"), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 409, "3\n\n"), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 409, "18446744073709551616\n"), MLT_WITNESS_FAILED);
    f->q.old_size = 5;
    assert_int_equal(judge_text(f, 409, "5\n"), MLT_WITNESS_FORK);
    assert_int_equal(judge_text(f, 409, ""), MLT_WITNESS_FORK);
    assert_int_equal(judge_text(f, 409, "7\n"), MLT_WITNESS_SIZE);
}

static void test_statuses(void **state) {
    // Every status of the protocol has its meaning, every other one is a failure, and text of others is made harmless.
    struct fixture *f = *state;
    assert_int_equal(judge_text(f, 400, "x"), MLT_WITNESS_REFUSED);
    assert_int_equal(judge_text(f, 403, "x"), MLT_WITNESS_REFUSED);
    assert_int_equal(judge_text(f, 404, "x"), MLT_WITNESS_REFUSED);
    assert_int_equal(judge_text(f, 422, "\x1b[31mred"), MLT_WITNESS_FORK);
    assert_null(strchr(f->reply.text, '\x1b'));
    f->q.size = f->q.old_size = 0;
    assert_int_equal(judge_text(f, 422, "an empty tree"), MLT_WITNESS_REFUSED);
    f->reply.retry_after_s = 7;
    assert_int_equal(judge_text(f, 429, ""), MLT_WITNESS_LATER);
    assert_int_equal(f->reply.retry_after_s, 7);
    assert_int_equal(judge_text(f, 503, ""), MLT_WITNESS_LATER);
    assert_int_equal(judge_text(f, 301, ""), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 500, ""), MLT_WITNESS_FAILED);
    assert_int_equal(judge_text(f, 201, ""), MLT_WITNESS_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_cosigned), TEST(test_not_its_own), TEST(test_clock),
                                       TEST(test_conflict), TEST(test_statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
