#include "dossier/dossier.h"
#include "dossier/text_out.h"

static void put_head(struct mlt_text *t, struct mlt_view *v) {
    const bool answered = mlt_view_true(v, 0, "answered");
    struct mlt_buf line = {0};
    mlt_buf_printf(&line, "%.*s  %.*s", MLT_ARG(mlt_view_shown(v, 0, "question.id")),
                   MLT_ARG(mlt_view_shown(v, 0, "question.text")));
    mlt_text_wrap(t, 0, 8, MLT_STYLE_BOLD, mlt_buf_bytes(&line));
    mlt_text_line(t);
    mlt_text_wrap(t, 0, 0, answered ? MLT_STYLE_PLAIN : MLT_STYLE_WARN, mlt_view_string(v, 0, "answer"));
    if (!answered) {
        mlt_text_line(t);
        mlt_text_wrap(t, 0, 0, MLT_STYLE_BAD, mlt_str("The trail does not answer this."));
    }
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "missing"), m) {
        line.len = 0;
        mlt_buf_printf(&line, "- missing: %.*s", MLT_ARG(mlt_json_string(&v->json, m, &v->arena)));
        mlt_text_wrap(t, 2, 4, MLT_STYLE_WARN, mlt_buf_bytes(&line));
    }
    mlt_buf_clear(&line);
}

enum mlt_status mlt_ask_text(struct mlt_bytes answer_json, bool color, unsigned width, struct mlt_buf *out,
                             struct mlt_error *err) {
    static const struct {
        const char *title, *list;
    } sections[] = {
        {"PREDICTIONS", "predictions"},   {"MODEL VERSIONS", "model_versions"}, {"TRAINING RUNS", "training_runs"},
        {"DATASETS", "dataset_versions"}, {"APPROVALS", "approvals"},           {"DEPLOYMENTS", "transitions"},
    };
    struct mlt_view v;
    struct mlt_text t;
    mlt_text_init(&t, out, color, width);
    enum mlt_status status = mlt_view_open(&v, answer_json, err);
    if (status) {
        goto out;
    }
    put_head(&t, &v);
    mlt_text_findings(&t, &v);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        const mlt_json_at list = mlt_view_at(&v, mlt_json_get(&v.json, 0, "data"), sections[i].list);
        if (list != MLT_JSON_NONE) {
            mlt_text_nodes(&t, &v, sections[i].title, list);
        }
    }
    mlt_text_integrity(&t, &v);
    if (out->failed || t.scratch.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the text");
    }
out:
    mlt_text_clear(&t);
    mlt_view_clear(&v);
    return status;
}
