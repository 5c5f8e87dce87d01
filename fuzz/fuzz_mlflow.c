// links: mlt_capture mlt_base_posix
// MLflow exchanges and webhooks: whatever arrives, each line that is written is one JSON object, and what was not
// understood is counted.
#include <assert.h>

#include "capture/mlflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header(void *arg, const char *name) {
    (void)arg, (void)name;
    return "0b3c7e0e-6f0e-4d4b-9a0f-3f1f6a1d2c3b";
}

static void check_lines(const struct mlt_capture *out) {
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&out->lines));
    size_t num = 0;
    while (mlt_cursor_left(&c) > 0) {
        struct mlt_json json = {0};
        struct mlt_bytes line = mlt_cursor_line(&c);
        enum mlt_status status = mlt_json_scan(&json, line, NULL);
        assert(status == MLT_OK && mlt_json_is(&json, 0, MLT_JSON_OBJECT));
        mlt_json_clear(&json);
        num++;
    }
    assert(!c.failed && num == out->num_records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_capture out = {0};
    struct mlt_foreign msg = {.body = mlt_bytes_of(data, size),
                              .content_type = "application/x-ndjson",
                              .header = header,
                              .address = "",
                              .received = "2026-11-25T01:00:00Z"};
    enum mlt_status status = mlt_capture_mlflow_exchanges(&out, &msg, NULL);
    assert(status == MLT_OK || status == MLT_LIMIT);
    check_lines(&out);
    mlt_capture_clear(&out);
    msg.content_type = "application/json"; // white space may stand anywhere in it
    status = mlt_capture_mlflow_exchanges(&out, &msg, NULL);
    assert(status == MLT_OK);
    check_lines(&out);
    mlt_capture_clear(&out);
    status = mlt_capture_mlflow_webhook(&out, &msg, NULL);
    assert(status == MLT_OK || out.num_rejected == 1);
    check_lines(&out);
    mlt_capture_clear(&out);
    return 0;
}
