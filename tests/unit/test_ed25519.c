// links: mlt_crypto mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/ed25519.h"
#include "lib/vectors.h"

#include <cmocka.h>

// RFC 8032 section 7.1, tests 1, 2 and 3.
static const struct {
    const char *seed;
    const char *public_key;
    const char *message;
    const char *sig;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
     "655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
     "b00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
     "c027beceea1ec40a"},
};

static void test_known_answers(void **state) {
    // Public keys and signatures are those of RFC 8032, the second signature of a key included.
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t seed[32];
        uint8_t want_key[32];
        uint8_t key[32];
        uint8_t want_sig[64];
        uint8_t sig[64];
        uint8_t message[2];
        size_t len = strlen(vectors[i].message) / 2;
        struct mlt_signing_key *signing = NULL;
        test_unhex(seed, 32, vectors[i].seed);
        test_unhex(want_key, 32, vectors[i].public_key);
        test_unhex(want_sig, 64, vectors[i].sig);
        test_unhex(message, len, vectors[i].message);
        assert_int_equal(mlt_signing_key_new(&signing, seed, NULL), MLT_OK);
        mlt_signing_key_public(signing, key);
        assert_memory_equal(key, want_key, 32);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(mlt_ed25519_sign(signing, sig, mlt_bytes_of(len ? message : NULL, len), NULL), MLT_OK);
            assert_memory_equal(sig, want_sig, 64);
        }
        assert_true(mlt_ed25519_verify(key, mlt_bytes_of(len ? message : NULL, len), sig));
        mlt_signing_key_free(signing);
    }
    mlt_signing_key_free(NULL);
}

static void test_any_flipped_bit_fails(void **state) {
    // A signature, message or key with one flipped bit does not verify.
    (void)state;
    uint8_t key[32];
    uint8_t sig[64];
    uint8_t message[2];
    test_unhex(key, 32, vectors[2].public_key);
    test_unhex(sig, 64, vectors[2].sig);
    test_unhex(message, 2, vectors[2].message);
    struct mlt_bytes m = mlt_bytes_of(message, 2);
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        sig[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(mlt_ed25519_verify(key, m, sig));
        sig[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < 32 * 8; bit++) {
        key[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(mlt_ed25519_verify(key, m, sig));
        key[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    message[0] ^= 1;
    assert_false(mlt_ed25519_verify(key, m, sig));
    message[0] ^= 1;
    assert_false(mlt_ed25519_verify(key, mlt_bytes_of(message, 1), sig));
    assert_true(mlt_ed25519_verify(key, m, sig));
}

static void test_signature_has_one_form(void **state) {
    // Adding the group order to S gives no second signature (RFC 8032 section 5.1.7, "0 <= S < L").
    (void)state;
    static const char order_hex[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    uint8_t order[32];
    uint8_t key[32];
    uint8_t sig[64];
    uint8_t message[2];
    unsigned carry = 0;
    test_unhex(order, 32, order_hex);
    test_unhex(key, 32, vectors[2].public_key);
    test_unhex(sig, 64, vectors[2].sig);
    test_unhex(message, 2, vectors[2].message);
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_false(mlt_ed25519_verify(key, mlt_bytes_of(message, 2), sig));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_any_flipped_bit_fails),
        cmocka_unit_test(test_signature_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
