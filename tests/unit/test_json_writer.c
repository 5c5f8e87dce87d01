// links: mlt_record mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/json.h"

#include <cmocka.h>

static struct mlt_buf out;
static struct mlt_json_writer w;

static int set_up(void **state) {
    (void)state;
    mlt_buf_reset(&out);
    mlt_jw_init(&w, &out);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    mlt_buf_clear(&out);
    return 0;
}

static void written(const char *want) {
    assert_false(out.failed);
    assert_string_equal(mlt_buf_cstr(&out), want);
}

static void test_commas_and_colons(void **state) {
    // The writer puts commas and colons where they belong, at every depth, around empty containers too.
    (void)state;
    mlt_jw_object(&w);
    mlt_jw_member(&w, "a", "x");
    mlt_jw_name(&w, "b");
    mlt_jw_array(&w);
    mlt_jw_u64(&w, UINT64_MAX);
    mlt_jw_i64(&w, INT64_MIN);
    mlt_jw_object(&w);
    mlt_jw_end_object(&w);
    mlt_jw_array(&w);
    mlt_jw_end_array(&w);
    mlt_jw_bool(&w, true);
    mlt_jw_null(&w);
    mlt_jw_end_array(&w);
    mlt_jw_member_bool(&w, "c", false);
    mlt_jw_member(&w, "d", NULL);
    mlt_jw_member_u64(&w, "e", 0);
    mlt_jw_member_raw(&w, "f", mlt_str("{\"g\": 1.50}"));
    mlt_jw_member_bytes(&w, "h", mlt_bytes_of(NULL, 0));
    mlt_jw_end_object(&w);
    written("{\"a\":\"x\",\"b\":[18446744073709551615,-9223372036854775808,{},[],true,null],\"c\":false,\"d\":null,"
            "\"e\":0,\"f\":{\"g\": 1.50},\"h\":\"\"}");
}

static void test_escapes(void **state) {
    // Control characters (DEL too, for the sake of terminals), quotes and backslashes are escaped; everything else
    // stays itself.
    (void)state;
    mlt_jw_string(&w, mlt_bytes_of("\0\x01\b\t\n\f\r\x1F\"\\/\x7F\xC3\xA9\xF0\x9F\x98\x80", 18));
    written("\"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\\\"\\\\/\\u007f\xC3\xA9\xF0\x9F\x98\x80\"");
}

static void test_bytes_that_are_no_utf8(void **state) {
    // Each byte that belongs to no character becomes U+FFFD, so that the output is always JSON.
    (void)state;
    mlt_jw_string(&w, mlt_str("a\x80z\xC3\xED\xA0\x80\xE2\x82"));
    written("\"a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void test_names_are_escaped(void **state) {
    // A name is a string like any other.
    (void)state;
    mlt_jw_object(&w);
    mlt_jw_name_bytes(&w, mlt_str("a\"b"));
    mlt_jw_hex(&w, mlt_bytes_of("\x00\xFF", 2));
    mlt_jw_name(&w, "");
    mlt_jw_base64(&w, mlt_bytes_of("\x00\xFF", 2));
    mlt_jw_end_object(&w);
    written("{\"a\\\"b\":\"00ff\",\"\":\"AP8=\"}");
}

static void test_every_byte_reads_back(void **state) {
    // What was written scans, and every character comes back.
    (void)state;
    char all[127];
    for (int i = 0; i < 127; i++) {
        all[i] = (char)(i + 1);
    }
    mlt_jw_string(&w, mlt_bytes_of(all, sizeof(all)));
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    assert_int_equal(mlt_json_scan(&json, mlt_buf_bytes(&out), NULL), MLT_OK);
    struct mlt_bytes back = mlt_json_string(&json, 0, &arena);
    assert_int_equal(back.len, sizeof(all));
    assert_memory_equal(back.ptr, all, sizeof(all));
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
}

static void test_scanned_values(void **state) {
    // A value is written on one line, with a comma before it like any other; what is not there is null.
    (void)state;
    struct mlt_json json = {0};
    assert_int_equal(mlt_json_scan(&json, mlt_str("{ \"a\" : [ 1,\n2 ], \"b\" : \"x y\" }"), NULL), MLT_OK);
    mlt_jw_object(&w);
    mlt_jw_member_value(&w, "all", &json, 0);
    mlt_jw_member_value(&w, "b", &json, mlt_json_get(&json, 0, "b"));
    mlt_jw_member_value(&w, "none", &json, MLT_JSON_NONE);
    mlt_jw_name(&w, "list");
    mlt_jw_array(&w);
    mlt_jw_value(&w, &json, mlt_json_get(&json, 0, "a"));
    mlt_jw_value(&w, NULL, 0);
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    written("{\"all\":{\"a\":[1,2],\"b\":\"x y\"},\"b\":\"x y\",\"none\":null,\"list\":[[1,2],null]}");
    mlt_json_clear(&json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_commas_and_colons, set_up),
        cmocka_unit_test_setup(test_escapes, set_up),
        cmocka_unit_test_setup(test_bytes_that_are_no_utf8, set_up),
        cmocka_unit_test_setup(test_names_are_escaped, set_up),
        cmocka_unit_test_setup(test_every_byte_reads_back, set_up),
        cmocka_unit_test_setup(test_scanned_values, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
