// links: mlt_capture mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/bentoml.h"

#define SCHEMA "{\"meta_data\":{\"bento_name\":\"\"},\"columns\":[{\"name\":\"p\",\"role\":\"prediction\"}]}\n"
#define ROW(id, value) "{\"p\":" value ",\"f\":1,\"timestamp\":\"2026-11-23T09:40:01\",\"request_id\":\"" id "\"}\n"

static const char *take(struct mlt_capture *out, const char *body, enum mlt_status want) {
    struct mlt_foreign msg = {.body = mlt_str(body), .content_type = "", .received = ""};
    assert_int_equal(mlt_capture_bentoml(out, &msg, NULL), want);
    return out->lines.len > 0 ? mlt_buf_cstr(&out->lines) : "";
}

#define RECORD(id, row, value)                                                                                         \
    "{\"kind\":\"prediction\",\"request_id\":\"" id "\"," row                                                          \
    "\"timestamp\":\"2026-11-23T09:40:01Z\",\"feature_values\":{\"f\":1},\"prediction\":{\"p\":" value "}}\n"

static void test_rows_of_a_request(void **state) {
    // Rows that follow each other under one id are numbered; a single one is not. A column that no schema knows is
    // input.
    (void)state;
    struct mlt_capture out = {0};
    assert_string_equal(take(&out, SCHEMA ROW("a", "1") ROW("b", "2") ROW("b", "3") ROW("c", "4"), MLT_OK),
                        RECORD("a", "", "1") RECORD("b", "\"row\":0,", "2") RECORD("b", "\"row\":1,", "3")
                            RECORD("c", "", "4"));
    mlt_capture_clear(&out);
    assert_true(mlt_bentoml_belongs(mlt_str(ROW("a", "1")), mlt_str(ROW("a", "2"))));
    assert_false(mlt_bentoml_belongs(mlt_str(ROW("a", "1")), mlt_str(ROW("b", "1"))));
    assert_false(mlt_bentoml_belongs(mlt_str("x"), mlt_str("x")));
}

static void test_a_schema_comes_first(void **state) {
    // Without a schema nothing is taken, and the reason is told.
    (void)state;
    struct mlt_capture out = {0};
    assert_string_equal(take(&out, ROW("a", "1"), MLT_INVALID), "");
    assert_string_equal(out.rejected[0].problem.code, "no-schema");
    mlt_capture_clear(&out);
    assert_string_equal(take(&out, "", MLT_INVALID), "");
    mlt_capture_clear(&out);
    assert_true(mlt_bentoml_is_schema(mlt_str(SCHEMA)));
    assert_false(mlt_bentoml_is_schema(mlt_str("{\"columns\":[]}")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_a_request),
        cmocka_unit_test(test_a_schema_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
