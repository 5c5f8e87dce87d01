// links: mlt_capture -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
//
// The first, second, ... allocation fails, until all get through: each time the answer is that memory ran out, never
// records that lack what could not be held.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/openlineage.h"
#include "lib/no_memory.h"

#include <cmocka.h>

#define PIPELINE "tests/vectors/openlineage/pipeline.ndjson"
#define EVENTS 6

static char events[EVENTS][8192];

static int read_events(void **state) {
    (void)state;
    FILE *f = fopen(PIPELINE, "rb");
    assert_non_null(f);
    for (size_t i = 0; i < EVENTS; i++) {
        assert_non_null(fgets(events[i], sizeof events[i], f));
    }
    return fclose(f);
}

static enum mlt_status tell(struct mlt_capture *out, long n, size_t run, struct mlt_error *err) {
    struct mlt_bytes raw[2] = {mlt_str(events[run]), mlt_str(events[run + 1])};
    no_memory_at(n);
    enum mlt_status status = mlt_openlineage_tell(out, raw, 2, NULL, err);
    return no_memory_end() || status == MLT_OK ? status : MLT_INTERNAL;
}

static void test_tell(void **state) {
    // A run is told whole or not at all.
    (void)state;
    for (size_t run = 0; run < EVENTS; run += 2) {
        struct mlt_capture whole = {0};
        struct mlt_error err;
        assert_int_equal(tell(&whole, 0, run, &err), MLT_OK);
        enum mlt_status status = MLT_NOMEM;
        for (long n = 1; status != MLT_OK; n++) {
            struct mlt_capture c = {0};
            status = tell(&c, n, run, &err);
            if (status == MLT_OK) {
                if (!mlt_bytes_equal(mlt_buf_bytes(&c.lines), mlt_buf_bytes(&whole.lines))) {
                    fail_msg("run %zu, allocation %ld: %.*s", run, n, MLT_ARG(mlt_buf_bytes(&c.lines)));
                }
            } else {
                if (status != MLT_NOMEM) {
                    fail_msg("run %zu, allocation %ld: status %d %s", run, n, (int)status, err.text);
                }
                assert_true(err.text[0] != '\0');
            }
            mlt_capture_clear(&c);
        }
        mlt_capture_clear(&whole);
    }
}

static void test_event(void **state) {
    // An event is kept whole or not at all.
    (void)state;
    enum mlt_status status = MLT_NOMEM;
    for (long n = 1; status != MLT_OK; n++) {
        struct mlt_capture c = {0};
        struct mlt_error err = {0};
        struct mlt_foreign msg = {.body = mlt_str(events[0]), .content_type = "", .address = "", .received = ""};
        no_memory_at(n);
        status = mlt_openlineage_event(&c, &msg, &err);
        assert_true(no_memory_end() || status == MLT_OK);
        assert_true(status == MLT_OK || status == MLT_NOMEM);
        mlt_capture_clear(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tell),
        cmocka_unit_test(test_event),
    };
    return cmocka_run_group_tests(tests, read_events, NULL);
}
