// The predictions of one request: which records are one prediction, and which prediction was served.
#include <inttypes.h>

#include "lineage/finding.h"

// A request has a few decisions, notices and the like; they share the page with its predictions.
#define REQUEST_ENTRIES_MAX (MLT_STORY_PREDICTIONS_MAX + 1000)

// Both have the member and it differs.
static bool differs(const struct mlt_node *a, const struct mlt_node *b, const char *member) {
    struct mlt_value x = mlt_node_get(a, member), y = mlt_node_get(b, member);
    return x.json != NULL && y.json != NULL && !mlt_json_equal(x.json, x.at, y.json, y.at);
}

// Design section 6.5: request_id and row are the same; of model, version and deployment what both give.
static bool same_prediction(const struct mlt_node *a, const struct mlt_node *b) {
    bool row_a = mlt_node_get(a, "row").json != NULL, row_b = mlt_node_get(b, "row").json != NULL;
    return row_a == row_b && !differs(a, b, "row") && !differs(a, b, "model") && !differs(a, b, "model_version") &&
           !differs(a, b, "deployment");
}

static enum mlt_status ambiguous(struct mlt_walk *w, const struct mlt_node *fresh) {
    struct mlt_grounds g = {0};
    size_t num = 0;
    for (size_t i = 0; i < w->story->predictions.num; i++) {
        if (same_prediction(w->story->predictions.nodes[i], fresh)) {
            mlt_grounds_add_node(&g, w->story->predictions.nodes[i]);
            num++;
        }
    }
    mlt_grounds_add_node(&g, fresh);
    return mlt_finding_add(w, MLT_F_PREDICTION_AMBIGUOUS, &g, "%s fits %zu earlier records with this request_id",
                           mlt_node_label(w, fresh), num);
}

static enum mlt_status add_prediction(struct mlt_walk *w, struct mlt_node *fresh) {
    struct mlt_node_list *list = &w->story->predictions;
    struct mlt_node *fits = NULL;
    size_t num_fits = 0;
    for (size_t i = 0; i < list->num; i++) {
        if (same_prediction(list->nodes[i], fresh)) {
            fits = list->nodes[i];
            num_fits++;
        }
    }
    if (num_fits == 1) {
        return mlt_node_join(w, fits, fresh);
    }
    enum mlt_status status = num_fits > 1 ? ambiguous(w, fresh) : MLT_OK;
    if (list->num < MLT_STORY_PREDICTIONS_MAX && !mlt_list_add(w->arena, list, fresh)) {
        return mlt_node_no_memory(w);
    }
    list->total++;
    return status;
}

static enum mlt_status add_of_request(struct mlt_walk *w, uint64_t index) {
    struct mlt_node *node;
    enum mlt_status status = mlt_node_load(w, index, &node);
    if (status != MLT_OK) {
        return status;
    }
    switch (node->kind) {
    case MLT_KIND_PREDICTION:
        return add_prediction(w, node);
    case MLT_KIND_DECISION:
    case MLT_KIND_OVERSIGHT:
    case MLT_KIND_EXPLANATION:
    case MLT_KIND_NOTICE:
    case MLT_KIND_OUTCOME:
        return mlt_list_add(w->arena, &w->story->related, node) ? MLT_OK : mlt_node_no_memory(w);
    default:
        return MLT_OK;
    }
}

enum mlt_status mlt_walk_predictions(struct mlt_walk *w, struct mlt_bytes request_id) {
    struct mlt_term term;
    uint64_t found[REQUEST_ENTRIES_MAX], total = 0;
    size_t num = 0;
    bool more = false;
    mlt_source_term(w->src, &term, MLT_DIM_REQUEST, &request_id, 1);
    enum mlt_status status =
        w->src->find(w->src->ctx, &term, 1, 0, false, REQUEST_ENTRIES_MAX, found, &num, &total, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        status = add_of_request(w, found[i]);
    }
    w->story->predictions.total += total - num;
    for (size_t i = 0; status == MLT_OK && i < w->story->predictions.num; i++) {
        status = mlt_node_attach_corrections(w, w->story->predictions.nodes[i]);
    }
    for (size_t i = 0; status == MLT_OK && i < w->story->related.num && w->story->predictions.num > 0; i++) {
        const char *how = mlt_arena_cstr(w->arena, w->story->related.nodes[i]->parts[0].entry.kind_name);
        status = how == NULL ? mlt_node_no_memory(w)
                             : mlt_walk_edge(w, w->story->related.nodes[i], w->story->predictions.nodes[0], how);
    }
    return status;
}

static bool is_shadow(const struct mlt_walk *w, const struct mlt_node *prediction) {
    struct mlt_bytes variant =
        mlt_value_string(mlt_value_get(mlt_node_get(prediction, "deployment"), "variant"), w->arena);
    return mlt_bytes_is(variant, "shadow") || mlt_bytes_is(variant, "challenger");
}

bool mlt_prediction_may_be_served(const struct mlt_walk *w, const struct mlt_node *prediction) {
    return !is_shadow(w, prediction) && !mlt_bytes_is(mlt_node_string(prediction, "status", w->arena), "error");
}

// Rows of one request are one answer.
static bool same_answer(const struct mlt_node *a, const struct mlt_node *b) {
    return mlt_node_get(a, "row").json != NULL && mlt_node_get(b, "row").json != NULL && !differs(a, b, "model") &&
           !differs(a, b, "model_version") && !differs(a, b, "deployment");
}

enum mlt_status mlt_walk_choose_served(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    const struct mlt_node *served = NULL;
    struct mlt_grounds g = {0};
    size_t num = 0;
    for (size_t i = 0; i < story->predictions.num; i++) {
        const struct mlt_node *p = story->predictions.nodes[i];
        if (!mlt_prediction_may_be_served(w, p)) {
            continue;
        }
        if (served == NULL || !same_answer(served, p)) {
            mlt_grounds_add_node(&g, p);
            num++;
        }
        served = served == NULL ? p : served;
    }
    if (num == 1) {
        story->served = served;
        return MLT_OK;
    }
    if (num > 1) {
        return mlt_finding_add(w, MLT_F_SERVED_UNCLEAR, &g,
                               "%zu predictions with request_id '%.*s' may have been served", num,
                               MLT_ARG(story->request_id));
    }
    for (size_t i = 0; i < story->predictions.num; i++) {
        mlt_grounds_add_node(&g, story->predictions.nodes[i]);
    }
    return mlt_finding_add(
        w, MLT_F_SERVED_NONE, &g,
        "none of the %zu predictions with request_id '%.*s' was served: all are shadows, challengers or "
        "have status error",
        story->predictions.num, MLT_ARG(story->request_id));
}
