#include "index/streams.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_STREAMS 16u

void mlt_stream_runs_clear(struct mlt_stream_runs *r) {
    free(r->runs);
    *r = (struct mlt_stream_runs){0};
}

bool mlt_stream_runs_append(struct mlt_stream_runs *r, const struct mlt_stream_run *run) {
    struct mlt_stream_run *last = r->num_runs == 0 ? NULL : &r->runs[r->num_runs - 1];
    // Written as a difference: a run may end at the largest number that there is.
    if (last != NULL && run->first_sequence > last->first_sequence &&
        run->first_sequence - last->first_sequence == last->count) {
        last->count += run->count;
        last->last_entry = run->last_entry;
        return true;
    }
    if (r->num_runs == r->cap) {
        size_t cap = r->cap == 0 ? 4 : r->cap * 2;
        struct mlt_stream_run *runs = realloc(r->runs, cap * sizeof(*runs));
        if (runs == NULL) {
            return false;
        }
        r->runs = runs;
        r->cap = cap;
    }
    assert(r->runs != NULL);
    r->runs[r->num_runs++] = *run;
    return true;
}

void mlt_streams_clear(struct mlt_streams *s) {
    for (uint32_t i = 0; i < s->num_made; i++) {
        mlt_stream_runs_clear(&s->streams[i]);
    }
    free(s->streams);
    mlt_termmap_clear(&s->map);
    *s = (struct mlt_streams){0};
}

void mlt_streams_reset(struct mlt_streams *s) {
    for (uint32_t i = 0; i < s->num_made; i++) {
        mlt_stream_runs_clear(&s->streams[i]);
    }
    s->num_made = 0;
    s->run_bytes = 0;
    mlt_termmap_reset(&s->map);
}

bool mlt_streams_add(struct mlt_streams *s, const struct mlt_term *stream, uint64_t sequence, uint64_t entry) {
    if (s->num_made == s->cap) {
        uint32_t cap = s->cap == 0 ? FIRST_STREAMS : s->cap * 2;
        struct mlt_stream_runs *streams = realloc(s->streams, cap * sizeof(*streams));
        if (streams == NULL) {
            return false;
        }
        s->streams = streams;
        s->cap = cap;
    }
    uint32_t id = mlt_termmap_add(&s->map, stream);
    if (id == MLT_TERMMAP_NONE) {
        return false;
    }
    if (id == s->num_made) {
        s->streams[s->num_made++] = (struct mlt_stream_runs){0};
    }
    struct mlt_stream_run run = {sequence, 1, entry, entry};
    size_t before = s->streams[id].cap;
    bool ok = mlt_stream_runs_append(&s->streams[id], &run);
    s->run_bytes += (s->streams[id].cap - before) * sizeof(run);
    return ok;
}

const struct mlt_stream_runs *mlt_streams_find(const struct mlt_streams *s, const struct mlt_term *stream) {
    uint32_t id = mlt_termmap_find(&s->map, stream);
    return id == MLT_TERMMAP_NONE ? NULL : &s->streams[id];
}

size_t mlt_streams_memory(const struct mlt_streams *s) {
    return mlt_termmap_memory(&s->map) + s->num_made * sizeof(*s->streams) + s->run_bytes;
}

static void put_runs(struct mlt_buf *out, const struct mlt_stream_runs *runs) {
    mlt_buf_reset(out);
    for (size_t i = 0; i < runs->num_runs; i++) {
        mlt_buf_put_u64be(out, runs->runs[i].first_sequence);
        mlt_buf_put_u64be(out, runs->runs[i].count);
        mlt_buf_put_u64be(out, runs->runs[i].first_entry);
        mlt_buf_put_u64be(out, runs->runs[i].last_entry);
    }
}

enum mlt_status mlt_streams_write(const struct mlt_streams *s, uint64_t first, struct mlt_run_writer *w,
                                  struct mlt_error *err) {
    uint32_t *ids = mlt_termmap_sorted(&s->map);
    if (ids == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory sorting %u streams", s->map.num_terms);
    }
    struct mlt_buf value = {0};
    enum mlt_status status = MLT_OK;
    for (uint32_t i = 0; i < s->map.num_terms && status == MLT_OK; i++) {
        uint8_t key[MLT_RUN_KEY_LEN];
        mlt_run_key(key, &s->map.terms[ids[i]], first);
        put_runs(&value, &s->streams[ids[i]]);
        status = value.failed ? mlt_fail(err, MLT_NOMEM, "index: out of memory")
                              : mlt_run_put(w, key, mlt_buf_bytes(&value), err);
    }
    mlt_buf_clear(&value);
    free(ids);
    return status;
}

bool mlt_stream_run_read(struct mlt_bytes value, size_t i, struct mlt_stream_run *out) {
    if (value.len % MLT_STREAM_RUN_LEN != 0 || i >= value.len / MLT_STREAM_RUN_LEN) {
        return false;
    }
    const uint8_t *p = value.ptr + i * MLT_STREAM_RUN_LEN;
    *out = (struct mlt_stream_run){mlt_load_u64be(p), mlt_load_u64be(p + 8), mlt_load_u64be(p + 16),
                                   mlt_load_u64be(p + 24)};
    return true;
}
