#include "capture/bentoml.h"

#include "base/time.h"

struct bentoml {
    struct mlt_capture *out;
    struct mlt_json schema;
    struct mlt_json json; // of the line
    const char *zone;
};

static const char *const OWN_COLUMNS[] = {"timestamp", "request_id", "trace_id", NULL};

static struct mlt_bytes request_of(struct mlt_json *json, struct mlt_bytes line, struct mlt_arena *arena) {
    if (mlt_json_scan(json, line, NULL) != MLT_OK) {
        return (struct mlt_bytes){0};
    }
    return mlt_json_string(json, mlt_json_get(json, 0, "request_id"), arena);
}

bool mlt_bentoml_belongs(struct mlt_bytes a, struct mlt_bytes b) {
    struct mlt_json first = {0};
    struct mlt_json second = {0};
    struct mlt_arena arena = {0};
    struct mlt_bytes one = request_of(&first, a, &arena);
    struct mlt_bytes other = request_of(&second, b, &arena);
    bool same = one.len > 0 && mlt_bytes_equal(one, other);
    mlt_json_clear(&first);
    mlt_json_clear(&second);
    mlt_arena_clear(&arena);
    return same;
}

bool mlt_bentoml_is_schema(struct mlt_bytes line) {
    struct mlt_json json = {0};
    bool schema = mlt_json_scan(&json, line, NULL) == MLT_OK &&
                  mlt_json_is(&json, mlt_json_get(&json, 0, "columns"), MLT_JSON_ARRAY) &&
                  mlt_json_is(&json, mlt_json_get(&json, 0, "meta_data"), MLT_JSON_OBJECT);
    mlt_json_clear(&json);
    return schema;
}

// The role of a column; a column that the schema does not know was logged as an input as far as anybody can tell.
static struct mlt_bytes role_of(struct bentoml *b, struct mlt_bytes column) {
    const struct mlt_json *s = &b->schema;
    mlt_json_at columns = mlt_json_get(s, 0, "columns");
    for (mlt_json_at at = mlt_json_first(s, columns); at != MLT_JSON_NONE; at = mlt_json_next(s, columns, at)) {
        if (mlt_bytes_equal(mlt_json_string(s, mlt_json_get(s, at, "name"), &b->out->arena), column)) {
            return mlt_json_string(s, mlt_json_get(s, at, "role"), &b->out->arena);
        }
    }
    return mlt_str("feature");
}

static bool is_own(struct mlt_bytes column) {
    for (const char *const *name = OWN_COLUMNS; *name; name++) {
        if (mlt_bytes_is(column, *name)) {
            return true;
        }
    }
    return false;
}

// The columns of a role as a member, by their names; nothing when there are none. Roles of a user's own are features.
static void put_role(struct bentoml *b, const char *member, const char *role) {
    struct mlt_json_writer *w = &b->out->writer;
    const struct mlt_json *j = &b->json;
    bool open = false;
    for (mlt_json_at at = mlt_json_first(j, 0); at != MLT_JSON_NONE; at = mlt_json_next(j, 0, at)) {
        struct mlt_bytes column = mlt_json_string(j, at, &b->out->arena);
        struct mlt_bytes found = role_of(b, column);
        bool other = !mlt_bytes_is(found, "prediction") && !mlt_bytes_is(found, "target");
        if (is_own(column) || !(mlt_bytes_is(found, role) || (other && strcmp(role, "feature") == 0))) {
            continue;
        }
        if (!open) {
            mlt_jw_name(w, member);
            mlt_jw_object(w);
            open = true;
        }
        mlt_jw_name_bytes(w, column);
        mlt_jw_value(&b->out->writer, j, at + 1);
    }
    if (open) {
        mlt_jw_end_object(w);
    }
}

static void put_bento(struct bentoml *b) {
    const struct mlt_json *s = &b->schema;
    mlt_json_at meta = mlt_json_get(s, 0, "meta_data");
    struct mlt_bytes name = mlt_json_string(s, mlt_json_get(s, meta, "bento_name"), &b->out->arena);
    struct mlt_bytes version = mlt_json_string(s, mlt_json_get(s, meta, "bento_version"), &b->out->arena);
    if (name.len > 0) { // empty when the service was run from its sources
        mlt_jw_member_bytes(&b->out->writer, "model", name);
    }
    if (name.len > 0 && version.len > 0) {
        mlt_jw_member_bytes(&b->out->writer, "model_version", version);
    }
}

// BentoML writes the local time of its machine, without a zone.
static const char *time_of(struct bentoml *b, struct mlt_bytes text) {
    int64_t when;
    const char *zoned =
        text.len > 0 && text.len < 64 ? mlt_arena_printf(&b->out->arena, "%.*s%s", MLT_ARG(text), b->zone) : NULL;
    if (text.ptr && mlt_time_parse(&when, text)) {
        return mlt_arena_cstr(&b->out->arena, text);
    }
    return zoned && mlt_time_parse(&when, mlt_str(zoned)) ? zoned : NULL;
}

static void take_line(struct bentoml *b, struct mlt_bytes line, uint32_t number, uint32_t row, bool several) {
    struct mlt_error own = {0};
    if (mlt_json_scan(&b->json, line, &own) != MLT_OK || !mlt_json_is(&b->json, 0, MLT_JSON_OBJECT)) {
        (void)mlt_capture_reject(b->out, number, line, "not-json", "", "%s",
                                 own.text[0] ? own.text : "a row is a JSON object");
        return;
    }
    struct mlt_bytes id = mlt_json_string(&b->json, mlt_json_get(&b->json, 0, "request_id"), &b->out->arena);
    struct mlt_bytes at = mlt_json_string(&b->json, mlt_json_get(&b->json, 0, "timestamp"), &b->out->arena);
    struct mlt_bytes trace = mlt_json_string(&b->json, mlt_json_get(&b->json, 0, "trace_id"), &b->out->arena);
    const char *time = time_of(b, at);
    if (id.len == 0) {
        (void)mlt_capture_reject(b->out, number, line, "missing-member", "/request_id",
                                 "a row has the id of its request");
        return;
    }
    if (!time) {
        (void)mlt_capture_reject(b->out, number, line, "bad-time", "/timestamp",
                                 "the time must be as in 2026-11-23T09:40:01.123456");
        return;
    }
    struct mlt_json_writer *w = mlt_capture_begin(b->out, "prediction");
    mlt_jw_member_bytes(w, "request_id", id);
    if (several) {
        mlt_jw_member_u64(w, "row", row);
    }
    mlt_jw_member(w, "timestamp", time);
    put_bento(b);
    put_role(b, "feature_values", "feature");
    put_role(b, "prediction", "prediction");
    put_role(b, "target", "target");
    if (trace.len > 0) {
        mlt_jw_member_bytes(w, "trace_id", trace);
    }
    mlt_capture_end(b->out);
}

// Lines of one request follow each other, and are its rows.
static void take_lines(struct bentoml *b, struct mlt_bytes rest, uint32_t number) {
    struct mlt_bytes line;
    struct mlt_bytes next;
    bool more = mlt_capture_next_line(&rest, &line);
    uint32_t row = 0;
    while (more && !b->out->lines.failed) {
        number++;
        more = mlt_capture_next_line(&rest, &next);
        bool goes_on = more && mlt_bentoml_belongs(line, next);
        if (line.len > 0) {
            take_line(b, line, number, row, row > 0 || goes_on);
        }
        row = goes_on ? row + 1 : 0;
        line = next;
    }
}

enum mlt_status mlt_capture_bentoml(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct bentoml b = {.out = out, .zone = mlt_foreign_header(msg, MLT_IMPORT_ZONE)};
    struct mlt_bytes rest = msg->body;
    struct mlt_bytes schema = {0};
    b.zone = b.zone ? b.zone : "Z";
    if (!mlt_capture_next_line(&rest, &schema) || !mlt_bentoml_is_schema(schema) ||
        mlt_json_scan(&b.schema, schema, err) != MLT_OK) {
        mlt_json_clear(&b.schema);
        return mlt_capture_reject(
            out, 1, schema, "no-schema", "",
            "rows need the line of the schema log before them: {\"meta_data\":…,\"columns\":[…]}");
    }
    take_lines(&b, rest, 1);
    mlt_json_clear(&b.schema);
    mlt_json_clear(&b.json);
    return out->lines.failed ? mlt_fail(err, MLT_NOMEM, "no memory for the records") : MLT_OK;
}
