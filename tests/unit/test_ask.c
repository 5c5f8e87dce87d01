// links: mlt_dossier mlt_base_posix mlt_testlib
#include <setjmp.h>

#include "dossier_trail.h"

#include <cmocka.h>

static struct trail trail;
static struct mlt_buf out;
static struct looked doc;

static int set_up(void **state) {
    (void)state;
    trail_open(&trail);
    trail_fill(&trail);
    trail_seal(&trail, E_ALL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    trail_close(&trail);
    mlt_buf_clear(&out);
    mlt_json_clear(&doc.json);
    mlt_arena_clear(&doc.arena);
    return 0;
}

static void ask(const char *id, struct mlt_ask question) {
    struct mlt_error err = {0};
    mlt_buf_reset(&out);
    if (mlt_ask_json(&trail.src, &trail.ctx, id, &question, &out, &err) != MLT_OK ||
        mlt_json_scan(&doc.json, mlt_buf_bytes(&out), &err) != MLT_OK) {
        fail_msg("%s\n%.*s", err.text, MLT_ARG(mlt_buf_bytes(&out)));
    }
}

static void expect(const char *path, const char *json) {
    const struct mlt_bytes got = raw(&doc, path);
    if (!mlt_bytes_is(got, json)) {
        fail_msg("%s is %.*s, expected %s\n", path, MLT_ARG(got), json);
    }
}

static void expect_said(const char *words) {
    const char *answer = mlt_arena_cstr(&doc.arena, mlt_json_string(&doc.json, look(&doc, "answer"), &doc.arena));
    if (!strstr(answer, words)) {
        fail_msg("\"%s\" is not in: %s\n", words, answer);
    }
}

static int64_t at(const char *text) {
    int64_t ns;
    assert_true(mlt_date_parse(&ns, mlt_str(text)));
    return ns;
}

#define REQUEST(id) ((struct mlt_ask){.request_id = mlt_str(id)})
#define VERSION(m, v) ((struct mlt_ask){.model = mlt_str(m), .model_version = mlt_str(v)})

static void the_questions_stand_word_for_word(void **state) {
    // The three questions of the mission, and each can be asked by its words.
    (void)state;
    static const char *const words[] = {"Which model version made this prediction on this date?",
                                        "What data was this model trained on?",
                                        "Who approved this model for production?"};
    assert_int_equal(mlt_num_questions, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(mlt_questions[i].text, words[i]);
        ask(words[i], REQUEST("r-1"));
        expect("answered", "true");
        expect("integrity.verdict", "\"verified\"");
    }
    ask("prd-01", REQUEST("r-1"));
    expect("question.id", "\"PRD-01\"");
}

static void which_version_made_the_prediction(void **state) {
    // The answer names version, artifact, node and entry; on another date it is no answer.
    (void)state;
    ask("PRD-01", REQUEST("r-1"));
    expect("answered", "true");
    expect_said("On 2026-11-23T09:50:00Z request r-1 was answered by model fna version 7, artifact " HASH_B ", on n1");
    expect("data.model_version", "\"7\"");
    expect("data.predictions.0.entry", "6");
    expect("data.model_versions.0.entry", "2");
    expect("missing", "[]");
    struct mlt_ask question = REQUEST("r-1");
    question.has_at = true;
    question.at = at("2026-11-23T23:59:00Z");
    ask("PRD-01", question);
    expect("answered", "true");
    question.at = at("2026-11-24");
    ask("PRD-01", question);
    expect("answered", "false");
    expect_said("It was not made on 2026-11-24");
}

static void what_it_was_trained_on(void **state) {
    // By version or by request: the job, the datasets with their hashes, the tables with their ranges.
    (void)state;
    for (int i = 0; i < 2; i++) {
        ask("TRN-02", i ? REQUEST("r-1") : VERSION("fna", "7"));
        expect("answered", "true");
        expect_said(
            "model fna version 7 was job job-1 (entry 1), on: wdbc 1 (train), " HASH_A
            ", from table samples of pg from 2020-01-01 to 2025-01-01 (exclusive), and table labels of pg (all dates)");
        expect("data.sources.1.table", "\"labels\"");
        expect("entries", i ? "[0,1,2,3,6]" : "[0,1,2]"); // with the prediction, and what was found about it
        expect("integrity.verdict", "\"verified\"");
    }
}

static void who_approved_it(void **state) {
    // Approver, role, reference, reason; that the name is only claimed; the deployment under it.
    (void)state;
    ask("APR-01", VERSION("fna", "7"));
    expect("answered", "true");
    expect_said("okafor (model risk) approved model fna version 7 on 2026-11-23T09:30:00Z, reference CAB-1 (entry 3)");
    expect_said("is a claim of portal");
    expect_said("It was moved to production by jari on 2026-11-23T09:40:00Z under this approval (entry 5)");
    struct mlt_ask question = VERSION("fna", "7");
    question.has_at = true;
    question.at = at("2026-11-23T09:00:00Z");
    ask("APR-01", question);
    expect("answered", "false");
    question.at = at("2027-02-01");
    ask("APR-01", question);
    expect("answered", "false");
    expect_said("It had expired on 2027-01-01T00:00:00Z");
}

static void a_model_without_a_version_means_the_one_in_production(void **state) {
    // The newest move to production by the time asked about decides; before any there is no answer.
    (void)state;
    struct mlt_ask question = {.model = mlt_str("fna")};
    ask("APR-01", question);
    expect("answered", "true");
    expect("data.model_version", "\"7\"");
    expect_said("Version 7 is the one that was last moved to production (entry 5). okafor (model risk) approved");
    question.has_at = true;
    question.at = at("2026-11-23T09:38:00Z");
    ask("TRN-02", question);
    expect("answered", "false");
    expect_said("No version of model fna is recorded to have been moved to production by then.");
    ask("TRN-02", (struct mlt_ask){.model = mlt_str("other")});
    expect("answered", "false");
}

static void a_revoked_approval_is_no_approval(void **state) {
    // After the revocation the answer is no, and names who revoked it.
    (void)state;
    trail_add(
        &trail, "portal",
        "{\"kind\":\"approval\",\"approval_reference\":\"CAB-1\",\"model\":\"fna\",\"model_version\":\"7\","
        "\"verdict\":\"revoked\",\"approver\":\"salo\",\"timestamp\":\"2026-11-23T12:00:00Z\",\"reason\":\"drift\"}");
    trail_seal(&trail, E_ALL + 1);
    ask("APR-01", VERSION("fna", "7"));
    expect("answered", "false");
    expect_said("It was revoked by salo on 2026-11-23T12:00:00Z");
    struct mlt_ask question = VERSION("fna", "7");
    question.has_at = true;
    question.at = at("2026-11-23T11:00:00Z");
    ask("APR-01", question);
    expect("answered", "true");
}

#define CAB_2(verdict, time)                                                                                           \
    "{\"kind\":\"approval\",\"approval_reference\":\"CAB-2\",\"model\":\"fna\",\"model_version\":\"7\",\"verdict\":"   \
    "\"" verdict "\",\"approver\":\"salo\",\"timestamp\":\"" time "\",\"reason\":\"study\"}"

static void another_approval_changes_nothing(void **state) {
    // The approval that the deployment names is the answer: a later one and its revocation are about something else.
    (void)state;
    trail_add(&trail, "portal", CAB_2("approved", "2026-11-23T12:00:00Z"));
    trail_add(&trail, "portal", CAB_2("revoked", "2026-11-23T13:00:00Z"));
    trail_seal(&trail, E_ALL + 2);
    for (int i = 0; i < 2; i++) {
        ask("APR-01", i ? REQUEST("r-1") : VERSION("fna", "7"));
        expect("answered", "true");
        expect_said("okafor (model risk) approved model fna version 7 on 2026-11-23T09:30:00Z, reference CAB-1");
        expect("missing", "[]");
    }
}

static void an_approval_rejected_afterwards_is_none(void **state) {
    // Approved, then rejected under the same reference.
    (void)state;
    trail_add(
        &trail, "portal",
        "{\"kind\":\"approval\",\"approval_reference\":\"CAB-1\",\"model\":\"fna\",\"model_version\":\"7\","
        "\"verdict\":\"rejected\",\"approver\":\"salo\",\"timestamp\":\"2026-11-23T12:00:00Z\",\"reason\":\"drift\"}");
    trail_seal(&trail, E_ALL + 1);
    ask("APR-01", VERSION("fna", "7"));
    expect("answered", "false");
    expect_said("It was then rejected under the same reference by salo on 2026-11-23T12:00:00Z");
}

static void a_correction_is_not_passed_over(void **state) {
    // The record stands, and the answer says that another one corrects it.
    (void)state;
    trail_add(
        &trail, "serving",
        "{\"kind\":\"correction\",\"corrects\":{\"entry\":6},\"members\":{\"model_version\":\"8\"},\"reason\":\"wrong "
        "label\",\"corrected_by\":\"ops\"}");
    trail_seal(&trail, E_ALL + 1);
    ask("PRD-01", REQUEST("r-1"));
    expect("data.model_version", "\"7\"");
    expect_said("Entry 6 is corrected by entry");
}

static void a_request_without_a_response_was_not_answered(void **state) {
    // Half of a prediction is none: where it was sent is said, and that nothing came back.
    (void)state;
    trail_add(
        &trail, "kserve",
        "{\"kind\":\"prediction\",\"request_id\":\"r-2\",\"timestamp\":\"2026-11-23T10:30:00Z\",\"half\":\"request\","
        "\"model\":\"fna\",\"model_version\":\"7\",\"feature_values\":[1]}");
    trail_seal(&trail, E_ALL + 1);
    ask("PRD-01", REQUEST("r-2"));
    expect("answered", "false");
    expect("missing", "[\"the response to r-2\"]");
    expect_said("request r-2 was sent to model fna version 7, registered with artifact " HASH_B
                " (which one it was is not recorded)");
    expect_said("No response to it is recorded.");
}

static void what_was_found_about_the_prediction_is_told_with_every_answer(void **state) {
    // Nothing is recorded about the version: that is a finding of the prediction, and not "no findings".
    (void)state;
    trail_add(&trail, "chat",
              "{\"kind\":\"prediction\",\"request_id\":\"r-2\",\"timestamp\":\"2026-11-23T10:30:00Z\",\"model\":\"m\","
              "\"model_version\":\"1\",\"prediction\":1}");
    trail_seal(&trail, E_ALL + 1);
    static const char *const questions[] = {"PRD-01", "TRN-02", "APR-01"};
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        ask(questions[i], REQUEST("r-2"));
        expect("findings.0.code", "\"approval-missing\"");
        expect("entries", "[9]");
    }
}

static void an_alias_that_goes_leaves_the_stage(void **state) {
    // An alias comes and goes beside the stage: that it was taken away is not "moved to none".
    (void)state;
    trail_add(
        &trail, "mlflow",
        "{\"kind\":\"transition\",\"move\":\"alias\",\"model\":\"m\",\"model_version\":\"1\",\"from_stage\":\"none\","
        "\"to_stage\":\"champion\",\"performed_by\":\"lena\",\"timestamp\":\"2026-11-23T10:40:00Z\"}");
    trail_seal(&trail, E_ALL + 1);
    ask("APR-01", VERSION("m", "1"));
    expect_said("It was given the alias champion by lena");
    trail_add(&trail, "mlflow",
              "{\"kind\":\"transition\",\"move\":\"alias\",\"model\":\"m\",\"model_version\":\"1\",\"from_stage\":"
              "\"champion\","
              "\"to_stage\":\"none\",\"performed_by\":\"lena\",\"timestamp\":\"2026-11-23T10:41:00Z\"}");
    trail_seal(&trail, E_ALL + 2);
    ask("APR-01", VERSION("m", "1"));
    expect_said("The alias champion was taken from it by lena on 2026-11-23T10:41:00Z");
}

static void what_is_not_recorded_is_an_answer_too(void **state) {
    // Unknown requests and versions, and a version without a run, answer false with what is missing.
    (void)state;
    ask("PRD-01", REQUEST("r-404"));
    expect("answered", "false");
    expect("missing", "[\"prediction r-404\"]");
    expect_said("No prediction with request_id r-404");
    ask("APR-01", VERSION("fna", "99"));
    expect("answered", "false");
    trail_add(&trail, "mlflow",
              "{\"kind\":\"model.version\",\"model\":\"fna\",\"model_version\":\"8\",\"training_job_id\":\"job-8\"}");
    trail_seal(&trail, E_ALL + 1);
    ask("TRN-02", VERSION("fna", "8"));
    expect("answered", "false");
    expect("missing", "[\"training.run job-8\"]");
    ask("APR-01", VERSION("fna", "8"));
    expect("answered", "false");
    expect_said("No approval of model fna version 8 is recorded. No deployment of it is recorded.");
}

static void a_question_without_its_parameters_is_refused(void **state) {
    // The message says which parameter would be right; an unknown question is not found.
    (void)state;
    struct mlt_error err = {0};
    struct mlt_ask nothing = {0};
    assert_int_equal(mlt_ask_json(&trail.src, &trail.ctx, "PRD-01", &nothing, &out, &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "--request-id"));
    assert_int_equal(mlt_ask_json(&trail.src, &trail.ctx, "TRN-02", &nothing, &out, &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "--model"));
    assert_int_equal(mlt_ask_json(&trail.src, &trail.ctx, "XYZ-99", &nothing, &out, &err), MLT_NOTFOUND);
    assert_int_equal(out.len, 0);
}

static void answers_read_well_on_a_terminal(void **state) {
    // Question, answer, what is missing, verdict; narrow and in colour as well.
    (void)state;
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    ask("APR-01", VERSION("fna", "7"));
    assert_int_equal(mlt_ask_text(mlt_buf_bytes(&out), false, 200, &text, &err), MLT_OK);
    assert_non_null(
        strstr(mlt_buf_cstr(&text), "APR-01  Who approved this model for production?\n\nokafor (model risk)"));
    assert_non_null(strstr(mlt_buf_cstr(&text), "INTEGRITY"));
    mlt_buf_reset(&text);
    ask("PRD-01", REQUEST("r-404"));
    assert_int_equal(mlt_ask_text(mlt_buf_bytes(&out), true, 40, &text, &err), MLT_OK);
    assert_non_null(strstr(mlt_buf_cstr(&text), "- missing: prediction r-404"));
    mlt_buf_clear(&text);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(the_questions_stand_word_for_word),
        T(which_version_made_the_prediction),
        T(what_it_was_trained_on),
        T(who_approved_it),
        T(a_revoked_approval_is_no_approval),
        T(another_approval_changes_nothing),
        T(an_approval_rejected_afterwards_is_none),
        T(a_correction_is_not_passed_over),
        T(a_model_without_a_version_means_the_one_in_production),
        T(a_request_without_a_response_was_not_answered),
        T(what_was_found_about_the_prediction_is_told_with_every_answer),
        T(an_alias_that_goes_leaves_the_stage),
        T(what_is_not_recorded_is_an_answer_too),
        T(a_question_without_its_parameters_is_refused),
        T(answers_read_well_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
