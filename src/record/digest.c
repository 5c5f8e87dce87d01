#include "record/digest.h"

// "sha256:<hex>" is a set of one.
static bool single(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena, struct mlt_bytes *algorithm,
                   struct mlt_bytes *value) {
    struct mlt_bytes text = mlt_json_string(json, at, arena);
    const uint8_t *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    if (!colon) {
        return false;
    }
    *algorithm = mlt_bytes_of(text.ptr, (size_t)(colon - text.ptr));
    *value = mlt_bytes_of(colon + 1, text.len - algorithm->len - 1);
    return true;
}

// The value that a digest gives for `algorithm`; {NULL, 0}: none. An object's value may repeat the algorithm as prefix.
static struct mlt_bytes value_of(const struct mlt_json *json, mlt_json_at at, struct mlt_bytes algorithm,
                                 struct mlt_arena *arena) {
    struct mlt_bytes name;
    struct mlt_bytes value;
    if (mlt_json_is(json, at, MLT_JSON_STRING)) {
        return single(json, at, arena, &name, &value) && mlt_bytes_equal(name, algorithm) ? value
                                                                                          : (struct mlt_bytes){0};
    }
    mlt_json_at member = mlt_json_get_bytes(json, at, algorithm);
    if (single(json, member, arena, &name, &value) && mlt_bytes_equal(name, algorithm)) {
        return value;
    }
    return mlt_json_string(json, member, arena);
}

static void compare_one(struct mlt_bytes mine, struct mlt_bytes theirs, bool *same, bool *different) {
    if (mine.len && theirs.len) {
        *(mlt_bytes_equal(mine, theirs) ? same : different) = true;
    }
}

enum mlt_digest_match mlt_digest_compare(const struct mlt_json *a, mlt_json_at a_at, const struct mlt_json *b,
                                         mlt_json_at b_at) {
    if (!a || !b || a_at == MLT_JSON_NONE || b_at == MLT_JSON_NONE) {
        return MLT_DIGEST_NOT_COMPARABLE;
    }
    struct mlt_arena arena = {0};
    bool same = false;
    bool different = false;
    struct mlt_bytes algorithm;
    struct mlt_bytes value;
    if (mlt_json_is(a, a_at, MLT_JSON_STRING)) {
        if (single(a, a_at, &arena, &algorithm, &value)) {
            compare_one(value, value_of(b, b_at, algorithm, &arena), &same, &different);
        }
    } else if (mlt_json_is(a, a_at, MLT_JSON_OBJECT)) {
        for (mlt_json_at n = mlt_json_first(a, a_at); n != MLT_JSON_NONE; n = mlt_json_next(a, a_at, n)) {
            algorithm = mlt_json_string(a, n, &arena);
            compare_one(value_of(a, a_at, algorithm, &arena), value_of(b, b_at, algorithm, &arena), &same, &different);
        }
    }
    mlt_arena_clear(&arena);
    return different ? MLT_DIGEST_DIFFERENT : same ? MLT_DIGEST_SAME : MLT_DIGEST_NOT_COMPARABLE;
}

void mlt_digest_put(struct mlt_json_writer *w, const char *name, const uint8_t hash[static MLT_HASH_LEN]) {
    char text[sizeof "sha256:" + 2 * MLT_HASH_LEN] = "sha256:";
    mlt_hex_encode(text + strlen(text), mlt_bytes_of(hash, MLT_HASH_LEN));
    mlt_jw_member(w, name, text);
}
