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

static void tell(const char *request_id) {
    struct mlt_error err = {0};
    mlt_buf_reset(&out);
    if (mlt_dossier_json(&trail.src, &trail.ctx, mlt_str(request_id), &out, &err) != MLT_OK ||
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

static void a_dossier_has_every_member_of_its_model(void **state) {
    // The members stand in a fixed order, and a chain that is whole fills each of them.
    (void)state;
    static const char *const members[] = {"request_id",       "predictions",  "model_versions", "training_runs",
                                          "dataset_versions", "sources",      "approvals",      "transitions",
                                          "related",          "access",       "timeline",       "in_force",
                                          "findings",         "completeness", "integrity",      "generated"};
    tell("r-1");
    size_t i = 0;
    for (mlt_json_at n = mlt_json_first(&doc.json, 0); n != MLT_JSON_NONE; n = mlt_json_next(&doc.json, 0, n)) {
        assert_true(i < sizeof(members) / sizeof(members[0]));
        assert_true(mlt_bytes_is(mlt_json_string(&doc.json, n, &doc.arena), members[i]));
        i++;
    }
    assert_int_equal(i, sizeof(members) / sizeof(members[0]));
    expect("request_id", "\"r-1\"");
    expect("predictions.0.entry", "6");
    expect("predictions.0.served", "true");
    expect("model_versions.0.entry", "2");
    expect("training_runs.0.entry", "1");
    expect("dataset_versions.0.entry", "0");
    expect("approvals.0.entry", "3");
    expect("approvals.0.approver_assurance", "\"claimed\"");
    expect("approvals.0.signature_checks", "[]");
    expect("transitions.1.entry", "5");
    expect("related.0.entry", "7");
    expect("access.0.entry", "8");
    expect("in_force.by_log.entry", "5");
    expect("in_force.agree", "true");
    expect("sources.0.table", "\"samples\"");
    expect("sources.0.dataset", "\"wdbc\"");
    expect("sources.1.date_range", "{\"from\":null,\"to\":null}");
    expect("sources.1.query", "null");
    expect("completeness.stream.result", "\"no gap found\"");
    expect("completeness.access.total", "1");
    expect("generated.tree_size", "9");
}

static void numbers_keep_their_digits(void **state) {
    // What was submitted is shown digit for digit; only white space goes.
    (void)state;
    tell("r-1");
    expect("predictions.0.feature_values", "{\"radius\":1.50,\"big\":12345678901234567890123}");
    expect("training_runs.0.metrics.auc", "0.99310000000000000001");
    expect("training_runs.0.hyperparameters.lr", "1.0e-03");
}

static void nothing_is_blank(void **state) {
    // A member of the kind's table that was not given is null; members of the record's own never hide the log's.
    (void)state;
    tell("r-1");
    expect("predictions.0.batch_id", "null");
    expect("predictions.0.extra", "\"mine\"");
    expect("predictions.0.recorded_entry", "\"not the log's\"");
    expect("predictions.0.producer.principal", "\"kserve\"");
    expect("access.0.recorded_entries", "[6]");
    expect("access.0.principal", "\"nurse\"");
}

static void payloads_that_cannot_be_shown_say_why(void **state) {
    // An erased and a withheld payload leave the reason and the commitment, and no value.
    (void)state;
    trail.erased[E_PREDICTION] = true;
    trail.withheld[E_ACCESS] = true;
    tell("r-1");
    expect("predictions.0.prediction.withheld", "\"erased\"");
    expect("predictions.0.subject.withheld", "\"erased\"");
    expect("access.0.principal.withheld", "\"not-granted\"");
    assert_true(look(&doc, "predictions.0.prediction.commitment") != MLT_JSON_NONE);
    assert_null(strstr(mlt_buf_cstr(&out), "malignant"));
    assert_null(strstr(mlt_buf_cstr(&out), "nurse"));
    expect("integrity.verdict", "\"verified\"");
}

static void every_entry_is_proved(void **state) {
    // Each entry has its leaf hash and a path; one changed byte makes the verdict fail and says which entry.
    (void)state;
    tell("r-1");
    expect("integrity.verdict", "\"verified\"");
    expect("integrity.problem", "null");
    assert_int_equal(doc.json.tape[look(&doc, "integrity.entries")].count, E_ALL);
    char leaf[2 * MLT_HASH_LEN + 3] = "\"";
    mlt_hex_encode(leaf + 1, mlt_bytes_of(trail.leaves[E_PREDICTION], MLT_HASH_LEN));
    strcat(leaf, "\"");
    expect("integrity.entries.6.leaf", leaf);
    struct mlt_draft *approval = &trail.batch.drafts[E_APPROVAL];
    uint8_t *okafor = (uint8_t *)strstr((char *)approval->entry, "okafor");
    assert_non_null(okafor);
    okafor[0] = 'O';
    tell("r-1");
    expect("integrity.verdict", "\"failed\"");
    expect("integrity.entries.3.verified", "false");
    expect("integrity.entries.2.verified", "true");
}

static void a_checkpoint_that_does_not_fit_fails(void **state) {
    // Another key, another size, a broken note: failed. No checkpoint at all: unchecked.
    (void)state;
    struct mlt_signer other;
    const uint8_t seed[32] = {77};
    assert_int_equal(mlt_signer_init(&other, mlt_str(TRAIL_ORIGIN), seed, NULL), MLT_OK);
    trail.ctx.vkey = &other.vkey;
    tell("r-1");
    expect("integrity.verdict", "\"failed\"");
    trail.ctx.vkey = &trail.signer.vkey;
    trail.ctx.checkpoint.len -= 4;
    tell("r-1");
    expect("integrity.verdict", "\"failed\"");
    trail.ctx.checkpoint.len = 0;
    tell("r-1");
    expect("integrity.verdict", "\"unchecked\"");
    expect("integrity.checkpoint.note", "null");
    trail_seal(&trail, E_ALL - 1);
    trail.src.size = E_ALL;
    tell("r-1");
    expect("integrity.verdict", "\"failed\"");
    expect("integrity.problem", "\"the checkpoint is for another tree size\"");
    mlt_signer_clear(&other);
}

static void the_same_question_gives_the_same_bytes(void **state) {
    // Twice the same; at an earlier size what came later does not exist.
    (void)state;
    struct mlt_buf first = {0};
    tell("r-1");
    mlt_buf_put_bytes(&first, mlt_buf_bytes(&out));
    tell("r-1");
    assert_int_equal(first.len, out.len);
    assert_memory_equal(first.data, out.data, out.len);
    trail_seal(&trail, E_PREDICTION + 1);
    tell("r-1");
    expect("access", "[]");
    expect("related", "[]");
    expect("integrity.verdict", "\"verified\"");
    trail_seal(&trail, E_PREDICTION);
    struct mlt_error err = {0};
    assert_int_equal(mlt_dossier_json(&trail.src, &trail.ctx, mlt_str("r-1"), &out, &err), MLT_NOTFOUND);
    mlt_buf_clear(&first);
}

static void an_unknown_request_gets_a_clear_answer(void **state) {
    // The message names the request and the size, and nothing is written.
    (void)state;
    struct mlt_error err = {0};
    mlt_buf_reset(&out);
    assert_int_equal(mlt_dossier_json(&trail.src, &trail.ctx, mlt_str("r-2"), &out, &err), MLT_NOTFOUND);
    assert_non_null(strstr(err.text, "\"r-2\""));
    assert_non_null(strstr(err.text, "9 entries"));
    assert_int_equal(out.len, 0);
}

static void the_timeline_marks_claims_that_disagree(void **state) {
    // Log order, with a mark where a claimed time goes against it.
    (void)state;
    tell("r-1");
    for (unsigned i = 0; i < E_ALL; i++) {
        char path[32], number[8];
        snprintf(path, sizeof(path), "timeline.%u.entry", i);
        snprintf(number, sizeof(number), "%u", i);
        expect(path, number);
    }
    expect("timeline.7.disagreement", "null");
    expect("timeline.8.disagreement", "\"claimed-before-an-earlier-entry\"");
    expect("timeline.3.actor", "\"okafor\"");
}

static void records_that_contradict_both_stand(void **state) {
    // A second record of the prediction with another artifact is shown beside the first, with what differs.
    (void)state;
    trail_add(
        &trail, "kserve",
        "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-11-23T09:50:00Z\",\"model\":\"fna\","
        "\"model_version\":\"7\",\"model_artifact_hash\":\"" HASH_A "\",\"serving_node\":\"n1\",\"stream\":\"s\","
        "\"sequence\":0}");
    trail_seal(&trail, E_ALL + 1);
    tell("r-1");
    expect("predictions.0.entries", "[6,9]");
    expect("predictions.0.model_artifact_hash", "\"" HASH_B "\"");
    expect("predictions.0.other_entries.0.relation", "\"conflicts\"");
    expect("predictions.0.other_entries.0.differs", "{\"model_artifact_hash\":\"" HASH_A "\"}");
    expect("integrity.verdict", "\"verified\"");
}

static void a_version_that_the_trail_resolved_is_marked(void **state) {
    // A prediction that names no version says null, and what the trail makes of it stands apart with its entry.
    (void)state;
    trail_add(
        &trail, "gateway",
        "{\"kind\":\"prediction\",\"request_id\":\"r-2\",\"timestamp\":\"2026-11-23T10:30:00Z\",\"model\":\"fna\","
        "\"prediction\":\"benign\"}");
    trail_seal(&trail, E_ALL + 1);
    tell("r-2");
    expect("predictions.0.model_version", "null");
    expect("predictions.0.resolved.model", "\"fna\"");
    expect("predictions.0.resolved.model_version", "\"7\"");
    expect("predictions.0.resolved.from_entry", "5");
    expect("predictions.0.resolved.artifact_from_entry", "2"); // the digest that the version is registered with
    expect("model_versions.0.entry", "2");
    expect("completeness.stream.checked", "false");
    expect("completeness.stream.result", "\"could not check\"");
}

// The first paragraph of the text is what is read out: nothing in it may sound surer than it is.
static void expect_first(const char *words) {
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    assert_int_equal(mlt_dossier_text(mlt_buf_bytes(&out), false, 4000, &text, &err), MLT_OK);
    const char *at = strstr(mlt_buf_cstr(&text), words), *end = strstr(mlt_buf_cstr(&text), "THE CHAIN");
    if (!at || at > end) {
        fail_msg("\"%s\" is not in: %.1500s\n", words, mlt_buf_cstr(&text));
    }
    mlt_buf_clear(&text);
}

static void a_resolved_version_is_told_whole(void **state) {
    // The first paragraph denies nothing that the dossier shows below: what is behind the version that was resolved.
    (void)state;
    trail_add(
        &trail, "gateway",
        "{\"kind\":\"prediction\",\"request_id\":\"r-2\",\"timestamp\":\"2026-11-23T10:30:00Z\",\"model\":\"fna\","
        "\"prediction\":\"benign\"}");
    trail_seal(&trail, E_ALL + 1);
    tell("r-2");
    expect_first(
        "version (not recorded), which it does not name; by entry 5 it was fna 7 (registered with artifact " HASH_B
        "; which one it was is not recorded) on");
    expect_first("the version was approved by okafor");
    expect_first("It was trained by job");
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    assert_int_equal(mlt_dossier_text(mlt_buf_bytes(&out), false, 4000, &text, &err), MLT_OK);
    assert_null(strstr(mlt_buf_cstr(&text), "The registration of this model version is not recorded"));
    mlt_buf_clear(&text);
}

static void a_request_without_a_response_was_not_answered(void **state) {
    (void)state;
    trail_add(
        &trail, "kserve",
        "{\"kind\":\"prediction\",\"request_id\":\"r-2\",\"timestamp\":\"2026-11-23T10:30:00Z\",\"half\":\"request\","
        "\"model\":\"fna\",\"model_version\":\"7\",\"feature_values\":[1]}");
    trail_seal(&trail, E_ALL + 1);
    tell("r-2");
    expect_first("request r-2 was sent to model fna version 7");
    expect_first("No response to it is recorded.");
}

static void a_claimed_and_a_revoked_approval_are_called_that(void **state) {
    (void)state;
    tell("r-1");
    expect_first("A record submitted by ");
    expect_first(", without a good signature of the approver, says that the version was approved by okafor");
    trail_add(&trail, "registry",
              "{\"kind\":\"approval\",\"approval_reference\":\"CAB-1\",\"model\":\"fna\",\"model_version\":\"7\","
              "\"verdict\":\"revoked\",\"approver\":\"okafor\",\"timestamp\":\"2026-11-23T10:40:00Z\"}");
    trail_seal(&trail, E_ALL + 1);
    tell("r-1");
    expect_first("The approval was revoked by okafor on 2026-11-23T10:40:00Z (entry 9), which the log has after this "
                 "prediction.");
}

static void a_correction_stands_beside_what_it_corrects(void **state) {
    // Both versions are shown, the timeline has the correction once, and it is proved like the rest.
    (void)state;
    trail_add(
        &trail, "ehr",
        "{\"kind\":\"correction\",\"event_id\":\"c1\",\"corrects\":{\"entry\":6},\"members\":{\"serving_node\":\"n2\"},"
        "\"reason\":\"typo\",\"corrected_by\":\"jari\",\"timestamp\":\"2026-11-23T10:40:00Z\"}");
    trail_seal(&trail, E_ALL + 1);
    tell("r-1");
    expect("predictions.0.serving_node", "\"n1\"");
    expect("predictions.0.other_entries.0.relation", "\"corrects\"");
    expect("predictions.0.other_entries.0.differs.members", "{\"serving_node\":\"n2\"}");
    assert_non_null(strstr(mlt_buf_cstr(&out), "\"what\":\"correction of entry 6: prediction by fna 7\""));
    assert_non_null(strstr(mlt_buf_cstr(&out), "\"actor\":\"jari\""));
    expect_first("This is as first recorded; corrected by entry 9.");
    assert_int_equal(doc.json.tape[look(&doc, "timeline")].count, E_ALL + 1);
    assert_int_equal(doc.json.tape[look(&doc, "integrity.entries")].count, E_ALL + 1);
    expect("integrity.verdict", "\"verified\"");
}

static void the_renderings_take_a_real_dossier(void **state) {
    // Text and page of a dossier made from records carry its answer.
    (void)state;
    struct mlt_buf text = {0}, page = {0};
    struct mlt_error err = {0};
    tell("r-1");
    assert_int_equal(mlt_dossier_text(mlt_buf_bytes(&out), false, 4000, &text, &err), MLT_OK);
    assert_int_equal(mlt_dossier_html(mlt_buf_bytes(&out), &page, &err), MLT_OK);
    assert_non_null(
        strstr(mlt_buf_cstr(&text), "On 2026-11-23T09:50:00Z request r-1 was answered by model fna version 7"));
    assert_non_null(strstr(mlt_buf_cstr(&text), "approved by okafor (reference CAB-1)"));
    assert_non_null(strstr(mlt_buf_cstr(&page), "approved by okafor"));
    mlt_buf_clear(&text);
    mlt_buf_clear(&page);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_dossier_has_every_member_of_its_model),
        T(numbers_keep_their_digits),
        T(nothing_is_blank),
        T(payloads_that_cannot_be_shown_say_why),
        T(every_entry_is_proved),
        T(a_checkpoint_that_does_not_fit_fails),
        T(the_same_question_gives_the_same_bytes),
        T(an_unknown_request_gets_a_clear_answer),
        T(the_timeline_marks_claims_that_disagree),
        T(a_claimed_and_a_revoked_approval_are_called_that),
        T(records_that_contradict_both_stand),
        T(the_renderings_take_a_real_dossier),
        T(a_version_that_the_trail_resolved_is_marked),
        T(a_resolved_version_is_told_whole),
        T(a_request_without_a_response_was_not_answered),
        T(a_correction_stands_beside_what_it_corrects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
