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

static void test_what_unpacks_to_nothing_has_an_end(void **state) {
    // Members, blocks and names that unpack to nothing are bounded by what is fed.
    (void)state;
    static const uint8_t EMPTY[] = {0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t HEADS[][10] = {{0}, {0x1f, 0x8b, 0x08, 0x08}, {0x1f, 0x8b, 0x08}}; // named; not
    static const uint8_t BLOCK[] = {0x00, 0x00, 0x00, 0xff, 0xff}; // stored, empty, not the last
    const size_t max = 64 * sizeof EMPTY;
    struct mlt_error err = {0};
    struct mlt_buf out = {0};
    for (int what = 0; what < 3; what++) {
        struct mlt_gunzip *z = mlt_gunzip_new();
        enum mlt_status status = MLT_OK;
        size_t fed = 0;
        if (what > 0) {
            fed = sizeof HEADS[what];
            assert_int_equal(mlt_gunzip_feed(z, mlt_bytes_of(HEADS[what], fed), max, &out, &err), MLT_OK);
        }
        while (status == MLT_OK && fed < 2 * max) {
            const struct mlt_bytes pieces[] = {mlt_bytes_of(EMPTY, sizeof EMPTY), mlt_str("name"),
                                               mlt_bytes_of(BLOCK, sizeof BLOCK)};
            status = mlt_gunzip_feed(z, pieces[what], max, &out, &err);
            fed += pieces[what].len;
        }
        assert_int_equal(status, MLT_LIMIT);
        assert_true(fed > max && fed <= max + sizeof EMPTY);
        assert_int_equal(out.len, 0);
        mlt_gunzip_free(z);
    }
    mlt_buf_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_unpacks_the_same),
        cmocka_unit_test(test_members_follow_each_other),
        cmocka_unit_test(test_limits_and_damage),
        cmocka_unit_test(test_what_unpacks_to_nothing_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
