#include "capture/kserve_blob.h"

#include "base/time.h"
#include "capture/kserve.h"

// Attributes of the event, and the members that say them.
static const struct {
    const char *attribute, *member;
} NAMES[] = {
    {"id", "id"},
    {"source", "sourceUri"},
    {"type", "reqType"},
    {"time", "occurrenceTime"},
    {"datacontenttype", "contentType"},
    {"inferenceservicename", "inferenceService"},
    {"namespace", "namespace"},
    {"component", "component"},
    {"endpoint", "endpoint"},
    {"metadata", "metadata"},
    {"annotations", "annotations"},
};

struct blob {
    struct mlt_capture *out;
    const struct mlt_foreign *msg;
    const struct mlt_json *json;
    mlt_json_at at;
    uint32_t item;
};

static enum mlt_status reject(const struct blob *b, const char *pointer, const char *says) {
    struct mlt_bytes raw = mlt_arena_copy(&b->out->arena, mlt_json_raw(b->json, b->at));
    return mlt_capture_reject(b->out, b->item, raw, "not-a-logged-message", pointer, "%s", says);
}

static void add(struct mlt_cloudevent *event, const char *name, struct mlt_bytes value) {
    event->attributes[event->num_attributes].name = mlt_str(name);
    event->attributes[event->num_attributes++].value = value;
}

static void add_attributes(const struct blob *b, struct mlt_cloudevent *event) {
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        mlt_json_at at = mlt_json_get(b->json, b->at, NAMES[i].member);
        struct mlt_bytes text = mlt_json_is(b->json, at, MLT_JSON_OBJECT)
                                    ? mlt_json_raw(b->json, at) // metadata and annotations
                                    : mlt_json_string(b->json, at, &b->out->arena);
        if (text.len > 0) {
            add(event, NAMES[i].attribute, text);
        }
    }
    if (!mlt_cloudevent_get(event, "source").ptr) {
        add(event, "source", mlt_str("/")); // every event has one; this one names nobody
    }
}

// The message itself, in base64. False: there is none, or it is malformed.
static bool decode_data(const struct blob *b, struct mlt_cloudevent *event) {
    struct mlt_bytes text = mlt_json_string(b->json, mlt_json_get(b->json, b->at, "bytes"), &b->out->arena);
    uint8_t *bytes = text.ptr ? mlt_arena_take(&b->out->arena, text.len + 1) : NULL;
    size_t len;
    if (!bytes || !mlt_base64_decode(bytes, text.len, &len, text)) {
        return false;
    }
    event->data = mlt_bytes_of(bytes, len);
    event->has_data = true;
    return true;
}

static enum mlt_status take(const struct blob *b, struct mlt_error *err) {
    struct mlt_cloudevent *event = mlt_arena_zero(&b->out->arena, sizeof *event);
    int64_t when;
    if (!event) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a logged message");
    }
    event->raw = mlt_json_raw(b->json, b->at);
    add_attributes(b, event);
    struct mlt_bytes time = mlt_cloudevent_get(event, "time");
    if (!mlt_kserve_knows(mlt_cloudevent_get(event, "type"))) {
        return reject(b, "/reqType", "it is org.kubeflow.serving.inference.request or ….response");
    }
    if (mlt_cloudevent_get(event, "id").len == 0) {
        return reject(b, "/id", "the id pairs a request with its response");
    }
    if (time.len > 0 && !mlt_time_parse(&when, time)) {
        return reject(b, "/occurrenceTime", "the time must be as in 2026-11-23T09:40:01Z");
    }
    if (!decode_data(b, event)) {
        return reject(b, "/bytes", "the message is a string of base64 (standard alphabet, padded)");
    }
    return mlt_kserve_record(b->out, event, b->msg, err);
}

static enum mlt_status take_all(struct blob *b, struct mlt_error *err) {
    const struct mlt_json *j = b->json;
    enum mlt_status status = MLT_OK;
    if (!mlt_json_is(j, 0, MLT_JSON_ARRAY)) {
        b->item = 1;
        return take(b, err);
    }
    for (mlt_json_at at = mlt_json_first(j, 0); at != MLT_JSON_NONE; at = mlt_json_next(j, 0, at)) {
        b->item++;
        b->at = at;
        status = take(b, err);
        if (status != MLT_OK && status != MLT_INVALID) {
            return status;
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_capture_kserve_blob(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_error own = {0};
    struct blob b = {.out = out, .msg = msg, .json = &json};
    enum mlt_status status = mlt_json_scan(&json, msg->body, &own);
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        status = mlt_capture_reject(out, 1, msg->body, "not-json", json.error_pointer, "%s", own.text);
    } else if (status == MLT_OK) {
        status = take_all(&b, err);
    } else {
        (void)mlt_fail(err, status, "%s", own.text);
    }
    mlt_json_clear(&json);
    return status;
}
