// links: mlt_merkle
//
// A tile has one path: what parses prints as it was.
#include <stdlib.h>

#include "merkle/merkle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_tile_id id;
    if (mlt_tile_path_parse(&id, mlt_bytes_of(data, size))) {
        char printed[MLT_TILE_PATH_MAX];
        mlt_tile_path_format(printed, &id);
        if (!mlt_bytes_is(mlt_bytes_of(data, size), printed)) {
            abort();
        }
        (void)mlt_tile_width(UINT64_MAX, id.level, id.number);
    }
    return 0;
}
