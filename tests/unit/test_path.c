// links: mlt_server mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/path.h"

static void test_shapes(void **state) {
    // A path matches a pattern segment by segment; a name takes one segment that is not empty, a rest takes all of it.
    (void)state;
    assert_true(mlt_path_matches("/v1/records", "/v1/records"));
    assert_true(mlt_path_matches("/v1/records/{index}", "/v1/records/7"));
    assert_true(mlt_path_matches("/v1/records/{index}/proof", "/v1/records/7/proof"));
    assert_true(mlt_path_matches("/tile/{tile...}", "/tile/entries/x001/067.p/3"));
    assert_false(mlt_path_matches("/v1/records/{index}", "/v1/records/"));
    assert_false(mlt_path_matches("/v1/records/{index}", "/v1/records/7/proof"));
    assert_false(mlt_path_matches("/v1/records", "/v1/records/"));
    assert_false(mlt_path_matches("/v1/records", "/v1/recordsx"));
    assert_false(mlt_path_matches("/tile/{tile...}", "/tile/"));
    assert_false(mlt_path_matches("/healthz", "*"));
    assert_false(mlt_path_matches("/healthz", "http://host/healthz"));
}

static void test_names(void **state) {
    // An encoded slash, hash or percent sign stays part of its name, and so does any Unicode.
    (void)state;
    struct mlt_arena arena = {0};
    struct mlt_path path;
    struct mlt_error err;
    assert_int_equal(mlt_path_decode(&path, "/v1/models/{model}/versions/{version}",
                                     "/v1/models/a%2Fb%23c%25/versions/%e2%82%ac%201", &arena, &err),
                     MLT_OK);
    assert_int_equal(path.num_segments, 2);
    assert_true(mlt_bytes_is(path.segments[0], "a/b#c%"));
    assert_true(mlt_bytes_is(path.segments[1], "\xe2\x82\xac 1"));
    assert_int_equal(mlt_path_decode(&path, "/v1/lineage/{ref}", "/v1/lineage/a+b", &arena, &err), MLT_OK);
    assert_true(mlt_bytes_is(path.segments[0], "a+b"));
    mlt_arena_clear(&arena);
}

static void test_bad_encoding(void **state) {
    // A percent sign without two digits, and text that is not UTF-8, are told apart from names.
    (void)state;
    static const char *const bad[] = {"%", "%4", "%zz", "a%2", "%ff", "%c0%af", "%ed%a0%80"};
    struct mlt_arena arena = {0};
    struct mlt_error err;
    struct mlt_bytes out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mlt_percent_decode(&out, mlt_str(bad[i]), false, &arena, &err), MLT_INVALID);
        assert_non_null(strstr(err.text, "percent"));
    }
    mlt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
