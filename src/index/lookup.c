#include "index/lookup.h"

#include <assert.h>
#include <stdlib.h>

#include "index/delta.h"

#define FORMAT "mltrail index 2"

// ---- opening ----

static enum mlt_status read_meta(struct mlt_runs *runs, const char *key, struct mlt_buf *out, bool *found,
                                 struct mlt_error *err) {
    return mlt_runs_get(runs, MLT_RUN_META, mlt_str(key), out, found, err);
}

static enum mlt_status expect_text(struct mlt_lookup *lk, const char *key, const char *want, struct mlt_error *err) {
    struct mlt_buf have = {0};
    bool found;
    enum mlt_status status = read_meta(lk->runs, key, &have, &found, err);
    if (status == MLT_OK && !found) {
        status = lk->read_only ? mlt_fail(err, MLT_CORRUPT, "index: has no %s", key)
                               : mlt_runs_put_meta(lk->runs, key, mlt_str(want), err);
    } else if (status == MLT_OK && !mlt_bytes_is(mlt_buf_bytes(&have), want)) {
        status = mlt_fail(err, MLT_CORRUPT, "index: %s is \"%.*s\", expected \"%s\"", key, (int)have.len,
                          (const char *)have.data, want);
    }
    mlt_buf_clear(&have);
    return status;
}

static enum mlt_status read_entry(struct mlt_lookup *lk, const char *key, uint64_t *out, struct mlt_error *err) {
    struct mlt_buf have = {0};
    bool found;
    enum mlt_status status = read_meta(lk->runs, key, &have, &found, err);
    *out = 0;
    if (status == MLT_OK && found && have.len != 8) {
        status = mlt_fail(err, MLT_CORRUPT, "index: %s has %zu bytes, expected 8", key, have.len);
    } else if (status == MLT_OK && found) {
        *out = mlt_load_u64be(have.data);
    }
    mlt_buf_clear(&have);
    return status;
}

static enum mlt_status read_state(struct mlt_lookup *lk, const char *origin, uint64_t log_size, struct mlt_error *err) {
    enum mlt_status status = expect_text(lk, "format", FORMAT, err);
    if (status == MLT_OK) {
        status = expect_text(lk, "origin", origin, err);
    }
    if (status == MLT_OK) {
        status = read_entry(lk, "watermark", &lk->watermark, err);
    }
    if (status == MLT_OK) {
        status = read_entry(lk, "reach", &lk->reach, err);
    }
    uint64_t highest = lk->watermark > lk->reach ? lk->watermark : lk->reach;
    if (status == MLT_OK && highest > log_size) {
        status = mlt_fail(err, MLT_CORRUPT, "index: knows %llu entries, but the log has only %llu",
                          (unsigned long long)highest, (unsigned long long)log_size);
    }
    return status;
}

static bool push_delta(struct mlt_lookup *lk, struct mlt_delta *d) {
    if (lk->num_deltas == lk->cap_deltas) {
        size_t cap = lk->cap_deltas == 0 ? 4 : lk->cap_deltas * 2;
        struct mlt_delta **deltas = realloc(lk->deltas, cap * sizeof(struct mlt_delta *));
        if (deltas == NULL) {
            return false;
        }
        lk->deltas = deltas;
        lk->cap_deltas = cap;
    }
    lk->deltas[lk->num_deltas++] = d;
    return true;
}

static void lookup_free(struct mlt_lookup *lk) {
    for (size_t i = 0; i < lk->num_deltas; i++) {
        mlt_delta_free(lk->deltas[i]);
    }
    free(lk->deltas);
    mlt_delta_free(lk->spare);
    mlt_names_clear(&lk->pending);
    mlt_run_scan_free(lk->scan);
    mlt_runs_close(lk->runs);
    pthread_rwlock_destroy(&lk->lock);
    free(lk);
}

enum mlt_status mlt_lookup_open(struct mlt_lookup **out, const char *dir, const char *origin, uint64_t log_size,
                                bool read_only, struct mlt_error *err) {
    struct mlt_lookup *lk = calloc(1, sizeof(*lk));
    *out = NULL;
    if (lk == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    pthread_rwlock_init(&lk->lock, NULL);
    lk->read_only = read_only;
    enum mlt_status status = MLT_OK;
    if (dir != NULL) {
        status = mlt_runs_open(&lk->runs, dir, read_only, err);
    }
    if (status == MLT_OK && lk->runs != NULL) {
        status = read_state(lk, origin, log_size, err);
    }
    struct mlt_delta *live = NULL;
    if (status == MLT_OK) {
        lk->end = lk->watermark;
        live = mlt_delta_new(lk->watermark);
        if (live == NULL || !push_delta(lk, live)) {
            mlt_delta_free(live);
            status = mlt_fail(err, MLT_NOMEM, "index: out of memory");
        }
        lk->live = live;
    }
    if (status != MLT_OK) {
        lookup_free(lk);
        return status;
    }
    *out = lk;
    return MLT_OK;
}

// ---- writing deltas ----

static enum mlt_status write_oldest(struct mlt_lookup *lk, struct mlt_error *err) {
    struct mlt_delta *d = lk->deltas[0];
    enum mlt_status status = mlt_delta_write(d, lk->runs, err);
    if (status != MLT_OK) {
        return status;
    }
    pthread_rwlock_wrlock(&lk->lock);
    lk->watermark = d->end;
    lk->num_deltas--;
    memmove(lk->deltas, lk->deltas + 1, lk->num_deltas * sizeof(struct mlt_delta *));
    pthread_rwlock_unlock(&lk->lock);
    mlt_delta_reset(d, 0);
    pthread_rwlock_wrlock(&lk->lock);
    struct mlt_delta *old = lk->spare;
    lk->spare = d;
    pthread_rwlock_unlock(&lk->lock);
    mlt_delta_free(old);
    return MLT_OK;
}

static void *flusher_main(void *arg) {
    struct mlt_lookup *lk = arg;
    lk->flush_status = write_oldest(lk, &lk->flush_err);
    return NULL;
}

// Waits for the flusher. One that failed (a full disk) is tried once more, here.
static enum mlt_status join_flusher(struct mlt_lookup *lk, struct mlt_error *err) {
    if (!lk->flushing) {
        return MLT_OK;
    }
    pthread_join(lk->flusher, NULL);
    lk->flushing = false;
    return lk->flush_status == MLT_OK ? MLT_OK : write_oldest(lk, err);
}

static enum mlt_status rotate(struct mlt_lookup *lk, struct mlt_error *err) {
    if (!lk->read_only) {
        enum mlt_status status = join_flusher(lk, err);
        if (status != MLT_OK) {
            return status;
        }
    }
    pthread_rwlock_wrlock(&lk->lock);
    struct mlt_delta *next = lk->spare;
    lk->spare = NULL;
    if (next != NULL) {
        next->first = next->end = lk->end;
    } else {
        next = mlt_delta_new(lk->end);
    }
    bool ok = next != NULL && push_delta(lk, next);
    lk->live = ok ? next : lk->live;
    pthread_rwlock_unlock(&lk->lock);
    if (!ok) {
        mlt_delta_free(next);
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    if (lk->read_only) {
        return MLT_OK;
    }
    if (pthread_create(&lk->flusher, NULL, flusher_main, lk) != 0) {
        return write_oldest(lk, err);
    }
    lk->flushing = true;
    return MLT_OK;
}

enum mlt_status mlt_lookup_close(struct mlt_lookup *lk, bool write, struct mlt_error *err) {
    if (lk == NULL) {
        return MLT_OK;
    }
    enum mlt_status status = join_flusher(lk, err);
    while (status == MLT_OK && write && !lk->read_only && lk->num_deltas > 0 &&
           lk->deltas[0]->end - lk->deltas[0]->first >= MLT_DELTA_ENTRIES_MIN) {
        status = write_oldest(lk, err);
    }
    lookup_free(lk);
    return status;
}

// ---- the writer's side ----

// The same record: owner and content are equal, or what was there is erased, so that the name alone has to do.
static bool is_same(struct mlt_lookup *lk, const struct mlt_draft *draft, uint64_t entry, uint64_t owner,
                    const uint8_t *content) {
    if (owner != draft->owner) {
        return false;
    }
    if (memcmp(content, draft->content, MLT_CONTENT_LEN) == 0 ||
        mlt_bytes_all(mlt_bytes_of(content, MLT_CONTENT_LEN), 0)) {
        return true;
    }
    return lk->erased != NULL && entry < lk->end && lk->erased(lk->erased_arg, entry);
}

static bool known_in_table(struct mlt_lookup *lk, const struct mlt_names *names, const struct mlt_draft *draft,
                           uint64_t *first) {
    const struct mlt_name_row *row = mlt_names_first(names, &draft->name);
    for (int i = 0; row != NULL && i < MLT_SAME_NAME_MAX; row = mlt_names_next(names, row), i++) {
        if (row->identity && is_same(lk, draft, row->entry, row->owner, row->content)) {
            *first = row->entry;
            return true;
        }
    }
    return false;
}

static enum mlt_status known_in_files(struct mlt_lookup *lk, uint64_t watermark, const struct mlt_draft *draft,
                                      bool *known, uint64_t *first, struct mlt_error *err) {
    if (watermark == 0) {
        return MLT_OK;
    }
    // Making a scan costs more than the look-up; one lives until the files have grown.
    if (lk->scan == NULL || lk->scan_watermark != watermark) {
        mlt_run_scan_free(lk->scan);
        lk->scan = NULL;
        enum mlt_status status = mlt_run_scan_new(&lk->scan, lk->runs, MLT_RUN_NAMES, err);
        if (status != MLT_OK) {
            return status;
        }
        lk->scan_watermark = watermark;
    }
    uint64_t entry;
    struct mlt_bytes value;
    mlt_run_scan_seek(lk->scan, &draft->name);
    for (int i = 0; i < MLT_SAME_NAME_MAX && mlt_run_scan_at(lk->scan, &entry, &value); i++) {
        if (value.len == MLT_NAME_VALUE_LEN && entry < watermark &&
            is_same(lk, draft, entry, mlt_load_u64be(value.ptr), value.ptr + 8)) {
            *known = true;
            *first = entry;
            return MLT_OK;
        }
        mlt_run_scan_next(lk->scan);
    }
    return mlt_run_scan_status(lk->scan, err);
}

enum mlt_status mlt_lookup_admit(struct mlt_lookup *lk, const struct mlt_draft *draft, uint64_t index, bool *duplicate,
                                 uint64_t *first, struct mlt_error *err) {
    *duplicate = false;
    if (!draft->has_identity) {
        return MLT_OK;
    }
    bool known = false;
    pthread_rwlock_rdlock(&lk->lock);
    uint64_t watermark = lk->watermark;
    for (size_t i = 0; i < lk->num_deltas && !known; i++) {
        known = known_in_table(lk, &lk->deltas[i]->names, draft, first);
    }
    pthread_rwlock_unlock(&lk->lock);
    known = known || known_in_table(lk, &lk->pending, draft, first);
    if (!known) {
        enum mlt_status status = known_in_files(lk, watermark, draft, &known, first, err);
        if (status != MLT_OK) {
            return status;
        }
    }
    *duplicate = known;
    if (!known && !mlt_names_add(&lk->pending, &draft->name, index, true, draft->owner, draft->content)) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    return MLT_OK;
}

// Keeps the pending names of entries in [from, to). There are few, those of the groups in flight.
static bool keep_pending(struct mlt_lookup *lk, uint64_t from, uint64_t to) {
    struct mlt_names kept = {0};
    bool ok = true;
    for (uint32_t id = 0; id < lk->pending.map.num_terms && ok; id++) {
        const struct mlt_name_row *row = &lk->pending.rows[lk->pending.heads[id]];
        for (; row != NULL && ok; row = mlt_names_next(&lk->pending, row)) {
            if (row->entry >= from && row->entry < to) {
                ok = mlt_names_add(&kept, &lk->pending.map.terms[id], row->entry, true, row->owner, row->content);
            }
        }
    }
    if (ok && kept.num_rows == 0) {
        mlt_names_reset(&lk->pending);
    } else if (ok) {
        mlt_names_clear(&lk->pending);
        lk->pending = kept;
        return true;
    }
    mlt_names_clear(&kept);
    return ok;
}

void mlt_lookup_dropped(struct mlt_lookup *lk, uint64_t size) {
    // Out of memory would keep names that are in no entry, and a retry would be taken for a duplicate of nothing.
    if (!keep_pending(lk, 0, size)) {
        mlt_names_clear(&lk->pending);
    }
}

enum mlt_status mlt_lookup_added(struct mlt_lookup *lk, const struct mlt_draft *const *drafts, size_t n, uint64_t first,
                                 struct mlt_error *err) {
    assert(first == lk->end);
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < n && status == MLT_OK;) {
        struct mlt_delta *live = lk->live;
        bool ok = true;
        bool full = false;
        pthread_rwlock_wrlock(&lk->lock);
        for (; i < n && ok && !full; i++) {
            ok = mlt_delta_add(live, drafts[i], first + i);
            lk->end = first + i + 1;
            full = mlt_delta_is_full(live) || lk->end == lk->reach;
        }
        pthread_rwlock_unlock(&lk->lock);
        if (!ok) {
            status = mlt_fail(err, MLT_NOMEM, "index: out of memory");
        } else if (full) {
            status = rotate(lk, err);
        }
    }
    if (status == MLT_OK && lk->pending.num_rows > 0) {
        (void)keep_pending(lk, lk->end, UINT64_MAX); // kept ones are in the delta as well: harmless
    }
    return status;
}
