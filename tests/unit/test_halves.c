// links: mlt_lineage mlt_memsource
//
// Halves of predictions: what belongs together is put together in any order, and what is missing or contradicts shows.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/memsource.h"
#include "lineage/finding.h"
#include "lineage/halves.h"

#include <cmocka.h>

#define NOW "2026-01-07T00:00:10Z"
#define SHA(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define AT(deployment) "\"deployment\":{\"endpoint\":\"" deployment "\",\"variant\":\"champion\"}"
#define HALF(id, which, time, rest)                                                                                    \
    "{\"kind\":\"prediction\",\"request_id\":\"" id "\",\"timestamp\":\"2026-01-07T00:00:" time                        \
    "Z\",\"half\":\"" which "\"," rest "}"
#define REQUEST(id, rest) HALF(id, "request", "01", "\"feature_values\":[1]," AT("bank/credit") rest)
#define RESPONSE(id, rest) HALF(id, "response", "02", "\"prediction\":0.5," AT("bank/credit") rest)
#define PAIR(id) ",\"event_id\":\"" id "\""
#define ROW(n) ",\"row\":" #n
#define DIGEST(c) ",\"message_digest\":\"" SHA(c) "\""

static struct mlt_memsource *m;
static struct mlt_source source;
static struct mlt_arena arena;
static struct mlt_story *story;

static int set_up(void **state) {
    (void)state;
    m = mlt_memsource_new();
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    mlt_story_clear(story);
    story = NULL;
    mlt_arena_clear(&arena);
    mlt_memsource_free(m);
    return 0;
}

static void add(const char *json) {
    mlt_memsource_add(m, "logger", NOW, json);
}

static enum mlt_status ask(const char *request) {
    struct mlt_error err = {0};
    mlt_story_clear(story);
    source = mlt_memsource_source(m);
    return mlt_story_tell(&source, mlt_str(request), &arena, &story, &err);
}

static size_t predictions(const char *request) {
    assert_int_equal(ask(request), MLT_OK);
    return story->predictions.num;
}

static const struct mlt_finding *finding(const char *code) {
    for (size_t i = 0; i < story->num_findings; i++) {
        if (strcmp(story->findings[i].code, code) == 0) {
            return &story->findings[i];
        }
    }
    return NULL;
}

static void whole_and_undisputed(const char *request) {
    assert_int_equal(predictions(request), 1);
    assert_non_null(story->served);
    assert_int_equal(story->served->num_parts, 2);
    assert_int_equal(story->served->parts[1].relation, MLT_REL_COMPLETES);
    assert_non_null(mlt_node_get(story->served, "feature_values").json);
    assert_non_null(mlt_node_get(story->served, "prediction").json);
    assert_null(finding("conflicting-records"));
    assert_null(finding("prediction-unanswered"));
    assert_null(finding("prediction-unasked"));
}

static void test_two_halves_are_one_prediction(void **state) {
    // A request and its response are one prediction, although their times and messages differ.
    (void)state;
    add(REQUEST("r", DIGEST("aa")));
    add(RESPONSE("r", DIGEST("bb") ",\"model\":\"m\",\"model_version\":\"1\""));
    whole_and_undisputed("r");
    assert_true(mlt_bytes_is(mlt_node_string(story->served, "model", &arena), "m"));
}

static void test_response_first(void **state) {
    // Delivery is not ordered: a response may come before its request.
    (void)state;
    add(RESPONSE("r", DIGEST("bb")));
    add(REQUEST("r", DIGEST("aa")));
    whole_and_undisputed("r");
}

static void test_a_half_by_another_producer(void **state) {
    // Whoever knows the id of a request can send a response to it: it is not taken for the server's own.
    (void)state;
    add(REQUEST("r", DIGEST("aa")));
    mlt_memsource_add(m, "mallory", NOW, RESPONSE("r", DIGEST("bb")));
    assert_int_equal(predictions("r"), 1);
    assert_non_null(finding("members-by-another"));
    assert_non_null(strstr(finding("members-by-another")->condition, "prediction"));
    // In rows, of a request that was not split.
    add(REQUEST("s", DIGEST("aa")));
    mlt_memsource_add(m, "mallory", NOW, RESPONSE("s", DIGEST("bb") ROW(0)));
    assert_int_equal(predictions("s"), 2);
    assert_non_null(finding("prediction-unanswered"));
    assert_non_null(finding("prediction-unasked"));
}

static void test_the_same_message_twice(void **state) {
    // A half that was logged twice, at another time, is no contradiction.
    (void)state;
    add(REQUEST("r", DIGEST("aa")));
    add(HALF("r", "request", "05", "\"feature_values\":[1]," AT("bank/credit") DIGEST("aa")));
    add(RESPONSE("r", DIGEST("bb")));
    assert_int_equal(predictions("r"), 1);
    assert_int_equal(story->served->num_parts, 3);
    assert_null(finding("conflicting-records"));
}

static void test_an_event_of_a_prediction(void **state) {
    // A prediction and the event that tells of it later are one, in any order; what both say must agree all the same.
    static const char *const texts[] = {
        HALF("r", "event", "09", "\"feature_values\":[1]," AT("bank/credit")),
        "{\"kind\":\"prediction\",\"request_id\":\"r\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"prediction\":0.5," AT(
            "bank/credit") "}",
    };
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        add(texts[first]);
        add(texts[1 - first]);
        whole_and_undisputed("r");
        add(HALF("r", "event", "09", "\"feature_values\":[2]," AT("bank/credit")));
        assert_int_equal(predictions("r"), 1);
        assert_non_null(finding("conflicting-records"));
        tear_down(NULL);
        set_up(NULL);
    }
    add(texts[0]); // of itself it lacks nothing
    assert_int_equal(predictions("r"), 1);
    assert_null(finding("prediction-unanswered"));
    assert_null(finding("prediction-unasked"));
}

static void test_halves_that_disagree(void **state) {
    // Two responses with one id contradict each other: by their message, their value, their model.
    static const char *const others[] = {
        RESPONSE("r", DIGEST("cc")),
        HALF("r", "response", "02", "\"prediction\":0.7," AT("bank/credit") DIGEST("bb")),
        RESPONSE("r", DIGEST("bb") ",\"model\":\"other\""),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        add(REQUEST("r", DIGEST("aa")));
        add(RESPONSE("r", DIGEST("bb") ",\"model\":\"m\""));
        add(others[i]);
        assert_int_equal(predictions("r"), 1);
        assert_non_null(finding("conflicting-records"));
        assert_int_equal(story->served->parts[2].relation, MLT_REL_CONFLICTS);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void test_messages_that_disagree(void **state) {
    // A message with other rows under the same id contradicts the first, though no row of it contradicts a row.
    (void)state;
    add(REQUEST("r", DIGEST("aa")));
    add(RESPONSE("r", ROW(0) DIGEST("bb")));
    add(RESPONSE("r", ROW(1) DIGEST("bb")));
    assert_int_equal(predictions("r"), 3);
    assert_null(finding("conflicting-records"));
    add(RESPONSE("r", ROW(2) DIGEST("cc")));
    assert_int_equal(predictions("r"), 4);
    assert_non_null(finding("conflicting-records"));
    assert_int_equal(finding("conflicting-records")->entries[0], 1);
    assert_int_equal(finding("conflicting-records")->entries[1], 3);
}

static void test_only_one_half(void **state) {
    // What never came is a finding that names the half which did.
    (void)state;
    add(REQUEST("asked", ""));
    add(RESPONSE("answered", ""));
    assert_int_equal(predictions("asked"), 1);
    assert_int_equal(finding("prediction-unanswered")->entries[0], 0);
    assert_null(finding("prediction-unasked"));
    assert_int_equal(predictions("answered"), 1);
    assert_int_equal(finding("prediction-unasked")->entries[0], 1);
    assert_null(finding("prediction-unanswered"));
}

static void test_services_apart(void **state) {
    // Ids are the callers' choice: the same one at another service is another prediction.
    (void)state;
    add(REQUEST("r", ""));
    add(HALF("r", "response", "02", "\"prediction\":0.5," AT("bank/fraud")));
    assert_int_equal(predictions("r"), 2);
    assert_non_null(finding("prediction-unanswered"));
    assert_non_null(finding("prediction-unasked"));
}

static void test_ids_of_the_server(void **state) {
    // A server that gives the response an id of its own does not part the halves: either id leads to both, and so does
    // the one that the logger paired them by.
    static const char *const ids[] = {"pair-1", "made-up"};
    (void)state;
    add(REQUEST("pair-1", DIGEST("aa")));
    add(RESPONSE("made-up", PAIR("pair-1") DIGEST("bb")));
    for (size_t i = 0; i < 2; i++) {
        whole_and_undisputed(ids[i]);
    }
}

static void test_ids_of_the_caller(void **state) {
    // A caller's id in both bodies is found by it and by the logger's id; one that is used again is two predictions.
    (void)state;
    add(REQUEST("42", PAIR("pair-1")));
    add(REQUEST("42", PAIR("pair-2")));
    add(RESPONSE("42", PAIR("pair-2")));
    add(RESPONSE("42", PAIR("pair-1")));
    whole_and_undisputed("pair-1");
    assert_int_equal(story->served->entry, 0);
    whole_and_undisputed("pair-2");
    assert_int_equal(story->served->entry, 1);
    assert_int_equal(predictions("42"), 2);
    assert_null(finding("conflicting-records"));
    assert_non_null(finding("served-unclear"));
}

static void test_rows(void **state) {
    // Rows are predictions of their own; id#row tells the story of one, with the halves that stand for all rows.
    (void)state;
    add(REQUEST("r", ROW(0)));
    add(REQUEST("r", ROW(1)));
    add(RESPONSE("r", ROW(1)));
    add(RESPONSE("r", ROW(0)));
    assert_int_equal(predictions("r"), 2);
    assert_null(finding("prediction-unanswered"));
    assert_null(finding("served-unclear"));
    assert_int_equal(predictions("r#1"), 1);
    assert_int_equal(story->predictions.nodes[0]->entry, 1);
    assert_int_equal(story->predictions.nodes[0]->num_parts, 2);
    assert_int_equal(ask("r#2"), MLT_NOTFOUND);
    assert_int_equal(ask("r#01"), MLT_NOTFOUND);
    assert_int_equal(ask("#1"), MLT_NOTFOUND);
}

static void test_row_of_a_request_without_rows(void **state) {
    // Row 0 is the only prediction of a request without rows.
    (void)state;
    add(REQUEST("r", ""));
    add(RESPONSE("r", ""));
    assert_int_equal(predictions("r#0"), 1);
    assert_int_equal(ask("r#1"), MLT_NOTFOUND);
}

static void test_id_with_a_hash_sign(void **state) {
    // An id that has a '#' in it wins over the row of another.
    (void)state;
    add(REQUEST("r", ROW(3)));
    add(RESPONSE("r", ROW(3)));
    assert_int_equal(predictions("r#3"), 1);
    assert_int_equal(story->predictions.nodes[0]->entry, 0);
    add(REQUEST("r#3", ""));
    assert_int_equal(predictions("r#3"), 1);
    assert_int_equal(story->predictions.nodes[0]->entry, 2);
    assert_int_equal(predictions("r#3#0"), 1);
}

static void test_whole_request_for_rows(void **state) {
    // A request that could not be split is the request of every row of its response.
    (void)state;
    add(REQUEST("r", ""));
    add(RESPONSE("r", ROW(0)));
    add(RESPONSE("r", ROW(1)));
    assert_int_equal(predictions("r"), 3);
    assert_null(finding("prediction-unanswered"));
    assert_null(finding("prediction-unasked"));
    assert_null(finding("served-unclear"));
    assert_int_equal(story->served->entry, 1);
    assert_int_equal(predictions("r#1"), 2);
    assert_null(finding("prediction-unasked"));
}

static void test_transformer_stands_aside(void **state) {
    // What a transformer in front of the predictor logged is not what the model answered.
    static const char transformer[] =
        HALF("r", "response", "03",
             "\"prediction\":1,\"deployment\":{\"endpoint\":\"bank/credit\",\"variant\":\"champion\",\"component\":"
             "\"transformer\"}");
    (void)state;
    add(transformer);
    add(REQUEST("r", ""));
    add(RESPONSE("r", ""));
    assert_int_equal(predictions("r"), 2);
    assert_int_equal(story->served->entry, 1);
    assert_null(finding("served-unclear"));
}

#define VERSION                                                                                                        \
    "{\"kind\":\"model.version\",\"model\":\"credit\",\"model_version\":\"7\",\"timestamp\":\"2026-01-01T00:00:00Z\"," \
    "\"model_artifact_hash\":\"" SHA("ab") "\"}"
#define MOVE(version, to, day)                                                                                         \
    "{\"kind\":\"transition\",\"model\":\"credit\",\"model_version\":\"" version "\",\"to_stage\":\"" to               \
    "\",\"timestamp\":\"2026-01-" day "T00:00:00Z\",\"deployment\":{\"endpoint\":\"bank/credit\"}}"

static void resolved_to(const char *version, uint64_t entry) {
    const struct mlt_resolution *r = mlt_story_resolution(story, story->predictions.nodes[0]);
    assert_non_null(r);
    assert_true(mlt_bytes_is(r->model, "credit"));
    assert_true(mlt_bytes_is(r->model_version, version));
    assert_int_equal(r->entry, entry);
    assert_non_null(finding("model-version-resolved"));
}

static void test_resolved_by_endpoint(void **state) {
    // A logger that knows no version gets it from the transitions of its endpoint in force at the time, with the
    // artifact that the version is registered with.
    (void)state;
    add(VERSION);
    add(MOVE("6", "production", "02"));
    add(MOVE("6", "archived", "03"));
    add(MOVE("7", "production", "03"));
    add(MOVE("7", "archived", "08"));
    add(REQUEST("r", ""));
    add(RESPONSE("r", ""));
    assert_int_equal(predictions("r"), 1);
    resolved_to("7", 3);
    const struct mlt_resolution *r = mlt_story_resolution(story, story->predictions.nodes[0]);
    assert_non_null(r->artifact.json);
    assert_int_equal(r->artifact.entry, 0);
}

static void test_not_resolved(void **state) {
    // Nothing or two versions in production there is no version.
    (void)state;
    add(REQUEST("r", ""));
    assert_int_equal(predictions("r"), 1);
    assert_non_null(finding("model-version-unresolved"));
    add(MOVE("6", "production", "02"));
    add(MOVE("7", "production", "03"));
    assert_int_equal(predictions("r"), 1);
    assert_non_null(finding("model-version-unresolved"));
    assert_null(mlt_story_resolution(story, story->predictions.nodes[0]));
}

static void test_name_that_the_trail_does_not_know(void **state) {
    // Triton's own "1" of a model that no record knows is resolved too; a name that the trail knows never is.
    (void)state;
    add(MOVE("7", "production", "03"));
    add(RESPONSE("r", ",\"model\":\"isvc\",\"model_version\":\"1\""));
    assert_int_equal(predictions("r"), 1);
    resolved_to("7", 0);
    add(RESPONSE("s", ",\"model\":\"credit\",\"model_version\":\"1\""));
    assert_int_equal(predictions("s"), 1);
    assert_int_equal(story->num_resolutions, 0);
    assert_non_null(finding("model-version-unknown"));
    add(RESPONSE("t", ",\"model\":\"isvc\""));
    assert_int_equal(predictions("t"), 1);
    resolved_to("7", 0);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_two_halves_are_one_prediction),
        T(test_response_first),
        T(test_a_half_by_another_producer),
        T(test_the_same_message_twice),
        T(test_an_event_of_a_prediction),
        T(test_halves_that_disagree),
        T(test_messages_that_disagree),
        T(test_only_one_half),
        T(test_services_apart),
        T(test_ids_of_the_server),
        T(test_ids_of_the_caller),
        T(test_rows),
        T(test_row_of_a_request_without_rows),
        T(test_id_with_a_hash_sign),
        T(test_whole_request_for_rows),
        T(test_transformer_stands_aside),
        T(test_resolved_by_endpoint),
        T(test_not_resolved),
        T(test_name_that_the_trail_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
