// What a call to a model says of itself in the semantic conventions for generative AI (gen_ai.*), and in the older
// names that instrumentations still use, becomes a prediction. A message of a conversation comes as JSON in a string
// (attributes of spans) or as a structure (events); both become the same JSON.
#include "capture/otlp.h"

#include <stdio.h>
#include <strings.h>

#include "base/time.h"

#define ATTRIBUTES_MAX 256 // looked at of one span; exporters cut at 128 unless told otherwise
#define KEY_MAX 256        // of a name, as it is written; the conventions have none half as long
#define NS_PER_MS 1e6

struct otlp {
    struct mlt_capture *out;
    const struct mlt_foreign *msg;
    struct mlt_json json;     // the whole message
    struct mlt_arena scratch; // of the span or log record
    uint32_t item;            // number of the span or log record
};

// One span or log record, with what is around it.
struct call {
    struct otlp *o;
    mlt_json_at resource, scope, at;
    mlt_json_at attributes; // of the span or log record
    bool is_span;
};

// --- values ---

static bool is_message(const struct otlp *o, mlt_json_at at, enum mlt_json_type type) {
    return mlt_json_is(&o->json, at, type);
}

// The JSON form has 64-bit numbers as strings, and some senders as numbers.
static bool number_of(struct otlp *o, mlt_json_at at, uint64_t *out) {
    if (is_message(o, at, MLT_JSON_STRING)) {
        return mlt_decimal_decode(out, mlt_json_string(&o->json, at, &o->scratch));
    }
    return mlt_json_u64(&o->json, at, out);
}

// The name of an attribute; {NULL, 0}: none that we would know.
static struct mlt_bytes key_of(struct otlp *o, mlt_json_at entry) {
    mlt_json_at at = mlt_json_get(&o->json, entry, "key");
    return mlt_json_raw(&o->json, at).len <= KEY_MAX ? mlt_json_string(&o->json, at, &o->scratch)
                                                     : (struct mlt_bytes){0};
}

// The value (an AnyValue) of a key in a list of attributes; MLT_JSON_NONE: none, or one without a value.
static mlt_json_at attribute(struct otlp *o, mlt_json_at list, const char *key) {
    size_t seen = 0;
    if (!is_message(o, list, MLT_JSON_ARRAY)) {
        return MLT_JSON_NONE;
    }
    for (mlt_json_at at = mlt_json_first(&o->json, list); at != MLT_JSON_NONE && seen < ATTRIBUTES_MAX;
         at = mlt_json_next(&o->json, list, at), seen++) {
        if (mlt_bytes_is(key_of(o, at), key)) {
            return mlt_json_get(&o->json, at, "value");
        }
    }
    return MLT_JSON_NONE;
}

static struct mlt_bytes text_of(struct otlp *o, mlt_json_at value) {
    return mlt_json_string(&o->json, mlt_json_get(&o->json, value, "stringValue"), &o->scratch);
}

// The first of several names (NULL-terminated) under which an attribute is known.
static mlt_json_at any_attribute(const struct call *c, const char *const *names) {
    for (; *names; names++) {
        mlt_json_at at = attribute(c->o, c->attributes, *names);
        if (at != MLT_JSON_NONE) {
            return at;
        }
    }
    return MLT_JSON_NONE;
}

static struct mlt_bytes any_text(const struct call *c, const char *const *names) {
    return text_of(c->o, any_attribute(c, names));
}

static struct mlt_bytes resource_text(const struct call *c, const char *const *names) {
    struct mlt_bytes text = {0};
    mlt_json_at list = mlt_json_get(&c->o->json, c->resource, "attributes");
    for (; !text.ptr && *names; names++) {
        text = text_of(c->o, attribute(c->o, list, *names));
    }
    return text;
}

static void put_any(struct otlp *o, mlt_json_at value);

// Names that come twice would make the record invalid: the first one counts.
static bool came_before(struct otlp *o, mlt_json_at list, mlt_json_at entry, struct mlt_bytes key) {
    for (mlt_json_at at = mlt_json_first(&o->json, list); at != entry; at = mlt_json_next(&o->json, list, at)) {
        if (mlt_bytes_equal(key_of(o, at), key)) {
            return true;
        }
    }
    return false;
}

// The members of an attribute list whose names begin with `prefix`, but for those in `without`.
static void put_members(struct otlp *o, mlt_json_at list, const char *prefix, const char *const *without) {
    struct mlt_json_writer *w = &o->out->writer;
    size_t seen = 0;
    if (!is_message(o, list, MLT_JSON_ARRAY)) {
        return;
    }
    for (mlt_json_at at = mlt_json_first(&o->json, list); at != MLT_JSON_NONE && seen < ATTRIBUTES_MAX;
         at = mlt_json_next(&o->json, list, at), seen++) {
        struct mlt_bytes key = key_of(o, at);
        bool wanted = key.ptr && key.len >= strlen(prefix) && memcmp(key.ptr, prefix, strlen(prefix)) == 0;
        for (const char *const *name = without; wanted && name && *name; name++) {
            wanted = !mlt_bytes_is(key, *name);
        }
        if (wanted && !came_before(o, list, at, key)) {
            mlt_jw_name_bytes(w, key);
            put_any(o, mlt_json_get(&o->json, at, "value"));
        }
    }
}

static void put_integer(struct otlp *o, mlt_json_at at) {
    struct mlt_bytes text = mlt_json_string(&o->json, at, &o->scratch);
    uint64_t digits;
    bool negative = text.len > 1 && text.ptr[0] == '-';
    bool whole = mlt_decimal_decode(&digits, negative ? mlt_bytes_of(text.ptr + 1, text.len - 1) : text);
    if (whole) {
        mlt_jw_raw(&o->out->writer, text);
    } else {
        mlt_jw_value(&o->out->writer, &o->json, at);
    }
}

// Content is kept whole. A name that comes twice in it makes the record one that is rejected, and kept as such.
static void put_list(struct otlp *o, mlt_json_at list) {
    if (!is_message(o, list, MLT_JSON_ARRAY)) {
        return;
    }
    for (mlt_json_at at = mlt_json_first(&o->json, list); at != MLT_JSON_NONE; at = mlt_json_next(&o->json, list, at)) {
        struct mlt_bytes key = mlt_json_string(&o->json, mlt_json_get(&o->json, at, "key"), &o->scratch);
        mlt_jw_name_bytes(&o->out->writer, key);
        put_any(o, mlt_json_get(&o->json, at, "value"));
    }
}

// An AnyValue as plain JSON.
static void put_any(struct otlp *o, mlt_json_at value) {
    struct mlt_json_writer *w = &o->out->writer;
    const struct mlt_json *j = &o->json;
    static const char *const plain[] = {"stringValue", "boolValue", "doubleValue", "bytesValue", NULL};
    for (const char *const *name = plain; *name; name++) {
        mlt_json_at at = mlt_json_get(j, value, *name);
        if (at != MLT_JSON_NONE) {
            mlt_jw_value(&o->out->writer, j, at);
            return;
        }
    }
    mlt_json_at integer = mlt_json_get(j, value, "intValue");
    mlt_json_at array = mlt_json_get(j, mlt_json_get(j, value, "arrayValue"), "values");
    mlt_json_at list = mlt_json_get(j, mlt_json_get(j, value, "kvlistValue"), "values");
    if (integer != MLT_JSON_NONE) {
        put_integer(o, integer);
    } else if (mlt_json_get(j, value, "arrayValue") != MLT_JSON_NONE) {
        mlt_jw_array(w);
        for (mlt_json_at at = is_message(o, array, MLT_JSON_ARRAY) ? mlt_json_first(j, array) : MLT_JSON_NONE;
             at != MLT_JSON_NONE; at = mlt_json_next(j, array, at)) {
            put_any(o, at);
        }
        mlt_jw_end_array(w);
    } else if (mlt_json_get(j, value, "kvlistValue") != MLT_JSON_NONE) {
        mlt_jw_object(w);
        put_list(o, list);
        mlt_jw_end_object(w);
    } else {
        mlt_jw_null(w);
    }
}

// Content: what a string says when it is JSON itself.
static void put_content(struct otlp *o, mlt_json_at value) {
    struct mlt_bytes text = text_of(o, value);
    struct mlt_json inner = {0};
    bool structured =
        text.len > 0 && (text.ptr[0] == '[' || text.ptr[0] == '{') && mlt_json_scan(&inner, text, NULL) == MLT_OK;
    if (structured) {
        mlt_jw_value(&o->out->writer, &inner, 0);
    } else {
        put_any(o, value);
    }
    mlt_json_clear(&inner);
}

// --- what a call is made of ---

static const char *const REQUEST_MODEL[] = {"gen_ai.request.model", "llm.model_name", "llm.request.model", NULL};
static const char *const RESPONSE_MODEL[] = {"gen_ai.response.model", "llm.response.model", NULL};
static const char *const RESPONSE_ID[] = {"gen_ai.response.id", NULL};
static const char *const INPUT[] = {"gen_ai.input.messages", "gen_ai.prompt", "input.value", NULL};
static const char *const OUTPUT[] = {"gen_ai.output.messages", "gen_ai.completion", "output.value", NULL};
static const char *const SYSTEM[] = {"gen_ai.system_instructions", NULL};
static const char *const TOOLS[] = {"gen_ai.tool.definitions", NULL};
static const char *const PROMPT_VERSION[] = {"gen_ai.prompt.version", "prompt.version", "llm.prompt_template.version",
                                             NULL};
static const char *const DATA_SOURCE[] = {"gen_ai.data_source.id", NULL};
static const char *const DOCUMENTS[] = {"gen_ai.retrieval.documents", NULL};
static const char *const OPERATION[] = {"gen_ai.operation.name", NULL};
static const char *const ERROR_TYPE[] = {"error.type", NULL};
static const char *const CONTENT[] = {"gen_ai.input.messages",
                                      "gen_ai.prompt",
                                      "gen_ai.output.messages",
                                      "gen_ai.completion",
                                      "input.value",
                                      "output.value",
                                      "gen_ai.system_instructions",
                                      "gen_ai.tool.definitions",
                                      NULL};
static const char *const CALLER[] = {"enduser.id", "enduser.pseudo.id", "user.id",         "user.name",
                                     "session.id", "client.address",    "gen_ai.agent.id", NULL};
static const char *const NODE[] = {"service.instance.id", "k8s.pod.name", "host.name", NULL};
static const char *const ENVIRONMENT[] = {"deployment.environment.name", "deployment.environment", NULL};
static const char *const REGION[] = {"cloud.region", NULL};
static const char *const SERVICE[] = {"service.name", NULL};

// Operations that call models by way of other spans, or none.
static bool is_inference(const struct call *c) {
    static const char *const others[] = {"create_agent", "invoke_agent", "invoke_workflow", "execute_tool",
                                         "retrieval"};
    struct mlt_bytes operation = any_text(c, OPERATION);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (mlt_bytes_is(operation, others[i])) {
            return false;
        }
    }
    return any_text(c, REQUEST_MODEL).len > 0 || any_text(c, RESPONSE_MODEL).len > 0;
}

static void put_text(struct otlp *o, const char *name, struct mlt_bytes text) {
    if (text.len > 0) {
        mlt_jw_member_bytes(&o->out->writer, name, text);
    }
}

static void put_model(struct call *c) {
    struct mlt_bytes asked = any_text(c, REQUEST_MODEL);
    struct mlt_bytes answered = any_text(c, RESPONSE_MODEL);
    put_text(c->o, "model", asked.len > 0 ? asked : answered);
    if (asked.len > 0) {
        put_text(c->o, "model_version", answered); // what the name stood for at that time
    }
}

static void put_deployment(struct call *c) {
    struct mlt_json_writer *w = &c->o->out->writer;
    struct mlt_bytes environment = resource_text(c, ENVIRONMENT);
    struct mlt_bytes region = resource_text(c, REGION);
    struct mlt_bytes service = resource_text(c, SERVICE);
    put_text(c->o, "serving_node", resource_text(c, NODE));
    if (environment.len + region.len + service.len > 0) {
        mlt_jw_name(w, "deployment");
        mlt_jw_object(w);
        put_text(c->o, "environment", environment);
        put_text(c->o, "region", region);
        put_text(c->o, "endpoint", service);
        mlt_jw_end_object(w);
    }
}

// Content stands among the attributes, or in an event of the span.
static mlt_json_at content_of(const struct call *c, const char *const *names) {
    const struct mlt_json *j = &c->o->json;
    mlt_json_at found = any_attribute(c, names);
    mlt_json_at events = c->is_span ? mlt_json_get(j, c->at, "events") : MLT_JSON_NONE;
    if (!is_message(c->o, events, MLT_JSON_ARRAY)) {
        return found;
    }
    for (mlt_json_at at = mlt_json_first(j, events); found == MLT_JSON_NONE && at != MLT_JSON_NONE;
         at = mlt_json_next(j, events, at)) {
        struct call event = *c;
        event.attributes = mlt_json_get(j, at, "attributes");
        found = any_attribute(&event, names);
    }
    return found;
}

static void put_input(struct call *c) {
    struct mlt_json_writer *w = &c->o->out->writer;
    static const struct {
        const char *name;
        const char *const *attributes;
    } parts[] = {{"messages", INPUT}, {"system_instructions", SYSTEM}, {"tool_definitions", TOOLS}};
    if (content_of(c, INPUT) == MLT_JSON_NONE) {
        return;
    }
    mlt_jw_name(w, "feature_values");
    mlt_jw_object(w);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        mlt_json_at at = content_of(c, parts[i].attributes);
        if (at != MLT_JSON_NONE) {
            mlt_jw_name(w, parts[i].name);
            put_content(c->o, at);
        }
    }
    mlt_jw_end_object(w);
}

static void put_output(struct call *c) {
    mlt_json_at at = content_of(c, OUTPUT);
    if (at != MLT_JSON_NONE) {
        mlt_jw_name(&c->o->out->writer, "prediction");
        put_content(c->o, at);
    }
}

// Facts: identifiers alone, never what the documents say.
static void put_retrieved(struct call *c) {
    struct otlp *o = c->o;
    struct mlt_json_writer *w = &o->out->writer;
    struct mlt_bytes source = any_text(c, DATA_SOURCE);
    struct mlt_bytes text = text_of(o, any_attribute(c, DOCUMENTS));
    struct mlt_json inner = {0};
    bool documents =
        text.len > 0 && mlt_json_scan(&inner, text, NULL) == MLT_OK && mlt_json_is(&inner, 0, MLT_JSON_ARRAY);
    if (source.len > 0 || documents) {
        mlt_jw_name(w, "retrieved");
        mlt_jw_array(w);
        if (source.len > 0) {
            mlt_jw_string(w, source);
        }
        for (mlt_json_at at = documents ? mlt_json_first(&inner, 0) : MLT_JSON_NONE; at != MLT_JSON_NONE;
             at = mlt_json_next(&inner, 0, at)) {
            mlt_json_at id = mlt_json_get(&inner, at, "id");
            if (mlt_json_is(&inner, id, MLT_JSON_STRING)) {
                mlt_jw_raw(w, mlt_json_raw(&inner, id));
            }
        }
        mlt_jw_end_array(w);
    }
    mlt_json_clear(&inner);
}

static void put_caller(struct call *c) {
    struct mlt_json_writer *w = &c->o->out->writer;
    if (any_attribute(c, CALLER) == MLT_JSON_NONE) {
        return;
    }
    mlt_jw_name(w, "caller");
    mlt_jw_object(w);
    for (const char *const *name = CALLER; *name; name++) {
        mlt_json_at at = attribute(c->o, c->attributes, *name);
        if (at != MLT_JSON_NONE) {
            mlt_jw_name(w, *name);
            put_any(c->o, at);
        }
    }
    mlt_jw_end_object(w);
}

// Everything else that is said of the call: tokens, temperature, reasons to stop. A span and an event say it in their
// own ways, so each has a member of its own.
static void put_rest(struct call *c) {
    struct otlp *o = c->o;
    struct mlt_json_writer *w = &o->out->writer;
    static const char *const ids[] = {"traceId", "spanId", "parentSpanId", "name", "eventName", NULL};
    mlt_jw_name(w, c->is_span ? "span" : "event");
    mlt_jw_object(w);
    for (const char *const *name = ids; *name; name++) {
        put_text(o, *name, mlt_json_string(&o->json, mlt_json_get(&o->json, c->at, *name), &o->scratch));
    }
    put_text(o, "scope", mlt_json_string(&o->json, mlt_json_get(&o->json, c->scope, "name"), &o->scratch));
    put_members(o, c->attributes, "gen_ai.", CONTENT);
    put_members(o, c->attributes, "llm.", NULL);
    put_members(o, c->attributes, "error.", NULL);
    mlt_jw_end_object(w);
}

static void put_status(struct call *c) {
    uint64_t code = 0;
    struct mlt_bytes error = any_text(c, ERROR_TYPE);
    (void)number_of(c->o, mlt_json_get(&c->o->json, mlt_json_get(&c->o->json, c->at, "status"), "code"), &code);
    const char *status = mlt_bytes_is(error, "timeout") ? "timeout" : code == 2 || error.len > 0 ? "error" : "ok";
    if (c->is_span || error.len > 0) { // an event does not say that all went well
        mlt_jw_member(&c->o->out->writer, "status", status);
    }
}

static void put_latency(struct call *c, uint64_t start) {
    uint64_t end;
    if (c->is_span && start > 0 && number_of(c->o, mlt_json_get(&c->o->json, c->at, "endTimeUnixNano"), &end) &&
        end >= start) {
        char text[40];
        (void)snprintf(text, sizeof text, "%.6f", (double)(end - start) / NS_PER_MS);
        mlt_jw_name(&c->o->out->writer, "latency_ms");
        mlt_jw_raw(&c->o->out->writer, mlt_str(text));
    }
}

// When it was: a span's begin, an event's time. 0: it does not say.
static uint64_t time_of(const struct call *c) {
    static const char *const names[] = {"startTimeUnixNano", "timeUnixNano", "observedTimeUnixNano", NULL};
    uint64_t at = 0;
    for (const char *const *name = names; at == 0 && *name; name++) {
        (void)number_of(c->o, mlt_json_get(&c->o->json, c->at, *name), &at);
    }
    return at;
}

static struct mlt_bytes request_id_of(const struct call *c) {
    struct mlt_bytes id = any_text(c, RESPONSE_ID);
    return id.len > 0 ? id : mlt_json_string(&c->o->json, mlt_json_get(&c->o->json, c->at, "spanId"), &c->o->scratch);
}

static void reject(struct call *c, const char *code, const char *pointer, const char *says) {
    struct otlp *o = c->o;
    struct mlt_bytes raw = mlt_arena_copy(&o->out->arena, mlt_json_raw(&o->json, c->at));
    (void)mlt_capture_reject(o->out, o->item, raw, code, pointer, "%s", says);
}

static void put_call(struct call *c) {
    struct otlp *o = c->o;
    uint64_t at = time_of(c);
    struct mlt_bytes request_id = request_id_of(c);
    char time[MLT_TIME_TEXT_LEN + 1];
    if (at > INT64_MAX) {
        reject(c, "bad-time", "/startTimeUnixNano", "the time is beyond the year 2262; send nanoseconds since 1970");
        return;
    }
    if (request_id.len == 0) {
        reject(c, "missing-member", "/spanId", "neither gen_ai.response.id nor a span id says which call this is");
        return;
    }
    mlt_time_format(time, (int64_t)at);
    struct mlt_json_writer *w = mlt_capture_begin(o->out, "prediction");
    mlt_jw_member_bytes(w, "request_id", request_id);
    mlt_jw_member(w, "timestamp", at > 0 ? time : o->msg->received);
    if (!c->is_span) { // its time is that of the telling, and a span of the same call has one of its own
        mlt_jw_member(w, "half", "event");
    }
    put_model(c);
    put_deployment(c);
    put_status(c);
    put_latency(c, at);
    put_text(o, "prompt_version", any_text(c, PROMPT_VERSION));
    put_retrieved(c);
    put_input(c);
    put_output(c);
    put_caller(c);
    put_rest(c);
    mlt_capture_end(o->out);
}

// --- the message ---

static void read_scope(struct otlp *o, mlt_json_at resource, mlt_json_at scope, const char *list_name, bool spans) {
    const struct mlt_json *j = &o->json;
    mlt_json_at list = mlt_json_get(j, scope, list_name);
    if (!is_message(o, list, MLT_JSON_ARRAY)) {
        return;
    }
    for (mlt_json_at at = mlt_json_first(j, list); at != MLT_JSON_NONE; at = mlt_json_next(j, list, at)) {
        struct call c = {.o = o,
                         .resource = resource,
                         .scope = mlt_json_get(j, scope, "scope"),
                         .at = at,
                         .attributes = mlt_json_get(j, at, "attributes"),
                         .is_span = spans};
        o->item++;
        mlt_arena_reset(&o->scratch);
        if (is_inference(&c)) {
            put_call(&c);
        } else {
            o->out->num_ignored++;
        }
    }
}

static void read_resources(struct otlp *o, bool spans) {
    const struct mlt_json *j = &o->json;
    mlt_json_at list = mlt_json_get(j, 0, spans ? "resourceSpans" : "resourceLogs");
    if (!is_message(o, list, MLT_JSON_ARRAY)) {
        return;
    }
    for (mlt_json_at at = mlt_json_first(j, list); at != MLT_JSON_NONE; at = mlt_json_next(j, list, at)) {
        mlt_json_at scopes = mlt_json_get(j, at, spans ? "scopeSpans" : "scopeLogs");
        if (!is_message(o, scopes, MLT_JSON_ARRAY)) {
            continue;
        }
        for (mlt_json_at s = mlt_json_first(j, scopes); s != MLT_JSON_NONE; s = mlt_json_next(j, scopes, s)) {
            read_scope(o, mlt_json_get(j, at, "resource"), s, spans ? "spans" : "logRecords", spans);
        }
    }
}

bool mlt_otlp_is_protobuf(const char *content_type) {
    size_t len = strlen(MLT_OTLP_PROTOBUF);
    return strncasecmp(content_type, MLT_OTLP_PROTOBUF, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

static enum mlt_status read_text(struct otlp *o, struct mlt_bytes text, bool spans, struct mlt_error *err) {
    enum mlt_status status = mlt_json_scan(&o->json, text, err);
    if (status == MLT_OK && !is_message(o, 0, MLT_JSON_OBJECT)) {
        status = mlt_fail(err, MLT_INVALID, "an OTLP message in JSON is an object with \"%s\"",
                          spans ? "resourceSpans" : "resourceLogs");
    }
    if (status == MLT_INVALID) {
        return mlt_capture_reject(o->out, 1, o->msg->body, "not-json", "", "%s", err ? err->text : "malformed");
    }
    if (status == MLT_OK) {
        read_resources(o, spans);
    }
    return status;
}

static enum mlt_status capture(struct mlt_capture *out, const struct mlt_foreign *msg, bool spans,
                               struct mlt_error *err) {
    struct otlp o = {.out = out, .msg = msg};
    struct mlt_buf text = {0};
    struct mlt_bytes json = msg->body;
    struct mlt_error own = {0};
    enum mlt_status status = MLT_OK;
    err = err ? err : &own;
    if (mlt_otlp_is_protobuf(msg->content_type)) {
        status = mlt_otlp_text(&text, msg->body, spans ? MLT_OTLP_TRACES : MLT_OTLP_LOGS, err);
        json = mlt_buf_bytes(&text);
        if (status == MLT_INVALID) {
            status = mlt_capture_reject(out, 1, msg->body, "not-protobuf", "", "%s", err->text);
        }
    }
    if (status == MLT_OK) {
        status = read_text(&o, json, spans, err);
    }
    mlt_json_clear(&o.json);
    mlt_arena_clear(&o.scratch);
    mlt_buf_clear(&text);
    return status;
}

enum mlt_status mlt_capture_otlp_traces(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    return capture(out, msg, true, err);
}

enum mlt_status mlt_capture_otlp_logs(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    return capture(out, msg, false, err);
}
