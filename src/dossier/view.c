#include "dossier/view.h"

#define SHOW_DEPTH_MAX 8 // deeper values are shown as JSON

enum mlt_status mlt_view_open(struct mlt_view *v, struct mlt_bytes text, struct mlt_error *err) {
    *v = (struct mlt_view){0};
    enum mlt_status status = mlt_json_scan(&v->json, text, err);
    if (!status && !mlt_json_is(&v->json, 0, MLT_JSON_OBJECT)) {
        status = mlt_fail(err, MLT_INVALID, "the document is no JSON object");
    }
    return status ? mlt_context(err, status, "rendering") : MLT_OK;
}

void mlt_view_clear(struct mlt_view *v) {
    mlt_json_clear(&v->json);
    mlt_arena_clear(&v->arena);
}

mlt_json_at mlt_view_at(const struct mlt_view *v, mlt_json_at at, const char *path) {
    while (path && *path && at != MLT_JSON_NONE) {
        const size_t len = strcspn(path, ".");
        at = mlt_json_get_bytes(&v->json, at, mlt_bytes_of(path, len));
        path += len + (path[len] == '.');
    }
    return at;
}

struct mlt_bytes mlt_view_string(struct mlt_view *v, mlt_json_at at, const char *path) {
    return mlt_json_string(&v->json, mlt_view_at(v, at, path), &v->arena);
}

bool mlt_view_is(struct mlt_view *v, mlt_json_at at, const char *path, const char *text) {
    return mlt_bytes_is(mlt_view_string(v, at, path), text);
}

bool mlt_view_true(const struct mlt_view *v, mlt_json_at at, const char *path) {
    return mlt_json_is(&v->json, mlt_view_at(v, at, path), MLT_JSON_TRUE);
}

uint64_t mlt_view_u64(const struct mlt_view *v, mlt_json_at at, const char *path, uint64_t otherwise) {
    uint64_t value;
    return mlt_json_u64(&v->json, mlt_view_at(v, at, path), &value) ? value : otherwise;
}

size_t mlt_view_count(const struct mlt_view *v, mlt_json_at list) {
    return list == MLT_JSON_NONE ? 0 : v->json.tape[list].count;
}

bool mlt_view_absent(const struct mlt_view *v, mlt_json_at at) {
    return at == MLT_JSON_NONE || mlt_json_is(&v->json, at, MLT_JSON_NULL);
}

struct mlt_bytes mlt_view_withheld(struct mlt_view *v, mlt_json_at at) {
    if (mlt_view_absent(v, mlt_json_get(&v->json, at, "commitment"))) {
        return (struct mlt_bytes){0};
    }
    return mlt_view_string(v, at, "withheld");
}

// 2026-11-23T09:40:01.120000000Z without the zeros that say nothing.
static struct mlt_bytes trim_time(struct mlt_bytes text, struct mlt_arena *arena) {
    int64_t ns;
    if (text.len != MLT_TIME_TEXT_LEN || text.ptr[19] != '.' || text.ptr[text.len - 1] != 'Z' ||
        !mlt_time_parse(&ns, text)) {
        return text;
    }
    size_t len = text.len - 1;
    while (text.ptr[len - 1] == '0') {
        len--;
    }
    if (text.ptr[len - 1] == '.') {
        len--;
    }
    const char *trimmed = mlt_arena_printf(arena, "%.*sZ", (int)len, (const char *)text.ptr);
    return trimmed ? mlt_str(trimmed) : text;
}

static void show(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth);

static void show_object(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth) {
    const struct mlt_bytes withheld = mlt_view_withheld(v, at);
    if (withheld.len) {
        mlt_buf_put_str(out, "withheld: ");
        mlt_buf_put_bytes(out, mlt_bytes_is(withheld, "not-granted") ? mlt_str("no grant to see it") : withheld);
        return;
    }
    bool first = true;
    MLT_VIEW_EACH(v, at, n) {
        mlt_buf_put_str(out, first ? "" : "; ");
        mlt_buf_put_bytes(out, mlt_json_string(&v->json, n, &v->arena));
        mlt_buf_put_str(out, ": ");
        show(v, n + 1, out, depth + 1);
        first = false;
    }
    if (first) {
        mlt_buf_put_str(out, "(empty)");
    }
}

static void show(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out, unsigned depth) {
    if (at == MLT_JSON_NONE) {
        mlt_buf_put_str(out, "not recorded");
        return;
    }
    bool first = true;
    switch (mlt_json_type_of(&v->json, at)) {
    case MLT_JSON_NULL:
        mlt_buf_put_str(out, depth ? "null" : "not recorded");
        return;
    case MLT_JSON_STRING:
        mlt_buf_put_bytes(out, trim_time(mlt_json_string(&v->json, at, &v->arena), &v->arena));
        return;
    case MLT_JSON_OBJECT:
        if (depth < SHOW_DEPTH_MAX) {
            show_object(v, at, out, depth);
            return;
        }
        break;
    case MLT_JSON_ARRAY:
        if (depth >= SHOW_DEPTH_MAX) {
            break;
        }
        MLT_VIEW_EACH(v, at, e) {
            mlt_buf_put_str(out, first ? "" : mlt_json_is(&v->json, e, MLT_JSON_OBJECT) ? " | " : ", ");
            show(v, e, out, depth + 1);
            first = false;
        }
        if (first) {
            mlt_buf_put_str(out, "none (stated)");
        }
        return;
    default:
        break;
    }
    mlt_buf_put_bytes(out, mlt_json_raw(&v->json, at));
}

void mlt_view_show(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out) {
    show(v, at, out, 0);
}

struct mlt_bytes mlt_view_shown(struct mlt_view *v, mlt_json_at at, const char *path) {
    struct mlt_buf buf = {0};
    mlt_view_show(v, mlt_view_at(v, at, path), &buf);
    const struct mlt_bytes copy = mlt_arena_copy(&v->arena, mlt_buf_bytes(&buf));
    mlt_buf_clear(&buf);
    return copy;
}

struct mlt_bytes mlt_view_time(struct mlt_view *v, mlt_json_at at, const char *path) {
    const struct mlt_bytes text = mlt_view_string(v, at, path);
    return text.len ? trim_time(text, &v->arena) : mlt_str("not recorded");
}

struct mlt_bytes mlt_view_range(struct mlt_view *v, mlt_json_at range) {
    if (range == MLT_JSON_NONE || !mlt_json_is(&v->json, range, MLT_JSON_OBJECT)) {
        return mlt_view_absent(v, range) ? mlt_str("date range not recorded") : mlt_view_shown(v, range, "");
    }
    struct mlt_buf buf = {0};
    const struct mlt_bytes from = mlt_view_string(v, range, "from");
    const struct mlt_bytes to = mlt_view_string(v, range, "to");
    const struct mlt_bytes column = mlt_view_string(v, range, "column");
    const struct mlt_bytes zone = mlt_view_string(v, range, "zone");
    if (!from.len && !to.len) {
        mlt_buf_put_str(&buf, "all dates");
    } else {
        if (from.len) {
            mlt_buf_printf(&buf, "from %.*s", MLT_ARG(trim_time(from, &v->arena)));
        }
        if (to.len) {
            mlt_buf_printf(&buf, "%sto %.*s (exclusive)", from.len ? " " : "", MLT_ARG(trim_time(to, &v->arena)));
        }
    }
    if (column.len) {
        mlt_buf_printf(&buf, ", by %.*s", MLT_ARG(column));
    }
    if (zone.len) {
        mlt_buf_printf(&buf, ", %.*s", MLT_ARG(zone));
    }
    const struct mlt_bytes copy = mlt_arena_copy(&v->arena, mlt_buf_bytes(&buf));
    mlt_buf_clear(&buf);
    return copy;
}

bool mlt_view_is_envelope(struct mlt_bytes name) {
    static const char *const names[] = {"kind",
                                        "entry",
                                        "entries",
                                        "served",
                                        "id",
                                        "time",
                                        "received",
                                        "producer",
                                        "other_entries",
                                        "resolved",
                                        "approver_assurance",
                                        "signature_checks"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (mlt_bytes_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

bool mlt_view_has_lines(struct mlt_bytes name) {
    return mlt_bytes_is(name, "statement") || mlt_bytes_is(name, "signature");
}

struct mlt_bytes mlt_view_next_line(struct mlt_bytes *text) {
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    const struct mlt_bytes line = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};
    const size_t taken = line.len + (end ? 1 : 0);
    *text = mlt_bytes_of(text->ptr + taken, text->len - taken);
    return line;
}

struct mlt_bytes mlt_view_assurance(struct mlt_view *v, mlt_json_at approval) {
    if (mlt_view_is(v, approval, "approver_assurance", "signed")) {
        return mlt_str("signed: the approver signed what is recorded");
    }
    if (mlt_view_is(v, approval, "approver_assurance", "submitted")) {
        return mlt_str("submitted: the approver submitted the record");
    }
    return mlt_str("claimed: somebody else says so");
}

struct mlt_bytes mlt_view_signature(struct mlt_view *v, mlt_json_at check) {
    struct mlt_bytes verdict = mlt_view_shown(v, check, "verdict"), entry = mlt_view_shown(v, check, "entry");
    char *text;
    if (mlt_view_is(v, check, "verdict", "good")) {
        text = mlt_arena_printf(&v->arena, "good, by the key %.*s, which entry %.*s allows (signature in entry %.*s)",
                                MLT_ARG(mlt_view_shown(v, check, "key")),
                                MLT_ARG(mlt_view_shown(v, check, "allowed_signers")), MLT_ARG(entry));
    } else {
        text = mlt_arena_printf(&v->arena, "%.*s: %.*s (signature in entry %.*s)", MLT_ARG(verdict),
                                MLT_ARG(mlt_view_shown(v, check, "why")), MLT_ARG(entry));
    }
    return mlt_str(text ? text : "");
}

struct mlt_bytes mlt_view_label(struct mlt_view *v, struct mlt_bytes name) {
    char *copy = mlt_arena_cstr(&v->arena, name);
    for (size_t i = 0; copy && i < name.len; i++) {
        if (copy[i] == '_') {
            copy[i] = ' ';
        }
    }
    return copy ? mlt_bytes_of(copy, name.len) : name;
}

mlt_json_at mlt_view_served(struct mlt_view *v) {
    const mlt_json_at list = mlt_json_get(&v->json, 0, "predictions");
    MLT_VIEW_EACH(v, list, p) {
        if (mlt_view_true(v, p, "served")) {
            return p;
        }
    }
    return mlt_json_first(&v->json, list);
}

mlt_json_at mlt_view_named(struct mlt_view *v) {
    const mlt_json_at served = mlt_view_served(v), resolved = mlt_view_at(v, served, "resolved");
    return mlt_view_absent(v, resolved) ? served : resolved;
}

mlt_json_at mlt_view_same_version(struct mlt_view *v, const char *list, mlt_json_at of) {
    const struct mlt_bytes model = mlt_view_string(v, of, "model");
    const struct mlt_bytes version = mlt_view_string(v, of, "model_version");
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, list), n) {
        if (mlt_bytes_equal(mlt_view_string(v, n, "model"), model) &&
            mlt_bytes_equal(mlt_view_string(v, n, "model_version"), version)) {
            return n;
        }
    }
    return MLT_JSON_NONE;
}

mlt_json_at mlt_view_approval(struct mlt_view *v, mlt_json_at version, mlt_json_at transition) {
    const struct mlt_bytes model = mlt_view_string(v, version, "model");
    const struct mlt_bytes model_version = mlt_view_string(v, version, "model_version");
    const struct mlt_bytes reference = mlt_view_string(v, transition, "approval_reference");
    mlt_json_at newest = MLT_JSON_NONE;
    bool referenced = false;
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, "approvals"), a) {
        const bool named = reference.len && mlt_bytes_equal(mlt_view_string(v, a, "approval_reference"), reference);
        if (mlt_view_is(v, a, "verdict", "approved") && mlt_bytes_equal(mlt_view_string(v, a, "model"), model) &&
            mlt_bytes_equal(mlt_view_string(v, a, "model_version"), model_version) && (named || !referenced)) {
            newest = a;
            referenced = named;
        }
    }
    return newest;
}

mlt_json_at mlt_view_by_text(struct mlt_view *v, const char *list, const char *name, struct mlt_bytes text) {
    MLT_VIEW_EACH(v, mlt_json_get(&v->json, 0, list), n) {
        if (text.len && mlt_bytes_equal(mlt_view_string(v, n, name), text)) {
            return n;
        }
    }
    return MLT_JSON_NONE;
}
