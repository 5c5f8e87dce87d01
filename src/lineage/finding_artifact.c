// Names that lead nowhere, and artifacts that are not what they should be.
#include <inttypes.h>

#include "lineage/finding.h"

enum mlt_status mlt_check_identity(struct mlt_walk *w, const struct mlt_subject *s) {
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, s->prediction);
    if (s->registered == NULL) {
        if (g.num == 0) {
            mlt_grounds_add_node(&g, s->in_force.by_log);
        }
        return mlt_finding_add(w, MLT_F_MODEL_VERSION_UNKNOWN, &g, "no model.version record for %.*s/%.*s",
                               MLT_ARG(s->model), MLT_ARG(s->version));
    }
    if (s->prediction != NULL && s->registered->entry > s->prediction->entry) {
        mlt_grounds_add_node(&g, s->registered);
        return mlt_finding_add_resolved(
            w, MLT_F_MODEL_VERSION_UNKNOWN, &g, s->registered->entry,
            "%.*s/%.*s was registered (entry %" PRIu64 ") after the prediction (entry %" PRIu64 ")", MLT_ARG(s->model),
            MLT_ARG(s->version), s->registered->entry, s->prediction->entry);
    }
    return MLT_OK;
}

// One comparison of two digests with their owners; silent when one of them is not recorded (evidence-missing says so).
static enum mlt_status compare(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_node *a,
                               const char *a_member, const struct mlt_node *b, const char *b_member) {
    struct mlt_value x = mlt_node_get(a, a_member), y = mlt_node_get(b, b_member);
    struct mlt_grounds g = {0};
    if (!mlt_value_given(x) || !mlt_value_given(y)) {
        return MLT_OK;
    }
    mlt_grounds_add(&g, x.entry);
    mlt_grounds_add(&g, y.entry);
    switch (mlt_digest_compare(x.json, x.at, y.json, y.at)) {
    case MLT_DIGEST_SAME:
        return MLT_OK;
    case MLT_DIGEST_NOT_COMPARABLE:
        id = MLT_F_ARTIFACT_NOT_COMPARABLE;
        break;
    case MLT_DIGEST_DIFFERENT:
        break;
    }
    struct mlt_bytes raw_x = mlt_json_raw(x.json, x.at), raw_y = mlt_json_raw(y.json, y.at);
    return mlt_finding_add(w, id, &g, "%s has %.*s, %s has %.*s", mlt_node_label(w, a), MLT_ARG(raw_x),
                           mlt_node_label(w, b), MLT_ARG(raw_y));
}

enum mlt_status mlt_check_artifact(struct mlt_walk *w, const struct mlt_subject *s) {
    enum mlt_status status = MLT_OK;
    if (s->registered == NULL) {
        return MLT_OK;
    }
    if (s->prediction != NULL) {
        status = compare(w, MLT_F_ARTIFACT_DIFFERS_REGISTERED, s->prediction, "model_artifact_hash", s->registered,
                         "model_artifact_hash");
    }
    const struct mlt_node *run = mlt_story_run(w, mlt_node_string(s->registered, "training_job_id", w->arena));
    if (status == MLT_OK && run != NULL) {
        status = compare(w, MLT_F_ARTIFACT_DIFFERS_TRAINED, s->registered, "model_artifact_hash", run, "artifact_hash");
    }
    return status;
}
