#include "server/ndjson.h"

static bool is_blank(struct mlt_bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t') {
            return false;
        }
    }
    return true;
}

bool mlt_ndjson_next(struct mlt_ndjson *in, struct mlt_bytes *line) {
    while (in->rest.len > 0) {
        const uint8_t *start = in->rest.ptr;
        const uint8_t *newline = memchr(start, '\n', in->rest.len);
        size_t len = newline ? (size_t)(newline - start) : in->rest.len;
        size_t skip = newline ? len + 1 : len;
        in->rest = mlt_bytes_of(start + skip, in->rest.len - skip);
        in->line++;
        if (len > 0 && start[len - 1] == '\r') {
            len--;
        }
        *line = mlt_bytes_of(start, len);
        if (!is_blank(*line)) {
            return true;
        }
    }
    return false;
}
