// The strict scanner: one pass over the bytes, an explicit stack, a tape of tokens.
#include <stdio.h>
#include <stdlib.h>

#include "record/json_names.h"

struct scan {
    struct mlt_json *json;
    const uint8_t *text;
    uint32_t len;
    uint32_t at;
    uint32_t stack[MLT_JSON_DEPTH_MAX]; // tape positions of the open containers
    uint32_t depth;
    struct mlt_error *err;
};

static const uint8_t SPACE[256] = {[' '] = 1, ['\t'] = 1, ['\n'] = 1, ['\r'] = 1};

// Bytes of a string that need no look: ASCII from 0x20 but quote and backslash.
static inline bool is_plain(uint8_t c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static inline uint64_t load_eight(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

// True when none of the eight bytes is a control character, a quote, a backslash or non-ASCII.
static inline bool eight_plain(const uint8_t *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t v = load_eight(p);
    uint64_t quote = v ^ (ones * '"');
    uint64_t slash = v ^ (ones * '\\');
    uint64_t found = v | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - ones * 0x20) & ~v);
    return (found & high) == 0;
}

// Adds "/part" to the pointer, escaped after RFC 6901 section 3, cut where the room ends.
static void add_to_pointer(struct mlt_json *json, size_t *len, struct mlt_bytes part) {
    char *out = json->error_pointer;
    size_t cap = sizeof(json->error_pointer) - 1;
    if (*len < cap) {
        out[(*len)++] = '/';
    }
    for (size_t i = 0; i < part.len && *len + 2 <= cap; i++) {
        uint8_t c = part.ptr[i];
        if (c == '~' || c == '/') {
            out[(*len)++] = '~';
            c = c == '~' ? '0' : '1';
        }
        out[(*len)++] = (char)c;
    }
    while (*len > 0 && !mlt_utf8_valid(mlt_bytes_of(out, *len))) {
        (*len)--; // the cut went through a character
    }
    out[*len] = '\0';
}

// The last name that stands directly in the object at `object`; MLT_JSON_NONE when there is none.
static uint32_t last_name(const struct mlt_json *json, uint32_t object) {
    uint32_t last = MLT_JSON_NONE;
    uint32_t at = object + 1;
    while (at < json->num_tokens && json->tape[at].end != 0) {
        last = at;
        if (at + 1 >= json->num_tokens || json->tape[at + 1].next == 0) {
            break; // its value is being read
        }
        at = json->tape[at + 1].next;
    }
    return last;
}

// The JSON pointer to what is being read: through the open containers, and last to `name` (MLT_JSON_NONE: the newest
// member or element of the innermost container).
static void put_pointer(struct scan *s, uint32_t name) {
    struct mlt_json *json = s->json;
    struct mlt_arena arena = {0};
    size_t len = 0;
    for (uint32_t d = 0; d < s->depth; d++) {
        const struct mlt_json_token *container = &json->tape[s->stack[d]];
        if (container->type == MLT_JSON_ARRAY) {
            char number[12];
            int n = snprintf(number, sizeof(number), "%u", container->count > 0 ? container->count - 1 : 0);
            add_to_pointer(json, &len, mlt_bytes_of(number, (size_t)n));
            continue;
        }
        bool innermost = d + 1 == s->depth;
        uint32_t at = !innermost ? s->stack[d + 1] - 1 : name != MLT_JSON_NONE ? name : last_name(json, s->stack[d]);
        if (at == MLT_JSON_NONE) {
            break;
        }
        add_to_pointer(json, &len, mlt_json_string(json, at, &arena));
    }
    mlt_arena_clear(&arena);
}

// `code` is one of those that json.h lists for error_code.
static enum mlt_status refuse_as(struct scan *s, enum mlt_status status, const char *code, const char *what) {
    s->json->error_off = s->at;
    s->json->error_code = code;
    put_pointer(s, MLT_JSON_NONE);
    return mlt_fail(s->err, status, "%s, at byte %u", what, s->at);
}

static enum mlt_status refuse(struct scan *s, const char *what) {
    return refuse_as(s, MLT_INVALID, "not-json", what);
}

static enum mlt_status push(struct scan *s, uint8_t type, uint32_t start, uint32_t *pos) {
    struct mlt_json *json = s->json;
    if (json->num_tokens == json->cap) {
        if (json->num_tokens >= MLT_JSON_TOKENS_MAX) {
            return refuse_as(s, MLT_LIMIT, "too-many-values",
                             "too many values in one JSON text; at most 4194304 are taken");
        }
        size_t cap = json->cap ? json->cap * 2 : 256;
        struct mlt_json_token *tape = realloc(json->tape, cap * sizeof *tape);
        if (!tape) {
            return mlt_fail(s->err, MLT_NOMEM, "no memory for %zu JSON values", cap);
        }
        json->tape = tape;
        json->cap = cap;
    }
    *pos = (uint32_t)json->num_tokens++;
    json->tape[*pos] = (struct mlt_json_token){.type = type, .start = start};
    return MLT_OK;
}

static inline void skip_space(struct scan *s) {
    if (s->at < s->len && SPACE[s->text[s->at]]) {
        if (s->depth) {
            s->json->tape[s->stack[s->depth - 1]].spaced = 1;
        }
        do {
            s->at++;
        } while (s->at < s->len && SPACE[s->text[s->at]]);
    }
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool scan_hex4(struct scan *s, uint32_t *out) {
    if (s->len - s->at < 4) {
        return false;
    }
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int h = hex_value(s->text[s->at + (uint32_t)i]);
        if (h < 0) {
            return false;
        }
        v = v << 4 | (uint32_t)h;
    }
    s->at += 4;
    *out = v;
    return true;
}

static enum mlt_status scan_escape(struct scan *s) {
    s->at++; // the backslash
    if (s->at >= s->len) {
        return refuse(s, "a string ends inside an escape");
    }
    uint8_t c = s->text[s->at++];
    if (c != 'u') {
        if (c != 0 && strchr("\"\\/bfnrt", c)) {
            return MLT_OK;
        }
        s->at--;
        return refuse(s, "an escape that JSON does not know; \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX are known");
    }
    uint32_t unit;
    if (!scan_hex4(s, &unit)) {
        return refuse(s, "\\u must be followed by four hexadecimal digits");
    }
    if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return refuse(s, "a lone low surrogate in a \\u escape");
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        uint32_t low;
        if (s->len - s->at < 6 || s->text[s->at] != '\\' || s->text[s->at + 1] != 'u') {
            return refuse(s, "a lone high surrogate in a \\u escape");
        }
        s->at += 2;
        if (!scan_hex4(s, &low) || low < 0xDC00 || low > 0xDFFF) {
            return refuse(s, "a lone high surrogate in a \\u escape");
        }
    }
    return MLT_OK;
}

// Length of the well-formed UTF-8 sequence at the cursor (Unicode table 3-7); 0: none.
static uint32_t utf8_len(const uint8_t *p, uint32_t left) {
    uint8_t c = p[0];
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    uint32_t n;
    if (c >= 0xC2 && c <= 0xDF) {
        n = 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
        n = 3;
        low = c == 0xE0 ? 0xA0 : low;
        high = c == 0xED ? 0x9F : high;
    } else if (c >= 0xF0 && c <= 0xF4) {
        n = 4;
        low = c == 0xF0 ? 0x90 : low;
        high = c == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (left < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (uint32_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }
    return n;
}

static enum mlt_status scan_string(struct scan *s, bool is_name) {
    uint32_t pos;
    enum mlt_status status = push(s, MLT_JSON_STRING, s->at, &pos);
    if (status != MLT_OK) {
        return status;
    }
    s->json->tape[pos].is_name = is_name;
    s->at++;
    for (;;) {
        while (s->len - s->at >= 8 && eight_plain(s->text + s->at)) {
            s->at += 8;
        }
        while (s->at < s->len && is_plain(s->text[s->at])) {
            s->at++;
        }
        if (s->at >= s->len) {
            return refuse(s, "a string is not closed");
        }
        uint8_t c = s->text[s->at];
        if (c == '"') {
            s->at++;
            break;
        }
        if (c == '\\') {
            s->json->tape[pos].escaped = 1;
            status = scan_escape(s);
            if (status != MLT_OK) {
                return status;
            }
        } else if (c < 0x20) {
            return refuse(s, "a control character inside a string; it must be escaped");
        } else {
            uint32_t n = utf8_len(s->text + s->at, s->len - s->at);
            if (n == 0) {
                return refuse_as(s, MLT_INVALID, "invalid-utf8", "bytes that are not valid UTF-8");
            }
            s->at += n;
        }
    }
    s->json->tape[pos].end = s->at;
    s->json->tape[pos].next = pos + 1;
    return MLT_OK;
}

static inline bool is_digit(const struct scan *s) {
    return s->at < s->len && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

static bool scan_digits(struct scan *s) {
    if (!is_digit(s)) {
        return false;
    }
    while (is_digit(s)) {
        s->at++;
    }
    return true;
}

static enum mlt_status scan_number(struct scan *s) {
    uint32_t pos;
    enum mlt_status status = push(s, MLT_JSON_NUMBER, s->at, &pos);
    if (status != MLT_OK) {
        return status;
    }
    if (s->text[s->at] == '-') {
        s->at++;
    }
    if (s->at < s->len && s->text[s->at] == '0') {
        s->at++;
        if (is_digit(s)) {
            return refuse(s, "a number must not begin with a zero that more digits follow");
        }
    } else if (!scan_digits(s)) {
        return refuse(s, "a digit is missing in a number");
    }
    if (s->at < s->len && s->text[s->at] == '.') {
        s->at++;
        if (!scan_digits(s)) {
            return refuse(s, "a digit must follow the decimal point");
        }
    }
    if (s->at < s->len && (s->text[s->at] | 0x20) == 'e') {
        s->at++;
        if (s->at < s->len && (s->text[s->at] == '+' || s->text[s->at] == '-')) {
            s->at++;
        }
        if (!scan_digits(s)) {
            return refuse(s, "a digit must follow the exponent sign");
        }
    }
    s->json->tape[pos].end = s->at;
    s->json->tape[pos].next = pos + 1;
    return MLT_OK;
}

static enum mlt_status scan_word(struct scan *s, const char *word, uint8_t type) {
    uint32_t n = (uint32_t)strlen(word);
    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0) {
        return refuse(s, "no JSON value; true, false and null are written in lower case, strings in double quotes");
    }
    uint32_t pos;
    enum mlt_status status = push(s, type, s->at, &pos);
    if (status != MLT_OK) {
        return status;
    }
    s->at += n;
    s->json->tape[pos].end = s->at;
    s->json->tape[pos].next = pos + 1;
    return MLT_OK;
}

static enum mlt_status open_container(struct scan *s, uint8_t type) {
    if (s->depth == MLT_JSON_DEPTH_MAX) {
        return refuse_as(s, MLT_LIMIT, "too-deep", "nested too deep; at most 64 levels are taken");
    }
    uint32_t pos;
    enum mlt_status status = push(s, type, s->at, &pos);
    if (status != MLT_OK) {
        return status;
    }
    s->at++;
    s->stack[s->depth++] = pos;
    return MLT_OK;
}

static enum mlt_status check_duplicates(struct scan *s, uint32_t object) {
    uint32_t name;
    enum mlt_status status = mlt_json_duplicate(s->json, object, &name, s->err);
    if (status != MLT_OK || name == MLT_JSON_NONE) {
        return status;
    }
    s->json->error_off = s->json->tape[name].start;
    s->json->error_code = "duplicate-member";
    put_pointer(s, name);
    struct mlt_bytes raw = mlt_json_raw(s->json, name);
    return mlt_fail(s->err, MLT_INVALID, "the member %.*s stands twice in one object, at byte %u; each may stand once",
                    raw.len > 80 ? 80 : (int)raw.len, (const char *)raw.ptr, s->json->error_off);
}

static enum mlt_status close_container(struct scan *s) {
    uint32_t pos = s->stack[s->depth - 1];
    if (s->json->tape[pos].type == MLT_JSON_OBJECT) {
        enum mlt_status status = check_duplicates(s, pos);
        if (status != MLT_OK) {
            return status;
        }
    }
    s->at++;
    struct mlt_json_token *t = &s->json->tape[pos];
    t->end = s->at;
    t->next = (uint32_t)s->json->num_tokens;
    s->depth--;
    // White space inside is white space inside every container around it.
    if (t->spaced && s->depth) {
        s->json->tape[s->stack[s->depth - 1]].spaced = 1;
    }
    return MLT_OK;
}

// A name with its colon.
static enum mlt_status scan_name(struct scan *s) {
    if (s->at >= s->len || s->text[s->at] != '"') {
        return refuse(s, "a member name in double quotes was expected");
    }
    s->json->tape[s->stack[s->depth - 1]].count++;
    enum mlt_status status = scan_string(s, true);
    if (status != MLT_OK) {
        return status;
    }
    skip_space(s);
    if (s->at >= s->len || s->text[s->at] != ':') {
        return refuse(s, "a colon must follow a member name");
    }
    s->at++;
    skip_space(s);
    return MLT_OK;
}

// A scalar is read whole; a container is opened and `*opened` set.
static enum mlt_status scan_value(struct scan *s, bool *opened) {
    *opened = false;
    if (s->at >= s->len) {
        return refuse(s, "the text ends where a value was expected");
    }
    uint8_t c = s->text[s->at];
    switch (c) {
    case '{':
    case '[':
        *opened = true;
        return open_container(s, c == '{' ? MLT_JSON_OBJECT : MLT_JSON_ARRAY);
    case '"':
        return scan_string(s, false);
    case 't':
        return scan_word(s, "true", MLT_JSON_TRUE);
    case 'f':
        return scan_word(s, "false", MLT_JSON_FALSE);
    case 'n':
        return scan_word(s, "null", MLT_JSON_NULL);
    default:
        if (c == '-' || (c >= '0' && c <= '9')) {
            return scan_number(s);
        }
        return refuse(s, "no JSON value begins like this");
    }
}

// After a container was opened: its first element or its end. Returns with `*closed` when it was empty.
static enum mlt_status enter(struct scan *s, bool *closed) {
    struct mlt_json_token *t = &s->json->tape[s->stack[s->depth - 1]];
    skip_space(s);
    bool object = t->type == MLT_JSON_OBJECT;
    *closed = s->at < s->len && s->text[s->at] == (object ? '}' : ']');
    if (*closed) {
        return close_container(s);
    }
    if (object) {
        return scan_name(s);
    }
    t->count++;
    return MLT_OK;
}

// After a value: a comma and the next name, or the end of containers. `*more` when a value is due.
static enum mlt_status leave(struct scan *s, bool *more) {
    *more = false;
    while (s->depth) {
        skip_space(s);
        uint32_t pos = s->stack[s->depth - 1];
        bool object = s->json->tape[pos].type == MLT_JSON_OBJECT;
        if (s->at >= s->len) {
            return refuse(s, object ? "an object is not closed" : "an array is not closed");
        }
        uint8_t c = s->text[s->at];
        if (c == ',') {
            s->at++;
            skip_space(s);
            *more = true;
            if (object) {
                return scan_name(s);
            }
            s->json->tape[pos].count++;
            return MLT_OK;
        }
        if (c != (object ? '}' : ']')) {
            return refuse(s, object ? "a comma or } was expected" : "a comma or ] was expected");
        }
        enum mlt_status status = close_container(s);
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

static enum mlt_status scan_document(struct scan *s) {
    skip_space(s);
    bool more = true;
    while (more) {
        bool opened;
        enum mlt_status status = scan_value(s, &opened);
        bool closed = false;
        if (status == MLT_OK && opened) {
            status = enter(s, &closed);
        }
        if (status == MLT_OK && (!opened || closed)) {
            status = leave(s, &more);
        }
        if (status != MLT_OK) {
            return status;
        }
    }
    skip_space(s);
    return s->at == s->len ? MLT_OK : refuse(s, "something follows the JSON value");
}

enum mlt_status mlt_json_scan(struct mlt_json *json, struct mlt_bytes text, struct mlt_error *err) {
    json->text = text;
    json->num_tokens = 0;
    json->error_off = 0;
    json->error_pointer[0] = '\0';
    json->error_code = "";
    if (text.len >= UINT32_MAX - 1) {
        json->error_code = "record-too-large";
        return mlt_fail(err, MLT_LIMIT, "a JSON text of %zu bytes; at most 4 GiB are taken", text.len);
    }
    struct scan s = {.json = json, .text = text.ptr, .len = (uint32_t)text.len, .err = err};
    enum mlt_status status = scan_document(&s);
    if (status != MLT_OK) {
        json->num_tokens = 0; // nobody reads half a tape
    }
    return status;
}

void mlt_json_clear(struct mlt_json *json) {
    if (json) {
        free(json->tape);
        free(json->slots);
        *json = (struct mlt_json){0};
    }
}
