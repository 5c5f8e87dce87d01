// The dossier for a terminal: the plain answer first, then the chain, then everything behind it.
#include "dossier/dossier.h"
#include "dossier/text_out.h"

#define CHAIN_LABEL 14
#define CHAIN_ROWS_MAX 12 // of one link; the sections below have all

static struct mlt_bytes or_unknown(struct mlt_bytes text) {
    return text.len ? text : mlt_str("(not recorded)");
}

static struct mlt_bytes field(struct mlt_view *v, mlt_json_at at, const char *path) {
    return or_unknown(mlt_view_string(v, at, path));
}

static void link_source(struct mlt_view *v, mlt_json_at s, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s %.*s, %.*s", MLT_ARG(field(v, s, "system")), MLT_ARG(field(v, s, "table")),
                   MLT_ARG(mlt_view_range(v, mlt_view_at(v, s, "date_range"))));
    if (!mlt_view_absent(v, mlt_view_at(v, s, "rows"))) {
        mlt_buf_printf(out, ", %.*s rows", MLT_ARG(mlt_view_shown(v, s, "rows")));
    }
    mlt_buf_printf(out, " -> %.*s %.*s", MLT_ARG(field(v, s, "dataset")), MLT_ARG(field(v, s, "version")));
}

static void link_dataset(struct mlt_view *v, mlt_json_at d, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s %.*s, %.*s", MLT_ARG(field(v, d, "dataset")), MLT_ARG(field(v, d, "version")),
                   MLT_ARG(mlt_view_shown(v, d, "hash")));
}

static void link_training(struct mlt_view *v, mlt_json_at r, struct mlt_buf *out) {
    mlt_buf_printf(out, "job %.*s, git %.*s, triggered by %.*s", MLT_ARG(field(v, r, "training_job_id")),
                   MLT_ARG(field(v, r, "git_commit")), MLT_ARG(field(v, r, "triggered_by")));
}

static void link_version(struct mlt_view *v, mlt_json_at m, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s %.*s, %.*s", MLT_ARG(field(v, m, "model")), MLT_ARG(field(v, m, "model_version")),
                   MLT_ARG(mlt_view_shown(v, m, "model_artifact_hash")));
}

static void link_approval(struct mlt_view *v, mlt_json_at a, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s %.*s by %.*s on %.*s (reference %.*s)", MLT_ARG(field(v, a, "model_version")),
                   MLT_ARG(field(v, a, "verdict")), MLT_ARG(field(v, a, "approver")),
                   MLT_ARG(mlt_view_time(v, a, "timestamp")), MLT_ARG(field(v, a, "approval_reference")));
}

static void link_transition(struct mlt_view *v, mlt_json_at t, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s: %.*s -> %.*s by %.*s on %.*s", MLT_ARG(field(v, t, "model_version")),
                   MLT_ARG(field(v, t, "from_stage")), MLT_ARG(field(v, t, "to_stage")),
                   MLT_ARG(field(v, t, "performed_by")), MLT_ARG(mlt_view_time(v, t, "timestamp")));
    if (mlt_view_u64(v, t, "entry", UINT64_MAX) == mlt_view_u64(v, 0, "in_force.by_log.entry", UINT64_MAX - 1)) {
        mlt_buf_put_str(out, " (in force)");
    }
}

static void link_prediction(struct mlt_view *v, mlt_json_at p, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s on %.*s, on %.*s%s", MLT_ARG(field(v, p, "model_version")),
                   MLT_ARG(mlt_view_time(v, p, "timestamp")), MLT_ARG(field(v, p, "serving_node")),
                   mlt_view_true(v, p, "served") ? " (served)" : "");
}

static void link_access(struct mlt_view *v, mlt_json_at a, struct mlt_buf *out) {
    mlt_buf_printf(out, "%.*s %.*s %.*s %.*s on %.*s", MLT_ARG(mlt_view_shown(v, a, "principal")),
                   MLT_ARG(field(v, a, "action")), MLT_ARG(field(v, a, "resource.type")),
                   MLT_ARG(field(v, a, "resource.id")), MLT_ARG(mlt_view_time(v, a, "timestamp")));
}

static const struct {
    const char *label, *list;
    void (*show)(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out);
} links[] = {
    {"source tables", "sources", link_source},       {"datasets", "dataset_versions", link_dataset},
    {"training", "training_runs", link_training},    {"model versions", "model_versions", link_version},
    {"approvals", "approvals", link_approval},       {"deployments", "transitions", link_transition},
    {"predictions", "predictions", link_prediction}, {"access", "access", link_access},
};

static void put_chain(struct mlt_text *t, struct mlt_view *v) {
    struct mlt_buf line = {0};
    mlt_text_heading(t, "THE CHAIN, from source data to access");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        const mlt_json_at list = mlt_json_get(&v->json, 0, links[i].list);
        size_t shown = 0;
        if (mlt_view_count(v, list) == 0) {
            mlt_text_row(t, 2, CHAIN_LABEL, mlt_str(links[i].label), MLT_STYLE_WARN, mlt_str("none recorded"));
        }
        MLT_VIEW_EACH(v, list, n) {
            line.len = 0;
            if (shown == CHAIN_ROWS_MAX) {
                mlt_buf_printf(&line, "and %zu more, below", mlt_view_count(v, list) - shown);
                mlt_text_row(t, 2, CHAIN_LABEL, mlt_str(""), MLT_STYLE_DIM, mlt_buf_bytes(&line));
                break;
            }
            links[i].show(v, n, &line);
            mlt_buf_printf(&line, " [%.*s]", MLT_ARG(mlt_view_shown(v, n, "entry")));
            mlt_text_row(t, 2, CHAIN_LABEL, mlt_str(shown ? "" : links[i].label), MLT_STYLE_PLAIN,
                         mlt_buf_bytes(&line));
            shown++;
        }
    }
    mlt_buf_clear(&line);
}

static const char *disagreement_text(struct mlt_view *v, mlt_json_at event) {
    if (mlt_view_is(v, event, "disagreement", "claimed-after-recorded")) {
        return "  ! claims a time after it was recorded";
    }
    return mlt_view_absent(v, mlt_view_at(v, event, "disagreement"))
               ? ""
               : "  ! claims an earlier time than an earlier entry";
}

static void put_timeline(struct mlt_text *t, struct mlt_view *v) {
    struct mlt_buf line = {0};
    mlt_text_heading(t, "TIMELINE, in the order of the log, with claimed times");
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "timeline"), e) {
        const struct mlt_bytes actor = mlt_view_string(v, e, "actor");
        const char *disagreement = disagreement_text(v, e);
        line.len = 0;
        mlt_buf_printf(&line, "[%.*s] %.*s  %.*s", MLT_ARG(mlt_view_shown(v, e, "entry")),
                       MLT_ARG(mlt_view_time(v, e, "time")), MLT_ARG(mlt_view_shown(v, e, "what")));
        if (actor.len) {
            mlt_buf_printf(&line, ", %.*s", MLT_ARG(actor));
        }
        if (*disagreement) {
            mlt_buf_printf(&line, "%s (recorded %.*s)", disagreement, MLT_ARG(mlt_view_time(v, e, "recorded")));
        }
        mlt_text_wrap(t, 2, 6, *disagreement ? MLT_STYLE_WARN : MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    }
    mlt_buf_clear(&line);
}

static void put_completeness(struct mlt_text *t, struct mlt_view *v) {
    const mlt_json_at stream = mlt_view_at(v, 0, "completeness.stream");
    struct mlt_buf line = {0};
    mlt_text_heading(t, "COMPLETENESS");
    mlt_buf_printf(&line, "%.*s", MLT_ARG(mlt_view_shown(v, stream, "result")));
    if (mlt_view_true(v, stream, "checked")) {
        mlt_buf_printf(&line, ": %.*s missing, %.*s repeated, in %zu run(s)",
                       MLT_ARG(mlt_view_shown(v, stream, "gaps")), MLT_ARG(mlt_view_shown(v, stream, "repeats")),
                       mlt_view_count(v, mlt_view_at(v, stream, "runs")));
    } else {
        mlt_buf_put_str(&line, ": the prediction has no sequence number");
    }
    mlt_text_row(t, 2, CHAIN_LABEL, mlt_str("stream"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_text_row(t, 2, CHAIN_LABEL, mlt_str("its tail"), MLT_STYLE_PLAIN, mlt_view_shown(v, stream, "tail.state"));
    line.len = 0;
    mlt_buf_printf(&line, "%.*s", MLT_ARG(mlt_view_shown(v, stream, "batch.verdict")));
    if (!mlt_view_absent(v, mlt_view_at(v, stream, "batch.entry"))) {
        mlt_buf_printf(&line, " (entry %.*s, key %.*s)", MLT_ARG(mlt_view_shown(v, stream, "batch.entry")),
                       MLT_ARG(mlt_view_shown(v, stream, "batch.key")));
    }
    mlt_text_row(t, 2, CHAIN_LABEL, mlt_str("signed batch"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    line.len = 0;
    mlt_buf_printf(&line, "%.*s recorded, %.*s shown here", MLT_ARG(mlt_view_shown(v, 0, "completeness.access.total")),
                   MLT_ARG(mlt_view_shown(v, 0, "completeness.access.shown")));
    mlt_text_row(t, 2, CHAIN_LABEL, mlt_str("access"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

static void put_head(struct mlt_text *t, struct mlt_view *v) {
    struct mlt_buf line = {0};
    const bool good = mlt_view_is(v, 0, "integrity.verdict", "verified");
    mlt_buf_printf(&line, "Dossier of request %.*s", MLT_ARG(field(v, 0, "request_id")));
    mlt_text_wrap(t, 0, 2, MLT_STYLE_BOLD, mlt_buf_bytes(&line));
    mlt_text_line(t);
    line.len = 0;
    mlt_view_answer(v, &line);
    mlt_text_wrap(t, 0, 0, MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_text_line(t);
    line.len = 0;
    mlt_view_verdict(v, &line);
    mlt_text_wrap(t, 0, 0, good ? MLT_STYLE_GOOD : MLT_STYLE_BAD, mlt_buf_bytes(&line));
    line.len = 0;
    mlt_view_findings_line(v, &line);
    mlt_text_wrap(t, 0, 0, MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

static void put_generated(struct mlt_text *t, struct mlt_view *v) {
    struct mlt_buf line = {0};
    mlt_text_line(t);
    mlt_buf_printf(&line, "%.*s, at tree size %.*s", MLT_ARG(mlt_view_shown(v, 0, "generated.build")),
                   MLT_ARG(mlt_view_shown(v, 0, "generated.tree_size")));
    mlt_text_wrap(t, 0, 0, MLT_STYLE_DIM, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

enum mlt_status mlt_dossier_text(struct mlt_bytes dossier_json, bool color, unsigned width, struct mlt_buf *out,
                                 struct mlt_error *err) {
    static const struct {
        const char *title, *list;
    } sections[] = {
        {"PREDICTIONS", "predictions"},
        {"MODEL VERSIONS", "model_versions"},
        {"TRAINING RUNS", "training_runs"},
        {"DATASETS", "dataset_versions"},
        {"APPROVALS", "approvals"},
        {"DEPLOYMENTS", "transitions"},
        {"DECISIONS, EXPLANATIONS AND OTHER RELATED RECORDS", "related"},
        {"ACCESS", "access"},
    };
    struct mlt_view v;
    struct mlt_text t;
    mlt_text_init(&t, out, color, width);
    enum mlt_status status = mlt_view_open(&v, dossier_json, err);
    if (status) {
        goto out;
    }
    put_head(&t, &v);
    put_chain(&t, &v);
    mlt_text_findings(&t, &v);
    put_timeline(&t, &v);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        mlt_text_nodes(&t, &v, sections[i].title, mlt_json_get(&v.json, 0, sections[i].list));
    }
    put_completeness(&t, &v);
    mlt_text_integrity(&t, &v);
    put_generated(&t, &v);
    if (out->failed || t.scratch.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the text");
    }
out:
    mlt_text_clear(&t);
    mlt_view_clear(&v);
    return status;
}
