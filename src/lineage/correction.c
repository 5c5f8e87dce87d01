// Corrections: attached to what they correct, beside it and never in its place.
#include <inttypes.h>

#include "lineage/finding.h"

// How a correction may name what it corrects: by the number or id of an entry, or by its identity.
#define NAMES_MAX 4

static size_t part_names(const struct mlt_walk *w, const struct mlt_part *part, struct mlt_bytes out[NAMES_MAX]) {
    size_t num = 0;
    char *number = mlt_arena_printf(w->arena, "entry:%" PRIu64, part->index);
    if (number != NULL) {
        out[num++] = mlt_str(number + strlen("entry:"));
        out[num++] = mlt_str(number);
    }
    if (part->entry.id.len > 0) {
        out[num++] = part->entry.id;
    }
    return num;
}

static size_t identity_name(const struct mlt_walk *w, const struct mlt_node *node, struct mlt_bytes out[NAMES_MAX]) {
    static const struct {
        enum mlt_kind kind;
        const char *prefix, *name, *version;
    } forms[] = {
        {MLT_KIND_PREDICTION, "prediction", "request_id", NULL},
        {MLT_KIND_DATASET_VERSION, "dataset", "dataset", "version"},
        {MLT_KIND_MODEL_VERSION, "model", "model", "model_version"},
        {MLT_KIND_TRAINING_RUN, "job", "training_job_id", NULL},
        {MLT_KIND_APPROVAL, "approval", "approval_reference", NULL},
    };
    size_t num = 0;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (forms[i].kind != node->kind) {
            continue;
        }
        struct mlt_bytes ref =
            mlt_walk_join(w, mlt_str(forms[i].prefix), ':', mlt_node_string(node, forms[i].name, w->arena));
        out[num++] = forms[i].version == NULL
                         ? ref
                         : mlt_walk_join(w, ref, '/', mlt_node_string(node, forms[i].version, w->arena));
    }
    return num;
}

static bool has_part(const struct mlt_node *node, uint64_t entry) {
    for (size_t i = 0; i < node->num_parts; i++) {
        if (node->parts[i].index == entry) {
            return true;
        }
    }
    return false;
}

static enum mlt_status attach(const struct mlt_walk *w, struct mlt_node *node, uint64_t entry) {
    struct mlt_node *correction;
    enum mlt_status status = mlt_node_load(w, entry, &correction);
    if (status != MLT_OK || correction->kind != MLT_KIND_CORRECTION || has_part(node, entry)) {
        return status;
    }
    struct mlt_part *parts = mlt_arena_take(w->arena, (node->num_parts + 1) * sizeof(*parts));
    if (parts == NULL) {
        return mlt_node_no_memory(w);
    }
    memcpy(parts, node->parts, node->num_parts * sizeof(*parts));
    parts[node->num_parts] = correction->parts[0];
    parts[node->num_parts].relation = MLT_REL_CORRECTS;
    node->parts = parts;
    node->num_parts++;
    for (size_t i = 0; i < w->story->related.num; i++) {
        if (w->story->related.nodes[i]->entry == entry) {
            return MLT_OK;
        }
    }
    return mlt_list_add(w->arena, &w->story->related, correction) ? MLT_OK : mlt_node_no_memory(w);
}

#define CORRECTIONS_MAX 64 // of one record

static enum mlt_status attach_named(const struct mlt_walk *w, struct mlt_node *node, const struct mlt_bytes *names,
                                    size_t num_names) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < num_names; i++) {
        struct mlt_term term;
        uint64_t found[CORRECTIONS_MAX];
        size_t num = 0;
        bool more = false;
        mlt_source_term(w->src, &term, MLT_DIM_CORRECTS, &names[i], 1);
        status = w->src->find(w->src->ctx, &term, 1, 0, false, CORRECTIONS_MAX, found, &num, NULL, &more, w->err);
        for (size_t f = 0; status == MLT_OK && f < num; f++) {
            status = attach(w, node, found[f]);
        }
    }
    return status;
}

enum mlt_status mlt_node_attach_corrections(const struct mlt_walk *w, struct mlt_node *node) {
    struct mlt_bytes names[NAMES_MAX];
    size_t num_parts = node->num_parts; // attaching adds parts
    enum mlt_status status = attach_named(w, node, names, identity_name(w, node, names));
    for (size_t i = 0; status == MLT_OK && i < num_parts; i++) {
        status = attach_named(w, node, names, part_names(w, &node->parts[i], names));
    }
    return status;
}
