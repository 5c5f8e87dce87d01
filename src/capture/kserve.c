// KServe's inference logger (binary CloudEvents, one for each half), the same by Seldon Core v1, and the bodies that
// they carry: the V1 protocol, the Open Inference Protocol V2 with Triton's binary tensors, Seldon's own, anything
// else.
#include "capture/kserve.h"

#include <strings.h>

#include "base/time.h"
#include "crypto/sha256.h"
#include "record/digest.h"

static const struct dialect {
    const char *type;
    const char *half;
    bool seldon;
} DIALECTS[] = {
    {"org.kubeflow.serving.inference.request", "request", false},
    {"org.kubeflow.serving.inference.response", "response", false},
    {"io.seldon.serving.inference.request", "request", true},
    {"io.seldon.serving.inference.response", "response", true},
};

static const struct dialect *dialect_of(struct mlt_bytes type) {
    for (size_t i = 0; i < sizeof(DIALECTS) / sizeof(DIALECTS[0]); i++) {
        if (mlt_bytes_is(type, DIALECTS[i].type)) {
            return &DIALECTS[i];
        }
    }
    return NULL;
}

bool mlt_kserve_knows(struct mlt_bytes type) {
    return dialect_of(type) != NULL;
}

// What the body is, and how many predictions it is about.
enum shape {
    SHAPE_NOTHING,
    SHAPE_OPAQUE,  // no JSON
    SHAPE_WHOLE,   // JSON of no protocol that we know
    SHAPE_ROWS,    // V1 and Seldon: an array with a row in each element
    SHAPE_TENSORS, // V2, all tensors with the rows as their first dimension
    SHAPE_UNEVEN,  // V2, other tensors
    SHAPE_BINARY,  // V2, tensors behind the JSON
};

// A tensor whose rows are taken one after the other.
struct tensor {
    struct mlt_bytes name;
    mlt_json_at data, at; // the array and the next element
    uint64_t stride;      // elements that make a row
    bool scalar;          // a row is the element itself
};

struct body {
    struct mlt_json json;
    enum shape shape;
    struct mlt_bytes head, binary; // JSON, and what comes behind it
    mlt_json_at values;            // array of rows or of tensors
    size_t num_rows;
    mlt_json_at row; // SHAPE_ROWS: the next
    struct tensor tensors[MLT_KSERVE_TENSORS_MAX];
    size_t num_tensors;
};

// One event on its way to records.
struct inference {
    struct mlt_capture *out;
    const struct mlt_cloudevent *event;
    const struct mlt_foreign *msg;
    const struct dialect *dialect;
    bool request;
    struct mlt_json metadata, annotations; // no tokens: not given, or no JSON object
    struct mlt_buf room;
    struct body body;
    uint8_t hash[MLT_HASH_LEN]; // of the body
};

static struct mlt_bytes attribute(const struct inference *f, const char *name) {
    return mlt_cloudevent_get(f->event, name);
}

// A member of a flat object by its name in any case; the first one when it is an array (headers are).
static struct mlt_bytes entry_of(struct inference *f, const struct mlt_json *json, const char *name) {
    const struct mlt_bytes want = mlt_str(name);
    for (mlt_json_at at = json->num_tokens > 0 ? mlt_json_first(json, 0) : MLT_JSON_NONE; at != MLT_JSON_NONE;
         at = mlt_json_next(json, 0, at)) {
        const struct mlt_bytes has = mlt_json_string(json, at, &f->out->arena);
        if (has.len == want.len && strncasecmp((const char *)has.ptr, name, want.len) == 0) {
            const mlt_json_at value = at + 1;
            return mlt_json_string(json, mlt_json_is(json, value, MLT_JSON_ARRAY) ? mlt_json_first(json, value) : value,
                                   &f->out->arena);
        }
    }
    return (struct mlt_bytes){0};
}

static struct mlt_bytes annotation(struct inference *f, const char *name) {
    return entry_of(f, &f->annotations, name);
}

static void scan_object(struct mlt_json *json, struct mlt_bytes text) {
    if (text.len == 0 || mlt_json_scan(json, text, NULL) != MLT_OK || !mlt_json_is(json, 0, MLT_JSON_OBJECT)) {
        json->num_tokens = 0;
    }
}

// --- the body -------------------------------------------------------------------------------------------------------

// Where the JSON object that the bytes begin with ends; 0: they begin with none.
static size_t object_len(struct mlt_bytes b) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < b.len; i++) {
        const uint8_t c = b.ptr[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
        if (depth == 0) {
            return 0;
        }
    }
    return 0;
}

// The JSON of a body with binary tensors behind it: as its header says, else the object that it begins with.
static struct mlt_bytes head_of(struct inference *f, struct mlt_bytes data) {
    static const char name[] = "Inference-Header-Content-Length";
    const char *sent = f->msg->header != NULL ? f->msg->header(f->msg->header_arg, name) : NULL;
    const struct mlt_bytes text = sent != NULL ? mlt_str(sent) : entry_of(f, &f->metadata, name);
    uint64_t len = 0;
    if (text.len == 0 || !mlt_decimal_decode(&len, text) || len > data.len) {
        len = object_len(data);
    }
    return mlt_bytes_of(data.ptr, (size_t)len);
}

static bool is_tensor(const struct mlt_json *json, mlt_json_at at) {
    return mlt_json_is(json, mlt_json_get(json, at, "name"), MLT_JSON_STRING) &&
           mlt_json_is(json, mlt_json_get(json, at, "shape"), MLT_JSON_ARRAY) &&
           mlt_json_is(json, mlt_json_get(json, at, "datatype"), MLT_JSON_STRING);
}

static bool name_is_new(const struct body *b, struct mlt_bytes name) {
    for (size_t i = 0; i < b->num_tensors; i++) {
        if (mlt_bytes_equal(b->tensors[i].name, name)) {
            return false;
        }
    }
    return true;
}

// Takes a tensor among those that are split. False: its rows cannot be told apart as those of the others.
static bool take_tensor(struct inference *f, mlt_json_at at) {
    struct body *b = &f->body;
    const struct mlt_json *json = &b->json;
    const mlt_json_at shape = mlt_json_get(json, at, "shape"), data = mlt_json_get(json, at, "data");
    const mlt_json_at first = mlt_json_first(json, shape);
    const struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, at, "name"), &f->out->arena);
    uint64_t rows = 0, stride = 1, side = 0;
    if (b->num_tensors == MLT_KSERVE_TENSORS_MAX || !name_is_new(b, name) || !mlt_json_is(json, data, MLT_JSON_ARRAY) ||
        !mlt_json_u64(json, first, &rows) || rows == 0 || (b->num_tensors > 0 && rows != b->num_rows)) {
        return false;
    }
    const uint64_t count = json->tape[data].count;
    const bool scalar = json->tape[shape].count == 1;
    for (mlt_json_at n = mlt_json_next(json, shape, first); n != MLT_JSON_NONE; n = mlt_json_next(json, shape, n)) {
        if (!mlt_json_u64(json, n, &side) || (side > 0 && stride > count / side)) {
            return false;
        }
        stride *= side;
    }
    const bool nested = !scalar && count == rows && mlt_json_is(json, mlt_json_first(json, data), MLT_JSON_ARRAY);
    if (!nested && (rows > count || stride * rows != count)) {
        return false;
    }
    b->num_rows = (size_t)rows;
    b->tensors[b->num_tensors++] = (struct tensor){.name = name,
                                                   .data = data,
                                                   .at = mlt_json_first(json, data),
                                                   .stride = nested ? 1 : stride,
                                                   .scalar = scalar || nested};
    return true;
}

static bool has_binary(const struct mlt_json *json, mlt_json_at tensor) {
    return mlt_json_get(json, mlt_json_get(json, tensor, "parameters"), "binary_data_size") != MLT_JSON_NONE;
}

static enum shape shape_of_tensors(struct inference *f) {
    struct body *b = &f->body;
    bool even = true, binary = b->binary.len > 0;
    for (mlt_json_at at = mlt_json_first(&b->json, b->values); at != MLT_JSON_NONE;
         at = mlt_json_next(&b->json, b->values, at)) {
        if (!is_tensor(&b->json, at)) {
            return SHAPE_WHOLE;
        }
        binary = binary || has_binary(&b->json, at);
        even = even && take_tensor(f, at);
    }
    return binary ? SHAPE_BINARY : even && b->num_rows <= MLT_KSERVE_ROWS_MAX ? SHAPE_TENSORS : SHAPE_UNEVEN;
}

static mlt_json_at nonempty_array(const struct mlt_json *json, mlt_json_at at, const char *name) {
    const mlt_json_at found = mlt_json_get(json, at, name);
    return mlt_json_is(json, found, MLT_JSON_ARRAY) && json->tape[found].count > 0 ? found : MLT_JSON_NONE;
}

static enum shape shape_of_json(struct inference *f) {
    struct body *b = &f->body;
    const struct mlt_json *json = &b->json;
    b->values = nonempty_array(json, 0, f->request ? "inputs" : "outputs");
    if (b->values != MLT_JSON_NONE) {
        const enum shape shape = shape_of_tensors(f);
        if (shape != SHAPE_WHOLE || b->binary.len > 0) {
            return shape;
        }
    }
    if (b->binary.len > 0) {
        return SHAPE_WHOLE;
    }
    b->values = nonempty_array(json, 0, f->request ? "instances" : "predictions");
    if (b->values == MLT_JSON_NONE) { // Seldon: {"data":{"names":[…],"ndarray":[…]}}, the same both ways
        b->values = nonempty_array(json, mlt_json_get(json, 0, "data"), "ndarray");
    }
    if (b->values == MLT_JSON_NONE || json->tape[b->values].count > MLT_KSERVE_ROWS_MAX) {
        return SHAPE_WHOLE;
    }
    b->num_rows = json->tape[b->values].count;
    b->row = mlt_json_first(json, b->values);
    return SHAPE_ROWS;
}

static bool is_v2(const struct body *b) {
    return b->shape == SHAPE_TENSORS || b->shape == SHAPE_UNEVEN || b->shape == SHAPE_BINARY;
}

// A response's Content-Type is that of its request, whatever it is: only the bytes tell.
static void read_body(struct inference *f) {
    struct body *b = &f->body;
    const struct mlt_bytes data = f->event->data;
    b->num_rows = 1;
    b->head = data;
    if (data.len == 0) {
        b->shape = SHAPE_NOTHING;
        return;
    }
    b->shape = SHAPE_OPAQUE;
    if (mlt_json_scan(&b->json, data, NULL) != MLT_OK) {
        b->head = head_of(f, data);
        b->binary = mlt_bytes_of(data.ptr + b->head.len, data.len - b->head.len);
        if (b->head.len == 0 || mlt_json_scan(&b->json, b->head, NULL) != MLT_OK) {
            return;
        }
        b->shape = shape_of_json(f);
        b->shape = b->shape == SHAPE_BINARY ? b->shape : SHAPE_OPAQUE;
    } else {
        b->shape = shape_of_json(f);
    }
    if (b->shape != SHAPE_ROWS && b->shape != SHAPE_TENSORS) {
        b->num_rows = 1;
    }
}

// --- what goes into the record
// ----------------------------------------------------------------------------------------

static void put_digest(struct mlt_json_writer *w, struct mlt_bytes bytes) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, bytes);
    mlt_jw_member_u64(w, "size", bytes.len);
    mlt_digest_put(w, "digest", hash);
}

static void put_opaque(struct inference *f, struct mlt_json_writer *w, struct mlt_bytes bytes) {
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "content_type", attribute(f, "datacontenttype"));
    if (bytes.len <= MLT_KSERVE_KEPT_MAX) {
        mlt_jw_name(w, "base64");
        mlt_jw_base64(w, bytes);
    } else {
        put_digest(w, bytes);
    }
    mlt_jw_end_object(w);
}

static void put_raw(struct inference *f, struct mlt_json_writer *w, mlt_json_at at) {
    mlt_buf_reset(&f->room);
    mlt_json_minify(&f->body.json, at, &f->room);
    if (f->room.len <= MLT_KSERVE_KEPT_MAX) {
        mlt_jw_raw(w, mlt_buf_bytes(&f->room));
    } else {
        mlt_jw_object(w);
        put_digest(w, mlt_json_raw(&f->body.json, at));
        mlt_jw_end_object(w);
    }
}

// The next row of a tensor, {"name": value} being made by the caller.
static void put_tensor_row(struct inference *f, struct mlt_json_writer *w, struct tensor *t) {
    const struct mlt_json *json = &f->body.json;
    if (t->scalar) {
        put_raw(f, w, t->at);
        t->at = mlt_json_next(json, t->data, t->at);
        return;
    }
    mlt_jw_array(w);
    for (uint64_t i = 0; i < t->stride; i++) {
        put_raw(f, w, t->at);
        t->at = mlt_json_next(json, t->data, t->at);
    }
    mlt_jw_end_array(w);
}

// Triton: each tensor has parameters.binary_data_size bytes behind the JSON, in order. When they do not add up, one
// digest covers all.
static void put_binary(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_json *json = &f->body.json;
    struct mlt_cursor c = mlt_cursor_of(f->body.binary);
    mlt_jw_object(w);
    mlt_jw_name(w, "tensors");
    put_raw(f, w, f->body.values);
    mlt_jw_name(w, "binary");
    mlt_jw_array(w);
    for (mlt_json_at at = mlt_json_first(json, f->body.values); at != MLT_JSON_NONE && !c.failed;
         at = mlt_json_next(json, f->body.values, at)) {
        uint64_t size = 0;
        const mlt_json_at given = mlt_json_get(json, mlt_json_get(json, at, "parameters"), "binary_data_size");
        if (given == MLT_JSON_NONE) {
            continue;
        }
        const struct mlt_bytes part = mlt_json_u64(json, given, &size) && size <= mlt_cursor_left(&c)
                                          ? mlt_cursor_take(&c, (size_t)size)
                                          : (struct mlt_bytes){0};
        mlt_jw_object(w);
        mlt_jw_member_bytes(w, "name", mlt_json_string(json, mlt_json_get(json, at, "name"), &f->out->arena));
        put_digest(w, part);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
    put_digest(w, f->body.binary);
    mlt_jw_end_object(w);
}

static void put_value(struct inference *f, struct mlt_json_writer *w) {
    struct body *b = &f->body;
    switch (b->shape) {
    case SHAPE_NOTHING:
        return;
    case SHAPE_OPAQUE:
        put_opaque(f, w, f->event->data);
        return;
    case SHAPE_WHOLE:
        put_raw(f, w, 0);
        return;
    case SHAPE_UNEVEN:
        put_raw(f, w, b->values);
        return;
    case SHAPE_BINARY:
        put_binary(f, w);
        return;
    case SHAPE_ROWS:
        put_raw(f, w, b->row);
        b->row = mlt_json_next(&b->json, b->values, b->row);
        return;
    case SHAPE_TENSORS:
        mlt_jw_object(w);
        for (size_t i = 0; i < b->num_tensors; i++) {
            mlt_jw_name_bytes(w, b->tensors[i].name);
            put_tensor_row(f, w, &b->tensors[i]);
        }
        mlt_jw_end_object(w);
        return;
    }
}

// Credentials are no part of an audit trail.
static bool is_secret(struct mlt_bytes name) {
    static const char *const SECRET[] = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"};
    for (size_t i = 0; i < sizeof(SECRET) / sizeof(SECRET[0]); i++) {
        if (name.len == strlen(SECRET[i]) && strncasecmp((const char *)name.ptr, SECRET[i], name.len) == 0) {
            return true;
        }
    }
    return false;
}

static void put_caller(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_json *json = &f->metadata;
    if (json->num_tokens <= 1) {
        return;
    }
    mlt_jw_name(w, "caller");
    mlt_jw_object(w);
    for (mlt_json_at at = mlt_json_first(json, 0); at != MLT_JSON_NONE; at = mlt_json_next(json, 0, at)) {
        const struct mlt_bytes name = mlt_json_string(json, at, &f->out->arena);
        if (!is_secret(name)) {
            mlt_jw_name_bytes(w, name);
            mlt_jw_value(w, json, at + 1);
        }
    }
    mlt_jw_end_object(w);
}

static void put_given(struct mlt_json_writer *w, const char *name, struct mlt_bytes value) {
    if (value.len > 0) {
        mlt_jw_member_bytes(w, name, value);
    }
}

// KServe labels its two endpoints, Seldon its predictors. A label of another name says nothing about the part it plays.
static void put_variant(struct inference *f, struct mlt_json_writer *w) {
    static const char *const OTHERS[] = {"champion", "challenger", "shadow", "canary"};
    const struct mlt_bytes label = attribute(f, "endpoint");
    if (label.len == 0 || mlt_bytes_is(label, "default")) {
        mlt_jw_member(w, "variant", "champion");
        return;
    }
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        if (mlt_bytes_is(label, OTHERS[i])) {
            mlt_jw_member(w, "variant", OTHERS[i]);
            return;
        }
    }
    mlt_jw_member_bytes(w, "label", label);
}

static void put_deployment(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_bytes service = attribute(f, "inferenceservicename"), space = attribute(f, "namespace");
    const struct mlt_bytes component = attribute(f, f->dialect->seldon ? "modelid" : "component");
    if (service.len == 0) {
        return;
    }
    mlt_jw_name(w, "deployment");
    mlt_jw_object(w);
    put_given(w, "environment", annotation(f, "mltrail/environment"));
    put_given(w, "region", annotation(f, "mltrail/region"));
    const char *endpoint =
        mlt_arena_printf(&f->out->arena, "%.*s%s%.*s", MLT_ARG(space), space.len > 0 ? "/" : "", MLT_ARG(service));
    mlt_jw_member(w, "endpoint", endpoint != NULL ? endpoint : "");
    put_variant(f, w);
    if (!mlt_bytes_is(component, "predictor")) {
        put_given(w, "component", component);
    }
    mlt_jw_end_object(w);
}

// "/v2/models/NAME/versions/V/infer", "/v1/models/NAME:predict": the part behind `mark`, up to what ends it.
static struct mlt_bytes path_part(struct mlt_bytes path, const char *mark) {
    const size_t len = strlen(mark);
    for (size_t i = 0; i + len < path.len; i++) {
        if (memcmp(path.ptr + i, mark, len) == 0) {
            size_t end = i + len;
            while (end < path.len && path.ptr[end] != '/' && path.ptr[end] != ':' && path.ptr[end] != '?') {
                end++;
            }
            return mlt_bytes_of(path.ptr + i + len, end - i - len);
        }
    }
    return (struct mlt_bytes){0};
}

// The URL that a gateway saw, when its headers are among those that the logger passes on.
static struct mlt_bytes path_of(struct inference *f) {
    static const char *const HEADERS[] = {"X-Envoy-Original-Path", "X-Forwarded-Uri", "X-Original-Uri"};
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++) {
        const struct mlt_bytes path = entry_of(f, &f->metadata, HEADERS[i]);
        if (path.len > 0) {
            return path;
        }
    }
    return (struct mlt_bytes){0};
}

static struct mlt_bytes first_given(struct mlt_bytes a, struct mlt_bytes b, struct mlt_bytes c) {
    return a.len > 0 ? a : b.len > 0 ? b : c;
}

// The version: as the deployer annotated it, as the response names it, as the URL did. KServe itself knows none; the
// trail's own transitions tell then (lineage).
static void put_model(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_json *json = &f->body.json;
    const bool named = !f->request && is_v2(&f->body);
    const struct mlt_bytes none = {0}, path = path_of(f);
    const mlt_json_at name = named ? mlt_json_get(json, 0, "model_name") : MLT_JSON_NONE;
    const mlt_json_at version = named ? mlt_json_get(json, 0, "model_version") : MLT_JSON_NONE;
    put_given(w, "model",
              first_given(annotation(f, "mltrail/model"),
                          name != MLT_JSON_NONE ? mlt_json_string(json, name, &f->out->arena) : none,
                          path_part(path, "/models/")));
    put_given(w, "model_version",
              first_given(annotation(f, "mltrail/model-version"),
                          version != MLT_JSON_NONE ? mlt_json_string(json, version, &f->out->arena) : none,
                          path_part(path, "/versions/")));
    put_given(w, "model_artifact_hash", annotation(f, "mltrail/model-artifact-hash"));
}

// The agent's source is the pod's name where Kubernetes knew it in time, else a URL of its own loopback.
static void put_node(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_bytes source = attribute(f, "source");
    if (!f->dialect->seldon && memchr(source.ptr, ':', source.len) == NULL &&
        memchr(source.ptr, '/', source.len) == NULL) {
        mlt_jw_member_bytes(w, "serving_node", source);
    }
}

static void put_status(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_bytes code = attribute(f, "statuscode");
    if (code.len == 3) {
        mlt_jw_member(w, "status", code.ptr[0] == '2' ? "ok" : "error");
    }
}

// What pairs the halves: both have it, whatever the server does with the id of the body.
static struct mlt_bytes pair_id(const struct inference *f) {
    const struct mlt_bytes id = f->dialect->seldon ? attribute(f, "requestid") : (struct mlt_bytes){0};
    return id.len > 0 ? id : attribute(f, "id");
}

static void put_ids(struct inference *f, struct mlt_json_writer *w) {
    const struct mlt_bytes pair = pair_id(f);
    const mlt_json_at at = is_v2(&f->body) ? mlt_json_get(&f->body.json, 0, "id") : MLT_JSON_NONE;
    const struct mlt_bytes own =
        at != MLT_JSON_NONE ? mlt_json_string(&f->body.json, at, &f->out->arena) : (struct mlt_bytes){0};
    const bool other = own.len > 0 && !mlt_bytes_equal(own, pair);
    mlt_jw_member_bytes(w, "request_id", other ? own : pair);
    if (other) {
        mlt_jw_member_bytes(w, "event_id", pair);
    }
}

static void put_record(struct inference *f, size_t row) {
    const struct mlt_bytes time = attribute(f, "time");
    struct mlt_json_writer *w = mlt_capture_begin(f->out, "prediction");
    put_ids(f, w);
    mlt_jw_member_bytes(w, "timestamp", time.len > 0 ? time : mlt_str(f->msg->received));
    mlt_jw_member(w, "half", f->dialect->half);
    if (f->body.num_rows > 1) {
        mlt_jw_member_u64(w, "row", row);
    }
    put_model(f, w);
    put_node(f, w);
    put_deployment(f, w);
    put_status(f, w);
    mlt_digest_put(w, "message_digest", f->hash);
    if (f->body.shape != SHAPE_NOTHING) {
        mlt_jw_name(w, f->request ? "feature_values" : "prediction");
        put_value(f, w);
    }
    const mlt_json_at parameters =
        f->request && is_v2(&f->body) ? mlt_json_get(&f->body.json, 0, "parameters") : MLT_JSON_NONE;
    if (parameters != MLT_JSON_NONE) {
        mlt_jw_name(w, "parameters");
        put_raw(f, w, parameters);
    }
    put_caller(f, w);
    mlt_capture_end(f->out);
}

// A row repeats headers, names and parameters of its event. Where those are long and the rows are many, a short message
// would become a great many bytes: it stays in one piece then.
static void put_records(struct inference *f) {
    struct mlt_capture *out = f->out;
    struct body *b = &f->body;
    const size_t num_before = out->num_records, len_before = out->lines.len;
    for (size_t row = 0; row < b->num_rows; row++) {
        put_record(f, row);
        if (b->num_rows > 1 && out->lines.len - len_before > f->event->data.len + MLT_KSERVE_REPEATED_MAX) {
            out->lines.len = len_before;
            out->num_records = num_before;
            b->shape = b->shape == SHAPE_ROWS ? SHAPE_WHOLE : SHAPE_UNEVEN;
            b->num_rows = 1;
            put_record(f, 0);
        }
    }
}

static void inference_clear(struct inference *f) {
    mlt_json_clear(&f->metadata);
    mlt_json_clear(&f->annotations);
    mlt_json_clear(&f->body.json);
    mlt_buf_clear(&f->room);
}

enum mlt_status mlt_kserve_record(struct mlt_capture *out, const struct mlt_cloudevent *event,
                                  const struct mlt_foreign *msg, struct mlt_error *err) {
    struct inference *f = mlt_arena_zero(&out->arena, sizeof(*f));
    if (f == NULL) {
        return mlt_fail(err, MLT_NOMEM, "no memory for an inference event");
    }
    *f = (struct inference){.out = out, .event = event, .msg = msg, .body = {.values = MLT_JSON_NONE}};
    f->dialect = dialect_of(mlt_cloudevent_get(event, "type"));
    f->request = strcmp(f->dialect->half, "request") == 0;
    scan_object(&f->metadata, attribute(f, "metadata"));
    scan_object(&f->annotations, attribute(f, "annotations"));
    mlt_sha256_one(f->hash, event->data);
    read_body(f);
    put_records(f);
    const bool failed = f->room.failed || out->lines.failed;
    inference_clear(f);
    return failed ? mlt_fail(err, MLT_NOMEM, "no memory for the records of an inference event") : MLT_OK;
}
