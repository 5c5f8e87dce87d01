// One case per finding: the clean story of test_findings.c with one defect.

#define REPLACE(slot, old, new)                                                                                        \
    { slot, old, new }
#define WITHOUT(slot)                                                                                                  \
    { slot, NULL, NULL }
#define EDITS(n, ...) .edits = {__VA_ARGS__}, .num_edits = (n)
#define EXTRA(n, ...) .extra = {__VA_ARGS__}, .num_extra = (n)
#define EARLY(n, ...) .early = {__VA_ARGS__}, .num_early = (n)

#define SERVED_TIME "2026-01-07T00:00:02Z"
#define VERDICT(reference, verdict, time)                                                                              \
    "{\"kind\":\"approval\",\"approval_reference\":\"" reference                                                       \
    "\",\"model\":\"credit\",\"model_version\":\"7\",\"verdict\":\"" verdict                                           \
    "\",\"approver\":\"erin\",\"timestamp\":\"" time "\",\"model_artifact_hash\":\"" HASH_MODEL                        \
    "\",\"reason\":\"review\"}"
#define PREDICTION(members)                                                                                            \
    "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"model_artifact_hash\":"  \
    "\"" HASH_MODEL "\",\"feature_values\":{\"x\":1},\"prediction\":0.25,\"serving_node\":\"n2\"," members "}"
#define SHADOW                                                                                                         \
    "\"model\":\"credit\",\"model_version\":\"7\",\"deployment\":{\"environment\":\"prod\",\"region\":\"eu\","         \
    "\"endpoint\":\"/score\",\"variant\":\"shadow\"}"

#define BY_ZOE REPLACE(APPROVAL, "\"approver\":\"erin\"", "\"approver\":\"zoe\"")
#define SIGNED(...)                                                                                                    \
    .signing = &(const struct signing) {                                                                               \
        __VA_ARGS__                                                                                                    \
    }
#define ZOE_MAY .allowed = "zoe %\n"

static const struct finding_case CASES[] = {
    // Who and what.
    {.code = "model-version-unknown", EDITS(1, WITHOUT(VERSION))},
    {.code = "model-version-unknown", // registered after the fact
     EDITS(1, WITHOUT(VERSION)),
     EXTRA(1, {"registry", "2026-01-08T00:00:02Z",
               "{\"kind\":\"model.version\",\"model\":\"credit\",\"model_version\":\"7\",\"timestamp\":"
               "\"2026-01-08T00:00:00Z\",\"model_artifact_hash\":\"" HASH_MODEL
               "\",\"training_job_id\":\"job-1\",\"registered_by\":\"dana\"}"})},
    {.code = "model-version-resolved", EDITS(1, REPLACE(SERVED, "\"model_version\":\"7\",", ""))},
    {.code = "model-version-resolved", // by the deployment alone
     .also = "evidence-missing",
     EDITS(1, REPLACE(SERVED, "\"model\":\"credit\",\"model_version\":\"7\",", ""))},
    {.code = "model-version-unresolved",
     EDITS(2, REPLACE(SERVED, "\"model_version\":\"7\",", ""),
           REPLACE(MOVE, "\"to_stage\":\"production\"", "\"to_stage\":\"staging\""))},
    {.code = "component-unknown",
     EDITS(1, REPLACE(VERSION, "\"registered_by\"",
                      "\"components\":[{\"model\":\"base\",\"model_version\":\"1\"}],\"registered_by\""))},
    {.code = "component-unknown", // a base model of the run
     EDITS(1, REPLACE(RUN, "\"git_commit\"",
                      "\"base_models\":[{\"model\":\"base\",\"model_version\":\"1\"}],\"git_commit\""))},
    {.code = "training-run-unknown", EDITS(1, WITHOUT(RUN))},
    {.code = "dataset-unknown", EDITS(1, WITHOUT(DATA))},
    {.code = "dataset-unknown", EDITS(1, WITHOUT(RAW))},
    {.code = "served-unclear",
     .also = "prediction-outside-production",
     EARLY(1, {"kserve", SERVED_TIME,
               PREDICTION("\"model\":\"credit\",\"model_version\":\"7\",\"deployment\":{\"environment\":\"prod\","
                          "\"region\":\"eu\",\"endpoint\":\"/other\"}")})},
    {.code = "served-none", EDITS(1, REPLACE(SERVED, "\"champion\"", "\"shadow\""))},
    {.code = "served-none", EDITS(1, REPLACE(SERVED, "\"sequence\"", "\"status\":\"error\",\"sequence\""))},
    {.code = "prediction-ambiguous",
     .also = "served-unclear evidence-missing model-version-unresolved",
     EARLY(1, {"kserve", SERVED_TIME, PREDICTION(SHADOW)}),
     EXTRA(1, {"kserve", SERVED_TIME,
               "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-01-07T00:00:01Z\"}"})},
    {.code = "prediction-unanswered", EDITS(1, REPLACE(SERVED, "\"prediction\":0.25,", "\"half\":\"request\","))},
    {.code = "prediction-unasked",
     EDITS(1, REPLACE(SERVED, "\"feature_values\":{\"x\":1},", "\"half\":\"response\","))},
    {.code = "lineage-loop",
     EDITS(1, REPLACE(RAW, "\"created_by\"", "\"inputs\":[{\"dataset\":\"loans\",\"version\":\"7\"}],\"created_by\""))},

    // Artifact.
    {.code = "artifact-differs-registered",
     .also = "approval-other-artifact",
     EDITS(1, REPLACE(SERVED, HASH_MODEL, HASH_OTHER))},
    {.code = "artifact-differs-trained", EDITS(1, REPLACE(RUN, HASH_MODEL, HASH_OTHER))},
    {.code = "artifact-not-comparable",
     EDITS(1, REPLACE(SERVED, "\"" HASH_MODEL "\"", "{\"oms\":\"" HASH_OTHER "\"}"))},

    // Approval.
    {.code = "approval-missing", EDITS(1, WITHOUT(APPROVAL))},
    {.code = "approval-missing", EDITS(1, REPLACE(MOVE, "CAB-7", "CAB-8"))},
    {.code = "approval-missing",
     .also = "evidence-missing",
     EDITS(2, WITHOUT(APPROVAL), REPLACE(MOVE, "\"approval_reference\":\"CAB-7\",", ""))},
    {.code = "approval-rejected", EDITS(1, REPLACE(APPROVAL, "\"approved\"", "\"rejected\""))},
    {.code = "approval-rejected",
     EARLY(1, {"erin", "2026-01-06T12:00:01Z", VERDICT("CAB-7", "rejected", "2026-01-06T12:00:00Z")})},
    {.code = "approval-after-deployment", // claimed time alone
     EDITS(1, REPLACE(APPROVAL, "2026-01-05T00:00:00Z", "2026-01-06T00:00:05Z")),
     .also = "event-after-receipt"},
    {.code = "approval-after-deployment", // in the log and by its time
     EDITS(1, WITHOUT(APPROVAL)),
     EXTRA(1, {"erin", "2026-01-08T12:00:01Z", VERDICT("CAB-7", "approved", "2026-01-08T12:00:00Z")})},
    {.code = "approval-after-deployment", // back-dated: the log gives it away
     .also = "event-long-before-receipt",
     EDITS(1, WITHOUT(APPROVAL)),
     EXTRA(1, {"erin", "2026-01-08T12:00:01Z", VERDICT("CAB-7", "approved", "2026-01-05T12:00:00Z")})},
    {.code = "approval-expired",
     EDITS(1, REPLACE(APPROVAL, "\"reason\"", "\"expires_at\":\"2026-01-06T12:00:00Z\",\"reason\""))},
    {.code = "approval-revoked",
     EARLY(1, {"erin", "2026-01-06T12:00:01Z", VERDICT("CAB-7", "revoked", "2026-01-06T12:00:00Z")})},
    {.code = "approval-revoked-later",
     EXTRA(1, {"erin", "2026-01-09T12:00:01Z", VERDICT("CAB-7", "revoked", "2026-01-09T12:00:00Z")})},
    {.code = "approval-other-artifact", EDITS(1, REPLACE(APPROVAL, HASH_MODEL, HASH_OTHER))},
    {.code = "approval-other-artifact", // what is registered cannot be compared, the prediction can
     .also = "artifact-not-comparable",
     EDITS(2, REPLACE(SERVED, HASH_MODEL, HASH_OTHER),
           REPLACE(VERSION, "\"" HASH_MODEL "\"", "{\"oms\":\"" HASH_OTHER "\"}"))},
    {.code = "approval-other-version",
     EDITS(1, REPLACE(APPROVAL, "\"model_version\":\"7\"", "\"model_version\":\"6\""))},
    {.code = "approval-claimed", EDITS(1, REPLACE(APPROVAL, "\"approver\":\"erin\"", "\"approver\":\"zoe\""))},
    {.code = "approval-claimed", // signatures are checked, this approval has none
     EARLY(1, {"admin", "2026-01-06T12:00:01Z",
               "{\"kind\":\"control\",\"control\":\"setting\",\"name\":\"allowed_signers\",\"value\":\"\"}"}),
     EDITS(1, BY_ZOE)},
    {.code = "approval-signature-unchecked", .also = "approval-claimed", EDITS(1, BY_ZOE), SIGNED(0)},
    {.code = "approval-signature-unchecked", // submitted by the approver: no claim, and unchecked all the same
     SIGNED(0)},
    {.code = "approval-signature-unchecked", // the setting cannot be read
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(.allowed = "zoe cert-authority %\n")},
    {.code = "approval-signature-invalid",
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY, .forged = true)},
    {.code = "approval-signature-invalid", // also without allowed signers
     SIGNED(.forged = true)},
    {.code = "approval-signature-invalid", // for something else than approvals
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY, .name_space = "git")},
    {.code = "approval-signature-invalid", SIGNED(ZOE_MAY, .unstated = true)},
    {.code = "approval-signature-invalid", SIGNED(ZOE_MAY, .signature = "U1NIU0lH")},
    {.code = "approval-signature-invalid", // well signed, and no statement
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY, .statement = "I approve")},
    {.code = "approval-signature-invalid", // over an earlier version of the record: not even the statement is whole
     SIGNED(ZOE_MAY, .statement = "mltrail approval v1\norigin: \"" TRAIL_ORIGIN "\"\n")},
    {.code = "approval-statement-other-trail", // replayed
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY, .origin = "example.org/other")},
    {.code = "approval-statement-differs", // another artifact than was signed
     .also = "approval-claimed",
     EDITS(2, BY_ZOE, REPLACE(APPROVAL, HASH_MODEL, HASH_OTHER)),
     SIGNED(ZOE_MAY, .stated = HASH_OTHER, .recorded = HASH_MODEL)},
    {.code = "approval-statement-differs", // a member that was not signed
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY, .stated = "\"reason\"", .recorded = "\"expires_at\":\"2027-01-01T00:00:00Z\",\"reason\"")},
    {.code = "approval-statement-differs", // added later, by another record of the same approval
     .also = "approval-claimed event-long-before-receipt members-by-another",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY),
     EARLY(
         1,
         {"ci", "2026-01-06T12:00:01Z",
          "{\"kind\":\"approval\",\"approval_reference\":\"CAB-7\",\"model\":\"credit\",\"model_version\":\"7\","
          "\"verdict\":\"approved\",\"approver\":\"zoe\",\"timestamp\":\"2026-01-05T00:00:00Z\",\"role\":\"board\"}"})},
    {.code = "approval-signer-not-allowed", // somebody else's key
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY, .key = 2)},
    {.code = "approval-signer-not-allowed", // in the name of another
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(.allowed = "erin %\n")},
    {.code = "approval-signer-not-allowed", // a key for something else
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(.allowed = "zoe namespaces=\"git\" %\n")},
    {.code = "approval-signer-not-allowed", // the line was taken out since
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(ZOE_MAY),
     EXTRA(1, {"admin", "2026-01-09T12:00:01Z",
               "{\"kind\":\"control\",\"control\":\"setting\",\"name\":\"allowed_signers\",\"value\":\"\"}"})},
    {.code = "approval-signature-expired",
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(.allowed = "zoe valid-before=\"20260105000009\" %\n")},
    {.code = "approval-signature-expired", // not yet valid when received, whatever time is claimed
     .also = "approval-claimed",
     EDITS(1, BY_ZOE),
     SIGNED(.allowed = "zoe valid-after=\"20260105000011\" %\n")},
    {.code = "approver-triggered-training",
     EDITS(1, REPLACE(RUN, "\"triggered_by\":\"dana\"", "\"triggered_by\":\"erin\""))},
    {.code = "approver-triggered-training", // under the name of a token
     EDITS(1, REPLACE(RUN, "\"triggered_by\":\"dana\"", "\"triggered_by\":\"token:erin\""))},
    {.code = "approver-triggered-training", // behind a service account
     EDITS(1, REPLACE(RUN, "\"triggered_by\":\"dana\"", "\"triggered_by\":\"ci\",\"on_behalf_of\":\"erin\""))},

    // Deployment.
    {.code = "transition-missing", EDITS(1, WITHOUT(MOVE))},
    {.code = "from-stage-mismatch", EDITS(1, REPLACE(MOVE, "\"from_stage\":\"none\"", "\"from_stage\":\"staging\""))},
    {.code = "prediction-outside-production",
     EDITS(1, REPLACE(MOVE, "\"to_stage\":\"production\"", "\"to_stage\":\"staging\""))},
    {.code = "prediction-outside-production", // at another endpoint only
     EDITS(1, REPLACE(MOVE, "/score", "/other"))},
    {.code = "prediction-outside-production", // retired before
     EARLY(1, {"cd", "2026-01-06T12:00:01Z",
               "{\"kind\":\"transition\",\"model\":\"credit\",\"model_version\":\"7\",\"from_stage\":\"production\","
               "\"to_stage\":\"archived\",\"timestamp\":\"2026-01-06T12:00:00Z\",\"performed_by\":\"cd\",\"reason\":"
               "\"retired\",\"approval_reference\":\"CAB-7\",\"deployment\":" DEPLOYMENT "}"})},
    {.code = "prediction-outside-production", // the stages that count are a setting
     EARLY(1, {"admin", "2026-01-06T12:00:01Z",
               "{\"kind\":\"control\",\"control\":\"setting\",\"name\":\"production_stages\",\"value\":[\"live\"]}"})},
    {.code = "in-force-differs", // the transition came in after the prediction
     EDITS(1, WITHOUT(MOVE)),
     EXTRA(
         1,
         {"cd", "2026-01-07T00:00:10Z",
          "{\"kind\":\"transition\",\"model\":\"credit\",\"model_version\":\"7\",\"from_stage\":\"none\",\"to_stage\":"
          "\"production\",\"timestamp\":\"2026-01-06T12:00:00Z\",\"performed_by\":\"cd\",\"reason\":\"release\","
          "\"approval_reference\":\"CAB-7\",\"deployment\":" DEPLOYMENT "}"})},

    // Data.
    {.code = "dataset-digest-differs", EDITS(1, REPLACE(RUN, HASH_DATA, HASH_OTHER))},
    {.code = "dataset-digest-differs", EDITS(1, REPLACE(RAW, HASH_RAW, HASH_OTHER))},
    {.code = "dataset-digest-not-comparable",
     EDITS(1, REPLACE(RUN, "\"" HASH_DATA "\"", "{\"dirHash\":\"" HASH_OTHER "\"}"))},
    {.code = "exclusions-not-stated", EDITS(1, REPLACE(RAW, "\"exclusions\":[],", ""))},
    {.code = "date-range-missing",
     EDITS(1, REPLACE(RAW, "\"table\":\"codes\",\"date_range\":null", "\"table\":\"codes\""))},
    {.code = "sources-empty",
     EDITS(1,
           REPLACE(
               RAW,
               "\"sources\":[{\"system\":\"core\",\"table\":\"loans\",\"date_range\":{\"column\":\"day\",\"from\":"
               "\"2025-01-01\",\"to\":\"2026-01-01\"}},{\"system\":\"core\",\"table\":\"codes\",\"date_range\":null}]",
               "\"sources\":[]"))},

    // Completeness.
    {.code = "stream-gap",
     EDITS(2, REPLACE(AFTER, "\"sequence\":3", "\"sequence\":4"), REPLACE(TALLY, "\"count\":3", "\"count\":4"))},
    {.code = "stream-gap", // at the head
     EDITS(1, WITHOUT(BEFORE))},
    {.code = "stream-repeat",
     EXTRA(1,
           {"kserve", SERVED_TIME,
            "{\"kind\":\"prediction\",\"request_id\":\"r-9\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"serving_node\":"
            "\"n1\",\"stream\":\"s\",\"sequence\":2}"})},
    {.code = "stream-tail-missing", EDITS(1, REPLACE(TALLY, "\"count\":3", "\"count\":5"))},
    {.code = "stream-beyond-final", EDITS(1, REPLACE(TALLY, "\"count\":3", "\"count\":2"))},
    {.code = "stream-open", EDITS(1, REPLACE(TALLY, ",\"final\":true", ""))},
    {.code = "stream-unchecked", EDITS(1, REPLACE(SERVED, "\"sequence\":2,", ""))},

    // Time.
    {.code = "event-after-receipt",
     EDITS(1, REPLACE(SERVED, "\"timestamp\":\"2026-01-07T00:00:01Z\"", "\"timestamp\":\"2026-01-07T00:10:00Z\""))},
    {.code = "event-long-before-receipt",
     EDITS(1, REPLACE(VERSION, "\"timestamp\":\"2026-01-04T00:00:00Z\"", "\"timestamp\":\"2026-01-03T00:00:00Z\""))},

    // Evidence.
    {.code = "conflicting-records",
     EXTRA(
         1,
         {"registry", "2026-01-08T00:00:02Z",
          "{\"kind\":\"model.version\",\"model\":\"credit\",\"model_version\":\"7\",\"registered_by\":\"mallory\"}"})},
    {.code = "conflicting-records", // a payload member
     EXTRA(1, {"kserve", "2026-01-07T00:00:05Z",
               "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"model\":"
               "\"credit\",\"model_version\":\"7\",\"prediction\":0.75}"})},
    {.code = "members-by-another", // a fact and a payload member
     EXTRA(1, {"mallory", "2026-01-07T00:00:05Z",
               "{\"kind\":\"prediction\",\"request_id\":\"r-1\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"model\":"
               "\"credit\",\"model_version\":\"7\",\"policy_version\":\"none\",\"subject\":\"frank\"}"})},
    {.code = "members-by-another", // one that no table has
     EXTRA(1, {"mallory", "2026-01-08T00:00:02Z",
               "{\"kind\":\"model.version\",\"model\":\"credit\",\"model_version\":\"7\",\"remark\":\"fine\"}"})},
    {.code = "evidence-missing", EDITS(1, REPLACE(RUN, "\"git_commit\":\"abc123\",", ""))},
    {.code = "evidence-missing", EDITS(1, REPLACE(SERVED, "\"prediction\":0.25,", ""))},
    {.code = "evidence-missing", EDITS(1, REPLACE(ACCESS, "\"principal\":\"frank\",", ""))},
    {.code = "evidence-missing", // within a list: what was left out, and not why
     EDITS(1, REPLACE(RAW, "\"exclusions\":[]", "\"exclusions\":[{\"condition\":\"age < 18\"}]"))},
    {.code = "evidence-missing", // of a record about the prediction
     EXTRA(1, {"desk", "2026-01-08T00:00:02Z",
               "{\"kind\":\"decision\",\"result\":\"declined\",\"request_id\":\"r-1\",\"timestamp\":"
               "\"2026-01-08T00:00:00Z\"}"})},
    {.code = "payload-missing", .payload = MLT_PAYLOAD_MISSING},
    {.code = "payload-erased", .payload = MLT_PAYLOAD_ERASED},
    {.code = "record-corrected",
     EXTRA(1, {"registry", "2026-01-08T00:00:02Z",
               "{\"kind\":\"correction\",\"corrects\":{\"entry\":3},\"members\":{\"registered_by\":\"zoe\"},\"reason\":"
               "\"typing error\",\"corrected_by\":\"registry\"}"})},
    {.code = "record-corrected", // by identity
     EXTRA(1, {"registry", "2026-01-08T00:00:02Z",
               "{\"kind\":\"correction\",\"corrects\":\"model:credit/7\",\"members\":{\"registered_by\":\"zoe\"},"
               "\"reason\":\"typing error\",\"corrected_by\":\"registry\"}"})},
};
