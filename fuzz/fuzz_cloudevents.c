// links: mlt_capture
//
// Headers up to an empty line, then a body: whatever arrives becomes records that are JSON objects of a known kind, a
// line each, or rejected items; a header value that decodes is UTF-8.
#include <stdlib.h>
#include <string.h>

#include "capture/cloudevents.h"
#include "lib/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS_MAX 32

static struct named headers[HEADERS_MAX + 1];

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

static const char *header_of(void *arg, const char *name) {
    (void)arg;
    return headers_find(headers, name);
}

// "name: value" lines, as C strings in place. Returns where the body begins.
static char *read_headers(char *text, const char *end) {
    size_t num = 0;
    headers[0].name = NULL;
    while (text < end && num < HEADERS_MAX) {
        char *stop = memchr(text, '\n', (size_t)(end - text));
        char *colon = memchr(text, ':', (size_t)(end - text));
        if (stop == NULL || stop == text || colon == NULL || colon > stop) {
            return stop == text ? text + 1 : text;
        }
        *stop = *colon = '\0';
        headers[num++] = (struct named){text, colon + 1 + strspn(colon + 1, " ")};
        headers[num].name = NULL;
        text = stop + 1;
    }
    return text;
}

static void check_lines(const struct mlt_capture *c) {
    struct mlt_cursor cursor = mlt_cursor_of(mlt_buf_bytes(&c->lines));
    struct mlt_json json = {0};
    for (size_t i = 0; i < c->num_records; i++) {
        struct mlt_bytes line = mlt_cursor_line(&cursor);
        struct mlt_arena arena = {0};
        check(!cursor.failed && mlt_json_scan(&json, line, NULL) == MLT_OK);
        struct mlt_bytes kind = mlt_json_string(&json, mlt_json_get(&json, 0, "kind"), &arena);
        check(mlt_bytes_is(kind, "prediction") || mlt_bytes_is(kind, "capture"));
        // A kept message says nothing that differs when it comes again, and so no time of its own making.
        check(!mlt_bytes_is(kind, "prediction") ||
              mlt_json_is(&json, mlt_json_get(&json, 0, "timestamp"), MLT_JSON_STRING));
        mlt_arena_clear(&arena);
    }
    check(mlt_cursor_left(&cursor) == 0);
    mlt_json_clear(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    check(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    char *body = read_headers(text, text + size);
    const char *type = header_of(NULL, "content-type");
    const struct mlt_foreign msg = {.body = mlt_bytes_of(body, (size_t)(text + size - body)),
                                    .content_type = type != NULL ? type : "",
                                    .header = header_of,
                                    .address = "",
                                    .received = "2026-01-07T00:00:10Z"};
    struct mlt_capture c = {0};
    enum mlt_status status = mlt_capture_cloudevents(&c, &msg, NULL);
    check(status == MLT_OK || status == MLT_INVALID || status == MLT_LIMIT || status == MLT_NOMEM);
    check(status != MLT_INVALID || c.num_rejected == 1);
    if (status == MLT_OK) {
        check_lines(&c);
    }
    mlt_capture_clear(&c);
    free(text);
    return 0;
}
