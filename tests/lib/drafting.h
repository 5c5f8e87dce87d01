// Drafting records in a test: a builder on a simulated clock, and shorthands that fail the running test.
#ifndef TEST_DRAFTING_H
#define TEST_DRAFTING_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/simdisk.h"
#include "record/entry.h"

#include <cmocka.h>

struct drafting {
    struct simdisk *disk;
    struct mlt_builder *builder;
    struct mlt_sealer *sealer;
    struct mlt_batch batch;
    struct mlt_arena arena;
    struct mlt_record_keys keys;
    struct mlt_producer producer;
    struct mlt_problem problem;
    struct mlt_error err;
};

static struct drafting t;

static inline int drafting_begin(void **state) {
    (void)state;
    t = (struct drafting){.producer = {.principal = "token:serving", .assurance = "authenticated"}};
    memset(t.keys.kek, 1, sizeof(t.keys.kek));
    memset(t.keys.index_key, 2, sizeof(t.keys.index_key));
    t.disk = simdisk_new(7);
    simdisk_clock(t.disk, INT64_C(1795426801123456789)); // 2026-11-23T09:40:01.123456789Z
    return mlt_builder_new(&t.builder, simdisk_env(t.disk), &t.keys, &t.err) != MLT_OK ||
           mlt_sealer_new(&t.sealer, t.keys.kek, &t.err) != MLT_OK;
}

static inline int drafting_end(void **state) {
    (void)state;
    mlt_batch_clear(&t.batch);
    mlt_arena_clear(&t.arena);
    mlt_sealer_free(t.sealer);
    mlt_builder_free(t.builder);
    simdisk_free(t.disk);
    return 0;
}

// The draft of a record that must be accepted; valid until the next one.
static inline struct mlt_draft *draft_bytes(struct mlt_bytes record) {
    struct mlt_problem *p = &t.problem;
    if (mlt_builder_add_own(t.builder, &t.batch, &t.producer, record, p, &t.err) != MLT_OK) {
        fail_msg("rejected: %s %s: %s", p->code, p->pointer, p->detail);
    }
    return &t.batch.drafts[t.batch.num_drafts - 1];
}
static inline struct mlt_draft *draft(const char *record) {
    return draft_bytes(mlt_str(record));
}

static inline struct mlt_bytes entry_bytes(const struct mlt_draft *d) {
    return mlt_bytes_of(d->entry, d->entry_len);
}
// The entry of a draft as the log would store it, read back.
static inline void read_entry(struct mlt_entry *out, struct mlt_draft *d) {
    char received[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(received, INT64_C(1795426802000000000));
    memcpy(d->entry + d->received_off, received, MLT_TIME_TEXT_LEN);
    if (mlt_entry_parse(out, &t.arena, entry_bytes(d), &t.err) != MLT_OK) {
        fail_msg("entry: %s: %.*s", t.err.text, MLT_ARG(entry_bytes(d)));
    }
}

static inline void assert_text(struct mlt_bytes got, const char *want) {
    if (!mlt_bytes_is(got, want)) {
        fail_msg("got %.*s, want %s", MLT_ARG(got), want);
    }
}
static inline void assert_contains(const struct mlt_draft *d, const char *want) {
    char *text = mlt_arena_cstr(&t.arena, entry_bytes(d));
    if (!strstr(text, want)) {
        fail_msg("%s is not in %s", want, text);
    }
}
static inline void assert_lacks(const struct mlt_draft *d, const char *unwanted) {
    char *text = mlt_arena_cstr(&t.arena, entry_bytes(d));
    if (strstr(text, unwanted)) {
        fail_msg("%s is in %s", unwanted, text);
    }
}

#endif
