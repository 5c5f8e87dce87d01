#include "store/crc32c.h"

#include <isa-l/crc.h>

uint32_t mlt_crc32c_add(uint32_t state, struct mlt_bytes data) {
    // isa-l takes an int: a slice of ours may be longer.
    const size_t chunk_max = (size_t)1 << 30;
    while (data.len > 0) {
        size_t chunk = data.len < chunk_max ? data.len : chunk_max;
        state = crc32_iscsi((unsigned char *)(uintptr_t)data.ptr, (int)chunk, state);
        data.ptr += chunk;
        data.len -= chunk;
    }
    return state;
}
