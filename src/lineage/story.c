// The story of one request, or of one model version: which predictions there are, which was served, what follows.
#include <inttypes.h>
#include <stdio.h>

#include "lineage/finding.h"

// A request has a few decisions, notices and the like; they share the page with its predictions.
#define REQUEST_ENTRIES_MAX (MLT_STORY_PREDICTIONS_MAX + 1000)

enum mlt_status mlt_walk_begin(struct mlt_walk *w, const struct mlt_source *src, struct mlt_arena *arena,
                               struct mlt_error *err) {
    *w = (struct mlt_walk){.src = src, .arena = arena, .err = err, .story = mlt_arena_zero(arena, sizeof(*w->story))};
    return w->story == NULL ? mlt_node_no_memory(w) : MLT_OK;
}

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
    mlt_term_make(&term, w->src->index_key, MLT_DIM_REQUEST, &request_id, 1);
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

// How a correction may name what it corrects: the entry's number, or its identity.
static size_t correction_names(const struct mlt_walk *w, const struct mlt_node *node, struct mlt_bytes out[4]) {
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
    char *number = mlt_arena_printf(w->arena, "entry:%" PRIu64, node->entry);
    if (number != NULL) {
        out[num++] = mlt_str(number + strlen("entry:"));
        out[num++] = mlt_str(number);
    }
    if (node->parts[0].entry.id.len > 0) {
        out[num++] = node->parts[0].entry.id;
    }
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

enum mlt_status mlt_node_attach_corrections(const struct mlt_walk *w, struct mlt_node *node) {
    struct mlt_bytes names[4];
    size_t num_names = correction_names(w, node, names);
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < num_names; i++) {
        struct mlt_term term;
        uint64_t found[CORRECTIONS_MAX];
        size_t num = 0;
        bool more = false;
        mlt_term_make(&term, w->src->index_key, MLT_DIM_CORRECTS, &names[i], 1);
        status = w->src->find(w->src->ctx, &term, 1, 0, false, CORRECTIONS_MAX, found, &num, NULL, &more, w->err);
        for (size_t f = 0; status == MLT_OK && f < num; f++) {
            status = attach(w, node, found[f]);
        }
    }
    return status;
}

bool mlt_prediction_is_shadow(const struct mlt_walk *w, const struct mlt_node *prediction) {
    struct mlt_bytes variant =
        mlt_value_string(mlt_value_get(mlt_node_get(prediction, "deployment"), "variant"), w->arena);
    return mlt_bytes_is(variant, "shadow") || mlt_bytes_is(variant, "challenger");
}

static bool may_be_served(const struct mlt_walk *w, const struct mlt_node *prediction) {
    return !mlt_prediction_is_shadow(w, prediction) &&
           !mlt_bytes_is(mlt_node_string(prediction, "status", w->arena), "error");
}

// Rows of one request are one answer.
static bool same_answer(const struct mlt_node *a, const struct mlt_node *b) {
    return mlt_node_get(a, "row").json != NULL && mlt_node_get(b, "row").json != NULL && !differs(a, b, "model") &&
           !differs(a, b, "model_version") && !differs(a, b, "deployment");
}

static enum mlt_status choose_served(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    const struct mlt_node *served = NULL;
    struct mlt_grounds g = {0};
    size_t num = 0;
    for (size_t i = 0; i < story->predictions.num; i++) {
        const struct mlt_node *p = story->predictions.nodes[i];
        if (!may_be_served(w, p)) {
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

static enum mlt_status resolve(struct mlt_walk *w, struct mlt_node *prediction) {
    struct mlt_resolution resolution;
    struct mlt_story *story = w->story;
    size_t num = 0;
    enum mlt_status status = mlt_force_resolve(w, prediction, &resolution, &num);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, prediction);
    if (num != 1) {
        return mlt_finding_add(
            w, MLT_F_MODEL_VERSION_UNRESOLVED, &g,
            "%s does not name its model version, and %zu versions were in production at its deployment "
            "at its time",
            mlt_node_label(w, prediction), num);
    }
    mlt_grounds_add(&g, resolution.entry);
    status = mlt_finding_add(
        w, MLT_F_MODEL_VERSION_RESOLVED, &g,
        "%s does not name its model version; %.*s/%.*s was in production there since entry %" PRIu64,
        mlt_node_label(w, prediction), MLT_ARG(resolution.model), MLT_ARG(resolution.model_version), resolution.entry);
    struct mlt_resolution *all = mlt_arena_take(w->arena, (story->num_resolutions + 1) * sizeof(*all));
    if (all == NULL) {
        return mlt_node_no_memory(w);
    }
    if (story->num_resolutions > 0) {
        memcpy(all, story->resolutions, story->num_resolutions * sizeof(*all));
    }
    all[story->num_resolutions++] = resolution;
    story->resolutions = all;
    return status;
}

// The version of a prediction: as named, else as resolved, else empty.
static void version_of(const struct mlt_walk *w, const struct mlt_node *prediction, struct mlt_bytes *model,
                       struct mlt_bytes *version, bool *resolved) {
    *model = mlt_node_string(prediction, "model", w->arena);
    *version = mlt_node_string(prediction, "model_version", w->arena);
    *resolved = false;
    for (size_t i = 0; i < w->story->num_resolutions; i++) {
        if (w->story->resolutions[i].prediction == prediction) {
            *model = w->story->resolutions[i].model;
            *version = w->story->resolutions[i].model_version;
            *resolved = true;
        }
    }
}

static enum mlt_status walk_prediction(struct mlt_walk *w, struct mlt_node *prediction) {
    struct mlt_bytes model, version;
    bool resolved;
    enum mlt_status status = MLT_OK;
    version_of(w, prediction, &model, &version, &resolved);
    if (model.len == 0 || version.len == 0) {
        status = resolve(w, prediction);
        version_of(w, prediction, &model, &version, &resolved);
    }
    if (status != MLT_OK || model.len == 0 || version.len == 0) {
        return status;
    }
    status = mlt_walk_version(w, model, version, prediction, resolved ? "resolved" : "made by");
    if (status == MLT_OK) {
        status = mlt_walk_approvals(w, model, version);
    }
    return status == MLT_OK ? mlt_walk_transitions(w, model, version) : status;
}

enum mlt_status mlt_walk_subject(struct mlt_walk *w, const struct mlt_node *prediction, struct mlt_subject *out) {
    struct mlt_story *story = w->story;
    struct mlt_value deployment = {.at = MLT_JSON_NONE};
    struct mlt_moment by_log = {.by_log = true, .position = w->src->size};
    struct mlt_moment by_time = {.by_log = false, .at = INT64_MAX};
    struct mlt_standing log, time;
    struct mlt_stages stages;
    bool resolved;
    *out = (struct mlt_subject){.prediction = prediction};
    if (prediction != NULL) {
        version_of(w, prediction, &out->model, &out->version, &resolved);
        deployment = mlt_node_get(prediction, "deployment");
        by_log.position = prediction->entry;
        mlt_node_time(prediction, &by_time.at);
    } else if (story->model_versions.num > 0) {
        out->model = mlt_node_string(story->model_versions.nodes[0], "model", w->arena);
        out->version = mlt_node_string(story->model_versions.nodes[0], "model_version", w->arena);
    }
    out->registered = mlt_story_version(w, out->model, out->version);
    enum mlt_status status = mlt_stages_load(w, &stages);
    if (status == MLT_OK) {
        status =
            mlt_force_standing(w, &stages, &story->transitions, out->model, out->version, deployment, &by_log, &log);
    }
    if (status == MLT_OK) {
        status =
            mlt_force_standing(w, &stages, &story->transitions, out->model, out->version, deployment, &by_time, &time);
    }
    if (status == MLT_OK) {
        out->in_force.by_log = log.since != NULL ? log.since : log.last;
        out->in_force.by_time = time.since != NULL ? time.since : time.last;
        out->in_production_by_log = log.since != NULL;
        out->in_production_by_time = time.since != NULL;
    }
    return status;
}

static enum mlt_status truncated(struct mlt_walk *w, const struct mlt_node_list *list, const char *what) {
    struct mlt_grounds g = {0};
    if (list->total <= list->num) {
        return MLT_OK;
    }
    mlt_grounds_add_node(&g, list->nodes[0]);
    mlt_grounds_add_node(&g, list->nodes[list->num - 1]);
    return mlt_finding_add(w, MLT_F_LIST_TRUNCATED, &g, "%zu of %" PRIu64 " %s are here", list->num, list->total, what);
}

static enum mlt_status check_lists(struct mlt_walk *w) {
    struct mlt_story *s = w->story;
    struct {
        struct mlt_node_list *list;
        const char *what;
    } lists[] = {{&s->predictions, "predictions"},
                 {&s->model_versions, "model versions"},
                 {&s->training_runs, "training runs"},
                 {&s->dataset_versions, "dataset versions"},
                 {&s->approvals, "approvals"},
                 {&s->transitions, "transitions"},
                 {&s->access, "accesses"},
                 {&s->related, "related records"}};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < sizeof(lists) / sizeof(lists[0]); i++) {
        mlt_list_sort(lists[i].list);
        status = lists[i].list->num > 0 ? truncated(w, lists[i].list, lists[i].what) : MLT_OK;
    }
    return status;
}

static enum mlt_status check_subject(struct mlt_walk *w, const struct mlt_subject *s) {
    typedef enum mlt_status check(struct mlt_walk * w, const struct mlt_subject *s);
    static check *const checks[] = {mlt_check_identity, mlt_check_artifact, mlt_check_approval, mlt_check_deployment};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        status = s->version.len > 0 ? checks[i](w, s) : MLT_OK;
    }
    return status;
}

static enum mlt_status check_all(struct mlt_walk *w) {
    typedef enum mlt_status check(struct mlt_walk * w);
    static check *const checks[] = {mlt_check_links,  mlt_check_data, mlt_check_stages,
                                    mlt_check_stream, mlt_check_time, mlt_check_evidence};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        status = checks[i](w);
    }
    return status;
}

enum mlt_status mlt_walk_finish(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    enum mlt_status status = check_lists(w);
    // The served prediction is the subject; when it cannot be told, each that may have been served.
    for (size_t i = 0; status == MLT_OK && i < story->predictions.num; i++) {
        const struct mlt_node *p = story->predictions.nodes[i];
        struct mlt_subject subject;
        if (story->served != NULL ? p != story->served : !may_be_served(w, p)) {
            continue;
        }
        status = mlt_walk_subject(w, p, &subject);
        if (status == MLT_OK && p == story->served) {
            story->in_force = subject.in_force;
        }
        status = status == MLT_OK ? check_subject(w, &subject) : status;
    }
    status = status == MLT_OK ? check_all(w) : status;
    mlt_finding_sort(story);
    return status;
}

enum mlt_status mlt_story_tell(const struct mlt_source *src, struct mlt_bytes request_id, struct mlt_arena *arena,
                               struct mlt_story **out, struct mlt_error *err) {
    struct mlt_walk w;
    *out = NULL;
    enum mlt_status status = mlt_walk_begin(&w, src, arena, err);
    if (status != MLT_OK) {
        return status;
    }
    w.story->request_id = mlt_arena_copy(arena, request_id);
    status = mlt_walk_predictions(&w, request_id);
    if (status == MLT_OK && w.story->predictions.num == 0) {
        status = mlt_fail(err, MLT_NOTFOUND, "no prediction has the request_id '%.*s'", MLT_ARG(request_id));
    }
    if (status == MLT_OK) {
        status = choose_served(&w);
    }
    for (size_t i = 0; status == MLT_OK && i < w.story->predictions.num; i++) {
        status = walk_prediction(&w, w.story->predictions.nodes[i]);
    }
    status = status == MLT_OK ? mlt_walk_access(&w) : status;
    status = status == MLT_OK ? mlt_walk_finish(&w) : status;
    if (status != MLT_OK) {
        mlt_story_clear(w.story);
        return status;
    }
    *out = w.story;
    return MLT_OK;
}

enum mlt_status mlt_story_tell_version(const struct mlt_source *src, struct mlt_bytes model, struct mlt_bytes version,
                                       struct mlt_arena *arena, struct mlt_story **out, struct mlt_error *err) {
    struct mlt_walk w;
    struct mlt_subject subject;
    *out = NULL;
    enum mlt_status status = mlt_walk_begin(&w, src, arena, err);
    status = status == MLT_OK ? mlt_walk_version(&w, model, version, NULL, "names") : status;
    status = status == MLT_OK ? mlt_walk_approvals(&w, model, version) : status;
    status = status == MLT_OK ? mlt_walk_transitions(&w, model, version) : status;
    if (status == MLT_OK && w.story->model_versions.num + w.story->approvals.num + w.story->transitions.num == 0) {
        status = mlt_fail(err, MLT_NOTFOUND, "no record names the model version '%.*s/%.*s'", MLT_ARG(model),
                          MLT_ARG(version));
    }
    status = status == MLT_OK ? mlt_walk_access(&w) : status;
    if (status == MLT_OK) {
        status = mlt_walk_subject(&w, NULL, &subject);
        subject.model = model;
        subject.version = version;
        w.story->in_force = subject.in_force;
    }
    status = status == MLT_OK ? check_subject(&w, &subject) : status;
    status = status == MLT_OK ? mlt_walk_finish(&w) : status;
    if (status != MLT_OK) {
        if (w.story != NULL) {
            mlt_story_clear(w.story);
        }
        return status;
    }
    *out = w.story;
    return MLT_OK;
}
