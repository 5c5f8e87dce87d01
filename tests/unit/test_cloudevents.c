// links: mlt_capture mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/cloudevents.h"
#include "lib/headers.h"

#include <cmocka.h>

#define RECEIVED "2026-01-07T00:00:10Z"
#define NAMES                                                                                                          \
    {"ce-id", "e-1"}, {"ce-source", "/s"}, {"ce-specversion", "1.0"}, {                                                \
        "ce-type", "com.example.done"                                                                                  \
    }

static struct mlt_capture capture;
static const struct named *sent;

static const char *header_of(void *arg, const char *name) {
    (void)arg;
    return headers_find(sent, name);
}

static void each_header(void *arg, mlt_header_take *take, void *take_arg) {
    (void)arg;
    for (const struct named *n = sent; n->name != NULL; n++) {
        take(take_arg, n->name, n->value);
    }
}

static int tear_down(void **state) {
    (void)state;
    mlt_capture_clear(&capture);
    return 0;
}

static enum mlt_status take(const struct named *headers, const char *content_type, const char *body) {
    struct mlt_error err = {0};
    static const struct named none[] = {{NULL, NULL}};
    const struct mlt_foreign msg = {.body = mlt_str(body),
                                    .content_type = content_type,
                                    .header = header_of,
                                    .each_header = each_header,
                                    .address = "",
                                    .received = RECEIVED};
    sent = headers != NULL ? headers : none;
    mlt_capture_clear(&capture);
    return mlt_capture_cloudevents(&capture, &msg, &err);
}

static const char *written(void) {
    assert_false(capture.lines.failed);
    return mlt_buf_cstr(&capture.lines);
}

static void refused(const char *code, const char *pointer) {
    assert_int_equal(capture.num_records, 0);
    assert_int_equal(capture.num_rejected, 1);
    assert_string_equal(capture.rejected[0].problem.code, code);
    assert_string_equal(capture.rejected[0].problem.pointer, pointer);
}

static void test_header_decoding(void **state) {
    // A value in quotes is unescaped, then percent-encoding is undone once, and what comes out is UTF-8.
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"once%2520only", "once%20only"},
        {"\"in \\\"quotes\\\" and \\\\\"", "in \"quotes\" and \\"},
        {"\"both%20\"", "both "},
        {"5\" pipe", "5\" pipe"},
        {"%e2%82%ac", "\xE2\x82\xAC"},
        {"%C0%A0", NULL},    // overlong
        {"%ED%A0%80", NULL}, // a surrogate
        {"%E2%82", NULL},
        {"%", NULL},
        {"%2", NULL},
        {"%2G", NULL},
        {"100%", NULL},
        {"\"open", NULL},
        {"\"open\\", NULL},
        {"\"ends\" early", NULL},
        {"\xFF", NULL},
    };
    struct mlt_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_bytes out = {0};
        const bool good = mlt_cloudevent_decode_header(&arena, mlt_str(cases[i].value), &out);
        if (good != (cases[i].want != NULL) || (good && !mlt_bytes_is(out, cases[i].want))) {
            fail_msg("%s gives %.*s", cases[i].value, MLT_ARG(out));
        }
    }
    mlt_arena_clear(&arena);
}

static void test_binary(void **state) {
    // In binary mode attributes are headers and the body is the data; the record has the event in its JSON form.
    static const struct named headers[] = {
        NAMES, {"Ce-Time", "2026-01-07T00:00:01Z"}, {"ce-subject", "a%20b"}, {"ce-correlationid", "c-9"}, {NULL, NULL}};
    (void)state;
    assert_int_equal(take(headers, "application/json", "{\"a\" : 1}"), MLT_OK);
    assert_string_equal(
        written(),
        "{\"kind\":\"capture\",\"format\":\"cloudevents\",\"event_id\":\"/s "
        "e-1\",\"correlation\":\"c-9\",\"timestamp\":"
        "\"2026-01-07T00:00:01Z\",\"digest\":\"sha256:"
        "988b60dc43dcdf853764a6ad8a0f89c959c4d4a727c7efcce3a3ff77bedbe116\","
        "\"content_type\":\"application/json\",\"message\":{\"id\":\"e-1\",\"source\":\"/s\",\"specversion\":\"1.0\","
        "\"type\":\"com.example.done\",\"time\":\"2026-01-07T00:00:01Z\",\"subject\":\"a b\",\"correlationid\":\"c-9\","
        "\"datacontenttype\":\"application/json\",\"data\":{\"a\":1}}}\n");
}

// The event_id of an event in structured mode.
static void named(const char *source, const char *id, const char *want) {
    char body[400];
    snprintf(body, sizeof(body), "{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"%s\",\"id\":\"%s\"}", source,
             id);
    assert_int_equal(take(NULL, "application/cloudevents+json", body), MLT_OK);
    if (strstr(written(), want) == NULL) {
        fail_msg("%s is not in %s", want, written());
    }
}

static void test_names_of_events(void **state) {
    // Two events whose sources or ids differ have different names, whatever they have in them.
    (void)state;
    named("/s", "a b", "\"event_id\":\"/s a b\"");
    named("/s a", "b", "\"event_id\":\"\\\"/s a\\\" b\"");
    named("\\\"/s", "b", "\"event_id\":\"\\\"\\\\\\\"/s\\\" b\"");
    named("/s", "a\\u0000b", "\"event_id\":\"/s a\\u0000b\"");
    named("/s\\u0000a", "b", "\"event_id\":\"\\\"/s\\\\u0000a\\\" b\"");
}

static void test_binary_bytes(void **state) {
    // Data that is no JSON is kept as base64; an event without data has none.
    static const struct named headers[] = {NAMES, {NULL, NULL}};
    (void)state;
    assert_int_equal(take(headers, "text/plain", "hello"), MLT_OK);
    assert_non_null(strstr(written(), "\"data_base64\":\"aGVsbG8=\""));
    assert_null(strstr(written(), "\"timestamp\"")); // the same bytes whenever it is sent again
    assert_non_null(strstr(written(), "\"correlation\":\"e-1\""));
    assert_int_equal(take(headers, "", ""), MLT_OK);
    assert_null(strstr(written(), "\"data"));
}

static void test_attributes_that_nobody_knows(void **state) {
    // Every ce- header is an attribute, whatever its name and case; other headers are none.
    static const struct named headers[] = {
        NAMES, {"Ce-MyExt1", "a%20b"}, {"ce-", "x"}, {"ce-not_one", "x"}, {"X-Other", "x"}, {NULL, NULL}};
    static const struct named bad[] = {NAMES, {"ce-myext1", "%"}, {NULL, NULL}};
    struct named many[80] = {NAMES};
    char names[64][16];
    (void)state;
    assert_int_equal(take(headers, "", ""), MLT_OK);
    assert_non_null(strstr(written(), "\"type\":\"com.example.done\",\"myext1\":\"a b\"}"));
    assert_int_equal(take(bad, "", ""), MLT_INVALID);
    refused("cloudevent-header", "/myext1");
    for (size_t i = 0; i < 64; i++) {
        snprintf(names[i], sizeof(names[i]), "ce-e%zu", i);
        many[4 + i] = (struct named){names[i], "x"};
    }
    assert_int_equal(take(many, "", ""), MLT_INVALID);
    refused("cloudevent-attribute", "");
}

static void test_binary_refused(void **state) {
    // A missing or empty attribute, another version, a bad time and a header that does not decode are refused by name.
    static const struct {
        struct named headers[7];
        const char *code, *pointer;
    } cases[] = {
        {{{"ce-source", "/s"}, {"ce-specversion", "1.0"}, {"ce-type", "t"}}, "cloudevent-attribute-missing", "/id"},
        {{{"ce-id", ""}, {"ce-source", "/s"}, {"ce-specversion", "1.0"}, {"ce-type", "t"}},
         "cloudevent-attribute-missing",
         "/id"},
        {{{"ce-id", "1"}, {"ce-specversion", "1.0"}, {"ce-type", "t"}}, "cloudevent-attribute-missing", "/source"},
        {{{"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "t"}}, "cloudevent-attribute-missing", "/specversion"},
        {{{"ce-id", "1"}, {"ce-source", "/s"}, {"ce-specversion", "0.3"}, {"ce-type", "t"}},
         "cloudevent-version",
         "/specversion"},
        {{NAMES, {"ce-time", "yesterday"}}, "cloudevent-time", "/time"},
        {{NAMES, {"ce-subject", "100%"}}, "cloudevent-header", "/subject"},
        {{NAMES, {"ce-datacontenttype", "text/plain"}}, "cloudevent-header", "/datacontenttype"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(take(cases[i].headers, "text/plain", "x"), MLT_INVALID);
        refused(cases[i].code, cases[i].pointer);
    }
    assert_int_equal(take(NULL, "application/json", "{}"), MLT_INVALID);
    refused("no-cloudevent", "");
    assert_int_equal(take(NULL, "application/cloudeventsx", "{}"), MLT_INVALID);
    refused("no-cloudevent", "");
}

#define EVENT(id, rest) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\"" rest "}"

static void test_structured(void **state) {
    // In structured mode attributes and data are members; data_base64 is bytes; null is not given.
    static const char type[] = "Application/CloudEvents+json; charset=UTF-8";
    (void)state;
    assert_int_equal(take(NULL, type, EVENT("1", ",\"subject\":null,\"count\":3,\"data\":[1, 2]")), MLT_OK);
    assert_non_null(strstr(written(), "\"count\":3,\"data\":[1,2]}"));
    assert_null(strstr(written(), "subject"));
    assert_int_equal(take(NULL, type, EVENT("1", ",\"data_base64\":\"eyJhIjoxfQ==\"")), MLT_OK);
    assert_non_null(strstr(written(), "\"data\":{\"a\":1}"));
    assert_int_equal(take(NULL, type, EVENT("1", ",\"data_base64\":\"AP8=\"")), MLT_OK);
    assert_non_null(strstr(written(), "\"data_base64\":\"AP8=\""));
}

static void test_structured_refused(void **state) {
    // What the JSON format does not allow is refused with the member's pointer.
    static const struct {
        const char *body, *code, *pointer;
    } cases[] = {
        {"[]", "cloudevent-json", ""},
        {"7", "cloudevent-json", ""},
        {EVENT("1", ",\"data\":1,\"data_base64\":\"\""), "cloudevent-attribute", "/data_base64"},
        {EVENT("1", ",\"data_base64\":\"*\""), "cloudevent-attribute", "/data_base64"},
        {EVENT("1", ",\"data_base64\":7"), "cloudevent-attribute", "/data_base64"},
        {EVENT("1", ",\"Upper\":\"x\""), "cloudevent-attribute", "/Upper"},
        {EVENT("1", ",\"list\":[]"), "cloudevent-attribute", "/list"},
        {EVENT("", ""), "cloudevent-attribute-missing", "/id"},
        {"{\"specversion\":\"1.0\"}", "cloudevent-attribute-missing", "/id"},
        {EVENT("1", ",\"time\":\"2026-01-07\""), "cloudevent-time", "/time"},
        {"{\"id\":", "not-json", "/id"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(take(NULL, "application/cloudevents+json", cases[i].body), MLT_INVALID);
        refused(cases[i].code, cases[i].pointer);
    }
}

static void test_batched(void **state) {
    // A batch keeps its good events and reports each bad one by its position; an empty one is no error.
    static const char type[] = "application/cloudevents-batch+json";
    (void)state;
    assert_int_equal(take(NULL, type, "[" EVENT("1", "") ",{}," EVENT("3", "") ",4]"), MLT_OK);
    assert_int_equal(capture.num_records, 2);
    assert_int_equal(capture.num_rejected, 2);
    assert_int_equal(capture.rejected[0].item, 2);
    assert_true(mlt_bytes_is(capture.rejected[0].raw, "{}"));
    assert_int_equal(capture.rejected[1].item, 4);
    assert_int_equal(take(NULL, type, "[]"), MLT_OK);
    assert_int_equal(capture.num_records, 0);
    assert_int_equal(take(NULL, type, EVENT("1", "")), MLT_INVALID);
    refused("cloudevent-json", "");
}

static void test_batch_has_an_end(void **state) {
    // A batch of more events than the limit is refused as a whole.
    struct mlt_buf body = {0};
    (void)state;
    mlt_buf_put_str(&body, "[0");
    for (size_t i = 0; i < MLT_CLOUDEVENTS_BATCH_MAX; i++) {
        mlt_buf_put_str(&body, ",0");
    }
    mlt_buf_put_str(&body, "]");
    assert_int_equal(take(NULL, "application/cloudevents-batch+json", mlt_buf_cstr(&body)), MLT_LIMIT);
    mlt_buf_clear(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_decoding),
        cmocka_unit_test_teardown(test_binary, tear_down),
        cmocka_unit_test_teardown(test_names_of_events, tear_down),
        cmocka_unit_test_teardown(test_binary_bytes, tear_down),
        cmocka_unit_test_teardown(test_attributes_that_nobody_knows, tear_down),
        cmocka_unit_test_teardown(test_binary_refused, tear_down),
        cmocka_unit_test_teardown(test_structured, tear_down),
        cmocka_unit_test_teardown(test_structured_refused, tear_down),
        cmocka_unit_test_teardown(test_batched, tear_down),
        cmocka_unit_test_teardown(test_batch_has_an_end, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
