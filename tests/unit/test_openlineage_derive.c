// links: mlt_capture mlt_memsource
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/openlineage.h"
#include "lib/contains.h"
#include "lib/memsource.h"

#include <cmocka.h>

#define PRODUCER "token:etl"

struct fixture {
    struct mlt_memsource *log;
    struct mlt_capture capture;
    struct mlt_error err;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->log = mlt_memsource_new();
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    mlt_capture_clear(&f->capture);
    mlt_memsource_free(f->log);
    free(f);
    return 0;
}

#define EVENT(run, type, time, more)                                                                                   \
    "{\"eventType\":\"" type "\",\"eventTime\":\"" time                                                                \
    "\",\"producer\":\"p\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"" run                                              \
    "\"},\"job\":{\"namespace\":\"ns\",\"name\":\"job\"}" more "}"
#define IN(name) ",\"inputs\":[{\"namespace\":\"db\",\"name\":\"" name "\"}]"
#define OUT(name) ",\"outputs\":[{\"namespace\":\"db\",\"name\":\"" name "\"}]"

// What the server does with a request: translate, derive, append.
static void take(struct fixture *f, const char *principal, const char *body, bool batch) {
    struct mlt_foreign msg = {.body = mlt_str(body), .content_type = "application/json", .address = "", .received = ""};
    struct mlt_source src = mlt_memsource_source(f->log);
    mlt_capture_clear(&f->capture);
    enum mlt_status status =
        batch ? mlt_openlineage_batch(&f->capture, &msg, &f->err) : mlt_openlineage_event(&f->capture, &msg, &f->err);
    assert_int_equal(status, MLT_OK);
    if (mlt_openlineage_derive(&f->capture, &src, mlt_str(principal), &f->err) != MLT_OK) {
        fail_msg("%s", f->err.text);
    }
    char *lines = malloc(f->capture.lines.len + 1);
    assert_non_null(lines);
    memcpy(lines, f->capture.lines.data, f->capture.lines.len);
    lines[f->capture.lines.len] = '\0';
    for (char *line = lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        (void)mlt_memsource_add(f->log, principal, "2026-11-23T12:00:00Z", line);
    }
    free(lines);
}

static void says(struct fixture *f, const char *what) {
    if (!contains(mlt_buf_bytes(&f->capture.lines), what)) {
        fail_msg("nothing says %s:\n%.*s", what, MLT_ARG(mlt_buf_bytes(&f->capture.lines)));
    }
}

static void test_events_meet_in_the_log(void **state) {
    // START and COMPLETE of different requests give one record; in either order.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "START", "2026-11-23T09:00:00Z", IN("a")), false);
    assert_int_equal(f->capture.num_records, 1);
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")), false);
    assert_int_equal(f->capture.num_records, 2);
    says(f, "\"dataset\":\"db/o\",\"version\":\"r1\"");
    says(f, "\"sources\":[{\"system\":\"db\",\"table\":\"a\"}]");
    take(f, PRODUCER, EVENT("r2", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")), false);
    take(f, PRODUCER, EVENT("r2", "START", "2026-11-23T09:00:00Z", IN("a")), false);
    assert_int_equal(f->capture.num_records, 2);
    says(f, "\"dataset\":\"db/o\",\"version\":\"r2\"");
    says(f, "\"sources\":[{\"system\":\"db\",\"table\":\"a\"}]");
}

static void test_runs_chain(void **state) {
    // An input that a run made is that version; one made after this run began is not.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T08:00:00Z", OUT("a")), false);
    take(f, PRODUCER, EVENT("r2", "COMPLETE", "2026-11-23T09:30:00Z", OUT("a")), false);
    take(f, PRODUCER, EVENT("r3", "START", "2026-11-23T09:00:00Z", IN("a")), false);
    take(f, PRODUCER, EVENT("r3", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")), false);
    says(f, "\"sources\":[],\"inputs\":[{\"dataset\":\"db/a\",\"version\":\"r1\"}]");
    // Of one that had no version by then, the run read what the trail does not know.
    take(f, PRODUCER, EVENT("r4", "START", "2026-11-23T07:00:00Z", IN("a")), false);
    take(f, PRODUCER, EVENT("r4", "COMPLETE", "2026-11-23T11:00:00Z", OUT("p")), false);
    says(f, "\"sources\":[{\"system\":\"db\",\"table\":\"a\"}]");
}

static void test_symlinks(void **state) {
    // What was written under one name and is read under another, which the event gives, is the same dataset.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T08:00:00Z", OUT("path")), false);
    take(f, PRODUCER,
         EVENT("r2", "COMPLETE", "2026-11-23T10:00:00Z",
               ",\"inputs\":[{\"namespace\":\"hive\",\"name\":\"table\",\"facets\":{\"symlinks\":{\"identifiers\":["
               "{\"namespace\":\"hive\"},7,{\"namespace\":\"db\",\"name\":\"path\",\"type\":\"TABLE\"}]}}}]" OUT("o")),
         false);
    says(f, "\"sources\":[],\"inputs\":[{\"dataset\":\"db/path\",\"version\":\"r1\"}]");
}

static void test_runs_chain_within_a_batch(void **state) {
    // What an earlier run of a batch made is not in the log yet, and known all the same.
    struct fixture *f = *state;
    take(f, PRODUCER,
         "[" EVENT("z", "COMPLETE", "2026-11-23T08:00:00Z",
                   OUT("a")) "," EVENT("b", "START", "2026-11-23T09:00:00Z",
                                       IN("a")) "," EVENT("b", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")) "]",
         true);
    assert_int_equal(f->capture.num_records, 5);
    says(f, "\"inputs\":[{\"dataset\":\"db/a\",\"version\":\"z\"}]");
}

static void test_a_table_that_a_run_changes(void **state) {
    // A run that reads and writes one table: its input is the version before.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T08:00:00Z", OUT("a")), false);
    take(f, PRODUCER, EVENT("r2", "START", "2026-11-23T09:00:00Z", IN("a")), false);
    take(f, PRODUCER, EVENT("r2", "COMPLETE", "2026-11-23T10:00:00Z", IN("a") OUT("a")), false);
    says(f, "\"dataset\":\"db/a\",\"version\":\"r2\"");
    says(f, "\"inputs\":[{\"dataset\":\"db/a\",\"version\":\"r1\"}]");
    struct mlt_bytes first = mlt_arena_copy(&f->capture.arena, mlt_buf_bytes(&f->capture.lines));
    size_t len = first.len;
    take(f, PRODUCER, EVENT("r2", "COMPLETE", "2026-11-23T10:00:00Z", IN("a") OUT("a")), false);
    assert_int_equal(f->capture.lines.len, len); // its own version does not count
    says(f, "\"inputs\":[{\"dataset\":\"db/a\",\"version\":\"r1\"}]");
}

static void test_a_retry_does_not_read_itself(void **state) {
    // The same event again gives the same records, also when its own version is in the log by now.
    struct fixture *f = *state;
    static const char event[] = EVENT("r2", "COMPLETE", "2026-11-23T10:00:00Z", IN("a") OUT("a"));
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T08:00:00Z", OUT("a")), false);
    take(f, PRODUCER, event, false);
    says(f, "\"inputs\":[{\"dataset\":\"db/a\",\"version\":\"r1\"}]");
    size_t len = f->capture.lines.len;
    take(f, PRODUCER, event, false);
    assert_int_equal(f->capture.lines.len, len);
    says(f, "\"inputs\":[{\"dataset\":\"db/a\",\"version\":\"r1\"}]");
    // Also where nobody made the table before: then it is a source.
    static const char first[] = EVENT("r3", "COMPLETE", "2026-11-23T10:00:00Z", IN("b") OUT("b"));
    take(f, PRODUCER, first, false);
    len = f->capture.lines.len;
    take(f, PRODUCER, first, false);
    assert_int_equal(f->capture.lines.len, len);
    says(f, "\"sources\":[{\"system\":\"db\",\"table\":\"b\"}]");
}

static void test_producers_stay_apart(void **state) {
    // The events of a run that another producer sent are not read.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "START", "2026-11-23T09:00:00Z", IN("secret")), false);
    take(f, "token:other", EVENT("r1", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")), false);
    assert_false(contains(mlt_buf_bytes(&f->capture.lines), "secret"));
}

static void test_erased_events(void **state) {
    // What was erased is no part of the run any more; nothing fails for it.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "START", "2026-11-23T09:00:00Z", IN("erased")), false);
    mlt_memsource_set_payload(f->log, 0, MLT_PAYLOAD_ERASED);
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")), false);
    says(f, "\"dataset\":\"db/o\"");
    assert_false(contains(mlt_buf_bytes(&f->capture.lines), "erased"));
}

static enum mlt_status damaged(void *ctx, uint64_t index, const struct mlt_entry *entry, struct mlt_arena *arena,
                               enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    (void)ctx;
    (void)entry;
    (void)arena;
    (void)state;
    (void)plain;
    return mlt_fail(err, MLT_CORRUPT, "entry %llu: the seal is broken", (unsigned long long)index);
}

static void test_damage_does_not_stop_events(void **state) {
    // A payload that cannot be opened: the new event is kept, nothing is told of the run, and that is told.
    struct fixture *f = *state;
    take(f, PRODUCER, EVENT("r1", "START", "2026-11-23T09:00:00Z", IN("a")), false);
    struct mlt_foreign msg = {.body = mlt_str(EVENT("r1", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o"))),
                              .content_type = "",
                              .address = "",
                              .received = ""};
    struct mlt_source src = mlt_memsource_source(f->log);
    src.payload = damaged;
    mlt_capture_clear(&f->capture);
    assert_int_equal(mlt_openlineage_event(&f->capture, &msg, &f->err), MLT_OK);
    assert_int_equal(mlt_openlineage_derive(&f->capture, &src, mlt_str(PRODUCER), &f->err), MLT_OK);
    assert_int_equal(f->capture.num_records, 1);
    assert_int_equal(f->capture.num_rejected, 1);
    assert_string_equal(f->capture.rejected[0].problem.code, "run-not-told");
    assert_non_null(strstr(f->capture.rejected[0].problem.detail, "the seal is broken"));
}

static void test_a_run_with_many_events(void **state) {
    // The first events and the last are read; those between repeat them.
    struct fixture *f = *state;
    char event[512];
    take(f, PRODUCER, EVENT("r1", "START", "2026-11-23T09:00:00Z", IN("first")), false);
    for (unsigned i = 0; i < MLT_OPENLINEAGE_EVENTS_MAX + 10; i++) {
        (void)snprintf(event, sizeof event, EVENT("r1", "RUNNING", "2026-11-23T09:%02u:%02uZ", ""), i / 60, i % 60);
        struct mlt_foreign msg = {.body = mlt_str(event), .content_type = "", .address = "", .received = ""};
        mlt_capture_clear(&f->capture);
        assert_int_equal(mlt_openlineage_event(&f->capture, &msg, &f->err), MLT_OK);
        f->capture.lines.data[f->capture.lines.len - 1] = '\0';
        (void)mlt_memsource_add(f->log, PRODUCER, "2026-11-23T12:00:00Z", (const char *)f->capture.lines.data);
    }
    take(f, PRODUCER, EVENT("r1", "OTHER", "2026-11-23T09:59:00Z", IN("last")), false);
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-23T10:00:00Z", OUT("o")), false);
    says(f, "\"table\":\"first\"");
    says(f, "\"table\":\"last\"");
}

static void test_a_run_with_many_inputs_and_outputs(void **state) {
    // Each output lists each input: what does not fit into a journal group with the event is left out, and the event
    // is kept.
    struct fixture *f = *state;
    struct mlt_buf body = {0};
    struct mlt_source src = mlt_memsource_source(f->log);
    mlt_buf_put_str(&body, EVENT("r1", "COMPLETE", "2026-11-23T10:00:00Z", ",\"inputs\":["));
    body.len--; // the event goes on
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned i = 0; i < 3000; i++) {
            mlt_buf_printf(&body, "%s{\"namespace\":\"some-quite-long-name-of-a-namespace\",\"name\":\"%u\"}",
                           i == 0 ? "" : ",", i);
        }
        mlt_buf_put_str(&body, side == 0 ? "],\"outputs\":[" : "]}");
    }
    struct mlt_foreign msg = {.body = mlt_buf_bytes(&body), .content_type = "", .address = "", .received = ""};
    assert_int_equal(mlt_openlineage_event(&f->capture, &msg, &f->err), MLT_OK);
    assert_int_equal(mlt_openlineage_derive(&f->capture, &src, mlt_str(PRODUCER), &f->err), MLT_OK);
    assert_true(f->capture.num_records > 1);
    assert_true(f->capture.lines.len > (32u << 20) && f->capture.lines.len < (60u << 20));
    assert_int_equal(f->capture.num_rejected, 1);
    assert_string_equal(f->capture.rejected[0].problem.code, "too-many-datasets");
    mlt_buf_clear(&body);
}

static void test_static_events_are_no_runs(void **state) {
    // A DatasetEvent has no run to put together.
    struct fixture *f = *state;
    take(f, PRODUCER,
         "{\"eventTime\":\"2026-11-23T09:00:00Z\",\"producer\":\"p\",\"schemaURL\":\"s\",\"dataset\":{\"namespace\":"
         "\"db\",\"name\":\"d\",\"facets\":{\"version\":{\"datasetVersion\":\"7\"}}}}",
         false);
    assert_int_equal(f->capture.num_records, 2);
    // … and is known to runs that read the dataset: without a time of its own, from when it was received.
    take(f, PRODUCER, EVENT("r1", "START", "2026-11-24T09:00:00Z", IN("d")), false);
    take(f, PRODUCER, EVENT("r1", "COMPLETE", "2026-11-24T10:00:00Z", OUT("o")), false);
    says(f, "\"inputs\":[{\"dataset\":\"db/d\",\"version\":\"7\"}]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_meet_in_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runs_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_symlinks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runs_chain_within_a_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_table_that_a_run_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_retry_does_not_read_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_producers_stay_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_erased_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_does_not_stop_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_with_many_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_with_many_inputs_and_outputs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_static_events_are_no_runs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
