// Answers: intersections segment by segment, and sequence runs as of a size.
#include <stdlib.h>

#include "index/set.h"

// Everything that a query works with. Sets: one for each term, and one for `either`.
struct work {
    struct mlt_lookup *lk;
    const struct mlt_query *q;
    struct mlt_answer *a;
    struct mlt_set *sets;
    size_t num_sets;
    uint64_t watermark;
};

// What memory has, and the watermark that goes with it, are taken under one lock; files are read after it is released,
// since they only grow and what they got meanwhile is above that watermark.
static enum mlt_status collect_memory(struct work *w, struct mlt_error *err) {
    const struct mlt_query *q = w->q;
    bool ok = true;
    pthread_rwlock_rdlock(&w->lk->lock);
    w->watermark = w->lk->watermark;
    for (size_t i = 0; i < q->num_terms && ok; i++) {
        ok = mlt_set_add_memory(&w->sets[i], w->lk, &q->terms[i], q->size);
    }
    for (size_t i = 0; i < q->num_either && ok; i++) {
        ok = mlt_set_add_memory(&w->sets[q->num_terms], w->lk, &q->either[i], q->size);
    }
    pthread_rwlock_unlock(&w->lk->lock);
    return ok ? MLT_OK : mlt_fail(err, MLT_NOMEM, "index: out of memory");
}

static enum mlt_status collect_files(struct work *w, struct mlt_error *err) {
    const struct mlt_query *q = w->q;
    struct mlt_set_scans scans = {0};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < q->num_terms && status == MLT_OK; i++) {
        status = mlt_set_add_files(&w->sets[i], w->lk, &scans, &q->terms[i], q->size, w->watermark, err);
    }
    for (size_t i = 0; i < q->num_either && status == MLT_OK; i++) {
        status = mlt_set_add_files(&w->sets[q->num_terms], w->lk, &scans, &q->either[i], q->size, w->watermark, err);
    }
    mlt_set_scans_clear(&scans);
    for (size_t i = 0; i < w->num_sets; i++) {
        mlt_set_sort(&w->sets[i]);
    }
    return status;
}

// ---- find ----

static enum mlt_status intersect(struct work *w, uint64_t segment, roaring_bitmap_t **out, struct mlt_error *err) {
    roaring_bitmap_t *all = NULL;
    for (size_t i = 0; i < w->num_sets; i++) {
        roaring_bitmap_t *one;
        enum mlt_status status = mlt_set_segment(w->lk, &w->sets[i], segment, w->q->size, &one, err);
        if (status != MLT_OK) {
            if (all != NULL) {
                roaring_bitmap_free(all);
            }
            return status;
        }
        if (all == NULL) {
            all = one;
        } else {
            roaring_bitmap_and_inplace(all, one);
            roaring_bitmap_free(one);
        }
        if (roaring_bitmap_is_empty(all)) {
            break;
        }
    }
    *out = all;
    return MLT_OK;
}

// Copies what the page still lacks from a segment's matches.
static bool take_page(struct work *w, uint64_t segment, const roaring_bitmap_t *b) {
    const struct mlt_query *q = w->q;
    struct mlt_answer *a = w->a;
    uint64_t base = segment << MLT_SEGMENT_BITS;
    uint64_t count = roaring_bitmap_get_cardinality(b);
    uint64_t below = 0; // matches below `from`
    if (q->from > base) {
        uint64_t before = q->from - base - 1;
        below = before > UINT32_MAX ? count : roaring_bitmap_rank(b, (uint32_t)before);
    }
    uint64_t available = q->descending ? below : count - below;
    uint64_t n = q->limit - a->num_out;
    if (n < available) {
        a->more = true;
    } else {
        n = available;
    }
    if (n == 0) {
        return true;
    }
    uint32_t *offsets = malloc(n * sizeof(*offsets));
    if (offsets == NULL) {
        return false;
    }
    bool ok = roaring_bitmap_range_uint32_array(b, q->descending ? below - n : below, n, offsets);
    for (uint64_t i = 0; i < n && ok; i++) {
        a->out[a->num_out++] = base + offsets[q->descending ? n - 1 - i : i];
    }
    free(offsets);
    return ok;
}

static bool outside(const struct mlt_query *q, uint64_t segment) {
    uint64_t base = segment << MLT_SEGMENT_BITS;
    uint64_t after = base + MLT_SEGMENT_ENTRIES;
    return q->descending ? base >= q->from : after <= q->from;
}

static enum mlt_status visit(struct work *w, uint64_t segment, bool count, struct mlt_error *err) {
    bool wanted = !w->a->more && !outside(w->q, segment);
    if (!wanted && !count) {
        return MLT_OK;
    }
    roaring_bitmap_t *b;
    enum mlt_status status = intersect(w, segment, &b, err);
    if (status != MLT_OK) {
        return status;
    }
    if (count) {
        w->a->total += roaring_bitmap_get_cardinality(b);
    }
    if (wanted && !take_page(w, segment, b)) {
        status = mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    roaring_bitmap_free(b);
    return status;
}

// Every segment of the shortest set, in the order asked for.
static enum mlt_status visit_segments(struct work *w, bool count, struct mlt_error *err) {
    const struct mlt_set *set = &w->sets[0];
    for (size_t i = 1; i < w->num_sets; i++) {
        if (w->sets[i].num_parts < set->num_parts) {
            set = &w->sets[i];
        }
    }
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < set->num_parts && status == MLT_OK && (count || !w->a->more); i++) {
        size_t at = w->q->descending ? set->num_parts - 1 - i : i;
        size_t before = w->q->descending ? at + 1 : at - 1;
        if (i == 0 || set->parts[at].segment != set->parts[before].segment) {
            status = visit(w, set->parts[at].segment, count, err);
        }
    }
    return status;
}

// The total of one term is a sum of stored counts: no bitmap is read but one that the size cuts.
static enum mlt_status sum_counts(struct work *w, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < w->sets[0].num_parts && status == MLT_OK; i++) {
        uint64_t n;
        status = mlt_part_count(w->lk, &w->sets[0].parts[i], w->q->size, &n, err);
        w->a->total += n;
    }
    return status;
}

enum mlt_status mlt_lookup_find(struct mlt_lookup *lk, const struct mlt_query *q, struct mlt_answer *a,
                                struct mlt_error *err) {
    struct work w = {.lk = lk, .q = q, .a = a, .num_sets = q->num_terms + (q->num_either > 0)};
    a->num_out = 0;
    a->total = 0;
    a->more = false;
    if (w.num_sets == 0) {
        return mlt_fail(err, MLT_INVALID, "index: a query needs at least one term");
    }
    w.sets = calloc(w.num_sets, sizeof(*w.sets));
    if (w.sets == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    enum mlt_status status = collect_memory(&w, err);
    if (status == MLT_OK) {
        status = collect_files(&w, err);
    }
    bool single = q->num_terms == 1 && q->num_either == 0;
    if (status == MLT_OK && single && a->want_total) {
        status = sum_counts(&w, err);
    }
    if (status == MLT_OK) {
        status = visit_segments(&w, a->want_total && !single, err);
    }
    for (size_t i = 0; i < w.num_sets; i++) {
        mlt_set_clear(&w.sets[i]);
    }
    free(w.sets);
    return status;
}

// ---- streams ----

// Cuts a run at `size`, by the rank of the size in the postings of the entries that have sequence numbers.
static void cut(struct mlt_stream_run *run, const roaring_bitmap_t *sequenced, uint64_t size) {
    uint64_t base = mlt_segment_base(run->first_entry);
    uint32_t first = (uint32_t)(run->first_entry - base);
    uint64_t before = first == 0 ? 0 : roaring_bitmap_rank(sequenced, first - 1);
    run->count = roaring_bitmap_rank(sequenced, (uint32_t)(size - base - 1)) - before;
    uint32_t last = first;
    (void)roaring_bitmap_select(sequenced, (uint32_t)(before + run->count - 1), &last);
    run->last_entry = base + last;
}

static struct mlt_term sequenced_of(const struct mlt_term *stream) {
    struct mlt_term t = *stream;
    t.dim = MLT_DIM_SEQUENCED;
    return t;
}

static bool memory_runs(struct mlt_stream_runs *all, const struct mlt_lookup *lk, const struct mlt_term *stream,
                        uint64_t size) {
    const struct mlt_term sequenced = sequenced_of(stream);
    for (size_t i = 0; i < lk->num_deltas; i++) {
        const struct mlt_delta *d = lk->deltas[i];
        const struct mlt_stream_runs *have = mlt_streams_find(&d->streams, stream);
        for (size_t k = 0; have != NULL && k < have->num_runs && have->runs[k].first_entry < size; k++) {
            struct mlt_stream_run run = have->runs[k];
            if (run.last_entry >= size) {
                roaring_bitmap_t *b = mlt_list_bitmap(mlt_postings_find(&d->postings, &sequenced),
                                                      (uint32_t)(size - mlt_segment_base(d->first)));
                if (b == NULL) {
                    return false;
                }
                cut(&run, b, size);
                roaring_bitmap_free(b);
            }
            if (!mlt_stream_runs_append(all, &run)) {
                return false;
            }
        }
    }
    return true;
}

// The list MLT_DIM_SEQUENCED of the stretch at `first`.
static enum mlt_status load_sequenced(struct mlt_lookup *lk, const struct mlt_term *stream, uint64_t first,
                                      roaring_bitmap_t **out, struct mlt_error *err) {
    const struct mlt_term sequenced = sequenced_of(stream);
    uint8_t key[MLT_RUN_KEY_LEN];
    struct mlt_buf value = {0};
    bool found;
    uint32_t count = 0;
    uint32_t last;
    mlt_run_key(key, &sequenced, first);
    enum mlt_status status = mlt_runs_get(lk->runs, MLT_RUN_LISTS, mlt_bytes_of(key, sizeof(key)), &value, &found, err);
    if (status == MLT_OK && !found) {
        status =
            mlt_fail(err, MLT_CORRUPT, "index: a stream from entry %llu on has no postings", (unsigned long long)first);
    }
    if (status == MLT_OK) {
        status = mlt_list_read(mlt_buf_bytes(&value), &count, &last, out, err);
    }
    if (status == MLT_OK && *out == NULL) {
        status = mlt_list_load(lk->runs, &sequenced, first, count, out, err);
    }
    mlt_buf_clear(&value);
    return status;
}

static enum mlt_status file_stretch(struct mlt_stream_runs *all, struct mlt_lookup *lk, const struct mlt_term *stream,
                                    uint64_t first, struct mlt_bytes value, uint64_t size, struct mlt_error *err) {
    struct mlt_stream_run run;
    for (size_t i = 0; mlt_stream_run_read(value, i, &run) && run.first_entry < size; i++) {
        if (run.last_entry >= size) {
            roaring_bitmap_t *b = NULL;
            enum mlt_status status = load_sequenced(lk, stream, first, &b, err);
            if (status != MLT_OK) {
                return status;
            }
            cut(&run, b, size);
            roaring_bitmap_free(b);
        }
        if (!mlt_stream_runs_append(all, &run)) {
            return mlt_fail(err, MLT_NOMEM, "index: out of memory");
        }
    }
    return MLT_OK;
}

static enum mlt_status file_runs(struct mlt_stream_runs *all, struct mlt_lookup *lk, const struct mlt_term *stream,
                                 uint64_t size, uint64_t watermark, struct mlt_error *err) {
    struct mlt_run_scan *scan;
    enum mlt_status status = mlt_run_scan_new(&scan, lk->runs, MLT_RUN_STREAMS, err);
    if (status != MLT_OK) {
        return status;
    }
    uint64_t first;
    struct mlt_bytes value;
    mlt_run_scan_seek(scan, stream);
    while (status == MLT_OK && mlt_run_scan_at(scan, &first, &value) && first < watermark && first < size) {
        status = file_stretch(all, lk, stream, first, value, size, err);
        mlt_run_scan_next(scan);
    }
    if (status == MLT_OK) {
        status = mlt_run_scan_status(scan, err);
    }
    mlt_run_scan_free(scan);
    return status;
}

enum mlt_status mlt_lookup_stream(struct mlt_lookup *lk, const struct mlt_term *stream, uint64_t size,
                                  struct mlt_stream_run *out, size_t cap, size_t *num_runs, struct mlt_error *err) {
    struct mlt_stream_runs memory = {0};
    struct mlt_stream_runs all = {0};
    pthread_rwlock_rdlock(&lk->lock);
    uint64_t watermark = lk->watermark;
    bool ok = memory_runs(&memory, lk, stream, size);
    pthread_rwlock_unlock(&lk->lock);
    enum mlt_status status = MLT_OK;
    if (ok && lk->runs != NULL && watermark > 0) {
        status = file_runs(&all, lk, stream, size, watermark, err);
    }
    for (size_t i = 0; i < memory.num_runs && ok && status == MLT_OK; i++) {
        ok = mlt_stream_runs_append(&all, &memory.runs[i]);
    }
    if (status == MLT_OK && !ok) {
        status = mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    *num_runs = status == MLT_OK ? all.num_runs : 0;
    size_t n = *num_runs < cap ? *num_runs : cap;
    if (n > 0) {
        memcpy(out, all.runs, n * sizeof(*out));
    }
    mlt_stream_runs_clear(&all);
    mlt_stream_runs_clear(&memory);
    return status;
}
