// Any JSON value as HTML.
#include "dossier/html_out.h"

#define VALUE_DEPTH_MAX 6 // deeper values are shown as one line

void mlt_html_text(struct mlt_buf *out, struct mlt_bytes text) {
    mlt_visible_put(out, text, MLT_VISIBLE_HTML);
}

void mlt_html_entry_link(struct mlt_view *v, mlt_json_at index, struct mlt_buf *out) {
    uint64_t entry;
    if (!mlt_json_u64(&v->json, index, &entry)) {
        mlt_buf_put_str(out, "<span class=\"none\">none</span>");
        return;
    }
    mlt_buf_printf(out, "<a class=\"entry\" href=\"#e%llu\">%llu</a>", (unsigned long long)entry,
                   (unsigned long long)entry);
}

static void put_value(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth);

static void put_object(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth) {
    // Many members (a feature vector) flow into columns.
    mlt_buf_put_str(out, mlt_view_count(v, at) > 8 ? "<dl class=\"kv many\">" : "<dl class=\"kv\">");
    MLT_VIEW_EACH(v, at, n) {
        mlt_buf_put_str(out, "<div><dt>");
        mlt_html_text(out, mlt_json_string(&v->json, n, &v->arena));
        mlt_buf_put_str(out, "</dt><dd>");
        put_value(v, n + 1, out, depth + 1);
        mlt_buf_put_str(out, "</dd></div>");
    }
    mlt_buf_put_str(out, "</dl>");
}

static void put_array(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth) {
    const mlt_json_at first = mlt_json_first(&v->json, at);
    if (first == MLT_JSON_NONE) {
        mlt_buf_put_str(out, "<span class=\"none\">none (stated)</span>");
        return;
    }
    if (!mlt_json_is(&v->json, first, MLT_JSON_OBJECT)) {
        mlt_html_text(out, mlt_view_shown(v, at, ""));
        return;
    }
    mlt_buf_put_str(out, "<ol class=\"items\">");
    MLT_VIEW_EACH(v, at, e) {
        mlt_buf_put_str(out, "<li>");
        put_value(v, e, out, depth + 1);
        mlt_buf_put_str(out, "</li>");
    }
    mlt_buf_put_str(out, "</ol>");
}

static bool is_code(struct mlt_bytes text) {
    // Digests and commits read better in a fixed pitch.
    if (text.len < 7) {
        return false;
    }
    size_t at = text.len > 7 && memcmp(text.ptr, "sha256:", 7) == 0 ? 7 : 0;
    for (; at < text.len; at++) {
        const uint8_t c = text.ptr[at];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static void put_value(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth) {
    if (mlt_view_absent(v, at)) {
        mlt_buf_put_str(out, depth ? "<span class=\"none\">null</span>" : "<span class=\"none\">not recorded</span>");
        return;
    }
    const struct mlt_bytes withheld = mlt_view_withheld(v, at);
    const struct mlt_bytes line = mlt_view_shown(v, at, "");
    if (withheld.len) {
        mlt_buf_put_str(out, "<span class=\"withheld\">");
        mlt_html_text(out, line);
        mlt_buf_put_str(out, "</span>");
    } else if (depth < VALUE_DEPTH_MAX && mlt_json_is(&v->json, at, MLT_JSON_OBJECT)) {
        put_object(v, at, out, depth);
    } else if (depth < VALUE_DEPTH_MAX && mlt_json_is(&v->json, at, MLT_JSON_ARRAY)) {
        put_array(v, at, out, depth);
    } else if (mlt_json_is(&v->json, at, MLT_JSON_STRING) && is_code(line)) {
        mlt_buf_put_str(out, "<code>");
        mlt_html_text(out, line);
        mlt_buf_put_str(out, "</code>");
    } else {
        mlt_html_text(out, line);
    }
}

void mlt_html_value(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out) {
    put_value(v, at, out, 0);
}
