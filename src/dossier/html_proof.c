// Completeness and integrity, the annex that one checks.
#include "dossier/html_out.h"

static void put_row(struct mlt_view *v, struct mlt_buf *out, const char *label, mlt_json_at at, const char *path) {
    mlt_buf_printf(out, "<tr><th scope=\"row\">%s</th><td>", label);
    mlt_html_value(v, mlt_view_at(v, at, path), out);
    mlt_buf_put_str(out, "</td></tr>");
}

void mlt_html_completeness(struct mlt_view *v, struct mlt_buf *out) {
    const mlt_json_at stream = mlt_view_at(v, 0, "completeness.stream");
    mlt_buf_put_str(out,
                    "<section id=\"completeness\"><h2>Completeness</h2><table class=\"record\"><caption>The stream of "
                    "predictions that this one belongs to</caption><tbody>");
    put_row(v, out, "result", stream, "result");
    put_row(v, out, "serving node", stream, "serving_node");
    put_row(v, out, "stream", stream, "stream");
    put_row(v, out, "runs of sequence numbers", stream, "runs");
    put_row(v, out, "missing", stream, "gaps");
    put_row(v, out, "repeated", stream, "repeats");
    put_row(v, out, "tail", stream, "tail.state");
    put_row(v, out, "signed batch", stream, "batch");
    put_row(v, out, "access records, all", 0, "completeness.access.total");
    put_row(v, out, "access records, shown", 0, "completeness.access.shown");
    mlt_buf_put_str(out, "</tbody></table><p>\xe2\x80\x9cNo gap found\xe2\x80\x9d and \xe2\x80\x9c"
                         "could not check\xe2\x80\x9d are different results.</p></section>\n");
}

static void put_times(struct mlt_view *v, mlt_json_at entry, struct mlt_buf *out) {
    struct mlt_buf text = {0};
    mlt_view_bounds(v, entry, &text);
    if (text.len > 0) {
        mlt_buf_put_str(out, "<br><span class=\"times\">");
        mlt_html_text(out, mlt_buf_bytes(&text));
        mlt_buf_put_str(out, "</span>");
    }
    mlt_buf_clear(&text);
}

static void put_anchors(struct mlt_view *v, mlt_json_at integrity, struct mlt_buf *out) {
    const mlt_json_at anchors = mlt_view_at(v, integrity, "anchors");
    struct mlt_buf text = {0};
    if (mlt_view_count(v, anchors) == 0) {
        return;
    }
    mlt_buf_put_str(out, "<h3>Anchors</h3><p>Time-stamps of other parties over this log, as it recorded them:</p><ul>");
    MLT_VIEW_EACH(v, anchors, a) {
        text.len = 0;
        mlt_buf_printf(&text, "anchor %.*s: ", MLT_ARG(mlt_view_shown(v, a, "entry")));
        mlt_view_anchor(v, a, &text);
        mlt_buf_put_str(out, "<li>");
        mlt_html_text(out, mlt_buf_bytes(&text));
        mlt_buf_put_str(out, "</li>");
    }
    mlt_buf_put_str(out, "</ul>");
    mlt_buf_clear(&text);
}

static void put_proofs(struct mlt_view *v, mlt_json_at integrity, struct mlt_buf *out) {
    mlt_buf_put_str(out,
                    "<div class=\"wide\"><table class=\"proofs\"><caption>Each entry this dossier rests on: its leaf "
                    "hash (RFC 6962) and its path to the root</caption><thead><tr><th scope=\"col\">Entry</th>"
                    "<th scope=\"col\">Verdict</th><th scope=\"col\">Leaf hash and path</th></tr></thead><tbody>");
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "entries"), e) {
        const uint64_t index = mlt_view_u64(v, e, "index", 0);
        mlt_buf_printf(out, "<tr id=\"e%llu\"><td class=\"num\">%llu</td><td>%s</td><td><code>",
                       (unsigned long long)index, (unsigned long long)index,
                       mlt_view_true(v, e, "verified") ? "verified" : "<strong class=\"bad\">not proved</strong>");
        mlt_html_text(out, mlt_view_string(v, e, "leaf"));
        mlt_buf_put_str(out, "</code>");
        put_times(v, e, out);
        mlt_buf_printf(out, "<details><summary>path of %zu hashes</summary>",
                       mlt_view_count(v, mlt_view_at(v, e, "proof")));
        MLT_VIEW_EACH(v, mlt_view_at(v, e, "proof"), h) {
            mlt_buf_put_str(out, "<code>");
            mlt_html_text(out, mlt_json_string(&v->json, h, &v->arena));
            mlt_buf_put_str(out, "</code> ");
        }
        mlt_buf_put_str(out, "</details></td></tr>");
    }
    mlt_buf_put_str(out, "</tbody></table></div>");
}

void mlt_html_integrity(struct mlt_view *v, struct mlt_buf *out) {
    const mlt_json_at integrity = mlt_json_get(&v->json, 0, "integrity");
    struct mlt_buf line = {0};
    mlt_buf_put_str(out, "<section id=\"integrity\"><h2>Integrity</h2><p>");
    mlt_view_verdict(v, &line);
    mlt_html_text(out, mlt_buf_bytes(&line));
    mlt_buf_put_str(out, "</p><table class=\"record\"><caption>What it was checked against</caption><tbody>");
    put_row(v, out, "verdict", integrity, "verdict");
    put_row(v, out, "assurance", integrity, "assurance");
    put_row(v, out, "origin", integrity, "checkpoint.origin");
    put_row(v, out, "tree size", integrity, "checkpoint.tree_size");
    put_row(v, out, "root hash", integrity, "checkpoint.root");
    put_row(v, out, "key", integrity, "key");
    mlt_buf_put_str(out, "</tbody></table><p>The signed checkpoint, word for word:</p><pre>");
    // Line by line: a note has newlines, which elsewhere would be shown as escapes.
    struct mlt_bytes note = mlt_view_string(v, integrity, "checkpoint.note");
    while (note.len) {
        size_t len = 0;
        while (len < note.len && note.ptr[len] != '\n') {
            len++;
        }
        mlt_html_text(out, mlt_bytes_of(note.ptr, len));
        mlt_buf_put_str(out, "\n");
        len += len < note.len;
        note = mlt_bytes_of(note.ptr + len, note.len - len);
    }
    mlt_buf_put_str(out, "</pre>");
    put_proofs(v, integrity, out);
    put_anchors(v, integrity, out);
    mlt_buf_put_str(out,
                    "<h3>How to check it yourself</h3><p>Get the verifier key of the log from somewhere other than "
                    "this file, then:</p><pre>mltrail verify TRAIL --key KEY\n"
                    "mltrail prove INDEX</pre><h3>What this does not show</h3><ul>");
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "what_this_does_not_show"), s) {
        mlt_buf_put_str(out, "<li>");
        mlt_html_text(out, mlt_json_string(&v->json, s, &v->arena));
        mlt_buf_put_str(out, "</li>");
    }
    mlt_buf_put_str(out, "</ul></section>\n");
    mlt_buf_clear(&line);
}
