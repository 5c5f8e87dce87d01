// Which version is meant when only the model is named: the one that was last moved to production.
#include "dossier/ask.h"
#include "lineage/walk.h"

#define MOVES_PAGE 256 // transitions read at once; the one looked for is among the newest

static enum mlt_status consider(struct mlt_answer *a, const struct mlt_walk *walk, const struct mlt_stages *stages,
                                uint64_t index, bool *found, struct mlt_error *err) {
    struct mlt_bytes bytes;
    struct mlt_entry entry;
    enum mlt_status status = a->src->entry(a->src->ctx, index, a->arena, &bytes, err);
    if (!status) {
        status = mlt_entry_parse(&entry, a->arena, bytes, err);
    }
    if (status) {
        return mlt_context(err, status, "entry %llu", (unsigned long long)index);
    }
    const struct mlt_json *json = &entry.json;
    const struct mlt_bytes stage = mlt_json_string(json, mlt_json_get(json, entry.facts, "to_stage"), a->arena);
    const bool in_time = !a->ask->has_at || !entry.has_time || entry.time <= a->ask->at;
    *found = in_time && mlt_stages_production(walk, stages, stage);
    if (*found) {
        // The text may stand in the entry itself, which outlives the tape.
        a->version = mlt_json_string(json, mlt_json_get(json, entry.facts, "model_version"), a->arena);
    }
    mlt_entry_clear(&entry);
    return MLT_OK;
}

static enum mlt_status search(struct mlt_answer *a, const struct mlt_walk *walk, const struct mlt_stages *stages,
                              uint64_t *entry, struct mlt_error *err) {
    struct mlt_term terms[2];
    uint64_t page[MOVES_PAGE];
    uint64_t from = UINT64_MAX;
    bool more = true;
    const struct mlt_bytes kind = mlt_str(mlt_kind_info(MLT_KIND_TRANSITION)->name);
    mlt_term_make(&terms[0], a->src->index_key, MLT_DIM_USES_MODEL, &a->model, 1);
    mlt_term_make(&terms[1], a->src->index_key, MLT_DIM_KIND, &kind, 1);
    while (more) {
        size_t num = 0;
        enum mlt_status status =
            a->src->find(a->src->ctx, terms, 2, from, true, MOVES_PAGE, page, &num, NULL, &more, err);
        for (size_t i = 0; !status && i < num; i++) {
            bool found = false;
            status = consider(a, walk, stages, page[i], &found, err);
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

enum mlt_status mlt_answer_resolve(struct mlt_answer *a, uint64_t *entry, struct mlt_error *err) {
    struct mlt_walk walk;
    struct mlt_stages stages;
    enum mlt_status status = mlt_walk_begin(&walk, a->src, a->arena, err);
    if (!status) {
        status = mlt_stages_load(&walk, &stages);
    }
    if (!status) {
        status = search(a, &walk, &stages, entry, err);
    }
    mlt_story_clear(walk.story);
    return status;
}
