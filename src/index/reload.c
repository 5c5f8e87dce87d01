// From the log back into the index: the same look-ups that the drafts had when they were first added.
#include "crypto/seal.h"
#include "index/private.h"
#include "record/json.h"

#define RELOAD_ENTRIES 256     // an entry bundle at a time
#define PROGRESS_ENTRIES 65536 // between two calls of the progress callback, a fraction of a second

struct reload {
    struct mlt_index *ix;
    struct mlt_sealer *sealer;
    struct mlt_arena arena; // of one bundle
    struct mlt_json facts;
    struct mlt_json payload;
    struct mlt_buf bundle;
};

static enum mlt_status read_detail(void *trail, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                   struct mlt_bytes *bytes, struct mlt_error *err) {
    return mlt_trail_detail(trail, hash, arena, bytes, err);
}

// The payload as JSON, or `*here` false: erased, damaged or missing. Which of them is for `verify` to say; the index
// finds what there is.
static enum mlt_status open_payload(struct reload *r, uint64_t index, const struct mlt_entry *e, bool *here,
                                    struct mlt_error *err) {
    struct mlt_bytes sealed;
    struct mlt_bytes plain;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    bool erased;
    *here = false;
    if (e->payload == MLT_JSON_NONE) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_trail_sealed(r->ix->trail, index, &r->arena, &sealed, wrapped, &erased, err);
    if (status == MLT_OK) {
        status = mlt_entry_open_payload(e, r->sealer, wrapped, sealed, &r->arena, &plain, err);
    }
    if (status == MLT_OK) {
        status = mlt_json_scan(&r->payload, plain, err);
    }
    *here = status == MLT_OK;
    return status == MLT_NOTFOUND || status == MLT_CORRUPT || status == MLT_INVALID ? MLT_OK : status;
}

static enum mlt_status reload_entry(struct reload *r, uint64_t index, struct mlt_bytes bytes, struct mlt_error *err) {
    struct mlt_entry e = {0};
    struct mlt_draft draft;
    struct mlt_bytes facts;
    bool has_payload = false;
    enum mlt_status status = mlt_entry_parse(&e, &r->arena, bytes, err);
    if (status != MLT_OK) {
        return status;
    }
    // A detail that is gone or damaged is for `verify` to tell; the index finds by what there is.
    const struct mlt_detail_source details = {r->ix->trail, read_detail, true};
    status = mlt_entry_facts(&e, &details, &r->arena, &facts, err);
    if (status == MLT_OK) {
        status = mlt_json_scan(&r->facts, facts, err);
    }
    if (status == MLT_OK) {
        status = open_payload(r, index, &e, &has_payload, err);
    }
    if (status == MLT_OK) {
        status = mlt_entry_redraft(&draft, &r->arena, &e, &r->facts, has_payload ? &r->payload : NULL,
                                   mlt_trail_keys(r->ix->trail), err);
    }
    if (status == MLT_OK) {
        const struct mlt_draft *drafts[1] = {&draft};
        status = mlt_lookup_added(r->ix->lookup, drafts, 1, index, err);
    }
    mlt_entry_clear(&e);
    return status;
}

static enum mlt_status reload_bundle(struct reload *r, uint64_t first, size_t count, struct mlt_error *err) {
    mlt_buf_reset(&r->bundle);
    enum mlt_status status = mlt_trail_entries(r->ix->trail, first, count, &r->bundle, err);
    if (status != MLT_OK) {
        return mlt_context(err, status, "index: entries from %llu on", (unsigned long long)first);
    }
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&r->bundle));
    for (size_t i = 0; i < count; i++) {
        uint16_t len = mlt_cursor_u16be(&c);
        struct mlt_bytes entry = mlt_cursor_take(&c, len);
        if (c.failed) {
            return mlt_fail(err, MLT_CORRUPT, "index: the log gave fewer than %zu entries from %llu on", count,
                            (unsigned long long)first);
        }
        mlt_arena_reset(&r->arena);
        status = reload_entry(r, first + i, entry, err);
        if (status != MLT_OK) {
            return mlt_context(err, status, "index: entry %llu", (unsigned long long)(first + i));
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_index_reload(struct mlt_index *ix, uint64_t size, const struct mlt_index_options *opt,
                                 struct mlt_error *err) {
    struct reload r = {.ix = ix};
    uint64_t start = ix->lookup->end;
    if (start >= size) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_record_keys_sealer(&r.sealer, mlt_trail_keys(ix->trail), err);
    for (uint64_t at = start; at < size && status == MLT_OK;) {
        size_t count = RELOAD_ENTRIES - at % RELOAD_ENTRIES;
        count = size - at < count ? (size_t)(size - at) : count;
        status = reload_bundle(&r, at, count, err);
        at += count;
        if (status == MLT_OK && opt->progress != NULL && (at == size || at % PROGRESS_ENTRIES == 0)) {
            opt->progress(opt->progress_arg, at, size);
        }
    }
    mlt_sealer_free(r.sealer);
    mlt_arena_clear(&r.arena);
    mlt_json_clear(&r.facts);
    mlt_json_clear(&r.payload);
    mlt_buf_clear(&r.bundle);
    return status;
}
