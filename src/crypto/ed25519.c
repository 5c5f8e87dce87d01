#include "crypto/ed25519.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "crypto/provider.h"

struct mlt_signing_key {
    const struct mlt_signing_ops *ops; // NULL: the key is in `pkey`
    void *remote;
    EVP_PKEY *pkey;
    EVP_MD_CTX *ctx; // kept, so that signing a tree head allocates nothing
    uint8_t public_key[MLT_ED25519_KEY_LEN];
};

enum mlt_status mlt_signing_key_new(struct mlt_signing_key **out, const uint8_t seed[static MLT_ED25519_SEED_LEN],
                                    struct mlt_error *err) {
    *out = NULL;
    struct mlt_signing_key *key = calloc(1, sizeof(*key));
    if (!key) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a signing key");
    }
    size_t len = sizeof(key->public_key);
    key->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, MLT_ED25519_SEED_LEN);
    key->ctx = EVP_MD_CTX_new();
    if (!key->pkey || !key->ctx || !EVP_PKEY_get_raw_public_key(key->pkey, key->public_key, &len) ||
        len != sizeof(key->public_key)) {
        mlt_signing_key_free(key);
        return mlt_provider_fail(err, MLT_INTERNAL, "make an Ed25519 key");
    }
    *out = key;
    return MLT_OK;
}

enum mlt_status mlt_signing_key_remote(struct mlt_signing_key **out, const struct mlt_signing_ops *ops, void *ctx,
                                       const uint8_t public_key[static MLT_ED25519_KEY_LEN], struct mlt_error *err) {
    *out = NULL;
    struct mlt_signing_key *key = calloc(1, sizeof(*key));
    if (!key) {
        ops->free(ctx);
        return mlt_fail(err, MLT_NOMEM, "no memory for a signing key");
    }
    key->ops = ops;
    key->remote = ctx;
    memcpy(key->public_key, public_key, MLT_ED25519_KEY_LEN);
    *out = key;
    return MLT_OK;
}

void mlt_signing_key_free(struct mlt_signing_key *key) {
    if (key) {
        if (key->ops) {
            key->ops->free(key->remote);
        }
        EVP_MD_CTX_free(key->ctx);
        EVP_PKEY_free(key->pkey); // OpenSSL clears the private part
        free(key);
    }
}

void mlt_signing_key_public(const struct mlt_signing_key *key, uint8_t out[static MLT_ED25519_KEY_LEN]) {
    memcpy(out, key->public_key, MLT_ED25519_KEY_LEN);
}

// A token may hold another key than it says, or be exchanged while it is in use: nothing leaves that does not verify.
static enum mlt_status sign_remotely(const struct mlt_signing_key *key, uint8_t sig[static MLT_ED25519_SIG_LEN],
                                     struct mlt_bytes message, struct mlt_error *err) {
    enum mlt_status st = key->ops->sign(key->remote, sig, message, err);
    if (!st && !mlt_ed25519_verify(key->public_key, message, sig)) {
        memset(sig, 0, MLT_ED25519_SIG_LEN);
        st = mlt_fail(err, MLT_CONFLICT, "the signature made elsewhere is not one of the trail's key");
    }
    return st;
}

enum mlt_status mlt_ed25519_sign(const struct mlt_signing_key *key, uint8_t sig[static MLT_ED25519_SIG_LEN],
                                 struct mlt_bytes message, struct mlt_error *err) {
    if (key->ops) {
        return sign_remotely(key, sig, message, err);
    }
    static const uint8_t nothing[1];
    size_t len = MLT_ED25519_SIG_LEN;
    // A context is good for one signature: newer releases of OpenSSL insist on the new beginning.
    if (!EVP_DigestSignInit_ex(key->ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) ||
        !EVP_DigestSign(key->ctx, sig, &len, message.len > 0 ? message.ptr : nothing, message.len) ||
        len != MLT_ED25519_SIG_LEN) {
        return mlt_provider_fail(err, MLT_INTERNAL, "sign with Ed25519");
    }
    return MLT_OK;
}

bool mlt_ed25519_verify(const uint8_t key[static MLT_ED25519_KEY_LEN], struct mlt_bytes message,
                        const uint8_t sig[static MLT_ED25519_SIG_LEN]) {
    static const uint8_t nothing[1];
    bool good = false;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key, MLT_ED25519_KEY_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (pkey && ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, pkey, NULL) == 1 &&
        EVP_DigestVerify(ctx, sig, MLT_ED25519_SIG_LEN, message.len > 0 ? message.ptr : nothing, message.len) == 1) {
        good = true;
    }
    if (!good) {
        ERR_clear_error();
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}
