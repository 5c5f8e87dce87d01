// A trail with segments of 64 entries, for tests of what is made of it and of what is said about it.
#ifndef TEST_SEGMENT_TRAIL_H
#define TEST_SEGMENT_TRAIL_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "lib/ok.h"
#include "lib/records.h"
#include "lib/tempdir.h"
#include "record/segment.h"
#include "segment/segments.h"

#include <cmocka.h>

#define ENTRIES 64 // of a whole segment in these tests

struct fixture {
    char base[TEMPDIR_MAX];
    char dir[80];
    struct mlt_env *env;
    struct mlt_error err;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct mlt_segment_job job;
    struct mlt_segments *segments;
    struct records records;
    struct mlt_arena arena;
    uint64_t size;
    pthread_mutex_t append_mu; // of the batch and the size, where several threads commit
    atomic_bool stop;
};

static inline void append_batch(struct fixture *f) {
    size_t n = f->records.batch.num_drafts;
    struct mlt_receipt *receipts = calloc(n, sizeof(*receipts));
    struct mlt_head head;
    OK(mlt_trail_append_wait(f->trail, &f->records.batch, false, receipts, &head, &f->err));
    free(receipts);
    mlt_batch_reset(&f->records.batch);
    f->size = head.size;
}

static inline void append(struct fixture *f, size_t n) {
    for (size_t i = 0; i < n; i++) {
        records_prediction(&f->records, 8);
    }
    append_batch(f);
}

static inline void append_approval(struct fixture *f, const char *verdict) {
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"kind\":\"approval\",\"approval_reference\":\"a\",\"model\":\"m\",\"model_version\":\"1\","
                   "\"verdict\":\"%s\",\"approver\":\"p\",\"timestamp\":\"2026-11-23T09:40:01Z\"}",
                   verdict);
    records_add(&f->records, text);
    append_batch(f);
}

static inline enum mlt_status commit(void *ctx, const struct mlt_segment *segment, uint64_t *entry,
                                     struct mlt_error *err) {
    struct fixture *f = ctx;
    static const struct mlt_producer producer = {"mltrail", "local"};
    struct mlt_problem problem;
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    pthread_mutex_lock(&f->append_mu);
    mlt_jw_init(&w, &text);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "control");
    mlt_segment_write(&w, segment);
    mlt_jw_end_object(&w);
    OK(mlt_builder_add_own(f->records.builder, &f->records.batch, &producer, mlt_buf_bytes(&text), &problem, err));
    mlt_buf_clear(&text);
    *entry = f->size;
    append_batch(f);
    pthread_mutex_unlock(&f->append_mu);
    return MLT_OK;
}

static inline void open_segments(struct fixture *f) {
    const struct mlt_segments_options opt = {.trail = f->trail, .entries = ENTRIES, .commit = commit, .ctx = f};
    OK(mlt_segments_open(&f->segments, &opt, &f->err));
}

// As after a restart: the commitments are learned from the log.
static inline void reopen_segments(struct fixture *f) {
    mlt_segments_close(f->segments);
    open_segments(f);
    for (uint64_t i = f->size; i-- > 0;) {
        struct mlt_bytes bytes;
        struct mlt_entry e;
        OK(mlt_trail_entry(f->trail, i, &f->arena, &bytes, &f->err));
        OK(mlt_entry_parse(&e, &f->arena, bytes, &f->err));
        if (mlt_segment_is(&e)) {
            OK(mlt_segments_learn(f->segments, i, bytes, &f->err));
        }
        mlt_entry_clear(&e);
    }
}

static inline int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->env = mlt_env_posix();
    assert_int_equal(pthread_mutex_init(&f->append_mu, NULL), 0);
    tempdir_make(f->base, "segment");
    (void)snprintf(f->dir, sizeof(f->dir), "%s/t", f->base);
    f->opt = (struct mlt_trail_options){.dir = f->dir, .journal_bytes = 8 << 20, .reserve_bytes = 1};
    OK(mlt_trail_create(f->env, &f->opt, "example.org/test", false, false, &f->err));
    OK(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err));
    OK(mlt_trail_start(f->trail, NULL, &f->err));
    f->job.trail = f->trail;
    records_open(&f->records, f->env, mlt_trail_keys(f->trail));
    open_segments(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    struct fixture *f = *state;
    mlt_segments_close(f->segments);
    records_close(&f->records);
    OK(mlt_trail_close(f->trail, &f->err));
    tempdir_remove(f->base);
    mlt_arena_clear(&f->arena);
    pthread_mutex_destroy(&f->append_mu);
    free(f);
    return 0;
}

static inline void step_until_done(struct fixture *f) {
    bool more = true;
    for (int i = 0; more; i++) {
        assert_in_range(i, 0, 10000);
        OK(mlt_segments_step(f->segments, &more, &f->err));
    }
}

static inline bool count_name(void *arg, const char *name) {
    (void)name;
    ++*(size_t *)arg;
    return true;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

#endif
