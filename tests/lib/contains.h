// Text within bytes, which no zero ends.
#ifndef MLT_TESTS_LIB_CONTAINS_H
#define MLT_TESTS_LIB_CONTAINS_H

#include <string.h>

#include "base/bytes.h"

static inline bool contains(struct mlt_bytes bytes, const char *text) {
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= bytes.len; i++) {
        if (memcmp(bytes.ptr + i, text, len) == 0) {
            return true;
        }
    }
    return false;
}

#endif
