// Ed25519 (RFC 8032): verifying over OpenSSL, signing with a key in memory (OpenSSL) or with one that somebody else
// keeps, such as a PKCS#11 token.
#ifndef MLT_CRYPTO_ED25519_H
#define MLT_CRYPTO_ED25519_H

#include "base/bytes.h"

#define MLT_ED25519_SEED_LEN 32
#define MLT_ED25519_KEY_LEN 32
#define MLT_ED25519_SIG_LEN 64

struct mlt_signing_key; // owns the private key; use from one thread at a time

enum mlt_status mlt_signing_key_new(struct mlt_signing_key **out, const uint8_t seed[static MLT_ED25519_SEED_LEN],
                                    struct mlt_error *err) MLT_MUST_USE;
// How a key that lies elsewhere signs. `sign` answers within a bounded time; `free` releases `ctx`.
struct mlt_signing_ops {
    enum mlt_status (*sign)(void *ctx, uint8_t sig[static MLT_ED25519_SIG_LEN], struct mlt_bytes message,
                            struct mlt_error *err);
    void (*free)(void *ctx);
};
// mlt_signing_key_remote takes over `ctx`, also when it fails. Each signature is verified before it is given out.
enum mlt_status mlt_signing_key_remote(struct mlt_signing_key **out, const struct mlt_signing_ops *ops, void *ctx,
                                       const uint8_t public_key[static MLT_ED25519_KEY_LEN],
                                       struct mlt_error *err) MLT_MUST_USE;
void mlt_signing_key_free(struct mlt_signing_key *key);
void mlt_signing_key_public(const struct mlt_signing_key *key, uint8_t out[static MLT_ED25519_KEY_LEN]);
enum mlt_status mlt_ed25519_sign(const struct mlt_signing_key *key, uint8_t sig[static MLT_ED25519_SIG_LEN],
                                 struct mlt_bytes message, struct mlt_error *err) MLT_MUST_USE;
// mlt_ed25519_verify is a verdict: true only for a good signature.
bool mlt_ed25519_verify(const uint8_t key[static MLT_ED25519_KEY_LEN], struct mlt_bytes message,
                        const uint8_t sig[static MLT_ED25519_SIG_LEN]);

#endif
