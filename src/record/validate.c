#include "record/validate.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/time.h"

enum mlt_status mlt_problem_set(struct mlt_problem *p, enum mlt_status status, const char *code, const char *pointer,
                                const char *fmt, ...) {
    snprintf(p->code, sizeof p->code, "%s", code);
    snprintf(p->pointer, sizeof p->pointer, "%s", pointer);
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->detail, sizeof p->detail, fmt, args);
    va_end(args);
    return status;
}

const struct mlt_member_ref *mlt_members_find(const struct mlt_members *m, const char *name) {
    struct mlt_bytes want = mlt_str(name);
    for (size_t i = 0; i < m->num; i++) {
        if (m->refs[i].name.len == want.len && memcmp(m->refs[i].name.ptr, want.ptr, want.len) == 0) {
            return mlt_json_is(m->refs[i].json, m->refs[i].at, MLT_JSON_NULL) ? NULL : &m->refs[i];
        }
    }
    return NULL;
}

// Where we are in the record, as a JSON pointer under construction.
struct place {
    char text[256];
    size_t len;
};

static void place_add(struct place *p, struct mlt_bytes part) {
    if (p->len + 1 < sizeof p->text) {
        p->text[p->len++] = '/';
    }
    for (size_t i = 0; i < part.len && p->len + 3 < sizeof p->text; i++) {
        uint8_t c = part.ptr[i];
        if (c == '~' || c == '/') { // RFC 6901 section 3
            p->text[p->len++] = '~';
            c = c == '~' ? '0' : '1';
        }
        p->text[p->len++] = (char)c;
    }
    p->text[p->len] = '\0';
}

static const char *type_name(const struct mlt_json *json, mlt_json_at at) {
    switch (mlt_json_type_of(json, at)) {
    case MLT_JSON_NULL:
        return "null";
    case MLT_JSON_FALSE:
    case MLT_JSON_TRUE:
        return "a boolean";
    case MLT_JSON_NUMBER:
        return "a number";
    case MLT_JSON_STRING:
        return "a string";
    case MLT_JSON_ARRAY:
        return "an array";
    case MLT_JSON_OBJECT:
        return "an object";
    }
    return "something else";
}

static enum mlt_status wrong_type(struct mlt_problem *p, const struct place *where, const struct mlt_json *json,
                                  mlt_json_at at, const char *want) {
    return mlt_problem_set(p, MLT_INVALID, "wrong-type", where->text, "%s must be %s, not %s",
                           where->len ? where->text + 1 : "the record", want, type_name(json, at));
}

// The value as text for a message: short, and harmless on a terminal.
static void put_value(char out[static 64], struct mlt_bytes text) {
    size_t n = 0;
    for (size_t i = 0; i < text.len && n < 60; i++) {
        out[n++] = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7F ? (char)text.ptr[i] : '?';
    }
    out[n] = '\0';
}

static bool lower_hex(struct mlt_bytes b) {
    for (size_t i = 0; i < b.len; i++) {
        if (!((b.ptr[i] >= '0' && b.ptr[i] <= '9') || (b.ptr[i] >= 'a' && b.ptr[i] <= 'f'))) {
            return false;
        }
    }
    return b.len > 0;
}

// `sha256:<64 hex>`, or another algorithm's `name:value`.
static bool digest_text_valid(struct mlt_bytes text) {
    const uint8_t *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    if (!colon || colon == text.ptr) {
        return false;
    }
    struct mlt_bytes name = mlt_bytes_of(text.ptr, (size_t)(colon - text.ptr));
    struct mlt_bytes value = mlt_bytes_of(colon + 1, text.len - name.len - 1);
    if (mlt_bytes_is(name, "sha256")) {
        return value.len == 64 && lower_hex(value);
    }
    return value.len > 0;
}

static enum mlt_status check_digest(const struct mlt_json *json, mlt_json_at at, const struct place *where,
                                    struct mlt_arena *scratch, struct mlt_problem *p) {
    char shown[64];
    if (mlt_json_is(json, at, MLT_JSON_STRING)) {
        struct mlt_bytes text = mlt_json_string(json, at, scratch);
        if (digest_text_valid(text)) {
            return MLT_OK;
        }
        put_value(shown, text);
        return mlt_problem_set(p, MLT_INVALID, "bad-digest", where->text,
                               "\"%s\" is no digest; \"sha256:\" and 64 lower-case hexadecimal digits would be", shown);
    }
    if (!mlt_json_is(json, at, MLT_JSON_OBJECT)) {
        return wrong_type(p, where, json, at, "a digest: \"sha256:<hex>\" or an object of digests by algorithm");
    }
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n)) {
        struct place inner = *where;
        struct mlt_bytes algorithm = mlt_json_string(json, n, scratch);
        place_add(&inner, algorithm);
        struct mlt_bytes value = mlt_json_string(json, n + 1, scratch);
        if (!mlt_json_is(json, n + 1, MLT_JSON_STRING) || value.len == 0) {
            return wrong_type(p, &inner, json, n + 1, "a string that is not empty");
        }
        struct mlt_bytes hex = value;
        if (value.len == 71 && memcmp(value.ptr, "sha256:", 7) == 0) {
            hex = mlt_bytes_of(value.ptr + 7, 64);
        }
        if (mlt_bytes_is(algorithm, "sha256") && !(hex.len == 64 && lower_hex(hex))) {
            return mlt_problem_set(p, MLT_INVALID, "bad-digest", inner.text,
                                   "a sha256 digest has 64 lower-case hexadecimal digits");
        }
    }
    if (json->tape[at].count == 0) {
        return mlt_problem_set(p, MLT_INVALID, "bad-digest", where->text, "an empty set of digests; name at least one");
    }
    return MLT_OK;
}

static enum mlt_status check_time(const struct mlt_json *json, mlt_json_at at, bool date_too, const struct place *where,
                                  struct mlt_arena *scratch, struct mlt_problem *p) {
    if (!mlt_json_is(json, at, MLT_JSON_STRING)) {
        return wrong_type(p, where, json, at, date_too ? "a date, a time or null" : "a time as a string");
    }
    struct mlt_bytes text = mlt_json_string(json, at, scratch);
    int64_t ns;
    if (date_too ? mlt_date_parse(&ns, text) : mlt_time_parse(&ns, text)) {
        return MLT_OK;
    }
    char shown[64];
    put_value(shown, text);
    return mlt_problem_set(
        p, MLT_INVALID, "bad-time", where->text,
        "\"%s\" is no RFC 3339 time with a zone; 2026-11-23T09:40:01Z or 2026-11-23T09:40:01.5+01:00 "
        "would be%s",
        shown, date_too ? ", or a date such as 2026-11-23" : "");
}

static enum mlt_status check_enum(const struct mlt_json *json, mlt_json_at at, const struct mlt_member *m,
                                  const struct place *where, struct mlt_arena *scratch, struct mlt_problem *p) {
    struct mlt_bytes text = mlt_json_string(json, at, scratch);
    char all[256] = "";
    size_t len = 0;
    for (const char *const *v = m->values; *v; v++) {
        if (mlt_json_is(json, at, MLT_JSON_STRING) && mlt_bytes_is(text, *v)) {
            return MLT_OK;
        }
        int n = snprintf(all + len, sizeof all - len, "%s%s", len ? ", " : "", *v);
        len += n > 0 && (size_t)n < sizeof all - len ? (size_t)n : 0;
    }
    char shown[64];
    put_value(shown, mlt_json_is(json, at, MLT_JSON_STRING) ? text : mlt_json_raw(json, at));
    return mlt_problem_set(p, MLT_INVALID, "bad-value", where->text, "\"%s\" is not known here; one of %s would be",
                           shown, all);
}

static enum mlt_status check_string(const struct mlt_json *json, mlt_json_at at, const struct mlt_member *m,
                                    const struct place *where, struct mlt_arena *scratch, struct mlt_problem *p) {
    if (!mlt_json_is(json, at, MLT_JSON_STRING)) {
        return wrong_type(p, where, json, at, "a string");
    }
    if (!(m->flags & (MLT_M_REQUIRED | MLT_M_EVIDENCE))) {
        return MLT_OK;
    }
    struct mlt_bytes text = mlt_json_string(json, at, scratch);
    if ((m->flags & MLT_M_REQUIRED) && text.len == 0) {
        return mlt_problem_set(p, MLT_INVALID, "bad-value", where->text, "%s must not be empty", where->text + 1);
    }
    if ((m->flags & MLT_M_REQUIRED) && text.len > MLT_NAME_MAX) {
        return mlt_problem_set(p, MLT_INVALID, "name-too-long", where->text, "%s has %zu bytes; at most %d are taken",
                               where->text + 1, text.len, MLT_NAME_MAX);
    }
    return MLT_OK;
}

static enum mlt_status check_value(const struct mlt_json *json, mlt_json_at at, const struct mlt_member *m,
                                   const struct place *where, struct mlt_arena *scratch, struct mlt_problem *p);

// An object against a member table; members that are not in it are accepted as they are.
static enum mlt_status check_struct(const struct mlt_json *json, mlt_json_at at, const struct mlt_member *members,
                                    const struct place *where, struct mlt_arena *scratch, struct mlt_problem *p) {
    if (!mlt_json_is(json, at, MLT_JSON_OBJECT)) {
        return wrong_type(p, where, json, at, "an object");
    }
    for (const struct mlt_member *m = members; m->name; m++) {
        struct place inner = *where;
        place_add(&inner, mlt_str(m->name));
        mlt_json_at value = mlt_json_get(json, at, m->name);
        if (value == MLT_JSON_NONE || (mlt_json_is(json, value, MLT_JSON_NULL) && !(m->flags & MLT_M_REQUIRED))) {
            if (m->flags & MLT_M_REQUIRED) {
                return mlt_problem_set(p, MLT_INVALID, "missing-member", inner.text, "%s is required", inner.text + 1);
            }
            continue;
        }
        enum mlt_status status = check_value(json, value, m, &inner, scratch, p);
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

static enum mlt_status check_elements(const struct mlt_json *json, mlt_json_at at, const struct mlt_member *m,
                                      const struct place *where, struct mlt_arena *scratch, struct mlt_problem *p) {
    if (!mlt_json_is(json, at, MLT_JSON_ARRAY)) {
        return wrong_type(p, where, json, at, m->type == MLT_T_STRINGS ? "an array of strings" : "an array of objects");
    }
    size_t i = 0;
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n), i++) {
        struct place inner = *where;
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        place_add(&inner, mlt_str(number));
        enum mlt_status status = MLT_OK;
        if (m->type == MLT_T_OBJECTS) {
            status = check_struct(json, n, m->members, &inner, scratch, p);
        } else if (!mlt_json_is(json, n, MLT_JSON_STRING)) {
            status = wrong_type(p, &inner, json, n, "a string");
        }
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

static enum mlt_status check_value(const struct mlt_json *json, mlt_json_at at, const struct mlt_member *m,
                                   const struct place *where, struct mlt_arena *scratch, struct mlt_problem *p) {
    enum mlt_json_type type = mlt_json_type_of(json, at);
    uint64_t number;
    switch (m->type) {
    case MLT_T_ANY:
        return MLT_OK;
    case MLT_T_STRING:
        return check_string(json, at, m, where, scratch, p);
    case MLT_T_TIME:
        return check_time(json, at, false, where, scratch, p);
    case MLT_T_DATE_OR_TIME_OR_NULL:
        return type == MLT_JSON_NULL ? MLT_OK : check_time(json, at, true, where, scratch, p);
    case MLT_T_NUMBER:
        return type == MLT_JSON_NUMBER ? MLT_OK : wrong_type(p, where, json, at, "a number");
    case MLT_T_COUNT:
        return mlt_json_u64(json, at, &number)
                   ? MLT_OK
                   : wrong_type(p, where, json, at, "a whole number from 0 to 18446744073709551615");
    case MLT_T_BOOL:
        return type == MLT_JSON_TRUE || type == MLT_JSON_FALSE ? MLT_OK
                                                               : wrong_type(p, where, json, at, "true or false");
    case MLT_T_OBJECT:
        return type == MLT_JSON_OBJECT ? MLT_OK : wrong_type(p, where, json, at, "an object");
    case MLT_T_ARRAY:
        return type == MLT_JSON_ARRAY ? MLT_OK : wrong_type(p, where, json, at, "an array");
    case MLT_T_STRING_OR_OBJECT:
        return type == MLT_JSON_STRING || type == MLT_JSON_OBJECT
                   ? MLT_OK
                   : wrong_type(p, where, json, at, "a string or an object");
    case MLT_T_DIGEST:
        return check_digest(json, at, where, scratch, p);
    case MLT_T_ENUM:
        return check_enum(json, at, m, where, scratch, p);
    case MLT_T_STRUCT:
        return check_struct(json, at, m->members, where, scratch, p);
    case MLT_T_OBJECTS:
    case MLT_T_STRINGS:
        return check_elements(json, at, m, where, scratch, p);
    }
    return MLT_OK;
}

// Levenshtein distance of short names, for "did you mean".
static unsigned distance(struct mlt_bytes a, const char *b) {
    enum { NAME_CAP = 40 };
    size_t n = strlen(b);
    if (a.len >= NAME_CAP || n >= NAME_CAP) {
        return NAME_CAP;
    }
    unsigned row[NAME_CAP];
    for (size_t j = 0; j <= n; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned change = diagonal + (a.ptr[i - 1] != (uint8_t)b[j - 1]);
            diagonal = row[j];
            unsigned gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < gap ? change : gap;
        }
    }
    return row[n];
}

static enum mlt_status unknown_kind(struct mlt_bytes name, struct mlt_problem *p) {
    const char *best = NULL;
    unsigned least = 4; // further away is no likely slip of the pen
    for (int k = 0; k < MLT_KIND_CONTROL; k++) {
        unsigned d = distance(name, mlt_kind_info((enum mlt_kind)k)->name);
        if (d < least) {
            least = d;
            best = mlt_kind_info((enum mlt_kind)k)->name;
        }
    }
    char shown[64];
    put_value(shown, name);
    if (best) {
        return mlt_problem_set(p, MLT_INVALID, "unknown-kind", "/kind",
                               "\"%s\" is no kind of record; did you mean \"%s\"?", shown, best);
    }
    return mlt_problem_set(
        p, MLT_INVALID, "unknown-kind", "/kind",
        "\"%s\" is no kind of record; prediction, dataset.version, training.run, model.version, approval, "
        "transition, access, … are, and your own begin with \"x-\"",
        shown);
}

static enum mlt_status find_kind(struct mlt_members *out, const struct mlt_json *json, const char *default_kind,
                                 bool own, struct mlt_arena *scratch, struct mlt_problem *p) {
    mlt_json_at at = mlt_json_get(json, 0, "kind");
    if (at == MLT_JSON_NONE && !default_kind) {
        return mlt_problem_set(p, MLT_INVALID, "missing-kind", "/kind",
                               "kind is required; \"kind\":\"prediction\" for instance");
    }
    if (at != MLT_JSON_NONE && !mlt_json_is(json, at, MLT_JSON_STRING)) {
        return mlt_problem_set(p, MLT_INVALID, "wrong-type", "/kind", "kind must be a string, not %s",
                               type_name(json, at));
    }
    out->kind_name = at == MLT_JSON_NONE ? mlt_str(default_kind) : mlt_json_string(json, at, scratch);
    out->kind = mlt_kind_find(out->kind_name);
    if (!out->kind) {
        return unknown_kind(out->kind_name, p);
    }
    if (out->kind_name.len > 64) {
        return mlt_problem_set(p, MLT_INVALID, "name-too-long", "/kind", "a kind has at most 64 bytes");
    }
    if (out->kind->server_only && !own) {
        return mlt_problem_set(p, MLT_INVALID, "server-only-kind", "/kind",
                               "only the server writes records of kind \"%s\"; it cannot be submitted",
                               out->kind->name);
    }
    return MLT_OK;
}

// For a missing required member: one of the submitted unknown names that is nearly it.
static struct mlt_bytes nearly(const struct mlt_members *m, const char *name) {
    for (size_t i = 0; i < m->num; i++) {
        if (!m->refs[i].info && distance(m->refs[i].name, name) <= 2) {
            return m->refs[i].name;
        }
    }
    return (struct mlt_bytes){0};
}

static enum mlt_status check_required(const struct mlt_members *m, uint64_t seen, struct mlt_problem *p) {
    unsigned bit = 0;
    for (const struct mlt_member *t = m->kind->members; t->name; t++, bit++) {
        if (!(t->flags & MLT_M_REQUIRED) || (seen >> bit & 1)) {
            continue;
        }
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/%s", t->name);
        struct mlt_bytes near_name = nearly(m, t->name);
        if (near_name.len) {
            char shown[64];
            put_value(shown, near_name);
            return mlt_problem_set(p, MLT_INVALID, "missing-member", pointer,
                                   "%s is required in a record of kind %s; \"%s\" is not known, is it meant?", t->name,
                                   m->kind->name, shown);
        }
        return mlt_problem_set(p, MLT_INVALID, "missing-member", pointer, "%s is required in a record of kind %s",
                               t->name, m->kind->name);
    }
    return MLT_OK;
}

static bool listed_public(const struct mlt_json *json, struct mlt_bytes name, struct mlt_arena *scratch) {
    mlt_json_at list = mlt_json_get(json, 0, "public");
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        if (mlt_bytes_equal(mlt_json_string(json, n, scratch), name)) {
            return true;
        }
    }
    return false;
}

enum mlt_status mlt_record_validate(struct mlt_members *out, const struct mlt_json *json, const char *default_kind,
                                    bool own, struct mlt_arena *scratch, struct mlt_problem *p) {
    if (!mlt_json_is(json, 0, MLT_JSON_OBJECT)) {
        return mlt_problem_set(p, MLT_INVALID, "not-an-object", "", "a record is a JSON object, not %s",
                               type_name(json, 0));
    }
    enum mlt_status status = find_kind(out, json, default_kind, own, scratch, p);
    if (status != MLT_OK) {
        return status;
    }
    if (json->tape[0].count > MLT_RECORD_MEMBERS_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "too-many-members", "",
                               "%u members; at most %d are taken, put more into one object", json->tape[0].count,
                               MLT_RECORD_MEMBERS_MAX);
    }
    uint64_t seen = 0;
    out->num = 0;
    for (mlt_json_at n = mlt_json_first(json, 0); n != MLT_JSON_NONE; n = mlt_json_next(json, 0, n)) {
        struct mlt_bytes name = mlt_json_string(json, n, scratch);
        if (mlt_bytes_is(name, "kind")) {
            continue;
        }
        const struct mlt_member *info = mlt_kind_member(out->kind, name);
        struct mlt_member_ref *ref = &out->refs[out->num++];
        *ref = (struct mlt_member_ref){.name = name, .json = json, .at = n + 1, .info = info};
        ref->payload = info ? (info->flags & MLT_M_PAYLOAD) != 0
                            : out->kind->kind != MLT_KIND_CUSTOM || !listed_public(json, name, scratch);
        if (!info) {
            continue;
        }
        bool is_null = mlt_json_is(json, n + 1, MLT_JSON_NULL);
        if (is_null && !(info->flags & MLT_M_REQUIRED)) {
            continue;
        }
        if (!is_null) {
            seen |= UINT64_C(1) << (info - out->kind->members);
        }
        struct place where = {.len = 0};
        place_add(&where, name);
        status = is_null ? MLT_OK : check_value(json, n + 1, info, &where, scratch, p);
        if (status != MLT_OK) {
            return status;
        }
    }
    return check_required(out, seen, p);
}
