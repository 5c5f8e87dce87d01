// Formats of a record per line, read a piece of a file at a time.
//
// What an importer knows of the file comes by the message's `header`, under these names; NULL: not known.
#ifndef MLT_CAPTURE_LINES_H
#define MLT_CAPTURE_LINES_H

#include "capture/capture.h"

#define MLT_IMPORT_FILE "Mltrail-File" // its path
#define MLT_IMPORT_ZONE "Mltrail-Zone" // of times that have none: "Z" or "+hh:mm"

static inline const char *mlt_foreign_header(const struct mlt_foreign *msg, const char *name) {
    return msg->header ? msg->header(msg->header_arg, name) : NULL;
}

// mlt_capture_next_line takes the next line, without its end; the last one may go without. False: there is none.
static inline bool mlt_capture_next_line(struct mlt_bytes *rest, struct mlt_bytes *line) {
    if (rest->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    size_t taken = end ? len + 1 : len;
    *line = mlt_bytes_of(rest->ptr, len > 0 && rest->ptr[len - 1] == '\r' ? len - 1 : len);
    *rest = mlt_bytes_of(rest->ptr + taken, rest->len - taken);
    return true;
}

// Lines that are CloudEvents in JSON: an event, or an array of them.
mlt_capture_format mlt_capture_event_lines;

// Lines that are records already, as `mltrail append` takes them.
mlt_capture_format mlt_capture_records;

#endif
