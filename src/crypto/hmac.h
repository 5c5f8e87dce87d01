// HMAC-SHA256 (RFC 2104), for messages of others that prove by a shared secret who sent them.
#ifndef MLT_CRYPTO_HMAC_H
#define MLT_CRYPTO_HMAC_H

#include "crypto/sha256.h"

// mlt_hmac_sha256 authenticates the concatenation of `num_parts` slices, at most MLT_HMAC_PARTS_MAX.
#define MLT_HMAC_PARTS_MAX 8
void mlt_hmac_sha256(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes key, const struct mlt_bytes *parts,
                     size_t num_parts);

#endif
