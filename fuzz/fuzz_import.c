// links: mlt_capture mlt_base_posix
// Files of other systems, read by pieces: the first byte chooses the format. Whatever comes, every record is one line
// of JSON, every item is a record or rejected, and what is rejected lies in the message.
#include <assert.h>

#include "capture/bentoml.h"
#include "capture/kserve_blob.h"
#include "capture/sagemaker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header(void *arg, const char *name) {
    (void)arg;
    return strcmp(name, MLT_IMPORT_FILE) == 0 ? "s3/endpoint/variant/2026/11/23/09/a.jsonl" : "+01:00";
}

static void check_lines(const struct mlt_capture *c) {
    struct mlt_bytes rest = mlt_buf_bytes(&c->lines);
    struct mlt_bytes line;
    struct mlt_json json = {0};
    size_t num = 0;
    while (mlt_capture_next_line(&rest, &line)) {
        assert(mlt_json_scan(&json, line, NULL) == MLT_OK && mlt_json_is(&json, 0, MLT_JSON_OBJECT));
        num++;
    }
    assert(num == c->num_records);
    mlt_json_clear(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static mlt_capture_format *const formats[] = {mlt_capture_records, mlt_capture_bentoml, mlt_capture_sagemaker,
                                                  mlt_capture_event_lines, mlt_capture_kserve_blob};
    if (size == 0) {
        return 0;
    }
    struct mlt_foreign msg = {.body = mlt_bytes_of(data + 1, size - 1),
                              .content_type = "",
                              .header = header,
                              .address = "",
                              .received = "2026-11-23T09:40:01.000000000Z"};
    struct mlt_capture c = {0};
    struct mlt_error err = {0};
    enum mlt_status status = formats[data[0] % 5](&c, &msg, &err);
    assert(status == MLT_OK || (status == MLT_INVALID && c.num_rejected > 0));
    check_lines(&c);
    for (size_t i = 0; i < c.num_rejected && i < MLT_CAPTURE_REJECTED_MAX; i++) {
        struct mlt_bytes raw = c.rejected[i].raw;
        assert(raw.len <= size);
        assert(c.rejected[i].item > 0);
    }
    mlt_capture_clear(&c);
    return 0;
}
