// CloudEvents 1.0: the HTTP protocol binding, the JSON event format and the JSON batch format.
#include "capture/cloudevents.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/time.h"
#include "capture/kserve.h"
#include "crypto/sha256.h"
#include "record/digest.h"

#define MEDIA "application/cloudevents"
#define MEDIA_BATCH "application/cloudevents-batch"
#define HEADER_MAX 64 // "ce-" and the longest name that is looked for

// The attributes that are asked for by their header, since not every message lets all be gone through: those of the
// specification and its documented extensions, and those of the inference loggers. They also come first in a record.
static const char *const KNOWN[] = {"id", "source", "specversion", "type", "time", "subject", "dataschema",
                                    // KServe
                                    "inferenceservicename", "namespace", "component", "endpoint", "metadata",
                                    "annotations", "recordedtime", "statuscode",
                                    // Seldon Core v1
                                    "requestid", "modelid", "protocol",
                                    // documented extensions
                                    "traceparent", "tracestate", "partitionkey", "sequence", "sequencetype",
                                    "sampledrate", "dataref", "dataclassification", "expirytime", "correlationid",
                                    "causationid", "severitytext", "severitynumber", "authtype", "authid"};
#define NUM_KNOWN (sizeof(KNOWN) / sizeof(KNOWN[0]))

static const char *const REQUIRED[] = {"id", "source", "specversion", "type"};
#define NUM_REQUIRED (sizeof(REQUIRED) / sizeof(REQUIRED[0]))

static const char *header(const struct mlt_foreign *msg, const char *name) {
    return msg->header != NULL ? msg->header(msg->header_arg, name) : NULL;
}

// Media types are compared without regard to case; what follows the prefix must end the type's first part.
static bool media_begins(const char *type, const char *prefix) {
    const size_t len = strlen(prefix);
    return type != NULL && strncasecmp(type, prefix, len) == 0 && strchr("+; \t", type[len]) != NULL;
}

enum mlt_cloudevents_mode mlt_cloudevents_mode_of(const struct mlt_foreign *msg) {
    if (media_begins(msg->content_type, MEDIA_BATCH)) {
        return MLT_CLOUDEVENTS_BATCHED;
    }
    if (media_begins(msg->content_type, MEDIA)) {
        return MLT_CLOUDEVENTS_STRUCTURED;
    }
    return header(msg, "ce-specversion") != NULL || (header(msg, "ce-id") != NULL && header(msg, "ce-type") != NULL)
               ? MLT_CLOUDEVENTS_BINARY
               : MLT_CLOUDEVENTS_NONE;
}

struct mlt_bytes mlt_cloudevent_get(const struct mlt_cloudevent *event, const char *name) {
    for (size_t i = 0; i < event->num_attributes; i++) {
        if (mlt_bytes_is(event->attributes[i].name, name)) {
            return event->attributes[i].value;
        }
    }
    return (struct mlt_bytes){0};
}

// RFC 7230 section 3.2.6, for a value that is one quoted string: what stands in it, in `room`. False: the string does
// not end where the value ends.
static bool unquote(struct mlt_bytes *text, uint8_t *room) {
    size_t len = 0, i = 1;
    if (text->len == 0 || text->ptr[0] != '"') {
        return true;
    }
    for (; i < text->len && text->ptr[i] != '"'; i++) {
        i += text->ptr[i] == '\\';
        if (i == text->len) {
            return false;
        }
        room[len++] = text->ptr[i];
    }
    const bool ends = i + 1 == text->len;
    *text = mlt_bytes_of(room, len);
    return ends;
}

bool mlt_cloudevent_decode_header(struct mlt_arena *arena, struct mlt_bytes value, struct mlt_bytes *out) {
    uint8_t *unquoted = mlt_arena_take(arena, 2 * value.len + 1);
    uint8_t *plain = unquoted + value.len;
    size_t len = 0;
    if (unquoted == NULL || !unquote(&value, unquoted)) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '%') {
            plain[len++] = value.ptr[i];
            continue;
        }
        if (!mlt_percent_byte(&plain[len++], value, i)) {
            return false;
        }
        i += 2;
    }
    *out = mlt_bytes_of(plain, len);
    return mlt_utf8_valid(*out);
}

// One message on its way through the decoder.
struct decoding {
    struct mlt_capture *out;
    const struct mlt_foreign *msg;
    uint32_t item;
    struct mlt_error *err;
};

static bool add_attribute(struct mlt_cloudevent *event, struct mlt_bytes name, struct mlt_bytes value, bool literal) {
    if (event->num_attributes == MLT_CLOUDEVENT_ATTRIBUTES_MAX) {
        return false;
    }
    event->attributes[event->num_attributes++] = (struct mlt_cloudevent_attribute){name, value, literal};
    return true;
}

// Section 2.4: what every event has, and in which form.
static enum mlt_status check_attributes(const struct decoding *d, const struct mlt_cloudevent *event) {
    int64_t time;
    const struct mlt_bytes version = mlt_cloudevent_get(event, "specversion");
    for (size_t i = 0; i < NUM_REQUIRED; i++) {
        if (mlt_cloudevent_get(event, REQUIRED[i]).len == 0) {
            return mlt_capture_reject(d->out, d->item, event->raw, "cloudevent-attribute-missing",
                                      mlt_arena_printf(&d->out->arena, "/%s", REQUIRED[i]),
                                      "a CloudEvent has the attributes id, source, specversion and type, none of them "
                                      "empty; %s is not there",
                                      REQUIRED[i]);
        }
    }
    if (!mlt_bytes_is(version, "1.0")) {
        char shown[MLT_SHOWN_LEN];
        mlt_problem_show(shown, version);
        return mlt_capture_reject(d->out, d->item, event->raw, "cloudevent-version", "/specversion",
                                  "specversion is '%s'; this is a receiver of CloudEvents 1.0", shown);
    }
    const struct mlt_bytes when = mlt_cloudevent_get(event, "time");
    if (when.ptr != NULL && !mlt_time_parse(&time, when)) {
        char shown[MLT_SHOWN_LEN];
        mlt_problem_show(shown, when);
        return mlt_capture_reject(d->out, d->item, event->raw, "cloudevent-time", "/time",
                                  "time is '%s'; it is a date-time of RFC 3339 with its zone", shown);
    }
    return MLT_OK;
}

static enum mlt_status bad_header(const struct decoding *d, const char *name) {
    return mlt_capture_reject(d->out, d->item, d->msg->body, "cloudevent-header",
                              mlt_arena_printf(&d->out->arena, "/%s", name),
                              "the header ce-%s does not decode: %% is followed by two hexadecimal digits, a quoted "
                              "string ends with the value, and the bytes are UTF-8",
                              name);
}

// Section 3.1: lower-case letters and digits. The JSON format's own data_base64 is no attribute.
static bool is_attribute_name(struct mlt_bytes name) {
    for (size_t i = 0; i < name.len; i++) {
        if (!islower(name.ptr[i]) && !isdigit(name.ptr[i])) {
            return false;
        }
    }
    return name.len > 0;
}

static enum mlt_status too_many(const struct decoding *d) {
    return mlt_capture_reject(d->out, d->item, d->msg->body, "cloudevent-attribute", "",
                              "an event has at most %d attributes here", MLT_CLOUDEVENT_ATTRIBUTES_MAX);
}

// JSON that somebody put into a header without encoding it is taken as it stands: the Go SDK did so for years.
static bool is_bare_json(struct mlt_bytes value) {
    struct mlt_json json = {0};
    const bool is = value.len > 0 && value.ptr[0] == '{' && mlt_json_scan(&json, value, NULL) == MLT_OK;
    mlt_json_clear(&json);
    return is;
}

static enum mlt_status decode_attribute(const struct decoding *d, struct mlt_cloudevent *event, const char *name,
                                        const char *value) {
    struct mlt_bytes text = mlt_str(value);
    if (!mlt_cloudevent_decode_header(&d->out->arena, text, &text)) {
        if (!is_bare_json(mlt_str(value))) {
            return bad_header(d, name);
        }
        text = mlt_str(value);
    }
    return add_attribute(event, mlt_str(name), text, false) ? MLT_OK : too_many(d);
}

// The attributes that nobody knows, where all headers can be gone through.
struct further {
    const struct decoding *d;
    struct mlt_cloudevent *event;
    enum mlt_status status;
};

static void take_further(void *arg, const char *header_name, const char *value) {
    struct further *f = arg;
    char name[HEADER_MAX];
    const size_t len = strlen(header_name);
    if (f->status != MLT_OK || len <= 3 || len - 3 >= sizeof(name) || strncasecmp(header_name, "ce-", 3) != 0) {
        return;
    }
    for (size_t i = 3; i <= len; i++) {
        name[i - 3] = (char)tolower((unsigned char)header_name[i]);
    }
    const char *copy = mlt_arena_cstr(&f->d->out->arena, mlt_str(name));
    if (copy == NULL) {
        f->status = mlt_fail(f->d->err, MLT_NOMEM, "no memory for an attribute");
    } else if (mlt_cloudevent_get(f->event, name).ptr == NULL && is_attribute_name(mlt_str(name))) {
        f->status = decode_attribute(f->d, f->event, copy, value);
    }
}

static enum mlt_status decode_headers(const struct decoding *d, struct mlt_cloudevent *event) {
    struct further further = {d, event, MLT_OK};
    for (size_t i = 0; further.status == MLT_OK && i < NUM_KNOWN; i++) {
        char name[HEADER_MAX];
        (void)snprintf(name, sizeof(name), "ce-%s", KNOWN[i]);
        const char *value = header(d->msg, name);
        further.status = value == NULL ? MLT_OK : decode_attribute(d, event, KNOWN[i], value);
    }
    if (d->msg->each_header != NULL) {
        d->msg->each_header(d->msg->header_arg, take_further, &further);
    }
    return further.status;
}

static enum mlt_status decode_binary(const struct decoding *d, struct mlt_cloudevent *event) {
    *event = (struct mlt_cloudevent){.raw = d->msg->body, .data = d->msg->body, .has_data = d->msg->body.len > 0};
    if (header(d->msg, "ce-datacontenttype") != NULL) {
        return mlt_capture_reject(d->out, d->item, d->msg->body, "cloudevent-header", "/datacontenttype",
                                  "in binary mode the content type is the header Content-Type; ce-datacontenttype must "
                                  "not be there");
    }
    enum mlt_status status = decode_headers(d, event);
    if (status == MLT_OK && d->msg->content_type[0] != '\0' &&
        !add_attribute(event, mlt_str("datacontenttype"), mlt_str(d->msg->content_type), false)) {
        status = too_many(d);
    }
    return status == MLT_OK ? check_attributes(d, event) : status;
}

static enum mlt_status bad_member(const struct decoding *d, const struct mlt_cloudevent *event, struct mlt_bytes name,
                                  const char *what) {
    char shown[MLT_SHOWN_LEN];
    mlt_problem_show(shown, name);
    return mlt_capture_reject(d->out, d->item, event->raw, "cloudevent-attribute",
                              mlt_arena_printf(&d->out->arena, "/%s", shown), "%s: %s", shown, what);
}

static enum mlt_status decode_base64(const struct decoding *d, struct mlt_cloudevent *event, struct mlt_bytes text) {
    uint8_t *bytes = mlt_arena_take(&d->out->arena, text.len + 1);
    size_t len = 0;
    if (bytes == NULL) {
        return mlt_fail(d->err, MLT_NOMEM, "no memory for the data of an event");
    }
    if (text.ptr == NULL || !mlt_base64_decode(bytes, text.len, &len, text)) {
        return bad_member(d, event, mlt_str("data_base64"), "it is a string of base64 (standard alphabet, padded)");
    }
    event->data = mlt_bytes_of(bytes, len);
    event->has_data = true;
    return MLT_OK;
}

static enum mlt_status decode_member(const struct decoding *d, struct mlt_cloudevent *event,
                                     const struct mlt_json *json, mlt_json_at at) {
    const struct mlt_bytes name = mlt_json_string(json, at, &d->out->arena);
    const mlt_json_at value = at + 1;
    if (mlt_bytes_is(name, "data_base64") || mlt_bytes_is(name, "data")) {
        if (event->has_data) {
            return bad_member(d, event, name, "an event has data or data_base64, not both");
        }
        if (name.len > 4) {
            return decode_base64(d, event, mlt_json_string(json, value, &d->out->arena));
        }
        event->has_data = true;
        event->data = mlt_json_raw(json, value);
        return MLT_OK;
    }
    if (!is_attribute_name(name)) {
        return bad_member(d, event, name, "names of attributes are lower-case letters and digits");
    }
    struct mlt_bytes text = mlt_json_string(json, value, &d->out->arena);
    bool literal = false;
    switch (mlt_json_type_of(json, value)) {
    case MLT_JSON_NULL:
        return MLT_OK; // section 2.2 of the JSON format: null is not given
    case MLT_JSON_NUMBER:
    case MLT_JSON_TRUE:
    case MLT_JSON_FALSE:
        text = mlt_json_raw(json, value);
        literal = true;
        break;
    case MLT_JSON_STRING:
        break;
    case MLT_JSON_ARRAY:
    case MLT_JSON_OBJECT:
        return bad_member(d, event, name, "an attribute is a string, an integer or a boolean");
    }
    return add_attribute(event, name, text, literal)
               ? MLT_OK
               : bad_member(d, event, name, "an event has at most 64 attributes here");
}

static enum mlt_status decode_json(const struct decoding *d, struct mlt_cloudevent *event, const struct mlt_json *json,
                                   mlt_json_at at) {
    enum mlt_status status = MLT_OK;
    *event = (struct mlt_cloudevent){.raw = mlt_json_raw(json, at)};
    if (!mlt_json_is(json, at, MLT_JSON_OBJECT)) {
        return mlt_capture_reject(d->out, d->item, event->raw, "cloudevent-json", "",
                                  "an event is a JSON object, not %s", mlt_json_type_words(json, at));
    }
    for (mlt_json_at n = mlt_json_first(json, at); status == MLT_OK && n != MLT_JSON_NONE;
         n = mlt_json_next(json, at, n)) {
        status = decode_member(d, event, json, n);
    }
    return status == MLT_OK ? check_attributes(d, event) : status;
}

// The event in its JSON form (CloudEvents JSON format, section 3).
static void put_event(struct mlt_json_writer *w, const struct mlt_cloudevent *event) {
    struct mlt_json json = {0};
    mlt_jw_object(w);
    for (size_t i = 0; i < event->num_attributes; i++) {
        mlt_jw_name_bytes(w, event->attributes[i].name);
        if (event->attributes[i].literal) {
            mlt_jw_raw(w, event->attributes[i].value);
        } else {
            mlt_jw_string(w, event->attributes[i].value);
        }
    }
    const enum mlt_status scanned = event->has_data ? mlt_json_scan(&json, event->data, NULL) : MLT_OK;
    if (event->has_data && scanned == MLT_OK) {
        mlt_jw_member_value(w, "data", &json, 0);
    } else if (event->has_data) {
        mlt_jw_name(w, "data_base64");
        mlt_jw_base64(w, event->data);
        w->out->failed = w->out->failed || scanned == MLT_NOMEM;
    }
    mlt_json_clear(&json);
    mlt_jw_end_object(w);
}

// Source and id name an event (section 2.4). A source that could be read in two ways with a space behind it, which no
// URI reference is, stands in quotes.
static void put_name(struct mlt_buf *out, struct mlt_bytes source, struct mlt_bytes id) {
    bool plain = true;
    for (size_t i = 0; i < source.len; i++) {
        plain = plain && source.ptr[i] > ' ' && source.ptr[i] != '"';
    }
    if (plain) {
        mlt_buf_put_bytes(out, source);
    } else {
        struct mlt_json_writer w;
        mlt_jw_init(&w, out);
        mlt_jw_string(&w, source);
    }
    mlt_buf_put_u8(out, ' ');
    mlt_buf_put_bytes(out, id);
}

static enum mlt_status capture_record(const struct decoding *d, const struct mlt_cloudevent *event) {
    struct mlt_buf name = {0};
    uint8_t hash[MLT_HASH_LEN];
    const struct mlt_bytes source = mlt_cloudevent_get(event, "source"), id = mlt_cloudevent_get(event, "id");
    const struct mlt_bytes time = mlt_cloudevent_get(event, "time");
    const struct mlt_bytes correlation = mlt_cloudevent_get(event, "correlationid");
    put_name(&name, source, id);
    mlt_sha256_one(hash, event->raw);
    struct mlt_json_writer *w = mlt_capture_begin(d->out, "capture");
    mlt_jw_member(w, "format", "cloudevents");
    mlt_jw_member_bytes(w, "event_id", mlt_buf_bytes(&name));
    mlt_jw_member_bytes(w, "correlation", correlation.len > 0 ? correlation : id);
    if (time.ptr != NULL) { // ours would make another record of the same event when it is sent again
        mlt_jw_member_bytes(w, "timestamp", time);
    }
    mlt_digest_put(w, "digest", hash);
    mlt_jw_member(w, "content_type", d->msg->content_type);
    mlt_jw_name(w, "message");
    put_event(w, event);
    mlt_capture_end(d->out);
    const bool failed = name.failed || d->out->lines.failed;
    mlt_buf_clear(&name);
    return failed ? mlt_fail(d->err, MLT_NOMEM, "no memory for the record of an event") : MLT_OK;
}

static enum mlt_status record_event(const struct decoding *d, const struct mlt_cloudevent *event) {
    return mlt_kserve_knows(mlt_cloudevent_get(event, "type")) ? mlt_kserve_record(d->out, event, d->msg, d->err)
                                                               : capture_record(d, event);
}

static enum mlt_status capture_binary(const struct decoding *d) {
    struct mlt_cloudevent event;
    enum mlt_status status = decode_binary(d, &event);
    return status == MLT_OK ? record_event(d, &event) : status;
}

static enum mlt_status capture_one(const struct decoding *d, const struct mlt_json *json, mlt_json_at at) {
    struct mlt_cloudevent event;
    enum mlt_status status = decode_json(d, &event, json, at);
    return status == MLT_OK ? record_event(d, &event) : status;
}

static enum mlt_status capture_batch(struct decoding *d, const struct mlt_json *json) {
    enum mlt_status status = MLT_OK;
    if (!mlt_json_is(json, 0, MLT_JSON_ARRAY)) {
        return mlt_capture_reject(d->out, 1, d->msg->body, "cloudevent-json", "",
                                  "a batch is a JSON array of events, not %s", mlt_json_type_words(json, 0));
    }
    if (json->tape[0].count > MLT_CLOUDEVENTS_BATCH_MAX) {
        return mlt_fail(d->err, MLT_LIMIT, "the batch has %u events, more than %d; send it in parts",
                        json->tape[0].count, MLT_CLOUDEVENTS_BATCH_MAX);
    }
    for (mlt_json_at at = mlt_json_first(json, 0); at != MLT_JSON_NONE; at = mlt_json_next(json, 0, at)) {
        d->item++;
        status = capture_one(d, json, at);
        if (status != MLT_OK && status != MLT_INVALID) {
            return status;
        }
        if (d->out->num_records > MLT_CAPTURE_RECORDS_MAX || d->out->lines.len > MLT_CAPTURE_LINES_MAX) {
            return mlt_fail(d->err, MLT_LIMIT,
                            "the batch makes more than %d records or %zu MiB of them; send it in parts",
                            MLT_CAPTURE_RECORDS_MAX, MLT_CAPTURE_LINES_MAX >> 20);
        }
    }
    return MLT_OK;
}

static enum mlt_status capture_json(struct decoding *d, bool batch) {
    struct mlt_json json = {0};
    struct mlt_error why = {0};
    enum mlt_status status = mlt_json_scan(&json, d->msg->body, &why);
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        status = mlt_capture_reject(d->out, 1, d->msg->body, "not-json", json.error_pointer, "%s", why.text);
    } else if (status == MLT_OK) {
        status = batch ? capture_batch(d, &json) : capture_one(d, &json, 0);
    } else {
        (void)mlt_fail(d->err, status, "%s", why.text);
    }
    mlt_json_clear(&json);
    return status;
}

enum mlt_status mlt_capture_cloudevents(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct decoding d = {.out = out, .msg = msg, .item = 1, .err = err};
    switch (mlt_cloudevents_mode_of(msg)) {
    case MLT_CLOUDEVENTS_BINARY:
        return capture_binary(&d);
    case MLT_CLOUDEVENTS_STRUCTURED:
        return capture_json(&d, false);
    case MLT_CLOUDEVENTS_BATCHED:
        d.item = 0;
        return capture_json(&d, true);
    case MLT_CLOUDEVENTS_NONE:
        break;
    }
    return mlt_capture_reject(out, 1, msg->body, "no-cloudevent", "",
                              "the headers ce-id, ce-source, ce-specversion and ce-type, or a Content-Type that begins "
                              "with application/cloudevents, make a CloudEvent");
}
