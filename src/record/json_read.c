// Reading a scanned document: members, strings, numbers, comparison.
#include <stdlib.h>

#include "record/json.h"

enum mlt_json_type mlt_json_type_of(const struct mlt_json *json, mlt_json_at at) {
    return at < json->num_tokens ? (enum mlt_json_type)json->tape[at].type : MLT_JSON_NULL;
}

bool mlt_json_is(const struct mlt_json *json, mlt_json_at at, enum mlt_json_type type) {
    return at < json->num_tokens && json->tape[at].type == (uint8_t)type;
}

struct mlt_bytes mlt_json_raw(const struct mlt_json *json, mlt_json_at at) {
    if (at >= json->num_tokens) {
        return (struct mlt_bytes){0};
    }
    const struct mlt_json_token *t = &json->tape[at];
    return mlt_bytes_of(json->text.ptr + t->start, t->end - t->start);
}

mlt_json_at mlt_json_first(const struct mlt_json *json, mlt_json_at at) {
    if (at >= json->num_tokens || json->tape[at].count == 0) {
        return MLT_JSON_NONE;
    }
    return at + 1;
}

mlt_json_at mlt_json_next(const struct mlt_json *json, mlt_json_at container, mlt_json_at at) {
    if (container >= json->num_tokens || at >= json->num_tokens) {
        return MLT_JSON_NONE;
    }
    mlt_json_at value = json->tape[container].type == MLT_JSON_OBJECT ? at + 1 : at;
    mlt_json_at next = json->tape[value].next;
    return next < json->tape[container].next ? next : MLT_JSON_NONE;
}

static struct mlt_bytes inside_quotes(const struct mlt_json *json, mlt_json_at at) {
    const struct mlt_json_token *t = &json->tape[at];
    return mlt_bytes_of(json->text.ptr + t->start + 1, t->end - t->start - 2);
}

static uint32_t hex4(const uint8_t *p) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

static size_t put_utf8(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

// Unescapes text that the scanner accepted; the result is never longer. Returns its length.
static size_t unescape(uint8_t *out, struct mlt_bytes in) {
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    size_t len = 0;
    for (size_t i = 0; i < in.len;) {
        if (in.ptr[i] != '\\') {
            out[len++] = in.ptr[i++];
            continue;
        }
        uint8_t c = in.ptr[i + 1];
        i += 2;
        if (c != 'u') {
            out[len++] = (uint8_t)TO[strchr(FROM, c) - FROM];
            continue;
        }
        uint32_t code = hex4(in.ptr + i);
        i += 4;
        if (code >= 0xD800 && code <= 0xDBFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + (hex4(in.ptr + i + 2) - 0xDC00);
            i += 6;
        }
        len += put_utf8(out + len, code);
    }
    return len;
}

struct mlt_bytes mlt_json_string(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena) {
    if (!mlt_json_is(json, at, MLT_JSON_STRING)) {
        return (struct mlt_bytes){0};
    }
    struct mlt_bytes raw = inside_quotes(json, at);
    if (!json->tape[at].escaped) {
        return raw;
    }
    uint8_t *out = mlt_arena_take(arena, raw.len);
    if (!out) {
        return (struct mlt_bytes){0};
    }
    return mlt_bytes_of(out, unescape(out, raw));
}

// True when the unescaped text of the string at `at` is `want`.
static bool string_is(const struct mlt_json *json, mlt_json_at at, struct mlt_bytes want) {
    struct mlt_bytes raw = inside_quotes(json, at);
    if (!json->tape[at].escaped) {
        return mlt_bytes_equal(raw, want);
    }
    if (raw.len < want.len) {
        return false;
    }
    uint8_t small[256];
    uint8_t *out = raw.len <= sizeof small ? small : malloc(raw.len);
    if (!out) {
        return false;
    }
    size_t len = unescape(out, raw);
    bool same = mlt_bytes_equal(mlt_bytes_of(out, len), want);
    if (out != small) {
        free(out);
    }
    return same;
}

mlt_json_at mlt_json_get_bytes(const struct mlt_json *json, mlt_json_at at, struct mlt_bytes name) {
    if (!mlt_json_is(json, at, MLT_JSON_OBJECT)) {
        return MLT_JSON_NONE;
    }
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n)) {
        if (string_is(json, n, name)) {
            return n + 1;
        }
    }
    return MLT_JSON_NONE;
}

mlt_json_at mlt_json_get(const struct mlt_json *json, mlt_json_at at, const char *name) {
    return mlt_json_get_bytes(json, at, mlt_str(name));
}

bool mlt_json_u64(const struct mlt_json *json, mlt_json_at at, uint64_t *out) {
    return mlt_json_is(json, at, MLT_JSON_NUMBER) && mlt_decimal_decode(out, mlt_json_raw(json, at));
}

bool mlt_json_double(const struct mlt_json *json, mlt_json_at at, double *out) {
    if (!mlt_json_is(json, at, MLT_JSON_NUMBER)) {
        return false;
    }
    // A number's text is finite in length but not terminated where it stands.
    struct mlt_bytes raw = mlt_json_raw(json, at);
    char small[64];
    char *text = raw.len < sizeof small ? small : malloc(raw.len + 1);
    if (!text) {
        return false;
    }
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = '\0';
    *out = strtod(text, NULL);
    if (text != small) {
        free(text);
    }
    return true;
}

// A decimal number taken apart: sign, digits without leading and trailing zeros, and the power of ten of the last
// digit.
struct decimal {
    bool negative;
    size_t first, last; // positions of the first and last non-zero digit in the text
    int64_t exponent;
    bool zero;
    bool known; // false: the exponent is beyond any meaning
};

static struct decimal take_apart(struct mlt_bytes t) {
    struct decimal d = {.zero = true, .known = true};
    int64_t scale = 0;
    int64_t after_last = 0; // digits behind the last non-zero one
    bool fraction = false;
    size_t i = 0;
    if (t.ptr[0] == '-') {
        d.negative = true;
        i = 1;
    }
    for (; i < t.len && (t.ptr[i] | 0x20) != 'e'; i++) {
        if (t.ptr[i] == '.') {
            fraction = true;
            continue;
        }
        scale -= fraction;
        after_last++;
        if (t.ptr[i] != '0') {
            d.first = d.zero ? i : d.first;
            d.last = i;
            d.zero = false;
            after_last = 0;
        }
    }
    int64_t exponent = 0;
    if (i < t.len) {
        i++;
        bool negative = t.ptr[i] == '-';
        i += t.ptr[i] == '-' || t.ptr[i] == '+';
        for (; i < t.len; i++) {
            if (exponent > INT64_MAX / 100) {
                d.known = false;
                break;
            }
            exponent = exponent * 10 + (t.ptr[i] - '0');
        }
        exponent = negative ? -exponent : exponent;
    }
    d.exponent = exponent + scale + after_last;
    return d;
}

static bool numbers_equal(struct mlt_bytes a, struct mlt_bytes b) {
    if (mlt_bytes_equal(a, b)) {
        return true;
    }
    struct decimal x = take_apart(a);
    struct decimal y = take_apart(b);
    if (x.zero || y.zero) {
        return x.zero && y.zero; // -0 is 0
    }
    if (!x.known || !y.known || x.negative != y.negative || x.exponent != y.exponent) {
        return false;
    }
    size_t i = x.first;
    size_t j = y.first;
    while (i <= x.last && j <= y.last) {
        if (a.ptr[i] == '.') {
            i++;
        } else if (b.ptr[j] == '.') {
            j++;
        } else if (a.ptr[i++] != b.ptr[j++]) {
            return false;
        }
    }
    return i > x.last && j > y.last;
}

static bool strings_equal(const struct mlt_json *a, mlt_json_at at, const struct mlt_json *b, mlt_json_at bt) {
    struct mlt_arena arena = {0};
    struct mlt_bytes text = mlt_json_string(a, at, &arena);
    bool same = (text.ptr || !a->tape[at].escaped) && string_is(b, bt, text);
    mlt_arena_clear(&arena);
    return same;
}

static bool objects_equal(const struct mlt_json *a, mlt_json_at at, const struct mlt_json *b, mlt_json_at bt) {
    struct mlt_arena arena = {0};
    bool same = true;
    mlt_json_at guess = mlt_json_first(b, bt); // members mostly stand in the same order
    for (mlt_json_at n = mlt_json_first(a, at); same && n != MLT_JSON_NONE; n = mlt_json_next(a, at, n)) {
        struct mlt_bytes name = mlt_json_string(a, n, &arena);
        mlt_json_at other = MLT_JSON_NONE;
        if (name.ptr == NULL) { // no memory to unescape it: not known to be equal
            same = false;
            break;
        }
        if (guess != MLT_JSON_NONE && string_is(b, guess, name)) {
            other = guess + 1;
        } else {
            other = mlt_json_get_bytes(b, bt, name);
        }
        same = other != MLT_JSON_NONE && mlt_json_equal(a, n + 1, b, other);
        guess = other != MLT_JSON_NONE ? mlt_json_next(b, bt, other - 1) : guess;
    }
    mlt_arena_clear(&arena);
    return same;
}

bool mlt_json_equal(const struct mlt_json *a, mlt_json_at at, const struct mlt_json *b, mlt_json_at bt) {
    if (at >= a->num_tokens || bt >= b->num_tokens) {
        return at >= a->num_tokens && bt >= b->num_tokens;
    }
    if (a->tape[at].type != b->tape[bt].type || a->tape[at].count != b->tape[bt].count) {
        return false;
    }
    switch ((enum mlt_json_type)a->tape[at].type) {
    case MLT_JSON_NULL:
    case MLT_JSON_TRUE:
    case MLT_JSON_FALSE:
        return true;
    case MLT_JSON_NUMBER:
        return numbers_equal(mlt_json_raw(a, at), mlt_json_raw(b, bt));
    case MLT_JSON_STRING:
        return strings_equal(a, at, b, bt);
    case MLT_JSON_OBJECT:
        return objects_equal(a, at, b, bt);
    case MLT_JSON_ARRAY:
        break;
    }
    mlt_json_at i = mlt_json_first(a, at);
    mlt_json_at j = mlt_json_first(b, bt);
    while (i != MLT_JSON_NONE && j != MLT_JSON_NONE) {
        if (!mlt_json_equal(a, i, b, j)) {
            return false;
        }
        i = mlt_json_next(a, at, i);
        j = mlt_json_next(b, bt, j);
    }
    return i == j;
}

void mlt_json_minify(const struct mlt_json *json, mlt_json_at at, struct mlt_buf *out) {
    if (at >= json->num_tokens) {
        return;
    }
    const struct mlt_json_token *t = &json->tape[at];
    if (!t->spaced) {
        mlt_buf_put_bytes(out, mlt_json_raw(json, at));
        return;
    }
    bool object = t->type == MLT_JSON_OBJECT;
    mlt_buf_put_u8(out, object ? '{' : '[');
    bool comma = false;
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n)) {
        if (comma) {
            mlt_buf_put_u8(out, ',');
        }
        comma = true;
        if (object) {
            mlt_buf_put_bytes(out, mlt_json_raw(json, n));
            mlt_buf_put_u8(out, ':');
            mlt_json_minify(json, n + 1, out);
        } else {
            mlt_json_minify(json, n, out);
        }
    }
    mlt_buf_put_u8(out, object ? '}' : ']');
}
