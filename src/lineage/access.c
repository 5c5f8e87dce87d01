// Who looked: accesses to the predictions, the model versions and the datasets of a story, the newest of each.
#include <inttypes.h>

#include "lineage/finding.h"

#define EDGES_MAX 16 // accesses of one node that the picture shows

static bool same_access(const struct mlt_node *a, const struct mlt_node *b) {
    const struct mlt_entry *x = &a->parts[0].entry, *y = &b->parts[0].entry;
    return mlt_bytes_equal(x->id, y->id) && mlt_bytes_equal(x->principal, y->principal) &&
           mlt_node_get(a, "event_id").json != NULL;
}

// An access that was recorded when it began and again when it was over is one: the later entry, found first, joins the
// earlier one, which takes its place.
static enum mlt_status join_halves(const struct mlt_walk *w, struct mlt_node **nodes, size_t num) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 1; status == MLT_OK && i < num; i++) {
        for (size_t k = 0; k < i; k++) {
            if (nodes[k] && nodes[k]->num_parts == 1 && same_access(nodes[i], nodes[k])) {
                status = mlt_node_join(w, nodes[i], nodes[k]);
                nodes[k] = nodes[i];
                nodes[i] = NULL;
                break;
            }
        }
    }
    return status;
}

static enum mlt_status add_accesses(struct mlt_walk *w, const char *type, struct mlt_bytes id,
                                    const struct mlt_node *to) {
    struct mlt_node_list *list = &w->story->access;
    struct mlt_term term;
    uint64_t found[MLT_STORY_ACCESS_MAX], total = 0;
    struct mlt_node *nodes[MLT_STORY_ACCESS_MAX];
    size_t num = 0;
    bool more = false;
    if (id.len == 0) {
        return MLT_OK;
    }
    mlt_walk_term(w, &term, MLT_DIM_RESOURCE, mlt_str(type), id);
    enum mlt_status status =
        w->src->find(w->src->ctx, &term, 1, UINT64_MAX, true, MLT_STORY_ACCESS_MAX, found, &num, &total, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        status = mlt_node_load(w, found[i], &nodes[i]);
    }
    if (status == MLT_OK) {
        status = join_halves(w, nodes, num);
    }
    for (size_t i = 0, shown = 0; status == MLT_OK && i < num; i++) {
        if (nodes[i] && !mlt_list_add(w->arena, list, nodes[i])) {
            status = mlt_node_no_memory(w);
        }
        if (status == MLT_OK && nodes[i] && shown++ < EDGES_MAX) {
            status = mlt_walk_edge(w, nodes[i], to, "access");
        }
    }
    list->total += total;
    return status;
}

static enum mlt_status accesses_to_named(struct mlt_walk *w, const struct mlt_node_list *list, const char *type,
                                         const char *name_member, const char *version_member) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < list->num; i++) {
        struct mlt_bytes name = mlt_node_string(list->nodes[i], name_member, w->arena);
        struct mlt_bytes version = mlt_node_string(list->nodes[i], version_member, w->arena);
        bool again = false;
        status = add_accesses(w, type, mlt_walk_join(w, name, '/', version), list->nodes[i]);
        for (size_t n = 0; n < i && !again; n++) {
            again = mlt_bytes_equal(mlt_node_string(list->nodes[n], name_member, w->arena), name);
        }
        if (status == MLT_OK && !again) {
            status = add_accesses(w, type, name, list->nodes[i]);
        }
    }
    return status;
}

enum mlt_status mlt_walk_access(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    const struct mlt_node *first = story->predictions.num > 0 ? story->predictions.nodes[0] : NULL;
    enum mlt_status status = add_accesses(w, "prediction_log", story->request_id, first);
    if (status == MLT_OK) {
        status = add_accesses(w, "trail", story->request_id, first);
    }
    if (status == MLT_OK && story->has_row) {
        const char *row = mlt_arena_printf(w->arena, "%.*s#%" PRIu64, MLT_ARG(story->request_id), story->row);
        status = row == NULL ? mlt_node_no_memory(w) : add_accesses(w, "prediction_log", mlt_str(row), first);
    }
    if (status == MLT_OK) {
        status = accesses_to_named(w, &story->model_versions, "model_registry", "model", "model_version");
    }
    if (status == MLT_OK) {
        status = accesses_to_named(w, &story->dataset_versions, "training_data", "dataset", "version");
    }
    mlt_list_sort(&story->access);
    if (story->access.num > MLT_STORY_ACCESS_MAX) {
        story->access.nodes += story->access.num - MLT_STORY_ACCESS_MAX;
        story->access.num = MLT_STORY_ACCESS_MAX;
    }
    return status;
}
