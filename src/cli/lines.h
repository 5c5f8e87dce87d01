// Lines of a stream, each of bounded length.
#ifndef MLT_CLI_LINES_H
#define MLT_CLI_LINES_H

#include <stdio.h>

#include "base/bytes.h"

struct mlt_lines {
    FILE *in;
    struct mlt_buf line; // the current one, without its newline
    size_t max;
    uint64_t number; // of the current line, from 1
    bool too_long;   // the current line exceeded `max`; its text was passed over
    bool failed;     // the stream could not be read
};
// mlt_lines_next reads the next line; false at the end (or when the stream failed).
bool mlt_lines_next(struct mlt_lines *lines);
bool mlt_lines_blank(const struct mlt_lines *lines);

#endif
