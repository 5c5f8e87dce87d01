// The readers' side: a trail and its index as of a size.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/private.h"

struct source {
    struct mlt_index *ix;
    uint64_t size;
    bool payloads;
    pthread_mutex_t lock; // a sealer is of one thread
    struct mlt_sealer *sealer;
    uint8_t index_key[MLT_INDEX_KEY_LEN];
};

static enum mlt_status beyond(const struct source *s, uint64_t index, struct mlt_error *err) {
    return mlt_fail(err, MLT_NOTFOUND, "there is no entry %llu among the first %llu", (unsigned long long)index,
                    (unsigned long long)s->size);
}

static enum mlt_status entry(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                             struct mlt_error *err) {
    const struct source *s = ctx;
    return index >= s->size ? beyond(s, index, err) : mlt_trail_entry(s->ix->trail, index, arena, out, err);
}

static enum mlt_status detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                              struct mlt_bytes *out, struct mlt_error *err) {
    const struct source *s = ctx;
    return mlt_trail_detail(s->ix->trail, hash, arena, out, err);
}

static enum mlt_status unseal(struct source *s, const struct mlt_entry *e, const uint8_t *wrapped,
                              struct mlt_bytes sealed, struct mlt_arena *arena, struct mlt_bytes *plain,
                              struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    pthread_mutex_lock(&s->lock);
    if (s->sealer == NULL) {
        status = mlt_record_keys_sealer(&s->sealer, mlt_trail_keys(s->ix->trail), err);
    }
    if (status == MLT_OK) {
        status = mlt_entry_open_payload(e, s->sealer, wrapped, sealed, arena, plain, err);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

static enum mlt_status payload(void *ctx, uint64_t index, const struct mlt_entry *e, struct mlt_arena *arena,
                               enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    struct source *s = ctx;
    struct mlt_bytes sealed;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    bool erased = false;
    *plain = mlt_bytes_of(NULL, 0);
    *state = MLT_PAYLOAD_NONE;
    if (index >= s->size) {
        return beyond(s, index, err);
    }
    if (e->payload == MLT_JSON_NONE) {
        return MLT_OK;
    }
    // Whether it is erased is in the log for everybody to see, so it is said to those also who may not read payloads.
    enum mlt_status status = mlt_trail_sealed(s->ix->trail, index, arena, &sealed, wrapped, &erased, err);
    if (status == MLT_NOTFOUND) {
        *state = erased ? MLT_PAYLOAD_ERASED : MLT_PAYLOAD_MISSING;
        mlt_error_clear(err);
        return MLT_OK;
    }
    if (status != MLT_OK) {
        return status;
    }
    if (!s->payloads) {
        *state = MLT_PAYLOAD_WITHHELD;
        return MLT_OK;
    }
    status = unseal(s, e, wrapped, sealed, arena, plain, err);
    if (status == MLT_OK) {
        *state = MLT_PAYLOAD_OPEN;
    }
    return status;
}

static enum mlt_status run_query(struct source *s, struct mlt_query *q, uint64_t *out, size_t *num_out, uint64_t *total,
                                 bool *more, struct mlt_error *err) {
    struct mlt_answer a = {.want_total = total != NULL};
    if (q->limit > MLT_FIND_PAGE_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a page of %zu entries is too long; at most %d are given", q->limit,
                        MLT_FIND_PAGE_MAX);
    }
    q->size = s->size;
    a.out = out;
    enum mlt_status status = mlt_lookup_find(s->ix->lookup, q, &a, err);
    *num_out = status == MLT_OK ? a.num_out : 0;
    if (total != NULL) {
        *total = a.total;
    }
    if (more != NULL) {
        *more = a.more;
    }
    return status;
}

static enum mlt_status find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from, bool descending,
                            size_t limit, uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                            struct mlt_error *err) {
    struct mlt_query q = {
        .terms = terms, .num_terms = num_terms, .from = from, .descending = descending, .limit = limit};
    return run_query(ctx, &q, out, num_out, total, more, err);
}

static enum mlt_status stream(void *ctx, const struct mlt_term *term, struct mlt_stream_run *out, size_t cap,
                              size_t *num_runs, struct mlt_error *err) {
    struct source *s = ctx;
    return mlt_lookup_stream(s->ix->lookup, term, s->size, out, cap, num_runs, err);
}

static enum mlt_status prove(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err) {
    const struct source *s = ctx;
    struct mlt_hash_source hashes = mlt_trail_hashes(s->ix->trail);
    return mlt_merkle_prove_inclusion(&hashes, index, s->size, out, err);
}

static enum mlt_status extends(void *ctx, uint64_t size, struct mlt_proof *out, struct mlt_error *err) {
    const struct source *s = ctx;
    struct mlt_hash_source hashes = mlt_trail_hashes(s->ix->trail);
    return mlt_merkle_prove_consistency(&hashes, size, s->size, out, err);
}

enum mlt_status mlt_index_source(struct mlt_index *ix, uint64_t size, bool payloads, struct mlt_source *out,
                                 struct mlt_error *err) {
    *out = (struct mlt_source){0};
    struct mlt_head head;
    mlt_trail_head(ix->trail, &head);
    if (size > head.size) {
        return mlt_fail(err, MLT_INVALID, "the log has %llu entries; a size of %llu is not known yet",
                        (unsigned long long)head.size, (unsigned long long)size);
    }
    struct source *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    s->ix = ix;
    s->size = size;
    s->payloads = payloads;
    pthread_mutex_init(&s->lock, NULL);
    out->ctx = s;
    out->size = size;
    out->origin = mlt_trail_origin(ix->trail);
    out->keys = mlt_trail_chain(ix->trail);
    memcpy(out->index_key, mlt_trail_keys(ix->trail)->index_key, MLT_INDEX_KEY_LEN);
    out->entry = entry;
    out->detail = detail;
    out->payload = payload;
    out->find = find;
    out->stream = stream;
    out->prove = prove;
    out->extends = extends;
    return MLT_OK;
}

void mlt_index_source_clear(struct mlt_source *src) {
    if (src == NULL || src->ctx == NULL) {
        return;
    }
    struct source *s = src->ctx;
    mlt_sealer_free(s->sealer);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *src = (struct mlt_source){0};
}

static void hour_term(const struct mlt_source *src, int64_t hour, struct mlt_term *out) {
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)hour);
    struct mlt_bytes value = mlt_str(text);
    mlt_term_make(out, src->index_key, MLT_DIM_HOUR, &value, 1);
}

enum mlt_status mlt_index_find_hours(const struct mlt_source *src, const struct mlt_term *terms, size_t num_terms,
                                     int64_t from_hour, int64_t to_hour, uint64_t from, bool descending, size_t limit,
                                     uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                                     struct mlt_error *err) {
    *num_out = 0;
    if (from_hour >= to_hour) {
        return mlt_fail(err, MLT_INVALID, "the time range is empty: its end has to be after its beginning");
    }
    uint64_t num_hours = (uint64_t)to_hour - (uint64_t)from_hour;
    if (num_hours > MLT_FIND_HOURS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a time range of %llu hours is too long; at most %llu hours are searched",
                        (unsigned long long)num_hours, (unsigned long long)MLT_FIND_HOURS_MAX);
    }
    struct mlt_term *hours = malloc(num_hours * sizeof(*hours));
    if (hours == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    for (uint64_t i = 0; i < num_hours; i++) {
        hour_term(src, from_hour + (int64_t)i, &hours[i]);
    }
    struct mlt_query q = {.terms = terms,
                          .num_terms = num_terms,
                          .either = hours,
                          .num_either = (size_t)num_hours,
                          .from = from,
                          .descending = descending,
                          .limit = limit};
    enum mlt_status status = run_query(src->ctx, &q, out, num_out, total, more, err);
    free(hours);
    return status;
}
