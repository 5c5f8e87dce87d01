#include "spool/reader.h"

#include <stdio.h>

#define CHUNK_LEN ((size_t)1024 * 1024) // read at once: some thousand predictions
#define KEPT_CHUNK_MAX (4 * CHUNK_LEN)  // one huge frame must not pin its memory

struct reading {
    struct mlt_spool_reader *r;
    struct mlt_file *file;
    struct mlt_spool_place *place;
    uint64_t end; // of what is to be read of this file
    bool last;
    enum mlt_spool_found *found;
    struct mlt_spool_damage *damage;
    struct mlt_error *err;
};

void mlt_spool_reader_clear(struct mlt_spool_reader *r) {
    mlt_buf_clear(&r->chunk);
    mlt_buf_clear(&r->path);
}

static enum mlt_status tell_damage(struct reading *g, const char *why) {
    *g->damage = (struct mlt_spool_damage){.segment = g->place->segment, .offset = g->place->offset};
    (void)snprintf(g->damage->why, sizeof g->damage->why, "%s", why);
    *g->found = MLT_SPOOL_FOUND_DAMAGE;
    g->place->segment++;
    g->place->offset = 0;
    return MLT_OK;
}

// load reads `len` bytes from the place on into the chunk, or as many as there are up to the end.
static enum mlt_status load(struct reading *g, uint64_t len) {
    struct mlt_spool_reader *r = g->r;
    uint64_t left = g->end - g->place->offset;
    size_t want = (size_t)(len < left ? len : left);
    size_t got = 0;
    mlt_buf_reset(&r->chunk);
    if (want > MLT_SPOOL_FILE_MAX) {
        return mlt_fail(g->err, MLT_LIMIT, "a segment of %s is longer than any of ours", r->stream);
    }
    if (!mlt_buf_reserve(&r->chunk, want + 1)) {
        return mlt_fail(g->err, MLT_NOMEM, "no memory to read a spool");
    }
    enum mlt_status status = r->env->read(r->env, g->file, r->chunk.data, want, g->place->offset, &got, g->err);
    r->chunk.len = got;
    return status;
}

static enum mlt_status read_header(struct reading *g) {
    struct mlt_spool_header header;
    size_t len;
    struct mlt_error why = {0};
    enum mlt_status status = load(g, MLT_SPOOL_HEADER_MAX);
    if (status != MLT_OK) {
        return status;
    }
    status = mlt_spool_header_read(&header, &len, mlt_buf_bytes(&g->r->chunk), &why);
    if (status == MLT_NOTFOUND && g->last) {
        *g->found = MLT_SPOOL_FOUND_NOTHING;
        return MLT_OK;
    }
    if (status == MLT_NOMEM) {
        return mlt_fail(g->err, MLT_NOMEM, "no memory to read a spool");
    }
    if (status != MLT_OK || strcmp(header.stream, g->r->stream) != 0 || header.segment != g->place->segment) {
        return tell_damage(g, status != MLT_OK ? why.text : "the head is that of another segment");
    }
    g->place->offset = len;
    g->place->frame = header.first_frame;
    return MLT_OK;
}

// What a crash leaves at the end of the last segment, as opposed to bytes that were changed.
static enum mlt_status is_torn(struct reading *g, enum mlt_frame_found what, size_t need, bool *torn) {
    struct mlt_frame behind;
    size_t at;
    *torn = g->last && what == MLT_FRAME_BAD && g->place->offset + need == g->end;
    if (!g->last || what == MLT_FRAME_BAD) {
        return MLT_OK;
    }
    enum mlt_status status = load(g, UINT64_MAX);
    *torn = status == MLT_OK && !mlt_frame_find(&behind, &at, mlt_buf_bytes(&g->r->chunk), 0, g->place->frame + 1);
    return status;
}

static enum mlt_status stop_at_fault(struct reading *g, enum mlt_frame_found what, size_t need) {
    bool torn;
    enum mlt_status status = is_torn(g, what, need, &torn);
    if (status != MLT_OK) {
        return status;
    }
    if (torn) {
        *g->found = MLT_SPOOL_FOUND_NOTHING;
        return MLT_OK;
    }
    return tell_damage(g, what == MLT_FRAME_SHORT ? "the frame is cut off" : "wrong checksum, number or type");
}

// Frames from the place on, until one is not taken.
static enum mlt_status read_frames(struct reading *g, bool (*take)(void *, const struct mlt_frame *), void *arg) {
    size_t at = 0;
    bool any = false;
    enum mlt_status status = load(g, CHUNK_LEN);
    while (status == MLT_OK && g->place->offset < g->end) {
        const struct mlt_buf *chunk = &g->r->chunk;
        struct mlt_frame f;
        size_t need;
        enum mlt_frame_found what =
            mlt_frame_read(&f, &need, mlt_bytes_of(chunk->data + at, chunk->len - at), g->place->frame);
        bool more = what == MLT_FRAME_SHORT && need <= MLT_FRAME_HEAD_LEN + MLT_FRAME_BODY_MAX &&
                    need <= g->end - g->place->offset && need > chunk->len - at;
        if (more) { // it goes on behind what was read
            status = load(g, need > CHUNK_LEN ? need : CHUNK_LEN);
            at = 0;
            if (status == MLT_OK && g->r->chunk.len < need) {
                return mlt_fail(g->err, MLT_IO, "a segment of %s is shorter than it was", g->r->stream);
            }
            continue;
        }
        if (what != MLT_FRAME_WHOLE) {
            return any ? MLT_OK : stop_at_fault(g, what, need);
        }
        *g->found = MLT_SPOOL_FOUND_FRAMES;
        if (!take(arg, &f)) {
            break;
        }
        any = true;
        g->place->offset += need;
        g->place->frame++;
        at += need;
    }
    return status;
}

static enum mlt_status open_segment(struct reading *g, const struct mlt_spool_place *until) {
    struct mlt_spool_reader *r = g->r;
    uint64_t size = 0;
    const char *path = mlt_spool_segment_path(&r->path, r->dir, r->stream, g->place->segment);
    enum mlt_status status = path ? r->env->open(r->env, &g->file, path, MLT_OPEN_READ, g->err)
                                  : mlt_fail(g->err, MLT_NOMEM, "no memory to read a spool");
    status = status == MLT_OK ? r->env->size(r->env, g->file, &size, g->err) : status;
    g->last = g->place->segment >= until->segment;
    g->end = g->last && until->offset < size ? until->offset : size;
    return status;
}

// One segment; `*found` stays NOTHING when it has no more.
static enum mlt_status read_segment(struct reading *g, bool (*take)(void *, const struct mlt_frame *), void *arg) {
    enum mlt_status status = MLT_OK;
    if (g->place->offset == 0) {
        status = read_header(g);
    }
    if (status == MLT_OK && *g->found == MLT_SPOOL_FOUND_NOTHING && g->place->offset != 0 &&
        g->place->offset < g->end) {
        status = read_frames(g, take, arg);
    }
    return status;
}

enum mlt_status mlt_spool_read(struct mlt_spool_reader *r, struct mlt_spool_place *place,
                               const struct mlt_spool_place *until, bool (*take)(void *arg, const struct mlt_frame *f),
                               void *arg, enum mlt_spool_found *found, struct mlt_spool_damage *damage,
                               struct mlt_error *err) {
    struct reading g = {.r = r, .place = place, .found = found, .damage = damage, .err = err};
    enum mlt_status status = MLT_OK;
    *found = MLT_SPOOL_FOUND_NOTHING;
    while (status == MLT_OK && place->segment <= until->segment) {
        g.file = NULL;
        status = open_segment(&g, until);
        if (status == MLT_OK) {
            status = read_segment(&g, take, arg);
        } else if (status ==
                   MLT_NOTFOUND) { // acknowledged and removed, or missing: whoever surveyed the stream told it
            status = MLT_OK;
        }
        if (g.file) {
            r->env->close(r->env, g.file);
        }
        if (status != MLT_OK || *found != MLT_SPOOL_FOUND_NOTHING || place->segment >= until->segment) {
            break;
        }
        place->segment++;
        place->offset = 0;
    }
    if (r->chunk.cap > KEPT_CHUNK_MAX) {
        mlt_buf_clear(&r->chunk);
    }
    return status;
}
