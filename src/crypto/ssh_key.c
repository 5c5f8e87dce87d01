#include "crypto/ssh_key.h"

#include <openssl/core_names.h>
#include <openssl/ecerr.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#define POINT_UNCOMPRESSED 4 // SEC 1 section 2.3.3; OpenSSH writes no other form
#define POINT_BYTES_MAX 133  // of P-521
#define SCALAR_BYTES_MAX 66  // of P-521
#define USER_PRESENT 0x01    // flag of a security key's signature (PROTOCOL.u2f)

// What a type is made of. `curve` and `digest` as OpenSSL names them.
static const struct type_info {
    const char *name;
    const char *curve_name; // within the blob; NULL: no ECDSA
    const char *curve;
    size_t point_len;
    const char *digest;
    bool security_key;
} types[MLT_NUM_SSH_KEY_TYPES] = {
    [MLT_SSH_ED25519] = {"ssh-ed25519", NULL, NULL, MLT_ED25519_KEY_LEN, NULL, false},
    [MLT_SSH_ECDSA_P256] = {"ecdsa-sha2-nistp256", "nistp256", "P-256", 65, "SHA2-256", false},
    [MLT_SSH_ECDSA_P384] = {"ecdsa-sha2-nistp384", "nistp384", "P-384", 97, "SHA2-384", false},
    [MLT_SSH_ECDSA_P521] = {"ecdsa-sha2-nistp521", "nistp521", "P-521", POINT_BYTES_MAX, "SHA2-512", false},
    [MLT_SSH_RSA] = {"ssh-rsa", NULL, NULL, 0, NULL, false},
    [MLT_SSH_SK_ED25519] = {"sk-ssh-ed25519@openssh.com", NULL, NULL, MLT_ED25519_KEY_LEN, NULL, true},
    [MLT_SSH_SK_ECDSA_P256] = {"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", "P-256", 65, "SHA2-256", true},
};

static bool no(const char **why, const char *phrase) {
    *why = phrase;
    return false;
}

struct mlt_bytes mlt_ssh_string(struct mlt_cursor *c) {
    return mlt_cursor_take(c, mlt_cursor_u32be(c));
}

// A positive multiple-precision integer in its one canonical form (RFC 4251 section 5), without the byte that keeps it
// positive. Empty: it is none.
static struct mlt_bytes positive_integer(struct mlt_cursor *c) {
    struct mlt_bytes n = mlt_ssh_string(c);
    bool padded = n.len > 1 && n.ptr[0] == 0 && (n.ptr[1] & 0x80) != 0;
    if (padded) {
        return mlt_bytes_of(n.ptr + 1, n.len - 1);
    }
    bool canonical = n.len > 0 && n.ptr[0] != 0 && (n.ptr[0] & 0x80) == 0;
    return canonical ? n : (struct mlt_bytes){0};
}

const char *mlt_ssh_key_type_name(enum mlt_ssh_key_type type) {
    return types[type].name;
}

static bool ends_with(struct mlt_bytes text, const char *end) {
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

const char *mlt_ssh_key_type_why(struct mlt_bytes name) {
    if (ends_with(name, "-cert-v01@openssh.com") || ends_with(name, "-cert-v00@openssh.com")) {
        return "certificates are not supported";
    }
    if (mlt_bytes_is(name, "ssh-dss")) {
        return "DSA keys are too weak";
    }
    return "the type of key is not known: ssh-ed25519, ecdsa-sha2-nistp256, -nistp384 and -nistp521, ssh-rsa, "
           "sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com are";
}

static size_t bit_length(struct mlt_bytes n) {
    size_t bits = n.len * 8;
    for (unsigned top = n.ptr[0]; (top & 0x80) == 0; top <<= 1) {
        bits--;
    }
    return bits;
}

static bool read_rsa(struct mlt_ssh_key *key, struct mlt_cursor *c, const char **why) {
    key->exponent = positive_integer(c);
    key->modulus = positive_integer(c);
    if (key->exponent.len == 0 || key->modulus.len == 0) {
        return no(why, "the numbers of the RSA key are not canonical");
    }
    if (bit_length(key->modulus) < MLT_SSH_RSA_BITS_MIN) {
        return no(why, "RSA keys need at least 2048 bits");
    }
    if (bit_length(key->modulus) > MLT_SSH_RSA_BITS_MAX || key->exponent.len > MLT_SSH_RSA_EXPONENT_BYTES_MAX) {
        return no(why, "the RSA key is too long");
    }
    bool odd = (key->exponent.ptr[key->exponent.len - 1] & 1) != 0;
    bool one = key->exponent.len == 1 && key->exponent.ptr[0] == 1; // with it every message is its own signature
    return odd && !one ? true : no(why, "the exponent of the RSA key is not valid");
}

static bool read_point(struct mlt_ssh_key *key, struct mlt_cursor *c, const char **why) {
    const struct type_info *info = &types[key->type];
    if (info->curve_name && !mlt_bytes_is(mlt_ssh_string(c), info->curve_name)) {
        return no(why, "the curve is not that of the type of key");
    }
    key->point = mlt_ssh_string(c);
    if (key->point.len != info->point_len || (info->curve_name && key->point.ptr[0] != POINT_UNCOMPRESSED)) {
        return no(why, "the point of the key has the wrong form");
    }
    return true;
}

bool mlt_ssh_key_read(struct mlt_ssh_key *out, struct mlt_bytes blob, const char **why) {
    struct mlt_cursor c = mlt_cursor_of(blob);
    struct mlt_bytes name = mlt_ssh_string(&c);
    *out = (struct mlt_ssh_key){.type = MLT_NUM_SSH_KEY_TYPES, .blob = blob};
    if (c.failed || blob.len > MLT_SSH_KEY_BLOB_MAX) {
        return no(why, c.failed ? "the key is cut off" : "the key is too long");
    }
    for (int t = 0; t < MLT_NUM_SSH_KEY_TYPES; t++) {
        if (mlt_bytes_is(name, types[t].name)) {
            out->type = (enum mlt_ssh_key_type)t;
        }
    }
    if (out->type == MLT_NUM_SSH_KEY_TYPES) {
        return no(why, mlt_ssh_key_type_why(name));
    }
    if (out->type == MLT_SSH_RSA ? !read_rsa(out, &c, why) : !read_point(out, &c, why)) {
        return false;
    }
    if (types[out->type].security_key) {
        out->application = mlt_ssh_string(&c);
    }
    return c.failed || mlt_cursor_left(&c) > 0 ? no(why, "the key is cut off, or something follows it") : true;
}

void mlt_ssh_key_fingerprint(char out[static MLT_SSH_FINGERPRINT_LEN + 1], const struct mlt_ssh_key *key) {
    uint8_t hash[MLT_HASH_LEN];
    char base64[sizeof("SHA256:") + MLT_HASH_LEN * 2];
    static const char prefix[] = "SHA256:";
    mlt_sha256_one(hash, key->blob);
    mlt_base64_encode(base64, mlt_bytes_of(hash, sizeof(hash)));
    memcpy(out, prefix, sizeof(prefix) - 1);
    memcpy(out + sizeof(prefix) - 1, base64, MLT_SSH_FINGERPRINT_LEN - (sizeof(prefix) - 1)); // without the padding
    out[MLT_SSH_FINGERPRINT_LEN] = '\0';
}

// A check on its way to the verdict.
struct check {
    bool good;
    const char *why; // until it is good
    struct mlt_error *err;
};

static enum mlt_status refuse(struct check *check, const char *phrase) {
    check->good = false;
    check->why = phrase;
    return MLT_OK;
}

static enum mlt_status no_memory(struct check *check) {
    ERR_clear_error();
    return mlt_fail(check->err, MLT_NOMEM, "no memory to check a signature");
}

// The key as OpenSSL holds it; NULL when it is none (a point off its curve) or memory is out.
static EVP_PKEY *pkey_of(const char *algorithm, OSSL_PARAM *params) {
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL) : NULL;
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *ed25519_pkey(const struct mlt_ssh_key *key) {
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key->point.ptr, key->point.len);
}

static EVP_PKEY *ecdsa_pkey(const struct mlt_ssh_key *key) {
    char curve[sizeof("P-256")];
    uint8_t point[POINT_BYTES_MAX];
    memcpy(curve, types[key->type].curve, sizeof(curve));
    memcpy(point, key->point.ptr, key->point.len);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, key->point.len),
                           OSSL_PARAM_construct_end()};
    return pkey_of("EC", params);
}

static EVP_PKEY *rsa_pkey(const struct mlt_ssh_key *key) {
    BIGNUM *n = BN_bin2bn(key->modulus.ptr, (int)key->modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(key->exponent.ptr, (int)key->exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n && e && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    EVP_PKEY *pkey = pkey_of("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

// Of what was read in its canonical form OpenSSL refuses one thing, a point that is not on its curve.
static enum mlt_status key_refused(struct check *check) {
    bool off_curve = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        int reason = ERR_GET_REASON(code);
        off_curve = off_curve || (ERR_GET_LIB(code) == ERR_LIB_EC &&
                                  (reason == EC_R_POINT_IS_NOT_ON_CURVE || reason == EC_R_INVALID_ENCODING));
    }
    return off_curve ? refuse(check, "the key is not valid") : no_memory(check);
}

static enum mlt_status verify_once(struct check *check, EVP_PKEY *pkey, const char *digest, struct mlt_bytes message,
                                   struct mlt_bytes signature) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum mlt_status status = MLT_OK;
    if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, pkey, NULL) != 1) {
        status = no_memory(check);
    } else {
        check->good = EVP_DigestVerify(ctx, signature.ptr, signature.len, message.ptr, message.len) == 1;
        check->why = "the signature is not by this key over these bytes";
    }
    ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    return status;
}

// Consumes the key. What is found false is checked once more: OpenSSL may answer so when memory was what it lacked.
static enum mlt_status verify_with(struct check *check, EVP_PKEY *pkey, const char *digest, struct mlt_bytes message,
                                   struct mlt_bytes signature) {
    if (!pkey) {
        return key_refused(check);
    }
    enum mlt_status status = verify_once(check, pkey, digest, message, signature);
    if (status == MLT_OK && !check->good) {
        status = verify_once(check, pkey, digest, message, signature);
    }
    EVP_PKEY_free(pkey);
    return status;
}

static enum mlt_status verify_ed25519(struct check *check, const struct mlt_ssh_key *key, struct mlt_bytes message,
                                      struct mlt_bytes raw) {
    return raw.len == MLT_ED25519_SIG_LEN ? verify_with(check, ed25519_pkey(key), NULL, message, raw)
                                          : refuse(check, "an Ed25519 signature has 64 bytes");
}

static enum mlt_status verify_rsa(struct check *check, const struct mlt_ssh_key *key, struct mlt_bytes message,
                                  struct mlt_bytes algorithm, struct mlt_bytes raw) {
    const char *digest = mlt_bytes_is(algorithm, "rsa-sha2-256")   ? "SHA2-256"
                         : mlt_bytes_is(algorithm, "rsa-sha2-512") ? "SHA2-512"
                                                                   : NULL;
    if (!digest) {
        return refuse(check, mlt_bytes_is(algorithm, "ssh-rsa") ? "RSA signatures with SHA-1 are not taken"
                                                                : "the signature is of another algorithm than the key");
    }
    return raw.len == key->modulus.len ? verify_with(check, rsa_pkey(key), digest, message, raw)
                                       : refuse(check, "an RSA signature is as long as its modulus");
}

// A DER integer from a number without its padding. Returns the bytes written.
static size_t put_der_integer(uint8_t *out, struct mlt_bytes n) {
    size_t pad = (n.ptr[0] & 0x80) != 0;
    out[0] = 0x02;
    out[1] = (uint8_t)(n.len + pad); // at most 67: the short form
    out[2] = 0;
    memcpy(out + 2 + pad, n.ptr, n.len);
    return 2 + pad + n.len;
}

static enum mlt_status verify_ecdsa(struct check *check, const struct mlt_ssh_key *key, struct mlt_bytes message,
                                    struct mlt_bytes raw) {
    struct mlt_cursor c = mlt_cursor_of(raw);
    struct mlt_bytes r = positive_integer(&c), s = positive_integer(&c);
    uint8_t body[2 * (3 + SCALAR_BYTES_MAX)], der[3 + sizeof(body)]; // ECDSA-Sig-Value of RFC 3279
    if (c.failed || mlt_cursor_left(&c) > 0 || r.len == 0 || s.len == 0 || r.len > SCALAR_BYTES_MAX ||
        s.len > SCALAR_BYTES_MAX) {
        return refuse(check, "the numbers of the ECDSA signature are not canonical");
    }
    size_t len = put_der_integer(body, r);
    len += put_der_integer(body + len, s);
    size_t head = 0;
    der[head++] = 0x30;
    if (len > 0x7f) {
        der[head++] = 0x81;
    }
    der[head++] = (uint8_t)len;
    memcpy(der + head, body, len);
    EVP_PKEY *pkey = ecdsa_pkey(key);
    if (!pkey) {
        ERR_clear_error();
        pkey = ecdsa_pkey(key); // a point counts as off its curve also when memory to look was short
    }
    return verify_with(check, pkey, types[key->type].digest, message, mlt_bytes_of(der, head + len));
}

static enum mlt_status verify_plain(struct check *check, const struct mlt_ssh_key *key, struct mlt_bytes message,
                                    struct mlt_bytes algorithm, struct mlt_bytes raw) {
    if (key->type == MLT_SSH_RSA) {
        return verify_rsa(check, key, message, algorithm, raw);
    }
    if (!mlt_bytes_is(algorithm, types[key->type].name)) {
        return refuse(check, "the signature is of another algorithm than the key");
    }
    return types[key->type].curve ? verify_ecdsa(check, key, message, raw) : verify_ed25519(check, key, message, raw);
}

// A security key signs SHA-256(application) || flags || counter || SHA-256(message) instead of the message.
static enum mlt_status verify_device(struct check *check, const struct mlt_ssh_key *key, struct mlt_bytes message,
                                     struct mlt_cursor *c, struct mlt_bytes algorithm, struct mlt_bytes raw) {
    uint8_t by_device[MLT_HASH_LEN + 1 + 4 + MLT_HASH_LEN];
    uint8_t flags = mlt_cursor_u8(c);
    mlt_sha256_one(by_device, key->application);
    by_device[MLT_HASH_LEN] = flags;
    mlt_store_u32be(by_device + MLT_HASH_LEN + 1, mlt_cursor_u32be(c));
    mlt_sha256_one(by_device + MLT_HASH_LEN + 5, message);
    if (c->failed || mlt_cursor_left(c) > 0) {
        return refuse(check, "the signature is cut off, or something follows it");
    }
    if ((flags & USER_PRESENT) == 0) {
        return refuse(check, "the security key does not say that its user was present");
    }
    return verify_plain(check, key, mlt_bytes_of(by_device, sizeof(by_device)), algorithm, raw);
}

enum mlt_status mlt_ssh_key_verify(bool *good, const char **why, const struct mlt_ssh_key *key,
                                   struct mlt_bytes message, struct mlt_bytes signature, struct mlt_error *err) {
    struct check check = {.good = false, .why = "it was not checked", .err = err};
    struct mlt_cursor c = mlt_cursor_of(signature);
    struct mlt_bytes algorithm = mlt_ssh_string(&c), raw = mlt_ssh_string(&c);
    enum mlt_status status;
    if (types[key->type].security_key) {
        status = verify_device(&check, key, message, &c, algorithm, raw);
    } else if (c.failed || mlt_cursor_left(&c) > 0) {
        status = refuse(&check, "the signature is cut off, or something follows it");
    } else {
        status = verify_plain(&check, key, message, algorithm, raw);
    }
    *good = status == MLT_OK && check.good;
    *why = *good ? NULL : check.why;
    return status;
}
