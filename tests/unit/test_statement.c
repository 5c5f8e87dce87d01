// links: mlt_record mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/statement.h"

#include <cmocka.h>

#define RECORD                                                                                                         \
    "{\"kind\":\"approval\",\"evidence\":[ {\"type\":\"training.run\" , \"id\":\"job-1\"} "                            \
    "],\"model\":\"cr\\u0065dit\","                                                                                    \
    "\"model_version\":\"7\",\"approval_reference\":\"CAB-7\",\"verdict\":\"approved\",\"approver\":\"erin\","         \
    "\"timestamp\":\"2026-01-05T00:00:00Z\",\"reason\":\"line one\\nverdict: \\\"rejected\\\"\",\"role\":null,"        \
    "\"conditions\":[\"only \\u00e9t\\u00e9\"],\"event_id\":\"e-1\",\"other\":1}"
#define STATEMENT                                                                                                      \
    "mltrail approval v1\norigin: \"example.com/t\"\napproval_reference: \"CAB-7\"\nmodel: \"credit\"\n"               \
    "model_version: \"7\"\nverdict: \"approved\"\napprover: \"erin\"\ntimestamp: \"2026-01-05T00:00:00Z\"\n"           \
    "reason: \"line one\\nverdict: \\\"rejected\\\"\"\nconditions: [\"only \\u00e9t\\u00e9\"]\n"                       \
    "evidence: [{\"type\":\"training.run\",\"id\":\"job-1\"}]\n"

static struct mlt_arena arena;
static struct mlt_error err;

static void test_write(void **state) {
    // One line a member, in a fixed order, strings in one spelling; nothing in a value can make up a line.
    (void)state;
    struct mlt_json json = {0};
    struct mlt_buf out = {0};
    assert_int_equal(mlt_json_scan(&json, mlt_str(RECORD), &err), MLT_OK);
    assert_int_equal(mlt_statement_write(&out, mlt_str("example.com/t"), &json, 0, &err), MLT_OK);
    assert_string_equal(mlt_buf_cstr(&out), STATEMENT);
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
}

static enum mlt_status reads(const char *text) {
    struct mlt_statement s;
    enum mlt_status status = mlt_statement_read(&s, mlt_str(text), &arena, &err);
    mlt_statement_clear(&s);
    mlt_arena_clear(&arena);
    return status;
}

static void test_agrees(void **state) {
    // What is read agrees with the record that it was written from, by value, and with no other.
    (void)state;
    struct mlt_json json = {0}, other = {0};
    struct mlt_statement s;
    assert_int_equal(mlt_json_scan(&json, mlt_str(RECORD), &err), MLT_OK);
    assert_int_equal(mlt_statement_read(&s, mlt_str(STATEMENT), &arena, &err), MLT_OK);
    assert_true(mlt_bytes_is(s.origin, "example.com/t"));
    for (size_t i = 1; i < MLT_STATEMENT_MEMBERS; i++) {
        assert_true(mlt_statement_agrees(&s, i, &json, mlt_json_get(&json, 0, mlt_statement_names[i])));
    }
    assert_int_equal(mlt_json_scan(&other, mlt_str("{\"a\":\"x\",\"b\":null}"), &err), MLT_OK);
    for (size_t i = 1; i < MLT_STATEMENT_MEMBERS; i++) {
        bool there = s.values[i].num_tokens > 0;
        assert_false(mlt_statement_agrees(&s, i, &other, mlt_json_get(&other, 0, "a")));
        assert_int_equal(mlt_statement_agrees(&s, i, &other, mlt_json_get(&other, 0, "b")), !there);
        assert_int_equal(mlt_statement_agrees(&s, i, NULL, MLT_JSON_NONE), !there);
    }
    mlt_statement_clear(&s);
    mlt_json_clear(&json);
    mlt_json_clear(&other);
    mlt_arena_clear(&arena);
}

// The statement with one text replaced.
static void refuses_with(const char *old, const char *new) {
    static char text[2048];
    const char *at = strstr(STATEMENT, old);
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - STATEMENT), STATEMENT, new, at + strlen(old));
    if (reads(text) != MLT_INVALID || err.text[0] == '\0') {
        fail_msg("taken: %s", text);
    }
}

static void test_refuses(void **state) {
    // Whatever mlt_statement_write would not have written is no statement.
    (void)state;
    assert_int_equal(reads(STATEMENT), MLT_OK);
    assert_int_equal(reads(""), MLT_INVALID);
    assert_int_equal(reads("mltrail approval v1\n"), MLT_INVALID);
    refuses_with("approval v1", "approval v2");
    refuses_with("origin: \"example.com/t\"\n", "");
    refuses_with("verdict: \"approved\"\n", "");
    refuses_with("verdict: \"approved\"", "verdict: null");
    refuses_with("verdict: \"approved\"", "verdict: 7");
    refuses_with("verdict: \"approved\"", "verdict:  \"approved\"");
    refuses_with("verdict: \"approved\"", "verdict: \"approved\" ");
    refuses_with("verdict: \"approved\"\n", "verdict: \"approved\"\r\n");
    refuses_with("verdict: \"approved\"\n", "verdict: \"approved\"\nverdict: \"approved\"\n");
    refuses_with("verdict: \"approved\"\n", "verdict: \"approved\"\nnote: 1\n");
    refuses_with("verdict: \"approved\"\n", "verdict: \"approved\"\n\n");
    refuses_with("verdict: \"approved\"\napprover: \"erin\"", "approver: \"erin\"\nverdict: \"approved\"");
    refuses_with("verdict: \"approved\"", "verdict: \"\\u0061pproved\"");
    refuses_with("verdict: \"approved\"", "verdict: \"appr\noved\"");
    refuses_with("\"type\":\"training.run\",", "\"type\": \"training.run\",");
    refuses_with("conditions: [\"only \\u00e9t\\u00e9\"]", "conditions: null");
    refuses_with("job-1\"}]\n", "job-1\"}]");
    refuses_with("job-1\"}]\n", "job-1\"}]\nevidence");
    refuses_with("job-1\"}]\n", "job-1\"}]\nfurther: 1\n");
    refuses_with("job-1", "job-\xff");
}

static void test_needs(void **state) {
    // A record that lacks what an approval must have gets no statement, nor does one that is too long.
    (void)state;
    static const char *const records[] = {
        "{}", "{\"approval_reference\":\"a\",\"model\":\"b\",\"model_version\":7,\"verdict\":\"approved\"}"};
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct mlt_json json = {0};
        struct mlt_buf out = {0};
        assert_int_equal(mlt_json_scan(&json, mlt_str(records[i]), &err), MLT_OK);
        assert_int_equal(mlt_statement_write(&out, mlt_str("o"), &json, 0, &err), MLT_INVALID);
        mlt_json_clear(&json);
        mlt_buf_clear(&out);
    }
    struct mlt_buf record = {0}, out = {0};
    struct mlt_json json = {0};
    mlt_buf_put_str(&record, "{\"approval_reference\":\"a\",\"model\":\"b\",\"model_version\":\"7\",\"verdict\":"
                             "\"approved\",\"approver\":\"e\",\"timestamp\":\"t\",\"reason\":\"");
    for (size_t i = 0; i < MLT_STATEMENT_MAX; i++) {
        mlt_buf_put_u8(&record, 'r');
    }
    mlt_buf_put_str(&record, "\"}");
    assert_int_equal(mlt_json_scan(&json, mlt_buf_bytes(&record), &err), MLT_OK);
    assert_int_equal(mlt_statement_write(&out, mlt_str("o"), &json, 0, &err), MLT_LIMIT);
    assert_int_equal(reads(mlt_buf_cstr(&out)), MLT_INVALID);
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    mlt_buf_clear(&record);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write), cmocka_unit_test(test_agrees),
                                       cmocka_unit_test(test_refuses), cmocka_unit_test(test_needs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
