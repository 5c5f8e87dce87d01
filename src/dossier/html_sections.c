#include "dossier/html_out.h"

static void put_entries(struct mlt_view *v, mlt_json_at list, struct mlt_buf *out) {
    bool first = true;
    MLT_VIEW_EACH(v, list, e) {
        mlt_buf_put_str(out, first ? "" : ", ");
        mlt_html_entry_link(v, e, out);
        first = false;
    }
    if (first) {
        mlt_buf_put_str(out, "<span class=\"none\">none</span>");
    }
}

static void put_cell(struct mlt_view *v, mlt_json_at at, const char *path, struct mlt_buf *out) {
    mlt_buf_put_str(out, "<td>");
    mlt_html_value(v, mlt_view_at(v, at, path), out);
    mlt_buf_put_str(out, "</td>");
}

static void put_text_cell(struct mlt_bytes text, struct mlt_buf *out) {
    mlt_buf_put_str(out, "<td>");
    mlt_html_text(out, text);
    mlt_buf_put_str(out, "</td>");
}

static void put_entry_cell(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out) {
    mlt_buf_put_str(out, "<td class=\"num\">");
    mlt_html_entry_link(v, mlt_view_at(v, at, "entry"), out);
    mlt_buf_put_str(out, "</td>");
}

// A section with a table: `columns` are the heads, separated by '|'.
static void begin_table(struct mlt_buf *out, const char *id, const char *title, const char *caption,
                        const char *columns) {
    mlt_buf_printf(out, "<section id=\"%s\"><h2>%s</h2><div class=\"wide\"><table><caption>%s</caption><thead><tr>", id,
                   title, caption);
    while (*columns) {
        const size_t len = strcspn(columns, "|");
        mlt_buf_put_str(out, "<th scope=\"col\">");
        mlt_buf_put(out, columns, len);
        mlt_buf_put_str(out, "</th>");
        columns += len + (columns[len] == '|');
    }
    mlt_buf_put_str(out, "</tr></thead><tbody>");
}

static void end_table(struct mlt_buf *out) {
    mlt_buf_put_str(out, "</tbody></table></div></section>\n");
}

static void put_other_entries(struct mlt_view *v, mlt_json_at node, struct mlt_buf *out) {
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "other_entries"), part) {
        const bool conflict = mlt_view_is(v, part, "relation", "conflicts");
        mlt_buf_printf(out, "<tr%s><th scope=\"row\">entry ", conflict ? " class=\"conflict\"" : "");
        mlt_html_entry_link(v, mlt_view_at(v, part, "entry"), out);
        mlt_buf_put_str(out, " ");
        mlt_html_text(out, mlt_view_shown(v, part, "relation"));
        mlt_buf_put_str(out, " it</th><td>");
        if (mlt_view_count(v, mlt_view_at(v, part, "differs"))) {
            mlt_html_value(v, mlt_view_at(v, part, "differs"), out);
        } else {
            mlt_buf_put_str(out, "says nothing else");
        }
        mlt_buf_put_str(out, "</td></tr>");
    }
}

static void put_lines(struct mlt_bytes text, struct mlt_buf *out) {
    mlt_buf_put_str(out, "<pre>");
    while (text.len) {
        mlt_html_text(out, mlt_view_next_line(&text));
        mlt_buf_put_str(out, "\n");
    }
    mlt_buf_put_str(out, "</pre>");
}

static void put_members(struct mlt_view *v, mlt_json_at node, struct mlt_buf *out) {
    struct mlt_buf absent = {0};
    MLT_VIEW_EACH(v, node, n) {
        const struct mlt_bytes name = mlt_json_string(&v->json, n, &v->arena);
        if (mlt_view_is_envelope(name)) {
            continue;
        }
        const struct mlt_bytes label = mlt_view_label(v, name);
        if (mlt_view_absent(v, n + 1)) {
            mlt_buf_put_str(&absent, absent.len ? ", " : "");
            mlt_html_text(&absent, label);
            continue;
        }
        mlt_buf_put_str(out, "<tr><th scope=\"row\">");
        mlt_html_text(out, label);
        mlt_buf_put_str(out, "</th><td data-member=\"");
        mlt_html_text(out, name);
        mlt_buf_put_str(out, "\">");
        if (mlt_view_has_lines(name) && mlt_json_is(&v->json, n + 1, MLT_JSON_STRING)) {
            put_lines(mlt_view_string(v, n + 1, ""), out);
        } else {
            mlt_html_value(v, n + 1, out);
        }
        mlt_buf_put_str(out, "</td></tr>");
    }
    if (absent.len) {
        mlt_buf_put_str(out, "<tr class=\"none\"><th scope=\"row\">not recorded</th><td>");
        mlt_buf_put_bytes(out, mlt_buf_bytes(&absent));
        mlt_buf_put_str(out, "</td></tr>");
    }
    out->failed = out->failed || absent.failed;
    mlt_buf_clear(&absent);
}

// What is derived, not recorded: these rows name no member, and the page's own check passes over them.
static void put_assurance(struct mlt_view *v, mlt_json_at node, struct mlt_buf *out) {
    if (mlt_view_absent(v, mlt_view_at(v, node, "approver_assurance"))) {
        return;
    }
    const bool claimed = mlt_view_is(v, node, "approver_assurance", "claimed");
    mlt_buf_printf(out, "<tr%s><th scope=\"row\">assurance</th><td>", claimed ? " class=\"conflict\"" : "");
    mlt_html_text(out, mlt_view_assurance(v, node));
    mlt_buf_put_str(out, "</td></tr>");
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "signature_checks"), check) {
        const bool good = mlt_view_is(v, check, "verdict", "good");
        mlt_buf_printf(out, "<tr%s><th scope=\"row\">signature check</th><td>", good ? "" : " class=\"conflict\"");
        mlt_html_text(out, mlt_view_signature(v, check));
        mlt_buf_put_str(out, "</td></tr>");
    }
}

static bool is_correction(struct mlt_view *v, mlt_json_at node, uint64_t entry) {
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "other_entries"), part) {
        if (mlt_view_u64(v, part, "entry", UINT64_MAX) == entry) {
            return mlt_view_is(v, part, "relation", "corrects");
        }
    }
    return false;
}

// The entries whose members the table shows, for the page's own check: corrections stand beside them.
static void put_data_entries(struct mlt_view *v, mlt_json_at node, struct mlt_buf *out) {
    bool first = true;
    mlt_buf_put_str(out, " data-entries=\"");
    MLT_VIEW_EACH(v, mlt_view_at(v, node, "entries"), e) {
        uint64_t entry;
        if (mlt_json_u64(&v->json, e, &entry) && !is_correction(v, node, entry)) {
            mlt_buf_printf(out, "%s%llu", first ? "" : ",", (unsigned long long)entry);
            first = false;
        }
    }
    mlt_buf_put_str(out, "\"");
}

static void put_node(struct mlt_view *v, mlt_json_at node, struct mlt_buf *out) {
    mlt_buf_put_str(out, "<table class=\"record\"");
    put_data_entries(v, node, out);
    mlt_buf_put_str(out, "><caption>");
    mlt_html_text(out, mlt_view_shown(v, node, "kind"));
    if (mlt_view_true(v, node, "served")) {
        mlt_buf_put_str(out, " <span class=\"tag good\">served</span>");
    }
    mlt_buf_put_str(out, "<span class=\"from\">entry ");
    put_entries(v, mlt_view_at(v, node, "entries"), out);
    mlt_buf_put_str(out, ", recorded ");
    mlt_html_text(out, mlt_view_time(v, node, "received"));
    mlt_buf_put_str(out, " by ");
    mlt_html_text(out, mlt_view_shown(v, node, "producer.principal"));
    mlt_buf_put_str(out, " (");
    mlt_html_text(out, mlt_view_shown(v, node, "producer.assurance"));
    mlt_buf_put_str(out, ")</span></caption><tbody>");
    put_assurance(v, node, out);
    put_members(v, node, out);
    put_other_entries(v, node, out);
    mlt_buf_put_str(out, "</tbody></table>\n");
}

void mlt_html_nodes(struct mlt_view *v, struct mlt_buf *out, const char *id, const char *title, const char *list) {
    const mlt_json_at nodes = mlt_json_get(&v->json, 0, list);
    mlt_buf_printf(out, "<section id=\"%s\"><h2>%s</h2>", id, title);
    if (mlt_view_count(v, nodes) == 0) {
        mlt_buf_put_str(out, "<p class=\"none\">None is recorded.</p>");
    }
    MLT_VIEW_EACH(v, nodes, n) {
        put_node(v, n, out);
    }
    mlt_buf_put_str(out, "</section>\n");
}

// Only the five known words become a class; anything else stays text.
static const char *severity_class(struct mlt_bytes severity) {
    static const char *const known[] = {"critical", "high", "medium", "low", "info"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (mlt_bytes_is(severity, known[i])) {
            return known[i];
        }
    }
    return "info";
}

static void put_finding(struct mlt_view *v, mlt_json_at f, struct mlt_buf *out) {
    static const char *const parts[] = {"condition", "criteria", "effect", "action"};
    static const char *const labels[] = {"Found", "Expected", "Effect", "Do"};
    const mlt_json_at resolved = mlt_view_at(v, f, "resolved_by");
    const struct mlt_bytes severity = mlt_view_string(v, f, "severity");
    mlt_buf_printf(out, "<article class=\"finding %s%s\"><h3><span class=\"tag %s\">", severity_class(severity),
                   mlt_view_absent(v, resolved) ? "" : " resolved", severity_class(severity));
    mlt_html_text(out, severity);
    mlt_buf_put_str(out, "</span> ");
    mlt_html_text(out, mlt_view_string(v, f, "code"));
    mlt_buf_put_str(out, "</h3><dl class=\"kv\">");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!mlt_view_absent(v, mlt_view_at(v, f, parts[i]))) {
            mlt_buf_printf(out, "<div><dt>%s</dt><dd>", labels[i]);
            mlt_html_text(out, mlt_view_shown(v, f, parts[i]));
            mlt_buf_put_str(out, "</dd></div>");
        }
    }
    mlt_buf_put_str(out, "<div><dt>Entries</dt><dd>");
    put_entries(v, mlt_view_at(v, f, "entries"), out);
    if (!mlt_view_absent(v, mlt_view_at(v, f, "known_since"))) {
        mlt_buf_put_str(out, "; known since entry ");
        mlt_html_entry_link(v, mlt_view_at(v, f, "known_since"), out);
    }
    if (!mlt_view_absent(v, resolved)) {
        mlt_buf_put_str(out, "; <strong>resolved</strong> by entry ");
        mlt_html_entry_link(v, resolved, out);
    }
    mlt_buf_put_str(out, "</dd></div></dl></article>\n");
}

void mlt_html_findings(struct mlt_view *v, struct mlt_buf *out) {
    struct mlt_buf line = {0};
    mlt_view_findings_line(v, &line);
    mlt_buf_put_str(out, "<section id=\"findings\"><h2>Findings</h2><p>");
    mlt_html_text(out, mlt_buf_bytes(&line));
    mlt_buf_put_str(out, "</p>");
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "findings"), f) {
        put_finding(v, f, out);
    }
    mlt_buf_put_str(out, "</section>\n");
    mlt_buf_clear(&line);
}

void mlt_html_sources(struct mlt_view *v, struct mlt_buf *out) {
    begin_table(out, "sources", "Source data", "Source tables, their date ranges and the dataset that each feeds",
                "System|Table|Date range|Rows|Query or snapshot|Feeds dataset|Entry");
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "sources"), s) {
        mlt_buf_put_str(out, "<tr>");
        put_cell(v, s, "system", out);
        put_cell(v, s, "table", out);
        put_text_cell(mlt_view_range(v, mlt_view_at(v, s, "date_range")), out);
        mlt_buf_put_str(out, "<td class=\"num\">");
        mlt_html_value(v, mlt_view_at(v, s, "rows"), out);
        mlt_buf_put_str(out, "</td>");
        put_cell(v, s, mlt_view_absent(v, mlt_view_at(v, s, "query")) ? "snapshot" : "query", out);
        mlt_buf_put_str(out, "<td>");
        mlt_html_value(v, mlt_view_at(v, s, "dataset"), out);
        mlt_buf_put_str(out, " ");
        mlt_html_value(v, mlt_view_at(v, s, "version"), out);
        mlt_buf_put_str(out, "</td>");
        put_entry_cell(v, s, out);
        mlt_buf_put_str(out, "</tr>");
    }
    end_table(out);
}

void mlt_html_access(struct mlt_view *v, struct mlt_buf *out) {
    begin_table(out, "access", "Access", "Who saw or changed the prediction, its models and its data",
                "Claimed time|Principal|Action|Resource|Source|Outcome|Purpose|Entry");
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "access"), a) {
        mlt_buf_put_str(out, "<tr>");
        put_text_cell(mlt_view_time(v, a, "timestamp"), out);
        put_cell(v, a, "principal", out);
        put_cell(v, a, "action", out);
        mlt_buf_put_str(out, "<td>");
        mlt_html_value(v, mlt_view_at(v, a, "resource.type"), out);
        mlt_buf_put_str(out, " ");
        mlt_html_value(v, mlt_view_at(v, a, "resource.id"), out);
        mlt_buf_put_str(out, "</td>");
        put_cell(v, a, "source", out);
        put_cell(v, a, "outcome", out);
        put_cell(v, a, "purpose", out);
        put_entry_cell(v, a, out);
        mlt_buf_put_str(out, "</tr>");
    }
    end_table(out);
}

void mlt_html_timeline(struct mlt_view *v, struct mlt_buf *out) {
    begin_table(out, "timeline", "Timeline",
                "Every event in the order of the log. The order is proof; claimed times are what clients wrote.",
                "Entry|Claimed time|Recorded time|What|Who");
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "timeline"), e) {
        const bool off = !mlt_view_absent(v, mlt_view_at(v, e, "disagreement"));
        mlt_buf_put_str(out, off ? "<tr class=\"conflict\">" : "<tr>");
        put_entry_cell(v, e, out);
        mlt_buf_put_str(out, "<td>");
        mlt_html_text(out, mlt_view_time(v, e, "time"));
        if (off) {
            mlt_buf_put_str(out, mlt_view_is(v, e, "disagreement", "claimed-after-recorded")
                                     ? " <span class=\"tag medium\">after it was recorded</span>"
                                     : " <span class=\"tag medium\">out of the log's order</span>");
        }
        mlt_buf_put_str(out, "</td>");
        put_text_cell(mlt_view_time(v, e, "recorded"), out);
        put_cell(v, e, "what", out);
        put_cell(v, e, "actor", out);
        mlt_buf_put_str(out, "</tr>");
    }
    end_table(out);
}
