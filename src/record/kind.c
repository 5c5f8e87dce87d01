// The kinds of record, as tables (design: docs/RECORDS.md is made from them).
#include "record/kind.h"

#define REQ MLT_M_REQUIRED
#define EVI MLT_M_EVIDENCE
#define PAY MLT_M_PAYLOAD
#define END                                                                                                            \
    { .name = NULL }
// What every kind may carry.
#define COMMON                                                                                                         \
    {"event_id", MLT_T_STRING, 0, NULL, NULL}, {                                                                       \
        "private", MLT_T_OBJECT, PAY, NULL, NULL                                                                       \
    }
#define TIMESTAMP                                                                                                      \
    { "timestamp", MLT_T_TIME, 0, NULL, NULL }

static const char *const VARIANT[] = {"champion", "challenger", "shadow", "canary", NULL};
static const struct mlt_member DEPLOYMENT[] = {
    {"environment", MLT_T_STRING, 0, NULL, NULL},     {"region", MLT_T_STRING, 0, NULL, NULL},
    {"endpoint", MLT_T_STRING, 0, NULL, NULL},        {"variant", MLT_T_ENUM, 0, VARIANT, NULL},
    {"traffic_percent", MLT_T_NUMBER, 0, NULL, NULL}, END,
};

static const char *const PREDICTION_STATUS[] = {"ok", "error", "fallback", "timeout", NULL};
static const struct mlt_member RETRIEVED[] = {
    {"id", MLT_T_STRING, 0, NULL, NULL},
    {"hash", MLT_T_DIGEST, 0, NULL, NULL},
    END,
};
static const struct mlt_member PREDICTION[] = {
    {"request_id", MLT_T_STRING, REQ, NULL, NULL},
    {"timestamp", MLT_T_TIME, REQ, NULL, NULL},
    {"model", MLT_T_STRING, EVI, NULL, NULL},
    {"model_version", MLT_T_STRING, EVI, NULL, NULL},
    {"model_artifact_hash", MLT_T_DIGEST, EVI, NULL, NULL},
    {"feature_values", MLT_T_ANY, EVI | PAY, NULL, NULL},
    {"prediction", MLT_T_ANY, EVI | PAY, NULL, NULL},
    {"serving_node", MLT_T_STRING, EVI, NULL, NULL},
    {"stream", MLT_T_STRING, 0, NULL, NULL},
    {"sequence", MLT_T_COUNT, 0, NULL, NULL},
    {"row", MLT_T_COUNT, 0, NULL, NULL},
    {"batch_id", MLT_T_STRING, 0, NULL, NULL},
    {"deployment", MLT_T_STRUCT, 0, NULL, DEPLOYMENT},
    {"status", MLT_T_ENUM, 0, PREDICTION_STATUS, NULL},
    {"subject", MLT_T_STRING, PAY, NULL, NULL},
    {"confidence", MLT_T_NUMBER, 0, NULL, NULL},
    {"threshold_version", MLT_T_STRING, 0, NULL, NULL},
    {"policy_version", MLT_T_STRING, 0, NULL, NULL},
    {"feature_set_version", MLT_T_STRING, 0, NULL, NULL},
    {"prompt_version", MLT_T_STRING, 0, NULL, NULL},
    {"retrieved", MLT_T_OBJECTS, 0, NULL, RETRIEVED},
    {"explanation", MLT_T_ANY, PAY, NULL, NULL},
    {"latency_ms", MLT_T_NUMBER, 0, NULL, NULL},
    {"caller", MLT_T_ANY, PAY, NULL, NULL},
    COMMON,
    END,
};

static const struct mlt_member DATE_RANGE[] = {
    {"column", MLT_T_STRING, 0, NULL, NULL},
    {"from", MLT_T_DATE_OR_TIME_OR_NULL, 0, NULL, NULL},
    {"to", MLT_T_DATE_OR_TIME_OR_NULL, 0, NULL, NULL},
    {"zone", MLT_T_STRING, 0, NULL, NULL},
    END,
};
static const struct mlt_member SOURCES[] = {
    {"system", MLT_T_STRING, 0, NULL, NULL},
    {"table", MLT_T_STRING, REQ, NULL, NULL},
    {"date_range", MLT_T_STRUCT, 0, NULL, DATE_RANGE},
    {"query", MLT_T_STRING, 0, NULL, NULL},
    {"snapshot", MLT_T_ANY, 0, NULL, NULL},
    {"rows", MLT_T_COUNT, 0, NULL, NULL},
    END,
};
static const struct mlt_member CODE[] = {
    {"git_commit", MLT_T_STRING, 0, NULL, NULL},
    {"path", MLT_T_STRING, 0, NULL, NULL},
    END,
};
static const struct mlt_member TRANSFORMATIONS[] = {
    {"step", MLT_T_ANY, 0, NULL, NULL},       {"description", MLT_T_STRING, 0, NULL, NULL},
    {"code", MLT_T_STRUCT, 0, NULL, CODE},    {"rows_in", MLT_T_COUNT, 0, NULL, NULL},
    {"rows_out", MLT_T_COUNT, 0, NULL, NULL}, END,
};
static const struct mlt_member EXCLUSIONS[] = {
    {"condition", MLT_T_STRING, REQ, NULL, NULL},
    {"reason", MLT_T_STRING, 0, NULL, NULL},
    {"rows", MLT_T_COUNT, 0, NULL, NULL},
    {"approved_by", MLT_T_STRING, 0, NULL, NULL},
    END,
};
static const struct mlt_member INPUTS[] = {
    {"dataset", MLT_T_STRING, REQ, NULL, NULL},
    {"version", MLT_T_STRING, REQ, NULL, NULL},
    {"hash", MLT_T_DIGEST, 0, NULL, NULL},
    END,
};
static const struct mlt_member DATASET_VERSION[] = {
    {"dataset", MLT_T_STRING, REQ, NULL, NULL},
    {"version", MLT_T_STRING, REQ, NULL, NULL},
    TIMESTAMP,
    {"hash", MLT_T_DIGEST, EVI, NULL, NULL},
    {"sources", MLT_T_OBJECTS, EVI, NULL, SOURCES},
    {"transformations", MLT_T_OBJECTS, EVI, NULL, TRANSFORMATIONS},
    {"exclusions", MLT_T_OBJECTS, EVI, NULL, EXCLUSIONS},
    {"created_by", MLT_T_STRING, EVI, NULL, NULL},
    {"inputs", MLT_T_OBJECTS, 0, NULL, INPUTS},
    {"locations", MLT_T_STRINGS, 0, NULL, NULL},
    {"rows", MLT_T_COUNT, 0, NULL, NULL},
    {"legal_basis", MLT_T_STRING, 0, NULL, NULL},
    {"license", MLT_T_STRING, 0, NULL, NULL},
    {"description", MLT_T_STRING, 0, NULL, NULL},
    COMMON,
    END,
};

static const char *const ROLE[] = {"train", "validation", "test", NULL};
static const char *const TRIGGER[] = {"manual", "schedule", "event", NULL};
static const struct mlt_member DATASETS[] = {
    {"role", MLT_T_ENUM, REQ, ROLE, NULL},
    {"dataset", MLT_T_STRING, REQ, NULL, NULL},
    {"version", MLT_T_STRING, REQ, NULL, NULL},
    {"hash", MLT_T_DIGEST, 0, NULL, NULL},
    END,
};
static const struct mlt_member BASE_MODELS[] = {
    {"model", MLT_T_STRING, 0, NULL, NULL},
    {"model_version", MLT_T_STRING, 0, NULL, NULL},
    {"hash", MLT_T_DIGEST, 0, NULL, NULL},
    END,
};
static const struct mlt_member TRAINING_RUN[] = {
    {"training_job_id", MLT_T_STRING, REQ, NULL, NULL},
    TIMESTAMP,
    {"datasets", MLT_T_OBJECTS, EVI, NULL, DATASETS},
    {"git_commit", MLT_T_STRING, EVI, NULL, NULL},
    {"hyperparameters", MLT_T_OBJECT, EVI, NULL, NULL},
    {"metrics", MLT_T_OBJECT, EVI, NULL, NULL},
    {"triggered_by", MLT_T_STRING, EVI, NULL, NULL},
    {"trigger", MLT_T_ENUM, 0, TRIGGER, NULL},
    {"on_behalf_of", MLT_T_STRING, 0, NULL, NULL},
    {"git_repository", MLT_T_STRING, 0, NULL, NULL},
    {"git_dirty", MLT_T_BOOL, 0, NULL, NULL},
    {"base_models", MLT_T_OBJECTS, 0, NULL, BASE_MODELS},
    {"started_at", MLT_T_TIME, 0, NULL, NULL},
    {"ended_at", MLT_T_TIME, 0, NULL, NULL},
    {"environment", MLT_T_STRING_OR_OBJECT, 0, NULL, NULL},
    {"artifact_hash", MLT_T_DIGEST, 0, NULL, NULL},
    COMMON,
    END,
};

static const char *const ORIGIN[] = {"trained", "fine-tuned", "vendor", NULL};
static const struct mlt_member COMPONENTS[] = {
    {"model", MLT_T_STRING, REQ, NULL, NULL},
    {"model_version", MLT_T_STRING, REQ, NULL, NULL},
    END,
};
static const struct mlt_member ARTIFACTS[] = {
    {"name", MLT_T_STRING, 0, NULL, NULL},
    {"hash", MLT_T_DIGEST, 0, NULL, NULL},
    {"uri", MLT_T_STRING, 0, NULL, NULL},
    END,
};
static const struct mlt_member MODEL_VERSION[] = {
    {"model", MLT_T_STRING, REQ, NULL, NULL},
    {"model_version", MLT_T_STRING, REQ, NULL, NULL},
    TIMESTAMP,
    {"model_artifact_hash", MLT_T_DIGEST, EVI, NULL, NULL},
    {"training_job_id", MLT_T_STRING, EVI, NULL, NULL},
    {"registered_by", MLT_T_STRING, EVI, NULL, NULL},
    {"origin", MLT_T_ENUM, 0, ORIGIN, NULL},
    {"components", MLT_T_OBJECTS, 0, NULL, COMPONENTS},
    {"artifacts", MLT_T_OBJECTS, 0, NULL, ARTIFACTS},
    {"manifest", MLT_T_ANY, 0, NULL, NULL},
    {"description", MLT_T_STRING, 0, NULL, NULL},
    COMMON,
    END,
};

static const char *const VERDICT[] = {"approved", "rejected", "revoked", NULL};
static const struct mlt_member APPROVAL[] = {
    {"approval_reference", MLT_T_STRING, REQ, NULL, NULL},
    {"model", MLT_T_STRING, REQ, NULL, NULL},
    {"model_version", MLT_T_STRING, REQ, NULL, NULL},
    {"verdict", MLT_T_ENUM, REQ, VERDICT, NULL},
    {"approver", MLT_T_STRING, REQ, NULL, NULL},
    {"timestamp", MLT_T_TIME, REQ, NULL, NULL},
    {"model_artifact_hash", MLT_T_DIGEST, EVI, NULL, NULL},
    {"reason", MLT_T_STRING, EVI, NULL, NULL},
    {"role", MLT_T_STRING, 0, NULL, NULL},
    {"conditions", MLT_T_ANY, 0, NULL, NULL},
    {"expires_at", MLT_T_TIME, 0, NULL, NULL},
    {"evidence", MLT_T_ARRAY, 0, NULL, NULL},
    {"statement", MLT_T_STRING, 0, NULL, NULL},
    {"signature", MLT_T_STRING, 0, NULL, NULL},
    COMMON,
    END,
};

static const char *const MOVE[] = {"stage", "alias", NULL};
static const struct mlt_member TRANSITION[] = {
    {"model", MLT_T_STRING, REQ, NULL, NULL},
    {"model_version", MLT_T_STRING, REQ, NULL, NULL},
    {"to_stage", MLT_T_STRING, REQ, NULL, NULL},
    {"timestamp", MLT_T_TIME, REQ, NULL, NULL},
    {"from_stage", MLT_T_STRING, EVI, NULL, NULL},
    {"performed_by", MLT_T_STRING, EVI, NULL, NULL},
    {"reason", MLT_T_STRING, EVI, NULL, NULL},
    {"approval_reference", MLT_T_STRING, EVI, NULL, NULL},
    {"deployment", MLT_T_STRUCT, 0, NULL, DEPLOYMENT},
    {"move", MLT_T_ENUM, 0, MOVE, NULL},
    COMMON,
    END,
};

static const char *const ACTION[] = {"read",    "list",   "search", "create", "update", "delete",
                                     "approve", "export", "grant",  "login",  "admin",  NULL};
static const char *const RESOURCE_TYPE[] = {
    "model_registry", "prediction_log", "training_data", "trail", "config", "other", NULL};
static const char *const OUTCOME[] = {"allowed", "denied", "error", NULL};
static const struct mlt_member RESOURCE[] = {
    {"type", MLT_T_ENUM, REQ, RESOURCE_TYPE, NULL},
    {"id", MLT_T_STRING, 0, NULL, NULL},
    END,
};
static const struct mlt_member ACCESS[] = {
    {"action", MLT_T_ENUM, REQ, ACTION, NULL},
    {"resource", MLT_T_STRUCT, REQ, NULL, RESOURCE},
    {"timestamp", MLT_T_TIME, REQ, NULL, NULL},
    {"principal", MLT_T_STRING, EVI | PAY, NULL, NULL},
    {"source", MLT_T_OBJECT, EVI | PAY, NULL, NULL},
    {"outcome", MLT_T_ENUM, EVI, OUTCOME, NULL},
    {"native_action", MLT_T_STRING, 0, NULL, NULL},
    {"query", MLT_T_ANY, PAY, NULL, NULL},
    {"entries", MLT_T_ARRAY, 0, NULL, NULL},
    {"count", MLT_T_COUNT, 0, NULL, NULL},
    {"bytes", MLT_T_COUNT, 0, NULL, NULL},
    {"purpose", MLT_T_STRING, 0, NULL, NULL},
    {"session", MLT_T_ANY, PAY, NULL, NULL},
    {"on_behalf_of", MLT_T_STRING, PAY, NULL, NULL},
    COMMON,
    END,
};

static const char *const ROLE_OF_AI[] = {"sole", "main", "one-factor", "advice", NULL};
static const struct mlt_member DECISION[] = {
    {"result", MLT_T_ANY, REQ | PAY, NULL, NULL},
    {"request_ids", MLT_T_STRINGS, EVI, NULL, NULL},
    TIMESTAMP,
    {"adverse", MLT_T_BOOL, EVI, NULL, NULL},
    {"role_of_ai", MLT_T_ENUM, EVI, ROLE_OF_AI, NULL},
    {"decider", MLT_T_STRING, EVI, NULL, NULL},
    {"subject", MLT_T_STRING, PAY, NULL, NULL},
    {"policy_version", MLT_T_STRING, 0, NULL, NULL},
    {"use_case", MLT_T_STRING, 0, NULL, NULL},
    COMMON,
    END,
};
static const char *const REVIEW[] = {"agree", "override", "escalate", "stop", NULL};
static const struct mlt_member OVERSIGHT[] = {
    {"request_ids", MLT_T_STRINGS, REQ, NULL, NULL},
    {"verdict", MLT_T_ENUM, REQ, REVIEW, NULL},
    TIMESTAMP,
    {"reviewer", MLT_T_STRING, EVI, NULL, NULL},
    {"reason", MLT_T_STRING, EVI, NULL, NULL},
    {"competence", MLT_T_STRING, 0, NULL, NULL},
    {"authority", MLT_T_STRING, 0, NULL, NULL},
    {"opened_at", MLT_T_TIME, 0, NULL, NULL},
    {"closed_at", MLT_T_TIME, 0, NULL, NULL},
    {"shown", MLT_T_ANY, PAY, NULL, NULL},
    COMMON,
    END,
};
static const struct mlt_member EXPLANATION[] = {
    {"request_id", MLT_T_STRING, REQ, NULL, NULL},
    {"factors", MLT_T_ARRAY, REQ | PAY, NULL, NULL},
    TIMESTAMP,
    {"method", MLT_T_STRING, EVI, NULL, NULL},
    {"method_version", MLT_T_STRING, EVI, NULL, NULL},
    COMMON,
    END,
};
static const struct mlt_member NOTICE[] = {
    {"notice_type", MLT_T_STRING, REQ, NULL, NULL},
    {"request_ids", MLT_T_STRINGS, EVI, NULL, NULL},
    TIMESTAMP,
    {"sent_at", MLT_T_TIME, EVI, NULL, NULL},
    {"deadline", MLT_T_TIME, 0, NULL, NULL},
    {"channel", MLT_T_STRING, EVI, NULL, NULL},
    {"template_version", MLT_T_STRING, 0, NULL, NULL},
    {"recipient", MLT_T_STRING, PAY, NULL, NULL},
    {"reasons", MLT_T_ARRAY, PAY, NULL, NULL},
    COMMON,
    END,
};
static const struct mlt_member OUTCOME_RECORD[] = {
    {"request_id", MLT_T_STRING, REQ, NULL, NULL},
    {"value", MLT_T_ANY, REQ | PAY, NULL, NULL},
    TIMESTAMP,
    {"observed_at", MLT_T_TIME, EVI, NULL, NULL},
    {"outcome_source", MLT_T_STRING, EVI, NULL, NULL},
    COMMON,
    END,
};
static const struct mlt_member CORRECTION[] = {
    {"corrects", MLT_T_STRING_OR_OBJECT, REQ, NULL, NULL},
    {"members", MLT_T_OBJECT, REQ | PAY, NULL, NULL},
    TIMESTAMP,
    {"reason", MLT_T_STRING, EVI, NULL, NULL},
    {"corrected_by", MLT_T_STRING, EVI, NULL, NULL},
    COMMON,
    END,
};
static const struct mlt_member TALLY_SCOPE[] = {
    {"serving_node", MLT_T_STRING, 0, NULL, NULL},
    {"stream", MLT_T_STRING, 0, NULL, NULL},
    {"model", MLT_T_STRING, 0, NULL, NULL},
    END,
};
static const struct mlt_member TALLY[] = {
    {"source", MLT_T_STRING, REQ, NULL, NULL},
    {"counted", MLT_T_STRING, REQ, NULL, NULL},
    {"from", MLT_T_TIME, REQ, NULL, NULL},
    {"to", MLT_T_TIME, REQ, NULL, NULL},
    {"count", MLT_T_COUNT, REQ, NULL, NULL},
    {"scope", MLT_T_STRUCT, 0, NULL, TALLY_SCOPE},
    {"final", MLT_T_BOOL, 0, NULL, NULL},
    TIMESTAMP,
    COMMON,
    END,
};

static const struct mlt_member CONTROL[] = {
    {"control", MLT_T_STRING, REQ, NULL, NULL},
    TIMESTAMP,
    {"name", MLT_T_STRING, 0, NULL, NULL},
    {"value", MLT_T_ANY, 0, NULL, NULL},
    {"reason", MLT_T_STRING, 0, NULL, NULL},
    {"set_by", MLT_T_STRING, 0, NULL, NULL},
    {"code", MLT_T_STRING, 0, NULL, NULL},
    {"pointer", MLT_T_STRING, PAY, NULL, NULL},
    {"detail", MLT_T_STRING, PAY, NULL, NULL},
    {"line", MLT_T_COUNT, 0, NULL, NULL},
    {"count", MLT_T_COUNT, 0, NULL, NULL},
    {"bytes", MLT_T_COUNT, 0, NULL, NULL},
    {"from", MLT_T_TIME, 0, NULL, NULL},
    {"to", MLT_T_TIME, 0, NULL, NULL},
    {"input", MLT_T_STRING, PAY, NULL, NULL},
    {"input_encoding", MLT_T_STRING, 0, NULL, NULL},
    {"principal", MLT_T_STRING, PAY, NULL, NULL},
    {"source", MLT_T_OBJECT, PAY, NULL, NULL},
    COMMON,
    END,
};
// Kinds that later versions write; stored and shown by this one. What is not in the table is payload.
static const struct mlt_member SERVER_KIND[] = {
    TIMESTAMP, {"reason", MLT_T_STRING, 0, NULL, NULL}, {"entries", MLT_T_ARRAY, 0, NULL, NULL}, COMMON, END,
};
static const struct mlt_member CUSTOM[] = {
    TIMESTAMP,
    {"public", MLT_T_STRINGS, 0, NULL, NULL},
    COMMON,
    END,
};

static const struct mlt_kind_info KINDS[MLT_NUM_KINDS] = {
    [MLT_KIND_PREDICTION] = {MLT_KIND_PREDICTION, "prediction", false, PREDICTION},
    [MLT_KIND_DATASET_VERSION] = {MLT_KIND_DATASET_VERSION, "dataset.version", false, DATASET_VERSION},
    [MLT_KIND_TRAINING_RUN] = {MLT_KIND_TRAINING_RUN, "training.run", false, TRAINING_RUN},
    [MLT_KIND_MODEL_VERSION] = {MLT_KIND_MODEL_VERSION, "model.version", false, MODEL_VERSION},
    [MLT_KIND_APPROVAL] = {MLT_KIND_APPROVAL, "approval", false, APPROVAL},
    [MLT_KIND_TRANSITION] = {MLT_KIND_TRANSITION, "transition", false, TRANSITION},
    [MLT_KIND_ACCESS] = {MLT_KIND_ACCESS, "access", false, ACCESS},
    [MLT_KIND_DECISION] = {MLT_KIND_DECISION, "decision", false, DECISION},
    [MLT_KIND_OVERSIGHT] = {MLT_KIND_OVERSIGHT, "oversight", false, OVERSIGHT},
    [MLT_KIND_EXPLANATION] = {MLT_KIND_EXPLANATION, "explanation", false, EXPLANATION},
    [MLT_KIND_NOTICE] = {MLT_KIND_NOTICE, "notice", false, NOTICE},
    [MLT_KIND_OUTCOME] = {MLT_KIND_OUTCOME, "outcome", false, OUTCOME_RECORD},
    [MLT_KIND_CORRECTION] = {MLT_KIND_CORRECTION, "correction", false, CORRECTION},
    [MLT_KIND_TALLY] = {MLT_KIND_TALLY, "tally", false, TALLY},
    [MLT_KIND_CONTROL] = {MLT_KIND_CONTROL, "control", true, CONTROL},
    [MLT_KIND_ALERT] = {MLT_KIND_ALERT, "alert", true, SERVER_KIND},
    [MLT_KIND_EXPORT] = {MLT_KIND_EXPORT, "export", true, SERVER_KIND},
    [MLT_KIND_ERASURE] = {MLT_KIND_ERASURE, "erasure", true, SERVER_KIND},
    [MLT_KIND_HOLD] = {MLT_KIND_HOLD, "hold", true, SERVER_KIND},
    [MLT_KIND_ANCHOR] = {MLT_KIND_ANCHOR, "anchor", true, SERVER_KIND},
    [MLT_KIND_CUSTOM] = {MLT_KIND_CUSTOM, "x-", false, CUSTOM},
};

const struct mlt_kind_info *mlt_kind_info(enum mlt_kind kind) {
    return (unsigned)kind < MLT_NUM_KINDS ? &KINDS[kind] : NULL;
}

const struct mlt_kind_info *mlt_kind_find(struct mlt_bytes name) {
    if (name.len > 2 && memcmp(name.ptr, "x-", 2) == 0) {
        return &KINDS[MLT_KIND_CUSTOM];
    }
    for (size_t i = 0; i < MLT_KIND_CUSTOM; i++) {
        if (mlt_bytes_is(name, KINDS[i].name)) {
            return &KINDS[i];
        }
    }
    return NULL;
}

const struct mlt_member *mlt_kind_member(const struct mlt_kind_info *kind, struct mlt_bytes name) {
    for (const struct mlt_member *m = kind->members; m->name; m++) {
        if (name.len && m->name[0] == (char)name.ptr[0] && mlt_bytes_is(name, m->name)) {
            return m;
        }
    }
    return NULL;
}
