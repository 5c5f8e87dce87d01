#include "capture/capture.h"

#include <stdarg.h>
#include <stdio.h>

void mlt_capture_clear(struct mlt_capture *c) {
    mlt_buf_clear(&c->lines);
    mlt_arena_clear(&c->arena);
    *c = (struct mlt_capture){0};
}

struct mlt_json_writer *mlt_capture_begin(struct mlt_capture *c, const char *kind) {
    mlt_jw_init(&c->writer, &c->lines);
    mlt_jw_object(&c->writer);
    mlt_jw_member(&c->writer, "kind", kind);
    return &c->writer;
}

void mlt_capture_end(struct mlt_capture *c) {
    mlt_jw_end_object(&c->writer);
    mlt_buf_put_u8(&c->lines, '\n');
    c->num_records++;
}

enum mlt_status mlt_capture_reject(struct mlt_capture *c, uint32_t item, struct mlt_bytes raw, const char *code,
                                   const char *pointer, const char *fmt, ...) {
    if (!c->rejected) {
        c->rejected = mlt_arena_take(&c->arena, MLT_CAPTURE_REJECTED_MAX * sizeof(*c->rejected));
    }
    if (!c->rejected) {
        return MLT_NOMEM;
    }
    if (c->num_rejected < MLT_CAPTURE_REJECTED_MAX) {
        struct mlt_capture_rejected *r = &c->rejected[c->num_rejected];
        char text[sizeof(r->problem.detail)];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        *r = (struct mlt_capture_rejected){.item = item, .raw = raw};
        (void)mlt_problem_set(&r->problem, MLT_INVALID, code, pointer, "%s", text);
        r->problem.line = item;
    }
    c->num_rejected++;
    return MLT_INVALID;
}
