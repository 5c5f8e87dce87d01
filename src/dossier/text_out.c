#include "dossier/text_out.h"

void mlt_text_init(struct mlt_text *t, struct mlt_buf *out, bool color, unsigned width) {
    *t = (struct mlt_text){.out = out, .color = color, .width = width ? width : MLT_TEXT_WIDTH_DEFAULT};
    if (t->width < MLT_TEXT_WIDTH_MIN) {
        t->width = MLT_TEXT_WIDTH_MIN;
    }
}

void mlt_text_clear(struct mlt_text *t) {
    if (t->scratch.failed) {
        t->out->failed = true;
    }
    mlt_buf_clear(&t->scratch);
}

void mlt_text_line(struct mlt_text *t) {
    mlt_buf_put_u8(t->out, '\n');
}

static const char *style_on(enum mlt_text_style style) {
    switch (style) {
    case MLT_STYLE_BOLD:
        return "\033[1m";
    case MLT_STYLE_DIM:
        return "\033[2m";
    case MLT_STYLE_GOOD:
        return "\033[32m";
    case MLT_STYLE_BAD:
        return "\033[1;31m";
    case MLT_STYLE_WARN:
        return "\033[33m";
    default:
        return "";
    }
}

static void begin_style(struct mlt_text *t, enum mlt_text_style style) {
    if (t->color) {
        mlt_buf_put_str(t->out, style_on(style));
    }
}

static void end_style(struct mlt_text *t, enum mlt_text_style style) {
    if (t->color && style != MLT_STYLE_PLAIN) {
        mlt_buf_put_str(t->out, "\033[0m");
    }
}

static void put_spaces(struct mlt_text *t, size_t num) {
    while (num-- > 0) {
        mlt_buf_put_u8(t->out, ' ');
    }
}

// How many bytes of `word` fit into `columns`; at least one character.
static size_t fitting(struct mlt_bytes word, size_t columns) {
    struct mlt_bytes left = word;
    size_t used = 0;
    size_t bytes = 0;
    while (left.len) {
        const size_t width = mlt_visible_columns(mlt_visible_next(&left));
        if (used + width > columns && bytes > 0) {
            break;
        }
        used += width;
        bytes = word.len - left.len;
    }
    return bytes;
}

// Puts harmless text whose first line begins at column `column`.
static void put_wrapped(struct mlt_text *t, size_t column, size_t rest, enum mlt_text_style style,
                        struct mlt_bytes text) {
    bool line_start = true;
    size_t at = 0;
    begin_style(t, style);
    while (at < text.len) {
        size_t end = at;
        while (end < text.len && text.ptr[end] != ' ') {
            end++;
        }
        struct mlt_bytes word = mlt_bytes_of(text.ptr + at, end - at);
        at = end + (end < text.len);
        if (!line_start && column + 1 + mlt_visible_width(word) > t->width && column > rest) {
            mlt_text_line(t);
            put_spaces(t, rest);
            column = rest;
            line_start = true;
        }
        if (!line_start) {
            put_spaces(t, 1);
            column++;
        }
        while (column + mlt_visible_width(word) > t->width) {
            const size_t room = t->width > column ? t->width - column : 1;
            const size_t part = fitting(word, room);
            if (part == word.len) {
                break;
            }
            mlt_buf_put(t->out, word.ptr, part);
            word = mlt_bytes_of(word.ptr + part, word.len - part);
            mlt_text_line(t);
            put_spaces(t, rest);
            column = rest;
        }
        mlt_buf_put_bytes(t->out, word);
        column += mlt_visible_width(word);
        line_start = false;
    }
    end_style(t, style);
    mlt_text_line(t);
}

static struct mlt_bytes harmless(struct mlt_text *t, struct mlt_bytes text) {
    t->scratch.len = 0;
    mlt_visible_put(&t->scratch, text, MLT_VISIBLE_PLAIN);
    return mlt_buf_bytes(&t->scratch);
}

void mlt_text_wrap(struct mlt_text *t, unsigned first, unsigned rest, enum mlt_text_style style,
                   struct mlt_bytes text) {
    const struct mlt_bytes safe = harmless(t, text);
    put_spaces(t, first);
    put_wrapped(t, first, rest, style, safe);
}

void mlt_text_heading(struct mlt_text *t, const char *title) {
    mlt_text_line(t);
    mlt_text_wrap(t, 0, 0, MLT_STYLE_BOLD, mlt_str(title));
}

void mlt_text_row(struct mlt_text *t, unsigned indent, unsigned label_width, struct mlt_bytes label,
                  enum mlt_text_style style, struct mlt_bytes value) {
    const size_t value_column = indent + label_width + 2;
    struct mlt_bytes safe = harmless(t, label);
    const size_t width = mlt_visible_width(safe);
    put_spaces(t, indent);
    begin_style(t, MLT_STYLE_DIM);
    mlt_buf_put_bytes(t->out, safe);
    end_style(t, MLT_STYLE_DIM);
    if (width > label_width || value_column + 12 > t->width) {
        // The label leaves no room beside it: the value goes below.
        mlt_text_line(t);
        put_spaces(t, indent + 2);
        put_wrapped(t, indent + 2, indent + 2, style, harmless(t, value));
        return;
    }
    put_spaces(t, value_column - indent - width);
    put_wrapped(t, value_column, value_column, style, harmless(t, value));
}

enum mlt_text_style mlt_text_severity(struct mlt_bytes severity) {
    if (mlt_bytes_is(severity, "critical") || mlt_bytes_is(severity, "high")) {
        return MLT_STYLE_BAD;
    }
    return mlt_bytes_is(severity, "medium") ? MLT_STYLE_WARN : MLT_STYLE_PLAIN;
}
