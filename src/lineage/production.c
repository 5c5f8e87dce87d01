// Which version is meant when only the model is named: the one that was last moved to production.
#include "lineage/walk.h"

#define MOVES_PAGE 256 // transitions read at once; the one looked for is among the newest

struct search {
    struct mlt_walk walk;
    struct mlt_stages stages;
    struct mlt_bytes model;
    const int64_t *by;
};

static enum mlt_status consider(const struct search *s, uint64_t index, bool *found, struct mlt_bytes *version) {
    const struct mlt_source *src = s->walk.src;
    struct mlt_arena *arena = s->walk.arena;
    struct mlt_bytes bytes;
    struct mlt_entry entry;
    enum mlt_status status = src->entry(src->ctx, index, arena, &bytes, s->walk.err);
    if (!status) {
        status = mlt_entry_parse(&entry, arena, bytes, s->walk.err);
    }
    if (status) {
        return mlt_context(s->walk.err, status, "entry %llu", (unsigned long long)index);
    }
    const struct mlt_json *json = &entry.json;
    const struct mlt_bytes stage = mlt_json_string(json, mlt_json_get(json, entry.facts, "to_stage"), arena);
    const bool in_time = s->by == NULL || !entry.has_time || entry.time <= *s->by;
    *found = in_time && mlt_stages_production(&s->walk, &s->stages, stage);
    if (*found) {
        // The text may stand in the entry itself, which outlives the tape.
        *version = mlt_json_string(json, mlt_json_get(json, entry.facts, "model_version"), arena);
    }
    mlt_entry_clear(&entry);
    return MLT_OK;
}

static enum mlt_status newest(const struct search *s, struct mlt_bytes *version, uint64_t *entry) {
    const struct mlt_source *src = s->walk.src;
    struct mlt_term term;
    uint64_t page[MOVES_PAGE];
    uint64_t from = UINT64_MAX;
    bool more = true;
    mlt_source_term(src, &term, MLT_DIM_MOVES_MODEL, &s->model, 1);
    while (more) {
        size_t num = 0;
        enum mlt_status status =
            src->find(src->ctx, &term, 1, from, true, MOVES_PAGE, page, &num, NULL, &more, s->walk.err);
        for (size_t i = 0; !status && i < num; i++) {
            bool found = false;
            status = consider(s, page[i], &found, version);
            if (found) {
                *entry = page[i];
                return MLT_OK;
            }
            from = page[i];
        }
        if (status || num == 0) {
            return status;
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_production_find(const struct mlt_source *src, struct mlt_bytes model, const int64_t *by,
                                    struct mlt_arena *arena, struct mlt_bytes *version, uint64_t *entry,
                                    struct mlt_error *err) {
    struct search s = {.model = model, .by = by};
    *version = (struct mlt_bytes){0};
    enum mlt_status status = mlt_walk_begin(&s.walk, src, arena, err);
    if (!status) {
        status = mlt_stages_load(&s.walk, &s.stages);
    }
    if (!status) {
        status = newest(&s, version, entry);
    }
    mlt_story_clear(s.walk.story);
    return status;
}
