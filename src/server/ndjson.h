// Lines of a batch: one JSON text a line, ended by LF or CRLF; the last one may go without; blank lines count but say
// nothing.
#ifndef MLT_SERVER_NDJSON_H
#define MLT_SERVER_NDJSON_H

#include "base/bytes.h"

struct mlt_ndjson {
    struct mlt_bytes rest;
    uint32_t line; // 1-based number of the line given last
};
static inline struct mlt_ndjson mlt_ndjson_of(struct mlt_bytes body) {
    return (struct mlt_ndjson){body, 0};
}
// mlt_ndjson_next gives the next line that is not blank; false at the end.
bool mlt_ndjson_next(struct mlt_ndjson *in, struct mlt_bytes *line);

#endif
