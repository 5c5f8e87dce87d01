// A fast hash for tables in memory. It has no key: whoever uses it bounds what chosen collisions can cost.
#ifndef MLT_RECORD_QUICK_HASH_H
#define MLT_RECORD_QUICK_HASH_H

#include "base/bytes.h"

static inline uint64_t mlt_quick_load8(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t mlt_quick_load4(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t mlt_quick_hash(struct mlt_bytes b) {
    const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15); // 2^64 / golden ratio: spreads low bits upwards
    uint64_t h = b.len * multiplier;
    if (b.len >= 8) {
        for (size_t i = 0; i + 8 < b.len; i += 8) {
            h = (h ^ mlt_quick_load8(b.ptr + i)) * multiplier;
            h ^= h >> 29;
        }
        h = (h ^ mlt_quick_load8(b.ptr + b.len - 8)) * multiplier;
    } else if (b.len >= 4) {
        h = (h ^ (mlt_quick_load4(b.ptr) << 32 | mlt_quick_load4(b.ptr + b.len - 4))) * multiplier;
    } else if (b.len > 0) {
        h = (h ^ ((uint64_t)b.ptr[0] << 16 | (uint64_t)b.ptr[b.len / 2] << 8 | b.ptr[b.len - 1])) * multiplier;
    }
    return (uint32_t)(h >> 32);
}

#endif
