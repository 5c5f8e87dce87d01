#include "dossier/visible.h"

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t num, uint32_t c) {
    for (size_t i = 0; i < num; i++) {
        if (c < ranges[i].first) {
            return false;
        }
        if (c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

// Characters that act on their surroundings or show as nothing. Ascending.
static const struct range hidden[] = {
    {0x0, 0x1f},        // C0, with ESC and newline
    {0x7f, 0x9f},       // DEL, C1 with the one-character CSI
    {0xad, 0xad},       // soft hyphen
    {0x34f, 0x34f},     // combining grapheme joiner
    {0x61c, 0x61c},     // Arabic letter mark
    {0x115f, 0x1160},   // Hangul fillers
    {0x17b4, 0x17b5},   // invisible Khmer vowels
    {0x180b, 0x180f},   // Mongolian selectors
    {0x200b, 0x200f},   // zero width, direction marks
    {0x2028, 0x202e},   // separators, embeddings and overrides
    {0x2060, 0x206f},   // joiners, invisible operators, isolates
    {0x3164, 0x3164},   // Hangul filler
    {0xfe00, 0xfe0f},   // variation selectors
    {0xfeff, 0xfeff},   // byte order mark
    {0xffa0, 0xffa0},   // half-width Hangul filler
    {0xfff0, 0xfffb},   // annotation
    {0x1d173, 0x1d17a}, // musical format
    {0xe0000, 0xe0fff}, // tags, further variation selectors
};

// Two columns on a terminal.
static const struct range wide[] = {
    {0x1100, 0x115e}, {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
    {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

// No column of their own: the common combining marks.
static const struct range combining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint32_t mlt_visible_next(struct mlt_bytes *text) {
    const uint8_t first = text->ptr[0];
    const size_t len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    uint32_t c = 0xfffd;
    size_t used = 1;
    if (len == 1) {
        c = first;
    } else if (len <= text->len && mlt_utf8_valid(mlt_bytes_of(text->ptr, len))) {
        c = first & (0x7fu >> len);
        for (size_t i = 1; i < len; i++) {
            c = c << 6 | (text->ptr[i] & 0x3fu);
        }
        used = len;
    }
    text->ptr += used;
    text->len -= used;
    return c;
}

unsigned mlt_visible_columns(uint32_t c) {
    if (c < 0x300) {
        return 1;
    }
    return in_ranges(combining, COUNT(combining), c) ? 0 : in_ranges(wide, COUNT(wide), c) ? 2 : 1;
}

static const char *entity(uint32_t c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void mlt_visible_put_cut(struct mlt_buf *out, struct mlt_bytes text, enum mlt_visible_form form, size_t columns) {
    size_t used = 0;
    while (text.len) {
        const struct mlt_bytes before = text;
        const uint32_t c = mlt_visible_next(&text);
        const bool harmful = in_ranges(hidden, COUNT(hidden), c);
        const size_t width = harmful ? 8 : mlt_visible_columns(c);
        if (used + width > columns || (used + width == columns && text.len)) {
            mlt_buf_put_str(out, "\xe2\x80\xa6");
            return;
        }
        used += width;
        if (harmful) {
            mlt_buf_printf(out, "\\u{%x}", (unsigned)c);
        } else if (form == MLT_VISIBLE_HTML && entity(c)) {
            mlt_buf_put_str(out, entity(c));
        } else if (c == 0xfffd) {
            mlt_buf_put_str(out, "\xef\xbf\xbd");
        } else {
            mlt_buf_put(out, before.ptr, before.len - text.len);
        }
    }
}

void mlt_visible_put(struct mlt_buf *out, struct mlt_bytes text, enum mlt_visible_form form) {
    mlt_visible_put_cut(out, text, form, SIZE_MAX);
}

size_t mlt_visible_width(struct mlt_bytes text) {
    size_t width = 0;
    while (text.len) {
        width += mlt_visible_columns(mlt_visible_next(&text));
    }
    return width;
}
