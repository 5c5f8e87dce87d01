// links: mlt_segment mlt_testlib
//
// Segments on a disk that fails: while whole ones are committed to, merged and sealed, one operation fails or the
// machine stops. Afterwards every commitment that the log holds is true, its file is there or is built again, the work
// goes on to its end, and nothing is left in links/ but what counts.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/records.h"
#include "lib/simdisk.h"
#include "record/segment.h"
#include "segment/segments.h"
#include "segment/verify.h"

#include <cmocka.h>

#define ENTRIES 16      // of a whole segment
#define PREDICTIONS 270 // sixteen whole segments, which become one, and a tail

struct session {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_trail_options opt;
    struct mlt_trail *trail;
    struct mlt_segments *segments;
    struct records records;
    struct mlt_error err;
    char name[96]; // of the run, for what fails
    size_t num_faults;
};

static void ignore_fatal(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)err;
}

static void must(struct session *s, enum mlt_status status, const char *what) {
    if (status != MLT_OK) {
        fail_msg("%s: %s: %s", s->name, what, s->err.text);
    }
}

static enum mlt_status append(struct session *s, uint64_t *entry, struct mlt_error *err) {
    size_t n = s->records.batch.num_drafts;
    struct mlt_receipt *receipts = calloc(n, sizeof(*receipts));
    struct mlt_head head;
    enum mlt_status status = mlt_trail_append_wait(s->trail, &s->records.batch, false, receipts, &head, err);
    *entry = receipts[0].index;
    free(receipts);
    mlt_batch_reset(&s->records.batch);
    return status;
}

static enum mlt_status commit(void *ctx, const struct mlt_segment *segment, uint64_t *entry, struct mlt_error *err) {
    struct session *s = ctx;
    static const struct mlt_producer producer = {"mltrail", "local"};
    struct mlt_problem problem;
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &text);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "control");
    mlt_segment_write(&w, segment);
    mlt_jw_end_object(&w);
    must(s,
         mlt_builder_add_own(s->records.builder, &s->records.batch, &producer, mlt_buf_bytes(&text), &problem, &s->err),
         "build a commitment");
    mlt_buf_clear(&text);
    return append(s, entry, err);
}

static void open_segments(struct session *s) {
    const struct mlt_segments_options opt = {.trail = s->trail, .entries = ENTRIES, .commit = commit, .ctx = s};
    must(s, mlt_segments_open(&s->segments, &opt, &s->err), "open the segments");
}

static void open_all(struct session *s) {
    must(s, mlt_trail_open(&s->trail, s->env, &s->opt, &s->err), "open the trail");
    must(s, mlt_trail_start(s->trail, NULL, &s->err), "start the trail");
    records_open(&s->records, s->env, mlt_trail_keys(s->trail));
    open_segments(s);
}

static void close_all(struct session *s) {
    mlt_segments_close(s->segments);
    records_close(&s->records);
    (void)mlt_trail_close(s->trail, NULL); // the disk may be dead
}

static uint64_t size_of(struct session *s) {
    struct mlt_head head;
    mlt_trail_head(s->trail, &head);
    return head.size;
}

static void learn(struct session *s) {
    struct mlt_arena arena = {0};
    for (uint64_t i = 0; i < size_of(s); i++) {
        struct mlt_bytes bytes;
        struct mlt_entry e;
        must(s, mlt_trail_entry(s->trail, i, &arena, &bytes, &s->err), "read an entry");
        must(s, mlt_entry_parse(&e, &arena, bytes, &s->err), "parse an entry");
        if (mlt_segment_is(&e)) {
            must(s, mlt_segments_learn(s->segments, i, bytes, &s->err), "learn a commitment");
        }
        mlt_entry_clear(&e);
    }
    mlt_arena_clear(&arena);
}

// All the work there is, and a seal of everything; false when something failed.
static bool work(struct session *s) {
    bool more = true;
    enum mlt_status status = MLT_OK;
    while (more && status == MLT_OK) {
        status = mlt_segments_step(s->segments, &more, &s->err);
    }
    status = status ? status : mlt_segments_seal(s->segments, size_of(s), &s->err);
    return status == MLT_OK;
}

static enum mlt_status entries(void *ctx, uint64_t first, size_t count, struct mlt_buf *out, struct mlt_error *err) {
    struct session *s = ctx;
    return mlt_trail_entries(s->trail, first, count, out, err);
}

static void note_fault(void *ctx, uint64_t entry, const char *text) {
    struct session *s = ctx;
    fail_msg("%s: entry %llu: %s", s->name, (unsigned long long)entry, text);
}

static bool count_name(void *arg, const char *name) {
    (void)name;
    ++*(size_t *)arg;
    return true;
}

static void check(struct session *s) {
    struct mlt_arena arena = {0};
    const struct mlt_committed *list;
    size_t num;
    size_t num_files = 0;
    uint64_t covered;
    struct mlt_segment_verify_report report;
    const struct mlt_segment_verify_options opt = {
        .size = size_of(s), .entries = entries, .fault = note_fault, .ctx = s, .env = s->env};
    must(s, mlt_segment_verify(&opt, &report, &s->err), "verify");
    must(s, mlt_segments_at(s->segments, size_of(s), &arena, &list, &num, &covered, &s->err), "cover");
    assert_true(covered >= PREDICTIONS && list[0].segment.end == (uint64_t)ENTRIES * MLT_SEGMENT_FANOUT);
    for (size_t i = 0; i < num; i++) {
        const struct mlt_bytes value = mlt_str("r-7");
        struct mlt_link link;
        struct mlt_link_proof p;
        mlt_link_make(&link, MLT_DIM_REQUEST, &value, 1);
        must(s, mlt_segments_prove(s->segments, &list[i], &link, 10, &arena, &p, &s->err), "prove");
        assert_true(mlt_link_proof_verify(&list[i].segment, &link, &p, NULL));
        assert_int_equal(p.count, i == 0);
    }
    // What digested the tail for the next seal goes with the process that made it.
    bool more;
    mlt_segments_close(s->segments);
    open_segments(s);
    learn(s);
    must(s, mlt_segments_step(s->segments, &more, &s->err), "clean");
    must(s, s->env->list(s->env, "/d/t/links", count_name, &num_files, &s->err), "list");
    assert_int_equal(num_files, num);
    mlt_arena_clear(&arena);
}

// One run; false when the fault was never reached.
static bool run(uint64_t seed, enum simdisk_fault fault, uint64_t at) {
    struct session s = {.disk = simdisk_new(seed),
                        .opt = {.dir = "/d/t", .journal_bytes = 1 << 20, .reserve_bytes = 1, .fatal = ignore_fatal}};
    uint64_t first;
    (void)snprintf(s.name, sizeof(s.name), "seed %llu, %s at operation %llu", (unsigned long long)seed,
                   simdisk_fault_names[fault], (unsigned long long)at);
    s.env = simdisk_env(s.disk);
    must(&s, s.env->mkdir(s.env, "/d", false, &s.err), "make a directory");
    must(&s, s.env->sync_dir(s.env, "", &s.err), "sync the root");
    must(&s, mlt_trail_create(s.env, &s.opt, "example.org/crash", false, false, &s.err), "create");
    open_all(&s);
    for (int i = 0; i < PREDICTIONS; i++) {
        records_prediction(&s.records, 4);
    }
    must(&s, append(&s, &first, &s.err), "append");
    simdisk_plan(s.disk, fault, at);
    bool good = work(&s);
    bool fired = simdisk_fired(s.disk);
    assert_true(good || fired);
    close_all(&s);
    fired = fired || simdisk_fired(s.disk); // by the close
    simdisk_plan(s.disk, SIMDISK_NONE, 0);
    simdisk_dead(s.disk) ? simdisk_reboot(s.disk) : simdisk_restart(s.disk);
    open_all(&s);
    learn(&s);
    if (!work(&s)) {
        fail_msg("%s: the work does not go on: %s", s.name, s.err.text);
    }
    check(&s);
    close_all(&s);
    simdisk_free(s.disk);
    return fired;
}

static void test_faults(void **state) {
    (void)state;
    for (enum simdisk_fault fault = SIMDISK_ERROR_APPLIED; fault <= SIMDISK_DEATH_AFTER; fault++) {
        uint64_t runs = 0;
        // Every operation at first, where the first segments are made; then ever fewer.
        for (uint64_t at = 1; run(at, fault, at); at += 1 + at / 8) {
            runs++;
        }
        assert_in_range(runs, 20, 10000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
