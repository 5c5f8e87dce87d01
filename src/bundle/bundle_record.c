#include "bundle/bundle_record.h"

#include <stdio.h>
#include <stdlib.h>

static struct mlt_bytes keep(struct mlt_bundle_recorder *r, struct mlt_bytes bytes) {
    const struct mlt_bytes copy = mlt_arena_copy(&r->arena, bytes);
    r->failed = r->failed || (bytes.len > 0 && !copy.ptr);
    return copy;
}

void mlt_bundle_recorder_add_entry(struct mlt_bundle_recorder *r, uint64_t index, struct mlt_bytes bytes) {
    const struct mlt_bundle_seen_entry seen = {index, keep(r, bytes)};
    mlt_buf_put(&r->entries, &seen, sizeof(seen));
}

static enum mlt_status entry(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                             struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    const enum mlt_status status = r->inner->entry(r->inner->ctx, index, arena, out, err);
    if (!status) {
        mlt_bundle_recorder_add_entry(r, index, *out);
    }
    return status;
}

static enum mlt_status detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                              struct mlt_bytes *out, struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    const enum mlt_status status = r->inner->detail(r->inner->ctx, hash, arena, out, err);
    if (!status) {
        struct mlt_bundle_seen_detail seen = {.bytes = keep(r, *out)};
        memcpy(seen.hash, hash, MLT_HASH_LEN);
        mlt_buf_put(&r->details, &seen, sizeof(seen));
    }
    return status;
}

// --- payloads ---

static enum mlt_status disclose(struct mlt_bundle_recorder *r, uint64_t index, const struct mlt_entry *e,
                                struct mlt_bytes whole, struct mlt_bundle_payload *out, struct mlt_error *err) {
    uint8_t secret[MLT_SECRET_LEN];
    struct mlt_json plain = {0};
    enum mlt_status status = r->req->secret(r->req->secret_ctx, index, secret, err);
    status = status ? status : mlt_json_scan(&plain, keep(r, whole), err);
    if (!status) {
        status = mlt_bundle_disclose(out, &r->req->choice, index, e, &plain, secret, &r->arena, err);
    }
    mlt_wipe(secret, sizeof(secret));
    mlt_json_clear(&plain);
    return status;
}

static enum mlt_status payload(void *ctx, uint64_t index, const struct mlt_entry *e, struct mlt_arena *arena,
                               enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    struct mlt_bundle_seen_payload seen = {.index = index};
    struct mlt_bytes whole;
    enum mlt_status status = r->inner->payload(r->inner->ctx, index, e, arena, state, &whole, err);
    if (status || *state == MLT_PAYLOAD_NONE) {
        return status;
    }
    seen.payload.state = *state;
    if (*state == MLT_PAYLOAD_OPEN) {
        status = disclose(r, index, e, whole, &seen.payload, err);
    }
    if (!status) {
        mlt_buf_put(&r->payloads, &seen, sizeof(seen));
        status = mlt_bundle_plain(&seen.payload, e, arena, state, plain, err);
    }
    return status;
}

// --- look-ups ---

static void watch(void *ctx, const struct mlt_term *term, const struct mlt_bytes *values, size_t num_values) {
    struct mlt_bundle_recorder *r = ctx;
    mlt_bundle_terms_add(&r->terms, term, values, num_values);
}

static bool made_of(struct mlt_bundle_recorder *r, const struct mlt_term *term, struct mlt_bundle_term *out) {
    const bool known = mlt_bundle_terms_find(&r->terms, term, out);
    r->failed = r->failed || !known;
    return known;
}

static enum mlt_status find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from, bool descending,
                            size_t limit, uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                            struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    struct mlt_bundle_find f = {.num_terms = num_terms, .from = from, .descending = descending, .limit = limit};
    const enum mlt_status status =
        r->inner->find(r->inner->ctx, terms, num_terms, from, descending, limit, out, num_out, &f.total, &f.more, err);
    if (status) {
        return status;
    }
    if (total) {
        *total = f.total;
    }
    if (more) {
        *more = f.more;
    }
    if (num_terms > MLT_BUNDLE_TERMS_MAX) {
        r->failed = true;
        return MLT_OK;
    }
    for (size_t i = 0; i < num_terms; i++) {
        (void)made_of(r, &terms[i], &f.terms[i]);
    }
    f.num_entries = *num_out;
    f.entries = (uint64_t *)(void *)keep(r, mlt_bytes_of(out, *num_out * sizeof(*out))).ptr;
    mlt_buf_put(&r->finds, &f, sizeof(f));
    return MLT_OK;
}

static enum mlt_status stream(void *ctx, const struct mlt_term *term, struct mlt_stream_run *out, size_t cap,
                              size_t *num_runs, struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    struct mlt_bundle_stream s = {0};
    const enum mlt_status status = r->inner->stream(r->inner->ctx, term, out, cap, num_runs, err);
    if (!status && *num_runs <= cap && made_of(r, term, &s.term)) {
        s.num_runs = *num_runs;
        s.runs = (struct mlt_stream_run *)(void *)keep(r, mlt_bytes_of(out, *num_runs * sizeof(*out))).ptr;
        mlt_buf_put(&r->streams, &s, sizeof(s));
    }
    return status;
}

static enum mlt_status prove(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    return r->inner->prove(r->inner->ctx, index, out, err);
}

static enum mlt_status extends(void *ctx, uint64_t size, struct mlt_proof *out, struct mlt_error *err) {
    struct mlt_bundle_recorder *r = ctx;
    const enum mlt_status status = r->inner->extends(r->inner->ctx, size, out, err);
    if (!status) {
        const struct mlt_bundle_growth growth = {.size = size, .proof = *out};
        mlt_buf_put(&r->growths, &growth, sizeof(growth));
    }
    return status;
}

void mlt_bundle_recorder_init(struct mlt_bundle_recorder *r, const struct mlt_bundle_request *req) {
    *r = (struct mlt_bundle_recorder){.inner = req->src, .req = req};
    r->terms.arena = &r->arena;
    r->src = *req->src;
    r->src.ctx = r;
    r->src.entry = entry;
    r->src.detail = detail;
    r->src.payload = payload;
    r->src.find = find;
    r->src.stream = stream;
    r->src.prove = prove;
    r->src.extends = req->src->extends ? extends : NULL;
    r->src.watch = watch;
    r->src.watch_ctx = r;
}

void mlt_bundle_recorder_clear(struct mlt_bundle_recorder *r) {
    struct mlt_buf *const vectors[] = {&r->entries, &r->details, &r->payloads, &r->terms.seen,
                                       &r->finds,   &r->streams, &r->growths};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        mlt_buf_clear(vectors[i]);
    }
    mlt_arena_clear(&r->arena);
}

// --- each thing once ---

static int by_index(const void *a, const void *b) {
    const struct mlt_bundle_seen_entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static int by_hash(const void *a, const void *b) {
    const struct mlt_bundle_seen_detail *x = a, *y = b;
    return memcmp(x->hash, y->hash, MLT_HASH_LEN);
}

static int by_owner(const void *a, const void *b) {
    const struct mlt_bundle_seen_payload *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static int compare_terms(const struct mlt_bundle_term *a, const struct mlt_bundle_term *b) {
    if (a->dim != b->dim || a->num_values != b->num_values) {
        return a->dim != b->dim ? (a->dim > b->dim) - (a->dim < b->dim)
                                : (a->num_values > b->num_values) - (a->num_values < b->num_values);
    }
    int order = 0;
    for (size_t i = 0; order == 0 && i < a->num_values; i++) {
        order = mlt_bytes_compare(a->values[i], b->values[i]);
    }
    return order;
}

static int by_question(const void *a, const void *b) {
    const struct mlt_bundle_find *x = a, *y = b;
    int order = (x->num_terms > y->num_terms) - (x->num_terms < y->num_terms);
    for (size_t i = 0; order == 0 && i < x->num_terms && i < MLT_BUNDLE_TERMS_MAX; i++) {
        order = compare_terms(&x->terms[i], &y->terms[i]);
    }
    order = order ? order : (x->from > y->from) - (x->from < y->from);
    order = order ? order : (int)x->descending - (int)y->descending;
    return order ? order : (x->limit > y->limit) - (x->limit < y->limit);
}

static int by_stream(const void *a, const void *b) {
    const struct mlt_bundle_stream *x = a, *y = b;
    return compare_terms(&x->term, &y->term);
}

static int by_size(const void *a, const void *b) {
    const struct mlt_bundle_growth *x = a, *y = b;
    return (x->size > y->size) - (x->size < y->size);
}

static void settle(struct mlt_buf *vector, size_t item, int (*compare)(const void *, const void *)) {
    const size_t num = vector->len / item;
    if (num < 2) {
        return;
    }
    qsort(vector->data, num, item, compare);
    size_t kept = 1;
    for (size_t i = 1; i < num; i++) {
        if (compare(vector->data + (kept - 1) * item, vector->data + i * item) != 0) {
            memmove(vector->data + kept++ * item, vector->data + i * item, item);
        }
    }
    vector->len = kept * item;
}

enum mlt_status mlt_bundle_recorder_settle(struct mlt_bundle_recorder *r, struct mlt_error *err) {
    if (r->failed || r->entries.failed || r->details.failed || r->payloads.failed || r->terms.failed ||
        r->finds.failed || r->streams.failed || r->growths.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory to record what the dossier rests on");
    }
    settle(&r->entries, sizeof(struct mlt_bundle_seen_entry), by_index);
    settle(&r->details, sizeof(struct mlt_bundle_seen_detail), by_hash);
    settle(&r->payloads, sizeof(struct mlt_bundle_seen_payload), by_owner);
    settle(&r->finds, sizeof(struct mlt_bundle_find), by_question);
    settle(&r->streams, sizeof(struct mlt_bundle_stream), by_stream);
    settle(&r->growths, sizeof(struct mlt_bundle_growth), by_size);
    return MLT_OK;
}
