// links: mlt_http mlt_testlib
//
// A small HTTP service and clients that are slow, long or gone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/service.h"

#define WAIT_MS 10000 // for what must come: only a broken run waits so long
#define BODY_MAX 1000

static struct mlt_service *service;

// Answers what it was sent: method, path, body.
static void handle(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    (void)arg;
    out->status = 200;
    mlt_buf_printf(&out->body, "%s %s ", req->method, req->path);
    mlt_buf_put_bytes(&out->body, req->body);
}

static int set_up(void **state) {
    struct mlt_error err = {0};
    const struct mlt_service_options opt = {
        .listen = "127.0.0.1:0", .body_max = BODY_MAX, .request_max_s = 1, .handle = handle};
    (void)state;
    if (mlt_service_start(&service, &opt, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    mlt_service_stop(service);
    return 0;
}

static int connect_to_it(void) {
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)mlt_service_port(service))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void put(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

// receive reads until `wanted` has come or the other side closed; what came is in `out`.
static void receive(int fd, char *out, size_t cap, const char *wanted) {
    size_t len = 0;
    out[0] = '\0';
    while (len + 1 < cap && !(wanted && strstr(out, wanted))) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
        ssize_t got = recv(fd, out + len, cap - 1 - len, 0);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        out[len] = '\0';
    }
}

static void test_two_requests(void **state) {
    // A connection is kept for the next request; the path comes as it was sent, without the query.
    char answer[2048];
    int fd = connect_to_it();
    (void)state;
    put(fd, "POST /a%2Fb?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    receive(fd, answer, sizeof answer, "POST /a%2Fb hello");
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_non_null(strstr(answer, "POST /a%2Fb hello"));
    put(fd, "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
    receive(fd, answer, sizeof answer, "GET /c ");
    assert_non_null(strstr(answer, "GET /c "));
    close(fd);
}

static void test_too_long(void **state) {
    // A body over the bound is refused at its header, and one without a length when it gets there.
    char answer[2048];
    char chunk[600];
    int fd = connect_to_it();
    (void)state;
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    receive(fd, answer, sizeof answer, "at most 1000 bytes");
    assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
    close(fd);
    fd = connect_to_it();
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(chunk, 'x', sizeof chunk - 1);
    chunk[sizeof chunk - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        put(fd, "257\r\n"); // 599
        put(fd, chunk);
        put(fd, "\r\n");
    }
    put(fd, "0\r\n\r\n");
    receive(fd, answer, sizeof answer, "at most 1000 bytes");
    assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
    close(fd);
}

static void test_slow_client(void **state) {
    // A byte now and then does not hold a connection: the time of a whole request is bounded.
    char answer[2048];
    int fd = connect_to_it();
    bool ended = false;
    (void)state;
    put(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n");
    for (int i = 0; i < WAIT_MS / 100 && !ended; i++) {
        ended = send(fd, "x", 1, MSG_NOSIGNAL) != 1;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    assert_true(ended);
    receive(fd, answer, sizeof answer, NULL);
    assert_null(strstr(answer, " 200 "));
    close(fd);
}

static void test_remote(void **state) {
    // Not on loopback, and not asked for: refused before anything is listened to.
    struct mlt_service *other;
    struct mlt_error err = {0};
    const struct mlt_service_options opt = {.listen = "0.0.0.0:0", .body_max = BODY_MAX, .handle = handle};
    (void)state;
    assert_int_equal(mlt_service_start(&other, &opt, &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "--insecure"));
}

static void test_stop_with_idle_connection(void **state) {
    // A connection that asks nothing does not keep the service from stopping.
    (void)state;
    int fd = connect_to_it();
    struct timespec begun;
    struct timespec ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    mlt_service_stop(service);
    service = NULL;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - begun.tv_sec < WAIT_MS / 1000);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_two_requests), TEST(test_too_long), TEST(test_slow_client),
                                       TEST(test_remote), TEST(test_stop_with_idle_connection)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
