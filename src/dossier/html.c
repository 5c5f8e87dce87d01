#include "crypto/sha256.h"
#include "dossier/dossier.h"
#include "dossier/html_out.h"

static void put_head(struct mlt_view *v, struct mlt_buf *out) {
    mlt_buf_put_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                         "'unsafe-inline'; ");
    mlt_html_check_policy(out);
    mlt_buf_put_str(out, "base-uri 'none'; form-action 'none'\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                         "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Dossier of request ");
    mlt_html_text(out, mlt_view_string(v, 0, "request_id"));
    mlt_buf_put_str(out, "</title>\n<style>");
    for (size_t i = 0; mlt_html_css[i]; i++) {
        mlt_buf_put_str(out, mlt_html_css[i]);
    }
    mlt_buf_put_str(out, "</style>\n</head>\n<body>\n");
}

static const char *verdict_class(struct mlt_view *v) {
    return mlt_view_is(v, 0, "integrity.verdict", "verified")    ? "good"
           : mlt_view_is(v, 0, "integrity.verdict", "unchecked") ? "warn"
                                                                 : "bad";
}

// Entries that are proved can still tell of something wrong: the two are never one colour.
static const char *findings_class(struct mlt_view *v) {
    const char *class = "good";
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "findings"), f) {
        if (!mlt_view_absent(v, mlt_view_at(v, f, "resolved_by"))) {
            continue;
        }
        if (mlt_view_is(v, f, "severity", "critical") || mlt_view_is(v, f, "severity", "high")) {
            return "bad";
        }
        if (!mlt_view_is(v, f, "severity", "info")) {
            class = "warn";
        }
    }
    return class;
}

static void put_answer(struct mlt_view *v, struct mlt_buf *out) {
    struct mlt_buf line = {0};
    mlt_buf_put_str(out, "<header><p class=\"over\">Dossier of one prediction</p><h1>Request <span class=\"id\">");
    mlt_html_text(out, mlt_view_string(v, 0, "request_id"));
    mlt_buf_put_str(out, "</span></h1><p class=\"answer\">");
    mlt_view_answer(v, &line);
    mlt_html_text(out, mlt_buf_bytes(&line));
    mlt_buf_printf(out, "</p><p class=\"verdict %s\"><strong>", verdict_class(v));
    mlt_html_text(out, mlt_view_shown(v, 0, "integrity.verdict"));
    mlt_buf_put_str(out, "</strong> ");
    line.len = 0;
    mlt_view_verdict(v, &line);
    mlt_html_text(out, mlt_buf_bytes(&line));
    mlt_buf_printf(out, "</p><p class=\"verdict %s\"><strong>Findings</strong> ", findings_class(v));
    line.len = 0;
    mlt_view_findings_line(v, &line);
    mlt_html_text(out, mlt_buf_bytes(&line));
    mlt_buf_put_str(out, "</p></header>\n");
    out->failed = out->failed || line.failed;
    mlt_buf_clear(&line);
}

static void put_foot(struct mlt_view *v, struct mlt_bytes json, struct mlt_buf *out) {
    uint8_t digest[MLT_HASH_LEN];
    mlt_sha256_one(digest, json);
    mlt_buf_put_str(out, "<footer><p>");
    mlt_html_text(out, mlt_view_shown(v, 0, "generated.build"));
    mlt_buf_put_str(out, ", at tree size ");
    mlt_html_text(out, mlt_view_shown(v, 0, "generated.tree_size"));
    mlt_buf_put_str(out, ". The machine-readable form of these facts (JSON) has the SHA-256 digest <code>");
    mlt_buf_put_hex(out, mlt_bytes_of(digest, sizeof(digest)));
    mlt_buf_put_str(out, "</code>; the same trail, question, tree size and build give the same bytes.</p></footer>\n");
}

static void put_content(struct mlt_view *v, struct mlt_bytes dossier_json, struct mlt_buf *out) {
    put_answer(v, out);
    mlt_html_picture(v, out);
    mlt_html_findings(v, out);
    mlt_html_timeline(v, out);
    mlt_html_nodes(v, out, "predictions", "Prediction", "predictions");
    mlt_html_nodes(v, out, "model-versions", "Model", "model_versions");
    mlt_html_nodes(v, out, "approvals", "Approval", "approvals");
    mlt_html_nodes(v, out, "transitions", "Deployment", "transitions");
    mlt_html_nodes(v, out, "training-runs", "Training", "training_runs");
    mlt_html_nodes(v, out, "datasets", "Training data", "dataset_versions");
    mlt_html_sources(v, out);
    mlt_html_nodes(v, out, "related", "Decision, explanation and other related records", "related");
    mlt_html_access(v, out);
    mlt_html_completeness(v, out);
    mlt_html_integrity(v, out);
    put_foot(v, dossier_json, out);
}

enum mlt_status mlt_dossier_html(struct mlt_bytes dossier_json, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_view v;
    struct mlt_buf content = {0};
    uint8_t digest[MLT_HASH_LEN];
    enum mlt_status status = mlt_view_open(&v, dossier_json, err);
    if (status) {
        goto out;
    }
    put_content(&v, dossier_json, &content);
    if (!mlt_html_text_digest(mlt_buf_bytes(&content), digest)) {
        content.failed = true;
    }
    put_head(&v, out);
    mlt_html_check_box(out);
    mlt_buf_put_str(out, "<main data-text=\"");
    mlt_buf_put_hex(out, mlt_bytes_of(digest, sizeof(digest)));
    mlt_buf_put_str(out, "\">\n");
    mlt_buf_put_bytes(out, mlt_buf_bytes(&content));
    mlt_buf_put_str(out, "</main>\n");
    mlt_html_check_script(&v, out);
    mlt_buf_put_str(out, "</body>\n</html>\n");
    if (out->failed || content.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the page");
    }
out:
    mlt_buf_clear(&content);
    mlt_view_clear(&v);
    return status;
}
