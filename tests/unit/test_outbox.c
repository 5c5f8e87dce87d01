// links: mlt_mlflow mlt_base_posix mlt_testlib
//
// What the proxy hands over is in its spool when `put` returns; what finds no room is counted, and a tally says so. The
// trail is away throughout: its coming back is tests/e2e/test_proxy_spool.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wait.h"
#include "base_posix/env_posix.h"
#include "lib/simdisk.h"
#include "lib/tempdir.h"
#include "mlflow/outbox.h"
#include "record/json.h"
#include "spool/orphan.h"

#define NAME "registry"
#define NOWHERE "http://127.0.0.1:9" // discard: nobody listens there

struct fixture {
    char dir[TEMPDIR_MAX];
    struct mlt_outbox *box;
    unsigned losses_told;
    // Of what is found in the spool:
    uint64_t requests, tallies;
    struct mlt_arena arena;
    struct mlt_bytes first; // request
    struct mlt_bytes last;  // tally
};

static void tell(void *arg, const struct mlt_courier_event *e) {
    struct fixture *f = arg;
    f->losses_told += e->kind == MLT_COURIER_TROUBLE && strstr(e->text, "are lost so far") != NULL;
}

static enum mlt_status open_box(struct fixture *f, const char *dir, const char *name, uint64_t bytes_max,
                                const char *url) {
    const struct mlt_outbox_options opt = {.dir = dir,
                                           .name = name,
                                           .bytes_max = bytes_max,
                                           .link = {.url = url, .user_agent = "test"},
                                           .event = tell,
                                           .event_arg = f};
    return mlt_outbox_open(&f->box, mlt_env_posix(), &opt, NULL);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    tempdir_make(f->dir, "outbox");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    tempdir_remove(f->dir);
    mlt_arena_clear(&f->arena);
    free(f);
    return 0;
}

static bool take(void *arg, const struct mlt_frame *frame) {
    struct fixture *f = arg;
    if (frame->type == MLT_FRAME_REQUEST) {
        f->first = f->requests++ == 0 ? mlt_arena_copy(&f->arena, frame->body) : f->first;
    } else {
        f->tallies++;
        f->last = mlt_arena_copy(&f->arena, frame->body);
    }
    return true;
}

// What whoever adopts the spool's only stream finds.
static void read_left(struct fixture *f) {
    struct mlt_orphan *o;
    struct mlt_error err = {0};
    enum mlt_spool_found found = MLT_SPOOL_FOUND_FRAMES;
    struct mlt_spool_damage damage;
    assert_int_equal(mlt_orphan_find(&o, mlt_env_posix(), f->dir, "", &err), MLT_OK);
    assert_non_null(o);
    struct mlt_spool_reader r = {.env = mlt_env_posix(), .dir = o->dir, .stream = o->stream};
    struct mlt_spool_place at = o->at;
    assert_string_equal(o->header.serving_node, NAME);
    while (found == MLT_SPOOL_FOUND_FRAMES) {
        assert_int_equal(mlt_spool_read(&r, &at, &o->until, take, f, &found, &damage, &err), MLT_OK);
    }
    assert_int_equal(found, MLT_SPOOL_FOUND_NOTHING);
    mlt_spool_reader_clear(&r);
    mlt_orphan_free(o);
}

static void test_waits_as_the_request_it_will_be(void **state) {
    struct fixture *f = *state;
    struct mlt_outbox_counts counts;
    struct mlt_frame_request req;
    assert_int_equal(open_box(f, f->dir, NAME, 0, NOWHERE), MLT_OK);
    assert_false(mlt_outbox_is_full(f->box));
    assert_true(mlt_outbox_put(f->box, mlt_str("{\"exchange\":\"1\"}")));
    assert_true(mlt_outbox_put(f->box, mlt_str("{\"exchange\":\"2\"}")));
    mlt_outbox_close(f->box, mlt_wait_now(), &counts);
    assert_int_equal(counts.waiting, 2);
    assert_int_equal(counts.sent + counts.refused + counts.lost, 0);
    read_left(f);
    assert_int_equal(f->requests, 2);
    assert_int_equal(f->tallies, 0);
    assert_int_equal(mlt_frame_request_read(&req, &f->arena, f->first, NULL), MLT_OK);
    assert_string_equal(req.method, "POST");
    assert_string_equal(req.path, "/v1/mlflow/exchanges");
    assert_string_equal(req.content_type, "application/x-ndjson");
    assert_true(mlt_bytes_is(req.body, "{\"exchange\":\"1\"}"));
}

static void test_full_is_counted(void **state) {
    // Nothing more begins at half; behind the last exchange that fits there is still room for the count.
    struct fixture *f = *state;
    struct mlt_outbox_counts counts;
    struct mlt_json json = {0};
    char line[1024];
    uint64_t fitted = 0, at_half = 0, count = 0, lost = 0;
    memset(line, 'x', sizeof line);
    assert_int_equal(open_box(f, f->dir, NAME, MLT_SPOOL_BYTES_MIN, NOWHERE), MLT_OK);
    while (mlt_outbox_put(f->box, mlt_bytes_of(line, sizeof line))) {
        fitted++;
        at_half = at_half == 0 && mlt_outbox_is_full(f->box) ? fitted : at_half;
        assert_true(fitted < MLT_SPOOL_BYTES_MIN / sizeof line);
    }
    assert_in_range(at_half, fitted / 3, fitted - 1);
    assert_int_equal(f->losses_told, 1);
    assert_false(mlt_outbox_put(f->box, mlt_bytes_of(line, sizeof line)));
    assert_int_equal(f->losses_told, 1); // a loss a request must not fill the log
    mlt_outbox_close(f->box, mlt_wait_now(), &counts);
    assert_int_equal(f->losses_told, 2);
    assert_int_equal(counts.waiting, fitted);
    assert_int_equal(counts.lost, 2);
    read_left(f);
    assert_int_equal(f->requests, fitted);
    assert_int_equal(f->tallies, 2);
    assert_int_equal(mlt_json_scan(&json, f->last, NULL), MLT_OK);
    assert_true(mlt_bytes_is(mlt_json_string(&json, mlt_json_get(&json, 0, "counted"), &f->arena), "access"));
    assert_true(mlt_json_u64(&json, mlt_json_get(&json, 0, "count"), &count));
    assert_true(mlt_json_u64(&json, mlt_json_get(&json, 0, "lost"), &lost));
    assert_int_equal(count, fitted + 2);
    assert_int_equal(lost, 2);
    mlt_json_clear(&json);
}

static void test_nothing_begins_that_the_disk_cannot_end(void **state) {
    // Far below its own limit the spool has no room on a disk that others filled, nor on one that fails.
    struct fixture *f = *state;
    struct simdisk *disk = simdisk_new(1);
    struct mlt_outbox_counts counts;
    const struct mlt_outbox_options opt = {
        .dir = "spool", .name = NAME, .link = {.url = NOWHERE, .user_agent = "test"}, .event = tell, .event_arg = f};
    assert_int_equal(mlt_outbox_open(&f->box, simdisk_env(disk), &opt, NULL), MLT_OK);
    assert_false(mlt_outbox_is_full(f->box));
    simdisk_fill(disk, 1024 * 1024);
    assert_true(mlt_outbox_is_full(f->box));
    assert_true(mlt_outbox_put(f->box, mlt_str("{}"))); // what has begun
    simdisk_fill(disk, 0);
    assert_false(mlt_outbox_put(f->box, mlt_str("{}")));
    assert_true(mlt_outbox_is_full(f->box));
    simdisk_fill(disk, UINT64_MAX);
    assert_false(mlt_outbox_is_full(f->box)); // and the tally is written
    mlt_outbox_close(f->box, mlt_wait_now(), &counts);
    assert_int_equal(counts.lost, 1);
    assert_int_equal(counts.waiting, 1);
    assert_int_equal(f->losses_told, 1);
    simdisk_free(disk);
}

static void test_what_cannot_be_opened(void **state) {
    struct fixture *f = *state;
    char below[TEMPDIR_MAX + 32];
    (void)snprintf(below, sizeof below, "%s/not/there", f->dir);
    assert_int_equal(open_box(f, f->dir, "", 0, NOWHERE), MLT_INVALID);
    assert_int_equal(open_box(f, f->dir, NAME, 1, NOWHERE), MLT_INVALID);
    assert_int_equal(open_box(f, f->dir, NAME, 0, "ftp://127.0.0.1"), MLT_INVALID);
    assert_int_not_equal(open_box(f, below, NAME, 0, NOWHERE), MLT_OK);
    assert_null(f->box);
    mlt_outbox_close(NULL, 0, NULL);
    // Nothing is left of the attempts, nor of one that had nothing to send.
    assert_int_equal(open_box(f, f->dir, NAME, 0, NOWHERE), MLT_OK);
    mlt_outbox_close(f->box, mlt_wait_now(), NULL);
    assert_int_equal(rmdir(f->dir), 0);
    assert_int_equal(mkdir(f->dir, 0700), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waits_as_the_request_it_will_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_begins_that_the_disk_cannot_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_opened, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
