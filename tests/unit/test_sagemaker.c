// links: mlt_capture mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/sagemaker.h"

static void test_endpoint_and_variant_stand_in_the_path(void **state) {
    // The path ends in ENDPOINT/VARIANT/yyyy/mm/dd/hh/FILE; another one says nothing.
    (void)state;
    static const char *const others[] = {"",
                                         "a.jsonl",
                                         "/2026/11/23/09/a.jsonl",
                                         "v/2026/11/23/09/a.jsonl",
                                         "/v/2026/11/23/09/a.jsonl",
                                         "e/v/2026/11/23/a.jsonl",
                                         "e/v/26/11/23/09/a.jsonl",
                                         "e/v/2026/11/23/9/a.jsonl",
                                         "e/v/2026/11/23/0x/a.jsonl"};
    struct mlt_bytes endpoint;
    struct mlt_bytes variant;
    assert_true(mlt_sagemaker_place(mlt_str("s3://b/x/e-1/All/2026/11/23/09/1-2.jsonl"), &endpoint, &variant));
    assert_true(mlt_bytes_is(endpoint, "e-1") && mlt_bytes_is(variant, "All"));
    assert_true(mlt_sagemaker_place(mlt_str("e/v/2026/11/23/09/a"), &endpoint, &variant));
    assert_true(mlt_bytes_is(endpoint, "e") && mlt_bytes_is(variant, "v"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (mlt_sagemaker_place(mlt_str(others[i]), &endpoint, &variant)) {
            fail_msg("%s was taken for a place", others[i]);
        }
    }
}

static void test_lines_are_counted_as_in_the_file(void **state) {
    // Blank lines count, bad ones are rejected with their number and what they were, good ones are taken.
    (void)state;
    struct mlt_foreign msg = {
        .body = mlt_str(
            "\n{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"e\",\"inferenceTime\":\"2026-11-23T09:40:01Z\"}}"
            "\r\n[]\n{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"e\",\"inferenceTime\":\"now\"}}"),
        .content_type = "",
        .received = ""};
    struct mlt_capture out = {0};
    assert_int_equal(mlt_capture_sagemaker(&out, &msg, NULL), MLT_OK);
    assert_string_equal(mlt_buf_cstr(&out.lines),
                        "{\"kind\":\"prediction\",\"request_id\":\"e\",\"timestamp\":\"2026-11-23T09:40:01Z\"}\n");
    assert_int_equal(out.num_rejected, 2);
    assert_int_equal(out.rejected[0].item, 3);
    assert_true(mlt_bytes_is(out.rejected[0].raw, "[]"));
    assert_int_equal(out.rejected[1].item, 4);
    assert_string_equal(out.rejected[1].problem.code, "bad-time");
    mlt_capture_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint_and_variant_stand_in_the_path),
        cmocka_unit_test(test_lines_are_counted_as_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
