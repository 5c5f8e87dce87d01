#include "crypto/hmac.h"

#include <assert.h>

#define BLOCK_LEN 64 // of SHA-256

void mlt_hmac_sha256(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes key, const struct mlt_bytes *parts,
                     size_t num_parts) {
    uint8_t block[BLOCK_LEN] = {0}, inner[MLT_HASH_LEN];
    struct mlt_bytes all[MLT_HMAC_PARTS_MAX + 1] = {{block, BLOCK_LEN}};
    assert(num_parts <= MLT_HMAC_PARTS_MAX);
    if (key.len > BLOCK_LEN) {
        mlt_sha256_one(block, key);
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    for (size_t i = 0; i < BLOCK_LEN; i++) {
        block[i] ^= 0x36;
    }
    for (size_t i = 0; i < num_parts; i++) {
        all[i + 1] = parts[i];
    }
    mlt_sha256(inner, all, num_parts + 1);
    for (size_t i = 0; i < BLOCK_LEN; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    mlt_sha256(out, (struct mlt_bytes[]){{block, BLOCK_LEN}, {inner, MLT_HASH_LEN}}, 2);
    mlt_wipe(block, sizeof block);
    mlt_wipe(inner, sizeof inner);
}
