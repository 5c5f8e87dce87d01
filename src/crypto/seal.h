// Sealing of payloads: one 32-byte secret per record, everything else derived from it (docs/FORMAT.md, "Sealed
// payloads").
//
//   key  = KDF(secret, "mltrail/v1 payload key")
//   salt = KDF(secret, "mltrail/v1 payload salt" || 0x00 || member name)
//   KDF  = SHA-256(00 00 00 01 || secret || info), the one-step KDF of NIST SP 800-56C r2 section 4.1, one block
//   sealed payload = AES-256-GCM(key, nonce 0^12, aad "mltrail/v1 payload") ciphertext || 16-byte tag;
//                    the zero nonce is safe because a secret seals one message only
//   commitment(member) = SHA-256("mltrail/v1 commitment" || 0x00 || salt || u16be name length || name || value bytes)
//   wrapped secret = nonce || AES-256-GCM(key-encryption key, nonce, aad "mltrail/v1 wrap") of the secret || tag: 60
//   bytes;
//                    nonce = the first 12 bytes of KDF(secret, "mltrail/v1 wrap nonce"): a secret is random, so its
//                    nonce is, and only the same secret could meet the same nonce (up to 2^32 wraps under one key:
//                    2^-33)
#ifndef MLT_CRYPTO_SEAL_H
#define MLT_CRYPTO_SEAL_H

#include "crypto/sha256.h"

#define MLT_SECRET_LEN 32
#define MLT_KEK_LEN 32
#define MLT_WRAPPED_LEN 60
#define MLT_SEAL_TAG_LEN 16
#define MLT_SEAL_NAME_MAX 65535 // bytes of a member name: its length is committed to as u16; the caller checks

// A sealer holds keyed contexts; one per thread. Wrapping needs the key-encryption key, the rest does not.
struct mlt_sealer;
enum mlt_status mlt_sealer_new(struct mlt_sealer **out, const uint8_t kek[static MLT_KEK_LEN],
                               struct mlt_error *err) MLT_MUST_USE;
void mlt_sealer_free(struct mlt_sealer *sealer);
// mlt_sealer_accept makes it unwrap also what was wrapped with another key-encryption key, while secrets go from one
// key to the other. It wraps with the first one only.
enum mlt_status mlt_sealer_accept(struct mlt_sealer *sealer, const uint8_t other_kek[static MLT_KEK_LEN],
                                  struct mlt_error *err) MLT_MUST_USE;

enum mlt_status mlt_seal_wrap(struct mlt_sealer *sealer, uint8_t wrapped[static MLT_WRAPPED_LEN],
                              const uint8_t secret[static MLT_SECRET_LEN], struct mlt_error *err) MLT_MUST_USE;
// MLT_CORRUPT: these 60 bytes were not made with this key-encryption key.
enum mlt_status mlt_seal_unwrap(struct mlt_sealer *sealer, uint8_t secret[static MLT_SECRET_LEN],
                                const uint8_t wrapped[static MLT_WRAPPED_LEN], struct mlt_error *err) MLT_MUST_USE;
// `out` has room for plain.len + MLT_SEAL_TAG_LEN bytes.
enum mlt_status mlt_seal_payload(struct mlt_sealer *sealer, uint8_t *out, const uint8_t secret[static MLT_SECRET_LEN],
                                 struct mlt_bytes plain, struct mlt_error *err) MLT_MUST_USE;
// `out` has room for sealed.len - MLT_SEAL_TAG_LEN bytes. MLT_CORRUPT: the tag does not fit.
enum mlt_status mlt_seal_open(struct mlt_sealer *sealer, uint8_t *out, const uint8_t secret[static MLT_SECRET_LEN],
                              struct mlt_bytes sealed, struct mlt_error *err) MLT_MUST_USE;
void mlt_seal_salt(uint8_t salt[static MLT_HASH_LEN], const uint8_t secret[static MLT_SECRET_LEN],
                   struct mlt_bytes name);
void mlt_seal_commit(uint8_t out[static MLT_HASH_LEN], const uint8_t salt[static MLT_HASH_LEN], struct mlt_bytes name,
                     struct mlt_bytes value);

#endif
