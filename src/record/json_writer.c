// The JSON writer: commas, colons and escapes.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "record/json.h"

void mlt_jw_init(struct mlt_json_writer *w, struct mlt_buf *out) {
    *w = (struct mlt_json_writer){.out = out};
}

// Everything that begins a value or a name comes through here.
static void begin(struct mlt_json_writer *w) {
    if (w->after_name) {
        w->after_name = false;
        return;
    }
    if (w->need_comma[w->depth]) {
        mlt_buf_put_u8(w->out, ',');
    }
    w->need_comma[w->depth] = true;
}

static void open_container(struct mlt_json_writer *w, uint8_t bracket) {
    begin(w);
    mlt_buf_put_u8(w->out, bracket);
    w->depth++;
    assert(w->depth < sizeof w->need_comma / sizeof w->need_comma[0]);
    w->need_comma[w->depth] = false;
}

static void close_container(struct mlt_json_writer *w, uint8_t bracket) {
    assert(w->depth > 0 && !w->after_name);
    w->depth--;
    mlt_buf_put_u8(w->out, bracket);
}

void mlt_jw_object(struct mlt_json_writer *w) {
    open_container(w, '{');
}
void mlt_jw_end_object(struct mlt_json_writer *w) {
    close_container(w, '}');
}
void mlt_jw_array(struct mlt_json_writer *w) {
    open_container(w, '[');
}
void mlt_jw_end_array(struct mlt_json_writer *w) {
    close_container(w, ']');
}

// Length of the well-formed UTF-8 sequence at `p`; 0: none.
static size_t sequence_len(const uint8_t *p, size_t left) {
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    return n <= left && mlt_utf8_valid(mlt_bytes_of(p, n)) ? n : 0;
}

static void put_escaped(struct mlt_buf *out, uint8_t c) {
    static const char SHORT[] = "\b\t\n\f\r\"\\";
    static const char LETTER[] = "btnfr\"\\";
    const char *at = c ? strchr(SHORT, c) : NULL;
    if (at) {
        mlt_buf_put_u8(out, '\\');
        mlt_buf_put_u8(out, (uint8_t)LETTER[at - SHORT]);
    } else {
        mlt_buf_printf(out, "\\u%04x", c);
    }
}

static void put_string(struct mlt_buf *out, struct mlt_bytes text) {
    mlt_buf_put_u8(out, '"');
    size_t from = 0;
    size_t i = 0;
    while (i < text.len) {
        uint8_t c = text.ptr[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7F) {
            i++;
            continue;
        }
        size_t n = c >= 0x80 ? sequence_len(text.ptr + i, text.len - i) : 0;
        if (n) {
            i += n;
            continue;
        }
        mlt_buf_put(out, text.ptr + from, i - from);
        if (c >= 0x80) {
            mlt_buf_put_str(out, "\xEF\xBF\xBD");
        } else {
            put_escaped(out, c);
        }
        from = ++i;
    }
    if (i > from) {
        mlt_buf_put(out, text.ptr + from, i - from);
    }
    mlt_buf_put_u8(out, '"');
}

void mlt_jw_name_bytes(struct mlt_json_writer *w, struct mlt_bytes name) {
    assert(!w->after_name);
    begin(w);
    put_string(w->out, name);
    mlt_buf_put_u8(w->out, ':');
    w->after_name = true;
}
void mlt_jw_name(struct mlt_json_writer *w, const char *name) {
    mlt_jw_name_bytes(w, mlt_str(name));
}
void mlt_jw_string(struct mlt_json_writer *w, struct mlt_bytes text) {
    begin(w);
    put_string(w->out, text);
}
void mlt_jw_cstr(struct mlt_json_writer *w, const char *text) {
    if (text) {
        mlt_jw_string(w, mlt_str(text));
    } else {
        mlt_jw_null(w);
    }
}
void mlt_jw_raw(struct mlt_json_writer *w, struct mlt_bytes json) {
    begin(w);
    mlt_buf_put_bytes(w->out, json);
}
void mlt_jw_value(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at at) {
    if (!json || at >= json->num_tokens) {
        mlt_jw_null(w);
        return;
    }
    begin(w);
    mlt_json_minify(json, at, w->out);
}
void mlt_jw_u64(struct mlt_json_writer *w, uint64_t v) {
    begin(w);
    mlt_buf_put_u64_decimal(w->out, v);
}
void mlt_jw_i64(struct mlt_json_writer *w, int64_t v) {
    begin(w);
    mlt_buf_printf(w->out, "%" PRId64, v);
}
void mlt_jw_bool(struct mlt_json_writer *w, bool v) {
    begin(w);
    mlt_buf_put_str(w->out, v ? "true" : "false");
}
void mlt_jw_null(struct mlt_json_writer *w) {
    begin(w);
    mlt_buf_put_str(w->out, "null");
}
void mlt_jw_hex(struct mlt_json_writer *w, struct mlt_bytes b) {
    begin(w);
    mlt_buf_put_u8(w->out, '"');
    mlt_buf_put_hex(w->out, b);
    mlt_buf_put_u8(w->out, '"');
}
void mlt_jw_base64(struct mlt_json_writer *w, struct mlt_bytes b) {
    begin(w);
    mlt_buf_put_u8(w->out, '"');
    mlt_buf_put_base64(w->out, b);
    mlt_buf_put_u8(w->out, '"');
}
void mlt_jw_member(struct mlt_json_writer *w, const char *name, const char *value) {
    mlt_jw_name(w, name);
    mlt_jw_cstr(w, value);
}
void mlt_jw_member_bytes(struct mlt_json_writer *w, const char *name, struct mlt_bytes value) {
    mlt_jw_name(w, name);
    mlt_jw_string(w, value);
}
void mlt_jw_member_value(struct mlt_json_writer *w, const char *name, const struct mlt_json *json, mlt_json_at at) {
    mlt_jw_name(w, name);
    mlt_jw_value(w, json, at);
}
void mlt_jw_member_u64(struct mlt_json_writer *w, const char *name, uint64_t v) {
    mlt_jw_name(w, name);
    mlt_jw_u64(w, v);
}
void mlt_jw_member_bool(struct mlt_json_writer *w, const char *name, bool v) {
    mlt_jw_name(w, name);
    mlt_jw_bool(w, v);
}
void mlt_jw_member_raw(struct mlt_json_writer *w, const char *name, struct mlt_bytes json) {
    mlt_jw_name(w, name);
    mlt_jw_raw(w, json);
}
