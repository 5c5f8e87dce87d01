// links: mlt_crypto mlt_testlib
#include <stdio.h>

#include "crypto/sshsig.h"
#include "lib/sshsigner.h"

#define NAMESPACE "approval@mltrail"
#define MESSAGE "what is signed\n"

static const char *why_not(struct mlt_bytes armoured, const char *message, const char *name_space) {
    static struct mlt_sshsig sig;
    const char *why = NULL;
    bool good = false;
    if (mlt_sshsig_read(&sig, armoured, &why)) {
        assert_int_equal(mlt_sshsig_verify(&good, &why, &sig, mlt_str(message), name_space, NULL), MLT_OK);
    }
    assert_true(good == (why == NULL));
    return why;
}

static void expect(struct mlt_bytes armoured, const char *phrase) {
    const char *why = why_not(armoured, MESSAGE, NAMESPACE);
    if (why == NULL || strstr(why, phrase) == NULL) {
        fail_msg("'%s' instead of '%s'", why != NULL ? why : "good", phrase);
    }
}

static void test_good(void **state) {
    // A signature is good over its message, in its namespace, with LF and with CRLF, with and without the last line
    // end, and in lines of any length.
    (void)state;
    struct mlt_buf sig = {0}, other = {0};
    sshsigner_sign(&sig, 1, NAMESPACE, mlt_str(MESSAGE));
    assert_null(why_not(mlt_buf_bytes(&sig), MESSAGE, NAMESPACE));
    assert_null(why_not(mlt_bytes_of(sig.data, sig.len - 1), MESSAGE, NAMESPACE));
    for (size_t i = 0; i < sig.len; i++) {
        mlt_buf_put_str(&other, sig.data[i] == '\n' ? "\r" : "");
        mlt_buf_put_u8(&other, sig.data[i]);
    }
    assert_null(why_not(mlt_buf_bytes(&other), MESSAGE, NAMESPACE));
    assert_string_equal(why_not(mlt_buf_bytes(&sig), MESSAGE "x", NAMESPACE),
                        "the signature is not by this key over these bytes");
    assert_string_equal(why_not(mlt_buf_bytes(&sig), MESSAGE, "file"), "the signature was made in another namespace");
    mlt_buf_clear(&sig);
    mlt_buf_clear(&other);
}

static void test_armour(void **state) {
    // What is not the armour of one signature is refused, and it is said why.
    (void)state;
    struct mlt_buf sig = {0}, other = {0};
    sshsigner_sign(&sig, 1, NAMESPACE, mlt_str(MESSAGE));
    expect(mlt_str(""), "it is empty");
    expect(mlt_str("no signature\n"), "does not begin with the line");
    expect(mlt_bytes_of(sig.data + 1, sig.len - 1), "does not begin with the line");
    expect(mlt_bytes_of(sig.data, sig.len - 2), "does not end with the line");
    expect(mlt_str("-----BEGIN SSH SIGNATURE-----"), "does not end with the line");
    mlt_buf_put_bytes(&other, mlt_buf_bytes(&sig));
    mlt_buf_put_str(&other, "\n");
    expect(mlt_buf_bytes(&other), "something follows its last line");
    mlt_buf_reset(&other);
    mlt_buf_put_bytes(&other, mlt_buf_bytes(&sig));
    other.data[40] = ' ';
    expect(mlt_buf_bytes(&other), "not base64");
    expect(mlt_str("-----BEGIN SSH SIGNATURE-----\n\n-----END SSH SIGNATURE-----\n"), "empty line");
    expect(mlt_str("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n"), "SSHSIG inside");
    mlt_buf_reset(&other);
    mlt_buf_put_str(&other, "-----BEGIN SSH SIGNATURE-----\n");
    for (size_t i = 0; i < MLT_SSHSIG_ARMOURED_MAX; i++) {
        mlt_buf_put_u8(&other, 'A');
    }
    expect(mlt_buf_bytes(&other), "longer than any signature");
    mlt_buf_clear(&sig);
    mlt_buf_clear(&other);
}

// A signature blob from parts, and what is wrong with it.
struct parts {
    const char *magic;
    uint32_t version;
    const char *name_space, *reserved, *hash;
    const char *tail;
    const char *phrase;
};

static void test_blob(void **state) {
    // Each field of the blob has one form.
    (void)state;
    static const struct parts cases[] = {
        {"SSHSIX", 1, NAMESPACE, "", "sha256", "", "SSHSIG inside"},
        {"SSHSIG", 2, NAMESPACE, "", "sha256", "", "version is not 1"},
        {"SSHSIG", 1, "", "", "sha256", "", "namespace is empty"},
        {"SSHSIG", 1, NAMESPACE, "x", "sha256", "", "reserved field"},
        {"SSHSIG", 1, NAMESPACE, "", "sha1", "", "neither sha256 nor sha512"},
        {"SSHSIG", 1, NAMESPACE, "", "sha256", "x", "something follows"},
        {"SSHSIG", 1, NAMESPACE, "", "sha256", "", "the signature is cut off"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct parts *p = &cases[i];
        struct mlt_buf key = {0}, blob = {0}, sig = {0};
        mlt_signing_key_free(sshsigner_key(1, &key));
        mlt_buf_put_str(&blob, p->magic);
        mlt_buf_put_u32be(&blob, p->version);
        sshsigner_string(&blob, mlt_buf_bytes(&key));
        sshsigner_string(&blob, mlt_str(p->name_space));
        sshsigner_string(&blob, mlt_str(p->reserved));
        sshsigner_string(&blob, mlt_str(p->hash));
        sshsigner_string(&blob, mlt_str("sig"));
        mlt_buf_put_str(&blob, p->tail);
        sshsigner_armour(&sig, mlt_buf_bytes(&blob));
        expect(mlt_buf_bytes(&sig), p->phrase);
        mlt_buf_clear(&key);
        mlt_buf_clear(&blob);
        mlt_buf_clear(&sig);
    }
}

static void test_cut_off_anywhere(void **state) {
    // A blob that ends early is refused, wherever it ends.
    (void)state;
    struct mlt_buf blob = {0}, sig = {0};
    sshsigner_blob(&blob, 1, NAMESPACE, mlt_str(MESSAGE));
    for (size_t len = 0; len < blob.len; len++) {
        mlt_buf_reset(&sig);
        sshsigner_armour(&sig, mlt_bytes_of(blob.data, len));
        assert_non_null(why_not(mlt_buf_bytes(&sig), MESSAGE, NAMESPACE));
    }
    mlt_buf_clear(&blob);
    mlt_buf_clear(&sig);
}

static const char *key_why(const struct mlt_buf *blob) {
    struct mlt_ssh_key key;
    const char *why = NULL;
    return mlt_ssh_key_read(&key, mlt_buf_bytes(blob), &why) ? NULL : why;
}

static void rsa_key(struct mlt_buf *blob, size_t modulus_len, uint8_t first, const char *exponent,
                    size_t exponent_len) {
    struct mlt_buf modulus = {0};
    mlt_buf_reset(blob);
    sshsigner_string(blob, mlt_str("ssh-rsa"));
    sshsigner_string(blob, mlt_bytes_of(exponent, exponent_len));
    for (size_t i = 0; i < modulus_len; i++) {
        mlt_buf_put_u8(&modulus, i == 0 ? first : 0xff);
    }
    sshsigner_string(blob, mlt_buf_bytes(&modulus));
    mlt_buf_clear(&modulus);
}

static void test_rsa_keys(void **state) {
    // An RSA key has 2048 to 16384 bits, canonical numbers and an exponent that means something.
    (void)state;
    struct mlt_buf blob = {0};
    rsa_key(&blob, 257, 0, "\x01\x00\x01", 3);
    assert_null(key_why(&blob));
    rsa_key(&blob, 256, 0x7f, "\x01\x00\x01", 3); // 2047 bits
    assert_string_equal(key_why(&blob), "RSA keys need at least 2048 bits");
    rsa_key(&blob, 2049, 0, "\x01\x00\x01", 3);
    assert_null(key_why(&blob));
    rsa_key(&blob, 2049, 1, "\x01\x00\x01", 3); // 16385 bits
    assert_string_equal(key_why(&blob), "the RSA key is too long");
    rsa_key(&blob, 257, 0, "\x01", 1);
    assert_string_equal(key_why(&blob), "the exponent of the RSA key is not valid");
    rsa_key(&blob, 257, 0, "\x04", 1);
    assert_string_equal(key_why(&blob), "the exponent of the RSA key is not valid");
    rsa_key(&blob, 257, 0, "\x00\x03", 2); // padded without need
    assert_string_equal(key_why(&blob), "the numbers of the RSA key are not canonical");
    rsa_key(&blob, 257, 0x80, "\x03", 1); // negative
    assert_string_equal(key_why(&blob), "the numbers of the RSA key are not canonical");
    rsa_key(&blob, 257, 0, "\x01\x02\x03\x04\x05\x06\x07\x08\x09", 9);
    assert_string_equal(key_why(&blob), "the RSA key is too long");
    mlt_buf_clear(&blob);
}

static void named_key(struct mlt_buf *blob, const char *type, const char *curve, size_t point_len, uint8_t form) {
    struct mlt_buf point = {0};
    mlt_buf_reset(blob);
    sshsigner_string(blob, mlt_str(type));
    if (curve != NULL) {
        sshsigner_string(blob, mlt_str(curve));
    }
    for (size_t i = 0; i < point_len; i++) {
        mlt_buf_put_u8(&point, i == 0 ? form : 1);
    }
    sshsigner_string(blob, mlt_buf_bytes(&point));
    mlt_buf_clear(&point);
}

static void test_other_keys(void **state) {
    // The curve is that of the type, the point is whole; what is not supported is named.
    (void)state;
    struct mlt_buf blob = {0};
    named_key(&blob, "ecdsa-sha2-nistp256", "nistp256", 65, 4);
    assert_null(key_why(&blob));
    named_key(&blob, "ecdsa-sha2-nistp256", "nistp384", 97, 4);
    assert_string_equal(key_why(&blob), "the curve is not that of the type of key");
    named_key(&blob, "ecdsa-sha2-nistp256", "nistp256", 33, 2); // compressed
    assert_string_equal(key_why(&blob), "the point of the key has the wrong form");
    named_key(&blob, "ecdsa-sha2-nistp256", "nistp256", 65, 6); // hybrid
    assert_string_equal(key_why(&blob), "the point of the key has the wrong form");
    named_key(&blob, "ssh-ed25519", NULL, 31, 4);
    assert_string_equal(key_why(&blob), "the point of the key has the wrong form");
    named_key(&blob, "ssh-ed25519", NULL, 32, 4);
    mlt_buf_put_u8(&blob, 0);
    assert_string_equal(key_why(&blob), "the key is cut off, or something follows it");
    named_key(&blob, "sk-ssh-ed25519@openssh.com", NULL, 32, 4); // without application
    assert_string_equal(key_why(&blob), "the key is cut off, or something follows it");
    named_key(&blob, "ssh-ed25519-cert-v01@openssh.com", NULL, 32, 4);
    assert_string_equal(key_why(&blob), "certificates are not supported");
    named_key(&blob, "ssh-dss", NULL, 32, 4);
    assert_string_equal(key_why(&blob), "DSA keys are too weak");
    named_key(&blob, "ssh-rot13", NULL, 32, 4);
    assert_non_null(strstr(key_why(&blob), "not known"));
    mlt_buf_clear(&blob);
}

static void test_point_off_its_curve(void **state) {
    // A point that is not on the curve checks nothing.
    (void)state;
    struct mlt_buf blob = {0}, numbers = {0}, signature = {0};
    struct mlt_ssh_key key;
    const char *why = NULL;
    bool good;
    named_key(&blob, "ecdsa-sha2-nistp256", "nistp256", 65, 4);
    assert_true(mlt_ssh_key_read(&key, mlt_buf_bytes(&blob), &why));
    sshsigner_string(&numbers, mlt_str("\x01"));
    sshsigner_string(&numbers, mlt_str("\x01"));
    sshsigner_string(&signature, mlt_str("ecdsa-sha2-nistp256"));
    sshsigner_string(&signature, mlt_buf_bytes(&numbers));
    assert_int_equal(mlt_ssh_key_verify(&good, &why, &key, mlt_str(MESSAGE), mlt_buf_bytes(&signature), NULL), MLT_OK);
    assert_false(good);
    assert_string_equal(why, "the key is not valid");
    mlt_buf_clear(&blob);
    mlt_buf_clear(&numbers);
    mlt_buf_clear(&signature);
}

static void test_rsa_with_sha1(void **state) {
    // The algorithm "ssh-rsa" means SHA-1: refused, whatever the signature.
    (void)state;
    struct mlt_buf blob = {0}, signature = {0};
    struct mlt_ssh_key key;
    const char *why = NULL;
    bool good;
    static const uint8_t raw[256] = {1};
    rsa_key(&blob, 257, 0, "\x01\x00\x01", 3);
    assert_true(mlt_ssh_key_read(&key, mlt_buf_bytes(&blob), &why));
    sshsigner_string(&signature, mlt_str("ssh-rsa"));
    sshsigner_string(&signature, mlt_bytes_of(raw, sizeof(raw)));
    assert_int_equal(mlt_ssh_key_verify(&good, &why, &key, mlt_str(MESSAGE), mlt_buf_bytes(&signature), NULL), MLT_OK);
    assert_false(good);
    assert_string_equal(why, "RSA signatures with SHA-1 are not taken");
    mlt_buf_reset(&signature);
    sshsigner_string(&signature, mlt_str("rsa-sha2-256"));
    sshsigner_string(&signature, mlt_bytes_of(raw, sizeof(raw) - 1));
    assert_int_equal(mlt_ssh_key_verify(&good, &why, &key, mlt_str(MESSAGE), mlt_buf_bytes(&signature), NULL), MLT_OK);
    assert_false(good);
    assert_string_equal(why, "an RSA signature is as long as its modulus");
    mlt_buf_clear(&blob);
    mlt_buf_clear(&signature);
}

static void test_fingerprint(void **state) {
    // The fingerprint is the one that ssh-keygen -l shows.
    (void)state;
    uint8_t bytes[64];
    size_t len;
    struct mlt_ssh_key key;
    const char *why;
    char text[MLT_SSH_FINGERPRINT_LEN + 1];
    assert_true(mlt_base64_decode(bytes, sizeof(bytes), &len,
                                  mlt_str("AAAAC3NzaC1lZDI1NTE5AAAAIGAc8ZVqD5qgV2DRAwjRPL3xCcDsGFU8tLzy3pbFYBMF")));
    assert_true(mlt_ssh_key_read(&key, mlt_bytes_of(bytes, len), &why));
    mlt_ssh_key_fingerprint(text, &key);
    assert_string_equal(text, "SHA256:S9cN+9bnc323qZhs+L272D2BBr3dpyywD1T99AFP/bE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_armour),
        cmocka_unit_test(test_blob),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_rsa_keys),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_point_off_its_curve),
        cmocka_unit_test(test_rsa_with_sha1),
        cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
