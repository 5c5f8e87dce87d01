// links: mlt_dossier mlt_memsource mlt_base_posix
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "dossier/dossier_time.h"
#include "lib/memsource.h"

#define NONE UINT64_MAX
#define DAY "2026-03-01"

static uint64_t add_event(struct mlt_memsource *m, const char *received) {
    return mlt_memsource_add(m, "local:ops", received,
                             "{\"kind\":\"x-event\",\"public\":[\"what\"],\"what\":\"something\"}");
}

// An anchor of the first `tree_size` entries, stamped at DAY `clock`; its token plays no part here.
static uint64_t add_anchor(struct mlt_memsource *m, uint64_t tree_size, const char *clock) {
    char json[1024], received[40];
    (void)snprintf(received, sizeof received, DAY "T%sZ", clock);
    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"anchor\",\"anchor\":\"rfc3161\",\"tree_size\":%llu,"
                   "\"root\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\","
                   "\"imprint\":\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\","
                   "\"token_hash\":\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\","
                   "\"gen_time\":\"%s\",\"serial\":\"01\",\"policy\":\"1.2\",\"authority\":\"CN=T\"}",
                   (unsigned long long)tree_size, received);
    return mlt_memsource_add(m, "mltrail", received, json);
}

struct found {
    struct mlt_arena arena;
    struct mlt_source src;
    struct mlt_proof_set set;
    struct mlt_times *times;
};

// find_bounds brackets the `num` entries of `indexes`, or every one when it is NULL.
static void find_bounds(struct found *f, struct mlt_memsource *m, const uint64_t *indexes, size_t num) {
    struct mlt_error err = {0};
    *f = (struct found){.src = mlt_memsource_source(m)};
    f->set.arena = &f->arena;
    for (uint64_t i = 0; i < (indexes ? num : f->src.size); i++) {
        mlt_proof_set_add(&f->set, indexes ? indexes[i] : i, (struct mlt_bytes){0});
    }
    mlt_proof_set_sort(&f->set);
    f->times = mlt_arena_zero(&f->arena, sizeof *f->times);
    if (mlt_times_find(f->times, &f->arena, &f->src, &f->set, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
}

static const struct mlt_time_bounds *bounds_of(const struct found *f, uint64_t index) {
    for (size_t i = 0; i < f->set.num; i++) {
        if (f->set.items[i].index == index) {
            return f->set.items[i].bounds;
        }
    }
    fail_msg("entry %llu is not in the set", (unsigned long long)index);
    return NULL;
}

static void assert_bounds(const struct found *f, uint64_t index, uint64_t before, uint64_t after) {
    const struct mlt_time_bounds *b = bounds_of(f, index);
    assert_int_equal(b->before ? b->before->entry : NONE, before);
    assert_int_equal(b->after ? b->after->entry : NONE, after);
}

static void test_no_anchor(void **state) {
    // Without anchors nothing is bounded, and nothing counts as covered.
    (void)state;
    struct mlt_memsource *m = mlt_memsource_new();
    struct found f;
    add_event(m, DAY "T00:00:00Z");
    find_bounds(&f, m, NULL, 0);
    assert_bounds(&f, 0, NONE, NONE);
    assert_true(bounds_of(&f, 0)->received_fits);
    assert_false(f.times->all_covered);
    assert_int_equal(f.times->num, 0);
    mlt_arena_clear(&f.arena);
    mlt_memsource_free(m);
}

static void test_between(void **state) {
    // An entry lies after the newest anchor entry before it, and before the oldest anchor whose tree holds it: not the
    // one that was asked for before the entry was there and recorded after. The anchors join the set, without bounds.
    (void)state;
    struct mlt_memsource *m = mlt_memsource_new();
    struct found f;
    static const uint64_t asked[] = {0, 2, 5};
    add_event(m, DAY "T00:00:00Z"); // 0
    add_anchor(m, 1, "01:00:00");   // 1
    add_event(m, DAY "T02:00:00Z"); // 2
    add_anchor(m, 2, "03:00:00");   // 3: without entry 2
    add_anchor(m, 4, "04:00:00");   // 4
    add_event(m, DAY "T05:00:00Z"); // 5
    find_bounds(&f, m, asked, 3);
    assert_bounds(&f, 0, NONE, 1);
    assert_bounds(&f, 2, 1, 4);
    assert_bounds(&f, 5, 4, NONE);
    assert_false(f.times->all_covered);
    assert_int_equal(f.set.num, 5); // the three, and anchors 1 and 4
    assert_null(bounds_of(&f, 1));
    assert_null(bounds_of(&f, 4));
    mlt_arena_clear(&f.arena);
    find_bounds(&f, m, asked, 2);
    assert_true(f.times->all_covered);
    mlt_arena_clear(&f.arena);
    mlt_memsource_free(m);
}

static void test_received(void **state) {
    // A time of the server that lies outside is told from one whose clock is off by seconds.
    (void)state;
    struct mlt_memsource *m = mlt_memsource_new();
    struct found f;
    add_anchor(m, 0, "01:00:00");
    add_event(m, DAY "T00:59:30Z"); // half a minute too early
    add_event(m, DAY "T00:50:00Z"); // ten minutes
    add_event(m, DAY "T02:10:00Z"); // ten minutes too late
    add_event(m, DAY "T01:30:00Z");
    add_anchor(m, 5, "02:00:00");
    find_bounds(&f, m, NULL, 0);
    assert_bounds(&f, 1, 0, 5);
    assert_true(bounds_of(&f, 1)->received_fits);
    assert_false(bounds_of(&f, 2)->received_fits);
    assert_false(bounds_of(&f, 3)->received_fits);
    assert_true(bounds_of(&f, 4)->received_fits);
    mlt_arena_clear(&f.arena);
    mlt_memsource_free(m);
}

#define RANDOM_ENTRIES 400

static void test_against_the_definition(void **state) {
    // Whatever the log looks like, the bounds are those that the definition gives by looking at every anchor.
    (void)state;
    struct mlt_memsource *m = mlt_memsource_new();
    struct found f;
    uint64_t covers[RANDOM_ENTRIES]; // NONE: no anchor
    srand(7);
    for (uint64_t i = 0; i < RANDOM_ENTRIES; i++) {
        const bool anchor = i > 0 && rand() % 3 == 0;
        covers[i] = anchor ? i - (uint64_t)rand() % (i < 5 ? i : 5) : NONE;
        anchor ? add_anchor(m, covers[i], "01:00:00") : add_event(m, DAY "T01:00:00Z");
    }
    find_bounds(&f, m, NULL, 0);
    for (uint64_t i = 0; i < RANDOM_ENTRIES; i++) {
        uint64_t before = NONE, after = NONE;
        for (uint64_t a = 0; a < RANDOM_ENTRIES; a++) {
            if (covers[a] != NONE) {
                before = a < i ? a : before;
                after = after == NONE && a > i && covers[a] > i ? a : after;
            }
        }
        assert_bounds(&f, i, before, after);
    }
    mlt_arena_clear(&f.arena);
    mlt_memsource_free(m);
}

static void test_few_reads(void **state) {
    // Neighbours share their anchors: a hundred entries in a row read theirs and two anchors, not a hundred times two.
    (void)state;
    struct mlt_memsource *m = mlt_memsource_new();
    struct found f;
    add_anchor(m, 0, "01:00:00");
    for (int i = 0; i < 100; i++) {
        add_event(m, DAY "T01:00:00Z");
    }
    add_anchor(m, 101, "01:00:00");
    const uint64_t before = mlt_memsource_reads(m);
    find_bounds(&f, m, NULL, 0);
    assert_true(mlt_memsource_reads(m) - before <= 102 + 2);
    mlt_arena_clear(&f.arena);
    mlt_memsource_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_anchor), cmocka_unit_test(test_between),
        cmocka_unit_test(test_received),  cmocka_unit_test(test_against_the_definition),
        cmocka_unit_test(test_few_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
