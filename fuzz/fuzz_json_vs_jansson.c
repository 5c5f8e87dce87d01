// links: mlt_record jansson
//
// The scanner and jansson agree on what is JSON, and on every value. They differ, by intent, in this:
//   - jansson refuses \u0000 in member names, and numbers that fit neither a double nor a signed 64-bit integer. The
//     scanner keeps both as they are.
//   - jansson 2.14 passes over a raw zero byte after a number or a word ("[1\0]"); the scanner refuses it, as RFC 8259
//   has it.
//   - jansson takes 2048 levels, the scanner MLT_JSON_DEPTH_MAX.
//   - jansson, asked to, refuses duplicate names as the scanner does.
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "record/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

static void compare(const struct mlt_json *json, mlt_json_at at, const json_t *other, struct mlt_arena *arena);

static void compare_object(const struct mlt_json *json, mlt_json_at at, const json_t *other, struct mlt_arena *arena) {
    check(json_is_object(other) && json_object_size(other) == json->tape[at].count);
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n)) {
        const char *name = mlt_arena_cstr(arena, mlt_json_string(json, n, arena));
        const json_t *value = json_object_get(other, name);
        check(value != NULL);
        compare(json, n + 1, value, arena);
    }
}

static void compare_number(const struct mlt_json *json, mlt_json_at at, const json_t *other) {
    double value = 0;
    check(json_is_number(other) && mlt_json_double(json, at, &value));
    check(value == json_number_value(other));
    uint64_t whole;
    if (json_is_integer(other) && json_integer_value(other) >= 0 && mlt_json_u64(json, at, &whole)) {
        check(whole == (uint64_t)json_integer_value(other));
    }
}

static void compare(const struct mlt_json *json, mlt_json_at at, const json_t *other, struct mlt_arena *arena) {
    struct mlt_bytes text;
    switch (mlt_json_type_of(json, at)) {
    case MLT_JSON_NULL:
        check(json_is_null(other));
        break;
    case MLT_JSON_FALSE:
        check(json_is_false(other));
        break;
    case MLT_JSON_TRUE:
        check(json_is_true(other));
        break;
    case MLT_JSON_NUMBER:
        compare_number(json, at, other);
        break;
    case MLT_JSON_STRING:
        text = mlt_json_string(json, at, arena);
        check(json_is_string(other) &&
              mlt_bytes_equal(text, mlt_bytes_of(json_string_value(other), json_string_length(other))));
        break;
    case MLT_JSON_ARRAY:
        check(json_is_array(other) && json_array_size(other) == json->tape[at].count);
        size_t i = 0;
        for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n)) {
            compare(json, n, json_array_get(other, i++), arena);
        }
        break;
    case MLT_JSON_OBJECT:
        compare_object(json, at, other, arena);
        break;
    }
}

// Does the document hold something that jansson refuses by documented difference?
static bool beyond_jansson(const struct mlt_json *json, struct mlt_arena *arena) {
    for (uint32_t at = 0; at < json->num_tokens; at++) {
        double value;
        struct mlt_bytes name = json->tape[at].is_name ? mlt_json_string(json, at, arena) : (struct mlt_bytes){0};
        if (name.len > 0 && memchr(name.ptr, 0, name.len)) {
            return true;
        }
        if (mlt_json_is(json, at, MLT_JSON_NUMBER)) {
            struct mlt_bytes raw = mlt_json_raw(json, at);
            bool real = memchr(raw.ptr, '.', raw.len) || memchr(raw.ptr, 'e', raw.len) || memchr(raw.ptr, 'E', raw.len);
            if (!mlt_json_double(json, at, &value) || isinf(value) || (!real && fabs(value) >= 9.2e18)) {
                return true;
            }
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    json_error_t why;
    enum mlt_status status = mlt_json_scan(&json, mlt_bytes_of(data, size), NULL);
    json_t *other =
        json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (status == MLT_OK && !other) {
        check(beyond_jansson(&json, &arena));
    } else if (status == MLT_INVALID) {
        check(!other || memchr(data, 0, size));
    } else if (status == MLT_OK) {
        compare(&json, 0, other, &arena);
    }
    json_decref(other);
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
    return 0;
}
