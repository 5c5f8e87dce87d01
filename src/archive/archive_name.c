#include "archive/archive.h"

static bool allowed(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static bool part_valid(struct mlt_bytes part) {
    for (size_t i = 0; i < part.len; i++) {
        if (!allowed(part.ptr[i])) {
            return false;
        }
    }
    return part.len > 0 && !mlt_bytes_is(part, ".") && !mlt_bytes_is(part, "..");
}

bool mlt_archive_name_valid(struct mlt_bytes name) {
    size_t start = 0;
    if (name.len > MLT_ARCHIVE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i <= name.len; i++) {
        if (i == name.len || name.ptr[i] == '/') {
            if (!part_valid(mlt_bytes_of(name.ptr + start, i - start))) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}
