// links: mlt_base mlt_testlib
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"

#include <cmocka.h>

static void test_compare_orders_bytewise(void **state) {
    // Slices are ordered bytewise as unsigned numbers, a prefix before the longer one.
    (void)state;
    assert_int_equal(mlt_bytes_compare(mlt_str("a"), mlt_str("a")), 0);
    assert_int_equal(mlt_bytes_compare(mlt_bytes_of(NULL, 0), mlt_str("")), 0);
    assert_true(mlt_bytes_compare(mlt_str("a"), mlt_str("ab")) < 0);
    assert_true(mlt_bytes_compare(mlt_str("b"), mlt_str("ab")) > 0);
    assert_true(mlt_bytes_compare(mlt_str("\xff"), mlt_str("a")) > 0);
    assert_true(mlt_bytes_compare(mlt_bytes_of(NULL, 0), mlt_str("a")) < 0);
}

static void test_buffer_grows_and_keeps(void **state) {
    // A buffer keeps everything that was put, in order, over many growths.
    (void)state;
    struct mlt_buf buf = {0};
    for (unsigned i = 0; i < 5000; i++) {
        mlt_buf_put_u32be(&buf, i);
    }
    assert_false(buf.failed);
    assert_int_equal(buf.len, 20000);
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&buf));
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(mlt_cursor_u32be(&c), i);
    }
    assert_int_equal(mlt_cursor_left(&c), 0);
    assert_false(c.failed);
    mlt_buf_clear(&buf);
    mlt_buf_clear(&buf);
    mlt_buf_clear(NULL);
}

static void test_buffer_failure_sticks(void **state) {
    // A reservation that cannot be met marks the buffer, and later puts do nothing until it is reset.
    (void)state;
    struct mlt_buf buf = {0};
    mlt_buf_put_str(&buf, "abc");
    assert_false(mlt_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    mlt_buf_put_str(&buf, "def");
    assert_int_equal(buf.len, 3);
    assert_null(mlt_buf_cstr(&buf));
    mlt_buf_reset(&buf);
    mlt_buf_put_str(&buf, "x");
    assert_string_equal(mlt_buf_cstr(&buf), "x");
    mlt_buf_clear(&buf);
}

static void test_buffer_texts(void **state) {
    // Numbers, formats, hex and base64 are appended as text, and the terminator does not count.
    (void)state;
    struct mlt_buf buf = {0};
    mlt_buf_put_u64_decimal(&buf, 0);
    mlt_buf_put_u8(&buf, ' ');
    mlt_buf_put_u64_decimal(&buf, UINT64_MAX);
    mlt_buf_printf(&buf, " %s-%d ", "n", -7);
    mlt_buf_put_hex(&buf, mlt_bytes_of("\x00\xab", 2));
    mlt_buf_put_u8(&buf, ' ');
    mlt_buf_put_base64(&buf, mlt_str("fo"));
    assert_string_equal(mlt_buf_cstr(&buf), "0 18446744073709551615 n--7 00ab Zm8=");
    assert_int_equal(buf.len, strlen("0 18446744073709551615 n--7 00ab Zm8="));
    mlt_buf_reset(&buf);
    mlt_buf_put_u16be(&buf, 0x0102);
    mlt_buf_put_u64be(&buf, UINT64_C(0x0102030405060708));
    assert_memory_equal(buf.data, "\x01\x02\x01\x02\x03\x04\x05\x06\x07\x08", 10);
    mlt_buf_clear(&buf);
}

static void test_cursor_fails_for_good(void **state) {
    // A cursor that was asked for more than is left fails, gives zeros, and stays failed.
    (void)state;
    struct mlt_cursor c = mlt_cursor_of(mlt_str("\x01\x02\x03"));
    assert_int_equal(mlt_cursor_u16be(&c), 0x0102);
    assert_int_equal(mlt_cursor_u16be(&c), 0);
    assert_true(c.failed);
    assert_int_equal(mlt_cursor_u8(&c), 0);
    assert_int_equal(mlt_cursor_left(&c), 0);
    assert_null(mlt_cursor_take(&c, 0).ptr);
    assert_null(mlt_cursor_line(&c).ptr);
    assert_true(c.failed);
}

static void test_cursor_takes(void **state) {
    // Takes, copies and lines advance over exactly what they return; a line needs its newline.
    (void)state;
    struct mlt_cursor c = mlt_cursor_of(mlt_str("abcone\n\nrest"));
    char out[3];
    assert_true(mlt_cursor_copy(&c, out, 3));
    assert_memory_equal(out, "abc", 3);
    assert_true(mlt_bytes_is(mlt_cursor_line(&c), "one"));
    struct mlt_bytes empty = mlt_cursor_line(&c);
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_true(mlt_bytes_is(mlt_cursor_take(&c, 2), "re"));
    assert_int_equal(mlt_cursor_left(&c), 2);
    assert_null(mlt_cursor_line(&c).ptr);
    assert_true(c.failed);

    struct mlt_cursor none = mlt_cursor_of(mlt_bytes_of(NULL, 0));
    assert_int_equal(mlt_cursor_left(&none), 0);
    assert_int_equal(mlt_cursor_take(&none, 0).len, 0);
    assert_false(none.failed);
    assert_int_equal(mlt_cursor_u64be(&none), 0);
    assert_true(none.failed);
}

static void test_percent_bytes(void **state) {
    // A percent sign and two digits of either case, wherever they stand, and nothing cut short.
    uint8_t c = 0;
    (void)state;
    assert_true(mlt_percent_byte(&c, mlt_str("a%2f"), 1) && c == '/');
    assert_true(mlt_percent_byte(&c, mlt_str("%C3%a9"), 0) && c == 0xc3);
    assert_true(mlt_percent_byte(&c, mlt_str("%C3%a9"), 3) && c == 0xa9);
    assert_false(mlt_percent_byte(&c, mlt_str("%2"), 0));
    assert_false(mlt_percent_byte(&c, mlt_str(""), 0));
    assert_false(mlt_percent_byte(&c, mlt_str("%2f"), 1));
    assert_false(mlt_percent_byte(&c, mlt_str("a%2"), 1));
    assert_false(mlt_percent_byte(&c, mlt_str("%2g"), 0));
    assert_false(mlt_percent_byte(&c, mlt_str("%%2"), 0));
    assert_false(mlt_percent_byte(&c, mlt_str("12f"), 0));
}

static void test_hex_is_canonical(void **state) {
    // Hex decodes in lower case and exact length only.
    (void)state;
    uint8_t out[2];
    assert_true(mlt_hex_decode(out, 2, mlt_str("09af")));
    assert_memory_equal(out, "\x09\xaf", 2);
    assert_false(mlt_hex_decode(out, 2, mlt_str("09AF")));
    assert_false(mlt_hex_decode(out, 2, mlt_str("09a")));
    assert_false(mlt_hex_decode(out, 2, mlt_str("09af0")));
    assert_false(mlt_hex_decode(out, 2, mlt_str("09af00")));
    assert_false(mlt_hex_decode(out, 2, mlt_str("09ag")));
    assert_true(mlt_hex_decode(out, 0, mlt_str("")));
}

static void test_base64_known_answers(void **state) {
    // Base64 agrees with the vectors of RFC 4648 section 10, both ways.
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[16];
        uint8_t bytes[16];
        size_t len = 99;
        mlt_base64_encode(text, mlt_str(pairs[i][0]));
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(strlen(text), mlt_base64_encoded_len(strlen(pairs[i][0])));
        assert_true(mlt_base64_decode(bytes, sizeof(bytes), &len, mlt_str(text)));
        assert_true(mlt_bytes_is(mlt_bytes_of(bytes, len), pairs[i][0]));
    }
}

static void test_base64_refuses_what_is_not_canonical(void **state) {
    // Base64 refuses stray bits, missing or misplaced padding, foreign characters, and what does not fit.
    (void)state;
    static const char *const bad[] = {"Zg",       "Zg=",  "Zh==",   "Zm9=",  "Z===", "====", "=Zg=",   "Zg==Zg==",
                                      "Zm8=Zg==", "Z g=", "Zm9v\n", "Zm9\n", "Zm-v", "Zm_v", "Zm8\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t bytes[16];
        size_t len = 99;
        assert_false(mlt_base64_decode(bytes, sizeof(bytes), &len, mlt_str(bad[i])));
        assert_int_equal(len, 0);
    }
    uint8_t two[2];
    size_t len = 0;
    assert_false(mlt_base64_decode(two, sizeof(two), &len, mlt_str("Zm9v")));
    assert_true(mlt_base64_decode(two, sizeof(two), &len, mlt_str("Zm8=")));
}

static void test_decimal_is_canonical(void **state) {
    // Decimal numbers have no sign, no leading zero, and at most the value of 64 bits.
    (void)state;
    uint64_t v = 1;
    assert_true(mlt_decimal_decode(&v, mlt_str("0")));
    assert_int_equal(v, 0);
    assert_true(mlt_decimal_decode(&v, mlt_str("18446744073709551615")));
    assert_true(v == UINT64_MAX);
    static const char *const bad[] = {"",
                                      "00",
                                      "01",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.",
                                      "0x1",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mlt_decimal_decode(&v, mlt_str(bad[i])));
    }
}

static void test_utf8_table(void **state) {
    // UTF-8 is accepted at the ends of every row of Unicode table 3-7 and refused just beyond.
    (void)state;
    static const char *const good[] = {"",
                                       "ascii\x7f",
                                       "\xc2\x80\xdf\xbf",
                                       "\xe0\xa0\x80\xe0\xbf\xbf",
                                       "\xe1\x80\x80\xec\xbf\xbf",
                                       "\xed\x80\x80\xed\x9f\xbf",
                                       "\xee\x80\x80\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80\xf0\xbf\xbf\xbf",
                                       "\xf1\x80\x80\x80\xf3\xbf\xbf\xbf",
                                       "\xf4\x80\x80\x80\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x7f",
                                      "\xc2\xc0",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xef\xbf\xc0",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xf1\x80\x80",
                                      "\xf1\x80\x80\x41",
                                      "\xff",
                                      "\xfe",
                                      "a\xe2\x82"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mlt_utf8_valid(mlt_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mlt_utf8_valid(mlt_str(bad[i])));
    }
    assert_true(mlt_utf8_valid(mlt_bytes_of("\0", 1)));
    // The same at every distance from the start, since runs of ASCII are skipped in eights.
    for (size_t i = 0; i < 20; i++) {
        char text[64] = "";
        memset(text, 'a', i);
        memcpy(text + i,
               "\xe2\x82\xac"
               "0123456789",
               13);
        assert_true(mlt_utf8_valid(mlt_bytes_of(text, i + 13)));
        assert_false(mlt_utf8_valid(mlt_bytes_of(text, i + 2)));
        text[i + 1] = 'a';
        assert_false(mlt_utf8_valid(mlt_bytes_of(text, i + 13)));
    }
}

// A slice becomes a C string only as it is: whole, and without a NUL that would cut it.
static void test_text_copy(void **state) {
    (void)state;
    char out[4] = "old";
    assert_false(mlt_text_copy(out, sizeof out, mlt_str("four")));
    assert_false(mlt_text_copy(out, sizeof out, mlt_bytes_of("a\0b", 3)));
    assert_string_equal(out, "old");
    assert_true(mlt_text_copy(out, sizeof out, mlt_str("abc")));
    assert_string_equal(out, "abc");
    assert_true(mlt_text_copy(out, sizeof out, (struct mlt_bytes){0}));
    assert_string_equal(out, "");
}

// One other byte anywhere tells.
static void test_all_the_same(void **state) {
    (void)state;
    uint8_t bytes[60];
    memset(bytes, 0xff, sizeof bytes);
    assert_true(mlt_bytes_all(mlt_bytes_of(bytes, sizeof bytes), 0xff));
    assert_false(mlt_bytes_all(mlt_bytes_of(bytes, sizeof bytes), 0));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 0;
        assert_false(mlt_bytes_all(mlt_bytes_of(bytes, sizeof bytes), 0xff));
        bytes[i] = 0xff;
    }
    assert_true(mlt_bytes_all(mlt_bytes_of(bytes, 1), 0xff));
    assert_true(mlt_bytes_all((struct mlt_bytes){0}, 0xff));
}

static void test_arena_allocates_apart_and_aligned(void **state) {
    // Allocations do not overlap, are aligned for any type, and survive until reset; large ones get a block each.
    (void)state;
    struct mlt_arena arena = {0};
    uint8_t *taken[200];
    for (size_t i = 0; i < 200; i++) {
        size_t len = i * 37 % 1000;
        taken[i] = mlt_arena_take(&arena, len);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % _Alignof(max_align_t), 0);
        memset(taken[i], (int)i, len);
    }
    uint8_t *large = mlt_arena_zero(&arena, 100000);
    assert_non_null(large);
    assert_int_equal(large[0] | large[99999], 0);
    for (size_t i = 0; i < 200; i++) {
        size_t len = i * 37 % 1000;
        for (size_t k = 0; k < len; k++) {
            assert_int_equal(taken[i][k], i);
        }
    }
    assert_true(arena.used >= 100000);
    mlt_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena.blocks);
    assert_non_null(mlt_arena_take(&arena, 1));
    mlt_arena_clear(&arena);
    mlt_arena_clear(&arena);
}

static void test_arena_recycles(void **state) {
    // An arena that is recycled hands out its ordinary blocks again, up to the stated amount, and nothing else.
    (void)state;
    struct mlt_arena arena = {0};
    void *first[4];
    for (size_t i = 0; i < 4; i++) {
        first[i] = mlt_arena_take(&arena, 16 * 1024);
        assert_non_null(first[i]);
    }
    assert_non_null(mlt_arena_take(&arena, 100000));
    mlt_arena_recycle(&arena, 3 * 16 * 1024);
    assert_int_equal(arena.used, 0);
    assert_null(arena.blocks);
    for (size_t i = 0; i < 3; i++) {
        void *again = mlt_arena_take(&arena, 16 * 1024);
        assert_true(again == first[0] || again == first[1] || again == first[2] || again == first[3]);
    }
    assert_null(arena.spare);
    mlt_arena_recycle(&arena, 3 * 16 * 1024);
    mlt_arena_recycle(&arena, 16 * 1024);
    assert_non_null(mlt_arena_take(&arena, 1));
    assert_null(arena.spare);
    mlt_arena_recycle(&arena, 0);
    assert_null(arena.spare);
    mlt_arena_clear(&arena);
}

static void test_arena_texts(void **state) {
    // Copies, C strings and formats are independent of their source; an impossible size gives NULL.
    (void)state;
    struct mlt_arena arena = {0};
    char source[] = "text";
    struct mlt_bytes copy = mlt_arena_copy(&arena, mlt_str(source));
    char *cstr = mlt_arena_cstr(&arena, mlt_bytes_of(source, 2));
    char *printed = mlt_arena_printf(&arena, "%s/%d", source, 12);
    source[0] = 'X';
    assert_true(mlt_bytes_is(copy, "text"));
    assert_string_equal(cstr, "te");
    assert_string_equal(printed, "text/12");
    assert_int_equal(mlt_arena_copy(&arena, mlt_bytes_of(NULL, 0)).len, 0);
    assert_string_equal(mlt_arena_cstr(&arena, mlt_bytes_of(NULL, 0)), "");
    assert_null(mlt_arena_take(&arena, SIZE_MAX));
    mlt_arena_clear(&arena);
}

static void test_errors_carry_context(void **state) {
    // Each level puts its context in front; the class and the system's reason are kept, and long texts are cut.
    (void)state;
    struct mlt_error err;
    assert_int_equal(mlt_fail_errno(&err, 28, "/x", "write %s", "/x"), MLT_NOSPACE);
    assert_int_equal(mlt_context(&err, MLT_NOSPACE, "append %d", 5), MLT_NOSPACE);
    assert_string_equal(err.text, "append 5: write /x: No space left on device");
    assert_string_equal(err.file, "/x");
    assert_int_equal(err.os_errno, 28);
    assert_int_equal(err.status, MLT_NOSPACE);

    char longer[3000];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(mlt_fail(&err, MLT_INVALID, "%s", longer), MLT_INVALID);
    assert_int_equal(strlen(err.text), MLT_ERROR_TEXT_LEN - 1);
    assert_int_equal(mlt_context(&err, MLT_INVALID, "front"), MLT_INVALID);
    assert_memory_equal(err.text, "front: aaa", 10);
    assert_int_equal(strlen(err.text), MLT_ERROR_TEXT_LEN - 1);
    assert_int_equal(err.os_errno, 0);

    assert_int_equal(mlt_fail(NULL, MLT_IO, "x"), MLT_IO);
    assert_int_equal(mlt_fail_errno(NULL, 2, NULL, "x"), MLT_NOTFOUND);
    assert_int_equal(mlt_fail_errno(&err, 12, NULL, "x"), MLT_NOMEM);
    assert_int_equal(mlt_fail_errno(&err, 5, NULL, "x"), MLT_IO);
    assert_int_equal(mlt_context(NULL, MLT_IO, "x"), MLT_IO);
    mlt_error_clear(&err);
    assert_int_equal(err.status, MLT_OK);
    assert_string_equal(err.text, "");
    for (int s = MLT_OK; s <= MLT_INTERNAL; s++) {
        assert_string_not_equal(mlt_status_name((enum mlt_status)s), "unknown");
    }
    assert_string_equal(mlt_status_name((enum mlt_status)999), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_orders_bytewise),
        cmocka_unit_test(test_buffer_grows_and_keeps),
        cmocka_unit_test(test_buffer_failure_sticks),
        cmocka_unit_test(test_buffer_texts),
        cmocka_unit_test(test_cursor_fails_for_good),
        cmocka_unit_test(test_cursor_takes),
        cmocka_unit_test(test_percent_bytes),
        cmocka_unit_test(test_hex_is_canonical),
        cmocka_unit_test(test_base64_known_answers),
        cmocka_unit_test(test_base64_refuses_what_is_not_canonical),
        cmocka_unit_test(test_decimal_is_canonical),
        cmocka_unit_test(test_utf8_table),
        cmocka_unit_test(test_text_copy),
        cmocka_unit_test(test_all_the_same),
        cmocka_unit_test(test_arena_allocates_apart_and_aligned),
        cmocka_unit_test(test_arena_texts),
        cmocka_unit_test(test_arena_recycles),
        cmocka_unit_test(test_errors_carry_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
