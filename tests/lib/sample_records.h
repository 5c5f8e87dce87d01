// One full record of every kind, as a source would send it: docs/RECORDS.md shows them, the tests draft them.
#ifndef TEST_SAMPLE_RECORDS_H
#define TEST_SAMPLE_RECORDS_H

#include "record/kind.h"

#define SAMPLE_HASH "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// clang-format off
static const char *const SAMPLE_RECORDS[MLT_NUM_KINDS] = {
    [MLT_KIND_PREDICTION] =
        "{\"kind\":\"prediction\",\"request_id\":\"req-000417\",\"timestamp\":\"2026-11-23T09:40:01.123Z\",\n"
        " \"model\":\"credit-default\",\"model_version\":\"3.2.1\",\"model_artifact_hash\":\"" SAMPLE_HASH "\",\n"
        " \"feature_values\":{\"limit\":20000,\"age\":24,\"paid\":[0,2,2]},\"prediction\":{\"class\":1,\"probability\":0.8731},\n"
        " \"serving_node\":\"node-7\",\"stream\":\"8f2c\",\"sequence\":417,\"row\":0,\"status\":\"ok\",\"latency_ms\":4.25,\n"
        " \"deployment\":{\"environment\":\"production\",\"region\":\"eu-1\",\"endpoint\":\"credit\",\"variant\":\"champion\"},\n"
        " \"subject\":\"customer-81\"}",
    [MLT_KIND_DATASET_VERSION] =
        "{\"kind\":\"dataset.version\",\"dataset\":\"loans\",\"version\":\"2026-10\",\"timestamp\":\"2026-11-01T02:00:00Z\",\n"
        " \"hash\":\"" SAMPLE_HASH "\",\"created_by\":\"pipeline-nightly\",\"rows\":30000,\n"
        " \"sources\":[{\"system\":\"core-banking\",\"table\":\"loans\",\"rows\":31000,\n"
        "   \"date_range\":{\"column\":\"opened\",\"from\":\"2020-01-01\",\"to\":\"2026-10-01\",\"zone\":\"Europe/Berlin\"}}],\n"
        " \"transformations\":[{\"step\":1,\"description\":\"join with payments\",\"rows_in\":31000,\"rows_out\":30500,\n"
        "   \"code\":{\"git_commit\":\"4b825dc642cb6eb9a060e54bf8d69288fbee4904\",\"path\":\"etl/join.sql\"}}],\n"
        " \"exclusions\":[{\"condition\":\"age < 18\",\"reason\":\"no contract possible\",\"rows\":500,\"approved_by\":\"dpo\"}],\n"
        " \"inputs\":[{\"dataset\":\"payments\",\"version\":\"2026-10\"}],\"legal_basis\":\"contract\"}",
    [MLT_KIND_TRAINING_RUN] =
        "{\"kind\":\"training.run\",\"training_job_id\":\"job-118\",\"timestamp\":\"2026-11-02T06:12:00Z\",\n"
        " \"datasets\":[{\"role\":\"train\",\"dataset\":\"loans\",\"version\":\"2026-10\",\"hash\":\"" SAMPLE_HASH "\"}],\n"
        " \"git_commit\":\"4b825dc642cb6eb9a060e54bf8d69288fbee4904\",\"git_dirty\":false,\"triggered_by\":\"ana\",\"trigger\":\"manual\",\n"
        " \"hyperparameters\":{\"max_depth\":6,\"eta\":0.1},\"metrics\":{\"auc\":0.78120},\n"
        " \"base_models\":[{\"model\":\"credit-base\",\"model_version\":\"1\"}],\"artifact_hash\":\"" SAMPLE_HASH "\"}",
    [MLT_KIND_MODEL_VERSION] =
        "{\"kind\":\"model.version\",\"model\":\"credit-default\",\"model_version\":\"3.2.1\",\"timestamp\":\"2026-11-02T07:00:00Z\",\n"
        " \"model_artifact_hash\":{\"sha256\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"},\n"
        " \"training_job_id\":\"job-118\",\"registered_by\":\"ana\",\"origin\":\"trained\",\n"
        " \"components\":[{\"model\":\"tokenizer\",\"model_version\":\"2\"}]}",
    [MLT_KIND_APPROVAL] =
        "{\"kind\":\"approval\",\"approval_reference\":\"CAB-2026-118\",\"model\":\"credit-default\",\"model_version\":\"3.2.1\",\n"
        " \"verdict\":\"approved\",\"approver\":\"m.keller\",\"timestamp\":\"2026-11-05T14:00:00+01:00\",\n"
        " \"model_artifact_hash\":\"" SAMPLE_HASH "\",\"reason\":\"validation report 77 passed\",\"expires_at\":\"2027-11-05T00:00:00Z\"}",
    [MLT_KIND_TRANSITION] =
        "{\"kind\":\"transition\",\"model\":\"credit-default\",\"model_version\":\"3.2.1\",\"from_stage\":\"staging\",\n"
        " \"to_stage\":\"production\",\"timestamp\":\"2026-11-06T08:00:00Z\",\"performed_by\":\"deploy-bot\",\"reason\":\"release 118\",\n"
        " \"approval_reference\":\"CAB-2026-118\",\"event_id\":\"argo-5512\",\n"
        " \"deployment\":{\"environment\":\"production\",\"region\":\"eu-1\",\"endpoint\":\"credit\",\"variant\":\"champion\"}}",
    [MLT_KIND_ACCESS] =
        "{\"kind\":\"access\",\"action\":\"read\",\"resource\":{\"type\":\"training_data\",\"id\":\"loans/2026-10\"},\n"
        " \"timestamp\":\"2026-11-07T10:00:00Z\",\"principal\":\"ana\",\"source\":{\"address\":\"192.0.2.7\"},\"outcome\":\"allowed\",\n"
        " \"count\":30000,\"purpose\":\"drift study\",\"event_id\":\"pgaudit-91\"}",
    [MLT_KIND_DECISION] =
        "{\"kind\":\"decision\",\"result\":\"declined\",\"adverse\":true,\"role_of_ai\":\"main\",\"decider\":\"credit desk 4\",\n"
        " \"request_ids\":[\"req-000417\",\"req-000418\"],\"timestamp\":\"2026-11-23T09:45:00Z\",\"subject\":\"customer-81\"}",
    [MLT_KIND_OVERSIGHT] =
        "{\"kind\":\"oversight\",\"request_ids\":[\"req-000417\"],\"verdict\":\"override\",\"reviewer\":\"l.braun\",\n"
        " \"reason\":\"income was read wrongly\",\"timestamp\":\"2026-11-23T10:00:00Z\",\"opened_at\":\"2026-11-23T09:52:00Z\",\n"
        " \"closed_at\":\"2026-11-23T09:59:30Z\"}",
    [MLT_KIND_EXPLANATION] =
        "{\"kind\":\"explanation\",\"request_id\":\"req-000417\",\"timestamp\":\"2026-11-23T09:41:00Z\",\"method\":\"shap\",\n"
        " \"method_version\":\"0.46\",\"factors\":[{\"rank\":1,\"name\":\"paid\",\"direction\":\"against\"}]}",
    [MLT_KIND_NOTICE] =
        "{\"kind\":\"notice\",\"notice_type\":\"adverse-action\",\"request_ids\":[\"req-000417\"],\"timestamp\":\"2026-11-24T08:00:00Z\",\n"
        " \"sent_at\":\"2026-11-24T08:00:00Z\",\"channel\":\"letter\",\"template_version\":\"7\",\"deadline\":\"2026-12-23T00:00:00Z\",\n"
        " \"recipient\":\"customer-81\",\"reasons\":[\"payment history\"]}",
    [MLT_KIND_OUTCOME] =
        "{\"kind\":\"outcome\",\"request_id\":\"req-000417\",\"value\":\"repaid\",\"observed_at\":\"2027-11-23T00:00:00Z\",\n"
        " \"outcome_source\":\"core-banking\",\"timestamp\":\"2027-11-24T00:00:00Z\"}",
    [MLT_KIND_CORRECTION] =
        "{\"kind\":\"correction\",\"corrects\":{\"entry\":41},\"members\":{\"serving_node\":\"node-8\"},\"reason\":\"wrong label\",\n"
        " \"corrected_by\":\"ops\",\"timestamp\":\"2026-11-23T12:00:00Z\"}",
    [MLT_KIND_CAPTURE] =
        "{\"kind\":\"capture\",\"event_id\":\"openlineage:5d41402a\",\"format\":\"openlineage\",\n"
        " \"correlation\":\"3f5e83fa-3480-44ff-99c5-ff943904e5e8\",\"timestamp\":\"2026-11-02T06:12:00Z\",\n"
        " \"digest\":\"" SAMPLE_HASH "\",\"content_type\":\"application/json\",\"derived\":[\"job:job-118\"],\n"
        " \"message\":{\"eventType\":\"COMPLETE\",\"run\":{\"runId\":\"3f5e83fa-3480-44ff-99c5-ff943904e5e8\"}}}",
    [MLT_KIND_TALLY] =
        "{\"kind\":\"tally\",\"source\":\"node-7\",\"counted\":\"prediction\",\"scope\":{\"serving_node\":\"node-7\",\"stream\":\"8f2c\"},\n"
        " \"from\":\"2026-11-23T09:00:00Z\",\"to\":\"2026-11-23T10:00:00Z\",\"count\":418,\"final\":true}",
    [MLT_KIND_BATCH] =
        "{\"kind\":\"batch\",\"serving_node\":\"node-7\",\"stream\":\"8f2c\",\"first\":417,\"last\":417,\"count\":1,\n"
        " \"root\":\"" SAMPLE_HASH "\",\"timestamp\":\"2026-11-23T09:40:02Z\",\n"
        " \"statement\":\"mltrail batch v1\\n…\",\"signature\":\"-----BEGIN SSH SIGNATURE-----\\n…\",\"nonce\":\"…\",\"leaves\":[\"…\"]}",
    [MLT_KIND_CONTROL] =
        "{\"kind\":\"control\",\"control\":\"setting\",\"timestamp\":\"2026-11-23T08:00:00Z\",\"name\":\"production_stages\",\n"
        " \"value\":[\"production\"],\"set_by\":\"local:root\",\"reason\":\"first set-up\"}",
    [MLT_KIND_ALERT] =
        "{\"kind\":\"alert\",\"detection\":\"mass-read\",\"severity\":\"high\",\"timestamp\":\"2026-11-23T11:00:00Z\",\"count\":4100,\n"
        " \"principal\":\"ana\",\"explanation\":\"4100 reads in an hour, 12 were usual\",\"entries\":[17,18]}",
    [MLT_KIND_EXPORT] =
        "{\"kind\":\"export\",\"performed_by\":\"m.keller\",\"timestamp\":\"2026-11-23T11:30:00Z\",\"format\":\"ndjson\",\"count\":12,\n"
        " \"hash\":\"" SAMPLE_HASH "\",\"recipient\":\"supervisory authority\",\"purpose\":\"inspection 5\"}",
    [MLT_KIND_ERASURE] =
        "{\"kind\":\"erasure\",\"entries\":[41,42],\"ground\":\"GDPR 17(1)(b)\",\"requested_by\":\"dpo\",\"approved_by\":\"counsel\",\n"
        " \"timestamp\":\"2026-11-25T09:00:00Z\",\"subject\":\"customer-81\"}",
    [MLT_KIND_HOLD] =
        "{\"kind\":\"hold\",\"hold\":\"case-9\",\"action\":\"placed\",\"performed_by\":\"counsel\",\"timestamp\":\"2026-11-25T08:00:00Z\",\n"
        " \"entries\":[41],\"reason\":\"litigation\"}",
    [MLT_KIND_ANCHOR] =
        "{\"kind\":\"anchor\",\"anchor\":\"rfc3161\",\"tree_size\":4096,\"timestamp\":\"2026-11-25T00:00:00Z\",\n"
        " \"root\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\",\n"
        " \"checkpoint\":\"trail.example.com\\n4096\\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\\n\\n\u2014 trail.example.com AAAA\\n\",\n"
        " \"imprint\":\"sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752\",\n"
        " \"url\":\"https://tsa.example.com/\",\"authority\":\"CN=Example TSA,O=Example\",\n"
        " \"gen_time\":\"2026-11-25T00:00:00.000000000Z\",\"accuracy_ns\":1500000000,\"serial\":\"01\",\n"
        " \"policy\":\"1.3.6.1.4.1.32473.1\",\"token\":\"MIIC\",\n"
        " \"token_hash\":\"sha256:4d967a30111bf29f0eba01c448b375c1629b2fed01cdfcc3aed91f1b57d5dd5e\"}",
    [MLT_KIND_CUSTOM] =
        "{\"kind\":\"x-incident\",\"event_id\":\"inc-5\",\"timestamp\":\"2026-11-23T13:00:00Z\",\"public\":[\"severity\"],\n"
        " \"severity\":2,\"summary\":\"scores were late\"}",
};
// clang-format on

#endif
