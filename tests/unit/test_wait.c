// links: mlt_base mlt_testlib
#include "base/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SHORT_NS INT64_C(20000000)
#define LONG_NS (60 * MLT_NS_PER_S)

struct fixture {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool ready;
};

static void set_up(struct fixture *f) {
    assert_int_equal(pthread_mutex_init(&f->mu, NULL), 0);
    assert_true(mlt_wait_init(&f->cond));
    f->ready = false;
}

static void tear_down(struct fixture *f) {
    pthread_cond_destroy(&f->cond);
    pthread_mutex_destroy(&f->mu);
}

static void test_ends_in_time(void **state) {
    // a wait that nobody ends is over at its time, and not before
    (void)state;
    struct fixture f;
    set_up(&f);
    pthread_mutex_lock(&f.mu);
    const int64_t until = mlt_wait_now() + SHORT_NS;
    while (mlt_wait_until(&f.cond, &f.mu, until)) {
    }
    assert_true(mlt_wait_now() >= until);
    assert_false(mlt_wait_until(&f.cond, &f.mu, until)); // and one that is over does not begin
    pthread_mutex_unlock(&f.mu);
    tear_down(&f);
}

static void *make_ready(void *arg) {
    struct fixture *f = arg;
    pthread_mutex_lock(&f->mu);
    f->ready = true;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->mu);
    return NULL;
}

static void wait_for_signal(int64_t until) {
    struct fixture f;
    pthread_t thread;
    set_up(&f);
    pthread_mutex_lock(&f.mu);
    assert_int_equal(pthread_create(&thread, NULL, make_ready, &f), 0);
    while (!f.ready) {
        assert_true(mlt_wait_until(&f.cond, &f.mu, until));
    }
    pthread_mutex_unlock(&f.mu);
    assert_int_equal(pthread_join(thread, NULL), 0);
    tear_down(&f);
}

static void test_signal_ends_it(void **state) {
    // a signal ends a wait long before its time, and one without a time
    (void)state;
    wait_for_signal(mlt_wait_now() + LONG_NS);
    wait_for_signal(INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_in_time),
        cmocka_unit_test(test_signal_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
