// links: mlt_capture mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/otlp.h"
#include "capture/protobuf.h"

static enum mlt_status take(struct mlt_capture *out, struct mlt_bytes body, const char *type) {
    struct mlt_foreign msg = {
        .body = body, .content_type = type, .address = "", .received = "2026-11-23T09:40:01.000000000Z"};
    struct mlt_error err = {0};
    return mlt_capture_otlp_traces(out, &msg, &err);
}

#define SPAN(members)                                                                                                  \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}}]},"  \
    "\"scopeSpans\":[{\"spans\":[{" members "}]}]}]}"
#define MODEL "{\"key\":\"gen_ai.request.model\",\"value\":{\"stringValue\":\"m\"}}"

static void expect(const char *message, const char *want) {
    struct mlt_capture out = {0};
    assert_int_equal(take(&out, mlt_str(message), "application/json; charset=utf-8"), MLT_OK);
    assert_string_equal(mlt_buf_cstr(&out.lines), want);
    mlt_capture_clear(&out);
}

static void test_a_span(void **state) {
    // What a span does not say is left out; without a time, it is when it came.
    (void)state;
    expect(SPAN("\"spanId\":\"aa\",\"attributes\":[" MODEL "]"),
           "{\"kind\":\"prediction\",\"request_id\":\"aa\",\"timestamp\":\"2026-11-23T09:40:01.000000000Z\",\"model\":"
           "\"m\","
           "\"serving_node\":\"h\",\"status\":\"ok\",\"span\":{\"spanId\":\"aa\",\"gen_ai.request.model\":\"m\"}}\n");
    expect(SPAN("\"spanId\":\"aa\",\"startTimeUnixNano\":\"1000000000\",\"endTimeUnixNano\":1002500000,\"attributes\":"
                "[" MODEL ",{\"key\":\"gen_ai.prompt\",\"value\":{\"stringValue\":\"{ not json\"}},"
                "{\"key\":\"gen_ai.n\",\"value\":{\"intValue\":\"-7\"}},{\"key\":\"gen_ai.n\",\"value\":{\"intValue\":"
                "\"8\"}}]"),
           "{\"kind\":\"prediction\",\"request_id\":\"aa\",\"timestamp\":\"1970-01-01T00:00:01.000000000Z\",\"model\":"
           "\"m\","
           "\"serving_node\":\"h\",\"status\":\"ok\",\"latency_ms\":2.500000,\"feature_values\":{\"messages\":\"{ not "
           "json\"},"
           "\"span\":{\"spanId\":\"aa\",\"gen_ai.request.model\":\"m\",\"gen_ai.n\":-7}}\n");
}

static void test_a_record_is_one_line(void **state) {
    // White space of the message stays behind, also that of JSON within its strings.
    (void)state;
    expect(SPAN("\"spanId\":\"aa\",\n\"attributes\": [\n" MODEL
                ",{\"key\":\"gen_ai.prompt\",\"value\":{\"stringValue\":\"[1,\\n {}]\"}},"
                "{\"key\":\"gen_ai.n\",\"value\":{\"stringValue\":{\n\"a\":\n1}}}]"),
           "{\"kind\":\"prediction\",\"request_id\":\"aa\",\"timestamp\":\"2026-11-23T09:40:01.000000000Z\",\"model\":"
           "\"m\","
           "\"serving_node\":\"h\",\"status\":\"ok\",\"feature_values\":{\"messages\":[1,{}]},"
           "\"span\":{\"spanId\":\"aa\",\"gen_ai.request.model\":\"m\",\"gen_ai.n\":{\"a\":1}}}\n");
}

static void test_what_is_not_kept(void **state) {
    // Spans without a model are counted; a call that nothing identifies is rejected, with what it was.
    (void)state;
    struct mlt_capture out = {0};
    assert_int_equal(take(&out, mlt_str(SPAN("\"spanId\":\"aa\"")), "application/json"), MLT_OK);
    assert_true(out.num_ignored == 1 && out.num_records == 0 && out.num_rejected == 0);
    assert_int_equal(take(&out, mlt_str(SPAN("\"attributes\":[" MODEL "]")), "application/json"), MLT_OK);
    assert_int_equal(out.num_rejected, 1);
    assert_true(mlt_bytes_is(out.rejected[0].raw, "{\"attributes\":[" MODEL "]}"));
    assert_string_equal(out.rejected[0].problem.code, "missing-member");
    mlt_capture_clear(&out);
    assert_int_equal(take(&out, mlt_str("[]"), "application/json"), MLT_INVALID);
    assert_string_equal(out.rejected[0].problem.code, "not-json");
    mlt_capture_clear(&out);
}

// A value within `depth` arrays, as an attribute of a span.
static void nested(struct mlt_buf *out, int depth) {
    static const uint32_t around[] = {1 /* values */, 5 /* arrayValue */};
    struct mlt_buf inner = {0};
    for (int i = 0; i < 2 * depth; i++) {
        struct mlt_buf outer = {0};
        mlt_pb_put_bytes(&outer, around[i % 2], mlt_buf_bytes(&inner));
        mlt_buf_clear(&inner);
        inner = outer;
    }
    static const uint32_t path[] = {2 /* value */, 9 /* attributes */, 2 /* spans */, 2 /* scopeSpans */, 1};
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++) {
        struct mlt_buf outer = {0};
        mlt_pb_put_bytes(&outer, path[i], mlt_buf_bytes(&inner));
        mlt_buf_clear(&inner);
        inner = outer;
    }
    *out = inner;
}

static void test_depth_is_bounded(void **state) {
    // Values nest as deep as JSON may; a deeper one is refused as such, however deep it is.
    (void)state;
    static const struct {
        int depth;
        enum mlt_status want;
    } cases[] = {{0, MLT_OK}, {12, MLT_OK}, {16, MLT_OK}, {17, MLT_LIMIT}, {3000, MLT_LIMIT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mlt_buf body;
        struct mlt_capture out = {0};
        nested(&body, cases[i].depth);
        assert_int_equal(take(&out, mlt_buf_bytes(&body), "application/x-protobuf"), cases[i].want);
        mlt_capture_clear(&out);
        mlt_buf_clear(&body);
    }
}

static void test_every_cut_is_seen(void **state) {
    // A message that ends in its midst is malformed, wherever that is; whole fields less are a message, too.
    (void)state;
    struct mlt_buf body;
    nested(&body, 3);
    for (size_t len = 1; len < body.len; len++) {
        struct mlt_capture out = {0};
        assert_int_equal(take(&out, mlt_bytes_of(body.data, len), "application/x-protobuf"), MLT_INVALID);
        assert_string_equal(out.rejected[0].problem.code, "not-protobuf");
        mlt_capture_clear(&out);
    }
    mlt_buf_clear(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_span),
        cmocka_unit_test(test_a_record_is_one_line),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_every_cut_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
