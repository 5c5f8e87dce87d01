// links: mlt_capture mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/kserve.h"
#include "crypto/sha256.h"
#include "lib/headers.h"

#include <cmocka.h>

#define REQUEST "org.kubeflow.serving.inference.request"
#define RESPONSE "org.kubeflow.serving.inference.response"

// The headers of an event; a case adds to them.
static struct named headers[24 + 1];
static size_t num_headers;
static struct mlt_capture capture;
static struct mlt_json line;
static size_t line_end;

static const char *header_of(void *arg, const char *name) {
    (void)arg;
    return headers_find(headers, name);
}

static void put(const char *name, const char *value) {
    for (size_t i = 0; i < num_headers; i++) {
        if (strcmp(headers[i].name, name) == 0) {
            headers[i].value = value;
            return;
        }
    }
    headers[num_headers++] = (struct named){name, value};
    headers[num_headers].name = NULL;
}

static int set_up(void **state) {
    (void)state;
    num_headers = 0;
    put("ce-specversion", "1.0");
    put("ce-id", "c-1");
    put("ce-source", "credit-predictor-0");
    put("ce-type", REQUEST);
    put("ce-time", "2026-01-07T00:00:01Z");
    put("ce-inferenceservicename", "credit");
    put("ce-namespace", "bank");
    put("ce-component", "predictor");
    put("ce-endpoint", "default");
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    mlt_json_clear(&line);
    mlt_capture_clear(&capture);
    return 0;
}

static void take_bytes(struct mlt_bytes body) {
    struct mlt_error err = {0};
    const struct mlt_foreign msg = {.body = body,
                                    .content_type = "application/json",
                                    .header = header_of,
                                    .address = "",
                                    .received = "2026-01-07T00:00:10Z"};
    mlt_capture_clear(&capture);
    line_end = 0;
    if (mlt_capture_cloudevents(&capture, &msg, &err) != MLT_OK) {
        fail_msg("%s", capture.num_rejected > 0 ? capture.rejected[0].problem.detail : err.text);
    }
    assert_int_equal(capture.num_rejected, 0);
}
static void take(const char *body) {
    take_bytes(mlt_str(body));
}

// Steps to the next record.
static void next(void) {
    const uint8_t *begin = capture.lines.data + line_end;
    const uint8_t *end = memchr(begin, '\n', capture.lines.len - line_end);
    assert_non_null(end);
    line_end = (size_t)(end - capture.lines.data) + 1;
    assert_int_equal(mlt_json_scan(&line, mlt_bytes_of(begin, (size_t)(end - begin)), NULL), MLT_OK);
}

static void has(const char *member, const char *want) {
    const mlt_json_at at = mlt_json_get(&line, 0, member);
    if (want == NULL ? at != MLT_JSON_NONE : !mlt_bytes_is(mlt_json_raw(&line, at), want)) {
        fail_msg("%s is %.*s, not %s", member, MLT_ARG(mlt_json_raw(&line, at)), want != NULL ? want : "absent");
    }
}

static void test_v1_request(void **state) {
    // A V1 request of one instance is one record without a row, with everything that the event says.
    (void)state;
    put("ce-metadata", "{%22X-Request-Id%22:[%22x-1%22],%22Authorization%22:[%22Bearer secret%22]}");
    take("{\"instances\": [[1, 2.50]]}");
    assert_int_equal(capture.num_records, 1);
    next();
    has("kind", "\"prediction\"");
    has("request_id", "\"c-1\"");
    has("event_id", NULL);
    has("timestamp", "\"2026-01-07T00:00:01Z\"");
    has("half", "\"request\"");
    has("row", NULL);
    has("model", NULL);
    has("serving_node", "\"credit-predictor-0\"");
    has("deployment", "{\"endpoint\":\"bank/credit\",\"variant\":\"champion\"}");
    has("feature_values", "[1,2.50]");
    has("prediction", NULL);
    has("caller", "{\"X-Request-Id\":[\"x-1\"]}");
    has("message_digest", "\"sha256:fa7ac77218c10e868708d8ce13fdb089d7518ffbb17525800e7b9d514011248a\"");
}

static void test_v1_rows(void **state) {
    // A batch is a record for each row, in both halves.
    (void)state;
    take("{\"instances\":[[1],[2],{\"a\":3}]}");
    assert_int_equal(capture.num_records, 3);
    next();
    has("row", "0");
    has("feature_values", "[1]");
    next();
    next();
    has("row", "2");
    has("feature_values", "{\"a\":3}");
    put("ce-type", RESPONSE);
    take("{\"predictions\":[0.1,0.2,0.3]}");
    assert_int_equal(capture.num_records, 3);
    next();
    next();
    has("half", "\"response\"");
    has("row", "1");
    has("prediction", "0.2");
    has("feature_values", NULL);
}

#define T(name, shape, type, data)                                                                                     \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" type "\",\"data\":" data "}"

static void test_v2_rows(void **state) {
    // Tensors that agree in their first dimension are split by it, flat or nested, by their names.
    (void)state;
    take("{\"id\":\"q-7\",\"parameters\":{\"p\":1},\"inputs\":[" T("x", "[2,3]", "FP32", "[1,2,3,4,5,6]") "," T(
        "y", "[2,2]", "INT64", "[[7,8],[9,10]]") "," T("z", "[2]", "BYTES", "[\"a\",\"b\"]") "]}");
    assert_int_equal(capture.num_records, 2);
    next();
    has("request_id", "\"q-7\"");
    has("event_id", "\"c-1\"");
    has("row", "0");
    has("feature_values", "{\"x\":[1,2,3],\"y\":[7,8],\"z\":\"a\"}");
    has("parameters", "{\"p\":1}");
    next();
    has("row", "1");
    has("feature_values", "{\"x\":[4,5,6],\"y\":[9,10],\"z\":\"b\"}");
}

static void test_v2_response(void **state) {
    // A V2 response names its model; a null version is none.
    (void)state;
    put("ce-type", RESPONSE);
    take("{\"model_name\":\"credit\",\"model_version\":\"3\",\"id\":\"c-1\",\"outputs\":[" T("p", "[1]", "FP64",
                                                                                             "[0.5]") "]}");
    next();
    has("request_id", "\"c-1\"");
    has("event_id", NULL);
    has("model", "\"credit\"");
    has("model_version", "\"3\"");
    has("prediction", "{\"p\":0.5}");
    has("row", NULL);
    take("{\"model_name\":\"credit\",\"model_version\":null,\"outputs\":[" T("p", "[1,1]", "FP64", "[0.5]") "]}");
    next();
    has("model_version", NULL);
    has("prediction", "{\"p\":[0.5]}");
}

static void test_v2_that_cannot_be_split(void **state) {
    // Tensors that do not agree, do not have the values that their shape says, or share a name stay as they are.
    static const char *const inputs[] = {
        "[" T("x", "[2]", "FP32", "[1,2]") "," T("y", "[3]", "FP32", "[1,2,3]") "]",
        "[" T("x", "[2,2]", "FP32", "[1,2,3]") "]",
        "[" T("x", "[2]", "FP32", "[1,2]") "," T("x", "[2]", "FP32", "[3,4]") "]",
        "[" T("x", "[0]", "FP32", "[]") "]",
        "[" T("x", "[]", "FP32", "[1]") "]",
        "[" T("x", "[-1]", "FP32", "[1]") "]",
        "[" T("x", "[4294967296,4294967296,4294967296]", "FP32", "[1]") "]",
        "[" T("x", "[2,0]", "FP32", "[1,2]") "]",
        "[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"FP32\"}]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        char body[512];
        snprintf(body, sizeof(body), "{\"id\":\"q\",\"inputs\":%s}", inputs[i]);
        take(body);
        assert_int_equal(capture.num_records, 1);
        next();
        has("request_id", "\"q\"");
        has("row", NULL);
        has("feature_values", inputs[i]);
    }
}

static void test_binary_tensors(void **state) {
    // Triton's binary tensors: the JSON in front is read, by its length or by itself, each tensor behind it hashed.
    static const char head[] =
        "{\"id\":\"q-1\",\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"INT16\",\"parameters\":"
        "{\"binary_data_size\":4}}]}";
    char body[256], digest[65], want[512];
    uint8_t hash[MLT_HASH_LEN];
    const size_t len = sizeof(head) - 1;
    memcpy(body, head, len);
    memcpy(body + len, "\x01\x00\xFF\x7F", 4);
    mlt_sha256_one(hash, mlt_bytes_of(body + len, 4));
    mlt_hex_encode(digest, mlt_bytes_of(hash, sizeof(hash)));
    snprintf(
        want, sizeof(want),
        "{\"tensors\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"INT16\",\"parameters\":{\"binary_data_size\":4}}]"
        ",\"binary\":[{\"name\":\"x\",\"size\":4,\"digest\":\"sha256:%s\"}],\"size\":4,\"digest\":\"sha256:%s\"}",
        digest, digest);
    (void)state;
    for (int with_header = 0; with_header < 2; with_header++) {
        char length[16];
        snprintf(length, sizeof(length), "%zu", len);
        if (with_header) {
            put("Inference-Header-Content-Length", length);
        }
        take_bytes(mlt_bytes_of(body, len + 4));
        assert_int_equal(capture.num_records, 1);
        next();
        has("request_id", "\"q-1\"");
        has("feature_values", want);
    }
}

static void test_other_bodies(void **state) {
    // JSON of another protocol stays whole, other bytes become base64, and nothing is nothing.
    (void)state;
    take("{\"messages\":[{\"role\":\"user\"}]}");
    next();
    has("feature_values", "{\"messages\":[{\"role\":\"user\"}]}");
    take_bytes(mlt_bytes_of("\x00\x01{", 3));
    next();
    has("feature_values", "{\"content_type\":\"application/json\",\"base64\":\"AAF7\"}");
    take("{\"a\":1} trailing");
    next();
    has("feature_values", "{\"content_type\":\"application/json\",\"base64\":\"eyJhIjoxfSB0cmFpbGluZw==\"}");
    take("");
    assert_int_equal(capture.num_records, 1);
    next();
    has("feature_values", NULL);
    take("{\"instances\":[]}");
    next();
    has("feature_values", "{\"instances\":[]}");
}

static void test_who_answered(void **state) {
    // A source that is a URL is no node; labels say which part an endpoint plays, or nothing; components are told
    // apart.
    (void)state;
    put("ce-source", "http://localhost:9081/");
    put("ce-endpoint", "canary");
    put("ce-component", "transformer");
    put("ce-annotations",
        "{\"mltrail/environment\":\"prod\",\"mltrail/model\":\"credit-risk\",\"mltrail/model-version\":"
        "\"7\",\"mltrail/model-artifact-hash\":\"sha256:00\"}");
    take("{\"instances\":[1]}");
    next();
    has("serving_node", NULL);
    has("deployment", "{\"environment\":\"prod\",\"endpoint\":\"bank/credit\",\"variant\":\"canary\",\"component\":"
                      "\"transformer\"}");
    has("model", "\"credit-risk\"");
    has("model_version", "\"7\"");
    has("model_artifact_hash", "\"sha256:00\"");
    put("ce-endpoint", "blue");
    put("ce-metadata", "{\"X-Envoy-Original-Path\":[\"/v2/models/m-1/versions/4/infer\"]}");
    put("ce-annotations", "{}");
    take("{\"instances\":[1]}");
    next();
    has("deployment", "{\"endpoint\":\"bank/credit\",\"label\":\"blue\",\"component\":\"transformer\"}");
    has("model", "\"m-1\"");
    has("model_version", "\"4\"");
}

static void test_status(void **state) {
    // The status of the response, where the logger passes it on.
    (void)state;
    put("ce-type", RESPONSE);
    put("ce-statuscode", "500");
    take("{\"error\":\"boom\"}");
    next();
    has("status", "\"error\"");
    has("prediction", "{\"error\":\"boom\"}");
}

static void test_seldon(void **state) {
    // Seldon's events have an id each and are paired by requestid; its own bodies are split by rows.
    (void)state;
    put("ce-type", "io.seldon.serving.inference.request");
    put("ce-requestid", "puid-1");
    put("ce-modelid", "classifier");
    put("ce-source", "http://:8000/");
    put("ce-endpoint", "main");
    take("{\"data\":{\"names\":[\"a\"],\"ndarray\":[[1],[2]]}}");
    assert_int_equal(capture.num_records, 2);
    next();
    has("request_id", "\"puid-1\"");
    has("feature_values", "[1]");
    has("deployment", "{\"endpoint\":\"bank/credit\",\"label\":\"main\",\"component\":\"classifier\"}");
    put("ce-type", "io.seldon.serving.inference.response");
    put("ce-id", "c-2");
    take("{\"data\":{\"names\":[\"p\"],\"ndarray\":[[0.1],[0.2]]}}");
    next();
    has("request_id", "\"puid-1\"");
    has("prediction", "[0.1]");
    put("ce-type", "io.seldon.serving.feedback");
    take("{}");
    next();
    has("kind", "\"capture\"");
}

static void test_too_many_rows(void **state) {
    // A batch of more rows than a dossier has stays in one piece.
    struct mlt_buf body = {0};
    (void)state;
    mlt_buf_put_str(&body, "{\"instances\":[0");
    for (size_t i = 0; i < MLT_KSERVE_ROWS_MAX; i++) {
        mlt_buf_put_str(&body, ",0");
    }
    mlt_buf_put_str(&body, "]}");
    take_bytes(mlt_buf_bytes(&body));
    assert_int_equal(capture.num_records, 1);
    next();
    has("row", NULL);
    mlt_buf_clear(&body);
}

static void test_rows_that_repeat_too_much(void **state) {
    // Many rows and long headers stay in one piece, which keeps both; rows that are long themselves are split.
    struct mlt_buf header = {0}, body = {0};
    (void)state;
    mlt_buf_put_str(&header, "{\"X-Long\":[\"");
    for (size_t i = 0; i < 100000; i++) {
        mlt_buf_put_u8(&header, 'x');
    }
    mlt_buf_put_str(&header, "\"]}");
    put("ce-metadata", mlt_buf_cstr(&header));
    mlt_buf_put_str(&body, "{\"instances\":[0");
    for (size_t i = 1; i < MLT_KSERVE_ROWS_MAX; i++) {
        mlt_buf_put_str(&body, ",0");
    }
    mlt_buf_put_str(&body, "]}");
    take_bytes(mlt_buf_bytes(&body));
    assert_int_equal(capture.num_records, 1);
    next();
    has("row", NULL);
    assert_int_equal(line.tape[mlt_json_get(&line, mlt_json_get(&line, 0, "feature_values"), "instances")].count,
                     MLT_KSERVE_ROWS_MAX);
    assert_int_not_equal(mlt_json_get(&line, mlt_json_get(&line, 0, "caller"), "X-Long"), MLT_JSON_NONE);
    put("ce-metadata", "{}");
    mlt_buf_reset(&body);
    mlt_buf_put_str(&body, "{\"instances\":[0");
    for (size_t i = 0; i < 9; i++) {
        mlt_buf_put_str(&body, ",\"");
        for (size_t n = 0; n < MLT_KSERVE_KEPT_MAX - 2; n++) {
            mlt_buf_put_u8(&body, 'y');
        }
        mlt_buf_put_str(&body, "\"");
    }
    mlt_buf_put_str(&body, "]}");
    assert_true(body.len > MLT_KSERVE_REPEATED_MAX);
    take_bytes(mlt_buf_bytes(&body));
    assert_int_equal(capture.num_records, 10);
    mlt_buf_clear(&body);
    mlt_buf_clear(&header);
}

static void test_a_batch_that_becomes_too_much(void **state) {
    // A few bytes of a batch can be a record each: beyond what a message may make it is to be sent in parts.
    struct mlt_buf body = {0};
    struct mlt_error err = {0};
    (void)state;
    for (size_t i = 0; i <= MLT_CAPTURE_RECORDS_MAX / MLT_KSERVE_ROWS_MAX; i++) {
        mlt_buf_printf(&body,
                       "%c{\"specversion\":\"1.0\",\"id\":\"%zu\",\"source\":\"s\",\"type\":\"" REQUEST
                       "\",\"data\":{\"instances\":[0",
                       i == 0 ? '[' : ',', i);
        for (size_t row = 1; row < MLT_KSERVE_ROWS_MAX; row++) {
            mlt_buf_put_str(&body, ",0");
        }
        mlt_buf_put_str(&body, "]}}");
    }
    mlt_buf_put_str(&body, "]");
    const struct mlt_foreign msg = {.body = mlt_buf_bytes(&body),
                                    .content_type = "application/cloudevents-batch+json",
                                    .address = "",
                                    .received = "2026-01-07T00:00:10Z"};
    mlt_capture_clear(&capture);
    assert_int_equal(mlt_capture_cloudevents(&capture, &msg, &err), MLT_LIMIT);
    assert_non_null(strstr(err.text, "send it in parts"));
    assert_true(capture.lines.len < 2 * MLT_CAPTURE_LINES_MAX);
    mlt_buf_clear(&body);
}

static void test_too_long_a_value(void **state) {
    // Of a value that no payload holds its size and digest are kept.
    struct mlt_buf body = {0};
    (void)state;
    for (size_t i = 0; i <= MLT_KSERVE_KEPT_MAX; i++) {
        mlt_buf_put_u8(&body, 'x');
    }
    take_bytes(mlt_buf_bytes(&body));
    assert_true(capture.lines.len < 1000);
    next();
    assert_int_not_equal(mlt_json_get(&line, mlt_json_get(&line, 0, "feature_values"), "digest"), MLT_JSON_NONE);
    mlt_buf_clear(&body);
}

int main(void) {
#define C(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        C(test_v1_request),
        C(test_v1_rows),
        C(test_v2_rows),
        C(test_v2_response),
        C(test_v2_that_cannot_be_split),
        C(test_binary_tensors),
        C(test_other_bodies),
        C(test_who_answered),
        C(test_status),
        C(test_seldon),
        C(test_too_many_rows),
        C(test_rows_that_repeat_too_much),
        C(test_a_batch_that_becomes_too_much),
        C(test_too_long_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
