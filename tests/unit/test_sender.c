// links: mlt_mlflow mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "lib/scripted_server.h"
#include "mlflow/sender.h"

static void ignore(void *arg, const char *line) {
    (void)arg, (void)line;
}

// Puts `num` exchanges before the first is sent; ends when `requests` were answered and the queue is empty.
static struct mlt_sender_counts send_through(struct scripted_server *server, size_t num, size_t requests) {
    struct mlt_sender_options opt = {.trail = {.base = server->url}, .log = ignore};
    struct mlt_sender_counts counts = {0};
    struct mlt_sender *s = NULL;
    struct mlt_error err = {0};
    assert_int_equal(mlt_sender_start(&s, &opt, &err), MLT_OK);
    for (size_t i = 0; i < num; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "{\"n\":%zu}", i);
        assert_true(mlt_sender_put(s, mlt_str(line)));
    }
    for (int i = 0; i < 1000 && atomic_load(&server->num) < requests; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000L}, NULL);
    }
    mlt_sender_stop(s, &counts);
    return counts;
}

static void test_waits_for_who_repairs_it(void **state) {
    // A token that does not hold, a wrong address and a trail in trouble are repaired some day: nothing is lost.
    static const int statuses[] = {401, 403, 404, 503};
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        const int script[] = {statuses[i], 200};
        struct scripted_server server;
        scripted_start(&server, script, 2);
        struct mlt_sender_counts counts = send_through(&server, 1, 2);
        scripted_stop(&server);
        assert_int_equal(counts.sent, 1);
        assert_int_equal(counts.refused + counts.lost, 0);
        assert_string_equal(server.bodies[0], server.bodies[1]);
    }
}

static void test_what_is_refused_is_alone(void **state) {
    // A batch that is refused as a whole goes in halves: one exchange does not take the others with it.
    static const int script[] = {503, 413, 413, 200};
    struct scripted_server server;
    (void)state;
    scripted_start(&server, script, sizeof script / sizeof script[0]);
    struct mlt_sender_counts counts = send_through(&server, 4, 5);
    scripted_stop(&server);
    // What was put before the first try is not known; every later request has a part of the rest, in order.
    assert_int_equal(counts.sent + counts.refused, 4);
    assert_int_equal(counts.lost, 0);
    assert_string_equal(server.bodies[1], "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    assert_string_equal(server.bodies[2], "{\"n\":0}\n{\"n\":1}\n");
    assert_string_equal(server.bodies[3], "{\"n\":0}\n");
    assert_int_equal(counts.refused, 0);
}

static void test_at_once(void **state) {
    // Who waits learns whether it was refused, or may be taken later.
    static const int script[] = {200, 401, 413};
    static const enum mlt_status want[] = {MLT_OK, MLT_IO, MLT_INVALID};
    struct mlt_sender_counts counts = {0};
    struct scripted_server server;
    struct mlt_sender *s = NULL;
    struct mlt_error err = {0};
    (void)state;
    scripted_start(&server, script, sizeof script / sizeof script[0]);
    struct mlt_sender_options opt = {.trail = {.base = server.url}, .log = ignore};
    assert_int_equal(mlt_sender_start(&s, &opt, &err), MLT_OK);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_int_equal(mlt_sender_now(s, mlt_str("{}"), &err), want[i]);
    }
    mlt_sender_stop(s, &counts);
    scripted_stop(&server);
    assert_int_equal(counts.sent, 1);
    assert_int_equal(counts.refused, 1);
}

static void test_no_proxy_between(void **state) {
    // A proxy of the environment is another machine: what goes to this one goes there without it.
    static const int script[] = {200};
    struct scripted_server server;
    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
    scripted_start(&server, script, 1);
    struct mlt_sender_counts counts = send_through(&server, 1, 1);
    scripted_stop(&server);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(counts.sent, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_who_repairs_it),
        cmocka_unit_test(test_what_is_refused_is_alone),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_no_proxy_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
