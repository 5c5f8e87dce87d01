// Deployment: was the version in production there and then, and do its transitions follow from each other.
#include <inttypes.h>

#include "lineage/finding.h"

static enum mlt_status outside(struct mlt_walk *w, const struct mlt_subject *s) {
    struct mlt_grounds g = {0};
    char at[MLT_TIME_TEXT_LEN + 1] = "an unknown time";
    int64_t time;
    if (mlt_node_time(s->prediction, &time)) {
        mlt_time_format(at, time);
    }
    mlt_grounds_add_node(&g, s->prediction);
    mlt_grounds_add_node(&g, s->in_force.by_time);
    mlt_grounds_add_node(&g, s->in_force.by_log);
    if (s->in_force.by_time == NULL) {
        return mlt_finding_add(w, MLT_F_PREDICTION_OUTSIDE_PRODUCTION, &g,
                               "no transition had brought %.*s/%.*s into production at this deployment by %s",
                               MLT_ARG(s->model), MLT_ARG(s->version), at);
    }
    struct mlt_bytes stage = mlt_node_string(s->in_force.by_time, "to_stage", w->arena);
    return mlt_finding_add(w, MLT_F_PREDICTION_OUTSIDE_PRODUCTION, &g,
                           "%.*s/%.*s stood in '%.*s' at %s, which does not count as production", MLT_ARG(s->model),
                           MLT_ARG(s->version), MLT_ARG(stage), at);
}

static enum mlt_status differs(struct mlt_walk *w, const struct mlt_subject *s) {
    const struct mlt_node *log = s->in_force.by_log, *time = s->in_force.by_time;
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, s->prediction);
    mlt_grounds_add_node(&g, log);
    mlt_grounds_add_node(&g, time);
    return mlt_finding_add(w, MLT_F_IN_FORCE_DIFFERS, &g, "in force by the order of the log: %s; by claimed times: %s",
                           log != NULL ? mlt_node_label(w, log) : "none",
                           time != NULL ? mlt_node_label(w, time) : "none");
}

enum mlt_status mlt_check_deployment(struct mlt_walk *w, const struct mlt_subject *s) {
    const struct mlt_node_list *list = &w->story->transitions;
    enum mlt_status status = MLT_OK;
    bool any = false;
    for (size_t i = 0; i < list->num && !any; i++) {
        any = mlt_node_names_version(w, list->nodes[i], s->model, s->version);
    }
    if (!any) {
        struct mlt_grounds g = {0};
        mlt_grounds_add_node(&g, s->prediction);
        mlt_grounds_add_node(&g, s->registered);
        return mlt_finding_add(w, MLT_F_TRANSITION_MISSING, &g, "no transition of %.*s/%.*s is recorded",
                               MLT_ARG(s->model), MLT_ARG(s->version));
    }
    if (s->prediction == NULL) {
        return MLT_OK;
    }
    if (!s->in_production_by_time) {
        status = outside(w, s);
    }
    if (status == MLT_OK && s->in_force.by_log != s->in_force.by_time) {
        status = differs(w, s);
    }
    return status;
}

static enum mlt_status mismatch(void *arg, const struct mlt_node *transition, const struct mlt_node *before,
                                struct mlt_bytes stage) {
    struct mlt_walk *w = arg;
    struct mlt_grounds g = {0};
    struct mlt_bytes from = mlt_node_string(transition, "from_stage", w->arena);
    mlt_grounds_add_node(&g, before);
    mlt_grounds_add_node(&g, transition);
    return mlt_finding_add(w, MLT_F_FROM_STAGE_MISMATCH, &g, "%s starts from '%.*s', but the version stood in '%.*s'",
                           mlt_node_label(w, transition), MLT_ARG(from), MLT_ARG(stage));
}

enum mlt_status mlt_check_stages(struct mlt_walk *w) {
    return mlt_force_check(w, &w->story->transitions, mismatch, w);
}
