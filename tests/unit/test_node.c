// links: mlt_lineage mlt_memsource
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/memsource.h"
#include "lineage/finding.h"

#include <cmocka.h>

#define NOW "2026-01-07T00:00:10Z"
#define RUN "{\"kind\":\"training.run\",\"training_job_id\":\"j\""
#define PREDICTION "{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-01-07T00:00:00Z\""

struct fixture {
    struct mlt_memsource *m;
    struct mlt_source source;
    struct mlt_arena arena;
    struct mlt_walk walk;
    struct mlt_error err;
};

static void setup(struct fixture *f) {
    *f = (struct fixture){.m = mlt_memsource_new()};
}

static void begin(struct fixture *f) {
    f->source = mlt_memsource_source(f->m);
    assert_int_equal(mlt_walk_begin(&f->walk, &f->source, &f->arena, &f->err), MLT_OK);
}

static void teardown(struct fixture *f) {
    mlt_story_clear(f->walk.story);
    mlt_arena_clear(&f->arena);
    mlt_memsource_free(f->m);
}

static const struct mlt_node *run_of(struct fixture *f) {
    begin(f);
    assert_int_equal(mlt_walk_run(&f->walk, mlt_str("j"), NULL), MLT_OK);
    assert_int_equal(f->walk.story->training_runs.num, 1);
    return f->walk.story->training_runs.nodes[0];
}

static void test_completes(void **state) {
    // A later record of the same producer that only adds members completes the earlier one.
    struct fixture f;
    (void)state;
    setup(&f);
    mlt_memsource_add(f.m, "a", NOW, RUN ",\"git_commit\":\"c1\"}");
    mlt_memsource_add(f.m, "a", NOW, RUN ",\"git_commit\":\"c1\",\"triggered_by\":\"dana\"}");
    const struct mlt_node *run = run_of(&f);
    assert_int_equal(run->num_parts, 2);
    assert_int_equal(run->parts[1].relation, MLT_REL_COMPLETES);
    assert_true(mlt_bytes_is(mlt_node_string(run, "triggered_by", &f.arena), "dana"));
    assert_int_equal(mlt_node_get(run, "triggered_by").entry, 1);
    assert_int_equal(mlt_node_get(run, "git_commit").entry, 0);
    teardown(&f);
}

static void test_corroborates(void **state) {
    // An equal record of another producer corroborates, whatever its clock says.
    struct fixture f;
    (void)state;
    setup(&f);
    mlt_memsource_add(f.m, "a", NOW, RUN ",\"git_commit\":\"c1\",\"timestamp\":\"2026-01-07T00:00:00Z\"}");
    mlt_memsource_add(f.m, "b", NOW, RUN ",\"git_commit\":\"c1\",\"timestamp\":\"2026-01-07T00:00:01Z\"}");
    const struct mlt_node *run = run_of(&f);
    assert_int_equal(run->num_parts, 2);
    assert_int_equal(run->parts[1].relation, MLT_REL_CORROBORATES);
    teardown(&f);
}

static void test_conflicts(void **state) {
    // A different value is a conflict, whoever sends it: both stand, and the earlier one answers.
    static const char *const producers[] = {"a", "b"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        setup(&f);
        mlt_memsource_add(f.m, "a", NOW, RUN ",\"git_commit\":\"c1\"}");
        mlt_memsource_add(f.m, producers[i], NOW, RUN ",\"git_commit\":\"c2\",\"triggered_by\":\"dana\"}");
        const struct mlt_node *run = run_of(&f);
        assert_int_equal(run->num_parts, 2);
        assert_int_equal(run->parts[1].relation, MLT_REL_CONFLICTS);
        assert_true(mlt_bytes_is(mlt_node_string(run, "git_commit", &f.arena), "c1"));
        teardown(&f);
    }
}

static void test_details_go_back(void **state) {
    // Facts that were too long for the entry are read back in their place.
    struct fixture f;
    char *long_text = calloc(1, 40001);
    char *json = calloc(1, 50000);
    (void)state;
    assert_non_null(long_text);
    assert_non_null(json);
    memset(long_text, 'x', 40000);
    snprintf(json, 50000, RUN ",\"git_commit\":\"c1\",\"hyperparameters\":{\"note\":\"%s\",\"depth\":3}}", long_text);
    setup(&f);
    mlt_memsource_add(f.m, "a", NOW, json);
    const struct mlt_node *run = run_of(&f);
    assert_int_not_equal(run->parts[0].entry.details, MLT_JSON_NONE);
    struct mlt_value v = mlt_node_get(run, "hyperparameters");
    assert_true(mlt_json_raw(v.json, v.at).len > 40000);
    assert_true(mlt_bytes_is(mlt_node_string(run, "git_commit", &f.arena), "c1"));
    teardown(&f);
    free(long_text);
    free(json);
}

static void test_payload_says_why_it_is_not_here(void **state) {
    // A payload member that cannot be shown says why; one that was never recorded says that.
    static const enum mlt_payload_state states[] = {MLT_PAYLOAD_WITHHELD, MLT_PAYLOAD_ERASED, MLT_PAYLOAD_MISSING};
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct fixture f;
        struct mlt_node *node;
        setup(&f);
        mlt_memsource_add(f.m, "a", NOW, PREDICTION ",\"prediction\":0.5}");
        mlt_memsource_set_payload(f.m, 0, states[i]);
        begin(&f);
        assert_int_equal(mlt_node_load(&f.walk, 0, &node), MLT_OK);
        struct mlt_value v = mlt_node_get(node, "prediction");
        assert_null(v.json);
        assert_int_equal(v.payload, states[i]);
        assert_int_equal(mlt_node_get(node, "feature_values").payload, MLT_PAYLOAD_NONE);
        teardown(&f);
    }
}

static void test_payload_is_read(void **state) {
    // Payload members are looked up like facts.
    struct fixture f;
    struct mlt_node *node;
    (void)state;
    setup(&f);
    mlt_memsource_add(f.m, "a", NOW, PREDICTION ",\"prediction\":0.50,\"model\":\"m\"}");
    begin(&f);
    assert_int_equal(mlt_node_load(&f.walk, 0, &node), MLT_OK);
    assert_true(mlt_bytes_is(mlt_node_raw(node, "prediction"), "0.50"));
    assert_true(mlt_bytes_is(mlt_node_raw(node, "model"), "\"m\""));
    assert_null(mlt_node_raw(node, "model_version").ptr);
    teardown(&f);
}

static void test_corrections_show_both(void **state) {
    // A correction becomes a part and a node of its own; the corrected value is not put in the place of the first.
    struct fixture f;
    (void)state;
    setup(&f);
    mlt_memsource_add(f.m, "a", NOW, RUN ",\"git_commit\":\"c1\"}");
    mlt_memsource_add(f.m, "a", NOW,
                      "{\"kind\":\"correction\",\"corrects\":\"job:j\",\"members\":{\"git_commit\":\"c2\"},\"reason\":"
                      "\"wrong\",\"corrected_by\":\"a\"}");
    const struct mlt_node *run = run_of(&f);
    assert_int_equal(run->num_parts, 2);
    assert_int_equal(run->parts[1].relation, MLT_REL_CORRECTS);
    assert_true(mlt_bytes_is(mlt_node_string(run, "git_commit", &f.arena), "c1"));
    assert_int_equal(f.walk.story->related.num, 1);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completes),
        cmocka_unit_test(test_corroborates),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_details_go_back),
        cmocka_unit_test(test_payload_says_why_it_is_not_here),
        cmocka_unit_test(test_payload_is_read),
        cmocka_unit_test(test_corrections_show_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
