// Derivations and layouts are those of docs/FORMAT.md, "Sealed payloads"; seal.h has them in short.
#include "crypto/seal.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "crypto/provider.h"

#define GCM_KEY_LEN 32
#define GCM_NONCE_LEN 12

static const char KEY_INFO[] = "mltrail/v1 payload key";
static const char SALT_INFO[] = "mltrail/v1 payload salt";
static const char WRAP_NONCE_INFO[] = "mltrail/v1 wrap nonce";
static const char WRAP_AAD[] = "mltrail/v1 wrap";
static const char PAYLOAD_AAD[] = "mltrail/v1 payload";
static const char COMMITMENT_LABEL[] = "mltrail/v1 commitment";
static const uint8_t KDF_COUNTER[4] = {0, 0, 0, 1};
static const uint8_t ZERO[1];
static const uint8_t GCM_NONCE[GCM_NONCE_LEN]; // zero: each secret, hence each key, seals one message only

struct mlt_sealer {
    EVP_CIPHER_CTX *wrap;   // keyed with the key-encryption key
    EVP_CIPHER_CTX *unwrap; // keyed with the key-encryption key
    EVP_CIPHER_CTX *other;  // keyed with another one that is accepted too; NULL: none
    EVP_CIPHER_CTX *seal;
    EVP_CIPHER_CTX *open;
};

enum mlt_status mlt_sealer_new(struct mlt_sealer **out, const uint8_t kek[static MLT_KEK_LEN], struct mlt_error *err) {
    *out = NULL;
    struct mlt_sealer *s = calloc(1, sizeof(*s));
    if (!s) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a sealer");
    }
    s->wrap = EVP_CIPHER_CTX_new();
    s->unwrap = EVP_CIPHER_CTX_new();
    s->seal = EVP_CIPHER_CTX_new();
    s->open = EVP_CIPHER_CTX_new();
    if (!s->wrap || !s->unwrap || !s->seal || !s->open) {
        mlt_sealer_free(s);
        return mlt_fail(err, MLT_NOMEM, "no memory for a sealer");
    }
    if (!EVP_EncryptInit_ex2(s->wrap, mlt_provider_aes256_gcm(), kek, NULL, NULL) ||
        !EVP_DecryptInit_ex2(s->unwrap, mlt_provider_aes256_gcm(), kek, NULL, NULL) ||
        !EVP_EncryptInit_ex2(s->seal, mlt_provider_aes256_gcm(), NULL, NULL, NULL) ||
        !EVP_DecryptInit_ex2(s->open, mlt_provider_aes256_gcm(), NULL, NULL, NULL)) {
        mlt_sealer_free(s);
        return mlt_provider_fail(err, MLT_INTERNAL, "set up AES-256-GCM");
    }
    *out = s;
    return MLT_OK;
}

enum mlt_status mlt_sealer_accept(struct mlt_sealer *sealer, const uint8_t other_kek[static MLT_KEK_LEN],
                                  struct mlt_error *err) {
    if (!sealer->other) {
        sealer->other = EVP_CIPHER_CTX_new();
    }
    if (!sealer->other || !EVP_DecryptInit_ex2(sealer->other, mlt_provider_aes256_gcm(), other_kek, NULL, NULL)) {
        return mlt_provider_fail(err, MLT_INTERNAL, "set up AES-256-GCM");
    }
    return MLT_OK;
}

void mlt_sealer_free(struct mlt_sealer *sealer) {
    if (sealer) {
        EVP_CIPHER_CTX_free(sealer->wrap);
        EVP_CIPHER_CTX_free(sealer->unwrap);
        EVP_CIPHER_CTX_free(sealer->other);
        EVP_CIPHER_CTX_free(sealer->seal);
        EVP_CIPHER_CTX_free(sealer->open);
        free(sealer);
    }
}

// The one-step KDF of NIST SP 800-56C r2 section 4.1 with SHA-256: one block is all that 32 bytes need.
static void derive(uint8_t out[static MLT_HASH_LEN], const uint8_t secret[static MLT_SECRET_LEN],
                   const struct mlt_bytes *info, size_t num_info) {
    struct mlt_bytes parts[5] = {{KDF_COUNTER, sizeof(KDF_COUNTER)}, {secret, MLT_SECRET_LEN}};
    assert(num_info <= 3);
    for (size_t i = 0; i < num_info; i++) {
        parts[2 + i] = info[i];
    }
    mlt_sha256(out, parts, 2 + num_info);
}

// GCM rather than the key wrap of RFC 3394: OpenSSL 3.0 runs that one over table-driven AES, which is eight times
// slower and leaks through the cache what the table look-ups were.
static void derive_wrap_nonce(uint8_t nonce[static GCM_NONCE_LEN], const uint8_t secret[static MLT_SECRET_LEN]) {
    uint8_t full[MLT_HASH_LEN];
    struct mlt_bytes info = mlt_str(WRAP_NONCE_INFO);
    derive(full, secret, &info, 1);
    memcpy(nonce, full, GCM_NONCE_LEN);
    mlt_wipe(full, sizeof(full));
}

enum mlt_status mlt_seal_wrap(struct mlt_sealer *sealer, uint8_t wrapped[static MLT_WRAPPED_LEN],
                              const uint8_t secret[static MLT_SECRET_LEN], struct mlt_error *err) {
    uint8_t *text = wrapped + GCM_NONCE_LEN;
    uint8_t *tag = text + MLT_SECRET_LEN;
    int len = 0;
    int tail = 0;
    derive_wrap_nonce(wrapped, secret);
    if (!EVP_EncryptInit_ex2(sealer->wrap, NULL, NULL, wrapped, NULL) ||
        !EVP_EncryptUpdate(sealer->wrap, NULL, &len, (const uint8_t *)WRAP_AAD, sizeof(WRAP_AAD) - 1) ||
        !EVP_EncryptUpdate(sealer->wrap, text, &len, secret, MLT_SECRET_LEN) || len != MLT_SECRET_LEN ||
        !EVP_EncryptFinal_ex(sealer->wrap, tag, &tail) || tail != 0 ||
        !EVP_CIPHER_CTX_ctrl(sealer->wrap, EVP_CTRL_AEAD_GET_TAG, MLT_SEAL_TAG_LEN, tag)) {
        return mlt_provider_fail(err, MLT_INTERNAL, "wrap a secret");
    }
    return MLT_OK;
}

// False without a word on the error queue when the tag does not fit.
static enum mlt_status unwrap_with(EVP_CIPHER_CTX *unwrap, uint8_t room[static MLT_SECRET_LEN],
                                   const uint8_t wrapped[static MLT_WRAPPED_LEN], bool *fits, struct mlt_error *err) {
    const uint8_t *text = wrapped + GCM_NONCE_LEN;
    uint8_t tag[MLT_SEAL_TAG_LEN];
    uint8_t none[1];
    int len = 0;
    memcpy(tag, text + MLT_SECRET_LEN, sizeof(tag));
    if (!EVP_DecryptInit_ex2(unwrap, NULL, NULL, wrapped, NULL) ||
        !EVP_DecryptUpdate(unwrap, NULL, &len, (const uint8_t *)WRAP_AAD, sizeof(WRAP_AAD) - 1) ||
        !EVP_DecryptUpdate(unwrap, room, &len, text, MLT_SECRET_LEN) || len != MLT_SECRET_LEN ||
        !EVP_CIPHER_CTX_ctrl(unwrap, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag)) {
        return mlt_provider_fail(err, MLT_INTERNAL, "unwrap a secret");
    }
    *fits = EVP_DecryptFinal_ex(unwrap, none, &len) > 0;
    return MLT_OK;
}

enum mlt_status mlt_seal_unwrap(struct mlt_sealer *sealer, uint8_t secret[static MLT_SECRET_LEN],
                                const uint8_t wrapped[static MLT_WRAPPED_LEN], struct mlt_error *err) {
    uint8_t room[MLT_SECRET_LEN];
    bool fits = false;
    enum mlt_status st = unwrap_with(sealer->unwrap, room, wrapped, &fits, err);
    if (!st && !fits && sealer->other) {
        st = unwrap_with(sealer->other, room, wrapped, &fits, err);
    }
    if (!st && !fits) {
        mlt_wipe(secret, MLT_SECRET_LEN);
        st = mlt_provider_fail(err, MLT_CORRUPT,
                               "unwrap a secret: not wrapped with this key-encryption key, or altered since");
    }
    if (!st) {
        memcpy(secret, room, MLT_SECRET_LEN);
    }
    mlt_wipe(room, sizeof(room));
    return st;
}

static void derive_payload_key(uint8_t key[static GCM_KEY_LEN], const uint8_t secret[static MLT_SECRET_LEN]) {
    struct mlt_bytes info = mlt_str(KEY_INFO);
    derive(key, secret, &info, 1);
}

enum mlt_status mlt_seal_payload(struct mlt_sealer *sealer, uint8_t *out, const uint8_t secret[static MLT_SECRET_LEN],
                                 struct mlt_bytes plain, struct mlt_error *err) {
    if (plain.len > INT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a payload of %zu bytes cannot be sealed, at most %d can", plain.len, INT_MAX);
    }
    uint8_t key[GCM_KEY_LEN];
    derive_payload_key(key, secret);
    int len = 0;
    int tail = 0;
    bool done = EVP_EncryptInit_ex2(sealer->seal, NULL, key, GCM_NONCE, NULL) &&
                EVP_EncryptUpdate(sealer->seal, NULL, &len, (const uint8_t *)PAYLOAD_AAD, sizeof(PAYLOAD_AAD) - 1) &&
                (plain.len == 0 || EVP_EncryptUpdate(sealer->seal, out, &len, plain.ptr, (int)plain.len)) &&
                EVP_EncryptFinal_ex(sealer->seal, out + plain.len, &tail) && tail == 0 &&
                EVP_CIPHER_CTX_ctrl(sealer->seal, EVP_CTRL_AEAD_GET_TAG, MLT_SEAL_TAG_LEN, out + plain.len);
    mlt_wipe(key, sizeof(key));
    return done ? MLT_OK : mlt_provider_fail(err, MLT_INTERNAL, "seal a payload");
}

enum mlt_status mlt_seal_open(struct mlt_sealer *sealer, uint8_t *out, const uint8_t secret[static MLT_SECRET_LEN],
                              struct mlt_bytes sealed, struct mlt_error *err) {
    if (sealed.len < MLT_SEAL_TAG_LEN) {
        return mlt_fail(err, MLT_CORRUPT, "a sealed payload has %zu bytes, at least %d are needed", sealed.len,
                        MLT_SEAL_TAG_LEN);
    }
    if (sealed.len > INT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a sealed payload of %zu bytes cannot be opened", sealed.len);
    }
    size_t plain_len = sealed.len - MLT_SEAL_TAG_LEN;
    uint8_t key[GCM_KEY_LEN];
    uint8_t tag[MLT_SEAL_TAG_LEN];
    uint8_t none[1];
    derive_payload_key(key, secret);
    memcpy(tag, sealed.ptr + plain_len, sizeof(tag));
    int len = 0;
    bool ready = EVP_DecryptInit_ex2(sealer->open, NULL, key, GCM_NONCE, NULL) &&
                 EVP_DecryptUpdate(sealer->open, NULL, &len, (const uint8_t *)PAYLOAD_AAD, sizeof(PAYLOAD_AAD) - 1) &&
                 (plain_len == 0 || EVP_DecryptUpdate(sealer->open, out, &len, sealed.ptr, (int)plain_len)) &&
                 EVP_CIPHER_CTX_ctrl(sealer->open, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag);
    mlt_wipe(key, sizeof(key));
    if (!ready) {
        return mlt_provider_fail(err, MLT_INTERNAL, "open a sealed payload");
    }
    if (EVP_DecryptFinal_ex(sealer->open, plain_len > 0 ? out + plain_len : none, &len) <= 0) {
        mlt_wipe(out, plain_len);
        return mlt_provider_fail(err, MLT_CORRUPT, "open a sealed payload: altered, or sealed with another secret");
    }
    return MLT_OK;
}

void mlt_seal_salt(uint8_t salt[static MLT_HASH_LEN], const uint8_t secret[static MLT_SECRET_LEN],
                   struct mlt_bytes name) {
    const struct mlt_bytes info[] = {mlt_str(SALT_INFO), {ZERO, 1}, name};
    derive(salt, secret, info, 3);
}

void mlt_seal_commit(uint8_t out[static MLT_HASH_LEN], const uint8_t salt[static MLT_HASH_LEN], struct mlt_bytes name,
                     struct mlt_bytes value) {
    assert(name.len <= MLT_SEAL_NAME_MAX);
    uint8_t name_len[2];
    mlt_store_u16be(name_len, (uint16_t)name.len);
    const struct mlt_bytes parts[] = {
        mlt_str(COMMITMENT_LABEL), {ZERO, 1}, {salt, MLT_HASH_LEN}, {name_len, sizeof(name_len)}, name, value,
    };
    mlt_sha256(out, parts, sizeof(parts) / sizeof(parts[0]));
}
