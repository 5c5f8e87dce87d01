// Keys that a PKCS#11 token keeps (a hardware security module, a smart card, SoftHSM): the signing key, and the key
// under which the key-encryption key lies at rest.
//
// A key is named by a URI of RFC 7512, such as
//   pkcs11:token=trail;object=signing?module-path=/usr/lib/softhsm/libsofthsm2.so
// Without module-path the modules that the system's p11-kit configuration names are asked. A PIN never stands in the
// URI, which is kept in a file and seen in argv: `pin-value` is refused. `pin-source=file:/path` is read by whoever
// gives the PIN.
//
// A token that does not answer is an error of the one call, MLT_DENIED, and never tried again here.
#ifndef MLT_HSM_HSM_H
#define MLT_HSM_HSM_H

#include "crypto/ed25519.h"

#define MLT_PIN_MAX 256      // with its NUL; tokens allow some dozens
#define MLT_HSM_URI_MAX 1024 // with its NUL; every attribute of RFC 7512 and a long path fit
#define MLT_HSM_SECRET_LEN 32
#define MLT_HSM_NONCE_LEN 12
#define MLT_HSM_WRAPPED_LEN (MLT_HSM_NONCE_LEN + MLT_HSM_SECRET_LEN + 16)

// Who knows the PIN of a token. `pin_file` is the path of a pin-source of the URI, NULL without one; `token` is the
// token's label, for a question. The PIN is wiped by the one who asked.
struct mlt_pin_source {
    enum mlt_status (*read)(void *arg, const char *token, const char *pin_file, char out[static MLT_PIN_MAX],
                            struct mlt_error *err);
    void *arg;
};

// mlt_hsm_is_uri: does the text begin as a PKCS#11 URI?
bool mlt_hsm_is_uri(struct mlt_bytes text);
// mlt_hsm_check_uri: MLT_INVALID with what is wrong. Asks no token.
enum mlt_status mlt_hsm_check_uri(const char *uri, struct mlt_error *err) MLT_MUST_USE;

// mlt_hsm_signing_key opens the token and finds its Ed25519 key (CKK_EC_EDWARDS), which then signs with CKM_EDDSA.
// `pin` NULL: only tokens that ask for none. MLT_NOTFOUND: no such token or key. MLT_CONFLICT: the URI fits several.
// MLT_DENIED: the token refused, or does not answer.
enum mlt_status mlt_hsm_signing_key(struct mlt_signing_key **out, const char *uri, const struct mlt_pin_source *pin,
                                    struct mlt_error *err) MLT_MUST_USE;

// mlt_hsm_wrap encrypts a secret with the token's AES key (CKM_AES_GCM): nonce || ciphertext || tag. `nonce` is random.
enum mlt_status mlt_hsm_wrap(uint8_t wrapped[static MLT_HSM_WRAPPED_LEN], const char *uri,
                             const struct mlt_pin_source *pin, const uint8_t secret[static MLT_HSM_SECRET_LEN],
                             const uint8_t nonce[static MLT_HSM_NONCE_LEN], struct mlt_error *err) MLT_MUST_USE;
// mlt_hsm_unwrap is the inverse. MLT_DENIED: not wrapped by this key, or the token refused.
enum mlt_status mlt_hsm_unwrap(uint8_t secret[static MLT_HSM_SECRET_LEN], const char *uri,
                               const struct mlt_pin_source *pin, const uint8_t wrapped[static MLT_HSM_WRAPPED_LEN],
                               struct mlt_error *err) MLT_MUST_USE;

#endif
