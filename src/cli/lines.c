#define _DEFAULT_SOURCE // getc_unlocked under C17
#include "cli/lines.h"

bool mlt_lines_next(struct mlt_lines *l) {
    mlt_buf_reset(&l->line);
    l->too_long = false;
    int c;
    bool any = false;
    while ((c = getc_unlocked(l->in)) != EOF && c != '\n') {
        any = true;
        if (l->line.len < l->max) {
            mlt_buf_put_u8(&l->line, (uint8_t)c);
        } else {
            l->too_long = true;
        }
    }
    l->failed = (c == EOF && ferror(l->in)) || l->line.failed;
    l->number++;
    return !l->failed && (any || c == '\n');
}

bool mlt_lines_blank(const struct mlt_lines *l) {
    for (size_t i = 0; i < l->line.len; i++) {
        if (!strchr(" \t\r", l->line.data[i]) || l->line.data[i] == '\0') {
            return false;
        }
    }
    return true;
}
