#include "capture/lines.h"

#include "capture/cloudevents.h"

enum mlt_status mlt_capture_records(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct mlt_bytes rest = msg->body;
    struct mlt_bytes line;
    struct mlt_json json = {0};
    uint32_t number = 0;
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && mlt_capture_next_line(&rest, &line)) {
        struct mlt_error own = {0};
        number++;
        if (line.len == 0) {
            continue;
        }
        enum mlt_status scanned = mlt_json_scan(&json, line, &own);
        if (scanned != MLT_OK || !mlt_json_is(&json, 0, MLT_JSON_OBJECT)) {
            (void)mlt_capture_reject(out, number, line, "not-json", "", "%s",
                                     scanned != MLT_OK ? own.text : "a record is a JSON object");
        } else {
            mlt_json_minify(&json, 0, &out->lines);
            mlt_buf_put_u8(&out->lines, '\n');
            out->num_records++;
        }
        status =
            scanned == MLT_NOMEM || out->lines.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a record") : MLT_OK;
    }
    mlt_json_clear(&json);
    return status;
}

// The rejected items of one line are told by its number.
static void number_rejected(struct mlt_capture *out, size_t before, uint32_t number) {
    for (size_t i = before; i < out->num_rejected && i < MLT_CAPTURE_REJECTED_MAX; i++) {
        out->rejected[i].item = out->rejected[i].problem.line = number;
    }
}

enum mlt_status mlt_capture_event_lines(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    struct mlt_bytes rest = msg->body;
    struct mlt_bytes line;
    uint32_t number = 0;
    enum mlt_status status = MLT_OK;
    while ((status == MLT_OK || status == MLT_INVALID) && mlt_capture_next_line(&rest, &line)) {
        struct mlt_foreign one = *msg;
        size_t before = out->num_rejected;
        number++;
        if (line.len == 0) {
            continue;
        }
        one.body = line;
        one.content_type = line.ptr[0] == '[' ? "application/cloudevents-batch+json" : "application/cloudevents+json";
        status = mlt_capture_cloudevents(out, &one, err);
        number_rejected(out, before, number);
    }
    return status == MLT_INVALID ? MLT_OK : status;
}
