// The plain answer: what an auditor would read out, and how sure one may be of it.
#include "dossier/view.h"

// A paragraph stays one: more datasets, or tables of one dataset, are counted here and listed in their sections.
#define NAMED_DATASETS_MAX 8
#define NAMED_TABLES_MAX 8

static void put(struct mlt_buf *out, const char *before, struct mlt_bytes text, const char *after) {
    mlt_buf_put_str(out, before);
    if (text.len) {
        mlt_buf_put_bytes(out, text);
    } else {
        mlt_buf_put_str(out, "(not recorded)");
    }
    mlt_buf_put_str(out, after);
}

static struct mlt_bytes shown_or_empty(struct mlt_view *v, mlt_json_at at, const char *path) {
    const mlt_json_at value = mlt_view_at(v, at, path);
    return mlt_view_absent(v, value) ? (struct mlt_bytes){0} : mlt_view_shown(v, value, "");
}

// What became of the approval later in the log, under the same reference.
static void put_verdicts_after(struct mlt_view *v, struct mlt_buf *out, mlt_json_at approval, uint64_t prediction) {
    const uint64_t given = mlt_view_u64(v, approval, "entry", UINT64_MAX);
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "approvals"), a) {
        const uint64_t entry = mlt_view_u64(v, a, "entry", 0);
        const bool revoked = mlt_view_is(v, a, "verdict", "revoked");
        if (entry <= given || (!revoked && !mlt_view_is(v, a, "verdict", "rejected")) ||
            !mlt_bytes_equal(mlt_view_string(v, a, "model"), mlt_view_string(v, approval, "model")) ||
            !mlt_bytes_equal(mlt_view_string(v, a, "model_version"), mlt_view_string(v, approval, "model_version")) ||
            !mlt_bytes_equal(mlt_view_string(v, a, "approval_reference"),
                             mlt_view_string(v, approval, "approval_reference"))) {
            continue;
        }
        put(out, revoked ? " The approval was revoked by " : " The version was rejected under the same reference by ",
            mlt_view_string(v, a, "approver"), "");
        put(out, " on ", mlt_view_time(v, a, "timestamp"), "");
        mlt_buf_printf(out, " (entry %llu), which the log has %s this prediction.", (unsigned long long)entry,
                       entry < prediction ? "before" : "after");
    }
}

// A name in a record is no approval by its bearer: who neither signed nor submitted it is only said to have approved.
static bool is_claimed(struct mlt_view *v, mlt_json_at approval) {
    return !mlt_view_is(v, approval, "approver_assurance", "signed") &&
           !mlt_view_is(v, approval, "approver_assurance", "submitted");
}

static void put_approval(struct mlt_view *v, struct mlt_buf *out, mlt_json_at version, mlt_json_at transition,
                         uint64_t prediction) {
    const mlt_json_at approval = mlt_view_approval(v, version, transition);
    if (approval == MLT_JSON_NONE) {
        mlt_buf_put_str(out, " No approval of this version is recorded.");
        return;
    }
    if (is_claimed(v, approval)) {
        put(out, " A record submitted by ", mlt_view_string(v, approval, "producer.principal"),
            ", without a good signature of the approver, says that the version");
    } else {
        mlt_buf_put_str(out, " The version");
    }
    put(out, " was approved by ", mlt_view_string(v, approval, "approver"), "");
    put(out, " (reference ", mlt_view_string(v, approval, "approval_reference"), ")");
    put(out, " on ", mlt_view_time(v, approval, "timestamp"), "");
    if (mlt_view_u64(v, approval, "entry", 0) > mlt_view_u64(v, transition, "entry", UINT64_MAX)) {
        mlt_buf_put_str(out, ", recorded only after it had been deployed");
    }
    if (!mlt_view_absent(v, mlt_view_at(v, approval, "expires_at"))) {
        put(out, ", valid until ", mlt_view_time(v, approval, "expires_at"), "");
    }
    mlt_buf_put_str(out, ".");
    put_verdicts_after(v, out, approval, prediction);
}

// Whether it set an alias, and not a stage, is in its record.
static bool sets_alias(struct mlt_view *v, mlt_json_at transition) {
    const uint64_t entry = mlt_view_u64(v, transition, "entry", UINT64_MAX);
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "transitions"), t) {
        if (mlt_view_u64(v, t, "entry", 0) == entry) {
            return mlt_view_is(v, t, "move", "alias");
        }
    }
    return false;
}

static void put_deployment(struct mlt_view *v, struct mlt_buf *out, mlt_json_at transition) {
    if (mlt_view_absent(v, transition)) {
        mlt_buf_put_str(out, " No deployment is recorded that was in force.");
        return;
    }
    put(out, sets_alias(v, transition) ? " It was given the alias " : " It was moved to ",
        mlt_view_string(v, transition, "to_stage"), "");
    put(out, " by ", mlt_view_string(v, transition, "performed_by"), "");
    put(out, " on ", mlt_view_time(v, transition, "timestamp"), ".");
}

static void put_tables(struct mlt_view *v, struct mlt_buf *out, struct mlt_bytes dataset, struct mlt_bytes version) {
    size_t num = 0;
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "sources"), s) {
        if (!mlt_bytes_equal(mlt_view_string(v, s, "dataset"), dataset) ||
            !mlt_bytes_equal(mlt_view_string(v, s, "version"), version)) {
            continue;
        }
        if (num++ < NAMED_TABLES_MAX) {
            put(out, num == 1 ? " (from table " : "; ", mlt_view_string(v, s, "table"), "");
            put(out, " of ", mlt_view_string(v, s, "system"), "");
            put(out, ", ", mlt_view_range(v, mlt_view_at(v, s, "date_range")), "");
        }
    }
    if (num > NAMED_TABLES_MAX) {
        mlt_buf_printf(out, "; and %zu more", num - NAMED_TABLES_MAX);
    }
    mlt_buf_put_str(out, num ? ")" : "");
}

static void put_training(struct mlt_view *v, struct mlt_buf *out, mlt_json_at version) {
    const struct mlt_bytes job = mlt_view_string(v, version, "training_job_id");
    const mlt_json_at run = mlt_view_by_text(v, "training_runs", "training_job_id", job);
    if (run == MLT_JSON_NONE) {
        mlt_buf_put_str(out, " No training run of it is recorded.");
        return;
    }
    put(out, " It was trained by job ", job, "");
    put(out, ", triggered by ", mlt_view_string(v, run, "triggered_by"), "");
    put(out, ", at git commit ", mlt_view_string(v, run, "git_commit"), "");
    size_t num = 0;
    MLT_VIEW_EACH(v, mlt_view_at(v, run, "datasets"), d) {
        const struct mlt_bytes name = mlt_view_string(v, d, "dataset");
        const struct mlt_bytes dataset_version = mlt_view_string(v, d, "version");
        const struct mlt_bytes role = mlt_view_string(v, d, "role");
        if (num++ == NAMED_DATASETS_MAX) {
            mlt_buf_printf(out, " and on %zu more",
                           mlt_view_count(v, mlt_view_at(v, run, "datasets")) - NAMED_DATASETS_MAX);
            break;
        }
        put(out, num == 1 ? ", on dataset " : " and on dataset ", name, "");
        put(out, " version ", dataset_version, "");
        if (role.len) {
            mlt_buf_printf(out, " (%.*s)", MLT_ARG(role));
        }
        put_tables(v, out, name, dataset_version);
    }
    mlt_buf_put_str(out, num ? "." : ". No dataset of the run is recorded.");
}

static void put_corrections(struct mlt_view *v, struct mlt_buf *out, mlt_json_at node) {
    size_t num = 0;
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "other_entries"), e) {
        if (mlt_view_is(v, e, "relation", "corrects")) {
            put(out, num++ ? ", " : " This is as first recorded; corrected by entry ", mlt_view_shown(v, e, "entry"),
                "");
        }
    }
    mlt_buf_put_str(out, num ? "." : "");
}

// The artifact as the prediction names it; what a version is registered with is not what answered.
static void put_artifact(struct mlt_view *v, struct mlt_buf *out, mlt_json_at served, mlt_json_at version) {
    if (!mlt_view_absent(v, mlt_view_at(v, served, "model_artifact_hash"))) {
        put(out, " (artifact ", shown_or_empty(v, served, "model_artifact_hash"), ")");
    } else if (version != MLT_JSON_NONE && !mlt_view_absent(v, mlt_view_at(v, version, "model_artifact_hash"))) {
        put(out, " (registered with artifact ", shown_or_empty(v, version, "model_artifact_hash"),
            "; which one it was is not recorded)");
    } else {
        mlt_buf_put_str(out, " (its artifact is not recorded)");
    }
}

// A request of which the log has no response made a prediction that nobody saw here, or none.
static bool is_unanswered(struct mlt_view *v, mlt_json_at served) {
    const uint64_t entry = mlt_view_u64(v, served, "entry", UINT64_MAX);
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "findings"), f) {
        MLT_VIEW_EACH(v, mlt_view_at(v, f, "entries"), e) {
            if (mlt_view_is(v, f, "code", "prediction-unanswered") && mlt_view_u64(v, e, "", UINT64_MAX) == entry) {
                return true;
            }
        }
    }
    return false;
}

void mlt_view_answer(struct mlt_view *v, struct mlt_buf *out) {
    const mlt_json_at served = mlt_view_served(v);
    if (served == MLT_JSON_NONE) {
        put(out, "No prediction is recorded for request ", mlt_view_string(v, 0, "request_id"), ".");
        return;
    }
    const mlt_json_at transition = mlt_view_at(v, 0, "in_force.by_log");
    const mlt_json_at named = mlt_view_named(v);
    mlt_json_at version = mlt_view_same_version(v, "model_versions", named);
    put(out, "On ", mlt_view_time(v, served, "timestamp"), "");
    put(out, " request ", mlt_view_string(v, 0, "request_id"), "");
    const bool unanswered = is_unanswered(v, served);
    put(out, unanswered ? " was sent to model " : " was answered by model ", mlt_view_string(v, served, "model"), "");
    put(out, " version ", mlt_view_string(v, served, "model_version"), "");
    if (named != served) {
        mlt_buf_put_str(out, mlt_view_absent(v, mlt_view_at(v, served, "model_version"))
                                 ? ", which it does not name"
                                 : ", a name that no record of the trail knows");
        put(out, "; by entry ", mlt_view_shown(v, named, "from_entry"), "");
        put(out, " it was ", mlt_view_string(v, named, "model"), "");
        put(out, " ", mlt_view_string(v, named, "model_version"), "");
    }
    put_artifact(v, out, served, version);
    put(out, " on ", mlt_view_string(v, served, "serving_node"), ".");
    if (unanswered) {
        mlt_buf_put_str(out, " No response to it is recorded.");
    }
    if (!mlt_view_true(v, served, "served")) {
        mlt_buf_put_str(out, " Which of its predictions was served cannot be told; this is the first.");
    }
    if (version == MLT_JSON_NONE) {
        mlt_buf_put_str(out, " The registration of this model version is not recorded.");
        version = named;
    }
    put_corrections(v, out, served);
    put_approval(v, out, version, transition, mlt_view_u64(v, served, "entry", 0));
    put_deployment(v, out, transition);
    put_training(v, out, version);
}

static void put_bound(struct mlt_view *v, struct mlt_buf *out, const char *word, mlt_json_at bound) {
    mlt_buf_printf(out, "%s %.*s (anchor %.*s)", word, MLT_ARG(mlt_view_time(v, bound, "time")),
                   MLT_ARG(mlt_view_shown(v, bound, "entry")));
}

void mlt_view_bounds(struct mlt_view *v, mlt_json_at entry, struct mlt_buf *out) {
    const mlt_json_at bounds = mlt_view_at(v, entry, "time_bounds");
    const mlt_json_at before = mlt_view_at(v, bounds, "not_before");
    const mlt_json_at after = mlt_view_at(v, bounds, "not_after");
    if (mlt_view_absent(v, bounds)) {
        return;
    }
    if (mlt_view_absent(v, before) && mlt_view_absent(v, after)) {
        mlt_buf_put_str(out, "logged at a time that no anchor bounds");
        return;
    }
    if (mlt_view_absent(v, before)) {
        put_bound(v, out, "logged before", after);
    } else if (mlt_view_absent(v, after)) {
        put_bound(v, out, "logged after", before);
        mlt_buf_put_str(out, ", no later anchor covers it yet");
    } else {
        put_bound(v, out, "logged between", before);
        put_bound(v, out, " and", after);
    }
    if (!mlt_view_true(v, bounds, "received_fits")) {
        mlt_buf_put_str(out, "; THE TIME THAT THE SERVER RECORDED DOES NOT FIT");
    }
}

void mlt_view_anchor(struct mlt_view *v, mlt_json_at anchor, struct mlt_buf *out) {
    mlt_buf_printf(out, "the first %.*s entries existed at %.*s, says %.*s",
                   MLT_ARG(mlt_view_shown(v, anchor, "tree_size")), MLT_ARG(mlt_view_time(v, anchor, "time")),
                   MLT_ARG(mlt_view_shown(v, anchor, "authority")));
    if (mlt_view_absent(v, mlt_view_at(v, anchor, "checked_with"))) {
        mlt_buf_put_str(out, "; the server did not check the token against roots");
    } else {
        mlt_buf_printf(out, "; the server checked the token against the roots %.*s",
                       MLT_ARG(mlt_view_shown(v, anchor, "checked_with")));
    }
    if (!mlt_view_absent(v, mlt_view_at(v, anchor, "consistent")) && !mlt_view_true(v, anchor, "consistent")) {
        mlt_buf_put_str(out, "; THAT TREE IS NOT THE BEGINNING OF THIS ONE");
    }
}

void mlt_view_verdict(struct mlt_view *v, struct mlt_buf *out) {
    const mlt_json_at integrity = mlt_json_get(&v->json, 0, "integrity");
    const size_t num = mlt_view_count(v, mlt_view_at(v, integrity, "entries"));
    const uint64_t size = mlt_view_u64(v, integrity, "checkpoint.tree_size", 0);
    size_t good = 0;
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "entries"), e) {
        good += mlt_view_true(v, e, "verified");
    }
    if (mlt_view_is(v, integrity, "verdict", "verified")) {
        if (num == 0) {
            mlt_buf_put_str(out, "No entry is behind this answer");
        } else if (num == 1) {
            mlt_buf_put_str(out, "The one entry behind this answer was found");
        } else {
            mlt_buf_printf(out, "All %zu entries behind this answer were found", num);
        }
        mlt_buf_printf(out, " in the log of %llu entries that the checkpoint signs", (unsigned long long)size);
    } else if (mlt_view_is(v, integrity, "verdict", "unchecked")) {
        mlt_buf_put_str(out, "Nothing was checked");
    } else {
        mlt_buf_printf(out, "Verification failed: %zu of %zu entries could be proved", good, num);
    }
    const struct mlt_bytes problem = mlt_view_string(v, integrity, "problem");
    if (problem.len) {
        put(out, " (", problem, ")");
    }
    put(out, "; assurance: ", mlt_view_string(v, integrity, "assurance"), ".");
}

void mlt_view_findings_line(struct mlt_view *v, struct mlt_buf *out) {
    static const char *const levels[] = {"critical", "high", "medium", "low", "info"};
    size_t num[5] = {0}, resolved = 0, total = 0;
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "findings"), f) {
        total++;
        if (!mlt_view_absent(v, mlt_view_at(v, f, "resolved_by"))) {
            resolved++;
            continue;
        }
        for (size_t i = 0; i < 5; i++) {
            num[i] += mlt_view_is(v, f, "severity", levels[i]);
        }
    }
    if (total == resolved) {
        mlt_buf_put_str(out, total ? "No open findings" : "No findings");
    } else {
        mlt_buf_printf(out, "%zu open finding%s (", total - resolved, total - resolved == 1 ? "" : "s");
        bool first = true;
        for (size_t i = 0; i < 5; i++) {
            if (num[i]) {
                mlt_buf_printf(out, "%s%zu %s", first ? "" : ", ", num[i], levels[i]);
                first = false;
            }
        }
        mlt_buf_put_str(out, ")");
    }
    if (resolved) {
        mlt_buf_printf(out, ", %zu resolved", resolved);
    }
    mlt_buf_put_str(out, ".");
}
