// A webhook of MLflow: a second witness. It names what was created, tagged or given an alias, and never who did it, so
// it is kept as it came, and `mltrail reconcile mlflow` holds it against the records of the requests.
#include "base/time.h"
#include "capture/mlflow.h"
#include "crypto/sha256.h"
#include "record/digest.h"

#define FORMAT "mlflow-webhook"
#define DELIVERY_MAX 200 // bytes of an identifier; MLflow's have 36

static const char *header(const struct mlt_foreign *msg, const char *name) {
    return msg->header ? msg->header(msg->header_arg, name) : NULL;
}

// The words "entity.action name/version" under which the same event is found again, whatever delivered it.
static void put_derived(struct mlt_json_writer *w, const struct mlt_json *json, struct mlt_arena *arena) {
    mlt_json_at data = mlt_json_get(json, 0, "data");
    struct mlt_bytes entity = mlt_mlflow_text(json, 0, "entity", arena);
    struct mlt_bytes action = mlt_mlflow_text(json, 0, "action", arena);
    struct mlt_bytes name = mlt_mlflow_text(json, data, "name", arena);
    struct mlt_bytes version = mlt_mlflow_text(json, data, "version", arena);
    char *text = mlt_arena_printf(arena, "%.*s.%.*s %.*s%s%.*s", MLT_ARG(mlt_mlflow_clip(entity)),
                                  MLT_ARG(mlt_mlflow_clip(action)), MLT_ARG(mlt_mlflow_clip(name)),
                                  version.len > 0 ? "/" : "", MLT_ARG(mlt_mlflow_clip(version)));
    mlt_jw_name(w, "derived");
    mlt_jw_array(w);
    if (text) {
        mlt_jw_string(w, mlt_mlflow_clip(mlt_str(text)));
    }
    mlt_jw_end_array(w);
}

static void put_time(struct mlt_json_writer *w, const struct mlt_json *json, const struct mlt_foreign *msg,
                     struct mlt_arena *arena) {
    struct mlt_bytes at = mlt_mlflow_text(json, 0, "timestamp", arena);
    int64_t time;
    if (mlt_time_parse(&time, at)) {
        mlt_jw_member_bytes(w, "timestamp", at);
    } else {
        mlt_jw_member(w, "timestamp", msg->received);
    }
}

static void put_delivery(struct mlt_capture *out, const struct mlt_json *json, const struct mlt_foreign *msg,
                         const char *delivery, struct mlt_arena *arena) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, msg->body);
    struct mlt_json_writer *w = mlt_capture_begin(out, "capture");
    mlt_jw_member(w, "event_id", mlt_arena_printf(arena, FORMAT "/%s", delivery));
    mlt_jw_member(w, "format", FORMAT);
    mlt_jw_member(w, "correlation", delivery);
    put_time(w, json, msg, arena);
    mlt_digest_put(w, "digest", hash);
    mlt_jw_member(w, "content_type", "application/json");
    put_derived(w, json, arena);
    mlt_jw_member_value(w, "message", json, 0);
    mlt_capture_end(out);
}

enum mlt_status mlt_capture_mlflow_webhook(struct mlt_capture *out, const struct mlt_foreign *msg,
                                           struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_json json = {0};
    struct mlt_error wrong = {0};
    const char *delivery = header(msg, "X-MLflow-Delivery-Id");
    enum mlt_status status = mlt_json_scan(&json, msg->body, &wrong);
    if (status == MLT_NOMEM) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the delivery");
    } else if (status != MLT_OK) {
        status = mlt_capture_reject(out, 1, msg->body, json.error_code ? json.error_code : "not-json",
                                    json.error_pointer, "%s", wrong.text);
    } else if (!mlt_mlflow_text(&json, 0, "entity", &arena).ptr || !mlt_mlflow_text(&json, 0, "action", &arena).ptr) {
        status = mlt_capture_reject(out, 1, msg->body, "bad-webhook", "/entity",
                                    "a delivery names `entity` and `action`, as MLflow's do");
    } else if (!delivery || !delivery[0] || strlen(delivery) > DELIVERY_MAX || !mlt_utf8_valid(mlt_str(delivery))) {
        status =
            mlt_capture_reject(out, 1, msg->body, "bad-webhook", "",
                               "a delivery has the header X-MLflow-Delivery-Id, of at most %d bytes", DELIVERY_MAX);
    } else {
        put_delivery(out, &json, msg, delivery, &arena);
        status = out->lines.failed ? mlt_fail(err, MLT_NOMEM, "no memory for the delivery") : MLT_OK;
    }
    mlt_arena_clear(&arena);
    mlt_json_clear(&json);
    return status;
}
