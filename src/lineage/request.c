// The predictions of one request: which records are one prediction, and which prediction was served.
#include <inttypes.h>

#include "lineage/finding.h"
#include "lineage/halves.h"

// A request has a few decisions, notices and the like; they share the page with its predictions, which may
// come in halves.
#define REQUEST_ENTRIES_MAX (2 * MLT_STORY_PREDICTIONS_MAX + 1000)

// Both have the member and it differs.
static bool differs(const struct mlt_node *a, const struct mlt_node *b, const char *member) {
    struct mlt_value x = mlt_node_get(a, member), y = mlt_node_get(b, member);
    return x.json != NULL && y.json != NULL && !mlt_json_equal(x.json, x.at, y.json, y.at);
}

static bool is_half(const struct mlt_node *node) {
    return mlt_half_is_side(node->parts[0].half);
}

// Design section 6.5: request_id and row are the same; of model, version and deployment what both give. Halves belong
// together by what paired them, and then a response by another model contradicts the first.
static bool same_prediction(const struct mlt_walk *w, const struct mlt_node *a, const struct mlt_node *b) {
    if (a->has_row != b->has_row || a->row != b->row || differs(a, b, "deployment")) {
        return false;
    }
    if (is_half(a) && is_half(b)) {
        return mlt_bytes_equal(mlt_halves_pair_id(a, w->arena), mlt_halves_pair_id(b, w->arena));
    }
    return !differs(a, b, "model") && !differs(a, b, "model_version");
}

static enum mlt_status ambiguous(struct mlt_walk *w, const struct mlt_node *fresh) {
    struct mlt_grounds g = {0};
    size_t num = 0;
    for (size_t i = 0; i < w->story->predictions.num; i++) {
        if (same_prediction(w, w->story->predictions.nodes[i], fresh)) {
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
        if (same_prediction(w, list->nodes[i], fresh)) {
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

static enum mlt_status add_of_request(struct mlt_walk *w, struct mlt_node *node) {
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

// Entries of one request as they are gathered from several look-ups.
struct gathered {
    struct mlt_node_list list;
    uint64_t beyond; // found and not read
};

static bool is_gathered(const struct gathered *g, uint64_t entry) {
    for (size_t i = 0; i < g->list.num; i++) {
        if (g->list.nodes[i]->entry == entry) {
            return true;
        }
    }
    return false;
}

static bool is_prediction(const struct mlt_node *node) {
    return node->kind == MLT_KIND_PREDICTION;
}

static bool has_prediction(const struct gathered *g) {
    for (size_t i = 0; i < g->list.num; i++) {
        if (is_prediction(g->list.nodes[i])) {
            return true;
        }
    }
    return false;
}

// Reads what is under the term. With a `pair` id only the predictions that it pairs count.
static enum mlt_status gather(struct mlt_walk *w, const struct mlt_term *term, struct mlt_bytes pair,
                              struct gathered *g) {
    uint64_t found[REQUEST_ENTRIES_MAX], total = 0;
    size_t num = 0;
    bool more = false;
    const bool first = g->list.num == 0;
    enum mlt_status status =
        w->src->find(w->src->ctx, term, 1, 0, false, REQUEST_ENTRIES_MAX, found, &num, &total, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct mlt_node *node;
        if (!first && is_gathered(g, found[i])) {
            continue;
        }
        status = mlt_node_load(w, found[i], &node);
        if (status == MLT_OK && pair.len > 0 && is_prediction(node) &&
            !mlt_bytes_equal(mlt_halves_pair_id(node, w->arena), pair)) {
            continue;
        }
        if (status == MLT_OK && !mlt_list_add(w->arena, &g->list, node)) {
            status = mlt_node_no_memory(w);
        }
    }
    g->beyond += total - num;
    return status;
}

static enum mlt_status gather_request(struct mlt_walk *w, struct mlt_bytes request_id, struct mlt_bytes pair,
                                      struct gathered *g) {
    struct mlt_term term;
    mlt_source_term(w->src, &term, MLT_DIM_REQUEST, &request_id, 1);
    return gather(w, &term, pair, g);
}

static enum mlt_status gather_pair(struct mlt_walk *w, struct mlt_bytes pair, struct gathered *g) {
    struct mlt_term term;
    mlt_walk_term(w, &term, MLT_DIM_EVENT, mlt_str("prediction"), pair);
    return gather(w, &term, pair, g);
}

// Servers give a response an id of its own where the request had none, so that its other half is under another name.
static enum mlt_status gather_other_half(struct mlt_walk *w, const struct mlt_node *half, struct gathered *g) {
    struct mlt_bytes pair = mlt_halves_pair_id(half, w->arena);
    struct mlt_bytes own = mlt_node_string(half, "request_id", w->arena);
    for (size_t i = 0; i < g->list.num; i++) {
        const struct mlt_node *other = g->list.nodes[i];
        if (is_prediction(other) && other->parts[0].half != half->parts[0].half &&
            mlt_bytes_equal(mlt_halves_pair_id(other, w->arena), pair)) {
            return MLT_OK;
        }
    }
    enum mlt_status status = gather_pair(w, pair, g);
    if (status == MLT_OK) {
        status = gather_request(w, pair, pair, g);
    }
    return status == MLT_OK && !mlt_bytes_equal(own, pair) ? gather_request(w, own, pair, g) : status;
}

static enum mlt_status gather_other_halves(struct mlt_walk *w, struct gathered *g) {
    const size_t num = g->list.num;
    struct mlt_bytes done = {0};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        const struct mlt_node *node = g->list.nodes[i];
        if (is_prediction(node) && is_half(node) && !mlt_bytes_equal(done, mlt_halves_pair_id(node, w->arena))) {
            done = mlt_halves_pair_id(node, w->arena); // rows come one after the other
            status = gather_other_half(w, node, g);
        }
    }
    return status;
}

// What is asked for: a request, or one row of it. Row 0 is also the only prediction of a request without rows, and a
// half without rows is that of every row.
static bool is_asked(const struct mlt_story *story, const struct mlt_node *node) {
    return !story->has_row || !is_prediction(node) || (node->has_row && node->row == story->row) ||
           (!node->has_row && (story->row == 0 || is_half(node)));
}

static enum mlt_status take_gathered(struct mlt_walk *w, struct gathered *g) {
    enum mlt_status status = MLT_OK;
    bool found = false;
    mlt_list_sort(&g->list);
    for (size_t i = 0; i < g->list.num; i++) {
        const struct mlt_node *node = g->list.nodes[i];
        found = found || (is_prediction(node) && is_asked(w->story, node) && (node->has_row || w->story->row == 0));
    }
    for (size_t i = 0; found && status == MLT_OK && i < g->list.num; i++) {
        status = is_asked(w->story, g->list.nodes[i]) ? add_of_request(w, g->list.nodes[i]) : MLT_OK;
    }
    w->story->predictions.total += found ? g->beyond : 0;
    return status;
}

bool mlt_request_row(struct mlt_bytes asked, struct mlt_bytes *request_id, uint64_t *row) {
    size_t at = asked.len;
    while (at > 0 && asked.ptr[at - 1] != '#') {
        at--;
    }
    *request_id = mlt_bytes_of(asked.ptr, at > 0 ? at - 1 : 0);
    return at > 1 && mlt_decimal_decode(row, mlt_bytes_of(asked.ptr + at, asked.len - at));
}

// The id as it stands wins: a request_id may have a '#' in it.
static enum mlt_status gather_asked(struct mlt_walk *w, struct mlt_bytes asked, struct gathered *g) {
    struct mlt_story *story = w->story;
    struct mlt_bytes request_id;
    uint64_t row = 0;
    story->request_id = mlt_arena_copy(w->arena, asked);
    enum mlt_status status = gather_request(w, asked, (struct mlt_bytes){0}, g);
    if (status == MLT_OK && !has_prediction(g)) {
        status = gather_pair(w, asked, g);
    }
    if (status != MLT_OK || has_prediction(g) || !mlt_request_row(asked, &request_id, &row)) {
        return status;
    }
    *g = (struct gathered){0};
    story->request_id = mlt_arena_copy(w->arena, request_id);
    story->has_row = true;
    story->row = row;
    status = gather_request(w, request_id, (struct mlt_bytes){0}, g);
    return status == MLT_OK && !has_prediction(g) ? gather_pair(w, request_id, g) : status;
}

enum mlt_status mlt_walk_predictions(struct mlt_walk *w, struct mlt_bytes request_id) {
    struct gathered g = {0};
    enum mlt_status status = gather_asked(w, request_id, &g);
    status = status == MLT_OK ? gather_other_halves(w, &g) : status;
    status = status == MLT_OK ? take_gathered(w, &g) : status;
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
    return a->has_row && b->has_row && !differs(a, b, "model") && !differs(a, b, "model_version") &&
           !differs(a, b, "deployment");
}

static bool of_component(const struct mlt_node *prediction) {
    return mlt_value_given(mlt_value_get(mlt_node_get(prediction, "deployment"), "component"));
}

// A prediction that another one of the request speaks for: a request whose answer is in its rows, and what a
// transformer in front of the predictor logged.
static bool stands_aside(const struct mlt_walk *w, const struct mlt_node *prediction) {
    const struct mlt_node_list *list = &w->story->predictions;
    const bool component = of_component(prediction);
    const bool unanswered = !mlt_node_has_half(prediction, MLT_HALF_RESPONSE);
    for (size_t i = 0; (component || unanswered) && i < list->num; i++) {
        const struct mlt_node *other = list->nodes[i];
        if (other != prediction && mlt_prediction_may_be_served(w, other) &&
            ((component && !of_component(other)) || (unanswered && mlt_node_has_half(other, MLT_HALF_RESPONSE)))) {
            return true;
        }
    }
    return false;
}

enum mlt_status mlt_walk_choose_served(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    const struct mlt_node *served = NULL;
    struct mlt_grounds g = {0};
    size_t num = 0;
    for (size_t i = 0; i < story->predictions.num; i++) {
        const struct mlt_node *p = story->predictions.nodes[i];
        if (!mlt_prediction_may_be_served(w, p) || stands_aside(w, p)) {
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
