#include "record/term.h"

#include <assert.h>

#include "crypto/sha256.h"

#define TERM_VALUES_MAX 8 // the longest term has four values

void mlt_term_make(struct mlt_term *out, const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim,
                   const struct mlt_bytes *values, size_t num_values) {
    assert(num_values <= TERM_VALUES_MAX);
    uint8_t dim_byte = (uint8_t)dim;
    uint8_t lengths[TERM_VALUES_MAX][4];
    struct mlt_bytes parts[2 + 2 * TERM_VALUES_MAX];
    size_t n = 0;
    parts[n++] = mlt_bytes_of(key, MLT_INDEX_KEY_LEN);
    parts[n++] = mlt_bytes_of(&dim_byte, 1);
    for (size_t i = 0; i < num_values; i++) {
        mlt_store_u32be(lengths[i], (uint32_t)values[i].len);
        parts[n++] = mlt_bytes_of(lengths[i], 4);
        parts[n++] = values[i];
    }
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256(hash, parts, n);
    memcpy(out->hash, hash, MLT_TERM_LEN);
    out->dim = dim_byte;
}
