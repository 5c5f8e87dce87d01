// The statement of an extract, as the last line of NDJSON or as extract.json.
#include "bundle/extract.h"

const struct mlt_archive_limits mlt_extract_limits = {
    .members = 2000000,                        // a few for each 4,096 entries, and one for each detail
    .member_bytes = MLT_EXTRACT_STATEMENT_MAX, // the longest is the statement
    .total_bytes = (uint64_t)1 << 42,          // four TiB: an extract is read in pieces
    .ratio = MLT_BUNDLE_RATIO_MAX,
};

static void put_optional(struct mlt_json_writer *w, const char *name, struct mlt_bytes text) {
    mlt_jw_name(w, name);
    if (text.len > 0) {
        mlt_jw_string(w, text);
    } else {
        mlt_jw_null(w);
    }
}

static void put_hidden(struct mlt_json_writer *w, const struct mlt_extract_hidden *h) {
    mlt_jw_array(w);
    mlt_jw_u64(w, h->at);
    mlt_jw_u64(w, h->level);
    mlt_jw_hex(w, mlt_bytes_of(h->hash, sizeof(h->hash)));
    mlt_jw_end_array(w);
}

void mlt_extract_put(struct mlt_buf *out, const struct mlt_extract_statement *s) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "extract", MLT_EXTRACT_FORMAT);
    mlt_jw_member_u64(&w, "first", s->first);
    mlt_jw_member_u64(&w, "end", s->end);
    mlt_jw_member_u64(&w, "expected", s->end - s->first);
    mlt_jw_member_u64(&w, "found", s->found);
    put_optional(&w, "from", s->from);
    put_optional(&w, "to", s->to);
    put_optional(&w, "kind", s->kind);
    put_optional(&w, "model", s->model);
    mlt_jw_member_bytes(&w, "checkpoint", s->checkpoint);
    put_optional(&w, "key", s->key);
    mlt_jw_name(&w, "first_proof");
    mlt_bundle_put_proof(&w, &s->first_proof);
    mlt_jw_name(&w, "last_proof");
    mlt_bundle_put_proof(&w, &s->last_proof);
    mlt_jw_name(&w, "hidden");
    mlt_jw_array(&w);
    for (size_t i = 0; i < s->num_hidden; i++) {
        put_hidden(&w, &s->hidden[i]);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
}

static bool get_hidden(struct mlt_extract_hidden *h, const struct mlt_json *j, mlt_json_at at) {
    uint64_t level = 0;
    const mlt_json_at first = mlt_json_is(j, at, MLT_JSON_ARRAY) ? mlt_json_first(j, at) : MLT_JSON_NONE;
    const mlt_json_at second = first == MLT_JSON_NONE ? first : mlt_json_next(j, at, first);
    const mlt_json_at third = second == MLT_JSON_NONE ? second : mlt_json_next(j, at, second);
    const bool good = mlt_json_u64(j, first, &h->at) && mlt_json_u64(j, second, &level) && level < 62 &&
                      mlt_bundle_get_hash(h->hash, j, third) && j->tape[at].count == 3;
    h->level = (unsigned)level;
    return good;
}

static enum mlt_status get_list(struct mlt_extract_statement *s, const struct mlt_json *j, mlt_json_at list,
                                struct mlt_arena *arena, struct mlt_error *err) {
    s->hidden = mlt_arena_take(arena, (j->tape[list].count + 1) * sizeof(*s->hidden));
    if (!s->hidden) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a statement");
    }
    for (mlt_json_at h = mlt_json_first(j, list); h != MLT_JSON_NONE; h = mlt_json_next(j, list, h)) {
        if (!get_hidden(&s->hidden[s->num_hidden++], j, h)) {
            return mlt_fail(err, MLT_INVALID, "/hidden/%zu is no index, level and hash", s->num_hidden - 1);
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_extract_get(struct mlt_extract_statement *out, struct mlt_bytes text, struct mlt_arena *arena,
                                struct mlt_error *err) {
    struct mlt_json json = {0};
    const struct mlt_json *j = &json;
    uint64_t expected;
    *out = (struct mlt_extract_statement){0};
    enum mlt_status status = mlt_json_scan(&json, text, err);
    if (status) {
        mlt_json_clear(&json);
        return status;
    }
    const mlt_json_at hidden = mlt_json_get(j, 0, "hidden");
    out->from = mlt_json_string(j, mlt_json_get(j, 0, "from"), arena);
    out->to = mlt_json_string(j, mlt_json_get(j, 0, "to"), arena);
    out->kind = mlt_json_string(j, mlt_json_get(j, 0, "kind"), arena);
    out->model = mlt_json_string(j, mlt_json_get(j, 0, "model"), arena);
    out->checkpoint = mlt_json_string(j, mlt_json_get(j, 0, "checkpoint"), arena);
    out->key = mlt_json_string(j, mlt_json_get(j, 0, "key"), arena);
    if (!mlt_bytes_is(mlt_json_string(j, mlt_json_get(j, 0, "extract"), arena), MLT_EXTRACT_FORMAT)) {
        status = mlt_fail(err, MLT_INVALID, "is no statement of an extract");
    } else if (!mlt_json_u64(j, mlt_json_get(j, 0, "first"), &out->first) ||
               !mlt_json_u64(j, mlt_json_get(j, 0, "end"), &out->end) ||
               !mlt_json_u64(j, mlt_json_get(j, 0, "expected"), &expected) ||
               !mlt_json_u64(j, mlt_json_get(j, 0, "found"), &out->found) || out->first > out->end ||
               expected != out->end - out->first) {
        status = mlt_fail(err, MLT_INVALID, "first, end, expected (end less first) and found were expected");
    } else if (!mlt_bundle_get_proof(&out->first_proof, j, mlt_json_get(j, 0, "first_proof")) ||
               !mlt_bundle_get_proof(&out->last_proof, j, mlt_json_get(j, 0, "last_proof")) ||
               !mlt_json_is(j, hidden, MLT_JSON_ARRAY) || out->checkpoint.len == 0) {
        status = mlt_fail(err, MLT_INVALID, "a checkpoint, first_proof, last_proof and hidden were expected");
    } else {
        status = get_list(out, j, hidden, arena, err);
    }
    mlt_json_clear(&json);
    return status;
}
