// links: mlt_record
//
// Whatever is scanned can be read: raw values scan again to equal values, minified text says the same in no more
// bytes, strings are UTF-8, and the writer gives back what it was given.
#include <stdlib.h>

#include "record/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_string(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena) {
    struct mlt_bytes text = mlt_json_string(json, at, arena);
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    struct mlt_json back = {0};
    check(text.ptr && mlt_utf8_valid(text));
    mlt_jw_init(&w, &out);
    mlt_jw_string(&w, text);
    check(!out.failed && mlt_json_scan(&back, mlt_buf_bytes(&out), NULL) == MLT_OK);
    check(mlt_json_equal(json, at, &back, 0));
    mlt_json_clear(&back);
    mlt_buf_clear(&out);
}

// Walks everything below `at` through the readers and counts the tokens on the way.
static size_t walk(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena) {
    size_t num = 1;
    bool object = mlt_json_is(json, at, MLT_JSON_OBJECT);
    if (mlt_json_is(json, at, MLT_JSON_STRING)) {
        check_string(json, at, arena);
    }
    if (mlt_json_is(json, at, MLT_JSON_NUMBER)) {
        double value;
        check(mlt_json_double(json, at, &value));
    }
    uint32_t count = 0;
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n), count++) {
        num += object;
        if (object) {
            check(json->tape[n].is_name);
            check_string(json, n, arena);
            if (count < 16) { // looking up every name of a large object would be quadratic
                check(mlt_json_get_bytes(json, at, mlt_json_string(json, n, arena)) == n + 1);
            }
        }
        num += walk(json, object ? n + 1 : n, arena);
    }
    bool container = object || mlt_json_is(json, at, MLT_JSON_ARRAY);
    check(!container || count == json->tape[at].count);
    return num;
}

static void check_minified(const struct mlt_json *json) {
    struct mlt_buf small = {0};
    struct mlt_json back = {0};
    mlt_json_minify(json, 0, &small);
    check(!small.failed && small.len <= json->text.len);
    check(mlt_json_scan(&back, mlt_buf_bytes(&small), NULL) == MLT_OK);
    check(back.num_tokens == json->num_tokens && mlt_json_equal(json, 0, &back, 0) &&
          mlt_json_equal(&back, 0, json, 0));
    for (size_t i = 0; i < back.num_tokens; i++) {
        check(!back.tape[i].spaced);
    }
    mlt_json_clear(&back);
    mlt_buf_clear(&small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mlt_json json; // kept, so that reuse is fuzzed as well
    struct mlt_error err = {0};
    enum mlt_status status = mlt_json_scan(&json, mlt_bytes_of(data, size), &err);
    if (status != MLT_OK) {
        check(status == MLT_INVALID || status == MLT_LIMIT);
        check(json.error_off <= size && json.error_code[0] != '\0' && err.text[0] != '\0');
        check(mlt_utf8_valid(mlt_str(json.error_pointer)));
        return 0;
    }
    struct mlt_arena arena = {0};
    check(walk(&json, 0, &arena) == json.num_tokens);
    check_minified(&json);
    mlt_arena_clear(&arena);
    return 0;
}
