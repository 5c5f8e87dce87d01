#include "forward/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/spool_tally.h"

#define FRAME_COST 64 // of a frame beside its body, so that many short ones are bounded as well

struct held {
    struct held *next;
    struct mlt_frame frame; // its body follows
    uint8_t body[];
};

struct mlt_memory {
    struct mlt_env *env;
    char stream[MLT_SPOOL_STREAM_LEN], node[MLT_SPOOL_NODE_LEN], started[MLT_SPOOL_TIME_LEN];
    uint64_t bytes_max;
    pthread_mutex_t lock; // guards all that follows
    struct held *first, *last;
    uint64_t bytes, frame, sequence, lost;
    bool ended;
};

enum mlt_status mlt_memory_new(struct mlt_memory **out, struct mlt_env *env, const char *serving_node,
                               uint64_t bytes_max, struct mlt_error *err) {
    uint8_t random[6];
    char hex[sizeof random * 2 + 1];
    size_t len = serving_node ? strlen(serving_node) : 0;
    *out = NULL;
    if (len == 0 || len >= MLT_SPOOL_NODE_LEN || !mlt_utf8_valid(mlt_str(serving_node))) {
        return mlt_fail(err, MLT_INVALID, "a serving node has a name of 1 to %d bytes of UTF-8",
                        MLT_SPOOL_NODE_LEN - 1);
    }
    enum mlt_status status = env->random(env, random, sizeof random, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_memory *m = calloc(1, sizeof *m);
    if (!m || pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return mlt_fail(err, MLT_NOMEM, "no memory for a stream");
    }
    m->env = env;
    mlt_hex_encode(hex, mlt_bytes_of(random, sizeof random));
    (void)snprintf(m->stream, sizeof m->stream, "%ld-%s", (long)getpid(), hex);
    memcpy(m->node, serving_node, len + 1);
    mlt_time_format(m->started, env->now(env));
    m->bytes_max = bytes_max ? bytes_max : MLT_MEMORY_BYTES_DEFAULT;
    m->frame = 1;
    *out = m;
    return MLT_OK;
}

void mlt_memory_free(struct mlt_memory *m) {
    if (m) {
        mlt_memory_acked(m, UINT64_MAX);
        pthread_mutex_destroy(&m->lock);
        free(m);
    }
}

const char *mlt_memory_stream(const struct mlt_memory *m) {
    return m->stream;
}

static enum mlt_status put_locked(struct mlt_memory *m, const struct mlt_spool_item *item, bool over,
                                  struct mlt_spool_put *out, struct mlt_error *err) {
    char number[24] = "";
    if (item->number != MLT_SPOOL_NO_NUMBER) {
        (void)snprintf(number, sizeof number, "%llu",
                       (unsigned long long)(item->number == MLT_SPOOL_SEQUENCE ? m->sequence + 1 : m->frame));
    }
    const struct mlt_bytes digits = mlt_str(number);
    size_t len = item->before.len + digits.len + item->after.len;
    if (len > MLT_FRAME_BODY_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a record of %zu bytes; at most %zu are taken", len, MLT_FRAME_BODY_MAX);
    }
    if (!over && m->bytes + len + FRAME_COST > m->bytes_max) {
        return mlt_fail(err, MLT_NOSPACE, "%llu bytes wait already", (unsigned long long)m->bytes);
    }
    struct held *h = malloc(sizeof *h + len);
    if (!h) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a record");
    }
    memcpy(h->body, item->before.ptr, item->before.len);
    memcpy(h->body + item->before.len, digits.ptr, digits.len);
    if (item->after.len > 0) {
        memcpy(h->body + item->before.len + digits.len, item->after.ptr, item->after.len);
    }
    h->next = NULL;
    h->frame = (struct mlt_frame){m->frame, item->type, mlt_bytes_of(h->body, len)};
    if (m->last) {
        m->last->next = h;
    } else {
        m->first = h;
    }
    m->last = h;
    m->bytes += len + FRAME_COST;
    out->frame = m->frame++;
    out->sequence = item->number == MLT_SPOOL_SEQUENCE ? ++m->sequence : 0;
    return MLT_OK;
}

enum mlt_status mlt_memory_put(struct mlt_memory *m, const struct mlt_spool_item *item, struct mlt_spool_put *out,
                               struct mlt_error *err) {
    *out = (struct mlt_spool_put){0};
    pthread_mutex_lock(&m->lock);
    enum mlt_status status = m->ended ? mlt_fail(err, MLT_CONFLICT, "the stream has ended; its final count is recorded")
                                      : put_locked(m, item, false, out, err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

uint64_t mlt_memory_drop(struct mlt_memory *m) {
    pthread_mutex_lock(&m->lock);
    uint64_t sequence = ++m->sequence;
    m->lost++;
    pthread_mutex_unlock(&m->lock);
    return sequence;
}

enum mlt_status mlt_memory_end(struct mlt_memory *m, struct mlt_error *err) {
    struct mlt_buf tally = {0};
    struct mlt_spool_put put;
    char to[MLT_SPOOL_TIME_LEN];
    enum mlt_status status = MLT_OK;
    mlt_time_format(to, m->env->now(m->env));
    pthread_mutex_lock(&m->lock);
    if (!m->ended && m->sequence > 0) {
        mlt_spool_tally_put(&tally, &(struct mlt_spool_tally){.stream = m->stream,
                                                              .serving_node = m->node,
                                                              .from = m->started,
                                                              .to = to,
                                                              .count = m->sequence,
                                                              .lost = m->lost});
        status = tally.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a tally")
                              : put_locked(m, &(struct mlt_spool_item){MLT_FRAME_RECORD, mlt_buf_bytes(&tally), 0, {0}},
                                           true, &put, err);
        mlt_buf_clear(&tally);
    }
    m->ended = m->ended || status == MLT_OK;
    pthread_mutex_unlock(&m->lock);
    return status;
}

void mlt_memory_fill(struct mlt_memory *m, uint64_t frame, struct mlt_parcel *p) {
    pthread_mutex_lock(&m->lock);
    const struct held *h = m->first;
    while (h && h->frame.number < frame) {
        h = h->next;
    }
    while (h && mlt_parcel_take(p, &h->frame)) {
        h = h->next;
    }
    pthread_mutex_unlock(&m->lock);
}

void mlt_memory_acked(struct mlt_memory *m, uint64_t frame) {
    pthread_mutex_lock(&m->lock);
    while (m->first && m->first->frame.number < frame) {
        struct held *h = m->first;
        m->first = h->next;
        m->last = m->first ? m->last : NULL;
        m->bytes -= h->frame.body.len + FRAME_COST;
        free(h);
    }
    pthread_mutex_unlock(&m->lock);
}

uint64_t mlt_memory_next(struct mlt_memory *m) {
    pthread_mutex_lock(&m->lock);
    uint64_t frame = m->frame;
    pthread_mutex_unlock(&m->lock);
    return frame;
}

uint64_t mlt_memory_bytes(struct mlt_memory *m) {
    pthread_mutex_lock(&m->lock);
    uint64_t bytes = m->bytes;
    pthread_mutex_unlock(&m->lock);
    return bytes;
}

uint64_t mlt_memory_lost(struct mlt_memory *m) {
    pthread_mutex_lock(&m->lock);
    uint64_t lost = m->lost;
    pthread_mutex_unlock(&m->lock);
    return lost;
}

bool mlt_memory_ended(struct mlt_memory *m) {
    pthread_mutex_lock(&m->lock);
    bool ended = m->ended;
    pthread_mutex_unlock(&m->lock);
    return ended;
}
