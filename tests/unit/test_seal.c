// links: mlt_crypto mlt_testlib
//
// The sealed payload, salt and commitment were computed apart from this code, with Python's hashlib and cryptography
// 48, from the derivations in crypto/seal.h.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/seal.h"
#include "lib/vectors.h"

#include <cmocka.h>

static struct mlt_sealer *sealer;
static uint8_t secret[MLT_SECRET_LEN]; // 00 01 … 1f

static int set_up(void **state) {
    (void)state;
    uint8_t kek[MLT_KEK_LEN];
    for (size_t i = 0; i < sizeof(kek); i++) {
        kek[i] = (uint8_t)i;
        secret[i] = (uint8_t)i;
    }
    return mlt_sealer_new(&sealer, kek, NULL) != MLT_OK;
}

static int tear_down(void **state) {
    (void)state;
    mlt_sealer_free(sealer);
    mlt_sealer_free(NULL);
    return 0;
}

static void test_wrap_known_answer(void **state) {
    // Wrapping agrees with a computation of seal.h's formula by other software (Python's hashlib and cryptography),
    // again on the second use of the same contexts.
    (void)state;
    uint8_t data[32];
    uint8_t want[MLT_WRAPPED_LEN];
    uint8_t wrapped[MLT_WRAPPED_LEN];
    uint8_t back[32];
    test_unhex(data, 32, "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    test_unhex(want, sizeof(want),
               "09593245d06a511c007782f1e94ae04849862fd9aa7506d5265e6e55a19a1fd38a30cfd39e04f10689fb77c23560e8d755eb09c"
               "4d36c7041"
               "a3935a0a");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(mlt_seal_wrap(sealer, wrapped, data, NULL), MLT_OK);
        assert_memory_equal(wrapped, want, sizeof(want));
        assert_int_equal(mlt_seal_unwrap(sealer, back, wrapped, NULL), MLT_OK);
        assert_memory_equal(back, data, 32);
    }
}

static void test_unwrap_refuses_other_bytes(void **state) {
    // A wrapped secret with one changed byte, or made with another key, is refused, and no secret comes out.
    (void)state;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    uint8_t back[32];
    static const uint8_t zero[32];
    struct mlt_error err;
    assert_int_equal(mlt_seal_wrap(sealer, wrapped, secret, NULL), MLT_OK);
    for (size_t i = 0; i < sizeof(wrapped); i++) {
        wrapped[i] ^= 1;
        memset(back, 0xaa, sizeof(back));
        assert_int_equal(mlt_seal_unwrap(sealer, back, wrapped, &err), MLT_CORRUPT);
        assert_memory_equal(back, zero, sizeof(back));
        wrapped[i] ^= 1;
    }
    struct mlt_sealer *other = NULL;
    static const uint8_t other_kek[MLT_KEK_LEN] = {7};
    assert_int_equal(mlt_sealer_new(&other, other_kek, NULL), MLT_OK);
    assert_int_equal(mlt_seal_unwrap(other, back, wrapped, NULL), MLT_CORRUPT);
    mlt_sealer_free(other);
    assert_int_equal(mlt_seal_unwrap(sealer, back, wrapped, NULL), MLT_OK);
    assert_memory_equal(back, secret, sizeof(back));
}

static void test_sealed_payload_known_answer(void **state) {
    // A sealed payload has exactly the documented bytes, an empty one too, and opens to what was sealed.
    (void)state;
    static const char plain[] = "{\"prediction\":0.87}";
    size_t plain_len = sizeof(plain) - 1;
    uint8_t want[19 + MLT_SEAL_TAG_LEN];
    uint8_t sealed[19 + MLT_SEAL_TAG_LEN];
    uint8_t opened[19];
    test_unhex(want, sizeof(want), "44c853a78ec1cb1c870be5d43916b546cb28a8cbd8d61bb0cc0f424b8ba44290f75e09");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(mlt_seal_payload(sealer, sealed, secret, mlt_str(plain), NULL), MLT_OK);
        assert_memory_equal(sealed, want, sizeof(want));
        assert_int_equal(mlt_seal_open(sealer, opened, secret, mlt_bytes_of(sealed, sizeof(sealed)), NULL), MLT_OK);
        assert_memory_equal(opened, plain, plain_len);
    }
    test_unhex(want, MLT_SEAL_TAG_LEN, "c2cea74157754a601a71a6daf1902505");
    assert_int_equal(mlt_seal_payload(sealer, sealed, secret, mlt_bytes_of(NULL, 0), NULL), MLT_OK);
    assert_memory_equal(sealed, want, MLT_SEAL_TAG_LEN);
    assert_int_equal(mlt_seal_open(sealer, opened, secret, mlt_bytes_of(sealed, MLT_SEAL_TAG_LEN), NULL), MLT_OK);
}

static void test_open_refuses_other_bytes(void **state) {
    // A sealed payload that was changed anywhere, cut, or is opened with another secret gives nothing.
    (void)state;
    static const char plain[] = "{\"prediction\":0.87}";
    static const uint8_t zero[19];
    uint8_t sealed[19 + MLT_SEAL_TAG_LEN];
    uint8_t opened[19];
    uint8_t other[MLT_SECRET_LEN] = {1};
    struct mlt_bytes all = mlt_bytes_of(sealed, sizeof(sealed));
    assert_int_equal(mlt_seal_payload(sealer, sealed, secret, mlt_str(plain), NULL), MLT_OK);
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 0x80;
        assert_int_equal(mlt_seal_open(sealer, opened, secret, all, NULL), MLT_CORRUPT);
        assert_memory_equal(opened, zero, sizeof(opened));
        sealed[i] ^= 0x80;
    }
    for (size_t len = 0; len < sizeof(sealed); len++) {
        assert_int_equal(mlt_seal_open(sealer, opened, secret, mlt_bytes_of(sealed, len), NULL), MLT_CORRUPT);
    }
    assert_int_equal(mlt_seal_open(sealer, opened, other, all, NULL), MLT_CORRUPT);
    assert_int_equal(mlt_seal_open(sealer, opened, secret, all, NULL), MLT_OK);
    assert_memory_equal(opened, plain, sizeof(opened));
}

static void test_commitment_known_answer(void **state) {
    // Salt and commitment have exactly the documented bytes.
    (void)state;
    uint8_t want[MLT_HASH_LEN];
    uint8_t salt[MLT_HASH_LEN];
    uint8_t commitment[MLT_HASH_LEN];
    test_unhex(want, 32, "e9810dd5052df5d1e7c054bb9603c67bc82d0484722a3776716f886abb250fd1");
    mlt_seal_salt(salt, secret, mlt_str("prediction"));
    assert_memory_equal(salt, want, 32);
    test_unhex(want, 32, "5487dac7c66066ee4038187edb7a4be510faa148b8e8071f48637ea523948867");
    mlt_seal_commit(commitment, salt, mlt_str("prediction"), mlt_str("0.87"));
    assert_memory_equal(commitment, want, 32);
}

static void test_commitments_are_separated(void **state) {
    // Moving a byte between name and value, or changing salt, name or value, changes the commitment.
    (void)state;
    static const char *const pairs[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"ab", "d"}};
    uint8_t commitments[6][MLT_HASH_LEN];
    uint8_t salt[MLT_HASH_LEN] = {1};
    for (size_t i = 0; i < 5; i++) {
        mlt_seal_commit(commitments[i], salt, mlt_str(pairs[i][0]), mlt_str(pairs[i][1]));
    }
    salt[0] = 2;
    mlt_seal_commit(commitments[5], salt, mlt_str("ab"), mlt_str("c"));
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(commitments[i], commitments[k], MLT_HASH_LEN);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrap_known_answer),           cmocka_unit_test(test_unwrap_refuses_other_bytes),
        cmocka_unit_test(test_sealed_payload_known_answer), cmocka_unit_test(test_open_refuses_other_bytes),
        cmocka_unit_test(test_commitment_known_answer),     cmocka_unit_test(test_commitments_are_separated),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
