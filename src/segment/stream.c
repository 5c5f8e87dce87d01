#include "segment/stream.h"

#include <stdlib.h>

void mlt_stream_of_memory(struct mlt_stream *s, const struct mlt_link_leaves *leaves) {
    *s = (struct mlt_stream){.leaf = leaves->leaf, .num = leaves->num};
}

enum mlt_status mlt_stream_of_file(struct mlt_stream *s, struct mlt_env *env, struct mlt_file *file, uint64_t off,
                                   uint64_t num_leaves, struct mlt_error *err) {
    *s = (struct mlt_stream){.env = env, .file = file, .off = off, .left = num_leaves};
    s->buffer = malloc(MLT_STREAM_LEAVES * sizeof(*s->buffer));
    return s->buffer ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory to read links");
}

void mlt_stream_clear(struct mlt_stream *s) {
    free(s->buffer);
    s->buffer = NULL;
}

// Reads on when all that was read is consumed; no leaf after that: the end.
static enum mlt_status fill(struct mlt_stream *s, struct mlt_error *err) {
    uint8_t bytes[MLT_STREAM_LEAVES * MLT_LINK_LEAF_LEN];
    if (s->num > 0 || s->left == 0) {
        return MLT_OK;
    }
    size_t count = s->left < MLT_STREAM_LEAVES ? (size_t)s->left : MLT_STREAM_LEAVES;
    size_t got = 0;
    enum mlt_status status = s->env->read(s->env, s->file, bytes, count * MLT_LINK_LEAF_LEN, s->off, &got, err);
    if (status == MLT_OK && got != count * MLT_LINK_LEAF_LEN) {
        status = mlt_fail(err, MLT_CORRUPT, "a file of links is shorter than it says");
    }
    if (status != MLT_OK) {
        return status;
    }
    if (s->hash) {
        mlt_sha256_stream_add(s->hash, bytes, got);
    }
    for (size_t i = 0; i < count; i++) {
        mlt_link_leaf_decode(&s->buffer[i], bytes + i * MLT_LINK_LEAF_LEN);
    }
    s->leaf = s->buffer;
    s->num = count;
    s->left -= count;
    s->off += got;
    return MLT_OK;
}

static bool is_before(const struct mlt_stream *a, const struct mlt_stream *b) {
    return mlt_link_leaf_compare(a->leaf, b->leaf) < 0;
}

static void sift_down(struct mlt_merge *m, size_t at) {
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < m->num; child++) {
            if (is_before(m->heap[child], m->heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        struct mlt_stream *s = m->heap[at];
        m->heap[at] = m->heap[least];
        m->heap[least] = s;
        at = least;
    }
}

enum mlt_status mlt_merge_init(struct mlt_merge *m, struct mlt_stream *streams, size_t num_streams,
                               struct mlt_error *err) {
    *m = (struct mlt_merge){.heap = malloc((num_streams + 1) * sizeof(struct mlt_stream *))}; // never 0 bytes
    if (!m->heap) {
        return mlt_fail(err, MLT_NOMEM, "no memory to merge %zu files of links", num_streams);
    }
    for (size_t i = 0; i < num_streams; i++) {
        enum mlt_status status = fill(&streams[i], err);
        if (status != MLT_OK) {
            mlt_merge_clear(m);
            return status;
        }
        if (streams[i].num > 0) {
            m->heap[m->num++] = &streams[i];
        }
    }
    for (size_t i = m->num; i-- > 0;) {
        sift_down(m, i);
    }
    return MLT_OK;
}

enum mlt_status mlt_merge_next(struct mlt_merge *m, struct mlt_link_leaf *out, const struct mlt_stream **from,
                               struct mlt_error *err) {
    *from = NULL;
    if (m->num == 0) {
        return MLT_OK;
    }
    struct mlt_stream *s = m->heap[0];
    *from = s;
    *out = *s->leaf;
    s->leaf++;
    s->num--;
    enum mlt_status status = fill(s, err);
    if (status != MLT_OK) {
        return status;
    }
    if (s->num == 0) {
        m->heap[0] = m->heap[--m->num];
    }
    sift_down(m, 0);
    return MLT_OK;
}

void mlt_merge_clear(struct mlt_merge *m) {
    free(m->heap);
    *m = (struct mlt_merge){0};
}
