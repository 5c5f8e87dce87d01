// Sections that the dossier and an answer have in common.
#include "dossier/text_out.h"

#define LABEL_WIDTH 22 // "model artifact hash" and most other members

static struct mlt_bytes entry_list(struct mlt_view *v, mlt_json_at list) {
    struct mlt_buf buf = {0};
    MLT_VIEW_EACH(v, list, e) {
        mlt_buf_put_str(&buf, buf.len ? ", " : "");
        mlt_buf_put_bytes(&buf, mlt_json_raw(&v->json, e));
    }
    const struct mlt_bytes copy = mlt_arena_copy(&v->arena, mlt_buf_bytes(&buf));
    mlt_buf_clear(&buf);
    return copy;
}

static void put_finding(struct mlt_text *t, struct mlt_view *v, mlt_json_at f) {
    struct mlt_buf head = {0};
    const struct mlt_bytes severity = mlt_view_string(v, f, "severity");
    const mlt_json_at resolved = mlt_view_at(v, f, "resolved_by");
    const mlt_json_at known = mlt_view_at(v, f, "known_since");
    mlt_buf_printf(&head, "[%.*s] %.*s", MLT_ARG(severity), MLT_ARG(mlt_view_string(v, f, "code")));
    if (!mlt_view_absent(v, resolved)) {
        mlt_buf_printf(&head, ", resolved by entry %.*s", MLT_ARG(mlt_json_raw(&v->json, resolved)));
    }
    mlt_text_wrap(t, 2, 4, mlt_view_absent(v, resolved) ? mlt_text_severity(severity) : MLT_STYLE_DIM,
                  mlt_buf_bytes(&head));
    mlt_text_wrap(t, 4, 4, MLT_STYLE_PLAIN, mlt_view_shown(v, f, "condition"));
    static const char *const parts[] = {"criteria", "effect", "action"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const struct mlt_bytes text = mlt_view_string(v, f, parts[i]);
        if (text.len) {
            mlt_text_row(t, 4, 8, mlt_str(parts[i]), MLT_STYLE_PLAIN, text);
        }
    }
    head.len = 0;
    if (mlt_view_count(v, mlt_view_at(v, f, "entries"))) {
        mlt_buf_printf(&head, "%.*s", MLT_ARG(entry_list(v, mlt_view_at(v, f, "entries"))));
    } else {
        mlt_buf_put_str(&head, "none: an absence");
    }
    if (!mlt_view_absent(v, known)) {
        mlt_buf_printf(&head, " (known since entry %.*s)", MLT_ARG(mlt_json_raw(&v->json, known)));
    }
    mlt_text_row(t, 4, 8, mlt_str("entries"), MLT_STYLE_PLAIN, mlt_buf_bytes(&head));
    mlt_buf_clear(&head);
}

void mlt_text_findings(struct mlt_text *t, struct mlt_view *v) {
    struct mlt_buf line = {0};
    mlt_text_heading(t, "FINDINGS");
    mlt_view_findings_line(v, &line);
    mlt_text_wrap(t, 2, 2, MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "findings"), f) {
        mlt_text_line(t);
        put_finding(t, v, f);
    }
}

static void put_verify_hint(struct mlt_text *t) {
    mlt_text_wrap(t, 2, 2, MLT_STYLE_PLAIN,
                  mlt_str("To check it yourself, without trusting whoever runs the log, with a key that you got from "
                          "elsewhere:"));
    mlt_text_wrap(t, 4, 6, MLT_STYLE_PLAIN, mlt_str("mltrail verify TRAIL --key KEY"));
    mlt_text_wrap(t, 4, 6, MLT_STYLE_PLAIN, mlt_str("mltrail prove INDEX"));
}

struct times_line {
    struct mlt_buf entries, bounds; // of the line being gathered
    bool labelled;
};

static void put_times_line(struct mlt_text *t, struct times_line *line) {
    if (line->entries.len > 0) {
        mlt_buf_put_str(&line->entries, "] ");
        mlt_buf_put_bytes(&line->entries, mlt_buf_bytes(&line->bounds));
        mlt_text_row(t, 2, 12, mlt_str(line->labelled ? "" : "times"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line->entries));
        line->labelled = true;
        line->entries.len = 0;
    }
}

// Entries with the same bounds that follow each other share a line.
static void put_times(struct mlt_text *t, struct mlt_view *v, mlt_json_at integrity) {
    struct times_line line = {0};
    struct mlt_buf bounds = {0};
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "entries"), e) {
        bounds.len = 0;
        mlt_view_bounds(v, e, &bounds);
        if (bounds.len == 0) {
            continue;
        }
        if (!mlt_bytes_equal(mlt_buf_bytes(&bounds), mlt_buf_bytes(&line.bounds))) {
            put_times_line(t, &line);
            line.bounds.len = 0;
            mlt_buf_put_bytes(&line.bounds, mlt_buf_bytes(&bounds));
        }
        mlt_buf_printf(&line.entries, "%s%.*s", line.entries.len > 0 ? ", " : "[",
                       MLT_ARG(mlt_view_shown(v, e, "index")));
    }
    put_times_line(t, &line);
    mlt_buf_clear(&line.entries);
    mlt_buf_clear(&line.bounds);
    mlt_buf_clear(&bounds);
}

static void put_anchors(struct mlt_text *t, struct mlt_view *v, mlt_json_at integrity) {
    struct mlt_buf line = {0};
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "anchors"), a) {
        line.len = 0;
        mlt_buf_printf(&line, "[%.*s] ", MLT_ARG(mlt_view_shown(v, a, "entry")));
        mlt_view_anchor(v, a, &line);
        mlt_text_row(t, 2, 12, mlt_str("anchor"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    }
    mlt_buf_clear(&line);
}

void mlt_text_integrity(struct mlt_text *t, struct mlt_view *v) {
    const mlt_json_at integrity = mlt_json_get(&v->json, 0, "integrity");
    struct mlt_buf line = {0};
    const bool good = mlt_view_is(v, integrity, "verdict", "verified");
    mlt_text_heading(t, "INTEGRITY");
    mlt_view_verdict(v, &line);
    mlt_text_row(t, 2, 12, mlt_str("verdict"), good ? MLT_STYLE_GOOD : MLT_STYLE_BAD,
                 mlt_view_shown(v, integrity, "verdict"));
    mlt_text_row(t, 2, 12, mlt_str("meaning"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_text_row(t, 2, 12, mlt_str("origin"), MLT_STYLE_PLAIN, mlt_view_shown(v, integrity, "checkpoint.origin"));
    mlt_text_row(t, 2, 12, mlt_str("tree size"), MLT_STYLE_PLAIN, mlt_view_shown(v, integrity, "checkpoint.tree_size"));
    mlt_text_row(t, 2, 12, mlt_str("root"), MLT_STYLE_PLAIN, mlt_view_shown(v, integrity, "checkpoint.root"));
    mlt_text_row(t, 2, 12, mlt_str("key"), MLT_STYLE_PLAIN, mlt_view_shown(v, integrity, "key"));
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "entries"), e) {
        if (!mlt_view_true(v, e, "verified")) {
            line.len = 0;
            mlt_buf_printf(&line, "entry %.*s could not be proved", MLT_ARG(mlt_view_shown(v, e, "index")));
            mlt_text_row(t, 2, 12, mlt_str("unproved"), MLT_STYLE_BAD, mlt_buf_bytes(&line));
        }
    }
    put_times(t, v, integrity);
    put_anchors(t, v, integrity);
    mlt_text_line(t);
    mlt_text_wrap(t, 2, 2, MLT_STYLE_PLAIN, mlt_str("What this does not show:"));
    MLT_VIEW_EACH(v, mlt_view_at(v, integrity, "what_this_does_not_show"), s) {
        line.len = 0;
        mlt_buf_put_str(&line, "- ");
        mlt_buf_put_bytes(&line, mlt_json_string(&v->json, s, &v->arena));
        mlt_text_wrap(t, 2, 4, MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    }
    mlt_text_line(t);
    put_verify_hint(t);
    mlt_buf_clear(&line);
}

static void put_node_head(struct mlt_text *t, struct mlt_view *v, mlt_json_at node) {
    struct mlt_buf line = {0};
    mlt_buf_put_bytes(&line, mlt_view_shown(v, node, "kind"));
    if (mlt_view_is(v, node, "kind", "prediction") && !mlt_view_absent(v, mlt_view_at(v, node, "row"))) {
        mlt_buf_printf(&line, " %.*s#%.*s", MLT_ARG(mlt_view_shown(v, node, "request_id")),
                       MLT_ARG(mlt_view_shown(v, node, "row")));
    }
    mlt_buf_printf(&line, ", entr%s %.*s", mlt_view_count(v, mlt_view_at(v, node, "entries")) == 1 ? "y" : "ies",
                   MLT_ARG(entry_list(v, mlt_view_at(v, node, "entries"))));
    if (mlt_view_true(v, node, "served")) {
        mlt_buf_put_str(&line, ", served");
    }
    mlt_text_wrap(t, 2, 4, MLT_STYLE_BOLD, mlt_buf_bytes(&line));
    line.len = 0;
    mlt_buf_printf(&line, "%.*s by %.*s (%.*s)", MLT_ARG(mlt_view_time(v, node, "received")),
                   MLT_ARG(mlt_view_shown(v, node, "producer.principal")),
                   MLT_ARG(mlt_view_shown(v, node, "producer.assurance")));
    mlt_text_row(t, 4, LABEL_WIDTH, mlt_str("recorded"), MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

static void put_other_entry(struct mlt_text *t, struct mlt_view *v, mlt_json_at part) {
    struct mlt_buf line = {0};
    mlt_buf_printf(&line, "entry %.*s %.*s it", MLT_ARG(mlt_view_shown(v, part, "entry")),
                   MLT_ARG(mlt_view_shown(v, part, "relation")));
    if (mlt_view_count(v, mlt_view_at(v, part, "differs"))) {
        mlt_buf_printf(&line, ": %.*s", MLT_ARG(mlt_view_shown(v, part, "differs")));
    }
    mlt_text_row(t, 4, LABEL_WIDTH, mlt_str("also"),
                 mlt_view_is(v, part, "relation", "conflicts") ? MLT_STYLE_BAD : MLT_STYLE_PLAIN, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

static void put_assurance(struct mlt_text *t, struct mlt_view *v, mlt_json_at node) {
    if (mlt_view_absent(v, mlt_view_at(v, node, "approver_assurance"))) {
        return;
    }
    const bool claimed = mlt_view_is(v, node, "approver_assurance", "claimed");
    mlt_text_row(t, 4, LABEL_WIDTH, mlt_str("assurance"), claimed ? MLT_STYLE_BAD : MLT_STYLE_PLAIN,
                 mlt_view_assurance(v, node));
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "signature_checks"), check) {
        const bool good = mlt_view_is(v, check, "verdict", "good");
        mlt_text_row(t, 4, LABEL_WIDTH, mlt_str("signature check"), good ? MLT_STYLE_PLAIN : MLT_STYLE_BAD,
                     mlt_view_signature(v, check));
    }
}

static void put_lines(struct mlt_text *t, struct mlt_bytes label, struct mlt_bytes text) {
    while (text.len) {
        mlt_text_row(t, 4, LABEL_WIDTH, label, MLT_STYLE_PLAIN, mlt_view_next_line(&text));
        label = (struct mlt_bytes){0};
    }
}

static void put_node(struct mlt_text *t, struct mlt_view *v, mlt_json_at node) {
    struct mlt_buf absent = {0};
    put_node_head(t, v, node);
    put_assurance(t, v, node);
    MLT_VIEW_EACH(v, node, n) {
        const struct mlt_bytes name = mlt_json_string(&v->json, n, &v->arena);
        if (mlt_view_is_envelope(name)) {
            continue;
        }
        const struct mlt_bytes label = mlt_view_label(v, name);
        if (mlt_view_absent(v, n + 1)) {
            mlt_buf_put_str(&absent, absent.len ? ", " : "");
            mlt_buf_put_bytes(&absent, label);
        } else if (mlt_view_has_lines(name) && mlt_json_is(&v->json, n + 1, MLT_JSON_STRING)) {
            put_lines(t, label, mlt_view_string(v, n + 1, ""));
        } else {
            mlt_text_row(t, 4, LABEL_WIDTH, label, MLT_STYLE_PLAIN, mlt_view_shown(v, n + 1, ""));
        }
    }
    if (absent.len) {
        mlt_text_row(t, 4, LABEL_WIDTH, mlt_str("not recorded"), MLT_STYLE_DIM, mlt_buf_bytes(&absent));
    }
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "other_entries"), part) {
        put_other_entry(t, v, part);
    }
    mlt_buf_clear(&absent);
}

void mlt_text_nodes(struct mlt_text *t, struct mlt_view *v, const char *title, mlt_json_at list) {
    mlt_text_heading(t, title);
    if (mlt_view_count(v, list) == 0) {
        mlt_text_wrap(t, 2, 2, MLT_STYLE_PLAIN, mlt_str("None is recorded."));
        return;
    }
    bool first = true;
    MLT_VIEW_EACH(v, list, node) {
        if (!first) {
            mlt_text_line(t);
        }
        put_node(t, v, node);
        first = false;
    }
}
