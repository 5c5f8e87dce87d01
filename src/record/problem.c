#include "record/problem.h"

#include <stdarg.h>
#include <stdio.h>

enum mlt_status mlt_problem_set(struct mlt_problem *p, enum mlt_status status, const char *code, const char *pointer,
                                const char *fmt, ...) {
    (void)snprintf(p->code, sizeof(p->code), "%s", code);
    (void)snprintf(p->pointer, sizeof(p->pointer), "%s", pointer);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(p->detail, sizeof(p->detail), fmt, args);
    va_end(args);
    return status;
}

void mlt_problem_append(struct mlt_buf *out, const struct mlt_problem *p) {
    struct mlt_json_writer w;
    mlt_buf_put_u8(out, out->len > 0 ? ',' : '[');
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "line", p->line);
    mlt_jw_member(&w, "code", p->code);
    mlt_jw_member(&w, "pointer", p->pointer);
    mlt_jw_member(&w, "detail", p->detail);
    mlt_jw_end_object(&w);
}

void mlt_problem_show(char out[static MLT_SHOWN_LEN], struct mlt_bytes text) {
    size_t len = text.len < MLT_SHOWN_LEN - 4 ? text.len : MLT_SHOWN_LEN - 4;
    for (size_t i = 0; i < len; i++) {
        bool shown = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7F;
        out[i] = '?';
        if (shown) {
            memcpy(out + i, text.ptr + i, 1);
        }
    }
    memcpy(out + len, len < text.len ? "..." : "", len < text.len ? 4 : 1);
}

unsigned mlt_name_distance(struct mlt_bytes a, const char *b) {
    enum { NAME_CAP = 40 }; // no kind and no member has a name as long
    size_t b_len = strlen(b);
    if (a.len >= NAME_CAP || b_len >= NAME_CAP) {
        return NAME_CAP;
    }
    unsigned row[NAME_CAP];
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned change = diagonal + (a.ptr[i - 1] != (uint8_t)b[j - 1]);
            diagonal = row[j];
            unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < gap ? change : gap;
        }
    }
    return row[b_len];
}

const char *mlt_json_type_words(const struct mlt_json *json, mlt_json_at at) {
    static const char *const words[] = {
        [MLT_JSON_NULL] = "null",        [MLT_JSON_FALSE] = "false",     [MLT_JSON_TRUE] = "true",
        [MLT_JSON_NUMBER] = "a number",  [MLT_JSON_STRING] = "a string", [MLT_JSON_ARRAY] = "an array",
        [MLT_JSON_OBJECT] = "an object",
    };
    return words[mlt_json_type_of(json, at)];
}
