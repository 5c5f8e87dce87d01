// links: mlt_base
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loopback.h"

static void test_names(void **state) {
    // This machine by its names, with and without port and credentials; nothing that only looks like one.
    static const char *const here[] = {"http://localhost",       "https://LOCALHOST:8470/x", "http://127.0.0.1:1",
                                       "http://127.255.3.9/a?b", "http://[::1]:8470/",       "http://a:b@localhost:1",
                                       "http://a@b@127.0.0.1"};
    static const char *const elsewhere[] = {"",
                                            "localhost",
                                            "http://",
                                            "http://localhost.example.org",
                                            "http://127.example.org",
                                            "http://127.0.0.1.example.org",
                                            "http://127.0.0",
                                            "http://localhost@example.org",
                                            "http://example.org/@localhost",
                                            "http://example.org?x=://localhost",
                                            "http://[::2]",
                                            "http://[::1",
                                            "http://128.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        assert_true(mlt_loopback_url(here[i]));
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        assert_false(mlt_loopback_url(elsewhere[i]));
    }
    assert_false(mlt_loopback_url((const char *)0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
