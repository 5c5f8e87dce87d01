// links: mlt_note mlt_testlib
//
// The real ssh-keygen and ours judge the same files. Where they may differ is written down: ours is narrower.
#define _GNU_SOURCE
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/time.h"
#include "crypto/sshsig.h"
#include "lib/sshkeygen.h"
#include "lib/sshsigner.h"
#include "note/allowed_signers.h"

#define NAMESPACE "approval@mltrail"
#define SIGNER "erin@example.com"
#define NOW "20260105000010"
#define NOW_RFC "2026-01-05T00:00:10Z"
#define STATEMENT "mltrail approval v1\norigin: \"example.com/t\"\nmodel: \"credit\"\n"

static struct sshkeygen k;
static bool installed;

static int begin(void **state) {
    (void)state;
    installed = sshkeygen_begin(&k);
    if (!installed) {
        print_message("skipped: ssh-keygen is not installed (openssh-client)\n");
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    if (installed) {
        sshkeygen_end(&k);
    }
    return 0;
}

struct question {
    struct mlt_bytes message, signature, allowed;
    const char *principal, *name_space, *time, *time_rfc;
};

static bool ours(const struct question *q) {
    static struct mlt_sshsig sig;
    struct mlt_allowed_signers signers;
    const struct mlt_allowed_signer *signer;
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    const char *why = NULL;
    int64_t time;
    assert_true(mlt_time_parse(&time, mlt_str(q->time_rfc)));
    if (mlt_allowed_signers_read(&signers, q->allowed, &arena, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    bool good = false;
    if (mlt_sshsig_read(&sig, q->signature, &why)) {
        assert_int_equal(mlt_sshsig_verify(&good, &why, &sig, q->message, q->name_space, &err), MLT_OK);
    }
    good = good && mlt_allowed_signers_find(&signers, mlt_str(q->principal), &sig.key, sig.name_space, time, &signer) ==
                       MLT_SIGNER_ALLOWED;
    mlt_arena_clear(&arena);
    return good;
}

static bool theirs(const struct question *q) {
    return sshkeygen_verify(&k, q->message, q->signature, q->allowed, q->principal, q->name_space, q->time);
}

static void both_say(const char *what, const struct question *q, bool expected) {
    bool we = ours(q), they = theirs(q);
    if (we != expected || they != expected) {
        fail_msg("%s: ours %d, ssh-keygen %d, expected %d", what, we, they, expected);
    }
}

// "PRINCIPALS OPTIONS KEY" with the public key of `name`.
static void allow(struct mlt_buf *out, const char *principals, const char *options, const char *name) {
    char file[64];
    struct mlt_buf pub = {0};
    (void)snprintf(file, sizeof(file), "%s.pub", name);
    sshkeygen_read(&k, file, &pub);
    mlt_buf_printf(out, "%s %s %.*s", principals, options, (int)pub.len, (const char *)pub.data);
    mlt_buf_clear(&pub);
}

static struct question standard(const struct mlt_buf *sig, const struct mlt_buf *allowed) {
    return (struct question){
        mlt_str(STATEMENT), mlt_buf_bytes(sig), mlt_buf_bytes(allowed), SIGNER, NAMESPACE, NOW, NOW_RFC};
}

static void test_every_type_of_key(void **state) {
    // A signature by each type of key and with each hash is good for both; so is a changed message not.
    (void)state;
    static const struct {
        const char *name, *type, *bits;
    } keys[] = {{"ed", "ed25519", NULL},  {"p256", "ecdsa", "256"}, {"p384", "ecdsa", "384"},
                {"p521", "ecdsa", "521"}, {"r2", "rsa", "2048"},    {"r3", "rsa", "3072"}};
    static const char *const hashes[] = {"sha256", "sha512"};
    struct mlt_buf sig = {0}, allowed = {0};
    for (size_t i = 0; installed && i < sizeof(keys) / sizeof(keys[0]); i++) {
        sshkeygen_make(&k, keys[i].name, keys[i].type, keys[i].bits);
        mlt_buf_reset(&allowed);
        allow(&allowed, SIGNER, "", keys[i].name);
        for (size_t h = 0; h < 2; h++) {
            sshkeygen_sign(&k, keys[i].name, NAMESPACE, hashes[h], mlt_str(STATEMENT), &sig);
            struct question q = standard(&sig, &allowed);
            both_say(keys[i].name, &q, true);
            q.message = mlt_str(STATEMENT " ");
            both_say(keys[i].name, &q, false);
        }
    }
    mlt_buf_clear(&sig);
    mlt_buf_clear(&allowed);
}

static void test_matrix(void **state) {
    // Who, for what, when: each case is judged alike.
    (void)state;
    static const struct {
        const char *what, *principals, *options, *key; // the line of the file
        const char *principal, *name_space, *time, *time_rfc;
        bool good;
    } cases[] = {
        {"valid", SIGNER, "", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, true},
        {"valid in its time", SIGNER, "valid-after=\"20260101\",valid-before=\"20260201\"", "one", SIGNER, NAMESPACE,
         NOW, NOW_RFC, true},
        {"valid to the second", SIGNER, "valid-after=\"20260105000010\",valid-before=\"20260105000011Z\"", "one",
         SIGNER, NAMESPACE, NOW, NOW_RFC, true},
        {"valid until this second", SIGNER, "valid-before=\"20260105000010\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC,
         true},
        {"expired", SIGNER, "valid-before=\"202601050000\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"not yet valid", SIGNER, "valid-after=\"202601050001Z\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"namespace allowed", SIGNER, "namespaces=\"git,approval@*\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, true},
        {"namespace not allowed", SIGNER, "namespaces=\"git\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"namespace forbidden", SIGNER, "namespaces=\"*,!approval@mltrail\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC,
         false},
        {"asked for another namespace", SIGNER, "", "one", SIGNER, "file", NOW, NOW_RFC, false},
        {"other principal", SIGNER, "", "one", "zoe@example.com", NAMESPACE, NOW, NOW_RFC, false},
        {"pattern", "zoe@example.com,*@example.com", "", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, true},
        {"pattern of one character", "eri?@example.com", "", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, true},
        {"principal forbidden", "*@example.com,!erin@*", "", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"letters differ in case", "ERIN@example.com", "", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"other key of the same type", SIGNER, "", "two", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"key of another type", SIGNER, "", "rsa", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
        {"option in capitals", SIGNER, "Namespaces=\"git\"", "one", SIGNER, NAMESPACE, NOW, NOW_RFC, false},
    };
    struct mlt_buf sig = {0}, allowed = {0};
    if (!installed) {
        return;
    }
    sshkeygen_make(&k, "one", "ed25519", NULL);
    sshkeygen_make(&k, "two", "ed25519", NULL);
    sshkeygen_make(&k, "rsa", "rsa", "2048");
    sshkeygen_sign(&k, "one", NAMESPACE, "sha512", mlt_str(STATEMENT), &sig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlt_buf_reset(&allowed);
        mlt_buf_put_str(&allowed, "# comment\n\nsomebody@example.com ");
        mlt_buf_put_str(&allowed, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGAc8ZVqD5qgV2DRAwjRPL3xCcDsGFU8tLzy3pbFYBMF\n");
        allow(&allowed, cases[i].principals, cases[i].options, cases[i].key);
        const struct question q = {mlt_str(STATEMENT), mlt_buf_bytes(&sig), mlt_buf_bytes(&allowed),
                                   cases[i].principal, cases[i].name_space, cases[i].time,
                                   cases[i].time_rfc};
        both_say(cases[i].what, &q, cases[i].good);
    }
    // The signer's line was taken out again.
    mlt_buf_reset(&allowed);
    allow(&allowed, SIGNER, "", "two");
    struct question q = standard(&sig, &allowed);
    both_say("line removed", &q, false);
    // Signed for another trail: the statement is another one.
    mlt_buf_reset(&allowed);
    allow(&allowed, SIGNER, "", "one");
    q = standard(&sig, &allowed);
    q.message = mlt_str("mltrail approval v1\norigin: \"example.com/other\"\nmodel: \"credit\"\n");
    both_say("replayed", &q, false);
    mlt_buf_clear(&sig);
    mlt_buf_clear(&allowed);
}

static size_t blob_of(uint8_t *blob, const struct mlt_buf *armoured) {
    static struct mlt_sshsig sig;
    const char *why;
    assert_true(mlt_sshsig_read(&sig, mlt_buf_bytes(armoured), &why));
    size_t len = (size_t)(sig.signature.ptr + sig.signature.len - sig.blob);
    memcpy(blob, sig.blob, len);
    return len;
}

// Flips a bit of every byte of the decoded signature.
static void forge(const char *name, size_t step) {
    static uint8_t blob[MLT_SSHSIG_BLOB_MAX];
    struct mlt_buf sig = {0}, allowed = {0}, forged = {0};
    allow(&allowed, SIGNER, "", name);
    sshkeygen_sign(&k, name, NAMESPACE, "sha256", mlt_str(STATEMENT), &sig);
    size_t len = blob_of(blob, &sig);
    for (size_t i = 0; i < len; i += step) {
        char what[64];
        (void)snprintf(what, sizeof(what), "%s: byte %zu of the signature", name, i);
        blob[i] ^= (uint8_t)(1u << i % 8);
        mlt_buf_reset(&forged);
        sshsigner_armour(&forged, mlt_bytes_of(blob, len));
        blob[i] ^= (uint8_t)(1u << i % 8);
        const struct question q = standard(&forged, &allowed);
        both_say(what, &q, false);
    }
    mlt_buf_clear(&sig);
    mlt_buf_clear(&allowed);
    mlt_buf_clear(&forged);
}

static void test_forged_byte_by_byte(void **state) {
    // Whatever byte of a signature is changed, neither takes it.
    (void)state;
    if (!installed) {
        return;
    }
    sshkeygen_make(&k, "forged-ed", "ed25519", NULL);
    sshkeygen_make(&k, "forged-ec", "ecdsa", "256");
    sshkeygen_make(&k, "forged-rsa", "rsa", "2048");
    forge("forged-ed", 1);
    forge("forged-ec", 3);
    forge("forged-rsa", 7);
}

static void test_forged_statement(void **state) {
    // Whatever byte of the statement is changed, neither takes it.
    (void)state;
    struct mlt_buf sig = {0}, allowed = {0};
    char statement[] = STATEMENT;
    if (!installed) {
        return;
    }
    sshkeygen_make(&k, "stated", "ed25519", NULL);
    allow(&allowed, SIGNER, "", "stated");
    sshkeygen_sign(&k, "stated", NAMESPACE, "sha512", mlt_str(statement), &sig);
    for (size_t i = 0; i < sizeof(statement) - 1; i++) {
        statement[i] ^= 1;
        struct question q = standard(&sig, &allowed);
        q.message = mlt_bytes_of(statement, sizeof(statement) - 1);
        both_say("changed statement", &q, false);
        statement[i] ^= 1;
    }
    mlt_buf_clear(&sig);
    mlt_buf_clear(&allowed);
}

static void test_armour_is_narrower(void **state) {
    // Changed bytes of the armoured text: what ours takes, ssh-keygen takes. Not the other way round: it passes over
    // white space and over what follows the last line.
    (void)state;
    struct mlt_buf sig = {0}, allowed = {0};
    size_t narrower = 0;
    if (!installed) {
        return;
    }
    sshkeygen_make(&k, "armoured", "ed25519", NULL);
    allow(&allowed, SIGNER, "", "armoured");
    sshkeygen_sign(&k, "armoured", NAMESPACE, "sha512", mlt_str(STATEMENT), &sig);
    for (size_t i = 0; i < sig.len; i++) {
        sig.data[i] ^= 3;
        const struct question q = standard(&sig, &allowed);
        bool we = ours(&q), they = theirs(&q);
        assert_true(!we || they);
        narrower += they && !we;
        sig.data[i] ^= 3;
    }
    assert_true(narrower < 10); // the line ends
    mlt_buf_clear(&sig);
    mlt_buf_clear(&allowed);
}

// A security key in software: the blobs that OpenSSH's PROTOCOL.u2f describes, signed with a key of ours.
struct device {
    struct mlt_buf key_blob, armoured;
};

static void raw_ec_point(EVP_PKEY *pkey, uint8_t *out, size_t cap, size_t *len) {
    assert_int_equal(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, cap, len), 1);
}

static void put_mpint(struct mlt_buf *out, const uint8_t *der_integer) {
    sshsigner_string(out, mlt_bytes_of(der_integer + 2, der_integer[1])); // DER and mpint pad alike
}

static void device_sign(struct device *d, bool ed25519, uint8_t flags, const char *application) {
    EVP_PKEY *pkey = ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    const char *type = ed25519 ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com";
    uint8_t point[65], hash[32], raw[128];
    size_t point_len = sizeof(point), raw_len = sizeof(raw);
    struct mlt_buf to_sign = {0}, by_device = {0}, inner = {0}, blob = {0}, numbers = {0};
    assert_non_null(pkey);
    sshsigner_string(&d->key_blob, mlt_str(type));
    if (ed25519) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, point, &point_len), 1);
    } else {
        raw_ec_point(pkey, point, sizeof(point), &point_len);
        sshsigner_string(&d->key_blob, mlt_str("nistp256"));
    }
    sshsigner_string(&d->key_blob, mlt_bytes_of(point, point_len));
    sshsigner_string(&d->key_blob, mlt_str(application));
    mlt_sha256_one(hash, mlt_str(STATEMENT));
    mlt_buf_put_str(&to_sign, "SSHSIG");
    sshsigner_string(&to_sign, mlt_str(NAMESPACE));
    sshsigner_string(&to_sign, (struct mlt_bytes){0});
    sshsigner_string(&to_sign, mlt_str("sha256"));
    sshsigner_string(&to_sign, mlt_bytes_of(hash, sizeof(hash)));
    mlt_sha256_one(hash, mlt_str(application));
    mlt_buf_put(&by_device, hash, sizeof(hash));
    mlt_buf_put_u8(&by_device, flags);
    mlt_buf_put_u32be(&by_device, 7);
    mlt_sha256_one(hash, mlt_buf_bytes(&to_sign));
    mlt_buf_put(&by_device, hash, sizeof(hash));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, ed25519 ? NULL : "SHA2-256", NULL, NULL, pkey, NULL), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &raw_len, by_device.data, by_device.len), 1);
    sshsigner_string(&inner, mlt_str(type));
    if (ed25519) {
        sshsigner_string(&inner, mlt_bytes_of(raw, raw_len));
    } else {
        put_mpint(&numbers, raw + 2);
        put_mpint(&numbers, raw + 4 + raw[3]);
        sshsigner_string(&inner, mlt_buf_bytes(&numbers));
    }
    mlt_buf_put_u8(&inner, flags);
    mlt_buf_put_u32be(&inner, 7);
    mlt_buf_put_str(&blob, "SSHSIG");
    mlt_buf_put_u32be(&blob, 1);
    sshsigner_string(&blob, mlt_buf_bytes(&d->key_blob));
    sshsigner_string(&blob, mlt_str(NAMESPACE));
    sshsigner_string(&blob, (struct mlt_bytes){0});
    sshsigner_string(&blob, mlt_str("sha256"));
    sshsigner_string(&blob, mlt_buf_bytes(&inner));
    sshsigner_armour(&d->armoured, mlt_buf_bytes(&blob));
    struct mlt_buf *all[] = {&to_sign, &by_device, &inner, &blob, &numbers};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        mlt_buf_clear(all[i]);
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

static void test_security_keys(void **state) {
    // Both types of security key are judged alike; one whose user was not present is no approval of ours.
    (void)state;
    for (int ed25519 = 0; installed && ed25519 < 2; ed25519++) {
        for (uint8_t flags = 0; flags < 6; flags++) {
            struct device d = {0};
            struct mlt_buf allowed = {0};
            device_sign(&d, ed25519, flags, "ssh:");
            mlt_buf_printf(&allowed, "%s %s ", SIGNER,
                           ed25519 ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com");
            mlt_buf_put_base64(&allowed, mlt_buf_bytes(&d.key_blob));
            mlt_buf_put_str(&allowed, " device\n");
            const struct question q = standard(&d.armoured, &allowed);
            assert_true(theirs(&q));
            assert_int_equal(ours(&q), (flags & 1) != 0);
            mlt_buf_clear(&d.key_blob);
            mlt_buf_clear(&d.armoured);
            mlt_buf_clear(&allowed);
        }
    }
}

static void test_net_catches(void **state) {
    // The net and not only the fish: with a verdict turned round, the comparison would fail.
    (void)state;
    struct mlt_buf sig = {0}, allowed = {0};
    if (!installed) {
        return;
    }
    sshkeygen_make(&k, "net", "ed25519", NULL);
    allow(&allowed, SIGNER, "", "net");
    sshkeygen_sign(&k, "net", NAMESPACE, "sha512", mlt_str(STATEMENT), &sig);
    const struct question good = standard(&sig, &allowed);
    struct question bad = good;
    bad.message = mlt_str("something else");
    assert_true(ours(&good) != ours(&bad));
    assert_true(theirs(&good) != theirs(&bad));
    mlt_buf_clear(&sig);
    mlt_buf_clear(&allowed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_of_key),   cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_forged_byte_by_byte), cmocka_unit_test(test_forged_statement),
        cmocka_unit_test(test_armour_is_narrower),  cmocka_unit_test(test_security_keys),
        cmocka_unit_test(test_net_catches),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
