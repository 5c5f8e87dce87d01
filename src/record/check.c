#include "record/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/time.h"
#include "record/members.h"
#include "record/problem.h"

#define SHA256_HEX_LEN 64

static const char SHA256_PREFIX[] = "sha256:";

// Writes the JSON pointer (RFC 6901) to a place; what does not fit is cut off.
static size_t put_place(char *out, size_t cap, const struct mlt_place *where) {
    size_t len = where->parent ? put_place(out, cap, where->parent) : 0;
    char number[24];
    struct mlt_bytes part = where->name;
    if (!part.ptr) {
        int n = snprintf(number, sizeof(number), "%zu", where->index);
        part = mlt_bytes_of(number, (size_t)n);
    }
    if (len + 1 < cap) {
        out[len++] = '/';
    }
    for (size_t i = 0; i < part.len && len + 2 < cap; i++) {
        uint8_t c = part.ptr[i];
        if (c == '~' || c == '/') {
            out[len++] = '~';
            c = c == '~' ? '0' : '1';
        }
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return len;
}

// What is wrong with the value at `where`; `text` follows the value's place in the message.
static enum mlt_status refuse(const struct mlt_check *c, const char *code, const struct mlt_place *where,
                              const char *fmt, ...) MLT_PRINTF(4, 5);
static enum mlt_status refuse(const struct mlt_check *c, const char *code, const struct mlt_place *where,
                              const char *fmt, ...) {
    char pointer[sizeof(c->problem->pointer)];
    char text[sizeof(c->problem->detail)];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    put_place(pointer, sizeof(pointer), where);
    return mlt_problem_set(c->problem, MLT_INVALID, code, pointer, "%.120s %.380s", pointer + 1, text);
}

static enum mlt_status wrong_type(const struct mlt_check *c, mlt_json_at at, const struct mlt_place *where,
                                  const char *want) {
    return refuse(c, "wrong-type", where, "must be %s, not %s", want, mlt_json_type_words(c->json, at));
}

static bool is_lower_hex(struct mlt_bytes b) {
    for (size_t i = 0; i < b.len; i++) {
        if (!((b.ptr[i] >= '0' && b.ptr[i] <= '9') || (b.ptr[i] >= 'a' && b.ptr[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool is_sha256(struct mlt_bytes hex) {
    return hex.len == SHA256_HEX_LEN && is_lower_hex(hex);
}

static bool has_sha256_prefix(struct mlt_bytes text) {
    return text.len >= sizeof(SHA256_PREFIX) - 1 && memcmp(text.ptr, SHA256_PREFIX, sizeof(SHA256_PREFIX) - 1) == 0;
}

static struct mlt_bytes without_prefix(struct mlt_bytes text) {
    size_t len = has_sha256_prefix(text) ? sizeof(SHA256_PREFIX) - 1 : 0;
    return mlt_bytes_of(text.ptr + len, text.len - len);
}

// A set of digests: strings by algorithm. Only sha256 has a form that is checked; a value may repeat its algorithm.
static enum mlt_status check_digest_set(const struct mlt_check *c, mlt_json_at at, const struct mlt_place *where) {
    if (mlt_json_first(c->json, at) == MLT_JSON_NONE) {
        return refuse(c, "bad-digest", where, "is an empty set of digests; name at least one");
    }
    for (mlt_json_at n = mlt_json_first(c->json, at); n != MLT_JSON_NONE; n = mlt_json_next(c->json, at, n)) {
        struct mlt_place inner = {.parent = where, .name = mlt_json_string(c->json, n, c->scratch)};
        struct mlt_bytes value = mlt_json_string(c->json, n + 1, c->scratch);
        if (value.len == 0) {
            return wrong_type(c, n + 1, &inner, "a string that is not empty");
        }
        if (mlt_bytes_is(inner.name, "sha256") && !is_sha256(without_prefix(value))) {
            return refuse(c, "bad-digest", &inner, "must have %d lower-case hexadecimal digits", SHA256_HEX_LEN);
        }
    }
    return MLT_OK;
}

static enum mlt_status check_digest(const struct mlt_check *c, mlt_json_at at, const struct mlt_place *where) {
    if (mlt_json_is(c->json, at, MLT_JSON_OBJECT)) {
        return check_digest_set(c, at, where);
    }
    if (!mlt_json_is(c->json, at, MLT_JSON_STRING)) {
        return wrong_type(c, at, where, "a digest: \"sha256:<hex>\", or an object of digests by algorithm");
    }
    struct mlt_bytes text = mlt_json_string(c->json, at, c->scratch);
    const uint8_t *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    bool named = colon && colon > text.ptr && colon + 1 < text.ptr + text.len; // another algorithm and its value
    if (has_sha256_prefix(text) ? is_sha256(without_prefix(text)) : named) {
        return MLT_OK;
    }
    char shown[MLT_SHOWN_LEN];
    mlt_problem_show(shown, text);
    return refuse(c, "bad-digest", where,
                  "is no digest: \"%s\"; \"sha256:\" and %d lower-case hexadecimal digits would be, or an object of "
                  "digests by algorithm",
                  shown, SHA256_HEX_LEN);
}

static enum mlt_status check_time(const struct mlt_check *c, mlt_json_at at, bool date_too,
                                  const struct mlt_place *where) {
    if (!mlt_json_is(c->json, at, MLT_JSON_STRING)) {
        return wrong_type(c, at, where, date_too ? "a date, a time or null" : "a time as a string");
    }
    struct mlt_bytes text = mlt_json_string(c->json, at, c->scratch);
    int64_t ns;
    if (date_too ? mlt_date_parse(&ns, text) : mlt_time_parse(&ns, text)) {
        *c->time = ns;
        return MLT_OK;
    }
    char shown[MLT_SHOWN_LEN];
    mlt_problem_show(shown, text);
    return refuse(c, "bad-time", where,
                  "is no RFC 3339 time with a zone: \"%s\"; 2026-11-23T09:40:01Z or 2026-11-23T09:40:01.5+01:00 would "
                  "be%s",
                  shown, date_too ? ", or a date such as 2026-11-23" : "");
}

static enum mlt_status refuse_enum(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *m,
                                   const struct mlt_place *where) {
    char all[256] = "";
    size_t len = 0;
    for (const char *const *v = m->values; *v; v++) {
        int n = snprintf(all + len, sizeof(all) - len, "%s%s", len > 0 ? ", " : "", *v);
        len += n > 0 && (size_t)n < sizeof(all) - len ? (size_t)n : 0;
    }
    char shown[MLT_SHOWN_LEN];
    mlt_problem_show(shown, mlt_json_raw(c->json, at));
    return refuse(c, "bad-value", where, "cannot be %s; one of %s would be right", shown, all);
}

static enum mlt_status check_enum(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *m,
                                  const struct mlt_place *where) {
    struct mlt_bytes text = mlt_json_string(c->json, at, c->scratch);
    for (const char *const *v = m->values; text.len > 0 && *v; v++) {
        if (mlt_bytes_is(text, *v)) {
            return MLT_OK;
        }
    }
    return refuse_enum(c, at, m, where);
}

// What is required names something.
static enum mlt_status check_string(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *m,
                                    const struct mlt_place *where) {
    if (!mlt_json_is(c->json, at, MLT_JSON_STRING)) {
        return wrong_type(c, at, where, "a string");
    }
    if (!(m->flags & MLT_M_REQUIRED)) {
        return MLT_OK;
    }
    struct mlt_bytes text = mlt_json_string(c->json, at, c->scratch);
    if (text.len == 0) {
        return refuse(c, "bad-value", where, "must not be empty");
    }
    if (text.len > MLT_NAME_MAX) {
        return refuse(c, "name-too-long", where, "has %zu bytes; at most %d are taken", text.len, MLT_NAME_MAX);
    }
    return MLT_OK;
}

// An object against a member table; members that are not in it are accepted as they are.
static enum mlt_status check_struct(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *members,
                                    const struct mlt_place *where) {
    if (!mlt_json_is(c->json, at, MLT_JSON_OBJECT)) {
        return wrong_type(c, at, where, "an object");
    }
    for (const struct mlt_member *m = members; m->name; m++) {
        struct mlt_place inner = {.parent = where, .name = mlt_str(m->name)};
        mlt_json_at value = mlt_json_get_bytes(c->json, at, inner.name);
        if (value == MLT_JSON_NONE || mlt_json_is(c->json, value, MLT_JSON_NULL)) {
            if (m->flags & MLT_M_REQUIRED) {
                return refuse(c, "missing-member", &inner, "is required");
            }
            continue;
        }
        enum mlt_status status = mlt_check_value(c, value, m, &inner);
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

static enum mlt_status check_elements(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *m,
                                      const struct mlt_place *where) {
    bool objects = m->type == MLT_T_OBJECTS;
    if (!mlt_json_is(c->json, at, MLT_JSON_ARRAY)) {
        return wrong_type(c, at, where, objects ? "an array of objects" : "an array of strings");
    }
    struct mlt_place inner = {.parent = where};
    for (mlt_json_at n = mlt_json_first(c->json, at); n != MLT_JSON_NONE; n = mlt_json_next(c->json, at, n)) {
        enum mlt_status status = MLT_OK;
        if (objects) {
            status = check_struct(c, n, m->members, &inner);
        } else if (!mlt_json_is(c->json, n, MLT_JSON_STRING)) {
            status = wrong_type(c, n, &inner, "a string");
        }
        if (status != MLT_OK) {
            return status;
        }
        inner.index++;
    }
    return MLT_OK;
}

static enum mlt_status want(const struct mlt_check *c, mlt_json_at at, const struct mlt_place *where, bool is,
                            const char *words) {
    return is ? MLT_OK : wrong_type(c, at, where, words);
}

enum mlt_status mlt_check_value(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *m,
                                const struct mlt_place *where) {
    enum mlt_json_type type = mlt_json_type_of(c->json, at);
    uint64_t count;
    switch (m->type) {
    case MLT_T_ANY:
        return MLT_OK;
    case MLT_T_STRING:
        return check_string(c, at, m, where);
    case MLT_T_TIME:
        return check_time(c, at, false, where);
    case MLT_T_DATE_OR_TIME_OR_NULL:
        return check_time(c, at, true, where);
    case MLT_T_NUMBER:
        return want(c, at, where, type == MLT_JSON_NUMBER, "a number");
    case MLT_T_COUNT:
        return want(c, at, where, mlt_json_u64(c->json, at, &count),
                    "a whole number from 0 to 18446744073709551615, without fraction or exponent");
    case MLT_T_BOOL:
        return want(c, at, where, type == MLT_JSON_TRUE || type == MLT_JSON_FALSE, "true or false");
    case MLT_T_OBJECT:
        return want(c, at, where, type == MLT_JSON_OBJECT, "an object");
    case MLT_T_ARRAY:
        return want(c, at, where, type == MLT_JSON_ARRAY, "an array");
    case MLT_T_STRING_OR_OBJECT:
        return want(c, at, where, type == MLT_JSON_STRING || type == MLT_JSON_OBJECT, "a string or an object");
    case MLT_T_DIGEST:
        return check_digest(c, at, where);
    case MLT_T_ENUM:
        return check_enum(c, at, m, where);
    case MLT_T_STRUCT:
        return check_struct(c, at, m->members, where);
    case MLT_T_OBJECTS:
    case MLT_T_STRINGS:
        return check_elements(c, at, m, where);
    }
    return MLT_OK;
}
