// links: mlt_capture mlt_base_posix
//
// The first byte chooses: one event, a batch, or lines as the events of one run. Whatever comes of any text is records
// that the trail takes, each on a line of its own; what is told of a run does not depend on the order of its events.
#include <stdlib.h>

#include "base_posix/env_posix.h"
#include "capture/openlineage.h"

#define EVENTS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mlt_record_keys keys = {.kek = {1}, .index_key = {2}};
static struct mlt_builder *builder;
static struct mlt_batch batch;

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check_record(struct mlt_bytes line) {
    static const struct mlt_producer producer = {.principal = "token:fuzz", .assurance = "authenticated"};
    struct mlt_problem problem;
    enum mlt_status status = mlt_builder_add(builder, &batch, &producer, line, NULL, 1, &problem, NULL);
    check(status == MLT_OK);
}

static void check_lines(const struct mlt_capture *c) {
    struct mlt_bytes rest = mlt_buf_bytes(&c->lines);
    size_t num = 0;
    for (; rest.len > 0; num++) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        check(end != NULL);
        check_record(mlt_bytes_of(rest.ptr, (size_t)(end - rest.ptr)));
        rest = mlt_bytes_of(end + 1, rest.len - (size_t)(end + 1 - rest.ptr));
    }
    check(num == c->num_records);
    mlt_batch_clear(&batch);
}

static enum mlt_status find(void *ctx, struct mlt_bytes dataset, struct mlt_bytes but, int64_t by,
                            struct mlt_arena *arena, struct mlt_openlineage_known *out, struct mlt_error *err) {
    (void)ctx;
    (void)but;
    (void)by;
    (void)arena;
    (void)err;
    bool known = dataset.len % 2 == 0;
    *out = (struct mlt_openlineage_known){known, mlt_str(known ? "v" : NULL)};
    return MLT_OK;
}

static void tell(struct mlt_bytes text) {
    static const struct mlt_openlineage_log log = {NULL, find};
    struct mlt_bytes events[EVENTS_MAX], backwards[EVENTS_MAX];
    struct mlt_capture forth = {0}, back = {0};
    size_t num = 0;
    while (text.len > 0 && num < EVENTS_MAX) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        events[num++] = mlt_bytes_of(text.ptr, len);
        text = mlt_bytes_of(text.ptr + len + (end != NULL), text.len - len - (end != NULL));
    }
    for (size_t i = 0; i < num; i++) {
        backwards[i] = events[num - 1 - i];
    }
    check(mlt_openlineage_tell(&forth, events, num, &log, NULL) == MLT_OK);
    check(mlt_openlineage_tell(&back, backwards, num, &log, NULL) == MLT_OK);
    check_lines(&forth);
    check(mlt_bytes_equal(mlt_buf_bytes(&forth.lines), mlt_buf_bytes(&back.lines)));
    mlt_capture_clear(&forth);
    mlt_capture_clear(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!builder) {
        check(mlt_builder_new(&builder, mlt_env_posix(), &keys, NULL) == MLT_OK);
    }
    if (size == 0) {
        return 0;
    }
    struct mlt_bytes text = mlt_bytes_of(data + 1, size - 1);
    struct mlt_foreign msg = {.body = text, .content_type = "application/json", .address = "", .received = ""};
    struct mlt_capture c = {0};
    if (data[0] == 'R') {
        tell(text);
        return 0;
    }
    enum mlt_status status =
        data[0] == 'B' ? mlt_openlineage_batch(&c, &msg, NULL) : mlt_openlineage_event(&c, &msg, NULL);
    check(status == MLT_OK || (status == MLT_INVALID && c.num_rejected > 0));
    check_lines(&c);
    mlt_capture_clear(&c);
    return 0;
}
