// Events as they arrive: checked against the spec's required members, then kept.
#include "capture/openlineage.h"

#include <stdio.h>

#include "base/time.h"
#include "capture/openlineage_run.h"
#include "crypto/sha256.h"
#include "record/digest.h"
#include "record/members.h"

#define POINTER_LEN 128 // names of the spec and an index

// One event on its way.
struct arriving {
    struct mlt_capture *out;
    const struct mlt_json *json;
    mlt_json_at event;
    struct mlt_bytes raw;
    uint32_t item; // from 1
};

// Of the record that keeps it: the message is one level deeper there, and has to fit into a payload.
#define EVENT_DEPTH_MAX (MLT_JSON_DEPTH_MAX - 1)
#define EVENT_BYTES_MAX (MLT_PAYLOAD_MAX - 64)

enum event_type { RUN_EVENT, DATASET_EVENT, JOB_EVENT, NO_EVENT };

static enum mlt_status refuse(const struct arriving *a, const char *pointer, const char *what) {
    return mlt_capture_reject(a->out, a->item, a->raw, MLT_OPENLINEAGE_BAD_EVENT, pointer, "%s %s",
                              pointer[0] ? pointer : "the event", what);
}

static mlt_json_at get(const struct arriving *a, mlt_json_at at, const char *name) {
    mlt_json_at value = mlt_json_get(a->json, at, name);
    return mlt_json_is(a->json, value, MLT_JSON_NULL) ? MLT_JSON_NONE : value;
}

static struct mlt_bytes text(const struct arriving *a, mlt_json_at at, const char *name) {
    return mlt_json_string(a->json, get(a, at, name), &a->out->arena);
}

static enum mlt_status check_text(const struct arriving *a, mlt_json_at at, const char *name, const char *pointer) {
    struct mlt_bytes value = text(a, at, name);
    if (value.len == 0) {
        return refuse(a, pointer, "is required: a string that is not empty");
    }
    return value.len > MLT_NAME_MAX ? refuse(a, pointer, "is longer than 1024 bytes") : MLT_OK;
}

static enum mlt_status check_time(const struct arriving *a) {
    struct mlt_bytes value = text(a, a->event, "eventTime");
    int64_t ns;
    return mlt_time_parse(&ns, value) ? MLT_OK
                                      : refuse(a, "/eventTime",
                                               "must be an RFC 3339 time with a zone, such as "
                                               "2026-11-23T09:40:01Z");
}

// A job or dataset at `at`, its place in `pointer`.
static enum mlt_status check_named(const struct arriving *a, mlt_json_at at, const char *pointer) {
    char inner[POINTER_LEN + 16];
    if (!mlt_json_is(a->json, at, MLT_JSON_OBJECT)) {
        return refuse(a, pointer, "must be an object with a namespace and a name");
    }
    (void)snprintf(inner, sizeof inner, "%s/namespace", pointer);
    enum mlt_status status = check_text(a, at, "namespace", inner);
    (void)snprintf(inner, sizeof inner, "%s/name", pointer);
    status = status == MLT_OK ? check_text(a, at, "name", inner) : status;
    if (status == MLT_OK && text(a, at, "namespace").len + text(a, at, "name").len + 1 > MLT_OPENLINEAGE_NAME_MAX) {
        return refuse(a, inner, "and its namespace have more than 499 bytes together");
    }
    return status;
}

static enum mlt_status check_datasets(const struct arriving *a, const char *list) {
    mlt_json_at at = get(a, a->event, list);
    char pointer[POINTER_LEN];
    enum mlt_status status = MLT_OK;
    size_t i = 0;
    (void)snprintf(pointer, sizeof pointer, "/%s", list);
    if (at != MLT_JSON_NONE && !mlt_json_is(a->json, at, MLT_JSON_ARRAY)) {
        return refuse(a, pointer, "must be an array of datasets");
    }
    for (mlt_json_at n = mlt_json_first(a->json, at); status == MLT_OK && n != MLT_JSON_NONE;
         n = mlt_json_next(a->json, at, n)) {
        (void)snprintf(pointer, sizeof pointer, "/%s/%zu", list, i++);
        status = check_named(a, n, pointer);
    }
    return status;
}

static enum mlt_status check_run(const struct arriving *a) {
    mlt_json_at type = get(a, a->event, "eventType");
    if (type != MLT_JSON_NONE && !mlt_openlineage_type_known(mlt_json_string(a->json, type, &a->out->arena))) {
        return refuse(a, "/eventType", "must be one of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER");
    }
    return check_text(a, get(a, a->event, "run"), "runId", "/run/runId");
}

static enum event_type type_of(const struct arriving *a) {
    return get(a, a->event, "run") != MLT_JSON_NONE       ? RUN_EVENT
           : get(a, a->event, "dataset") != MLT_JSON_NONE ? DATASET_EVENT
           : get(a, a->event, "job") != MLT_JSON_NONE     ? JOB_EVENT
                                                          : NO_EVENT;
}

// How deep the value nests: the ends of the containers around each token.
static size_t depth_of(const struct mlt_json *json, mlt_json_at at) {
    uint32_t ends[MLT_JSON_DEPTH_MAX + 1];
    size_t depth = 0, deepest = 0;
    for (uint32_t i = at; i < json->tape[at].next; i++) {
        while (depth > 0 && i >= ends[depth - 1]) {
            depth--;
        }
        bool container = json->tape[i].type == MLT_JSON_OBJECT || json->tape[i].type == MLT_JSON_ARRAY;
        if (container && depth < MLT_JSON_DEPTH_MAX) {
            ends[depth++] = json->tape[i].next;
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest;
}

static enum mlt_status check_bounds(const struct arriving *a) {
    if (a->raw.len > EVENT_BYTES_MAX) {
        return refuse(a, "", "is too large: a record takes 4 MiB of it");
    }
    return depth_of(a->json, a->event) > EVENT_DEPTH_MAX ? refuse(a, "", "nests deeper than 63 levels") : MLT_OK;
}

// What the spec requires of each type of event; facets are open and are looked at where they are used.
static enum mlt_status check(const struct arriving *a, enum event_type type) {
    if (!mlt_json_is(a->json, a->event, MLT_JSON_OBJECT)) {
        return refuse(a, "", "must be a JSON object");
    }
    if (type == NO_EVENT) {
        return refuse(a, "", "has no `run`, no `dataset` and no `job`: one of them makes it an event of OpenLineage");
    }
    enum mlt_status status = check_bounds(a);
    status = status == MLT_OK ? check_time(a) : status;
    status = status == MLT_OK ? check_text(a, a->event, "producer", "/producer") : status;
    status = status == MLT_OK ? check_text(a, a->event, "schemaURL", "/schemaURL") : status;
    if (type == DATASET_EVENT) {
        return status == MLT_OK ? check_named(a, get(a, a->event, "dataset"), "/dataset") : status;
    }
    status = status == MLT_OK && type == RUN_EVENT ? check_run(a) : status;
    status = status == MLT_OK ? check_named(a, get(a, a->event, "job"), "/job") : status;
    status = status == MLT_OK ? check_datasets(a, "inputs") : status;
    return status == MLT_OK ? check_datasets(a, "outputs") : status;
}

// What ties events together: the run, or the dataset or job that a static event is about.
static struct mlt_bytes correlation(const struct arriving *a, enum event_type type) {
    if (type == RUN_EVENT) {
        return text(a, get(a, a->event, "run"), "runId");
    }
    const char *what = type == DATASET_EVENT ? "dataset" : "job";
    mlt_json_at at = get(a, a->event, what);
    struct mlt_bytes full = mlt_openlineage_full_name(&a->out->arena, text(a, at, "namespace"), text(a, at, "name"));
    return mlt_str(mlt_arena_printf(&a->out->arena, "%s:%.*s", what, MLT_ARG(full)));
}

// A line of NDJSON has no line break inside. In JSON one can only stand between tokens.
static void put_message(struct mlt_json_writer *w, const struct arriving *a) {
    mlt_jw_name(w, "message");
    if (!memchr(a->raw.ptr, '\n', a->raw.len) && !memchr(a->raw.ptr, '\r', a->raw.len)) {
        mlt_jw_raw(w, a->raw);
        return;
    }
    mlt_jw_value(w, a->json, a->event);
}

// The event's bytes name it, so that a retry is the same record again.
static void keep(const struct arriving *a, enum event_type type) {
    uint8_t hash[MLT_HASH_LEN];
    char hex[2 * MLT_HASH_LEN + 1];
    char id[sizeof MLT_OPENLINEAGE + sizeof hex];
    mlt_sha256_one(hash, a->raw);
    mlt_hex_encode(hex, mlt_bytes_of(hash, sizeof hash));
    (void)snprintf(id, sizeof id, MLT_OPENLINEAGE ":%s", hex);
    struct mlt_json_writer *w = mlt_capture_begin(a->out, "capture");
    mlt_jw_member(w, "event_id", id);
    mlt_jw_member(w, "format", MLT_OPENLINEAGE);
    mlt_jw_member_bytes(w, "correlation", correlation(a, type));
    mlt_jw_member_bytes(w, "timestamp", text(a, a->event, "eventTime"));
    mlt_digest_put(w, "digest", hash);
    mlt_jw_member(w, "content_type", "application/json");
    put_message(w, a);
    mlt_capture_end(a->out);
}

static enum mlt_status arrive(struct arriving *a, struct mlt_error *err) {
    enum event_type type = type_of(a);
    enum mlt_status status = check(a, type);
    if (status == MLT_OK) {
        keep(a, type);
    }
    if (a->out->arena.failed) { // what was not given looks like what is not there
        return mlt_fail(err, MLT_NOMEM, "no memory for an event");
    }
    if (status != MLT_OK) {
        return status;
    }
    if (type == DATASET_EVENT) {
        status = mlt_openlineage_tell_dataset(a->out, a->json, a->event, err);
    }
    return status == MLT_OK && a->out->lines.failed ? mlt_fail(err, MLT_NOMEM, "no memory for an event") : status;
}

static enum mlt_status scan(struct mlt_json *json, struct mlt_capture *out, struct mlt_bytes body,
                            struct mlt_error *err) {
    struct mlt_error own;
    enum mlt_status status = mlt_json_scan(json, body, &own);
    if (status == MLT_NOMEM) {
        return mlt_fail(err, MLT_NOMEM, "%s", own.text);
    }
    return status == MLT_OK ? MLT_OK
                            : mlt_capture_reject(out, 1, body, json->error_code ? json->error_code : "not-json",
                                                 json->error_pointer, "%s", own.text);
}

// The bytes of the event itself: white space around it is not part of it.
enum mlt_status mlt_openlineage_event(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct mlt_json json = {0};
    enum mlt_status status = scan(&json, out, msg->body, err);
    if (status == MLT_OK) {
        struct arriving a = {.out = out, .json = &json, .raw = mlt_json_raw(&json, 0), .item = 1};
        status = arrive(&a, err);
    }
    mlt_json_clear(&json);
    return status;
}

enum mlt_status mlt_openlineage_batch(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct mlt_json json = {0};
    enum mlt_status status = scan(&json, out, msg->body, err);
    if (status == MLT_OK && !mlt_json_is(&json, 0, MLT_JSON_ARRAY)) {
        status = mlt_capture_reject(out, 1, msg->body, "not-an-array", "", "a batch is a JSON array of events");
    }
    uint32_t item = 0;
    for (mlt_json_at n = mlt_json_first(&json, 0); status == MLT_OK && n != MLT_JSON_NONE;
         n = mlt_json_next(&json, 0, n)) {
        struct arriving a = {.out = out, .json = &json, .event = n, .raw = mlt_json_raw(&json, n), .item = ++item};
        out->num_items++;
        if (out->num_records >= MLT_CAPTURE_RECORDS_MAX) {
            status =
                mlt_fail(err, MLT_LIMIT, "a batch has at most %d events; send it in parts", MLT_CAPTURE_RECORDS_MAX);
            break;
        }
        status = arrive(&a, err);
        status = status == MLT_INVALID ? MLT_OK : status; // noted; the others are good
    }
    mlt_json_clear(&json);
    return status;
}
