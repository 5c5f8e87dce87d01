#include "note/allowed_signers.h"

#include "base/time.h"

#define PATTERN_MAX 1023 // what ssh-keygen takes of one pattern; a longer one matches nothing there
#define TIME_DIGITS_MAX 14

// One line, as it is read from left to right.
struct reading {
    struct mlt_bytes rest;
    size_t line;
    struct mlt_arena *arena;
    struct mlt_error *err;
};

static enum mlt_status invalid(const struct reading *r, const char *what) {
    return mlt_fail(r->err, MLT_INVALID, "line %zu: %s", r->line, what);
}

static bool blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct mlt_bytes *b) {
    while (b->len > 0 && blank(b->ptr[0])) {
        *b = mlt_bytes_of(b->ptr + 1, b->len - 1);
    }
}

// The next word, up to a blank outside double quotes, and the blanks after it.
static struct mlt_bytes take_word(struct mlt_bytes *b) {
    bool quoted = false;
    size_t len = 0;
    while (len < b->len && (quoted || !blank(b->ptr[len]))) {
        quoted = quoted != (b->ptr[len] == '"');
        len++;
    }
    struct mlt_bytes word = {b->ptr, len};
    *b = mlt_bytes_of(b->ptr + len, b->len - len);
    skip_blanks(b);
    return word;
}

static bool same_letters(struct mlt_bytes a, const char *lower) {
    if (a.len != strlen(lower)) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        uint8_t c = a.ptr[i];
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
        if (c != (uint8_t)lower[i]) {
            return false;
        }
    }
    return true;
}

// YYYYMMDD[HHMM[SS]][Z] as RFC 3339, which knows the days of a month.
static bool read_time(int64_t *out, struct mlt_bytes text) {
    char rfc[] = "0000-00-00T00:00:00Z";
    static const uint8_t places[TIME_DIGITS_MAX] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18};
    if (text.len > 0 && text.ptr[text.len - 1] == 'Z') {
        text.len--;
    }
    if (text.len != 8 && text.len != 12 && text.len != TIME_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        rfc[places[i]] = (char)text.ptr[i];
    }
    return mlt_time_parse(out, mlt_str(rfc)) && *out > 0; // ssh-keygen takes 1970-01-01 for no time
}

static enum mlt_status option_time(struct reading *r, const char *name, struct mlt_bytes value, bool *has,
                                   int64_t *out) {
    if (*has) {
        return mlt_fail(r->err, MLT_INVALID, "line %zu: %s is given twice", r->line, name);
    }
    *has = true;
    return read_time(out, value)
               ? MLT_OK
               : mlt_fail(r->err, MLT_INVALID,
                          "line %zu: %s must be a time after 1970 as YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with or "
                          "without Z (UTC either way)",
                          r->line, name);
}

static enum mlt_status read_option(struct reading *r, struct mlt_allowed_signer *s, struct mlt_bytes name,
                                   struct mlt_bytes value) {
    if (same_letters(name, "valid-after")) {
        return option_time(r, "valid-after", value, &s->has_after, &s->after);
    }
    if (same_letters(name, "valid-before")) {
        return option_time(r, "valid-before", value, &s->has_before, &s->before);
    }
    if (!same_letters(name, "namespaces")) {
        return invalid(r, "there is no such option; there are namespaces=\"…\", valid-after=\"…\" and "
                          "valid-before=\"…\"");
    }
    if (s->namespaces.ptr) {
        return invalid(r, "namespaces is given twice");
    }
    s->namespaces = value;
    return MLT_OK;
}

// The options, each name="value", separated by commas without blanks.
static enum mlt_status read_options(struct reading *r, struct mlt_allowed_signer *s, struct mlt_bytes word) {
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK) {
        size_t name_len = 0;
        while (name_len < word.len && word.ptr[name_len] != '=' && word.ptr[name_len] != ',') {
            name_len++;
        }
        struct mlt_bytes name = {word.ptr, name_len};
        if (same_letters(name, "cert-authority")) {
            return invalid(r, "cert-authority: certificates are not supported; name the signers' own keys");
        }
        if (word.len < name_len + 3 || word.ptr[name_len] != '=' || word.ptr[name_len + 1] != '"') {
            return invalid(r, "between principals and key stand options as namespaces=\"…\", separated by commas "
                              "without blanks");
        }
        const uint8_t *value = word.ptr + name_len + 2;
        const uint8_t *end = memchr(value, '"', word.len - name_len - 2);
        if (!end || memchr(value, '\\', (size_t)(end - value))) {
            return invalid(r, end ? "a value with a backslash is not supported" : "the quote of a value is not closed");
        }
        status = read_option(r, s, name, mlt_bytes_of(value, (size_t)(end - value)));
        size_t taken = (size_t)(end + 1 - word.ptr);
        if (taken == word.len) {
            break;
        }
        if (status == MLT_OK && (word.ptr[taken] != ',' || taken + 1 == word.len)) {
            return invalid(r, "a comma separates options, and stands nowhere else");
        }
        word = mlt_bytes_of(word.ptr + taken + 1, word.len - taken - 1);
    }
    if (status == MLT_OK && s->has_after && s->has_before && s->before <= s->after) {
        return invalid(r, "valid-before must be later than valid-after");
    }
    return status;
}

static enum mlt_status read_key(struct reading *r, struct mlt_allowed_signer *s, struct mlt_bytes type) {
    struct mlt_bytes base64 = take_word(&r->rest);
    size_t room = base64.len / 4 * 3, len = 0;
    const char *why = NULL;
    room = room < MLT_SSH_KEY_BLOB_MAX ? room : MLT_SSH_KEY_BLOB_MAX;
    uint8_t *blob = mlt_arena_take(r->arena, room);
    if (!blob) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for the allowed signers");
    }
    if (base64.len == 0 || !mlt_base64_decode(blob, room, &len, base64)) {
        return invalid(r, "the key must follow its type, in base64, as in a .pub file");
    }
    if (!mlt_ssh_key_read(&s->key, mlt_bytes_of(blob, len), &why)) {
        return invalid(r, why);
    }
    return mlt_bytes_is(type, mlt_ssh_key_type_name(s->key.type))
               ? MLT_OK
               : invalid(r, "the key is of another type than the word before it");
}

static bool is_key_type(struct mlt_bytes word) {
    for (int t = 0; t < MLT_NUM_SSH_KEY_TYPES; t++) {
        if (mlt_bytes_is(word, mlt_ssh_key_type_name((enum mlt_ssh_key_type)t))) {
            return true;
        }
    }
    return false;
}

// A word without '=', '"' and ',' that is no known option is meant as the type of a key.
static bool looks_like_type(struct mlt_bytes word) {
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '=' || word.ptr[i] == '"' || word.ptr[i] == ',') {
            return false;
        }
    }
    return !same_letters(word, "cert-authority");
}

static enum mlt_status read_line(struct reading *r, struct mlt_allowed_signer *s) {
    *s = (struct mlt_allowed_signer){.line = r->line};
    s->principals = take_word(&r->rest);
    if (s->principals.len > PATTERN_MAX) {
        return invalid(r, "the principals are longer than 1023 bytes");
    }
    if (memchr(s->principals.ptr, '"', s->principals.len)) {
        return invalid(r, "principals stand without quotes");
    }
    struct mlt_bytes word = take_word(&r->rest);
    if (!looks_like_type(word)) {
        enum mlt_status status = read_options(r, s, word);
        if (status != MLT_OK) {
            return status;
        }
        word = take_word(&r->rest);
    }
    if (word.len == 0) {
        return invalid(r, "a line is PRINCIPALS [OPTIONS] KEY-TYPE BASE64-KEY [COMMENT]");
    }
    return is_key_type(word) ? read_key(r, s, word) : invalid(r, mlt_ssh_key_type_why(word));
}

static bool has_control(struct mlt_bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if ((line.ptr[i] < ' ' && line.ptr[i] != '\t') || line.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static size_t count_lines(struct mlt_bytes text) {
    size_t num = 1;
    for (size_t i = 0; i < text.len; i++) {
        num += text.ptr[i] == '\n';
    }
    return num;
}

static struct mlt_bytes next_line(struct mlt_bytes *rest) {
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    struct mlt_bytes line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    size_t taken = line.len + (end ? 1 : 0);
    *rest = mlt_bytes_of(rest->ptr + taken, rest->len - taken);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    skip_blanks(&line);
    return line;
}

enum mlt_status mlt_allowed_signers_read(struct mlt_allowed_signers *out, struct mlt_bytes text,
                                         struct mlt_arena *arena, struct mlt_error *err) {
    struct reading r = {.arena = arena, .err = err};
    *out = (struct mlt_allowed_signers){0};
    if (text.len > MLT_ALLOWED_SIGNERS_TEXT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the allowed signers have more than %d bytes", MLT_ALLOWED_SIGNERS_TEXT_MAX);
    }
    size_t room = count_lines(text);
    room = room < MLT_ALLOWED_SIGNERS_MAX ? room : MLT_ALLOWED_SIGNERS_MAX;
    out->signers = mlt_arena_take(arena, room * sizeof(*out->signers));
    if (!out->signers) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the allowed signers");
    }
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && text.len > 0) {
        r.rest = next_line(&text);
        r.line++;
        if (r.rest.len == 0 || r.rest.ptr[0] == '#') {
            continue;
        }
        if (out->num == MLT_ALLOWED_SIGNERS_MAX) {
            status =
                mlt_fail(err, MLT_LIMIT, "line %zu: there are more than %d signers", r.line, MLT_ALLOWED_SIGNERS_MAX);
        } else if (has_control(r.rest)) {
            status = invalid(&r, "there is a control character in it");
        } else {
            status = read_line(&r, &out->signers[out->num]);
            out->num += status == MLT_OK;
        }
    }
    if (status != MLT_OK) {
        *out = (struct mlt_allowed_signers){0};
    }
    return status;
}

// '*' stands for any bytes, '?' for one. After a mismatch only the last star can take more, so it ends in
// len * pattern.len steps.
static bool match_one(struct mlt_bytes text, struct mlt_bytes pattern) {
    size_t t = 0, p = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

// A list matches when one of its patterns does and none of those behind '!'.
static bool match_list(struct mlt_bytes text, struct mlt_bytes list) {
    bool matched = false;
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.ptr, ',', list.len);
        struct mlt_bytes pattern = {list.ptr, comma ? (size_t)(comma - list.ptr) : list.len};
        size_t taken = pattern.len + (comma ? 1 : 0);
        list = mlt_bytes_of(list.ptr + taken, list.len - taken);
        bool forbids = pattern.len > 0 && pattern.ptr[0] == '!';
        if (forbids) {
            pattern = mlt_bytes_of(pattern.ptr + 1, pattern.len - 1);
        }
        if (match_one(text, pattern)) {
            if (forbids) {
                return false;
            }
            matched = true;
        }
    }
    return matched;
}

static enum mlt_signer_verdict judge(const struct mlt_allowed_signer *s, struct mlt_bytes principal,
                                     struct mlt_bytes name_space, int64_t time) {
    if (!match_list(principal, s->principals)) {
        return MLT_SIGNER_OTHER_PRINCIPAL;
    }
    if (s->namespaces.ptr && !match_list(name_space, s->namespaces)) {
        return MLT_SIGNER_OTHER_NAMESPACE;
    }
    if (s->has_after && time < s->after) {
        return MLT_SIGNER_NOT_YET;
    }
    if (s->has_before && time > s->before) {
        return MLT_SIGNER_EXPIRED;
    }
    return MLT_SIGNER_ALLOWED;
}

enum mlt_signer_verdict mlt_allowed_signers_find(const struct mlt_allowed_signers *list, struct mlt_bytes principal,
                                                 const struct mlt_ssh_key *key, struct mlt_bytes name_space,
                                                 int64_t time, const struct mlt_allowed_signer **signer) {
    enum mlt_signer_verdict best = MLT_SIGNER_UNKNOWN;
    *signer = NULL;
    for (size_t i = 0; i < list->num && best != MLT_SIGNER_ALLOWED; i++) {
        const struct mlt_allowed_signer *s = &list->signers[i];
        if (!mlt_bytes_equal(s->key.blob, key->blob)) {
            continue;
        }
        enum mlt_signer_verdict verdict = judge(s, principal, name_space, time);
        if (verdict > best) {
            best = verdict;
            *signer = s;
        }
    }
    return best;
}
