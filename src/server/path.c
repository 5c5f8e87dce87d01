#include "server/path.h"

enum mlt_status mlt_percent_decode(struct mlt_bytes *out, struct mlt_bytes text, bool plus, struct mlt_arena *arena,
                                   struct mlt_error *err) {
    *out = (struct mlt_bytes){0};
    uint8_t *to = mlt_arena_take(arena, text.len + 1);
    if (!to) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a name of %zu bytes", text.len);
    }
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            if (!mlt_percent_byte(&c, text, i)) {
                return mlt_fail(err, MLT_INVALID,
                                "'%%' at byte %zu of \"%.*s\" is not followed by two hexadecimal digits; a percent "
                                "sign itself is written %%25",
                                i, MLT_ARG(text));
            }
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        to[n++] = c;
    }
    if (!mlt_utf8_valid(mlt_bytes_of(to, n))) {
        return mlt_fail(err, MLT_INVALID, "\"%.*s\" is not UTF-8 once decoded; names are percent-encoded UTF-8",
                        MLT_ARG(text));
    }
    *out = mlt_bytes_of(to, n);
    return MLT_OK;
}

// One segment of a path or pattern: up to the next slash; `*at` moves behind it, to NULL at the end.
static struct mlt_bytes next_segment(const char **at) {
    const char *start = *at;
    const char *slash = strchr(start, '/');
    size_t len = slash ? (size_t)(slash - start) : strlen(start);
    *at = slash ? slash + 1 : NULL;
    return mlt_bytes_of(start, len);
}

static bool is_name(struct mlt_bytes segment) {
    return segment.len > 2 && segment.ptr[0] == '{';
}

static bool is_rest(struct mlt_bytes segment) {
    return segment.len > 5 && is_name(segment) && memcmp(segment.ptr + segment.len - 4, "...}", 4) == 0;
}

bool mlt_path_matches(const char *pattern, const char *path) {
    if (*path != '/' || *pattern != '/') {
        return false;
    }
    const char *want = pattern + 1;
    const char *have = path + 1;
    while (want && have) {
        struct mlt_bytes w = next_segment(&want);
        if (is_rest(w)) {
            return *have != '\0';
        }
        struct mlt_bytes h = next_segment(&have);
        if (is_name(w) ? h.len == 0 : !mlt_bytes_equal(w, h)) {
            return false;
        }
    }
    return !want && !have;
}

enum mlt_status mlt_path_decode(struct mlt_path *out, const char *pattern, const char *path, struct mlt_arena *arena,
                                struct mlt_error *err) {
    out->num_segments = 0;
    const char *want = pattern + 1;
    const char *have = path + 1;
    while (want && have && out->num_segments < MLT_PATH_SEGMENTS_MAX) {
        struct mlt_bytes w = next_segment(&want);
        struct mlt_bytes h = is_rest(w) ? mlt_str(have) : next_segment(&have);
        if (!is_name(w)) {
            continue;
        }
        enum mlt_status status = mlt_percent_decode(&out->segments[out->num_segments], h, false, arena, err);
        if (status != MLT_OK) {
            return status;
        }
        out->num_segments++;
    }
    return MLT_OK;
}
