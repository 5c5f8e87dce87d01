#include "capture/mlflow.h"

#include <stdio.h>

#include "base/time.h"
#include "capture/mlflow_exchange.h"

#define NATIVE_PREFIX "mlflow."
#define PATH_MAX_LEN (64 * 1024) // no server takes a longer request line

// -- reading ----------------------------------------------------------------------------------------------------------

struct mlt_bytes mlt_mlflow_clip(struct mlt_bytes name) {
    if (name.len <= MLT_MLFLOW_NAME_MAX) {
        return name;
    }
    name.len = MLT_MLFLOW_NAME_MAX;
    while (name.len > 0 && (name.ptr[name.len] & 0xC0) == 0x80) {
        name.len--;
    }
    return name;
}

struct mlt_bytes mlt_mlflow_text(const struct mlt_json *json, mlt_json_at at, const char *member,
                                 struct mlt_arena *arena) {
    mlt_json_at value = mlt_json_get(json, at, member);
    if (mlt_json_is(json, value, MLT_JSON_NUMBER)) {
        return mlt_json_raw(json, value);
    }
    return mlt_json_string(json, value, arena);
}

struct mlt_bytes mlt_mlflow_member(const struct mlt_mlflow_exchange *ex, const char *name) {
    return mlt_json_string(ex->json, mlt_json_get(ex->json, 0, name), ex->arena);
}

// camel gives the other spelling that protocol buffers take: "run_id" is "runId" as well.
static void camel(char out[static 64], const char *name) {
    static const char UPPER[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = 0;
    for (size_t i = 0; name[i] && len < 63; i++) {
        bool joint = name[i] == '_' && name[i + 1] >= 'a' && name[i + 1] <= 'z';
        i += joint ? 1u : 0u;
        out[len++] = joint ? UPPER[name[i] - 'a'] : name[i];
    }
    out[len] = '\0';
}

struct mlt_bytes mlt_mlflow_field(const struct mlt_mlflow_exchange *ex, const char *name) {
    char other[64];
    camel(other, name);
    const char *const names[] = {name, other};
    struct mlt_bytes value = {0};
    for (size_t i = 0; i < 2 && !value.ptr; i++) {
        value = mlt_mlflow_text(ex->json, ex->request, names[i], ex->arena);
    }
    for (size_t i = 0; i < 2 && !value.ptr; i++) {
        value = mlt_mlflow_query(ex->query, names[i], ex->arena);
    }
    return value;
}

bool mlt_mlflow_succeeded(const struct mlt_mlflow_exchange *ex) {
    return !ex->begins && ex->has_status && ex->status >= 200 && ex->status < 300;
}

bool mlt_mlflow_native_is(const struct mlt_mlflow_exchange *ex, const char *native) {
    return ex->match.route->native && strcmp(ex->match.route->native, native) == 0;
}

// -- what was accessed ------------------------------------------------------------------------------------------------

// "a/b"; `a` alone without `b`; {NULL, 0} without `a`.
static struct mlt_bytes joined(struct mlt_arena *arena, const char *prefix, struct mlt_bytes a, struct mlt_bytes b) {
    struct mlt_buf text = {0};
    if (a.len == 0) {
        return (struct mlt_bytes){0};
    }
    mlt_buf_put_str(&text, prefix);
    mlt_buf_put_bytes(&text, mlt_mlflow_clip(a));
    if (b.len > 0) {
        mlt_buf_put_u8(&text, '/');
        mlt_buf_put_bytes(&text, mlt_mlflow_clip(b));
    }
    struct mlt_bytes out = mlt_arena_copy(arena, mlt_mlflow_clip(mlt_buf_bytes(&text)));
    mlt_buf_clear(&text);
    return out;
}

// A version that only the answer knows is left out where a record of the beginning stands already: both are one access,
// and may not contradict each other.
static struct mlt_bytes answered_version(const struct mlt_mlflow_exchange *ex) {
    if (ex->begins || ex->ends) {
        return (struct mlt_bytes){0};
    }
    return mlt_mlflow_text(ex->json, mlt_json_get(ex->json, ex->response, "model_version"), "version", ex->arena);
}

static struct mlt_bytes version_id(const struct mlt_mlflow_exchange *ex) {
    struct mlt_bytes version = mlt_mlflow_field(ex, "version");
    struct mlt_bytes alias = mlt_mlflow_field(ex, "alias");
    if (!version.ptr && alias.ptr) {
        char *key = mlt_arena_cstr(ex->arena, alias);
        mlt_json_at held = mlt_json_get(ex->json, ex->before, "aliases");
        version = key ? mlt_mlflow_text(ex->json, held, key, ex->arena) : version;
    }
    version = version.ptr ? version : answered_version(ex);
    return joined(ex->arena, "", mlt_mlflow_field(ex, "name"), version);
}

static struct mlt_bytes run_id(const struct mlt_mlflow_exchange *ex) {
    struct mlt_bytes id = mlt_mlflow_field(ex, "run_id");
    return id.ptr ? id : mlt_mlflow_field(ex, "run_uuid");
}

static struct mlt_bytes experiment_id(const struct mlt_mlflow_exchange *ex) {
    struct mlt_bytes id = mlt_mlflow_field(ex, "experiment_id");
    id = id.ptr ? id : mlt_mlflow_field(ex, "experiment_name");
    return id.ptr ? id : mlt_mlflow_field(ex, "name");
}

static struct mlt_bytes graphql_id(const struct mlt_mlflow_exchange *ex) {
    static const char *const names[] = {"runId", "runUuid", "experimentId", "name", "filter"};
    mlt_json_at data = mlt_json_get(ex->json, mlt_json_get(ex->json, ex->request, "variables"), "data");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct mlt_bytes value = mlt_mlflow_text(ex->json, data, names[i], ex->arena);
        if (value.len > 0) {
            return joined(ex->arena, i < 2 ? "run/" : i == 2 ? "experiment/" : "", value, (struct mlt_bytes){0});
        }
    }
    return (struct mlt_bytes){0};
}

static struct mlt_bytes resource_id(const struct mlt_mlflow_exchange *ex) {
    struct mlt_arena *arena = ex->arena;
    struct mlt_bytes none = {0};
    switch (ex->match.route->id) {
    case MLT_MLFLOW_ID_NONE:
        return none;
    case MLT_MLFLOW_ID_NAME:
        return joined(arena, "", mlt_mlflow_field(ex, "name"), none);
    case MLT_MLFLOW_ID_VERSION:
    case MLT_MLFLOW_ID_ALIAS:
        return version_id(ex);
    case MLT_MLFLOW_ID_RUN:
        return joined(arena, "run/", run_id(ex), none);
    case MLT_MLFLOW_ID_EXPERIMENT:
        return joined(arena, "experiment/", experiment_id(ex), none);
    case MLT_MLFLOW_ID_ARTIFACT:
        return run_id(ex).len > 0 ? joined(arena, "run/", run_id(ex), mlt_mlflow_field(ex, "path"))
                                  : mlt_mlflow_clip(mlt_mlflow_field(ex, "path"));
    case MLT_MLFLOW_ID_WILD:
        return mlt_mlflow_clip(ex->match.wild);
    case MLT_MLFLOW_ID_GRAPHQL:
        return graphql_id(ex);
    case MLT_MLFLOW_ID_USER:
        return joined(arena, "user/", mlt_mlflow_field(ex, "username"), none);
    case MLT_MLFLOW_ID_PATH:
        break;
    }
    return mlt_mlflow_clip(ex->match.path);
}

// -- the operation of a GraphQL request -------------------------------------------------------------------------------

static bool letter(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct mlt_bytes next_word(struct mlt_bytes *text) {
    size_t at = 0;
    while (at < text->len && !letter(text->ptr[at])) {
        at++;
    }
    size_t end = at;
    while (end < text->len && letter(text->ptr[end])) {
        end++;
    }
    struct mlt_bytes word = mlt_bytes_of(text->ptr + at, end - at);
    *text = mlt_bytes_of(text->ptr + end, text->len - end);
    return word;
}

struct operation {
    struct mlt_bytes name; // the one given, or else the first word that is not "query"
    bool changes;
};

static struct operation graphql_operation(const struct mlt_mlflow_exchange *ex) {
    struct operation op = {.name = mlt_mlflow_field(ex, "operationName")};
    struct mlt_bytes text = mlt_mlflow_field(ex, "query");
    if (!text.ptr) {
        return op;
    }
    struct mlt_bytes word = next_word(&text);
    op.changes = mlt_bytes_is(word, "mutation");
    if (op.name.len == 0) {
        op.name = op.changes || mlt_bytes_is(word, "query") ? next_word(&text) : word;
    }
    return op;
}

static bool contains(struct mlt_bytes text, const char *part) {
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

// -- the access -------------------------------------------------------------------------------------------------------

static void put_native(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex, const struct operation *op) {
    struct mlt_buf name = {0};
    if (ex->match.route->native) {
        mlt_buf_printf(&name, NATIVE_PREFIX "%s", ex->match.route->native);
        if (op->name.len > 0) {
            mlt_buf_put_u8(&name, '.');
            mlt_buf_put_bytes(&name, op->name);
        }
    } else {
        mlt_buf_put_bytes(&name, ex->method);
        mlt_buf_put_u8(&name, ' ');
        mlt_buf_put_bytes(&name, ex->match.path);
    }
    mlt_jw_member_bytes(w, "native_action", mlt_mlflow_clip(mlt_buf_bytes(&name)));
    mlt_buf_clear(&name);
}

static void put_resource(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex, const struct operation *op) {
    struct mlt_bytes id = resource_id(ex);
    bool registry = contains(op->name, "ModelVersion") || contains(op->name, "RegisteredModel");
    mlt_jw_name(w, "resource");
    mlt_jw_object(w);
    mlt_jw_member(w, "type", registry ? "model_registry" : ex->match.route->resource);
    if (id.len > 0) {
        mlt_jw_member_bytes(w, "id", id);
    }
    mlt_jw_end_object(w);
}

static void put_source(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex) {
    struct mlt_bytes address = mlt_mlflow_member(ex, "address"), agent = mlt_mlflow_member(ex, "user_agent");
    if (address.len + agent.len == 0) {
        return;
    }
    mlt_jw_name(w, "source");
    mlt_jw_object(w);
    if (address.len > 0) {
        mlt_jw_member_bytes(w, "address", mlt_mlflow_clip(address));
    }
    if (agent.len > 0) {
        mlt_jw_member_bytes(w, "user_agent", mlt_mlflow_clip(agent));
    }
    mlt_jw_end_object(w);
}

static const char *outcome(const struct mlt_mlflow_exchange *ex) {
    if (!ex->has_status) {
        return "error";
    }
    return ex->status == 401 || ex->status == 403 ? "denied" : ex->status >= 400 ? "error" : "allowed";
}

// What was asked: the query string, or the JSON of the request where the route lets it be kept.
static void put_query(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex) {
    bool kept = ex->match.route->flags & MLT_MLFLOW_BODY && mlt_json_is(ex->json, ex->request, MLT_JSON_OBJECT);
    struct mlt_bytes raw = kept ? mlt_json_raw(ex->json, ex->request) : ex->query;
    bool secret = !kept && strcmp(ex->match.action, "login") == 0;
    if (raw.len == 0 || secret) {
        return;
    }
    if (raw.len > MLT_MLFLOW_QUERY_MAX) {
        mlt_jw_name(w, "query");
        mlt_jw_object(w);
        mlt_jw_member_u64(w, "omitted_bytes", raw.len);
        mlt_jw_end_object(w);
    } else if (kept) {
        mlt_jw_member_value(w, "query", ex->json, ex->request);
    } else {
        mlt_jw_member_bytes(w, "query", raw);
    }
}

static void put_text(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex, const char *name,
                     const char *as) {
    struct mlt_bytes text = mlt_mlflow_member(ex, name);
    if (text.len > 0) {
        mlt_jw_member_bytes(w, as, mlt_mlflow_clip(text));
    }
}

// How it is known who it was, and where: with the answer, since a name is no more than claimed before the server has
// taken it.
static void put_session(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex) {
    mlt_jw_name(w, "session");
    mlt_jw_object(w);
    put_text(w, ex, "server", "server");
    put_text(w, ex, "auth", "auth");
    put_text(w, ex, "workspace", "workspace");
    if (ex->has_status) {
        mlt_jw_member_u64(w, "status", ex->status);
    }
    put_text(w, ex, "error", "error");
    put_text(w, ex, "ended_at", "ended_at");
    mlt_jw_end_object(w);
}

static void put_answered(struct mlt_json_writer *w, const struct mlt_mlflow_exchange *ex) {
    uint64_t bytes;
    mlt_jw_member(w, "outcome", outcome(ex));
    put_text(w, ex, "principal", "principal");
    if (mlt_json_u64(ex->json, mlt_json_get(ex->json, 0, "bytes"), &bytes)) {
        mlt_jw_member_u64(w, "bytes", bytes);
    }
    put_session(w, ex);
}

static void put_access(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    struct operation op = {0};
    if (ex->match.route->id == MLT_MLFLOW_ID_GRAPHQL) {
        op = graphql_operation(ex);
    }
    struct mlt_json_writer *w = mlt_capture_begin(out, "access");
    mlt_jw_member_bytes(w, "event_id", ex->id);
    mlt_jw_member_bytes(w, "timestamp", ex->started_at);
    mlt_jw_member(w, "action", op.changes ? "update" : ex->match.action);
    put_native(w, ex, &op);
    put_resource(w, ex, &op);
    put_source(w, ex);
    put_query(w, ex);
    put_text(w, ex, "purpose", "purpose");
    put_text(w, ex, "claimed_user", "claimed_user");
    if (!ex->begins) {
        put_answered(w, ex);
    }
    mlt_capture_end(out);
}

// -- further records --------------------------------------------------------------------------------------------------

static enum mlt_status put_created_version(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    mlt_json_at artifact = mlt_json_get(ex->json, 0, "artifact");
    struct mlt_mlflow_version v = {.json = ex->json,
                                   .version = mlt_json_get(ex->json, ex->response, "model_version"),
                                   .registered_by = ex->who,
                                   .files = ex->json,
                                   .hash = mlt_json_get(ex->json, artifact, "hash"),
                                   .manifest = mlt_json_get(ex->json, artifact, "manifest")};
    return mlt_mlflow_put_version(out, &v);
}

// Who began a run is who sent runs/create, or else whom the run names; who ends it, or registers its model, may be
// somebody else.
static enum mlt_status put_run(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    bool creates = mlt_mlflow_native_is(ex, "createRun");
    mlt_json_at run = creates ? mlt_json_get(ex->json, ex->response, "run") : mlt_json_get(ex->json, 0, "run");
    if (!mlt_json_is(ex->json, run, MLT_JSON_OBJECT)) {
        return MLT_OK;
    }
    struct mlt_bytes principal = mlt_mlflow_member(ex, "principal");
    return mlt_mlflow_put_run(out, ex->json, run, creates ? principal : (struct mlt_bytes){0}, principal.len == 0);
}

static bool about_prompt(const struct mlt_mlflow_exchange *ex) {
    return mlt_mlflow_is_prompt(ex->json, mlt_json_get(ex->json, ex->request, "tags")) ||
           mlt_json_get(ex->json, mlt_json_get(ex->json, ex->before, "tags"), "mlflow.prompt.is_prompt") !=
               MLT_JSON_NONE;
}

// What an exchange says beyond that it happened. What is missing for a record is not made up: the access stands alone.
static enum mlt_status put_changes(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) {
    enum mlt_status status = MLT_OK;
    if (!mlt_mlflow_succeeded(ex) || about_prompt(ex)) {
        return MLT_OK;
    }
    if (ex->match.route->flags & MLT_MLFLOW_RUN || mlt_mlflow_native_is(ex, "createRun")) {
        status = put_run(out, ex);
    }
    if ((status == MLT_OK || status == MLT_INVALID) && mlt_mlflow_native_is(ex, "createModelVersion")) {
        status = put_created_version(out, ex);
    }
    if ((status == MLT_OK || status == MLT_INVALID) && ex->match.route->flags & MLT_MLFLOW_BEFORE) {
        status = mlt_mlflow_put_moves(out, ex);
    }
    return status == MLT_INVALID ? MLT_OK : status;
}

// -- one exchange -----------------------------------------------------------------------------------------------------

static enum mlt_status reject(struct mlt_capture *out, uint32_t item, struct mlt_bytes raw, const char *pointer,
                              const char *says) {
    return mlt_capture_reject(out, item, raw, "bad-exchange", pointer, "%s", says);
}

// Reads the members that every exchange has; NULL, or what is wrong at `*pointer`.
static const char *read_exchange(struct mlt_mlflow_exchange *ex, const char **pointer) {
    int64_t time;
    struct mlt_bytes phase = mlt_mlflow_member(ex, "phase");
    ex->id = mlt_mlflow_member(ex, "exchange");
    ex->server = mlt_mlflow_member(ex, "server");
    ex->method = mlt_mlflow_member(ex, "method");
    ex->path = mlt_mlflow_member(ex, "path");
    ex->query = mlt_mlflow_member(ex, "query");
    ex->started_at = mlt_mlflow_member(ex, "started_at");
    ex->begins = mlt_bytes_is(phase, "begin");
    ex->ends = mlt_bytes_is(phase, "end");
    *pointer = "/exchange";
    if (ex->id.len == 0 || ex->id.len > MLT_MLFLOW_NAME_MAX) {
        return "must be the identifier of the exchange, a string of 1 to 1,000 bytes that no other exchange has";
    }
    *pointer = "/method";
    if (ex->method.len == 0) {
        return "must be the method of the request, such as \"GET\"";
    }
    *pointer = "/path";
    if (ex->path.len == 0 || ex->path.len > PATH_MAX_LEN || ex->path.ptr[0] != '/') {
        return "must be the path of the request as the server saw it, beginning with \"/\", of at most 65,536 bytes";
    }
    *pointer = "/started_at";
    if (!mlt_time_parse(&time, ex->started_at)) {
        return "must be the time when the request came, as 2026-11-25T01:02:03Z";
    }
    *pointer = "/phase";
    return phase.ptr && !ex->begins && !ex->ends ? "must be \"begin\" or \"end\", or be left out" : NULL;
}

static enum mlt_status map_exchange(struct mlt_capture *out, const struct mlt_json *json, uint32_t item,
                                    struct mlt_bytes raw, struct mlt_arena *arena) {
    struct mlt_mlflow_exchange ex = {.json = json, .arena = arena};
    const char *pointer = "";
    const char *wrong =
        mlt_json_is(json, 0, MLT_JSON_OBJECT) ? read_exchange(&ex, &pointer) : "an exchange is a JSON object";
    if (wrong) {
        return reject(out, item, raw, pointer, wrong);
    }
    ex.request = mlt_json_get(json, 0, "request");
    ex.response = mlt_json_get(json, 0, "response");
    ex.before = mlt_json_get(json, 0, "before");
    ex.after = mlt_json_get(json, 0, "after");
    ex.has_status = mlt_json_u64(json, mlt_json_get(json, 0, "status"), &ex.status);
    ex.who = mlt_mlflow_member(&ex, "principal");
    ex.who = ex.who.len > 0 ? ex.who : mlt_mlflow_member(&ex, "claimed_user");
    ex.match = mlt_mlflow_route_find(ex.method, mlt_mlflow_decode(ex.path, false, arena));
    put_access(out, &ex);
    return put_changes(out, &ex);
}

static enum mlt_status take_line(struct mlt_capture *out, struct mlt_bytes line, uint32_t item, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    struct mlt_error wrong = {0};
    enum mlt_status status = mlt_json_scan(&json, line, &wrong);
    if (status == MLT_OK) {
        status = map_exchange(out, &json, item, line, &arena);
    } else if (status != MLT_NOMEM) {
        status = mlt_capture_reject(out, item, line, json.error_code ? json.error_code : "not-json", json.error_pointer,
                                    "%s", wrong.text);
    }
    mlt_arena_clear(&arena);
    mlt_json_clear(&json);
    if (status == MLT_NOMEM || out->lines.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the records of exchange %u", item);
    }
    return MLT_OK; // what was rejected is on the list
}

static bool blank(struct mlt_bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r') {
            return false;
        }
    }
    return true;
}

enum mlt_status mlt_capture_mlflow_exchanges(struct mlt_capture *out, const struct mlt_foreign *msg,
                                             struct mlt_error *err) {
    struct mlt_bytes rest = msg->body;
    bool single = strncmp(msg->content_type, "application/json", 16) == 0;
    uint32_t item = 0;
    while (rest.len > 0) {
        const uint8_t *newline = single ? NULL : memchr(rest.ptr, '\n', rest.len);
        struct mlt_bytes line = mlt_bytes_of(rest.ptr, newline ? (size_t)(newline - rest.ptr) : rest.len);
        size_t taken = line.len + (newline ? 1 : 0);
        rest = mlt_bytes_of(rest.ptr + taken, rest.len - taken);
        item++;
        enum mlt_status status = blank(line) ? MLT_OK : take_line(out, line, item, err);
        if (status != MLT_OK) {
            return status;
        }
        if (out->num_records > MLT_CAPTURE_RECORDS_MAX) {
            return mlt_fail(err, MLT_LIMIT, "the exchanges become more than %d records; send them in parts",
                            MLT_CAPTURE_RECORDS_MAX);
        }
    }
    return MLT_OK;
}
