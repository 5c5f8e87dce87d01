// Protobuf to JSON, by tables of the messages (opentelemetry-proto 1.x: trace/v1, logs/v1, common/v1).
#include <math.h>
#include <stdio.h>

#include "capture/otlp.h"
#include "capture/protobuf.h"

#define DEPTH_MAX (MLT_JSON_DEPTH_MAX - 6) // an object in an array in a member, and one to spare

enum form { TEXT, HEX, BASE64, COUNT, INTEGER, REAL, BOOL, MESSAGE };

enum message {
    NONE,
    ANY_VALUE,
    ANY_VALUES,
    KEY_VALUE,
    KEY_VALUES,
    RESOURCE,
    SCOPE,
    STATUS,
    EVENT,
    SPAN,
    LOG_RECORD,
    SCOPE_SPANS,
    SCOPE_LOGS,
    RESOURCE_SPANS,
    RESOURCE_LOGS,
    TRACES,
    LOGS,
};

#define FIELDS_MAX 10
struct field {
    uint32_t number; // 0: no further one
    const char *name;
    enum form form;
    bool repeated;
    enum message message;
};

#define ONE(number, name, form)                                                                                        \
    { number, name, form, false, NONE }
#define ONE_OF(number, name, message)                                                                                  \
    { number, name, MESSAGE, false, message }
#define MANY(number, name, message)                                                                                    \
    { number, name, MESSAGE, true, message }

// clang-format off
static const struct field MESSAGES[][FIELDS_MAX] = {
    [ANY_VALUE] = {ONE(1, "stringValue", TEXT), ONE(2, "boolValue", BOOL), ONE(3, "intValue", INTEGER),
                   ONE(4, "doubleValue", REAL), ONE_OF(5, "arrayValue", ANY_VALUES),
                   ONE_OF(6, "kvlistValue", KEY_VALUES), ONE(7, "bytesValue", BASE64)},
    [ANY_VALUES] = {MANY(1, "values", ANY_VALUE)},
    [KEY_VALUE] = {ONE(1, "key", TEXT), ONE_OF(2, "value", ANY_VALUE)},
    [KEY_VALUES] = {MANY(1, "values", KEY_VALUE)},
    [RESOURCE] = {MANY(1, "attributes", KEY_VALUE)},
    [SCOPE] = {ONE(1, "name", TEXT), ONE(2, "version", TEXT)},
    [STATUS] = {ONE(2, "message", TEXT), ONE(3, "code", COUNT)},
    [EVENT] = {ONE(1, "timeUnixNano", COUNT), ONE(2, "name", TEXT), MANY(3, "attributes", KEY_VALUE)},
    [SPAN] = {ONE(1, "traceId", HEX), ONE(2, "spanId", HEX), ONE(4, "parentSpanId", HEX), ONE(5, "name", TEXT),
              ONE(7, "startTimeUnixNano", COUNT), ONE(8, "endTimeUnixNano", COUNT), MANY(9, "attributes", KEY_VALUE),
              MANY(11, "events", EVENT), ONE_OF(15, "status", STATUS)},
    [LOG_RECORD] = {ONE(1, "timeUnixNano", COUNT), ONE_OF(5, "body", ANY_VALUE), MANY(6, "attributes", KEY_VALUE),
                    ONE(9, "traceId", HEX), ONE(10, "spanId", HEX), ONE(11, "observedTimeUnixNano", COUNT),
                    ONE(12, "eventName", TEXT)},
    [SCOPE_SPANS] = {ONE_OF(1, "scope", SCOPE), MANY(2, "spans", SPAN)},
    [SCOPE_LOGS] = {ONE_OF(1, "scope", SCOPE), MANY(2, "logRecords", LOG_RECORD)},
    [RESOURCE_SPANS] = {ONE_OF(1, "resource", RESOURCE), MANY(2, "scopeSpans", SCOPE_SPANS)},
    [RESOURCE_LOGS] = {ONE_OF(1, "resource", RESOURCE), MANY(2, "scopeLogs", SCOPE_LOGS)},
    [TRACES] = {MANY(1, "resourceSpans", RESOURCE_SPANS)},
    [LOGS] = {MANY(1, "resourceLogs", RESOURCE_LOGS)},
};
// clang-format on

// A field of another wire type than its table says is one that we do not know.
static bool fits(enum form form, enum mlt_pb_wire wire) {
    switch (form) {
    case COUNT:
        return wire != MLT_PB_BYTES;
    case INTEGER:
    case BOOL:
        return wire == MLT_PB_VARINT;
    case REAL:
        return wire == MLT_PB_FIXED64;
    default:
        return wire == MLT_PB_BYTES;
    }
}

static enum mlt_status put_message(struct mlt_json_writer *w, struct mlt_bytes bytes, enum message message,
                                   struct mlt_error *err);

static void put_real(struct mlt_json_writer *w, uint64_t bits) {
    double v;
    _Static_assert(sizeof v == sizeof bits, "a double has 64 bits");
    memcpy(&v, &bits, sizeof v);
    char text[40];
    if (isfinite(v)) {
        (void)snprintf(text, sizeof text, "%.17g", v);
        mlt_jw_raw(w, mlt_str(text));
    } else {
        mlt_jw_cstr(w, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
    }
}

static enum mlt_status put_value(struct mlt_json_writer *w, const struct field *f, const struct mlt_pb_field *v,
                                 struct mlt_error *err) {
    switch (f->form) {
    case TEXT:
        mlt_jw_string(w, v->bytes);
        break;
    case HEX:
        mlt_jw_hex(w, v->bytes);
        break;
    case BASE64:
        mlt_jw_base64(w, v->bytes);
        break;
    case COUNT:
        mlt_jw_u64(w, v->value);
        break;
    case INTEGER:
        mlt_jw_i64(w, (int64_t)v->value);
        break;
    case REAL:
        put_real(w, v->value);
        break;
    case BOOL:
        mlt_jw_bool(w, v->value != 0);
        break;
    case MESSAGE:
        return put_message(w, v->bytes, f->message, err);
    }
    return MLT_OK;
}

// All values of one field: of one that is not repeated the last one counts.
static enum mlt_status put_field(struct mlt_json_writer *w, struct mlt_bytes message, const struct field *f,
                                 struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(message);
    struct mlt_pb_field v;
    struct mlt_pb_field last = {0};
    enum mlt_status status = MLT_OK;
    bool open = false;
    while (status == MLT_OK && mlt_pb_next(&c, &v)) {
        if (v.number != f->number || !fits(f->form, v.wire)) {
            continue;
        }
        last = v;
        if (f->repeated) {
            if (!open) {
                mlt_jw_name(w, f->name);
                mlt_jw_array(w);
                open = true;
            }
            status = put_value(w, f, &v, err);
        }
    }
    if (status == MLT_OK && c.failed) {
        status = mlt_fail(err, MLT_INVALID,
                          "the body is no protobuf message of OTLP: it is cut off or malformed near \"%s\"", f->name);
    }
    if (status == MLT_OK && open) {
        mlt_jw_end_array(w);
    } else if (status == MLT_OK && last.number != 0) {
        mlt_jw_name(w, f->name);
        status = put_value(w, f, &last, err);
    }
    return status; // after a failure nobody reads what was written: nothing is closed
}

static enum mlt_status put_message(struct mlt_json_writer *w, struct mlt_bytes bytes, enum message message,
                                   struct mlt_error *err) {
    if (w->depth >= DEPTH_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a value is nested deeper than %d levels", DEPTH_MAX);
    }
    if (w->out->len > MLT_OTLP_TEXT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the message is too long; let the exporter send smaller batches");
    }
    enum mlt_status status = MLT_OK;
    mlt_jw_object(w);
    for (const struct field *f = MESSAGES[message]; status == MLT_OK && f->number != 0; f++) {
        status = put_field(w, bytes, f, err);
    }
    if (status == MLT_OK) {
        mlt_jw_end_object(w);
    }
    return status;
}

enum mlt_status mlt_otlp_text(struct mlt_buf *out, struct mlt_bytes protobuf, enum mlt_otlp_signal signal,
                              struct mlt_error *err) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    enum mlt_status status = put_message(&w, protobuf, signal == MLT_OTLP_TRACES ? TRACES : LOGS, err);
    if (status == MLT_OK && out->failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the message as JSON");
    }
    return status;
}
