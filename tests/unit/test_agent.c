// links: mlt_agent mlt_testlib
//
// A batch is taken whole or not at all, on a disk that fills up or fails: what is not taken has no number, and what is
// said of each line is so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "lib/simdisk.h"
#include "record/json.h"

#define LINE(node) "{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-11-25T08:00:00Z\"" node "}\n"
#define OWN LINE("")
#define OTHER LINE(",\"serving_node\":\"other\"")
#define WRONG "{\"kind\":\"predicton\"}\n"

struct setting {
    struct simdisk *disk;
    struct mlt_agent *agent;
    struct mlt_service_answer answer;
    struct mlt_json json;
};

static const char *header(void *arg, const char *name) {
    (void)arg;
    return strcmp(name, "Content-Type") == 0 ? "application/x-ndjson" : NULL;
}

static void set(struct setting *s, uint64_t bytes_max) {
    struct mlt_error err = {0};
    *s = (struct setting){.disk = simdisk_new(1)};
    const struct mlt_agent_options opt = {
        .spool_dir = "spool",
        .serving_node = "own",
        .bytes_max = bytes_max,
        .on_full = MLT_AGENT_ERROR,
        .courier = {.link = {.url = "http://127.0.0.1:9"}}, // nobody
    };
    if (mlt_agent_open(&s->agent, simdisk_env(s->disk), &opt, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
}

static void unset(struct setting *s) {
    mlt_agent_close(s->agent, 0);
    simdisk_free(s->disk);
    mlt_buf_clear(&s->answer.body);
    mlt_json_clear(&s->json);
}

static int post(struct setting *s, const char *path, const char *body) {
    const struct mlt_service_request req = {
        .method = "POST", .path = path, .query = "", .body = mlt_str(body), .fd = -1, .header = header};
    mlt_buf_clear(&s->answer.body);
    s->answer = (struct mlt_service_answer){0};
    mlt_agent_handle(s->agent, &req, &s->answer);
    assert_int_equal(mlt_json_scan(&s->json, mlt_buf_bytes(&s->answer.body), NULL), MLT_OK);
    return s->answer.status;
}

static uint64_t number(const struct setting *s, const char *name) {
    uint64_t out = UINT64_MAX;
    (void)mlt_json_u64(&s->json, mlt_json_get(&s->json, 0, name), &out);
    return out;
}

static void test_a_full_disk_takes_nothing_of_a_batch(void **state) {
    (void)state;
    struct setting s;
    set(&s, 0);
    simdisk_fill(s.disk, 300); // one of them
    assert_int_equal(post(&s, "/v1/records", OWN OWN OWN), 503);
    simdisk_fill(s.disk, UINT64_MAX);
    assert_int_equal(post(&s, "/v1/records", OWN OWN OWN), 202);
    assert_int_equal(number(&s, "accepted"), 3);
    assert_int_equal(number(&s, "first_frame"), 1);
    assert_int_equal(number(&s, "last_frame"), 3);
    unset(&s);
}

static void test_a_full_stream_takes_nothing_of_the_other(void **state) {
    (void)state;
    struct setting s;
    set(&s, MLT_SPOOL_BYTES_MIN);
    while (post(&s, "/v1/records", OTHER OTHER OTHER OTHER) == 202) {
    }
    assert_int_equal(post(&s, "/v1/records", OWN OTHER OTHER OTHER OTHER), 503);
    assert_int_equal(post(&s, "/v1/records", OWN), 202);
    assert_int_equal(number(&s, "first_frame"), 1);
    unset(&s);
}

static void test_a_disk_that_fails_between_streams_is_told_by_the_line(void **state) {
    (void)state;
    struct setting s;
    set(&s, 0);
    assert_int_equal(post(&s, "/v1/records", OWN OTHER), 202); // both have their first segment
    simdisk_plan(s.disk, SIMDISK_ERROR_NOT_APPLIED, 2);
    assert_int_equal(post(&s, "/v1/records", WRONG OWN OTHER OWN OTHER), 202);
    assert_int_equal(number(&s, "accepted"), 2);
    assert_int_equal(number(&s, "rejected"), 3);
    static const uint64_t lines[] = {1, 3, 5};
    mlt_json_at problems = mlt_json_get(&s.json, 0, "problems");
    size_t num = 0;
    for (mlt_json_at n = mlt_json_first(&s.json, problems); n != MLT_JSON_NONE;
         n = mlt_json_next(&s.json, problems, n)) {
        uint64_t line = 0;
        assert_true(mlt_json_u64(&s.json, mlt_json_get(&s.json, n, "line"), &line));
        assert_true(num < 3 && line == lines[num]);
        num++;
    }
    assert_int_equal(num, 3);
    unset(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_disk_takes_nothing_of_a_batch),
        cmocka_unit_test(test_a_full_stream_takes_nothing_of_the_other),
        cmocka_unit_test(test_a_disk_that_fails_between_streams_is_told_by_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
