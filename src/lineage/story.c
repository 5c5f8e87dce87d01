// The story of one request, or of one model version: which version made it, what follows, what is wrong.
#include <inttypes.h>

#include "lineage/finding.h"
#include "lineage/halves.h"

enum mlt_status mlt_walk_begin(struct mlt_walk *w, const struct mlt_source *src, struct mlt_arena *arena,
                               struct mlt_error *err) {
    *w = (struct mlt_walk){.src = src, .arena = arena, .err = err, .story = mlt_arena_zero(arena, sizeof(*w->story))};
    return w->story == NULL ? mlt_node_no_memory(w) : MLT_OK;
}

static enum mlt_status unresolved(struct mlt_walk *w, const struct mlt_node *prediction, size_t num) {
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, prediction);
    return mlt_finding_add(w, MLT_F_MODEL_VERSION_UNRESOLVED, &g,
                           "%s does not name its model version, and %zu versions were in production at its deployment "
                           "at its time",
                           mlt_node_label(w, prediction), num);
}

static enum mlt_status add_resolution(struct mlt_walk *w, const struct mlt_resolution *resolution) {
    struct mlt_story *story = w->story;
    struct mlt_resolution *all = mlt_arena_take(w->arena, (story->num_resolutions + 1) * sizeof(*all));
    if (all == NULL) {
        return mlt_node_no_memory(w);
    }
    if (story->num_resolutions > 0) {
        memcpy(all, story->resolutions, story->num_resolutions * sizeof(*all));
    }
    all[story->num_resolutions++] = *resolution;
    story->resolutions = all;
    return MLT_OK;
}

// `served_as`: the names that the prediction gives and that no record of the trail knows; empty: it gives none.
static enum mlt_status resolve(struct mlt_walk *w, struct mlt_node *prediction, const char *served_as) {
    struct mlt_resolution r;
    struct mlt_grounds g = {0};
    size_t num = 0;
    enum mlt_status status = mlt_force_resolve(w, prediction, &r, &num);
    if (status != MLT_OK || (num != 1 && served_as[0] != '\0')) {
        return status;
    }
    if (num != 1) {
        return unresolved(w, prediction, num);
    }
    mlt_grounds_add_node(&g, prediction);
    mlt_grounds_add(&g, r.entry);
    status = mlt_finding_add(
        w, MLT_F_MODEL_VERSION_RESOLVED, &g, "%s %s%s; %.*s/%.*s was in production there since entry %" PRIu64,
        mlt_node_label(w, prediction),
        served_as[0] != '\0' ? "names a version that no record knows, " : "does not name its model version", served_as,
        MLT_ARG(r.model), MLT_ARG(r.model_version), r.entry);
    return status == MLT_OK ? add_resolution(w, &r) : status;
}

struct mlt_resolution *mlt_story_resolution(const struct mlt_story *story, const struct mlt_node *prediction) {
    for (size_t i = 0; i < story->num_resolutions; i++) {
        if (story->resolutions[i].prediction == prediction) {
            return &story->resolutions[i];
        }
    }
    return NULL;
}

// The version of a prediction: as resolved, else as named, else empty.
static void version_of(const struct mlt_walk *w, const struct mlt_node *prediction, struct mlt_bytes *model,
                       struct mlt_bytes *version, bool *resolved) {
    const struct mlt_resolution *r = mlt_story_resolution(w->story, prediction);
    *model = r != NULL ? r->model : mlt_node_string(prediction, "model", w->arena);
    *version = r != NULL ? r->model_version : mlt_node_string(prediction, "model_version", w->arena);
    *resolved = r != NULL;
}

// Serving systems call a model as they please (KServe by its service, Triton by a number of its own). What an inference
// logger names is the trail's own name only if the trail knows it.
static enum mlt_status resolve_unknown(struct mlt_walk *w, struct mlt_node *prediction, struct mlt_bytes model,
                                       struct mlt_bytes version) {
    uint64_t found;
    size_t num = 0;
    bool known = false;
    struct mlt_term term;
    struct mlt_value endpoint = mlt_value_get(mlt_node_get(prediction, "deployment"), "endpoint");
    if (!mlt_half_is_side(prediction->parts[0].half) || !mlt_value_given(endpoint)) {
        return MLT_OK;
    }
    mlt_walk_term(w, &term, MLT_DIM_MODEL_VERSION, model, version);
    enum mlt_status status = w->src->find(w->src->ctx, &term, 1, 0, false, 1, &found, &num, NULL, &known, w->err);
    if (status == MLT_OK && num == 0) {
        mlt_source_term(w->src, &term, MLT_DIM_MOVES_MODEL, &model, 1);
        status = w->src->find(w->src->ctx, &term, 1, 0, false, 1, &found, &num, NULL, &known, w->err);
    }
    if (status != MLT_OK || num > 0) {
        return status;
    }
    const char *names = mlt_arena_printf(w->arena, "%.*s/%.*s", MLT_ARG(model), MLT_ARG(version));
    return names == NULL ? mlt_node_no_memory(w) : resolve(w, prediction, names);
}

static enum mlt_status walk_prediction(struct mlt_walk *w, struct mlt_node *prediction) {
    struct mlt_bytes model, version;
    bool resolved;
    version_of(w, prediction, &model, &version, &resolved);
    enum mlt_status status = model.len == 0 || version.len == 0 ? resolve(w, prediction, "")
                                                                : resolve_unknown(w, prediction, model, version);
    version_of(w, prediction, &model, &version, &resolved);
    if (status != MLT_OK || model.len == 0 || version.len == 0) {
        return status;
    }
    status = mlt_walk_version(w, model, version, prediction, resolved ? "resolved" : "made by");
    const struct mlt_node *registered = mlt_story_version(w, model, version);
    if (status == MLT_OK && resolved && registered != NULL) {
        mlt_story_resolution(w->story, prediction)->artifact = mlt_node_get(registered, "model_artifact_hash");
    }
    if (status == MLT_OK) {
        status = mlt_walk_approvals(w, model, version);
    }
    return status == MLT_OK ? mlt_walk_transitions(w, model, version) : status;
}

enum mlt_status mlt_walk_subject(struct mlt_walk *w, const struct mlt_node *prediction, struct mlt_bytes model,
                                 struct mlt_bytes version, struct mlt_subject *out) {
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
        if (!mlt_node_time(prediction, &by_time.at)) {
            by_time.at = INT64_MAX;
        }
    } else {
        out->model = model;
        out->version = version;
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
    static check *const checks[] = {mlt_check_halves, mlt_check_links, mlt_check_data, mlt_check_stages,
                                    mlt_check_stream, mlt_check_batch, mlt_check_time, mlt_check_evidence};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        status = checks[i](w);
    }
    return status;
}

enum mlt_status mlt_walk_finish(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    enum mlt_status status = mlt_walk_signatures(w);
    status = status == MLT_OK ? check_lists(w) : status;
    // The served prediction is the subject; when it cannot be told, each that may have been served.
    for (size_t i = 0; status == MLT_OK && i < story->predictions.num; i++) {
        const struct mlt_node *p = story->predictions.nodes[i];
        struct mlt_subject subject;
        if (story->served != NULL ? p != story->served : !mlt_prediction_may_be_served(w, p)) {
            continue;
        }
        status = mlt_walk_subject(w, p, (struct mlt_bytes){0}, (struct mlt_bytes){0}, &subject);
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
    status = mlt_walk_predictions(&w, request_id);
    if (status == MLT_OK && w.story->predictions.num == 0) {
        status = mlt_fail(err, MLT_NOTFOUND, "no prediction has the request_id '%.*s'", MLT_ARG(request_id));
    }
    if (status == MLT_OK) {
        status = mlt_walk_choose_served(&w);
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
    status = status == MLT_OK ? mlt_walk_signatures(&w) : status;
    if (status == MLT_OK) {
        status = mlt_walk_subject(&w, NULL, model, version, &subject);
        w.story->in_force = subject.in_force;
    }
    status = status == MLT_OK ? check_subject(&w, &subject) : status;
    status = status == MLT_OK ? mlt_walk_finish(&w) : status;
    if (status != MLT_OK) {
        mlt_story_clear(w.story);
        return status;
    }
    *out = w.story;
    return MLT_OK;
}
