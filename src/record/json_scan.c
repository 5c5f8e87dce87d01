// The strict scanner: one pass over the bytes, an explicit stack, a tape of tokens.
#include "record/json.h"

#include <stdio.h>
#include <stdlib.h>

// A member name seen in an object that is still open, for the refusal of duplicates.
#define SMALL_OBJECT_MEMBERS 24 // up to here comparing each pair is cheaper than sorting

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

// The JSON pointer to the innermost value that was reached, for the report.
static void put_pointer(struct scan *s) {
    char *out = s->json->error_pointer;
    size_t cap = sizeof s->json->error_pointer;
    size_t len = 0;
    out[0] = '\0';
    for (uint32_t d = 0; d < s->depth; d++) {
        const struct mlt_json_token *container = &s->json->tape[s->stack[d]];
        char part[64];
        int n = 0;
        if (container->type == MLT_JSON_ARRAY) {
            n = snprintf(part, sizeof part, "/%u", container->count ? container->count - 1 : 0);
        } else {
            // The last name written directly under this container.
            uint32_t end = d + 1 < s->depth ? s->stack[d + 1] : (uint32_t)s->json->num_tokens;
            uint32_t name = MLT_JSON_NONE;
            for (uint32_t i = end; i-- > s->stack[d] + 1;) {
                if (s->json->tape[i].is_name) {
                    name = i;
                    break;
                }
            }
            if (name == MLT_JSON_NONE) {
                break;
            }
            const struct mlt_json_token *t = &s->json->tape[name];
            n = snprintf(part, sizeof part, "/%.*s", (int)(t->end - t->start - 2 < 50 ? t->end - t->start - 2 : 50),
                         (const char *)s->text + t->start + 1);
        }
        if (n < 0 || len + (size_t)n >= cap) {
            break;
        }
        memcpy(out + len, part, (size_t)n + 1);
        len += (size_t)n;
    }
}

static enum mlt_status refuse(struct scan *s, enum mlt_status status, const char *what) {
    s->json->error_off = s->at;
    if (status == MLT_LIMIT) {
        s->json->error_code = "too-deep";
    }
    put_pointer(s);
    return mlt_fail(s->err, status, "%s, at byte %u", what, s->at);
}

static enum mlt_status push(struct scan *s, uint8_t type, uint32_t start, uint32_t *pos) {
    struct mlt_json *json = s->json;
    if (json->num_tokens == json->cap) {
        if (json->num_tokens >= MLT_JSON_TOKENS_MAX) {
            return refuse(s, MLT_LIMIT, "too many values in one JSON text");
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
        return refuse(s, MLT_INVALID, "a string ends inside an escape");
    }
    uint8_t c = s->text[s->at++];
    if (c != 'u') {
        if (c != 0 && strchr("\"\\/bfnrt", c)) {
            return MLT_OK;
        }
        s->at--;
        return refuse(s, MLT_INVALID,
                      "an escape that JSON does not know; \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX are known");
    }
    uint32_t unit;
    if (!scan_hex4(s, &unit)) {
        return refuse(s, MLT_INVALID, "\\u must be followed by four hexadecimal digits");
    }
    if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return refuse(s, MLT_INVALID, "a lone low surrogate in a \\u escape");
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        uint32_t low;
        if (s->len - s->at < 6 || s->text[s->at] != '\\' || s->text[s->at + 1] != 'u') {
            return refuse(s, MLT_INVALID, "a lone high surrogate in a \\u escape");
        }
        s->at += 2;
        if (!scan_hex4(s, &low) || low < 0xDC00 || low > 0xDFFF) {
            return refuse(s, MLT_INVALID, "a lone high surrogate in a \\u escape");
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
            return refuse(s, MLT_INVALID, "a string is not closed");
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
            return refuse(s, MLT_INVALID, "a control character inside a string; it must be escaped");
        } else {
            uint32_t n = utf8_len(s->text + s->at, s->len - s->at);
            if (n == 0) {
                s->json->error_code = "invalid-utf8";
                return refuse(s, MLT_INVALID, "bytes that are not valid UTF-8");
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
            return refuse(s, MLT_INVALID, "a number must not begin with a zero that more digits follow");
        }
    } else if (!scan_digits(s)) {
        return refuse(s, MLT_INVALID, "a digit is missing in a number");
    }
    if (s->at < s->len && s->text[s->at] == '.') {
        s->at++;
        if (!scan_digits(s)) {
            return refuse(s, MLT_INVALID, "a digit must follow the decimal point");
        }
    }
    if (s->at < s->len && (s->text[s->at] | 0x20) == 'e') {
        s->at++;
        if (s->at < s->len && (s->text[s->at] == '+' || s->text[s->at] == '-')) {
            s->at++;
        }
        if (!scan_digits(s)) {
            return refuse(s, MLT_INVALID, "a digit must follow the exponent sign");
        }
    }
    s->json->tape[pos].end = s->at;
    s->json->tape[pos].next = pos + 1;
    return MLT_OK;
}

static enum mlt_status scan_word(struct scan *s, const char *word, uint8_t type) {
    uint32_t n = (uint32_t)strlen(word);
    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0) {
        return refuse(s, MLT_INVALID,
                      "no JSON value; true, false and null are written in lower case, strings in double quotes");
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
        return refuse(s, MLT_LIMIT, "nested too deep; at most 64 levels are taken");
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

struct name_ref {
    struct mlt_bytes text;
    uint32_t at;
};

static int by_name(const void *a, const void *b) {
    return mlt_bytes_compare(((const struct name_ref *)a)->text, ((const struct name_ref *)b)->text);
}

static enum mlt_status refuse_duplicate(struct scan *s, uint32_t name) {
    s->at = s->json->tape[name].start;
    struct mlt_bytes raw = mlt_json_raw(s->json, name);
    s->json->error_off = s->at;
    s->json->error_code = "duplicate-member";
    put_pointer(s);
    return mlt_fail(s->err, MLT_INVALID, "the member %.*s stands twice in one object, at byte %u",
                    raw.len > 80 ? 80 : (int)raw.len, (const char *)raw.ptr, s->at);
}

// Names are compared after unescaping. Few members: each pair; many: sorted, so that no input makes this quadratic.
static enum mlt_status check_duplicates(struct scan *s, uint32_t object) {
    const struct mlt_json *json = s->json;
    uint32_t count = json->tape[object].count;
    if (count < 2) {
        return MLT_OK;
    }
    struct name_ref small[SMALL_OBJECT_MEMBERS];
    struct name_ref *names = small;
    struct mlt_arena arena = {0};
    enum mlt_status status = MLT_OK;
    if (count > SMALL_OBJECT_MEMBERS) {
        names = malloc(count * sizeof *names);
        if (!names) {
            return mlt_fail(s->err, MLT_NOMEM, "no memory for %u member names", count);
        }
    }
    uint32_t n = 0;
    for (uint32_t at = object + 1; at < json->num_tokens && n < count; at = json->tape[at + 1].next) {
        const struct mlt_json_token *t = &json->tape[at];
        names[n].at = at;
        names[n].text = t->escaped ? mlt_json_string(json, at, &arena)
                                   : mlt_bytes_of(s->text + t->start + 1, t->end - t->start - 2);
        if (t->escaped && !names[n].text.ptr && t->end - t->start > 2) {
            status = mlt_fail(s->err, MLT_NOMEM, "no memory for a member name");
            goto out;
        }
        n++;
    }
    if (n > SMALL_OBJECT_MEMBERS) {
        qsort(names, n, sizeof *names, by_name);
        for (uint32_t i = 1; i < n; i++) {
            if (mlt_bytes_equal(names[i - 1].text, names[i].text)) {
                uint32_t later = names[i].at > names[i - 1].at ? names[i].at : names[i - 1].at;
                status = refuse_duplicate(s, later);
                goto out;
            }
        }
    } else {
        for (uint32_t i = 1; i < n; i++) {
            for (uint32_t j = 0; j < i; j++) {
                if (names[i].text.len == names[j].text.len && mlt_bytes_equal(names[i].text, names[j].text)) {
                    status = refuse_duplicate(s, names[i].at);
                    goto out;
                }
            }
        }
    }
out:
    if (names != small) {
        free(names);
    }
    mlt_arena_clear(&arena);
    return status;
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
        return refuse(s, MLT_INVALID, "a member name in double quotes was expected");
    }
    s->json->tape[s->stack[s->depth - 1]].count++;
    enum mlt_status status = scan_string(s, true);
    if (status != MLT_OK) {
        return status;
    }
    skip_space(s);
    if (s->at >= s->len || s->text[s->at] != ':') {
        return refuse(s, MLT_INVALID, "a colon must follow a member name");
    }
    s->at++;
    skip_space(s);
    return MLT_OK;
}

// A scalar is read whole; a container is opened and `*opened` set.
static enum mlt_status scan_value(struct scan *s, bool *opened) {
    *opened = false;
    if (s->at >= s->len) {
        return refuse(s, MLT_INVALID, "the text ends where a value was expected");
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
        return refuse(s, MLT_INVALID, "no JSON value begins like this");
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
            return refuse(s, MLT_INVALID, object ? "an object is not closed" : "an array is not closed");
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
            return refuse(s, MLT_INVALID, object ? "a comma or } was expected" : "a comma or ] was expected");
        }
        enum mlt_status status = close_container(s);
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_json_scan(struct mlt_json *json, struct mlt_bytes text, struct mlt_error *err) {
    json->text = text;
    json->num_tokens = 0;
    json->error_off = 0;
    json->error_code = "not-json";
    json->error_pointer[0] = '\0';
    if (text.len >= UINT32_MAX - 1) {
        return mlt_fail(err, MLT_LIMIT, "a JSON text of %zu bytes; at most 4 GiB are taken", text.len);
    }
    struct scan s = {.json = json, .text = text.ptr, .len = (uint32_t)text.len, .err = err};
    skip_space(&s);
    bool more = true;
    while (more) {
        bool opened;
        enum mlt_status status = scan_value(&s, &opened);
        bool closed = false;
        if (status == MLT_OK && opened) {
            status = enter(&s, &closed);
        }
        if (status == MLT_OK && (!opened || closed)) {
            status = leave(&s, &more);
        }
        if (status != MLT_OK) {
            return status;
        }
    }
    skip_space(&s);
    if (s.at != s.len) {
        return refuse(&s, MLT_INVALID, "something follows the JSON value");
    }
    return MLT_OK;
}

void mlt_json_clear(struct mlt_json *json) {
    if (json) {
        free(json->tape);
        *json = (struct mlt_json){0};
    }
}
