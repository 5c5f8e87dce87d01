// links: mlt_capture mlt_base_posix
// OTLP: the first byte chooses traces or logs, protobuf or JSON. Whatever comes, every record is one line of JSON that
// has the members without which it would be rejected, and a protobuf message reads the same once it is JSON.
#include <assert.h>

#include "capture/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct mlt_capture *c) {
    struct mlt_cursor lines = mlt_cursor_of(mlt_buf_bytes(&c->lines));
    struct mlt_json json = {0};
    size_t num = 0;
    while (mlt_cursor_left(&lines) > 0) {
        struct mlt_bytes line = mlt_cursor_line(&lines);
        enum mlt_status status = mlt_json_scan(&json, line, NULL);
        // Content with a name twice is kept as it came: the record is rejected later, and kept.
        assert(status == MLT_OK || strcmp(json.error_code, "duplicate-member") == 0);
        assert(status != MLT_OK || (mlt_json_is(&json, mlt_json_get(&json, 0, "request_id"), MLT_JSON_STRING) &&
                                    mlt_json_is(&json, mlt_json_get(&json, 0, "timestamp"), MLT_JSON_STRING)));
        num++;
    }
    assert(num == c->num_records && !lines.failed);
    mlt_json_clear(&json);
}

static void take(struct mlt_capture *out, struct mlt_bytes body, const char *type, bool logs) {
    struct mlt_foreign msg = {
        .body = body, .content_type = type, .address = "", .received = "2026-11-23T09:40:01.000000000Z"};
    struct mlt_error err = {0};
    enum mlt_status status = logs ? mlt_capture_otlp_logs(out, &msg, &err) : mlt_capture_otlp_traces(out, &msg, &err);
    assert(status == MLT_OK || status == MLT_LIMIT || (status == MLT_INVALID && out->num_rejected > 0));
    check_lines(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const bool logs = data[0] & 1;
    const bool protobuf = data[0] & 2;
    struct mlt_bytes body = mlt_bytes_of(data + 1, size - 1);
    struct mlt_capture one = {0};
    take(&one, body, protobuf ? MLT_OTLP_PROTOBUF : "application/json", logs);
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    if (protobuf && mlt_otlp_text(&text, body, logs ? MLT_OTLP_LOGS : MLT_OTLP_TRACES, &err) == MLT_OK) {
        struct mlt_capture other = {0};
        take(&other, mlt_buf_bytes(&text), "application/json", logs);
        assert(mlt_bytes_equal(mlt_buf_bytes(&one.lines), mlt_buf_bytes(&other.lines)));
        assert(one.num_ignored == other.num_ignored && one.num_rejected == other.num_rejected);
        mlt_capture_clear(&other);
    }
    mlt_buf_clear(&text);
    mlt_capture_clear(&one);
    return 0;
}
