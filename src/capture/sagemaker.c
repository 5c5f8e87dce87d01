#include "capture/sagemaker.h"

#include "base/time.h"

struct sagemaker {
    struct mlt_capture *out;
    struct mlt_json json; // of the line
    struct mlt_bytes endpoint, variant;
};

// The last part of a path, which is cut off from it.
static struct mlt_bytes last_part(struct mlt_bytes *path) {
    size_t at = path->len;
    while (at > 0 && path->ptr[at - 1] != '/') {
        at--;
    }
    struct mlt_bytes part = mlt_bytes_of(path->ptr + at, path->len - at);
    *path = mlt_bytes_of(path->ptr, at > 0 ? at - 1 : 0);
    return part;
}

static bool is_number(struct mlt_bytes part, size_t len) {
    bool ok = part.len == len;
    for (size_t i = 0; ok && i < len; i++) {
        ok = part.ptr[i] >= '0' && part.ptr[i] <= '9';
    }
    return ok;
}

bool mlt_sagemaker_place(struct mlt_bytes path, struct mlt_bytes *endpoint, struct mlt_bytes *variant) {
    static const size_t digits[] = {2, 2, 2, 4}; // hour, day, month, year
    (void)last_part(&path);
    for (size_t i = 0; i < sizeof digits / sizeof digits[0]; i++) {
        if (!is_number(last_part(&path), digits[i])) {
            return false;
        }
    }
    *variant = last_part(&path);
    *endpoint = last_part(&path);
    return endpoint->len > 0 && variant->len > 0;
}

static struct mlt_bytes text(struct sagemaker *s, mlt_json_at object, const char *name) {
    return mlt_json_string(&s->json, mlt_json_get(&s->json, object, name), &s->out->arena);
}

// What went in or came out: JSON as such; CSV and other text as a string; bytes as base64, and said to be.
static void put_value(struct sagemaker *s, const char *member, mlt_json_at side) {
    struct mlt_json_writer *w = &s->out->writer;
    mlt_json_at at = mlt_json_get(&s->json, side, "data");
    if (at == MLT_JSON_NONE) {
        return;
    }
    struct mlt_json inner = {0};
    struct mlt_bytes data = mlt_json_string(&s->json, at, &s->out->arena);
    mlt_jw_name(w, member);
    if (mlt_bytes_is(text(s, side, "encoding"), "BASE64")) {
        mlt_jw_object(w);
        mlt_jw_member_bytes(w, "base64", data);
        mlt_jw_end_object(w);
    } else if (data.ptr && mlt_bytes_is(text(s, side, "encoding"), "JSON") &&
               mlt_json_scan(&inner, data, NULL) == MLT_OK) {
        mlt_jw_value(&s->out->writer, &inner, 0);
    } else {
        mlt_jw_value(&s->out->writer, &s->json, at);
    }
    mlt_json_clear(&inner);
}

static void put_record(struct sagemaker *s, struct mlt_bytes event_id, struct mlt_bytes time) {
    mlt_json_at captured = mlt_json_get(&s->json, 0, "captureData");
    mlt_json_at meta = mlt_json_get(&s->json, 0, "eventMetadata");
    mlt_json_at custom = mlt_json_get(&s->json, meta, "customAttributes");
    struct mlt_bytes id = text(s, meta, "inferenceId");
    struct mlt_json_writer *w = mlt_capture_begin(s->out, "prediction");
    mlt_jw_member_bytes(w, "request_id", id.len > 0 ? id : event_id);
    if (id.len > 0) {
        mlt_jw_member_bytes(w, "event_id", event_id);
    }
    mlt_jw_member_bytes(w, "timestamp", time);
    if (s->endpoint.len > 0) {
        mlt_jw_name(w, "deployment");
        mlt_jw_object(w);
        mlt_jw_member_bytes(w, "endpoint", s->endpoint);
        mlt_jw_end_object(w);
        mlt_jw_member_bytes(w, "production_variant", s->variant);
    }
    put_value(s, "feature_values", mlt_json_get(&s->json, captured, "endpointInput"));
    put_value(s, "prediction", mlt_json_get(&s->json, captured, "endpointOutput"));
    if (custom != MLT_JSON_NONE) {
        mlt_jw_name(w, "custom_attributes");
        mlt_jw_value(&s->out->writer, &s->json, custom);
    }
    mlt_capture_end(s->out);
}

static void take_line(struct sagemaker *s, struct mlt_bytes line, uint32_t number) {
    struct mlt_error own = {0};
    int64_t when;
    if (mlt_json_scan(&s->json, line, &own) != MLT_OK) {
        (void)mlt_capture_reject(s->out, number, line, "not-json", "", "%s", own.text);
        return;
    }
    mlt_json_at meta = mlt_json_get(&s->json, 0, "eventMetadata");
    struct mlt_bytes event_id = text(s, meta, "eventId");
    struct mlt_bytes time = text(s, meta, "inferenceTime");
    if (mlt_json_get(&s->json, 0, "captureData") == MLT_JSON_NONE || event_id.len == 0) {
        (void)mlt_capture_reject(s->out, number, line, "not-a-capture",
                                 event_id.len == 0 ? "/eventMetadata/eventId" : "",
                                 "a captured call has captureData and eventMetadata.eventId");
    } else if (!time.ptr || !mlt_time_parse(&when, time)) {
        (void)mlt_capture_reject(s->out, number, line, "bad-time", "/eventMetadata/inferenceTime",
                                 "the time must be as in 2026-11-23T09:40:01Z");
    } else {
        put_record(s, event_id, time);
    }
}

enum mlt_status mlt_capture_sagemaker(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct sagemaker s = {.out = out};
    struct mlt_bytes rest = msg->body;
    struct mlt_bytes line;
    uint32_t number = 0;
    const char *path = mlt_foreign_header(msg, MLT_IMPORT_FILE);
    if (path && !mlt_sagemaker_place(mlt_str(path), &s.endpoint, &s.variant)) {
        s.endpoint = s.variant = (struct mlt_bytes){0};
    }
    while (!out->lines.failed && mlt_capture_next_line(&rest, &line)) {
        number++;
        if (line.len > 0) {
            take_line(&s, line, number);
        }
    }
    mlt_json_clear(&s.json);
    return out->lines.failed ? mlt_fail(err, MLT_NOMEM, "no memory for the records") : MLT_OK;
}
