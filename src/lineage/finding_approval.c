// Approvals: is there one, for this, in time, still in force, by somebody who was there and was independent.
#include <inttypes.h>

#include "lineage/finding.h"

// What the checks of one version's approval share.
struct approval_case {
    struct mlt_walk *w;
    const struct mlt_subject *subject;
    const struct mlt_node *transition; // in force; NULL: none
    struct mlt_bytes reference;        // that it names; empty: none
    const struct mlt_node *effective;  // the approval that counts
};

static bool verdict_is(const struct mlt_walk *w, const struct mlt_node *approval, const char *verdict) {
    return mlt_bytes_is(mlt_node_string(approval, "verdict", w->arena), verdict);
}

static bool concerns(const struct approval_case *c, const struct mlt_node *approval) {
    struct mlt_bytes reference = mlt_node_string(approval, "approval_reference", c->w->arena);
    return mlt_node_names_version(c->w, approval, c->subject->model, c->subject->version) &&
           (c->reference.len == 0 || mlt_bytes_equal(reference, c->reference));
}

// Was it so at the prediction: recorded before it, or claimed to have been?
static bool before_use(const struct approval_case *c, const struct mlt_node *node) {
    int64_t claimed, used;
    const struct mlt_node *prediction = c->subject->prediction;
    if (prediction == NULL || node->entry < prediction->entry) {
        return true;
    }
    return mlt_node_time(node, &claimed) && mlt_node_time(prediction, &used) && claimed <= used;
}

// The newest approval from before the transition, else the earliest one.
static void choose_effective(struct approval_case *c) {
    const struct mlt_node_list *list = &c->w->story->approvals;
    for (size_t i = 0; i < list->num; i++) {
        const struct mlt_node *a = list->nodes[i];
        if (concerns(c, a) && verdict_is(c->w, a, "approved") &&
            (c->effective == NULL || c->transition == NULL || a->entry < c->transition->entry)) {
            c->effective = a;
        }
    }
}

static enum mlt_status add(const struct approval_case *c, enum mlt_finding_id id, const struct mlt_node *a,
                           const struct mlt_node *b, const char *what) {
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, c->subject->prediction);
    mlt_grounds_add_node(&g, a);
    mlt_grounds_add_node(&g, b);
    return mlt_finding_add(c->w, id, &g, "%.*s/%.*s: %s", MLT_ARG(c->subject->model), MLT_ARG(c->subject->version),
                           what);
}

// The transition's reference leads to approvals of something else.
static enum mlt_status find_elsewhere(const struct approval_case *c, struct mlt_node **out) {
    struct mlt_term terms[2];
    struct mlt_bytes kind = mlt_str("approval");
    uint64_t found[1];
    size_t num = 0;
    bool more = false;
    *out = NULL;
    if (c->reference.len == 0) {
        return MLT_OK;
    }
    mlt_source_term(c->w->src, &terms[0], MLT_DIM_APPROVAL, &c->reference, 1);
    mlt_source_term(c->w->src, &terms[1], MLT_DIM_KIND, &kind, 1);
    enum mlt_status status =
        c->w->src->find(c->w->src->ctx, terms, 2, 0, false, 1, found, &num, NULL, &more, c->w->err);
    if (status == MLT_OK && num == 1) {
        status = mlt_node_load(c->w, found[0], out);
    }
    return status;
}

static enum mlt_status check_missing(const struct approval_case *c) {
    const struct mlt_node_list *list = &c->w->story->approvals;
    for (size_t i = 0; i < list->num; i++) {
        if (concerns(c, list->nodes[i]) && verdict_is(c->w, list->nodes[i], "rejected")) {
            return add(c, MLT_F_APPROVAL_REJECTED, list->nodes[i], c->transition, "rejected, and not approved");
        }
    }
    struct mlt_node *elsewhere;
    enum mlt_status status = find_elsewhere(c, &elsewhere);
    if (status != MLT_OK) {
        return status;
    }
    if (elsewhere != NULL && !mlt_node_names_version(c->w, elsewhere, c->subject->model, c->subject->version)) {
        struct mlt_bytes model = mlt_node_string(elsewhere, "model", c->w->arena);
        struct mlt_bytes version = mlt_node_string(elsewhere, "model_version", c->w->arena);
        char *text = mlt_arena_printf(c->w->arena, "its transition names the approval '%.*s', which is for %.*s/%.*s",
                                      MLT_ARG(c->reference), MLT_ARG(model), MLT_ARG(version));
        return text == NULL ? mlt_node_no_memory(c->w)
                            : add(c, MLT_F_APPROVAL_OTHER_VERSION, elsewhere, c->transition, text);
    }
    if (c->reference.len == 0) {
        return add(c, MLT_F_APPROVAL_MISSING, c->transition, c->subject->registered, "no approval is recorded");
    }
    char *text = mlt_arena_printf(c->w->arena, "its transition names the approval '%.*s', of which there is no record",
                                  MLT_ARG(c->reference));
    return text == NULL ? mlt_node_no_memory(c->w)
                        : add(c, MLT_F_APPROVAL_MISSING, c->transition, c->subject->registered, text);
}

// A time in whole seconds may mean any instant of that second: two clocks that write to another precision are no
// contradiction.
static int64_t latest_meant(int64_t time) {
    return time % MLT_NS_PER_S == 0 ? time + MLT_NS_PER_S - 1 : time;
}

static enum mlt_status check_order(const struct approval_case *c) {
    int64_t approved, moved;
    if (c->transition == NULL) {
        return MLT_OK;
    }
    bool log_after = c->effective->entry > c->transition->entry;
    bool time_after = mlt_node_time(c->effective, &approved) && mlt_node_time(c->transition, &moved) &&
                      approved > latest_meant(moved);
    if (!log_after && !time_after) {
        return MLT_OK;
    }
    return add(c, MLT_F_APPROVAL_AFTER_DEPLOYMENT, c->effective, c->transition,
               log_after && time_after ? "approved after the transition, in the log and by its claimed time"
               : log_after             ? "the approval was recorded after the transition; its claimed time is before it"
                                       : "the approval claims a time after the transition");
}

static enum mlt_status check_expiry(const struct approval_case *c) {
    int64_t expires, used;
    struct mlt_bytes text = mlt_node_string(c->effective, "expires_at", c->w->arena);
    if (c->subject->prediction == NULL || !mlt_node_time(c->subject->prediction, &used) ||
        !mlt_time_parse(&expires, text) || expires > used) {
        return MLT_OK;
    }
    char *what = mlt_arena_printf(c->w->arena, "the approval expired at %.*s", MLT_ARG(text));
    return what == NULL ? mlt_node_no_memory(c->w) : add(c, MLT_F_APPROVAL_EXPIRED, c->effective, NULL, what);
}

static enum mlt_status check_taken_back(const struct approval_case *c) {
    const struct mlt_node_list *list = &c->w->story->approvals;
    struct mlt_bytes reference = mlt_node_string(c->effective, "approval_reference", c->w->arena);
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < list->num; i++) {
        const struct mlt_node *a = list->nodes[i];
        if (a->entry < c->effective->entry ||
            !mlt_node_names_version(c->w, a, c->subject->model, c->subject->version) ||
            !mlt_bytes_equal(mlt_node_string(a, "approval_reference", c->w->arena), reference)) {
            continue;
        }
        if (verdict_is(c->w, a, "revoked")) {
            status = before_use(c, a)
                         ? add(c, MLT_F_APPROVAL_REVOKED, c->effective, a, "the approval was revoked before")
                         : add(c, MLT_F_APPROVAL_REVOKED_LATER, c->effective, a,
                               "the approval was revoked after the prediction");
        } else if (verdict_is(c->w, a, "rejected") && before_use(c, a)) {
            status =
                add(c, MLT_F_APPROVAL_REJECTED, c->effective, a, "approved, then rejected under the same reference");
        }
    }
    return status;
}

static bool has_artifact(const struct mlt_node *node) {
    return node != NULL && mlt_value_given(mlt_node_get(node, "model_artifact_hash"));
}

static enum mlt_digest_match match_artifact(const struct approval_case *c, const struct mlt_node *other) {
    return mlt_value_compare_digest(mlt_node_get(c->effective, "model_artifact_hash"),
                                    mlt_node_get(other, "model_artifact_hash"));
}

// The registered artifact, and the one that made the prediction: it may differ from both, or be the only one that can
// be compared.
static enum mlt_status check_artifact(const struct approval_case *c) {
    const struct mlt_node *registered = c->subject->registered, *prediction = c->subject->prediction;
    const struct mlt_node *other = has_artifact(registered) ? registered : prediction;
    if (!has_artifact(other) || !has_artifact(c->effective)) {
        return MLT_OK;
    }
    if (has_artifact(prediction) && match_artifact(c, other) != MLT_DIGEST_DIFFERENT &&
        match_artifact(c, prediction) == MLT_DIGEST_DIFFERENT) {
        other = prediction;
    }
    struct mlt_value used = mlt_node_get(other, "model_artifact_hash");
    struct mlt_value approved = mlt_node_get(c->effective, "model_artifact_hash");
    enum mlt_digest_match match = match_artifact(c, other);
    if (match == MLT_DIGEST_SAME) {
        return MLT_OK;
    }
    struct mlt_bytes a = mlt_json_raw(approved.json, approved.at), u = mlt_json_raw(used.json, used.at);
    char *what = mlt_arena_printf(c->w->arena, "the approval is for %.*s, %s has %.*s", MLT_ARG(a),
                                  mlt_node_label(c->w, other), MLT_ARG(u));
    return what == NULL
               ? mlt_node_no_memory(c->w)
               : add(c, match == MLT_DIGEST_DIFFERENT ? MLT_F_APPROVAL_OTHER_ARTIFACT : MLT_F_ARTIFACT_NOT_COMPARABLE,
                     c->effective, other, what);
}

// A principal is its scheme and its name: "token:alice" is alice, as far as this trail can tell.
static struct mlt_bytes name_of(struct mlt_bytes principal) {
    static const char *const SCHEMES[] = {"local:", "token:", "cert:"};
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        size_t len = strlen(SCHEMES[i]);
        if (principal.len > len && memcmp(principal.ptr, SCHEMES[i], len) == 0) {
            return mlt_bytes_of(principal.ptr + len, principal.len - len);
        }
    }
    return principal;
}

static bool same_person(struct mlt_bytes a, struct mlt_bytes b) {
    return mlt_bytes_equal(name_of(a), name_of(b));
}

// The approver speaks for himself when he submitted one of the records.
bool mlt_node_submitted_by(const struct mlt_node *node, struct mlt_bytes person) {
    for (size_t i = 0; i < node->num_parts; i++) {
        struct mlt_bytes principal = node->parts[i].entry.principal;
        if (mlt_bytes_equal(principal, person) || mlt_bytes_equal(name_of(principal), person)) {
            return true;
        }
    }
    return false;
}

static enum mlt_status check_assurance(const struct approval_case *c) {
    struct mlt_bytes approver = mlt_node_string(c->effective, "approver", c->w->arena);
    if (mlt_node_submitted_by(c->effective, approver) || mlt_node_signed(c->effective)) {
        return MLT_OK;
    }
    struct mlt_bytes principal = c->effective->parts[0].entry.principal;
    char *what = mlt_arena_printf(
        c->w->arena, "approver '%.*s' is only named%s; the record was submitted by '%.*s'", MLT_ARG(approver),
        c->effective->num_signatures > 0 ? ", with a signature that does not show who it is by" : "",
        MLT_ARG(principal));
    return what == NULL ? mlt_node_no_memory(c->w) : add(c, MLT_F_APPROVAL_CLAIMED, c->effective, NULL, what);
}

// Two approvers under one reference: one who did not trigger the training is enough.
static enum mlt_status check_independence(const struct approval_case *c) {
    const struct mlt_node_list *list = &c->w->story->approvals;
    const struct mlt_node *run = NULL;
    if (c->subject->registered != NULL) {
        run = mlt_story_run(c->w, mlt_node_string(c->subject->registered, "training_job_id", c->w->arena));
    }
    if (run == NULL) {
        return MLT_OK;
    }
    struct mlt_bytes by = mlt_node_string(run, "triggered_by", c->w->arena);
    struct mlt_bytes behalf = mlt_node_string(run, "on_behalf_of", c->w->arena);
    for (size_t i = 0; i < list->num; i++) {
        struct mlt_bytes approver = mlt_node_string(list->nodes[i], "approver", c->w->arena);
        if (concerns(c, list->nodes[i]) && verdict_is(c->w, list->nodes[i], "approved") && !same_person(approver, by) &&
            !same_person(approver, behalf)) {
            return MLT_OK;
        }
    }
    struct mlt_bytes approver = mlt_node_string(c->effective, "approver", c->w->arena);
    char *what = mlt_arena_printf(c->w->arena, "'%.*s' approved it and triggered %s", MLT_ARG(approver),
                                  mlt_node_label(c->w, run));
    return what == NULL ? mlt_node_no_memory(c->w) : add(c, MLT_F_APPROVER_TRIGGERED_TRAINING, c->effective, run, what);
}

enum mlt_status mlt_check_approval(struct mlt_walk *w, const struct mlt_subject *s) {
    struct approval_case c = {.w = w, .subject = s};
    c.transition = s->in_force.by_time != NULL ? s->in_force.by_time : s->in_force.by_log;
    if (c.transition != NULL) {
        c.reference = mlt_node_string(c.transition, "approval_reference", w->arena);
    }
    choose_effective(&c);
    if (c.effective == NULL) {
        return check_missing(&c);
    }
    typedef enum mlt_status check(const struct approval_case *c);
    static check *const checks[] = {check_order,    check_expiry,    check_taken_back,
                                    check_artifact, check_assurance, check_independence};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        status = checks[i](&c);
    }
    return status;
}
