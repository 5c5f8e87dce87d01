// links: mlt_server mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base_posix/env_posix.h"
#include "http/listen.h"
#include "lib/tempdir.h"
#include "server/api.h"
#include "server/server.h"

static char dir[TEMPDIR_MAX];
static struct mlt_api *api;
static struct mlt_principal me;

static void open_api(uint64_t reserve) {
    char trail[96];
    struct mlt_error err = {0};
    snprintf(trail, sizeof trail, "%s/t", dir);
    struct mlt_api_options opt = {.trail = {.dir = trail, .reserve_bytes = reserve, .journal_bytes = 1 << 20}};
    assert_int_equal(mlt_api_open(&api, mlt_env_posix(), &opt, &err), MLT_OK);
}

static int setup(void **state) {
    (void)state;
    char trail[96];
    struct mlt_error err = {0};
    tempdir_make(dir, "api");
    snprintf(trail, sizeof trail, "%s/t", dir);
    struct mlt_trail_options opt = {.dir = trail, .journal_bytes = 1 << 20};
    assert_int_equal(mlt_trail_create(mlt_env_posix(), &opt, "example.org/api", false, false, &err), MLT_OK);
    mlt_principal_local(&me, 0);
    open_api(0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    struct mlt_error err = {0};
    assert_int_equal(mlt_api_close(api, &err), MLT_OK);
    tempdir_remove(dir);
    return 0;
}

// Asks and checks the status; the text of the answer is valid until the next call.
static const char *ask(const char *method, const char *path, const char *query, const char *body, int want) {
    static struct mlt_response res;
    struct mlt_request req = {.method = method,
                              .path = path,
                              .query = query,
                              .content_type = body ? "application/json" : "",
                              .body = mlt_str(body),
                              .principal = &me};
    mlt_response_clear(&res);
    mlt_api_handle(api, &req, &res);
    const char *text = mlt_buf_cstr(&res.body);
    if (res.status != want) {
        fail_msg("%s %s: %d, %s", method, path, res.status, text);
    }
    static char kept[65536];
    snprintf(kept, sizeof kept, "%s", text);
    mlt_response_clear(&res);
    return kept;
}

#define RECORD "{\"kind\":\"prediction\",\"request_id\":\"r1\",\"timestamp\":\"2026-11-23T10:00:00Z\",\"model\":\"m\"}"

static void test_append_and_read(void **state) {
    // In the same process the same grants hold and the same reads are recorded as over HTTP.
    (void)state;
    assert_non_null(strstr(ask("POST", "/v1/records", "", RECORD, 201), "\"index\":1,"));
    assert_non_null(strstr(ask("POST", "/v1/records", "", RECORD, 200), "\"duplicate\":true"));
    assert_non_null(strstr(ask("GET", "/v1/records/1", "", NULL, 200), "\"request_id\":\"r1\""));
    assert_non_null(strstr(ask("GET", "/v1/access", "", NULL, 200), "\"total\":1"));
    assert_non_null(strstr(ask("GET", "/v1/access", "", NULL, 200), "\"total\":2"));
    me.grant.rights = MLT_MAY_APPEND;
    ask("GET", "/v1/records/1", "", NULL, 403);
    me.grant.rights = MLT_MAY_ALL;
}

static void test_start_and_stop_are_recorded(void **state) {
    // Opening and closing leave control records, and refused attempts are flushed when it closes.
    (void)state;
    struct mlt_error err = {0};
    me.grant.rights = 0;
    ask("GET", "/v1/records", "", NULL, 403);
    ask("GET", "/v1/export", "", NULL, 403);
    me.grant.rights = MLT_MAY_ALL;
    assert_int_equal(mlt_api_close(api, &err), MLT_OK);
    open_api(0);
    const char *all = ask("GET", "/v1/records", "order=asc", NULL, 200);
    const char *started = strstr(all, "\"logging-started\"");
    const char *denied = strstr(all, "\"outcome\":\"denied\",\"count\":2");
    const char *stopped = strstr(all, "\"logging-stopped\"");
    assert_true(started && denied && stopped && started < denied && denied < stopped);
    assert_non_null(strstr(stopped, "\"logging-started\""));
}

static void test_no_space(void **state) {
    // Below the reserve records are refused with 507, while reads are recorded from the reserve and answered.
    (void)state;
    struct mlt_error err = {0};
    ask("POST", "/v1/records", "", RECORD, 201);
    assert_int_equal(mlt_api_close(api, &err), MLT_OK);
    open_api(UINT64_C(1) << 60);
    assert_non_null(strstr(ask("POST", "/v1/records", "",
                               "{\"kind\":\"prediction\",\"request_id\":\"r2\","
                               "\"timestamp\":\"2026-11-23T10:00:00Z\"}",
                               507),
                           "\"no-space\""));
    ask("GET", "/v1/records/1", "", NULL, 200);
    ask("POST", "/v1/records", "", "nope", 422);
}

static void refuse_address(const char *address, enum mlt_status want, const char *says) {
    int fd;
    unsigned port;
    struct mlt_error err = {0};
    assert_int_equal(mlt_listen_tcp(&fd, &port, address, false, &err), want);
    assert_non_null(strstr(err.text, says));
}

static void test_addresses(void **state) {
    // Plain HTTP listens on loopback alone; a taken port and an address that is none are told apart.
    (void)state;
    int fd;
    int other;
    unsigned port;
    char taken[32];
    struct mlt_error err = {0};
    refuse_address("0.0.0.0:0", MLT_INVALID, "loopback");
    refuse_address(":0", MLT_INVALID, "loopback");
    refuse_address("localhost", MLT_INVALID, "host:port");
    refuse_address("::1:80", MLT_INVALID, "host:port");
    refuse_address("127.0.0.1:http", MLT_INVALID, "host:port");
    assert_int_equal(mlt_listen_tcp(&fd, &port, "127.0.0.1:0", false, &err), MLT_OK);
    assert_int_not_equal(port, 0);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", port);
    assert_int_equal(mlt_listen_tcp(&other, &port, taken, false, &err), MLT_BUSY);
    assert_non_null(strstr(err.text, "another process"));
    close(fd);
}

static void test_server_starts_and_stops(void **state) {
    // A server that starts on a free port stops again, twice in a row, and its socket is gone.
    (void)state;
    struct mlt_error err = {0};
    for (int i = 0; i < 2; i++) {
        struct mlt_server *server;
        struct mlt_server_options opt = {.listen = "127.0.0.1:0"};
        assert_int_equal(mlt_server_start(&server, api, &opt, &err), MLT_OK);
        assert_int_not_equal(mlt_server_port(server), 0);
        mlt_server_stop(server);
    }
    char path[96];
    snprintf(path, sizeof path, "%s/t/sock", dir);
    assert_int_equal(access(path, F_OK), -1);
    struct mlt_server_options tls = {.listen = "127.0.0.1:0", .tls_cert = "/nonexistent"};
    struct mlt_server *none;
    assert_int_equal(mlt_server_start(&none, api, &tls, &err), MLT_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_and_stop_are_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_starts_and_stops, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
