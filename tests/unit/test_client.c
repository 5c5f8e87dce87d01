// links: mlt_client mlt_http mlt_base_posix mlt_testlib
//
// The client against a server that answers as it is told: what is logged arrives once and numbered, in every mode, from
// many threads, after a fork, and whatever the server says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mltrail/client.h>

#include "http/service.h"
#include "lib/tempdir.h"
#include "record/json.h"

#define RECORD "{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-11-25T08:00:00Z\"}"

// Takes batches as the real one does; `say` is what it answers instead, 0: what is right.
struct server {
    struct mlt_service *service;
    char url[64];
    atomic_int say;
    atomic_uint rejects; // so many of the next lines
    pthread_mutex_t lock;
    struct mlt_buf lines;
    size_t num;
};

static void receive(struct server *s, struct mlt_bytes line, uint64_t number, struct mlt_json_writer *problems,
                    struct mlt_json_writer *receipts, uint64_t *rejected) {
    if (atomic_load(&s->rejects) > 0) {
        atomic_fetch_sub(&s->rejects, 1);
        mlt_jw_object(problems);
        mlt_jw_member_u64(problems, "line", number);
        mlt_jw_member(problems, "code", "wrong");
        mlt_jw_end_object(problems);
        (*rejected)++;
        return;
    }
    mlt_jw_object(receipts);
    mlt_jw_member_u64(receipts, "line", number);
    mlt_jw_member_u64(receipts, "index", s->num++);
    mlt_jw_member(receipts, "leaf", "00");
    mlt_jw_member_bool(receipts, "duplicate", false);
    mlt_jw_end_object(receipts);
    mlt_buf_put_bytes(&s->lines, line);
    mlt_buf_put_u8(&s->lines, '\n');
}

static void handle(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    struct server *s = arg;
    struct mlt_cursor c = mlt_cursor_of(req->body);
    struct mlt_buf problems = {0}, receipts = {0};
    struct mlt_json_writer w, wp, wr;
    uint64_t number = 0, rejected = 0;
    out->status = atomic_load(&s->say);
    if (out->status != 0) {
        return;
    }
    mlt_jw_init(&wp, &problems);
    mlt_jw_init(&wr, &receipts);
    mlt_jw_array(&wp);
    mlt_jw_array(&wr);
    pthread_mutex_lock(&s->lock);
    while (mlt_cursor_left(&c) > 0) {
        receive(s, mlt_cursor_line(&c), ++number, &wp, &wr, &rejected);
    }
    uint64_t size = s->num;
    pthread_mutex_unlock(&s->lock);
    mlt_jw_end_array(&wp);
    mlt_jw_end_array(&wr);
    mlt_jw_init(&w, &out->body);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "accepted", number - rejected);
    mlt_jw_member_u64(&w, "rejected", rejected);
    mlt_jw_member_u64(&w, "tree_size", size);
    mlt_jw_member(&w, "checkpoint", "a head\n");
    mlt_jw_member_raw(&w, "problems", mlt_buf_bytes(&problems));
    mlt_jw_member_raw(&w, "receipts", mlt_buf_bytes(&receipts));
    mlt_jw_end_object(&w);
    out->status = number > 0 && rejected == number ? 422 : 200;
    out->content_type = "application/json";
    mlt_buf_clear(&problems);
    mlt_buf_clear(&receipts);
}

static void start(struct server *s) {
    struct mlt_error err = {0};
    *s = (struct server){.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct mlt_service_options opt = {
        .listen = "127.0.0.1:0", .body_max = (size_t)1 << 25, .handle = handle, .arg = s};
    if (mlt_service_start(&s->service, &opt, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", mlt_service_port(s->service));
}

static void stop(struct server *s) {
    mlt_service_stop(s->service);
    pthread_mutex_lock(&s->lock);
    mlt_buf_clear(&s->lines);
    pthread_mutex_unlock(&s->lock);
}

static struct mltrail_client *open_client(const struct mltrail_client_options *opt) {
    struct mltrail_client *c;
    struct mltrail_error err;
    if (mltrail_client_open(&c, opt, &err) != MLTRAIL_OK) {
        fail_msg("%s", err.text);
    }
    return c;
}

static void log_one(struct mltrail_client *c, struct mltrail_receipt *r) {
    struct mltrail_error err;
    if (mltrail_client_log(c, r, RECORD, strlen(RECORD), &err) != MLTRAIL_OK) {
        fail_msg("%s", err.text);
    }
}

// How often each number of a stream arrived: once, from 1 to `num`, in order; and the tally says so.
static void check_stream(struct server *s, const char *stream, uint64_t num) {
    pthread_mutex_lock(&s->lock);
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&s->lines));
    struct mlt_json j = {0};
    struct mlt_arena arena = {0};
    uint64_t seen = 0, tally = 0;
    while (mlt_cursor_left(&c) > 0) {
        assert_int_equal(mlt_json_scan(&j, mlt_cursor_line(&c), NULL), MLT_OK);
        mlt_json_at scope = mlt_json_get(&j, 0, "scope");
        struct mlt_bytes own =
            mlt_json_string(&j, mlt_json_get(&j, scope == MLT_JSON_NONE ? 0 : scope, "stream"), &arena);
        uint64_t n = 0;
        if (!mlt_bytes_is(own, stream)) {
            continue;
        }
        if (scope != MLT_JSON_NONE) {
            assert_true(mlt_json_u64(&j, mlt_json_get(&j, 0, "count"), &tally));
        } else {
            assert_true(mlt_json_u64(&j, mlt_json_get(&j, 0, "sequence"), &n));
            assert_int_equal(n, ++seen);
        }
    }
    pthread_mutex_unlock(&s->lock);
    assert_int_equal(seen, num);
    assert_int_equal(tally, num);
    mlt_json_clear(&j);
    mlt_arena_clear(&arena);
}

static bool arrived(struct server *s, const char *text) {
    pthread_mutex_lock(&s->lock);
    const char *lines = mlt_buf_cstr(&s->lines);
    bool found = lines && strstr(lines, text);
    pthread_mutex_unlock(&s->lock);
    return found;
}

static size_t num_arrived(struct server *s) {
    pthread_mutex_lock(&s->lock);
    size_t num = s->num;
    pthread_mutex_unlock(&s->lock);
    return num;
}

struct setting {
    struct server server;
    char dir[TEMPDIR_MAX];
    struct mltrail_client_options opt;
};

static void set(struct setting *s) {
    start(&s->server);
    tempdir_make(s->dir, "client");
    s->opt = (struct mltrail_client_options){.url = s->server.url, .spool_dir = s->dir, .serving_node = "n"};
}

static void unset(struct setting *s) {
    stop(&s->server);
    tempdir_remove(s->dir);
}

// -- tests ------------------------------------------------------------------------------------------------------------

#define THREADS 4
#define EACH 200

static void *log_many(void *client) {
    for (unsigned i = 0; i < EACH; i++) {
        log_one(client, NULL);
    }
    return NULL;
}

static void test_many_threads_one_sequence(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_client_stats stats;
    pthread_t threads[THREADS];
    char stream[MLTRAIL_STREAM_LEN];
    set(&s);
    struct mltrail_client *c = open_client(&s.opt);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, c), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(mltrail_client_flush(c, 20000, NULL), MLTRAIL_OK);
    mltrail_client_get_stats(c, &stats);
    assert_int_equal(stats.logged, THREADS * EACH);
    assert_int_equal(stats.sent, THREADS * EACH);
    assert_int_equal(stats.pending, 0);
    (void)snprintf(stream, sizeof stream, "%s", mltrail_client_stream(c));
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    check_stream(&s.server, stream, THREADS * EACH);
    unset(&s);
}

static void test_sync_gives_receipts(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_receipt r;
    struct mltrail_error err;
    set(&s);
    s.opt.mode = MLTRAIL_SYNC;
    s.opt.wait_ms = 20000;
    struct mltrail_client *c = open_client(&s.opt);
    log_one(c, &r);
    log_one(c, &r);
    assert_true(r.in_log);
    assert_int_equal(r.index, 1);
    assert_int_equal(r.sequence, 2);
    assert_string_equal(r.checkpoint, "a head\n");
    atomic_store(&s.server.rejects, 1);
    assert_int_equal(mltrail_client_log(c, &r, RECORD, strlen(RECORD), &err), MLTRAIL_REJECTED);
    assert_non_null(strstr(err.text, "\"code\":\"wrong\""));
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    char path[TEMPDIR_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/rejected.ndjson", s.dir);
    assert_int_equal(access(path, R_OK), 0);
    unset(&s);
}

static void test_without_an_answer_it_stays(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_receipt r;
    struct mltrail_error err;
    struct mltrail_client_stats stats;
    set(&s);
    atomic_store(&s.server.say, 401); // the token is wrong: nothing is thrown away for it
    s.opt.mode = MLTRAIL_SYNC;
    s.opt.wait_ms = 300;
    struct mltrail_client *c = open_client(&s.opt);
    assert_int_equal(mltrail_client_log(c, &r, RECORD, strlen(RECORD), &err), MLTRAIL_TIMEOUT);
    assert_int_equal(r.sequence, 1);
    assert_int_equal(mltrail_client_flush(c, 100, &err), MLTRAIL_TIMEOUT);
    assert_non_null(strstr(err.text, "401"));
    mltrail_client_get_stats(c, &stats);
    assert_false(stats.up);
    assert_int_equal(stats.rejected, 0);
    assert_int_equal(mltrail_client_close(c, 100, &err), MLTRAIL_TIMEOUT);
    atomic_store(&s.server.say, 0);
    s.opt.mode = MLTRAIL_SPOOL;
    c = open_client(&s.opt); // whoever opens it next sends it
    for (unsigned i = 0; i < 400; i++) {
        mltrail_client_get_stats(c, &stats);
        if (stats.sent == 2) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_int_equal(stats.sent, 2);
    assert_int_equal(stats.adopted, 1);
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    check_stream(&s.server, r.stream, 1);
    unset(&s);
}

// The thread sanitizer does not follow threads that the child of a fork starts.
#if defined(__SANITIZE_THREAD__)
#define SKIP_FORKS true
#else
#define SKIP_FORKS false
#endif

static void test_the_child_of_a_fork_has_its_own_stream(void **state) {
    (void)state;
    if (SKIP_FORKS) {
        print_message("skipped: forks, under the thread sanitizer\n");
        skip();
    }
    static struct setting s;
    struct mltrail_receipt before, after;
    int status;
    set(&s);
    struct mltrail_client *c = open_client(&s.opt);
    log_one(c, &before);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool good = true;
        for (unsigned i = 0; i < 3; i++) {
            good = good && mltrail_client_log(c, &after, RECORD, strlen(RECORD), NULL) == MLTRAIL_OK;
        }
        good = good && after.sequence == 3 && strcmp(after.stream, before.stream) != 0;
        good = good && mltrail_client_close(c, 20000, NULL) == MLTRAIL_OK;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    log_one(c, &after);
    assert_string_equal(after.stream, before.stream);
    assert_int_equal(after.sequence, 2);
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    check_stream(&s.server, before.stream, 2);
    assert_int_equal(num_arrived(&s.server), 2 + 1 + 3 + 1);
    unset(&s);
}

static void *log_and_wait(void *client) {
    return mltrail_client_log(client, NULL, RECORD, strlen(RECORD), NULL) == MLTRAIL_TIMEOUT ? client : NULL;
}

static void test_a_fork_while_a_thread_waits_for_its_receipt(void **state) {
    (void)state;
    if (SKIP_FORKS) {
        print_message("skipped: forks, under the thread sanitizer\n");
        skip();
    }
    static struct setting s;
    pthread_t waiting;
    int status;
    set(&s);
    atomic_store(&s.server.say, 503);
    s.opt.mode = MLTRAIL_SYNC;
    s.opt.wait_ms = 500;
    struct mltrail_client *c = open_client(&s.opt);
    assert_int_equal(pthread_create(&waiting, NULL, log_and_wait, c), 0);
    struct mltrail_client_stats stats = {0};
    for (unsigned i = 0; i < 1000 && stats.failures == 0; i++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        (void)nanosleep(&pause, NULL);
        mltrail_client_get_stats(c, &stats);
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(20); // a child that hangs is no answer
        bool good = mltrail_client_log(c, NULL, RECORD, strlen(RECORD), NULL) == MLTRAIL_TIMEOUT;
        good = good && mltrail_client_close(c, 0, NULL) == MLTRAIL_TIMEOUT;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    void *timed_out = NULL;
    pthread_join(waiting, &timed_out);
    assert_non_null(timed_out);
    atomic_store(&s.server.say, 0);
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    unset(&s);
}

static void test_fire_drops_and_says_so(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_receipt r;
    struct mltrail_client_stats stats;
    set(&s);
    atomic_store(&s.server.say, 503);
    s.opt.mode = MLTRAIL_FIRE;
    s.opt.spool_dir = NULL;
    s.opt.spool_max = 65536;
    struct mltrail_client *c = open_client(&s.opt);
    for (unsigned i = 0; i < 1000; i++) {
        log_one(c, &r);
    }
    assert_int_equal(r.frame, 0); // dropped
    assert_int_equal(r.sequence, 1000);
    mltrail_client_get_stats(c, &stats);
    assert_in_range(stats.lost, 500, 999);
    atomic_store(&s.server.say, 0);
    assert_int_equal(mltrail_client_flush(c, 20000, NULL), MLTRAIL_OK);
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    char lost[32];
    (void)snprintf(lost, sizeof lost, "\"count\":1000,\"lost\":%llu,", (unsigned long long)stats.lost);
    assert_true(arrived(&s.server, lost));
    unset(&s);
}

static void test_a_full_spool(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_error err;
    struct mltrail_client_stats stats;
    enum mltrail_status status = MLTRAIL_OK;
    set(&s);
    atomic_store(&s.server.say, 503);
    s.opt.spool_max = 65536;
    s.opt.on_full = MLTRAIL_ERROR;
    struct mltrail_client *c = open_client(&s.opt);
    for (unsigned i = 0; i < 2000 && status == MLTRAIL_OK; i++) {
        status = mltrail_client_log(c, NULL, RECORD, strlen(RECORD), &err);
    }
    assert_int_equal(status, MLTRAIL_NOSPACE);
    mltrail_client_get_stats(c, &stats);
    assert_int_equal(stats.lost, 1); // a number was taken for it
    atomic_store(&s.server.say, 0);
    assert_int_equal(mltrail_client_flush(c, 20000, &err), MLTRAIL_OK);
    log_one(c, NULL); // space came back
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    unset(&s);
}

static void test_what_is_wrong_is_said(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_client *c;
    struct mltrail_error err;
    set(&s);
    static const char *const urls[] = {"",           "ftp://example.com", "http://",
                                       "http://a b", "unix://relative",   "http://example.com/?x=1"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct mltrail_client_options opt = s.opt;
        opt.url = urls[i];
        assert_int_equal(mltrail_client_open(&c, &opt, &err), MLTRAIL_INVALID);
        assert_null(c);
    }
    struct mltrail_client_options opt = s.opt;
    opt.spool_dir = NULL;
    assert_int_equal(mltrail_client_open(&c, &opt, &err), MLTRAIL_INVALID);
    opt = s.opt;
    opt.spool_max = 1;
    assert_int_equal(mltrail_client_open(&c, &opt, &err), MLTRAIL_INVALID);
    c = open_client(&s.opt);
    assert_int_equal(mltrail_client_log(c, NULL, "{", 1, &err), MLTRAIL_INVALID);
    assert_int_equal(mltrail_client_log(c, NULL, "{\"kind\":\"predicton\"}", 20, &err), MLTRAIL_INVALID);
    assert_non_null(strstr(err.text, "did you mean"));
    const struct mltrail_prediction bad = {.prediction = "{"};
    assert_int_equal(mltrail_client_log_prediction(c, NULL, &bad, &err), MLTRAIL_INVALID);
    const struct mltrail_prediction good = {.prediction = "1", .members = " {\"latency_ms\": 2 }"};
    assert_int_equal(mltrail_client_log_prediction(c, NULL, &good, &err), MLTRAIL_OK);
    const struct mltrail_prediction empty = {.prediction = "1", .members = "{ }"};
    assert_int_equal(mltrail_client_log_prediction(c, NULL, &empty, &err), MLTRAIL_OK);
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    assert_true(arrived(&s.server, "\"prediction\":1,\"latency_ms\":2,\"serving_node\":\"n\""));
    assert_int_equal(mltrail_client_close(NULL, 0, NULL), MLTRAIL_OK);
    unset(&s);
}

static void test_a_batch_that_is_refused_whole_is_taken_apart(void **state) {
    (void)state;
    static struct setting s;
    struct mltrail_client_stats stats;
    set(&s);
    struct mltrail_client *c = open_client(&s.opt);
    static const int whole[] = {413, 422}; // 422 with a body that speaks of no line
    for (unsigned k = 0; k < 2; k++) {
        atomic_store(&s.server.say, whole[k]);
        for (unsigned i = 0; i < 5; i++) {
            log_one(c, NULL);
        }
        assert_int_equal(mltrail_client_flush(c, 20000, NULL), MLTRAIL_OK);
        mltrail_client_get_stats(c, &stats);
        assert_int_equal(stats.rejected, 5 * (k + 1));
    }
    atomic_store(&s.server.say, 0);
    assert_int_equal(mltrail_client_close(c, 20000, NULL), MLTRAIL_OK);
    unset(&s);
}

int main(void) {
    // What goes to this machine goes there whatever proxy the environment names: every test would fail through it.
    (void)setenv("http_proxy", "http://127.0.0.1:9", 1);
    (void)unsetenv("no_proxy");
    (void)unsetenv("NO_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_one_sequence),
        cmocka_unit_test(test_sync_gives_receipts),
        cmocka_unit_test(test_without_an_answer_it_stays),
        cmocka_unit_test(test_the_child_of_a_fork_has_its_own_stream),
        cmocka_unit_test(test_a_fork_while_a_thread_waits_for_its_receipt),
        cmocka_unit_test(test_fire_drops_and_says_so),
        cmocka_unit_test(test_a_full_spool),
        cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_a_batch_that_is_refused_whole_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
