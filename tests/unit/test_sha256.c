// links: mlt_crypto mlt_testlib
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/sha256.h"
#include "lib/vectors.h"

#include <cmocka.h>

static void assert_hash(struct mlt_bytes data, const char *hex) {
    uint8_t want[MLT_HASH_LEN];
    uint8_t got[MLT_HASH_LEN];
    test_unhex(want, sizeof(want), hex);
    mlt_sha256_one(got, data);
    assert_memory_equal(got, want, sizeof(want));
}

static void test_known_answers(void **state) {
    // SHA-256 agrees with the examples of FIPS 180-4.
    (void)state;
    assert_hash(mlt_bytes_of(NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash(mlt_str("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash(mlt_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_parts_are_concatenated(void **state) {
    // Hashing parts is hashing their concatenation, empty parts included.
    (void)state;
    const struct mlt_bytes parts[] = {{NULL, 0}, mlt_str("a"), mlt_str(""), mlt_str("bc")};
    uint8_t got[MLT_HASH_LEN];
    uint8_t want[MLT_HASH_LEN];
    mlt_sha256(got, parts, 4);
    mlt_sha256_one(want, mlt_str("abc"));
    assert_memory_equal(got, want, sizeof(want));
}

static void test_parts_of_any_length(void **state) {
    // However a text is cut into parts, short and long ones in any order, the hash is that of the whole.
    (void)state;
    uint8_t text[2000];
    uint8_t want[MLT_HASH_LEN];
    uint8_t got[MLT_HASH_LEN];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 7);
    }
    mlt_sha256_one(want, mlt_bytes_of(text, sizeof(text)));
    static const size_t lengths[] = {255, 1, 256, 257, 3, 600, 0, 250, 7, 371};
    for (size_t turn = 0; turn < 10; turn++) {
        struct mlt_bytes parts[10];
        size_t at = 0;
        for (size_t i = 0; i < 10; i++) {
            parts[i] = mlt_bytes_of(text + at, lengths[(i + turn) % 10]);
            at += parts[i].len;
        }
        assert_int_equal(at, sizeof(text));
        mlt_sha256(got, parts, 10);
        assert_memory_equal(got, want, sizeof(want));
    }
}

static void test_stream_starts_anew(void **state) {
    // A stream gives the hash of a million letters however it was cut, and starts anew after its end.
    (void)state;
    char chunk[1000];
    uint8_t got[MLT_HASH_LEN];
    uint8_t want[MLT_HASH_LEN];
    memset(chunk, 'a', sizeof(chunk));
    test_unhex(want, sizeof(want), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    struct mlt_sha256_stream *s = mlt_sha256_stream_new();
    assert_non_null(s);
    for (int round = 0; round < 2; round++) {
        for (size_t left = 1000000; left > 0;) {
            size_t len = left % sizeof(chunk) ? left % sizeof(chunk) : (left > 1000 ? 997 : left);
            mlt_sha256_stream_add(s, chunk, len);
            left -= len;
        }
        mlt_sha256_stream_end(s, got);
        assert_memory_equal(got, want, sizeof(want));
    }
    mlt_sha256_stream_free(s);
    mlt_sha256_stream_free(NULL);
}

static void *hash_many(void *arg) {
    uint8_t want[MLT_HASH_LEN];
    uint8_t got[MLT_HASH_LEN];
    size_t *num_bad = arg;
    assert_true(mlt_hex_decode(want, sizeof(want),
                               mlt_str("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
    for (int i = 0; i < 2000; i++) {
        mlt_sha256_one(got, mlt_str("abc"));
        *num_bad += !mlt_memeql(got, want, sizeof(want));
    }
    return NULL;
}

static void test_threads_do_not_mix(void **state) {
    // Threads that hash at the same time do not disturb each other, and leave nothing behind when they end.
    (void)state;
    pthread_t threads[4];
    size_t num_bad[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_many, &num_bad[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(num_bad[i], 0);
    }
}

static void test_compare_and_wipe(void **state) {
    // The constant-time comparison sees a difference in any byte, and wiping leaves zeros.
    (void)state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_true(mlt_memeql(a, b, sizeof(a)));
    assert_true(mlt_memeql(NULL, NULL, 0));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 0x80;
        assert_false(mlt_memeql(a, b, sizeof(a)));
        b[i] = 0;
    }
    memset(b, 0xff, sizeof(b));
    mlt_wipe(b, sizeof(b));
    mlt_wipe(NULL, 0);
    assert_memory_equal(a, b, sizeof(a));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),       cmocka_unit_test(test_parts_are_concatenated),
        cmocka_unit_test(test_parts_of_any_length), cmocka_unit_test(test_stream_starts_anew),
        cmocka_unit_test(test_threads_do_not_mix),  cmocka_unit_test(test_compare_and_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
