// links: mlt_record mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/json.h"

#include <cmocka.h>

static struct mlt_json json;
static struct mlt_json other;
static struct mlt_arena arena;
static struct mlt_error err;

static int tear_down(void **state) {
    (void)state;
    mlt_json_clear(&json);
    mlt_json_clear(&other);
    mlt_json_clear(NULL);
    mlt_arena_clear(&arena);
    return 0;
}

static void scan(const char *text) {
    if (mlt_json_scan(&json, mlt_str(text), &err) != MLT_OK) {
        fail_msg("%s: %s", text, err.text);
    }
}

static void refused(struct mlt_bytes text, enum mlt_status status, const char *code, const char *pointer,
                    uint32_t offset) {
    assert_int_equal(mlt_json_scan(&json, text, &err), status);
    assert_string_equal(json.error_code, code);
    assert_string_equal(json.error_pointer, pointer);
    assert_int_equal(json.error_off, offset);
    assert_int_equal(json.num_tokens, 0);
}

static bool equal(const char *a, const char *b) {
    scan(a);
    assert_int_equal(mlt_json_scan(&other, mlt_str(b), &err), MLT_OK);
    bool one = mlt_json_equal(&json, 0, &other, 0);
    assert_int_equal(one, mlt_json_equal(&other, 0, &json, 0));
    return one;
}

static void assert_text(struct mlt_bytes got, const char *want) {
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void test_accepts_what_rfc_8259_allows(void **state) {
    // Every text of RFC 8259 within the limits is taken, white space and all.
    (void)state;
    static const char *const texts[] = {
        "null",
        " true\n",
        "\tfalse\r",
        "0",
        "-0",
        "-0.0e-0",
        "1E+2",
        "1e400",
        "\"\"",
        "\"\\u0000\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "{\"\":{\"\":[]}}",
        "[\"\\ud83d\\ude00\",\"\xF0\x9F\x98\x80\"]",
        "\"\x7F\"",
        "123456789012345678901234567890.123456789012345678901234567890",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        scan(texts[i]);
    }
}

static void test_refuses_everything_else(void **state) {
    // What RFC 8259 does not have is refused, whatever other readers make of it.
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "'a'",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\n\"",
        "\"\x1F\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:2}",
        "{\"a\" 1}",
        "{\"a\":1]",
        "[1}",
        "1 2",
        "{} {}",
        "\xEF\xBB\xBF{}",
        "// c\n1",
        "/**/1",
        "[1]\x0B",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (mlt_json_scan(&json, mlt_str(texts[i]), &err) != MLT_INVALID) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_string_equal(json.error_code, "not-json");
        assert_int_equal(json.num_tokens, 0);
    }
    assert_int_equal(mlt_json_scan(&json, mlt_bytes_of("1\0", 2), &err), MLT_INVALID);
    assert_int_equal(mlt_json_scan(&json, mlt_bytes_of(NULL, 0), &err), MLT_INVALID);
}

static void test_refuses_bytes_that_are_no_utf8(void **state) {
    // Overlong forms, surrogates, values over U+10FFFF and cut sequences are refused inside strings.
    (void)state;
    static const char *const bad[] = {
        "\"\x80\"",
        "\"\xC0\x80\"",
        "\"\xC3\"",
        "\"\xE0\x80\x80\"",
        "\"\xED\xA0\x80\"",
        "\"\xF4\x90\x80\x80\"",
        "\"\xF5\x80\x80\x80\"",
        "\"\xE2\x82",
        "\"12345678\xFF\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(mlt_json_scan(&json, mlt_str(bad[i]), &err), MLT_INVALID);
        assert_string_equal(json.error_code, "invalid-utf8");
    }
    scan("\"\xC2\x80 \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF\"");
}

static void test_refuses_duplicate_names(void **state) {
    // A name that stands twice is refused at its second place, also when only its spelling differs, at every depth.
    (void)state;
    refused(mlt_str("{\"a\":1,\"b\":2,\"a\":3}"), MLT_INVALID, "duplicate-member", "/a", 13);
    refused(mlt_str("{\"a\":1,\"\\u0061\":3}"), MLT_INVALID, "duplicate-member", "/a", 7);
    refused(mlt_str("{\"x\":[0,{\"a/b\":1,\"a\\/b\":3}]}"), MLT_INVALID, "duplicate-member", "/x/1/a~1b", 17);
    refused(mlt_str("{\"\":1,\"\":2}"), MLT_INVALID, "duplicate-member", "/", 6);
    scan("{\"a\":{\"a\":{\"a\":1}},\"A\":2,\"a \":3}");
    scan("{\"\\u0061\":1,\"\\u0062\":2}");
}

// An object of `num` members whose names `spell` writes.
static struct mlt_bytes object_of(struct mlt_buf *out, size_t num, void (*spell)(char *name, size_t cap, size_t i)) {
    mlt_buf_reset(out);
    for (size_t i = 0; i < num; i++) {
        char name[64];
        spell(name, sizeof(name), i);
        mlt_buf_printf(out, "%c\"%s\":0", i ? ',' : '{', name);
    }
    mlt_buf_put_u8(out, '}');
    return mlt_buf_bytes(out);
}
static void spell_distinct(char *name, size_t cap, size_t i) {
    snprintf(name, cap, "feature_%zu", i);
}
static void spell_escaped(char *name, size_t cap, size_t i) {
    snprintf(name, cap, "\\u0066eature_%zu", i);
}
static void spell_last_twice(char *name, size_t cap, size_t i) {
    snprintf(name, cap, "feature_%zu", i == 99 ? 42 : i);
}
// Long names that differ in the middle alone.
static void spell_long(char *name, size_t cap, size_t i) {
    snprintf(name, cap, "feature_%08zu_of_the_scoring_model", i);
}

static void test_duplicates_in_large_objects(void **state) {
    // Objects of any size are searched, by table, by pairs or by sorting, with the same answer.
    (void)state;
    struct mlt_buf text = {0};
    static const size_t sizes[] = {1, 2, 6, 7, 64, 65, 100, 1000, 60000};
    void (*const spellings[])(char *, size_t, size_t) = {spell_distinct, spell_escaped, spell_long};
    for (size_t s = 0; s < sizeof(spellings) / sizeof(spellings[0]); s++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            assert_int_equal(mlt_json_scan(&json, object_of(&text, sizes[i], spellings[s]), &err), MLT_OK);
            assert_int_equal(json.tape[0].count, sizes[i]);
        }
    }
    assert_int_equal(mlt_json_scan(&json, object_of(&text, 100, spell_last_twice), &err), MLT_INVALID);
    assert_string_equal(json.error_pointer, "/feature_42");
    mlt_buf_clear(&text);
}

static void test_depth_is_bounded(void **state) {
    // As many levels as stated are taken, one more is not.
    (void)state;
    char text[2 * MLT_JSON_DEPTH_MAX + 3];
    memset(text, '[', MLT_JSON_DEPTH_MAX);
    memset(text + MLT_JSON_DEPTH_MAX, ']', MLT_JSON_DEPTH_MAX);
    text[2 * MLT_JSON_DEPTH_MAX] = '\0';
    scan(text);
    memset(text, '[', MLT_JSON_DEPTH_MAX + 1);
    text[MLT_JSON_DEPTH_MAX + 1] = '\0';
    assert_int_equal(mlt_json_scan(&json, mlt_str(text), &err), MLT_LIMIT);
    assert_string_equal(json.error_code, "too-deep");
}

static void test_errors_say_where(void **state) {
    // A refusal points to the member or element that was being read, escaped as RFC 6901 has it.
    (void)state;
    refused(mlt_str("{\"a\":{\"b\":1},\"c\":[1,2,x]}"), MLT_INVALID, "not-json", "/c/2", 22);
    refused(mlt_str("{\"a\":{\"b\":1},\"m/n~\":x}"), MLT_INVALID, "not-json", "/m~1n~0", 20);
    refused(mlt_str("{\"a\":{\"b\":1}, x}"), MLT_INVALID, "not-json", "/a", 14);
    refused(mlt_str("nope"), MLT_INVALID, "not-json", "", 0);
    refused(mlt_str("{\"k\":\"\xFF\"}"), MLT_INVALID, "invalid-utf8", "/k", 6);
    assert_non_null(strstr(err.text, "UTF-8"));
}

static void test_long_pointers_are_cut(void **state) {
    // A pointer longer than its room is cut at a whole character.
    (void)state;
    struct mlt_buf text = {0};
    mlt_buf_put_str(&text, "{\"");
    for (int i = 0; i < 100; i++) {
        mlt_buf_put_str(&text, "\xE2\x82\xAC");
    }
    mlt_buf_put_str(&text, "\":x}");
    assert_int_equal(mlt_json_scan(&json, mlt_buf_bytes(&text), &err), MLT_INVALID);
    assert_true(mlt_utf8_valid(mlt_str(json.error_pointer)));
    assert_true(strlen(json.error_pointer) > 250);
    mlt_buf_clear(&text);
}

static void test_members_and_elements(void **state) {
    // Members are found by unescaped name, containers are walked in order, raw bytes stay as submitted.
    (void)state;
    scan("{\"a\" : [1, 2.50 ,{}], \"\\u0062\":\"x\\ny\", \"c\":{\"d\":null}}");
    mlt_json_at a = mlt_json_get(&json, 0, "a");
    assert_text(mlt_json_raw(&json, a), "[1, 2.50 ,{}]");
    mlt_json_at n = mlt_json_first(&json, a);
    assert_text(mlt_json_raw(&json, n), "1");
    n = mlt_json_next(&json, a, n);
    assert_text(mlt_json_raw(&json, n), "2.50");
    n = mlt_json_next(&json, a, n);
    assert_true(mlt_json_is(&json, n, MLT_JSON_OBJECT));
    assert_int_equal(mlt_json_next(&json, a, n), MLT_JSON_NONE);
    assert_int_equal(mlt_json_first(&json, n), MLT_JSON_NONE);
    assert_text(mlt_json_string(&json, mlt_json_get(&json, 0, "b"), &arena), "x\ny");
    mlt_json_at c = mlt_json_get_bytes(&json, 0, mlt_str("c"));
    assert_int_equal(mlt_json_type_of(&json, mlt_json_get(&json, c, "d")), MLT_JSON_NULL);
    n = mlt_json_first(&json, 0);
    assert_text(mlt_json_string(&json, n, &arena), "a");
    n = mlt_json_next(&json, 0, n);
    assert_text(mlt_json_raw(&json, n), "\"\\u0062\"");
}

static void test_absent_values_are_harmless(void **state) {
    // Every reader takes MLT_JSON_NONE and values of another type.
    (void)state;
    uint64_t whole;
    double real;
    scan("{\"a\":1}");
    assert_int_equal(mlt_json_get(&json, 0, "b"), MLT_JSON_NONE);
    assert_int_equal(mlt_json_get(&json, MLT_JSON_NONE, "a"), MLT_JSON_NONE);
    assert_int_equal(mlt_json_get(&json, 2, "a"), MLT_JSON_NONE);
    assert_int_equal(mlt_json_type_of(&json, MLT_JSON_NONE), MLT_JSON_NULL);
    assert_false(mlt_json_is(&json, MLT_JSON_NONE, MLT_JSON_NULL));
    assert_int_equal(mlt_json_raw(&json, MLT_JSON_NONE).len, 0);
    assert_int_equal(mlt_json_first(&json, MLT_JSON_NONE), MLT_JSON_NONE);
    assert_int_equal(mlt_json_first(&json, 2), MLT_JSON_NONE);
    assert_int_equal(mlt_json_next(&json, 0, MLT_JSON_NONE), MLT_JSON_NONE);
    assert_null(mlt_json_string(&json, MLT_JSON_NONE, &arena).ptr);
    assert_null(mlt_json_string(&json, 2, &arena).ptr);
    assert_false(mlt_json_u64(&json, MLT_JSON_NONE, &whole));
    assert_false(mlt_json_double(&json, 0, &real));
    assert_true(mlt_json_equal(&json, MLT_JSON_NONE, &json, MLT_JSON_NONE));
    assert_false(mlt_json_equal(&json, MLT_JSON_NONE, &json, 0));
}

static void test_strings_unescape(void **state) {
    // Every escape gives its character, pairs of surrogates give one.
    (void)state;
    scan("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"");
    assert_text(mlt_json_string(&json, 0, &arena), "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    scan("\"a\\u0000b\"");
    struct mlt_bytes text = mlt_json_string(&json, 0, &arena);
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.ptr, "a\0b", 3);
    scan("\"\"");
    text = mlt_json_string(&json, 0, &arena);
    assert_non_null(text.ptr);
    assert_int_equal(text.len, 0);
}

static void test_whole_numbers(void **state) {
    // Only non-negative integers without fraction and exponent that fit 64 bits are whole numbers.
    (void)state;
    uint64_t v;
    scan("18446744073709551615");
    assert_true(mlt_json_u64(&json, 0, &v));
    assert_true(v == UINT64_MAX);
    scan("0");
    assert_true(mlt_json_u64(&json, 0, &v));
    assert_true(v == 0);
    static const char *const no[] = {"18446744073709551616", "-1", "-0", "1.0", "1e3", "\"1\"", "null"};
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        scan(no[i]);
        assert_false(mlt_json_u64(&json, 0, &v));
    }
}

static void test_doubles(void **state) {
    // Numbers of any length read as the nearest double.
    (void)state;
    double v;
    scan(
        "[0.98,-1.5e-3,1e400,0.1000000000000000055511151231257827021181583404541015625000000000000000000000000000000]");
    mlt_json_at n = mlt_json_first(&json, 0);
    assert_true(mlt_json_double(&json, n, &v) && v == 0.98);
    n = mlt_json_next(&json, 0, n);
    assert_true(mlt_json_double(&json, n, &v) && v == -1.5e-3);
    n = mlt_json_next(&json, 0, n);
    assert_true(mlt_json_double(&json, n, &v) && v > 1e308);
    n = mlt_json_next(&json, 0, n);
    assert_true(mlt_json_double(&json, n, &v) && v == 0.1);
}

static void test_equality(void **state) {
    // Members in any order, strings by their characters, numbers by their exact decimal value.
    (void)state;
    assert_true(equal("{\"a\":1,\"b\":[true,null]}", "{ \"b\":[ true,null ], \"\\u0061\":1.0 }"));
    assert_true(equal("\"\\u00e9\"", "\"\xC3\xA9\""));
    assert_true(equal("\"\"", "\"\""));
    assert_true(equal("100", "1e2"));
    assert_true(equal("0.10", "1E-1"));
    assert_true(equal("-0", "0.000e5"));
    assert_true(equal("120.050", "12005e-2"));
    assert_true(equal("1e99999999999999999999", "1e99999999999999999999"));
    assert_false(equal("1e400", "1e401"));
    assert_false(equal("0.1", "0.10000000000000000001"));
    assert_false(equal("1", "-1"));
    assert_false(equal("12", "120"));
    assert_false(equal("1", "\"1\""));
    assert_false(equal("[1,2]", "[2,1]"));
    assert_false(equal("[1]", "[1,1]"));
    assert_false(equal("{\"a\":1}", "{\"b\":1}"));
    assert_false(equal("{\"a\":1}", "{\"a\":1,\"b\":1}"));
    assert_false(equal("true", "false"));
}

static void test_minify(void **state) {
    // White space between tokens goes, everything else stays as it was written.
    (void)state;
    struct mlt_buf out = {0};
    scan(" { \"a b\" : [ 1.50 , \"x \\u0041\" , { } , [ ] ] ,\n\"c\":{\"d\": 1} } ");
    mlt_json_minify(&json, 0, &out);
    assert_text(mlt_buf_bytes(&out), "{\"a b\":[1.50,\"x \\u0041\",{},[]],\"c\":{\"d\":1}}");
    mlt_buf_reset(&out);
    mlt_json_minify(&json, MLT_JSON_NONE, &out);
    assert_int_equal(out.len, 0);
    mlt_json_minify(&json, mlt_json_get(&json, 0, "c"), &out);
    assert_text(mlt_buf_bytes(&out), "{\"d\":1}");
    mlt_buf_clear(&out);
}

static void test_reuse(void **state) {
    // A document that was refused leaves nothing behind for the next one.
    (void)state;
    refused(mlt_str("[[[["), MLT_INVALID, "not-json", "/0/0/0/0", 4);
    scan("[7]");
    assert_int_equal(json.num_tokens, 2);
    assert_string_equal(json.error_code, "");
    assert_string_equal(json.error_pointer, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_what_rfc_8259_allows),
        cmocka_unit_test(test_refuses_everything_else),
        cmocka_unit_test(test_refuses_bytes_that_are_no_utf8),
        cmocka_unit_test(test_refuses_duplicate_names),
        cmocka_unit_test(test_duplicates_in_large_objects),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_long_pointers_are_cut),
        cmocka_unit_test(test_members_and_elements),
        cmocka_unit_test(test_absent_values_are_harmless),
        cmocka_unit_test(test_strings_unescape),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_minify),
        cmocka_unit_test(test_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
