// links: mlt_server mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/gunzip.h"

// "hello\n", as gzip -n makes it.
static const uint8_t HELLO[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd,
                                0xc9, 0xc9, 0xe7, 0x02, 0x00, 0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00};

static void test_any_cut_unpacks_the_same(void **state) {
    // However the bytes arrive, they say the same; what is short of the end is told as such.
    (void)state;
    for (size_t cut = 1; cut < sizeof HELLO; cut++) {
        struct mlt_gunzip *z = mlt_gunzip_new();
        struct mlt_buf out = {0};
        struct mlt_error err = {0};
        assert_non_null(z);
        assert_int_equal(mlt_gunzip_feed(z, mlt_bytes_of(HELLO, cut), 64, &out, &err), MLT_OK);
        assert_int_equal(mlt_gunzip_end(z, &err), MLT_INVALID);
        assert_int_equal(mlt_gunzip_feed(z, mlt_bytes_of(HELLO + cut, sizeof HELLO - cut), 64, &out, &err), MLT_OK);
        assert_int_equal(mlt_gunzip_end(z, &err), MLT_OK);
        assert_true(mlt_bytes_is(mlt_buf_bytes(&out), "hello\n"));
        mlt_buf_clear(&out);
        mlt_gunzip_free(z);
    }
}

static void test_members_follow_each_other(void **state) {
    // Two members are one text.
    (void)state;
    struct mlt_gunzip *z = mlt_gunzip_new();
    struct mlt_buf out = {0};
    struct mlt_buf in = {0};
    struct mlt_error err = {0};
    mlt_buf_put(&in, HELLO, sizeof HELLO);
    mlt_buf_put(&in, HELLO, sizeof HELLO);
    assert_int_equal(mlt_gunzip_feed(z, mlt_buf_bytes(&in), 64, &out, &err), MLT_OK);
    assert_int_equal(mlt_gunzip_end(z, &err), MLT_OK);
    assert_true(mlt_bytes_is(mlt_buf_bytes(&out), "hello\nhello\n"));
    mlt_buf_clear(&in);
    mlt_buf_clear(&out);
    mlt_gunzip_free(z);
}

static void test_limits_and_damage(void **state) {
    // The limit holds for what is unpacked; a flipped bit anywhere is seen at the latest at the end.
    (void)state;
    struct mlt_error err = {0};
    struct mlt_gunzip *z = mlt_gunzip_new();
    struct mlt_buf out = {0};
    assert_int_equal(mlt_gunzip_feed(z, mlt_bytes_of(HELLO, sizeof HELLO), 5, &out, &err), MLT_LIMIT);
    mlt_gunzip_free(z);
    for (size_t bit = 0; bit < sizeof HELLO * 8; bit++) {
        uint8_t bad[sizeof HELLO];
        size_t byte = bit / 8;
        if (bit == 24 || (byte >= 4 && byte <= 9) || (bit >= 138 && bit < 144)) {
            continue; // "is text", time, the compressor's own flags, system, padding: no part of the text
        }
        memcpy(bad, HELLO, sizeof bad);
        bad[byte] ^= (uint8_t)(1u << bit % 8);
        z = mlt_gunzip_new();
        mlt_buf_reset(&out);
        enum mlt_status status = mlt_gunzip_feed(z, mlt_bytes_of(bad, sizeof bad), 4096, &out, &err);
        status = status ? status : mlt_gunzip_end(z, &err);
        if (status == MLT_OK) {
            fail_msg("bit %zu is not seen", bit);
        }
        mlt_gunzip_free(z);
    }
    mlt_buf_clear(&out);
    mlt_gunzip_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_unpacks_the_same),
        cmocka_unit_test(test_members_follow_each_other),
        cmocka_unit_test(test_limits_and_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
