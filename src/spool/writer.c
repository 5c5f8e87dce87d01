#include "spool/writer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/wait.h"
#include "spool/spool_tally.h"

#define NAME_TRIES 8         // a name that is taken is one in 2^48; one that an adopter looked at is nearly as rare
#define SEGMENTS_OF_LIMIT 4  // under a small limit segments are smaller, so that space comes back in parts
#define NUMBER_DIGITS_MAX 20 // of a u64
#define KEPT_BUFFER_MAX ((size_t)1 << 20)

struct mlt_spool_writer {
    struct mlt_env *env;
    char *dir;
    char stream[MLT_SPOOL_STREAM_LEN];
    char node[MLT_SPOOL_NODE_LEN];
    char started[MLT_SPOOL_TIME_LEN];
    struct mlt_file *lock_file;
    uint64_t bytes_max, segment_max;

    pthread_mutex_t lock;  // guards all that follows
    pthread_cond_t synced; // `syncing` has ended
    bool syncing;          // somebody syncs `file` without the lock: it stays open, and its segment the current one
    struct mlt_file *file; // NULL: the next put makes a segment
    uint64_t segment;      // its number
    uint64_t len;          // bytes of it that are good
    uint64_t safe;         // of these, a power loss leaves
    struct mlt_buf unsafe; // the bytes from `safe` to `len`
    bool sync_failed;      // nothing more is written before the segment was written again
    uint64_t begins;       // the number of its first frame
    uint64_t frame;        // the next one
    uint64_t sequence;     // the last one taken
    uint64_t lost;
    uint64_t bytes;  // of all segments
    uint64_t first;  // the lowest segment that is there
    uint64_t *sizes; // of the segments from `first` to `segment`, the last one as of its making
    size_t sizes_cap;
    bool tail_unknown; // a write failed: what is behind `len` has to be cut off first
    bool ended;
    struct mlt_buf body, path;
};

// -- segments ---------------------------------------------------------------------------------------------------------

static void now_text(struct mlt_env *env, char out[static MLT_SPOOL_TIME_LEN]) {
    mlt_time_format(out, env->now(env));
}

static void put_header(const struct mlt_spool_writer *w, struct mlt_buf *out) {
    struct mlt_spool_header h = {
        .segment = w->segment + 1, .first_frame = w->frame, .sequence = w->sequence, .lost = w->lost};
    memcpy(h.stream, w->stream, sizeof h.stream);
    memcpy(h.serving_node, w->node, sizeof h.serving_node);
    memcpy(h.started, w->started, sizeof h.started);
    now_text(w->env, h.created);
    mlt_spool_header_put(out, &h);
}

static enum mlt_status reserve_size(struct mlt_spool_writer *w, struct mlt_error *err) {
    size_t num = (size_t)(w->segment - w->first + 2);
    if (num > MLT_SPOOL_SEGMENTS_MAX) {
        return mlt_fail(err, MLT_NOSPACE, "the spool has %d segments of this stream", MLT_SPOOL_SEGMENTS_MAX);
    }
    if (num > w->sizes_cap) {
        size_t cap = num * 2;
        uint64_t *more = realloc(w->sizes, cap * sizeof(*more));
        if (!more) {
            return mlt_fail(err, MLT_NOMEM, "no memory for a spool");
        }
        w->sizes = more;
        w->sizes_cap = cap;
    }
    return MLT_OK;
}

// The file is there, with its header and its name durable, or is gone again.
static enum mlt_status make_segment(struct mlt_spool_writer *w, struct mlt_file **out, struct mlt_bytes header,
                                    struct mlt_error *err) {
    struct mlt_env *env = w->env;
    const unsigned flags = MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE | MLT_OPEN_PRIVATE;
    const char *path = mlt_spool_segment_path(&w->path, w->dir, w->stream, w->segment + 1);
    if (!path) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    }
    enum mlt_status status = env->open(env, out, path, flags, err);
    if (status == MLT_CONFLICT) { // left by an attempt whose outcome was unknown
        status = env->unlink(env, path, err);
        status = status == MLT_OK ? env->open(env, out, path, flags, err) : status;
    }
    if (status != MLT_OK) {
        return status;
    }
    status = env->write(env, *out, header.ptr, header.len, 0, err);
    status = status == MLT_OK ? env->sync_dir(env, w->dir, err) : status;
    if (status != MLT_OK) {
        env->close(env, *out);
        *out = NULL;
        (void)env->unlink(env, path, NULL);
    }
    return status;
}

static void close_segment(struct mlt_spool_writer *w) {
    w->sizes[w->segment - w->first] = w->len;
    w->env->close(w->env, w->file);
    w->file = NULL;
}

static void note_safe(struct mlt_spool_writer *w, uint64_t len) {
    size_t num = (size_t)(len - w->safe);
    assert(num <= w->unsafe.len);
    w->safe = len;
    w->unsafe.len -= num;
    if (w->unsafe.len > 0) {
        memmove(w->unsafe.data, w->unsafe.data + num, w->unsafe.len);
    } else if (w->unsafe.cap > KEPT_BUFFER_MAX) {
        mlt_buf_clear(&w->unsafe);
    }
}

// A sync that failed may have lost what it had to write, and the system says so once: the next one would succeed
// without it. So the segment is written again as another file under its name, from what is safe on disk and what was
// kept here. Frames stay where they were: readers and .ack notice nothing.
static enum mlt_status write_again(struct mlt_spool_writer *w, struct mlt_error *err) {
    struct mlt_env *env = w->env;
    struct mlt_buf whole = {0};
    size_t got = 0;
    const char *path = mlt_spool_segment_path(&w->path, w->dir, w->stream, w->segment);
    enum mlt_status status = path && mlt_buf_reserve(&whole, (size_t)w->len)
                                 ? env->read(env, w->file, whole.data, (size_t)w->safe, 0, &got, err)
                                 : mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    if (status == MLT_OK && got < w->safe) {
        status = mlt_fail(err, MLT_IO, "a segment of %s is shorter than it was", w->stream);
    }
    if (status == MLT_OK) {
        whole.len = got;
        mlt_buf_put_bytes(&whole, mlt_buf_bytes(&w->unsafe));
        status = mlt_env_replace_file(env, path, mlt_buf_bytes(&whole), true, err);
    }
    mlt_buf_clear(&whole);
    if (status != MLT_OK) {
        return status;
    }
    close_segment(w);
    note_safe(w, w->len);
    w->sync_failed = w->tail_unknown = false;
    if (env->open(env, &w->file, path, MLT_OPEN_WRITE, NULL) != MLT_OK) {
        w->file = NULL; // what comes goes into the next one
    }
    mlt_error_clear(err);
    return MLT_OK;
}

// With the lock held throughout, unlike mlt_spool_writer_sync.
static enum mlt_status sync_held(struct mlt_spool_writer *w, struct mlt_error *err) {
    assert(!w->syncing);
    if (w->unsafe.len > 0 && !w->sync_failed) {
        w->sync_failed = w->env->sync(w->env, w->file, err) != MLT_OK;
        if (!w->sync_failed) {
            note_safe(w, w->len);
        }
    }
    return w->sync_failed ? write_again(w, err) : MLT_OK;
}

// What was put is safe in this segment, before the next one is made.
static enum mlt_status leave_segment(struct mlt_spool_writer *w, struct mlt_error *err) {
    enum mlt_status status = sync_held(w, err);
    if (status == MLT_OK && w->file) {
        close_segment(w);
    }
    return status;
}

static enum mlt_status next_segment(struct mlt_spool_writer *w, struct mlt_error *err) {
    struct mlt_buf header = {0};
    struct mlt_file *file = NULL;
    put_header(w, &header);
    if (header.failed) {
        mlt_buf_clear(&header);
        return mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    }
    enum mlt_status status = reserve_size(w, err);
    if (status == MLT_OK && w->bytes + header.len > w->bytes_max) {
        status = mlt_fail(err, MLT_NOSPACE, "the spool is full");
    }
    status = status == MLT_OK ? leave_segment(w, err) : status;
    if (status == MLT_OK && !mlt_buf_reserve(&w->unsafe, header.len)) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    }
    status = status == MLT_OK ? make_segment(w, &file, mlt_buf_bytes(&header), err) : status;
    if (status == MLT_OK) {
        mlt_buf_put_bytes(&w->unsafe, mlt_buf_bytes(&header));
        w->safe = 0;
        w->file = file;
        w->segment++;
        w->len = header.len;
        w->bytes += header.len;
        w->begins = w->frame;
    }
    mlt_buf_clear(&header);
    return status;
}

// -- putting ----------------------------------------------------------------------------------------------------------

// After a write that failed nobody knows what stands behind the good part.
static enum mlt_status cut_tail(struct mlt_spool_writer *w, struct mlt_error *err) {
    if (!w->tail_unknown || !w->file) {
        return MLT_OK;
    }
    enum mlt_status status = w->env->truncate(w->env, w->file, w->len, err);
    w->tail_unknown = status != MLT_OK;
    return status;
}

static bool needs_segment(const struct mlt_spool_writer *w, uint64_t len) {
    return !w->file || (w->frame > w->begins && w->len + len > w->segment_max);
}

static enum mlt_status make_room(struct mlt_spool_writer *w, size_t len, struct mlt_error *err) {
    enum mlt_status status = w->sync_failed ? write_again(w, err) : cut_tail(w, err);
    if (status == MLT_OK && needs_segment(w, len)) {
        status = next_segment(w, err);
    }
    if (status == MLT_OK && w->bytes + len > w->bytes_max) {
        status = mlt_fail(err, MLT_NOSPACE, "the spool is full: %llu of %llu bytes", (unsigned long long)w->bytes,
                          (unsigned long long)w->bytes_max);
    }
    if (status == MLT_OK && !mlt_buf_reserve(&w->unsafe, len)) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    }
    return status;
}

// What an item takes in a segment, at most.
static uint64_t most_of(const struct mlt_spool_item *items, size_t num) {
    uint64_t most = 0;
    for (size_t i = 0; i < num; i++) {
        most += MLT_FRAME_HEAD_LEN + items[i].before.len + items[i].after.len + NUMBER_DIGITS_MAX;
    }
    return most;
}

// Appends a frame to what is written at once.
static enum mlt_status build(struct mlt_spool_writer *w, const struct mlt_spool_item *item, uint64_t frame,
                             uint64_t sequence, struct mlt_error *err) {
    static const uint8_t head[MLT_FRAME_HEAD_LEN];
    struct mlt_buf *b = &w->body;
    size_t begin = b->len;
    if (item->before.len + item->after.len + NUMBER_DIGITS_MAX > MLT_FRAME_BODY_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a record or request of %zu bytes; at most %zu are taken",
                        item->before.len + item->after.len, MLT_FRAME_BODY_MAX - NUMBER_DIGITS_MAX);
    }
    mlt_buf_put(b, head, sizeof head);
    mlt_buf_put_bytes(b, item->before);
    if (item->number != MLT_SPOOL_NO_NUMBER) {
        mlt_buf_put_u64_decimal(b, item->number == MLT_SPOOL_SEQUENCE ? sequence : frame);
    }
    mlt_buf_put_bytes(b, item->after);
    if (b->failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a frame");
    }
    size_t body = begin + MLT_FRAME_HEAD_LEN;
    mlt_frame_put_head(b->data + begin, frame, item->type, mlt_bytes_of(b->data + body, b->len - body));
    return MLT_OK;
}

static enum mlt_status put_locked(struct mlt_spool_writer *w, const struct mlt_spool_item *items, size_t num,
                                  struct mlt_spool_put *out, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    uint64_t sequence = w->sequence;
    mlt_buf_reset(&w->body);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        sequence += items[i].number == MLT_SPOOL_SEQUENCE;
        status = build(w, &items[i], w->frame + i, sequence, err);
    }
    status = status == MLT_OK ? make_room(w, w->body.len, err) : status;
    if (status != MLT_OK) {
        return status;
    }
    status = w->env->write(w->env, w->file, w->body.data, w->body.len, w->len, err);
    if (status != MLT_OK) {
        w->tail_unknown = status != MLT_NOSPACE;
        return status;
    }
    out->frame = w->frame;
    out->sequence = items[0].number == MLT_SPOOL_SEQUENCE ? w->sequence + 1 : 0;
    w->frame += num;
    w->sequence = sequence;
    w->len += w->body.len;
    w->bytes += w->body.len;
    mlt_buf_put_bytes(&w->unsafe, mlt_buf_bytes(&w->body));
    if (w->body.cap > KEPT_BUFFER_MAX) {
        mlt_buf_clear(&w->body);
    }
    return MLT_OK;
}

static void await_sync(struct mlt_spool_writer *w) {
    (void)mlt_wait_until(&w->synced, &w->lock, INT64_MAX);
}

enum mlt_status mlt_spool_writer_put_all(struct mlt_spool_writer *w, const struct mlt_spool_item *items, size_t num,
                                         struct mlt_spool_put *out, struct mlt_error *err) {
    uint64_t most = most_of(items, num);
    *out = (struct mlt_spool_put){0};
    assert(num > 0);
    if (num > 1 && most > MLT_FRAME_BODY_MAX) { // a segment is no longer than one frame makes it
        return mlt_fail(err, MLT_LIMIT, "%zu records of %llu bytes together; at most %zu are taken at once", num,
                        (unsigned long long)most, MLT_FRAME_BODY_MAX);
    }
    pthread_mutex_lock(&w->lock);
    while (w->syncing && needs_segment(w, most)) {
        await_sync(w);
    }
    enum mlt_status status = w->ended ? mlt_fail(err, MLT_CONFLICT, "the stream has ended; its final count is recorded")
                                      : put_locked(w, items, num, out, err);
    pthread_mutex_unlock(&w->lock);
    return status;
}

enum mlt_status mlt_spool_writer_put(struct mlt_spool_writer *w, const struct mlt_spool_item *item,
                                     struct mlt_spool_put *out, struct mlt_error *err) {
    return mlt_spool_writer_put_all(w, item, 1, out, err);
}

uint64_t mlt_spool_writer_drop(struct mlt_spool_writer *w) {
    pthread_mutex_lock(&w->lock);
    uint64_t sequence = ++w->sequence;
    w->lost++;
    pthread_mutex_unlock(&w->lock);
    return sequence;
}

static enum mlt_status put_tally(struct mlt_spool_writer *w, struct mlt_error *err) {
    struct mlt_buf tally = {0};
    struct mlt_spool_put put;
    char to[MLT_SPOOL_TIME_LEN];
    now_text(w->env, to);
    mlt_spool_tally_put(&tally, &(struct mlt_spool_tally){.stream = w->stream,
                                                          .serving_node = w->node,
                                                          .from = w->started,
                                                          .to = to,
                                                          .count = w->sequence,
                                                          .lost = w->lost});
    uint64_t limit = w->bytes_max;
    w->bytes_max += MLT_SPOOL_HEADER_MAX + tally.len + MLT_FRAME_HEAD_LEN; // the count of a full spool still goes in
    enum mlt_status status =
        tally.failed
            ? mlt_fail(err, MLT_NOMEM, "no memory for a tally")
            : put_locked(w, &(struct mlt_spool_item){MLT_FRAME_RECORD, mlt_buf_bytes(&tally), 0, {0}}, 1, &put, err);
    w->bytes_max = limit;
    mlt_buf_clear(&tally);
    return status;
}

// A stream that has ended is the courier's, who may free it as soon as the lock is given back: that is the last thing.
enum mlt_status mlt_spool_writer_end(struct mlt_spool_writer *w, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    pthread_mutex_lock(&w->lock);
    while (w->syncing) {
        await_sync(w);
    }
    if (!w->ended && w->sequence > 0) {
        status = put_tally(w, err);
    }
    status = status == MLT_OK ? sync_held(w, err) : status;
    w->ended = w->ended || status == MLT_OK;
    pthread_mutex_unlock(&w->lock);
    return status;
}

// -- durability -------------------------------------------------------------------------------------------------------

enum mlt_status mlt_spool_writer_sync(struct mlt_spool_writer *w, struct mlt_error *err) {
    pthread_mutex_lock(&w->lock);
    while (w->syncing) {
        await_sync(w); // it may have begun before what is to be synced here was put
    }
    if (w->unsafe.len > 0 && !w->sync_failed) {
        uint64_t len = w->len;
        w->syncing = true;
        pthread_mutex_unlock(&w->lock);
        enum mlt_status status = w->env->sync(w->env, w->file, err);
        pthread_mutex_lock(&w->lock);
        w->syncing = false;
        pthread_cond_broadcast(&w->synced);
        w->sync_failed = status != MLT_OK;
        if (status == MLT_OK) {
            note_safe(w, len);
        }
    }
    enum mlt_status status = w->sync_failed ? write_again(w, err) : MLT_OK;
    pthread_mutex_unlock(&w->lock);
    return status;
}

// -- what the server has ----------------------------------------------------------------------------------------------

struct mlt_spool_place mlt_spool_writer_place(struct mlt_spool_writer *w) {
    pthread_mutex_lock(&w->lock);
    const struct mlt_spool_place place = {w->segment, w->len, w->frame};
    pthread_mutex_unlock(&w->lock);
    return place;
}

enum mlt_status mlt_spool_writer_acked(struct mlt_spool_writer *w, const struct mlt_spool_place *place,
                                       struct mlt_error *err) {
    struct mlt_buf line = {0};
    struct mlt_buf path = {0};
    mlt_spool_ack_put(&line, place);
    const char *name = mlt_spool_path(&path, w->dir, w->stream, ".ack");
    enum mlt_status status = name && !line.failed ? mlt_env_replace_file(w->env, name, mlt_buf_bytes(&line), true, err)
                                                  : mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    mlt_buf_clear(&line);
    status = status == MLT_NOSPACE ? MLT_OK : status; // the segments that go make space for it
    while (status == MLT_OK) {
        pthread_mutex_lock(&w->lock);
        uint64_t segment = w->first;
        bool done = segment < place->segment && segment < w->segment;
        pthread_mutex_unlock(&w->lock);
        name = done ? mlt_spool_segment_path(&path, w->dir, w->stream, segment) : NULL;
        if (!name) {
            break;
        }
        status = w->env->unlink(w->env, name, err);
        status = status == MLT_NOTFOUND ? MLT_OK : status;
        if (status == MLT_OK) {
            pthread_mutex_lock(&w->lock);
            w->bytes -= w->sizes[0];
            memmove(w->sizes, w->sizes + 1, (size_t)(w->segment - w->first) * sizeof(*w->sizes));
            w->first++;
            pthread_mutex_unlock(&w->lock);
        }
    }
    mlt_buf_clear(&path);
    return status;
}

static bool remove_segments(struct mlt_spool_writer *w, struct mlt_buf *path) {
    for (uint64_t segment = w->first; segment <= w->segment; segment++) {
        const char *name = mlt_spool_segment_path(path, w->dir, w->stream, segment);
        if (!name || w->env->unlink(w->env, name, NULL) != MLT_OK) {
            return false; // the rest is adopted, and known to be at the server by its .ack
        }
    }
    return w->env->sync_dir(w->env, w->dir, NULL) == MLT_OK; // before .ack goes: see mlt_orphan_remove
}

void mlt_spool_writer_remove(struct mlt_spool_writer *w) {
    static const char *const rest[] = {".ack", ".lock"};
    struct mlt_buf path = {0};
    bool removed = remove_segments(w, &path);
    for (size_t i = 0; removed && i < sizeof rest / sizeof *rest; i++) {
        const char *name = mlt_spool_path(&path, w->dir, w->stream, rest[i]);
        if (name) {
            (void)w->env->unlink(w->env, name, NULL);
        }
    }
    mlt_buf_clear(&path);
    mlt_spool_writer_free(w);
}

// -- open and close ---------------------------------------------------------------------------------------------------

static enum mlt_status choose_name(struct mlt_spool_writer *w, struct mlt_error *err) {
    uint8_t random[6];
    char hex[sizeof random * 2 + 1];
    enum mlt_status status = w->env->random(w->env, random, sizeof random, err);
    mlt_hex_encode(hex, mlt_bytes_of(random, sizeof random));
    (void)snprintf(w->stream, sizeof w->stream, "%ld-%s", (long)getpid(), hex);
    return status;
}

static enum mlt_status lock_stream(struct mlt_spool_writer *w, struct mlt_file **out, struct mlt_error *err) {
    const char *path = mlt_spool_path(&w->path, w->dir, w->stream, ".lock");
    return path ? w->env->lock(w->env, out, path, err) : mlt_fail(err, MLT_NOMEM, "no memory for a spool");
}

// Whoever looks for dead streams may have had the file for a moment, and removed it: the name must lead to our lock.
static enum mlt_status begin_stream(struct mlt_spool_writer *w, struct mlt_error *err) {
    struct mlt_file *again = NULL;
    enum mlt_status status = choose_name(w, err);
    status = status == MLT_OK ? lock_stream(w, &w->lock_file, err) : status;
    status = status == MLT_OK ? next_segment(w, err) : status;
    if (status != MLT_OK) {
        return status;
    }
    status = lock_stream(w, &again, err);
    if (status == MLT_OK) {
        w->env->close(w->env, again);
        return mlt_fail(err, MLT_BUSY, "the lock of a new stream was removed");
    }
    return status == MLT_BUSY ? MLT_OK : status;
}

static void undo_stream(struct mlt_spool_writer *w) {
    struct mlt_env *env = w->env;
    const char *path = w->segment > 0 ? mlt_spool_segment_path(&w->path, w->dir, w->stream, w->segment) : NULL;
    if (path) {
        (void)env->unlink(env, path, NULL);
    }
    if (w->file) {
        env->close(env, w->file);
    }
    if (w->lock_file) {
        path = mlt_spool_path(&w->path, w->dir, w->stream, ".lock");
        (void)(path && env->unlink(env, path, NULL) == MLT_OK);
        env->close(env, w->lock_file);
    }
    w->file = w->lock_file = NULL;
    mlt_buf_reset(&w->unsafe);
    w->segment = w->len = w->safe = w->bytes = 0;
    w->first = w->frame = 1;
}

static enum mlt_status check_options(const struct mlt_spool_options *opt, struct mlt_error *err) {
    size_t len = opt->serving_node ? strlen(opt->serving_node) : 0;
    if (len == 0 || len >= MLT_SPOOL_NODE_LEN || !mlt_utf8_valid(mlt_str(opt->serving_node))) {
        return mlt_fail(err, MLT_INVALID, "a serving node has a name of 1 to %d bytes of UTF-8",
                        MLT_SPOOL_NODE_LEN - 1);
    }
    if (opt->bytes_max != 0 && opt->bytes_max < MLT_SPOOL_BYTES_MIN) {
        return mlt_fail(err, MLT_INVALID, "a spool of %llu bytes is too small; %llu or more would be right",
                        (unsigned long long)opt->bytes_max, (unsigned long long)MLT_SPOOL_BYTES_MIN);
    }
    return MLT_OK;
}

enum mlt_status mlt_spool_writer_open(struct mlt_spool_writer **out, struct mlt_env *env,
                                      const struct mlt_spool_options *opt, struct mlt_error *err) {
    *out = NULL;
    enum mlt_status status = check_options(opt, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_spool_writer *w = calloc(1, sizeof *w);
    char *dir = strdup(opt->dir);
    bool locks = w && dir && pthread_mutex_init(&w->lock, NULL) == 0;
    if (locks && !mlt_wait_init(&w->synced)) {
        pthread_mutex_destroy(&w->lock);
        locks = false;
    }
    if (!locks) {
        free(dir);
        free(w);
        return mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    }
    w->env = env;
    w->dir = dir;
    w->bytes_max = opt->bytes_max ? opt->bytes_max : MLT_SPOOL_BYTES_DEFAULT;
    w->segment_max = w->bytes_max / SEGMENTS_OF_LIMIT < MLT_SPOOL_SEGMENT_LEN_MAX ? w->bytes_max / SEGMENTS_OF_LIMIT
                                                                                  : MLT_SPOOL_SEGMENT_LEN_MAX;
    w->first = w->frame = 1;
    memcpy(w->node, opt->serving_node, strlen(opt->serving_node) + 1);
    now_text(env, w->started);
    status = mlt_env_make_dir(env, dir, true, err);
    for (unsigned tries = 0; status == MLT_OK || (status == MLT_BUSY && tries < NAME_TRIES); tries++) {
        status = begin_stream(w, err);
        if (status == MLT_OK) {
            *out = w;
            mlt_error_clear(err);
            return MLT_OK;
        }
        undo_stream(w);
    }
    mlt_spool_writer_free(w);
    return mlt_context(err, status, "begin a stream in %s", opt->dir);
}

void mlt_spool_writer_free(struct mlt_spool_writer *w) {
    if (!w) {
        return;
    }
    if (w->file) {
        w->env->close(w->env, w->file);
    }
    if (w->lock_file) {
        w->env->close(w->env, w->lock_file);
    }
    pthread_cond_destroy(&w->synced);
    pthread_mutex_destroy(&w->lock);
    mlt_buf_clear(&w->unsafe);
    mlt_buf_clear(&w->body);
    mlt_buf_clear(&w->path);
    free(w->sizes);
    free(w->dir);
    free(w);
}

void mlt_spool_writer_forget(struct mlt_spool_writer *w) {
    if (w && w->lock_file) {
        w->env->close(w->env, w->lock_file);
        w->lock_file = NULL;
    }
}

const char *mlt_spool_writer_stream(const struct mlt_spool_writer *w) {
    return w->stream;
}

const char *mlt_spool_writer_dir(const struct mlt_spool_writer *w) {
    return w->dir;
}

const char *mlt_spool_writer_started(const struct mlt_spool_writer *w) {
    return w->started;
}

uint64_t mlt_spool_writer_bytes(struct mlt_spool_writer *w) {
    pthread_mutex_lock(&w->lock);
    uint64_t bytes = w->bytes;
    pthread_mutex_unlock(&w->lock);
    return bytes;
}

bool mlt_spool_writer_room(struct mlt_spool_writer *w, uint64_t len, uint64_t num) {
    pthread_mutex_lock(&w->lock);
    uint64_t heads = (len / w->segment_max + 2) * MLT_SPOOL_HEADER_MAX;
    bool room = w->bytes + len + num * (MLT_FRAME_HEAD_LEN + NUMBER_DIGITS_MAX) + heads <= w->bytes_max;
    pthread_mutex_unlock(&w->lock);
    return room;
}

uint64_t mlt_spool_writer_sequence(struct mlt_spool_writer *w) {
    pthread_mutex_lock(&w->lock);
    uint64_t sequence = w->sequence;
    pthread_mutex_unlock(&w->lock);
    return sequence;
}

uint64_t mlt_spool_writer_lost(struct mlt_spool_writer *w) {
    pthread_mutex_lock(&w->lock);
    uint64_t lost = w->lost;
    pthread_mutex_unlock(&w->lock);
    return lost;
}

bool mlt_spool_writer_ended(struct mlt_spool_writer *w) {
    pthread_mutex_lock(&w->lock);
    bool ended = w->ended;
    pthread_mutex_unlock(&w->lock);
    return ended;
}
