// links: mlt_mlflow mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/scripted_server.h"
#include "mlflow/sender.h"

// What the trail makes of one exchange when it answers so.
static enum mlt_status send_one(int answer, struct mlt_sender_counts *counts) {
    const int script[] = {answer};
    struct scripted_server server;
    struct mlt_sender *s = NULL;
    struct mlt_error err = {0};
    scripted_start(&server, script, 1);
    const struct mlt_client_options trail = {.base = server.url};
    assert_int_equal(mlt_sender_open(&s, &trail, &err), MLT_OK);
    enum mlt_status status = mlt_sender_now(s, mlt_str("{\"n\":0}"), &err);
    mlt_sender_close(s, counts);
    scripted_stop(&server);
    return status;
}

static void test_waits_for_who_repairs_it(void **state) {
    // A token that does not hold, a wrong address and a trail in trouble are repaired some day: that is no refusal.
    static const int answers[] = {401, 403, 404, 503};
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct mlt_sender_counts counts = {0};
        assert_int_equal(send_one(answers[i], &counts), MLT_IO);
        assert_int_equal(counts.sent + counts.refused, 0);
    }
}

static void test_at_once(void **state) {
    // Who waits learns whether it was taken, refused, or may be taken later; connections are kept in between.
    static const int script[] = {200, 401, 413};
    static const enum mlt_status want[] = {MLT_OK, MLT_IO, MLT_INVALID};
    struct mlt_sender_counts counts = {0};
    struct scripted_server server;
    struct mlt_sender *s = NULL;
    struct mlt_error err = {0};
    (void)state;
    scripted_start(&server, script, sizeof script / sizeof script[0]);
    const struct mlt_client_options trail = {.base = server.url};
    assert_int_equal(mlt_sender_open(&s, &trail, &err), MLT_OK);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_int_equal(mlt_sender_now(s, mlt_str("{}"), &err), want[i]);
    }
    mlt_sender_close(s, &counts);
    scripted_stop(&server);
    assert_int_equal(counts.sent, 1);
    assert_int_equal(counts.refused, 1);
}

static void test_no_proxy_between(void **state) {
    // A proxy of the environment is another machine: what goes to this one goes there without it.
    struct mlt_sender_counts counts = {0};
    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_int_equal(send_one(200, &counts), MLT_OK);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(counts.sent, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_who_repairs_it),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_no_proxy_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
