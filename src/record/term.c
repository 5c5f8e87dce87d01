#include "record/term.h"

#include <assert.h>

#include "record/quick_hash.h"

#define TERM_VALUES_MAX 8 // the longest term has four values

void mlt_term_hash(uint8_t out[static MLT_HASH_LEN], const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim,
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
    mlt_sha256(out, parts, n);
}

void mlt_term_make(struct mlt_term *out, const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim,
                   const struct mlt_bytes *values, size_t num_values) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_term_hash(hash, key, dim, values, num_values);
    memcpy(out->hash, hash, MLT_TERM_LEN);
    out->dim = (uint8_t)dim;
}

// Dimension and values in one string that no other dimension and values give; 0 when it does not fit.
static size_t cache_key(uint8_t out[static MLT_TERM_CACHE_KEY_MAX], enum mlt_dim dim, const struct mlt_bytes *values,
                        size_t num_values) {
    size_t len = 0;
    out[len++] = (uint8_t)dim;
    for (size_t i = 0; i < num_values; i++) {
        if (len == MLT_TERM_CACHE_KEY_MAX || values[i].len > MLT_TERM_CACHE_KEY_MAX - 1 - len) {
            return 0;
        }
        out[len++] = (uint8_t)values[i].len;
        if (values[i].len) {
            memcpy(out + len, values[i].ptr, values[i].len);
            len += values[i].len;
        }
    }
    return len;
}

void mlt_term_make_cached(struct mlt_term_cache *cache, struct mlt_term *out,
                          const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim, const struct mlt_bytes *values,
                          size_t num_values) {
    uint8_t text[MLT_TERM_CACHE_KEY_MAX];
    size_t len = cache ? cache_key(text, dim, values, num_values) : 0;
    if (len == 0) {
        mlt_term_make(out, key, dim, values, num_values);
        return;
    }
    // A collision costs one SHA-256, no more.
    size_t at = mlt_quick_hash(mlt_bytes_of(text, len)) % MLT_TERM_CACHE_SLOTS;
    if (cache->slot[at].len == len && memcmp(cache->slot[at].key, text, len) == 0) {
        *out = cache->slot[at].term;
        return;
    }
    mlt_term_make(out, key, dim, values, num_values);
    cache->slot[at].len = (uint8_t)len;
    memcpy(cache->slot[at].key, text, len);
    cache->slot[at].term = *out;
}
