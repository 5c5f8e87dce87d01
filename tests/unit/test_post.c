// links: mlt_net mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/post.h"

#define WAIT_MS 10000 // for what must come: only a broken run waits so long

// A server of one exchange: takes a request, keeps it, answers with what it was given, byte by byte as given.
struct service {
    pthread_t thread;
    int listening;
    const char *answer;
    size_t answer_len;
    int hold_ms; // before the answer
    char request[4096];
    char url[64];
};

static bool whole(const char *request, size_t len) {
    const char *body = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, "Content-Length: ");
    return body && length && len >= (size_t)(body + 4 - request) + strtoul(length + 16, NULL, 10);
}

static void *serve_once(void *arg) {
    struct service *s = arg;
    struct pollfd waiting = {.fd = s->listening, .events = POLLIN};
    if (poll(&waiting, 1, WAIT_MS) != 1) {
        return NULL;
    }
    int fd = accept(s->listening, NULL, NULL);
    size_t len = 0;
    while (fd >= 0 && !whole(s->request, len) && len + 1 < sizeof s->request) {
        ssize_t got = read(fd, s->request + len, sizeof s->request - 1 - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    struct timespec hold = {.tv_sec = s->hold_ms / 1000, .tv_nsec = (s->hold_ms % 1000) * 1000000L};
    nanosleep(&hold, NULL);
    (void)!send(fd, s->answer, s->answer_len, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void start(struct service *s, const char *answer, size_t answer_len) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    s->answer = answer;
    s->answer_len = answer_len;
    s->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->listening, 1), 0);
    assert_int_equal(getsockname(s->listening, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/path?q=1", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve_once, s), 0);
}

static void stop(struct service *s) {
    pthread_join(s->thread, NULL);
    close(s->listening);
}

struct answer {
    int http_status;
    struct mlt_buf body;
    char type[MLT_NET_TYPE_LEN];
    struct mlt_error err;
};

static enum mlt_status post(struct answer *a, const char *url, int64_t timeout_ms, const atomic_bool *stopped) {
    struct mlt_net_options opt = {.url = url,
                                  .content_type = "application/x-question",
                                  .body = mlt_str("what?"),
                                  .timeout_ms = timeout_ms,
                                  .max_response = 16,
                                  .allow_http_loopback = true,
                                  .stopped = stopped};
    return mlt_net_post(&opt, &a->http_status, &a->body, a->type, &a->err);
}

static enum mlt_status post_once(struct answer *a, struct service *s, const char *answer, int64_t timeout_ms) {
    start(s, answer, strlen(answer));
    enum mlt_status status = post(a, s->url, timeout_ms, NULL);
    stop(s);
    return status;
}

static void test_answer(void **state) {
    // The body and its type go out as given; status, type without parameters, and body of the answer come back.
    (void)state;
    struct service s = {0};
    struct answer a = {0};
    assert_int_equal(post_once(&a, &s,
                               "HTTP/1.1 200 OK\r\nContent-Type: Application/X-Answer; charset=x\r\n"
                               "Content-Length: 5\r\n\r\nthat.",
                               WAIT_MS),
                     MLT_OK);
    assert_int_equal(a.http_status, 200);
    assert_string_equal(a.type, "application/x-answer");
    assert_true(mlt_bytes_is(mlt_buf_bytes(&a.body), "that."));
    assert_memory_equal(s.request, "POST /path?q=1 HTTP/1.1\r\n", 25);
    assert_non_null(strstr(s.request, "\r\nContent-Type: application/x-question\r\n"));
    assert_null(strstr(s.request, "Expect"));
    assert_non_null(strstr(s.request, "\r\n\r\nwhat?"));
    mlt_buf_clear(&a.body);
}

static void test_refusal_and_redirect(void **state) {
    // A refusal is an answer; a redirect is one too and nobody goes there.
    (void)state;
    struct service refuses = {0}, redirects = {0}, target = {0};
    struct answer a = {0};
    assert_int_equal(
        post_once(&a, &refuses, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", WAIT_MS),
        MLT_OK);
    assert_int_equal(a.http_status, 503);
    start(&target, "", 0);
    char answer[256];
    (void)snprintf(answer, sizeof answer, "HTTP/1.1 307 Over there\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                   target.url);
    assert_int_equal(post_once(&a, &redirects, answer, WAIT_MS), MLT_OK);
    assert_int_equal(a.http_status, 307);
    shutdown(target.listening, SHUT_RDWR);
    stop(&target);
    assert_string_equal(target.request, "");
    mlt_buf_clear(&a.body);
}

static void test_too_long(void **state) {
    // An answer over the limit ends the exchange, announced or not.
    (void)state;
    struct service announced = {0}, silent = {0}, exact = {0};
    struct answer a = {0};
    assert_int_equal(
        post_once(&a, &announced, "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefX", WAIT_MS),
        MLT_LIMIT);
    assert_int_equal(post_once(&a, &silent, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789abcdefX", WAIT_MS),
                     MLT_LIMIT);
    assert_int_equal(post_once(&a, &exact, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef", WAIT_MS),
                     MLT_OK);
    assert_int_equal(a.body.len, 16);
    mlt_buf_clear(&a.body);
}

static void test_incomplete(void **state) {
    // An answer that ends early, one that comes late, and a port where nobody listens are failures to answer.
    (void)state;
    struct service cut = {0}, slow = {.hold_ms = 1500};
    struct answer a = {0};
    assert_int_equal(post_once(&a, &cut, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123", WAIT_MS), MLT_IO);
    assert_int_equal(post_once(&a, &slow, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200), MLT_IO);
    assert_non_null(strstr(a.err.text, "within 200 ms"));
    assert_int_equal(post(&a, cut.url, WAIT_MS, NULL), MLT_IO); // it served once and is gone
    mlt_buf_clear(&a.body);
}

static void test_stopped(void **state) {
    // Who stops does not wait for a slow service.
    (void)state;
    struct service slow = {.hold_ms = 1500};
    struct answer a = {0};
    atomic_bool stopped = true;
    start(&slow, "", 0);
    assert_int_equal(post(&a, slow.url, WAIT_MS, &stopped), MLT_BUSY);
    shutdown(slow.listening, SHUT_RDWR);
    stop(&slow);
    mlt_buf_clear(&a.body);
}

// serve_twice answers two requests on one connection, and accepts no second one.
static void *serve_twice(void *arg) {
    struct service *s = arg;
    int fd = accept(s->listening, NULL, NULL);
    for (int i = 0; fd >= 0 && i < 2; i++) {
        size_t len = 0;
        memset(s->request, 0, sizeof s->request);
        while (!whole(s->request, len) && len + 1 < sizeof s->request) {
            ssize_t got = read(fd, s->request + len, sizeof s->request - 1 - len);
            if (got <= 0) {
                close(fd);
                return NULL;
            }
            len += (size_t)got;
        }
        (void)!send(fd, s->answer, s->answer_len, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static void test_session(void **state) {
    // A session keeps its connection; Retry-After is told, and forgotten with the next answer.
    (void)state;
    struct service s = {.answer = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct mlt_net_session *session = mlt_net_session_new();
    struct answer a = {0};
    int64_t retry_after_s = -1;
    s.answer_len = strlen(s.answer);
    s.listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s.listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s.listening, 1), 0);
    assert_int_equal(getsockname(s.listening, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(s.url, sizeof s.url, "http://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s.thread, NULL, serve_twice, &s), 0);
    struct mlt_net_options opt = {.url = s.url,
                                  .content_type = "text/plain",
                                  .body = mlt_str("what?"),
                                  .timeout_ms = WAIT_MS,
                                  .max_response = 16,
                                  .allow_http_loopback = true,
                                  .session = session,
                                  .retry_after_s = &retry_after_s};
    for (int i = 0; i < 2; i++) {
        retry_after_s = -1;
        assert_int_equal(mlt_net_post(&opt, &a.http_status, &a.body, a.type, &a.err), MLT_OK);
        assert_int_equal(a.http_status, 429);
        assert_int_equal(retry_after_s, 7);
    }
    stop(&s);
    opt.timeout_ms = 500;
    assert_int_equal(mlt_net_post(&opt, &a.http_status, &a.body, a.type, &a.err), MLT_IO);
    assert_int_equal(retry_after_s, 0);
    mlt_net_session_free(session);
    mlt_net_session_free(NULL);
    mlt_buf_clear(&a.body);
}

static void test_urls(void **state) {
    // https to anywhere, http to this machine and only where allowed, never credentials.
    (void)state;
    static const char *const good[] = {"https://tsa.example.com/ts", "https://192.0.2.1:8443",    "http://127.0.0.1:1/",
                                       "http://127.9.9.9",           "http://localhost:8080/a?b", "http://[::1]:80/"};
    static const char *const bad[] = {"",
                                      "tsa",
                                      "ftp://127.0.0.1/",
                                      "file:///etc/passwd",
                                      "https:///path",
                                      "http://tsa.example.com/",
                                      "http://127.0.0.1.example.com/",
                                      "http://localhost.example.com/",
                                      "http://[::2]/",
                                      "http://128.0.0.1/",
                                      "https://user:secret@tsa.example.com/",
                                      "https://token@tsa.example.com/",
                                      "https://tsa.example.com/a b",
                                      "https://tsa.example.com/\xc3\xa4"};
    struct mlt_error err;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(mlt_net_url_check(good[i], true, &err), MLT_OK);
        assert_int_equal(mlt_net_url_check(good[i], false, &err), i < 2 ? MLT_OK : MLT_INVALID);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mlt_net_url_check(bad[i], true, &err), MLT_INVALID);
        assert_null(strstr(err.text, "secret"));
        assert_null(strstr(err.text, "token@"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),   cmocka_unit_test(test_refusal_and_redirect),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_stopped),  cmocka_unit_test(test_session),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
