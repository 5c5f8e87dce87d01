// CRC-32C (Castagnoli): finds rot and torn writes. What finds tampering is the tree, not this.
#ifndef MLT_STORE_CRC32C_H
#define MLT_STORE_CRC32C_H

#include "base/bytes.h"

#define MLT_CRC32C_BEGIN UINT32_C(0xffffffff)

// Begin with MLT_CRC32C_BEGIN, add slices in order, finish once.
uint32_t mlt_crc32c_add(uint32_t state, struct mlt_bytes data);
static inline uint32_t mlt_crc32c_end(uint32_t state) {
    return ~state;
}
static inline uint32_t mlt_crc32c(struct mlt_bytes data) {
    return mlt_crc32c_end(mlt_crc32c_add(MLT_CRC32C_BEGIN, data));
}

#endif
