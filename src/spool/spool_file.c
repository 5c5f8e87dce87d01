#include "spool/spool_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "record/json.h"

#define MAGIC "mltrail-spool 1"
#define SEGMENT_DIGITS 8
#define RANDOM_DIGITS 12
#define PID_DIGITS_MAX 10
#define FIRST_SEGMENTS 16

// -- the head of a segment --------------------------------------------------------------------------------------------

void mlt_spool_header_put(struct mlt_buf *out, const struct mlt_spool_header *h) {
    struct mlt_json_writer w;
    mlt_buf_put_str(out, MAGIC "\n");
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "stream", h->stream);
    mlt_jw_member(&w, "serving_node", h->serving_node);
    mlt_jw_member_u64(&w, "segment", h->segment);
    mlt_jw_member_u64(&w, "first_frame", h->first_frame);
    mlt_jw_member(&w, "created", h->created);
    mlt_jw_member(&w, "started", h->started);
    mlt_jw_member_u64(&w, "sequence", h->sequence);
    mlt_jw_member_u64(&w, "lost", h->lost);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

static bool take_text(char *out, size_t cap, const struct mlt_json *json, const char *name, struct mlt_arena *arena) {
    struct mlt_bytes text = mlt_json_string(json, mlt_json_get(json, 0, name), arena);
    return text.ptr && mlt_text_copy(out, cap, text);
}

static bool take_number(uint64_t *out, const struct mlt_json *json, const char *name) {
    return mlt_json_u64(json, mlt_json_get(json, 0, name), out);
}

static bool take_time(char out[static MLT_SPOOL_TIME_LEN], const struct mlt_json *json, const char *name,
                      struct mlt_arena *arena) {
    int64_t ns;
    return take_text(out, MLT_SPOOL_TIME_LEN, json, name, arena) && mlt_time_parse(&ns, mlt_str(out));
}

static bool read_members(struct mlt_spool_header *h, const struct mlt_json *json, struct mlt_arena *arena) {
    uint64_t segment;
    char name[MLT_SPOOL_STREAM_LEN + 16];
    bool good = take_text(h->stream, sizeof h->stream, json, "stream", arena) &&
                take_text(h->serving_node, sizeof h->serving_node, json, "serving_node", arena) &&
                take_number(&h->segment, json, "segment") && take_number(&h->first_frame, json, "first_frame") &&
                take_time(h->created, json, "created", arena);
    if (!good || h->first_frame == 0 || h->segment == 0 || h->segment > MLT_SPOOL_SEGMENT_MAX) {
        return false;
    }
    if (!take_time(h->started, json, "started", arena)) {
        memcpy(h->started, h->created, sizeof h->started);
    }
    if (!take_number(&h->sequence, json, "sequence")) {
        h->sequence = 0;
    }
    if (!take_number(&h->lost, json, "lost")) {
        h->lost = 0;
    }
    char stream[MLT_SPOOL_STREAM_LEN];
    (void)snprintf(name, sizeof name, "%s.lock", h->stream);
    return mlt_spool_name_read(name, stream, &segment) == MLT_SPOOL_LOCK;
}

// Does the text end within the two lines, as far as can be seen?
static bool ends_within(struct mlt_bytes text) {
    size_t magic = strlen(MAGIC "\n");
    size_t len = text.len < magic ? text.len : magic;
    if (text.len >= MLT_SPOOL_HEADER_MAX || (len > 0 && memcmp(text.ptr, MAGIC "\n", len) != 0)) {
        return false;
    }
    return text.len <= magic || !memchr(text.ptr + magic, '\n', text.len - magic);
}

enum mlt_status mlt_spool_header_read(struct mlt_spool_header *out, size_t *len, struct mlt_bytes text,
                                      struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    *out = (struct mlt_spool_header){0};
    *len = 0;
    struct mlt_cursor c =
        mlt_cursor_of(mlt_bytes_of(text.ptr, text.len < MLT_SPOOL_HEADER_MAX ? text.len : MLT_SPOOL_HEADER_MAX));
    if (ends_within(text)) {
        return mlt_fail(err, MLT_NOTFOUND, "the segment ends within its head");
    }
    struct mlt_bytes magic = mlt_cursor_line(&c);
    struct mlt_bytes line = mlt_cursor_line(&c);
    if (c.failed || !mlt_bytes_is(magic, MAGIC)) {
        return mlt_fail(err, MLT_INVALID, "a segment begins with \"" MAGIC "\" and a line of JSON");
    }
    enum mlt_status status = mlt_json_scan(&json, line, err);
    if (status == MLT_OK && !read_members(out, &json, &arena)) {
        status =
            mlt_fail(err, MLT_INVALID, "a segment's head has stream, serving_node, segment, first_frame and created");
    }
    *len = (size_t)(c.at - text.ptr);
    mlt_arena_clear(&arena);
    mlt_json_clear(&json);
    return status == MLT_LIMIT ? MLT_INVALID : status;
}

// -- .ack -------------------------------------------------------------------------------------------------------------

void mlt_spool_ack_put(struct mlt_buf *out, const struct mlt_spool_place *place) {
    mlt_buf_put_u64_decimal(out, place->segment);
    mlt_buf_put_u8(out, ' ');
    mlt_buf_put_u64_decimal(out, place->offset);
    mlt_buf_put_u8(out, ' ');
    mlt_buf_put_u64_decimal(out, place->frame);
    mlt_buf_put_u8(out, '\n');
}

static bool take_decimal(uint64_t *out, struct mlt_bytes *rest, char end) {
    const uint8_t *stop = rest->len > 0 ? memchr(rest->ptr, end, rest->len) : NULL;
    if (!stop) {
        return false;
    }
    size_t len = (size_t)(stop - rest->ptr);
    struct mlt_bytes digits = mlt_bytes_of(rest->ptr, len);
    *rest = mlt_bytes_of(stop + 1, rest->len - len - 1);
    return mlt_decimal_decode(out, digits);
}

bool mlt_spool_ack_read(struct mlt_spool_place *out, struct mlt_bytes text) {
    struct mlt_bytes rest = text;
    struct mlt_spool_place p = {0};
    *out = p;
    if (!take_decimal(&p.segment, &rest, ' ') || !take_decimal(&p.offset, &rest, ' ') ||
        !take_decimal(&p.frame, &rest, '\n') || rest.len != 0 || p.segment == 0 || p.segment > MLT_SPOOL_SEGMENT_MAX ||
        p.frame == 0) {
        return false;
    }
    *out = p;
    return true;
}

// -- names ------------------------------------------------------------------------------------------------------------

// stream_len is the length of "<pid>-<12 hex>" at the beginning of a name; 0 when there is none.
static size_t stream_len(const char *name) {
    size_t pid = strspn(name, "0123456789");
    if (pid == 0 || pid > PID_DIGITS_MAX || name[pid] != '-' ||
        strspn(name + pid + 1, "0123456789abcdef") != RANDOM_DIGITS) {
        return 0;
    }
    return pid + 1 + RANDOM_DIGITS;
}

static bool is_segment(const char *suffix, uint64_t *segment) {
    if (suffix[0] != '.' || strspn(suffix + 1, "0123456789") != SEGMENT_DIGITS ||
        strcmp(suffix + 1 + SEGMENT_DIGITS, ".seg") != 0) {
        return false;
    }
    *segment = strtoull(suffix + 1, NULL, 10);
    return *segment > 0;
}

enum mlt_spool_file mlt_spool_name_read(const char *name, char stream[static MLT_SPOOL_STREAM_LEN], uint64_t *segment) {
    size_t len = stream_len(name);
    stream[0] = '\0';
    *segment = 0;
    if (len == 0) {
        return MLT_SPOOL_OTHER;
    }
    memcpy(stream, name, len);
    stream[len] = '\0';
    return strcmp(name + len, ".lock") == 0  ? MLT_SPOOL_LOCK
           : strcmp(name + len, ".ack") == 0 ? MLT_SPOOL_ACK
           : is_segment(name + len, segment) ? MLT_SPOOL_SEGMENT
                                             : MLT_SPOOL_OTHER;
}

const char *mlt_spool_path(struct mlt_buf *out, const char *dir, const char *stream, const char *suffix) {
    mlt_buf_reset(out);
    mlt_buf_printf(out, "%s/%s%s", dir, stream, suffix);
    return mlt_buf_cstr(out);
}

const char *mlt_spool_segment_path(struct mlt_buf *out, const char *dir, const char *stream, uint64_t segment) {
    mlt_buf_reset(out);
    mlt_buf_printf(out, "%s/%s.%08llu.seg", dir, stream, (unsigned long long)segment);
    return mlt_buf_cstr(out);
}

struct listing {
    const char *stream;
    uint64_t *segments;
    size_t num, cap;
    bool failed, too_many;
};

static bool note_segment(void *arg, const char *name) {
    struct listing *l = arg;
    char stream[MLT_SPOOL_STREAM_LEN];
    uint64_t segment;
    if (mlt_spool_name_read(name, stream, &segment) != MLT_SPOOL_SEGMENT || strcmp(stream, l->stream) != 0) {
        return true;
    }
    if (l->num == MLT_SPOOL_SEGMENTS_MAX) {
        l->too_many = true;
        return false;
    }
    if (l->num == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : FIRST_SEGMENTS;
        uint64_t *more = realloc(l->segments, cap * sizeof(*more));
        if (!more) {
            l->failed = true;
            return false;
        }
        l->segments = more;
        l->cap = cap;
    }
    l->segments[l->num++] = segment;
    return true;
}

static int by_number(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum mlt_status mlt_spool_segments(struct mlt_env *env, const char *dir, const char *stream, uint64_t **out,
                                   size_t *num, struct mlt_error *err) {
    struct listing l = {.stream = stream};
    *out = NULL;
    *num = 0;
    enum mlt_status status = env->list(env, dir, note_segment, &l, err);
    if (status == MLT_OK && l.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory to list %s", dir);
    } else if (status == MLT_OK && l.too_many) {
        status = mlt_fail(err, MLT_LIMIT, "%s has more than %d segments of one stream", dir, MLT_SPOOL_SEGMENTS_MAX);
    }
    if (status != MLT_OK) {
        free(l.segments);
        return status;
    }
    if (l.num > 1) {
        qsort(l.segments, l.num, sizeof(*l.segments), by_number);
    }
    *out = l.segments;
    *num = l.num;
    return MLT_OK;
}
