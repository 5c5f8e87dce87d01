#include "index/delta.h"

#include <stdlib.h>

struct mlt_delta *mlt_delta_new(uint64_t first) {
    struct mlt_delta *d = calloc(1, sizeof(*d));
    if (d != NULL) {
        d->first = d->end = first;
    }
    return d;
}

void mlt_delta_free(struct mlt_delta *d) {
    if (d != NULL) {
        mlt_names_clear(&d->names);
        mlt_postings_clear(&d->postings);
        mlt_streams_clear(&d->streams);
        free(d);
    }
}

void mlt_delta_reset(struct mlt_delta *d, uint64_t first) {
    mlt_names_reset(&d->names);
    mlt_postings_reset(&d->postings);
    mlt_streams_reset(&d->streams);
    d->first = d->end = first;
}

static bool same(const struct mlt_term *a, const struct mlt_term *b) {
    return a->dim == b->dim && memcmp(a->hash, b->hash, MLT_TERM_LEN) == 0;
}

bool mlt_delta_add(struct mlt_delta *d, const struct mlt_draft *draft, uint64_t entry) {
    uint32_t offset = (uint32_t)(entry - mlt_segment_base(d->first));
    bool ok = true;
    if (draft->has_identity) {
        ok = mlt_names_add(&d->names, &draft->name, entry, true, draft->owner, draft->content);
    }
    for (size_t i = 0; i < draft->num_terms && ok; i++) {
        const struct mlt_term *t = &draft->terms[i];
        if (!mlt_dim_is_name(t->dim)) {
            ok = mlt_postings_add(&d->postings, t, offset);
        } else if (!draft->has_identity || !same(t, &draft->name)) {
            ok = mlt_names_add(&d->names, t, entry, false, 0, draft->content);
        }
    }
    if (ok && draft->has_sequence) {
        struct mlt_term sequenced = draft->stream;
        sequenced.dim = MLT_DIM_SEQUENCED;
        ok = mlt_streams_add(&d->streams, &draft->stream, draft->sequence, entry) &&
             mlt_postings_add(&d->postings, &sequenced, offset);
    }
    d->end = entry + 1;
    return ok;
}

bool mlt_delta_is_full(const struct mlt_delta *d) {
    return (d->end > d->first && mlt_segment_base(d->end) == d->end) || d->names.num_rows >= MLT_DELTA_NAMES_MAX ||
           mlt_postings_memory(&d->postings) + mlt_streams_memory(&d->streams) >= MLT_DELTA_BYTES_MAX;
}

static enum mlt_status write_names(const struct mlt_delta *d, struct mlt_runs *runs, struct mlt_error *err) {
    struct mlt_run_writer *w;
    enum mlt_status status = mlt_run_begin(&w, runs, MLT_RUN_NAMES, err);
    if (status != MLT_OK) {
        return status;
    }
    status = mlt_names_write(&d->names, w, err);
    if (status != MLT_OK) {
        mlt_run_abandon(w);
        return status;
    }
    return mlt_run_ingest(w, err);
}

static enum mlt_status write_streams(const struct mlt_delta *d, struct mlt_runs *runs, struct mlt_error *err) {
    struct mlt_run_writer *w;
    enum mlt_status status = mlt_run_begin(&w, runs, MLT_RUN_STREAMS, err);
    if (status != MLT_OK) {
        return status;
    }
    status = mlt_streams_write(&d->streams, d->first, w, err);
    if (status != MLT_OK) {
        mlt_run_abandon(w);
        return status;
    }
    return mlt_run_ingest(w, err);
}

static enum mlt_status write_postings(const struct mlt_delta *d, struct mlt_runs *runs, struct mlt_error *err) {
    struct mlt_run_writer *lists = NULL;
    struct mlt_run_writer *bitmaps = NULL;
    enum mlt_status status = mlt_run_begin(&lists, runs, MLT_RUN_LISTS, err);
    if (status == MLT_OK) {
        status = mlt_run_begin(&bitmaps, runs, MLT_RUN_BITMAPS, err);
    }
    if (status == MLT_OK) {
        status = mlt_postings_write(&d->postings, d->first, lists, bitmaps, err);
    }
    if (status != MLT_OK) {
        mlt_run_abandon(lists);
        mlt_run_abandon(bitmaps);
        return status;
    }
    status = mlt_run_ingest(bitmaps, err);
    if (status != MLT_OK) {
        mlt_run_abandon(lists);
        return status;
    }
    return mlt_run_ingest(lists, err);
}

static enum mlt_status put_entry(struct mlt_runs *runs, const char *key, uint64_t entry, struct mlt_error *err) {
    uint8_t value[8];
    mlt_store_u64be(value, entry);
    return mlt_runs_put_meta(runs, key, mlt_bytes_of(value, sizeof(value)), err);
}

enum mlt_status mlt_delta_write(const struct mlt_delta *d, struct mlt_runs *runs, struct mlt_error *err) {
    enum mlt_status status = put_entry(runs, "reach", d->end, err);
    if (status == MLT_OK) {
        status = write_names(d, runs, err);
    }
    if (status == MLT_OK) {
        status = write_postings(d, runs, err);
    }
    if (status == MLT_OK) {
        status = write_streams(d, runs, err);
    }
    // The point of no return: from here on a restart takes these entries from the files.
    return status == MLT_OK ? put_entry(runs, "watermark", d->end, err) : status;
}
