// links: mlt_server mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/ndjson.h"
#include "server/query.h"

static void test_pairs(void **state) {
    // Pairs are decoded; a plus is a space, a value may be empty or absent, empty pairs are passed over.
    (void)state;
    struct mlt_arena arena = {0};
    struct mlt_query q;
    struct mlt_error err;
    assert_int_equal(mlt_query_parse(&q, mlt_str("a=1&&b=x+y%2Bz&c&d=&e=p%3Dq=r&"), &arena, &err), MLT_OK);
    assert_int_equal(q.num_params, 5);
    assert_true(mlt_bytes_is(mlt_query_find(&q, "b")->value, "x y+z"));
    assert_int_equal(mlt_query_find(&q, "c")->value.len, 0);
    assert_int_equal(mlt_query_find(&q, "d")->value.len, 0);
    assert_true(mlt_bytes_is(mlt_query_find(&q, "e")->value, "p=q=r"));
    assert_null(mlt_query_find(&q, "z"));
    assert_int_equal(mlt_query_parse(&q, mlt_str(""), &arena, &err), MLT_OK);
    assert_int_equal(q.num_params, 0);
    mlt_arena_clear(&arena);
}

static void test_refused(void **state) {
    // A name given twice, also when encoded differently, is refused, and so are values without a name and too many.
    (void)state;
    struct mlt_arena arena = {0};
    struct mlt_query q;
    struct mlt_error err;
    struct mlt_buf many = {0};
    for (int i = 0; i <= MLT_QUERY_PARAMS_MAX; i++) {
        mlt_buf_printf(&many, "p%d=1&", i);
    }
    assert_int_equal(mlt_query_parse(&q, mlt_str("limit=1&lim%69t=2"), &arena, &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "twice"));
    assert_int_equal(mlt_query_parse(&q, mlt_str("=1"), &arena, &err), MLT_INVALID);
    assert_int_equal(mlt_query_parse(&q, mlt_str("a=%"), &arena, &err), MLT_INVALID);
    assert_int_equal(mlt_query_parse(&q, mlt_buf_bytes(&many), &arena, &err), MLT_LIMIT);
    mlt_buf_clear(&many);
    mlt_arena_clear(&arena);
}

static void test_lines(void **state) {
    // Lines end in LF or CRLF, the last one may not; blank ones count and say nothing.
    (void)state;
    struct mlt_ndjson in = mlt_ndjson_of(mlt_str("{}\r\n\n \t\n[1]\nlast"));
    struct mlt_bytes line;
    assert_true(mlt_ndjson_next(&in, &line));
    assert_true(mlt_bytes_is(line, "{}") && in.line == 1);
    assert_true(mlt_ndjson_next(&in, &line));
    assert_true(mlt_bytes_is(line, "[1]") && in.line == 4);
    assert_true(mlt_ndjson_next(&in, &line));
    assert_true(mlt_bytes_is(line, "last") && in.line == 5);
    assert_false(mlt_ndjson_next(&in, &line));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
