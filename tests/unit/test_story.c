// links: mlt_lineage mlt_memsource
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/memsource.h"
#include "lineage/finding.h"

#include <cmocka.h>

#define NOW "2026-01-07T00:00:10Z"
#define AT(time) "\"timestamp\":\"2026-01-07T" time "Z\""
#define PREDICTION(id, members) "{\"kind\":\"prediction\",\"request_id\":\"" id "\"," AT("00:00:00") "," members "}"
#define VERSION(v, members)                                                                                            \
    "{\"kind\":\"model.version\",\"model\":\"m\",\"model_version\":\"" v "\"," AT("00:00:00") members "}"
#define MOVE(v, from, to, time, members)                                                                               \
    "{\"kind\":\"transition\",\"model\":\"m\",\"model_version\":\"" v "\",\"from_stage\":\"" from                      \
    "\",\"to_stage\":\"" to "\"," AT(time) members "}"
#define NAMED(v) "\"model\":\"m\",\"model_version\":\"" v "\""

static struct mlt_story *tell(struct mlt_memsource *m, const char *request, struct mlt_arena *arena) {
    static struct mlt_source source; // outlives the story, as a caller's does
    struct mlt_story *story = NULL;
    struct mlt_error err = {0};
    source = mlt_memsource_source(m);
    if (mlt_story_tell(&source, mlt_str(request), arena, &story, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return story;
}

static void done(struct mlt_story *story, struct mlt_arena *arena, struct mlt_memsource *m) {
    mlt_story_clear(story);
    mlt_arena_clear(arena);
    mlt_memsource_free(m);
}

static bool has_finding(const struct mlt_story *story, const char *code) {
    for (size_t i = 0; i < story->num_findings; i++) {
        if (strcmp(story->findings[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_edge(const struct mlt_story *story, uint64_t from, uint64_t to, const char *how) {
    for (size_t i = 0; i < story->num_edges; i++) {
        if (story->edges[i].from->entry == from && story->edges[i].to->entry == to &&
            strcmp(story->edges[i].how, how) == 0) {
            return true;
        }
    }
    return false;
}

static void test_unknown_request(void **state) {
    // A request_id that no prediction has is not found, and the text names it.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_source source = mlt_memsource_source(m);
    struct mlt_arena arena = {0};
    struct mlt_story *story;
    struct mlt_error err = {0};
    (void)state;
    assert_int_equal(mlt_story_tell(&source, mlt_str("nope"), &arena, &story, &err), MLT_NOTFOUND);
    assert_non_null(strstr(err.text, "nope"));
    assert_null(story);
    done(NULL, &arena, m);
}

static void test_served_among_shadows(void **state) {
    // Of several predictions with one request_id the one that is neither shadow, challenger nor failed was served.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1") ",\"deployment\":{\"variant\":\"shadow\"}"));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("2") ",\"status\":\"error\""));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("3") ",\"deployment\":{\"variant\":\"canary\"}"));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("4") ",\"deployment\":{\"variant\":\"challenger\"}"));
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->predictions.num, 4);
    assert_non_null(story->served);
    assert_int_equal(story->served->entry, 2);
    done(story, &arena, m);
}

static void test_rows_are_one_answer(void **state) {
    // The rows of one request by one model were served together.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1") ",\"row\":0"));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1") ",\"row\":1"));
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->predictions.num, 2);
    assert_int_equal(story->served->entry, 0);
    assert_false(has_finding(story, "served-unclear"));
    done(story, &arena, m);
}

static void test_late_part_completes_its_prediction(void **state) {
    // A record that leaves out the version completes the one prediction that it fits.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", "\"prediction\":1"));
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->predictions.num, 1);
    assert_int_equal(story->predictions.nodes[0]->num_parts, 2);
    assert_int_equal(story->predictions.nodes[0]->parts[1].relation, MLT_REL_COMPLETES);
    done(story, &arena, m);
}

static void test_components_and_base_models(void **state) {
    // Components of components and base models of runs are walked; a model that contains itself ends the walk.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "r", NOW, VERSION("1", ",\"components\":[{" NAMED("2") "}]"));
    mlt_memsource_add(m, "r", NOW, VERSION("2", ",\"training_job_id\":\"j\",\"components\":[{" NAMED("1") "}]"));
    mlt_memsource_add(m, "r", NOW,
                      "{\"kind\":\"training.run\",\"training_job_id\":\"j\",\"base_models\":[{" NAMED("3") "}]}");
    mlt_memsource_add(m, "r", NOW, VERSION("3", ""));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->model_versions.num, 3);
    assert_int_equal(story->training_runs.num, 1);
    assert_true(has_finding(story, "lineage-loop"));
    assert_true(has_edge(story, 4, 0, "made by"));
    assert_true(has_edge(story, 0, 1, "component"));
    assert_true(has_edge(story, 1, 2, "trained by"));
    assert_true(has_edge(story, 2, 3, "base model"));
    done(story, &arena, m);
}

static void test_resolves_the_version(void **state) {
    // A prediction without a version gets the one that was in production then, with the transition that says so.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "r", "2026-01-06T00:00:00Z", VERSION("1", ""));
    mlt_memsource_add(m, "r", "2026-01-06T00:00:00Z", VERSION("2", ""));
    mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "Production", "00:00:00", ""));
    mlt_memsource_add(m, "c", NOW, MOVE("1", "Production", "Archived", "00:00:02", ""));
    mlt_memsource_add(m, "c", NOW, MOVE("2", "none", "Production", "00:00:02", ""));
    mlt_memsource_add(m, "k", NOW, "{\"kind\":\"prediction\",\"request_id\":\"r\",\"model\":\"m\"," AT("00:00:01") "}");
    mlt_memsource_add(m, "k", NOW, "{\"kind\":\"prediction\",\"request_id\":\"s\",\"model\":\"m\"," AT("00:00:03") "}");
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->num_resolutions, 1);
    assert_true(mlt_bytes_is(story->resolutions[0].model_version, "1"));
    assert_int_equal(story->resolutions[0].entry, 2);
    assert_true(has_edge(story, 5, 0, "resolved"));
    mlt_story_clear(story);
    story = tell(m, "s", &arena);
    assert_true(mlt_bytes_is(story->resolutions[0].model_version, "2"));
    done(story, &arena, m);
}

static void test_resolves_by_deployment(void **state) {
    // A prediction without model and version is resolved by its deployment, also when the transition names less of it.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "prod", "00:00:00", ",\"deployment\":{\"endpoint\":\"/score\"}"));
    mlt_memsource_add(m, "c", NOW, MOVE("2", "none", "prod", "00:00:00", ",\"deployment\":{\"endpoint\":\"/other\"}"));
    mlt_memsource_add(m, "k", NOW,
                      PREDICTION("r", "\"deployment\":{\"endpoint\":\"/score\",\"environment\":\"eu\",\"variant\":"
                                      "\"champion\"}"));
    mlt_memsource_add(m, "k", NOW, PREDICTION("s", "\"status\":\"ok\""));
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->num_resolutions, 1);
    assert_true(mlt_bytes_is(story->resolutions[0].model_version, "1"));
    mlt_story_clear(story);
    story = tell(m, "s", &arena);
    assert_int_equal(story->num_resolutions, 0);
    assert_true(has_finding(story, "model-version-unresolved"));
    done(story, &arena, m);
}

static void test_in_force_by_log_and_by_time(void **state) {
    // The transition in force is told by the order of the log and by claimed times, which need not agree.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "production", "00:00:05", "")); // claims a later time
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    mlt_memsource_add(m, "c", NOW, MOVE("1", "production", "prod", "00:00:00", "")); // came later, claims to be earlier
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->in_force.by_log->entry, 0);
    assert_int_equal(story->in_force.by_time->entry, 2);
    assert_true(has_finding(story, "in-force-differs"));
    done(story, &arena, m);
}

static void test_aliases_beside_stages(void **state) {
    // An alias that counts as production keeps a version in production while its stage moves, until it is taken away.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "@champion", "00:00:00", ",\"move\":\"alias\""));
    mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "Staging", "00:00:00", ""));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    mlt_memsource_add(m, "c", NOW, MOVE("1", "@champion", "none", "00:00:01", ",\"move\":\"alias\""));
    mlt_memsource_add(m, "k", NOW, "{\"kind\":\"prediction\",\"request_id\":\"s\"," AT("00:00:02") "," NAMED("1") "}");
    struct mlt_story *story = tell(m, "r", &arena);
    assert_false(has_finding(story, "prediction-outside-production"));
    assert_false(has_finding(story, "from-stage-mismatch"));
    assert_int_equal(story->in_force.by_log->entry, 0);
    mlt_story_clear(story);
    story = tell(m, "s", &arena);
    assert_true(has_finding(story, "prediction-outside-production"));
    done(story, &arena, m);
}

static void test_related_records(void **state) {
    // Decisions, reviews, explanations, notices and outcomes that name the request belong to its story.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    mlt_memsource_add(m, "d", NOW, "{\"kind\":\"decision\",\"result\":\"declined\",\"request_ids\":[\"q\",\"r\"]}");
    mlt_memsource_add(m, "d", NOW, "{\"kind\":\"oversight\",\"request_ids\":[\"r\"],\"verdict\":\"agree\"}");
    mlt_memsource_add(m, "d", NOW, "{\"kind\":\"outcome\",\"request_id\":\"r\",\"value\":1}");
    mlt_memsource_add(m, "d", NOW, "{\"kind\":\"outcome\",\"request_id\":\"q\",\"value\":1}");
    struct mlt_story *story = tell(m, "r", &arena);
    assert_int_equal(story->related.num, 3);
    assert_int_equal(story->related.nodes[0]->kind, MLT_KIND_DECISION);
    done(story, &arena, m);
}

static void test_reads_do_not_grow_with_predictions(void **state) {
    // A story reads as many entries in a trail of thousands of predictions as in one of ten.
    uint64_t reads[2];
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct mlt_memsource *m = mlt_memsource_new();
        struct mlt_arena arena = {0};
        char json[256];
        mlt_memsource_add(m, "r", NOW, VERSION("1", ""));
        mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "production", "00:00:00", ""));
        for (int i = 0; i < (round == 0 ? 10 : 5000); i++) {
            snprintf(json, sizeof(json),
                     "{\"kind\":\"prediction\",\"request_id\":\"r%d\"," AT("00:00:00") "," NAMED(
                         "1") ",\"serving_node\":\"n\",\"sequence\":%d}",
                     i, i);
            mlt_memsource_add(m, "k", NOW, json);
        }
        uint64_t before = mlt_memsource_reads(m);
        struct mlt_story *story = tell(m, "r5", &arena);
        assert_true(story->stream_checked);
        assert_int_equal(story->num_runs, 1);
        reads[round] = mlt_memsource_reads(m) - before;
        done(story, &arena, m);
    }
    assert_int_equal(reads[0], reads[1]);
    assert_true(reads[0] < 50);
}

static void test_same_story_twice(void **state) {
    // The same source gives the same findings in the same order: severity, then code, then entry.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    (void)state;
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("2")));
    struct mlt_story *a = tell(m, "r", &arena);
    struct mlt_story *b = tell(m, "r", &arena);
    assert_int_equal(a->num_findings, b->num_findings);
    for (size_t i = 0; i < a->num_findings; i++) {
        assert_string_equal(a->findings[i].code, b->findings[i].code);
        assert_string_equal(a->findings[i].condition, b->findings[i].condition);
        if (i > 0) {
            assert_true(a->findings[i - 1].severity >= a->findings[i].severity);
        }
    }
    mlt_story_clear(b);
    done(a, &arena, m);
}

static void test_story_of_a_version(void **state) {
    // A model version has a story without any prediction; one that nothing names is not found.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    struct mlt_story *story;
    struct mlt_error err = {0};
    (void)state;
    mlt_memsource_add(m, "r", NOW, VERSION("1", ""));
    mlt_memsource_add(m, "c", NOW, MOVE("1", "none", "production", "00:00:00", ""));
    mlt_memsource_add(m, "c", NOW, MOVE("8", "none", "production", "00:00:00", ""));
    struct mlt_source source = mlt_memsource_source(m);
    assert_int_equal(mlt_story_tell_version(&source, mlt_str("m"), mlt_str("1"), &arena, &story, &err), MLT_OK);
    assert_int_equal(story->predictions.num, 0);
    assert_int_equal(story->model_versions.num, 1);
    assert_int_equal(story->in_force.by_log->entry, 1);
    assert_true(has_finding(story, "approval-missing"));
    assert_false(has_finding(story, "approval-expired"));
    mlt_story_clear(story);
    assert_int_equal(mlt_story_tell_version(&source, mlt_str("m"), mlt_str("8"), &arena, &story, &err), MLT_OK);
    assert_true(has_finding(story, "model-version-unknown"));
    assert_int_equal(story->in_force.by_log->entry, 2);
    mlt_story_clear(story);
    assert_int_equal(mlt_story_tell_version(&source, mlt_str("m"), mlt_str("9"), &arena, &story, &err), MLT_NOTFOUND);
    done(NULL, &arena, m);
}

static void test_wide_record_is_cut_and_not_called_unknown(void **state) {
    // Inputs beyond the limit are left out, which is said once; none of them is called unknown.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    struct mlt_buf json = {0};
    (void)state;
    mlt_buf_put_str(&json, "{\"kind\":\"dataset.version\",\"dataset\":\"wide\",\"version\":\"1\",\"inputs\":[");
    for (int i = 0; i < MLT_STORY_NODES_MAX + 100; i++) {
        mlt_buf_printf(&json, "%s{\"dataset\":\"d%d\",\"version\":\"1\"}", i > 0 ? "," : "", i);
    }
    mlt_buf_put_str(&json, "]}");
    mlt_memsource_add(m, "e", NOW, mlt_buf_cstr(&json));
    mlt_memsource_add(m, "t", NOW,
                      "{\"kind\":\"training.run\",\"training_job_id\":\"j\",\"datasets\":[{\"role\":\"train\","
                      "\"dataset\":\"wide\",\"version\":\"1\"}]}");
    mlt_memsource_add(m, "r", NOW, VERSION("1", ",\"training_job_id\":\"j\""));
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    struct mlt_story *story = tell(m, "r", &arena);
    assert_true(has_finding(story, "lineage-too-deep"));
    assert_false(has_finding(story, "dataset-unknown"));
    mlt_buf_clear(&json);
    done(story, &arena, m);
}

static void test_findings_say_since_when(void **state) {
    // A finding names the entry with which it became known, an absence none, and a later record may resolve it.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    bool unknown = false, conflict = false;
    (void)state;
    mlt_memsource_add(m, "k", NOW, PREDICTION("r", NAMED("1")));
    mlt_memsource_add(m, "r", NOW, VERSION("1", ",\"registered_by\":\"a\""));
    mlt_memsource_add(m, "r", NOW, VERSION("1", ",\"registered_by\":\"b\""));
    struct mlt_story *story = tell(m, "r", &arena);
    for (size_t i = 0; i < story->num_findings; i++) {
        const struct mlt_finding *f = &story->findings[i];
        if (strcmp(f->code, "model-version-unknown") == 0) {
            unknown = true;
            assert_true(f->known_since == UINT64_MAX);
            assert_int_equal(f->resolved_by, 1);
        } else if (strcmp(f->code, "conflicting-records") == 0) {
            conflict = true;
            assert_int_equal(f->known_since, 2);
            assert_true(f->resolved_by == UINT64_MAX);
        }
    }
    assert_true(unknown && conflict);
    done(story, &arena, m);
}

static void test_halves_of_an_access(void **state) {
    // An access that was recorded when it came and again when it was over is one; another producer's under the same
    // name, and one without a name, stand for themselves.
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_arena arena = {0};
    static const char came[] = "{\"kind\":\"access\",\"event_id\":\"e-1\",\"action\":\"read\"," AT(
        "00:00:01") ",\"resource\":{\"type\":\"prediction_log\",\"id\":\"r-1\"}}";
    static const char over[] = "{\"kind\":\"access\",\"event_id\":\"e-1\",\"action\":\"read\"," AT(
        "00:00:01") ",\"resource\":{\"type\":\"prediction_log\",\"id\":\"r-1\"},\"outcome\":\"allowed\"}";
    static const char unnamed[] = "{\"kind\":\"access\",\"action\":\"read\"," AT(
        "00:00:01") ",\"resource\":{\"type\":\"prediction_log\",\"id\":\"r-1\"}}";
    (void)state;
    mlt_memsource_add(m, "producer", NOW, PREDICTION("r-1", NAMED("1")));
    mlt_memsource_add(m, "producer", NOW, came);
    mlt_memsource_add(m, "producer", NOW, unnamed);
    mlt_memsource_add(m, "producer", NOW, over);
    mlt_memsource_add(m, "other", NOW, over);
    mlt_memsource_add(m, "producer", NOW, unnamed);
    struct mlt_story *story = tell(m, "r-1", &arena);
    assert_int_equal(story->access.num, 4);
    assert_int_equal(story->access.nodes[0]->entry, 1);
    assert_int_equal(story->access.nodes[0]->num_parts, 2);
    assert_int_equal(story->access.nodes[0]->parts[1].relation, MLT_REL_COMPLETES);
    assert_true(has_edge(story, 1, 0, "access"));
    assert_false(has_edge(story, 3, 0, "access"));
    done(story, &arena, m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_of_an_access),
        cmocka_unit_test(test_unknown_request),
        cmocka_unit_test(test_served_among_shadows),
        cmocka_unit_test(test_rows_are_one_answer),
        cmocka_unit_test(test_late_part_completes_its_prediction),
        cmocka_unit_test(test_components_and_base_models),
        cmocka_unit_test(test_resolves_the_version),
        cmocka_unit_test(test_resolves_by_deployment),
        cmocka_unit_test(test_in_force_by_log_and_by_time),
        cmocka_unit_test(test_aliases_beside_stages),
        cmocka_unit_test(test_related_records),
        cmocka_unit_test(test_reads_do_not_grow_with_predictions),
        cmocka_unit_test(test_same_story_twice),
        cmocka_unit_test(test_story_of_a_version),
        cmocka_unit_test(test_wide_record_is_cut_and_not_called_unknown),
        cmocka_unit_test(test_findings_say_since_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
