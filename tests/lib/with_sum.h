// A check sum put right, for fuzz targets that it would keep out.
#ifndef MLT_TESTS_LIB_WITH_SUM_H
#define MLT_TESTS_LIB_WITH_SUM_H

#include "record/json_sum.h"

// The input without the sum that it may have, and the right one behind it.
static inline void with_sum(struct mlt_buf *out, const uint8_t *data, size_t size) {
    static const char name[] = ",\"sha256\":";
    size_t len = size;
    for (size_t i = 0; i + sizeof name - 1 <= size; i++) {
        if (memcmp(data + i, name, sizeof name - 1) == 0) {
            len = i;
        }
    }
    struct mlt_json_writer w;
    mlt_buf_put(out, data, len);
    mlt_jw_init(&w, out);
    w.depth = 1;
    w.need_comma[1] = true;
    mlt_json_sum_end(&w);
}

#endif
