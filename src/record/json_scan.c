// The strict scanner: one pass over the bytes, an explicit stack, a tape of tokens.
#include <stdlib.h>

#include "record/json_names.h"
#include "record/json_report.h"

#define FIRST_TOKENS 256 // a record of ordinary size

struct scan {
    struct mlt_json *json;
    const uint8_t *text;
    uint32_t len;
    uint32_t at;
    uint32_t open[MLT_JSON_DEPTH_MAX]; // tape positions of the open containers
    uint32_t depth;
    enum mlt_status status;
    struct mlt_error *err;
};

// Functions that read return false when they refused; the reason is in the scan.

// `code` is one of those that json.h lists for error_code.
static bool refuse_as(struct scan *s, enum mlt_status status, const char *code, const char *what) {
    s->json->error_off = s->at;
    s->json->error_code = code;
    mlt_json_report_place(s->json, s->open, s->depth, MLT_JSON_NONE);
    s->status = mlt_fail(s->err, status, "%s, at byte %u", what, s->at);
    return false;
}

static bool refuse(struct scan *s, const char *what) {
    return refuse_as(s, MLT_INVALID, "not-json", what);
}

static bool grow(struct scan *s) {
    struct mlt_json *json = s->json;
    if (json->num_tokens >= MLT_JSON_TOKENS_MAX) {
        return refuse_as(s, MLT_LIMIT, "too-many-values",
                         "too many values in one JSON text; at most 4194304 are taken");
    }
    size_t cap = json->cap > 0 ? json->cap * 2 : FIRST_TOKENS;
    struct mlt_json_token *tape = realloc(json->tape, cap * sizeof(*tape));
    if (!tape) {
        s->status = mlt_fail(s->err, MLT_NOMEM, "no memory for %zu JSON values", cap);
        return false;
    }
    json->tape = tape;
    json->cap = cap;
    return true;
}

// A token that begins here; NULL when there is no room for it. It is valid until the next one.
static inline struct mlt_json_token *push(struct scan *s, uint8_t type) {
    if (s->json->num_tokens == s->json->cap && !grow(s)) {
        return NULL;
    }
    struct mlt_json_token *token = &s->json->tape[s->json->num_tokens++];
    *token = (struct mlt_json_token){.type = type, .start = s->at};
    return token;
}

// A token that ends here and has nothing in it.
static inline void finish(struct scan *s, struct mlt_json_token *token) {
    token->end = s->at;
    token->next = (uint32_t)s->json->num_tokens;
}

static inline bool is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void skip_space(struct scan *s) {
    if (s->at < s->len && s->text[s->at] <= ' ' && is_space(s->text[s->at])) {
        if (s->depth > 0) {
            s->json->tape[s->open[s->depth - 1]].spaced = 1;
        }
        do {
            s->at++;
        } while (s->at < s->len && is_space(s->text[s->at]));
    }
}

static bool scan_hex4(struct scan *s, uint32_t *out) {
    if (s->len - s->at < 4) {
        return false;
    }
    uint32_t v = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t c = s->text[s->at + i];
        uint8_t letter = c | 0x20;
        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint32_t)(c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            v = v << 4 | (uint32_t)(letter - 'a' + 10);
        } else {
            return false;
        }
    }
    s->at += 4;
    *out = v;
    return true;
}

static bool scan_unicode_escape(struct scan *s) {
    uint32_t unit;
    uint32_t low;
    if (!scan_hex4(s, &unit)) {
        return refuse(s, "\\u must be followed by four hexadecimal digits");
    }
    if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return refuse(s, "a lone low surrogate in a \\u escape");
    }
    if (unit < 0xD800 || unit > 0xDBFF) {
        return true;
    }
    if (s->len - s->at < 6 || s->text[s->at] != '\\' || s->text[s->at + 1] != 'u') {
        return refuse(s, "a lone high surrogate in a \\u escape");
    }
    s->at += 2;
    if (!scan_hex4(s, &low) || low < 0xDC00 || low > 0xDFFF) {
        return refuse(s, "a lone high surrogate in a \\u escape");
    }
    return true;
}

static bool scan_escape(struct scan *s) {
    s->at++; // the backslash
    if (s->at >= s->len) {
        return refuse(s, "a string ends inside an escape");
    }
    switch (s->text[s->at]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        s->at++;
        return true;
    case 'u':
        s->at++;
        return scan_unicode_escape(s);
    default:
        return refuse(s, "an escape that JSON does not know; \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX are known");
    }
}

// Length of the well-formed UTF-8 sequence of more than one byte at `p` (Unicode table 3-7); 0: none.
static uint32_t utf8_len(const uint8_t *p, uint32_t left) {
    uint8_t c = p[0];
    uint32_t n = c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    // Only the second byte is ever restricted further: no overlong forms, no surrogates, nothing over U+10FFFF.
    uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (n == 0 || left < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (uint32_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }
    return n;
}

// Bytes of a string that need no look: ASCII from 0x20 but quote and backslash.
static inline bool is_plain(uint8_t c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

// True when all of the eight bytes are plain.
static inline bool eight_plain(const uint8_t *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    uint64_t quote = v ^ (ones * '"');
    uint64_t slash = v ^ (ones * '\\');
    uint64_t found = v | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - ones * 0x20) & ~v);
    return (found & high) == 0;
}

static inline void skip_plain(struct scan *s) {
    const uint8_t *p = s->text + s->at;
    const uint8_t *end = s->text + s->len;
    while (end - p >= 8 && eight_plain(p)) {
        p += 8;
    }
    while (p < end && is_plain(*p)) {
        p++;
    }
    s->at = (uint32_t)(p - s->text);
}

static bool scan_string(struct scan *s, bool is_name) {
    struct mlt_json_token *token = push(s, MLT_JSON_STRING);
    if (!token) {
        return false;
    }
    token->is_name = is_name;
    s->at++;
    for (;;) {
        skip_plain(s);
        if (s->at >= s->len) {
            return refuse(s, "a string is not closed");
        }
        uint8_t c = s->text[s->at];
        if (c == '"') {
            s->at++;
            finish(s, token);
            return true;
        }
        if (c == '\\') {
            token->escaped = 1;
            if (!scan_escape(s)) {
                return false;
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
}

static inline bool is_digit(const struct scan *s) {
    return s->at < s->len && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

static inline bool skip_digits(struct scan *s) {
    uint32_t begin = s->at;
    while (is_digit(s)) {
        s->at++;
    }
    return s->at > begin;
}

static bool scan_number(struct scan *s) {
    struct mlt_json_token *token = push(s, MLT_JSON_NUMBER);
    if (!token) {
        return false;
    }
    if (s->text[s->at] == '-') {
        s->at++;
    }
    if (s->at < s->len && s->text[s->at] == '0') {
        s->at++;
        if (is_digit(s)) {
            return refuse(s, "a number must not begin with a zero that more digits follow");
        }
    } else if (!skip_digits(s)) {
        return refuse(s, "a digit is missing in a number");
    }
    if (s->at < s->len && s->text[s->at] == '.') {
        s->at++;
        if (!skip_digits(s)) {
            return refuse(s, "a digit must follow the decimal point");
        }
    }
    if (s->at < s->len && (s->text[s->at] | 0x20) == 'e') {
        s->at++;
        if (s->at < s->len && (s->text[s->at] == '+' || s->text[s->at] == '-')) {
            s->at++;
        }
        if (!skip_digits(s)) {
            return refuse(s, "a digit must follow the exponent sign");
        }
    }
    finish(s, token);
    return true;
}

static bool scan_word(struct scan *s, const char *word, uint8_t type) {
    uint32_t n = (uint32_t)strlen(word);
    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0) {
        return refuse(s, "no JSON value; true, false and null are written in lower case, strings in double quotes");
    }
    struct mlt_json_token *token = push(s, type);
    if (!token) {
        return false;
    }
    s->at += n;
    finish(s, token);
    return true;
}

static bool open_container(struct scan *s, uint8_t type) {
    if (s->depth == MLT_JSON_DEPTH_MAX) {
        return refuse_as(s, MLT_LIMIT, "too-deep", "nested too deep; at most 64 levels are taken");
    }
    if (!push(s, type)) {
        return false;
    }
    s->at++;
    s->open[s->depth++] = (uint32_t)s->json->num_tokens - 1;
    return true;
}

static bool check_names(struct scan *s, uint32_t object) {
    struct mlt_json *json = s->json;
    uint32_t name;
    s->status = mlt_json_duplicate(json, object, &name, s->err);
    if (s->status != MLT_OK || name == MLT_JSON_NONE) {
        return s->status == MLT_OK;
    }
    json->error_off = json->tape[name].start;
    json->error_code = "duplicate-member";
    mlt_json_report_place(json, s->open, s->depth, name);
    struct mlt_bytes raw = mlt_json_raw(json, name);
    s->status = mlt_fail(s->err, MLT_INVALID, "the member %.*s stands twice in one object, at byte %u; once is right",
                         raw.len > 80 ? 80 : (int)raw.len, (const char *)raw.ptr, json->error_off);
    return false;
}

static bool close_container(struct scan *s) {
    struct mlt_json_token *token = &s->json->tape[s->open[s->depth - 1]];
    if (token->type == MLT_JSON_OBJECT && token->count > 1 && !check_names(s, s->open[s->depth - 1])) {
        return false;
    }
    s->at++;
    finish(s, token);
    s->depth--;
    // White space inside is white space inside every container around it.
    if (token->spaced && s->depth > 0) {
        s->json->tape[s->open[s->depth - 1]].spaced = 1;
    }
    return true;
}

// A name with its colon.
static bool scan_name(struct scan *s) {
    if (s->at >= s->len || s->text[s->at] != '"') {
        return refuse(s, "a member name in double quotes was expected");
    }
    s->json->tape[s->open[s->depth - 1]].count++;
    if (!scan_string(s, true)) {
        return false;
    }
    skip_space(s);
    if (s->at >= s->len || s->text[s->at] != ':') {
        return refuse(s, "a colon must follow a member name");
    }
    s->at++;
    skip_space(s);
    return true;
}

// A scalar is read whole; of a container only the bracket, and `*opened` is set.
static inline bool scan_value(struct scan *s, bool *opened) {
    *opened = false;
    if (s->at >= s->len) {
        return refuse(s, "the text ends where a value was expected");
    }
    uint8_t c = s->text[s->at];
    switch (c) {
    case '"':
        return scan_string(s, false);
    case '{':
    case '[':
        *opened = true;
        return open_container(s, c == '{' ? MLT_JSON_OBJECT : MLT_JSON_ARRAY);
    case 't':
        return scan_word(s, "true", MLT_JSON_TRUE);
    case 'f':
        return scan_word(s, "false", MLT_JSON_FALSE);
    case 'n':
        return scan_word(s, "null", MLT_JSON_NULL);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? scan_number(s) : refuse(s, "no JSON value begins like this");
    }
}

// After a container was opened: its end, or the name of its first member. `*closed` when it was empty.
static inline bool enter(struct scan *s, bool *closed) {
    struct mlt_json_token *token = &s->json->tape[s->open[s->depth - 1]];
    bool object = token->type == MLT_JSON_OBJECT;
    skip_space(s);
    *closed = s->at < s->len && s->text[s->at] == (object ? '}' : ']');
    if (*closed) {
        return close_container(s);
    }
    if (object) {
        return scan_name(s);
    }
    token->count++;
    return true;
}

// After a value: a comma and the next name, or the ends of containers. `*more` when a value is due.
static inline bool leave(struct scan *s, bool *more) {
    *more = false;
    while (s->depth > 0) {
        skip_space(s);
        struct mlt_json_token *token = &s->json->tape[s->open[s->depth - 1]];
        bool object = token->type == MLT_JSON_OBJECT;
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
            token->count++;
            return true;
        }
        if (c != (object ? '}' : ']')) {
            return refuse(s, object ? "a comma or } was expected" : "a comma or ] was expected");
        }
        if (!close_container(s)) {
            return false;
        }
    }
    return true;
}

static bool scan_document(struct scan *s) {
    bool more = true;
    skip_space(s);
    while (more) {
        bool opened;
        bool closed = false;
        if (!scan_value(s, &opened) || (opened && !enter(s, &closed)) || ((!opened || closed) && !leave(s, &more))) {
            return false;
        }
    }
    skip_space(s);
    return s->at == s->len || refuse(s, "something follows the JSON value");
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
    if (!scan_document(&s)) {
        json->num_tokens = 0; // nobody reads half a tape
    }
    return s.status;
}

void mlt_json_clear(struct mlt_json *json) {
    if (json) {
        free(json->tape);
        free(json->slots);
        *json = (struct mlt_json){0};
    }
}
