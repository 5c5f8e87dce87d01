// Where two JSON documents part.
#include "bundle/bundle_parts.h"

struct path {
    struct mlt_arena *arena;
    const struct mlt_json *a, *b;
    bool but_wording;
};

static const char *no_difference = NULL;

static const char *differ(const struct path *p, mlt_json_at a, mlt_json_at b, const char *pointer);

// What a build words in its own way: the sentences of findings and of the timeline, and what a dossier does not show.
// Codes, severities, entries, values and times are not among it.
static bool is_wording(const char *pointer) {
    static const char *const of_findings[] = {"/criteria", "/condition", "/effect", "/action"};
    const char *last = strrchr(pointer, '/');
    if (strncmp(pointer, "/findings/", strlen("/findings/")) == 0) {
        for (size_t i = 0; i < sizeof(of_findings) / sizeof(of_findings[0]); i++) {
            if (strcmp(last, of_findings[i]) == 0) {
                return true;
            }
        }
    }
    return (strncmp(pointer, "/timeline/", strlen("/timeline/")) == 0 && strcmp(last, "/what") == 0) ||
           strcmp(pointer, "/integrity/what_this_does_not_show") == 0;
}

// A name as a part of a pointer (RFC 6901 section 3).
static const char *down(const struct path *p, const char *pointer, struct mlt_bytes name) {
    struct mlt_buf out = {0};
    mlt_buf_put_str(&out, pointer);
    mlt_buf_put_u8(&out, '/');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~' || name.ptr[i] == '/') {
            mlt_buf_put_str(&out, name.ptr[i] == '~' ? "~0" : "~1");
        } else {
            mlt_buf_put_u8(&out, name.ptr[i]);
        }
    }
    const char *text = mlt_arena_cstr(p->arena, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
    return text ? text : pointer;
}

static const char *differ_object(const struct path *p, mlt_json_at a, mlt_json_at b, const char *pointer) {
    for (mlt_json_at n = mlt_json_first(p->a, a); n != MLT_JSON_NONE; n = mlt_json_next(p->a, a, n)) {
        const struct mlt_bytes name = mlt_json_string(p->a, n, p->arena);
        const char *there = down(p, pointer, name);
        const mlt_json_at other = mlt_json_get_bytes(p->b, b, name);
        const char *found = other == MLT_JSON_NONE ? there : differ(p, n + 1, other, there);
        if (found) {
            return found;
        }
    }
    for (mlt_json_at n = mlt_json_first(p->b, b); n != MLT_JSON_NONE; n = mlt_json_next(p->b, b, n)) {
        const struct mlt_bytes name = mlt_json_string(p->b, n, p->arena);
        if (mlt_json_get_bytes(p->a, a, name) == MLT_JSON_NONE) {
            return down(p, pointer, name);
        }
    }
    return no_difference;
}

static const char *differ_array(const struct path *p, mlt_json_at a, mlt_json_at b, const char *pointer) {
    mlt_json_at x = mlt_json_first(p->a, a), y = mlt_json_first(p->b, b);
    for (size_t i = 0; x != MLT_JSON_NONE || y != MLT_JSON_NONE; i++) {
        const char *there = mlt_arena_printf(p->arena, "%s/%zu", pointer, i);
        there = there ? there : pointer;
        const char *found = x == MLT_JSON_NONE || y == MLT_JSON_NONE ? there : differ(p, x, y, there);
        if (found) {
            return found;
        }
        x = mlt_json_next(p->a, a, x);
        y = mlt_json_next(p->b, b, y);
    }
    return no_difference;
}

static const char *differ(const struct path *p, mlt_json_at a, mlt_json_at b, const char *pointer) {
    const enum mlt_json_type type = mlt_json_type_of(p->a, a);
    if (p->but_wording && is_wording(pointer)) {
        return no_difference;
    }
    if (mlt_bytes_equal(mlt_json_raw(p->a, a), mlt_json_raw(p->b, b))) {
        return no_difference;
    }
    if (type == MLT_JSON_OBJECT && mlt_json_is(p->b, b, MLT_JSON_OBJECT)) {
        return differ_object(p, a, b, pointer);
    }
    if (type == MLT_JSON_ARRAY && mlt_json_is(p->b, b, MLT_JSON_ARRAY)) {
        return differ_array(p, a, b, pointer);
    }
    return mlt_json_equal(p->a, a, p->b, b) ? no_difference : pointer;
}

const char *mlt_bundle_difference(const struct mlt_json *a, const struct mlt_json *b, bool but_wording,
                                  struct mlt_arena *arena) {
    const struct path p = {arena, a, b, but_wording};
    return differ(&p, 0, 0, "");
}
