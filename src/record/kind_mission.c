// Member tables of the seven kinds of the mission (design section 7).
#include "record/kind_tables.h"

// clang-format off
static const char *const VARIANT[] = {"champion", "challenger", "shadow", "canary", NULL};
static const struct mlt_member DEPLOYMENT[] = {
    MEMBER("environment", STRING, 0, "such as `production`"),
    MEMBER("region", STRING, 0, "where it runs"),
    MEMBER("endpoint", STRING, 0, "the service that answers"),
    MEMBER_ENUM("variant", 0, VARIANT, "the part that this deployment plays"),
    MEMBER("traffic_percent", NUMBER, 0, "its share of the requests"),
    MEMBER("component", STRING, 0, "the part of the endpoint that logged, if not the predictor: `transformer`, a graph node"),
    MEMBER("label", STRING, 0, "what the serving system calls it, where that says nothing about `variant`"),
    MEMBERS_END,
};

static const char *const HALF[] = {"request", "response", "event", NULL};
static const char *const PREDICTION_STATUS[] = {"ok", "error", "fallback", "timeout", NULL};
const struct mlt_member mlt_members_prediction[] = {
    MEMBER("request_id", STRING, REQ, "identifies the request; must be opaque, since it is a fact"),
    MEMBER("timestamp", TIME, REQ, "when the prediction was made"),
    MEMBER("model", STRING, EVI, "name of the model that answered"),
    MEMBER("model_version", STRING, EVI, "its version"),
    MEMBER("model_artifact_hash", DIGEST, EVI, "digest of the artifact that was loaded"),
    MEMBER("feature_values", ANY, EVI | PAY, "the input as the model saw it"),
    MEMBER("prediction", ANY, EVI | PAY, "the output as the model gave it"),
    MEMBER("serving_node", STRING, EVI, "the machine or process that answered"),
    MEMBER("stream", STRING, 0, "one per process and node; not given: the node's unnamed stream"),
    MEMBER("sequence", COUNT, 0, "number within the stream, contiguous, so that gaps show"),
    MEMBER("row", COUNT, 0, "position within a request for several predictions"),
    MEMBER("batch_id", STRING, 0, "the batch that it was part of"),
    MEMBER_ENUM("half", 0, HALF, "which half of the prediction this record has, from a source that sends what went in and what came out apart; `event`: both, told at another moment than that of the prediction"),
    MEMBER("message_digest", DIGEST, 0, "digest of the message that the half was read from"),
    MEMBER_OF("deployment", STRUCT, 0, DEPLOYMENT, "where the model answered"),
    MEMBER_ENUM("status", 0, PREDICTION_STATUS, "whether the model answered as intended"),
    MEMBER("subject", STRING, PAY, "whom the prediction is about"),
    MEMBER("confidence", NUMBER, 0, "as the model states it"),
    MEMBER("threshold_version", STRING, 0, "version of the thresholds applied"),
    MEMBER("policy_version", STRING, 0, "version of the rules applied"),
    MEMBER("feature_set_version", STRING, 0, "version of the feature definitions"),
    MEMBER("prompt_version", STRING, 0, "version of the prompt"),
    MEMBER("retrieved", ARRAY, 0, "what was retrieved for the model: identifiers, or objects with `id` and `hash`"),
    MEMBER("explanation", ANY, PAY, "why, as computed with the prediction"),
    MEMBER("latency_ms", NUMBER, 0, "time to answer"),
    MEMBER("caller", ANY, PAY, "who asked"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const struct mlt_member DATE_RANGE[] = {
    MEMBER("column", STRING, 0, "the column that is restricted"),
    MEMBER("from", DATE_OR_TIME_OR_NULL, 0, "first date or time taken; null: unrestricted"),
    MEMBER("to", DATE_OR_TIME_OR_NULL, 0, "first date or time no longer taken; null: unrestricted"),
    MEMBER("zone", STRING, 0, "time zone of the dates"),
    MEMBERS_END,
};
static const struct mlt_member SOURCES[] = {
    MEMBER("system", STRING, EVI, "the source system"),
    MEMBER("table", STRING, EVI, "table, view, topic or file in it"),
    MEMBER_OF("date_range", STRUCT, EVI, DATE_RANGE, "the range taken; null: unrestricted"),
    MEMBER("query", STRING, 0, "the query that was run"),
    MEMBER("snapshot", ANY, 0, "snapshot or version of the table"),
    MEMBER("rows", COUNT, 0, "rows taken"),
    MEMBERS_END,
};
static const struct mlt_member CODE[] = {
    MEMBER("git_commit", STRING, 0, "commit of the code"),
    MEMBER("path", STRING, 0, "file in it"),
    MEMBERS_END,
};
static const struct mlt_member TRANSFORMATIONS[] = {
    MEMBER("step", ANY, 0, "its number or name"),
    MEMBER("description", STRING, 0, "what it does"),
    MEMBER_OF("code", STRUCT, 0, CODE, "what did it"),
    MEMBER("rows_in", COUNT, 0, "rows before"),
    MEMBER("rows_out", COUNT, 0, "rows after"),
    MEMBERS_END,
};
static const struct mlt_member EXCLUSIONS[] = {
    MEMBER("condition", STRING, EVI, "which rows"),
    MEMBER("reason", STRING, EVI, "why"),
    MEMBER("rows", COUNT, 0, "how many"),
    MEMBER("approved_by", STRING, 0, "who agreed"),
    MEMBERS_END,
};
static const struct mlt_member INPUTS[] = {
    MEMBER("dataset", STRING, REQ, "name of the dataset it was made from"),
    MEMBER("version", STRING, EVI, "its version"),
    MEMBER("hash", DIGEST, 0, "its digest"),
    MEMBERS_END,
};
const struct mlt_member mlt_members_dataset_version[] = {
    MEMBER("dataset", STRING, REQ, "name of the dataset"),
    MEMBER("version", STRING, REQ, "its version"),
    MEMBER_TIMESTAMP,
    MEMBER("hash", DIGEST, EVI, "digest of its content"),
    MEMBER_OF("sources", OBJECTS, EVI, SOURCES, "where the data came from"),
    MEMBER_OF("transformations", OBJECTS, EVI, TRANSFORMATIONS, "what was done to it, in order"),
    MEMBER_OF("exclusions", OBJECTS, EVI, EXCLUSIONS, "what was left out and why; an empty list states that nothing was"),
    MEMBER("created_by", STRING, EVI, "who made it"),
    MEMBER_OF("inputs", OBJECTS, 0, INPUTS, "dataset versions it was made from"),
    MEMBER("locations", STRINGS, 0, "where it is kept"),
    MEMBER("rows", COUNT, 0, "number of rows"),
    MEMBER("legal_basis", STRING, 0, "why the data may be used"),
    MEMBER("license", STRING, 0, "terms of use"),
    MEMBER("description", STRING, 0, "what it is"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const ROLE[] = {"train", "validation", "test", NULL};
static const char *const TRIGGER[] = {"manual", "schedule", "event", NULL};
static const struct mlt_member DATASETS[] = {
    MEMBER_ENUM("role", EVI, ROLE, "what it was used for"),
    MEMBER("dataset", STRING, REQ, "name of the dataset"),
    MEMBER("version", STRING, EVI, "its version"),
    MEMBER("hash", DIGEST, EVI, "digest of what was read"),
    MEMBERS_END,
};
static const struct mlt_member BASE_MODELS[] = {
    MEMBER("model", STRING, REQ, "name of the model that training started from"),
    MEMBER("model_version", STRING, EVI, "its version"),
    MEMBER("hash", DIGEST, 0, "its digest"),
    MEMBERS_END,
};
static const char *const RUN_STATUS[] = {"finished", "failed", "killed", NULL};
const struct mlt_member mlt_members_training_run[] = {
    MEMBER("training_job_id", STRING, REQ, "identifies the run"),
    MEMBER_TIMESTAMP,
    MEMBER_OF("datasets", OBJECTS, EVI, DATASETS, "what it was trained, validated and tested on"),
    MEMBER("git_commit", STRING, EVI, "commit of the training code"),
    MEMBER("hyperparameters", OBJECT, EVI, "by name"),
    MEMBER("metrics", OBJECT, EVI, "evaluation results by name"),
    MEMBER("triggered_by", STRING, EVI, "who started it"),
    MEMBER_ENUM("trigger", 0, TRIGGER, "what started it"),
    MEMBER("on_behalf_of", STRING, 0, "for whom a service started it"),
    MEMBER("git_repository", STRING, 0, "where the commit is"),
    MEMBER("git_dirty", BOOL, 0, "whether there were changes that no commit has"),
    MEMBER_OF("base_models", OBJECTS, 0, BASE_MODELS, "models that training started from"),
    MEMBER("started_at", TIME, 0, "when it began"),
    MEMBER("ended_at", TIME, 0, "when it ended"),
    MEMBER_ENUM("status", 0, RUN_STATUS, "how it ended"),
    MEMBER("environment", STRING_OR_OBJECT, 0, "image, libraries, hardware"),
    MEMBER("artifact_hash", DIGEST, 0, "digest of what it produced"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const ORIGIN[] = {"trained", "fine-tuned", "vendor", NULL};
static const struct mlt_member COMPONENTS[] = {
    MEMBER("model", STRING, REQ, "name of the model inside"),
    MEMBER("model_version", STRING, EVI, "its version"),
    MEMBERS_END,
};
static const struct mlt_member ARTIFACTS[] = {
    MEMBER("name", STRING, 0, "file or layer"),
    MEMBER("hash", DIGEST, 0, "its digest"),
    MEMBER("uri", STRING, 0, "where it is kept"),
    MEMBERS_END,
};
const struct mlt_member mlt_members_model_version[] = {
    MEMBER("model", STRING, REQ, "name of the model"),
    MEMBER("model_version", STRING, REQ, "its version"),
    MEMBER_TIMESTAMP,
    MEMBER("model_artifact_hash", DIGEST, EVI, "digest of the artifact"),
    MEMBER("training_job_id", STRING, EVI, "the run that made it"),
    MEMBER("registered_by", STRING, EVI, "who registered it"),
    MEMBER_ENUM("origin", 0, ORIGIN, "how it came to be"),
    MEMBER_OF("components", OBJECTS, 0, COMPONENTS, "model versions that it contains"),
    MEMBER_OF("artifacts", OBJECTS, 0, ARTIFACTS, "its files"),
    MEMBER("manifest", ANY, 0, "OpenSSF Model Signing manifest"),
    MEMBER("description", STRING, 0, "what it is for"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const VERDICT[] = {"approved", "rejected", "revoked", NULL};
const struct mlt_member mlt_members_approval[] = {
    MEMBER("approval_reference", STRING, REQ, "identifies the approval; transitions name it"),
    MEMBER("model", STRING, REQ, "name of the model"),
    MEMBER("model_version", STRING, REQ, "its version"),
    MEMBER_ENUM("verdict", REQ, VERDICT, "the decision"),
    MEMBER("approver", STRING, REQ, "who decided"),
    MEMBER("timestamp", TIME, REQ, "when"),
    MEMBER("model_artifact_hash", DIGEST, EVI, "digest of what was approved"),
    MEMBER("reason", STRING, EVI, "why"),
    MEMBER("role", STRING, 0, "in which function the approver acted"),
    MEMBER("conditions", ANY, 0, "under which conditions it holds"),
    MEMBER("expires_at", TIME, 0, "until when it holds"),
    MEMBER("evidence", ARRAY, 0, "what the decision rests on"),
    MEMBER("statement", STRING, 0, "what the approver signed, verbatim (docs/FORMAT.md, \"Approval statements\"); names the origin of the trail"),
    MEMBER("signature", STRING, 0, "SSHSIG over the statement, armoured, in the namespace `approval@mltrail` (see `mltrail approve`)"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const MOVE[] = {"stage", "alias", NULL};
const struct mlt_member mlt_members_transition[] = {
    MEMBER("model", STRING, REQ, "name of the model"),
    MEMBER("model_version", STRING, REQ, "its version"),
    MEMBER("to_stage", STRING, REQ, "stage or alias afterwards"),
    MEMBER("timestamp", TIME, REQ, "when it was moved"),
    MEMBER("from_stage", STRING, EVI, "stage before; `none` when it was never moved"),
    MEMBER("performed_by", STRING, EVI, "who moved it"),
    MEMBER("reason", STRING, EVI, "why"),
    MEMBER("approval_reference", STRING, EVI, "the approval that it rests on"),
    MEMBER_OF("deployment", STRUCT, 0, DEPLOYMENT, "where"),
    MEMBER_ENUM("move", 0, MOVE, "whether a stage or an alias was moved; not given: stage"),
    MEMBERS_COMMON,
    MEMBERS_END,
};

static const char *const ACTION[] = {"read",    "list",   "search", "create", "update", "delete",
                                     "approve", "export", "grant",  "login",  "admin",  NULL};
static const char *const RESOURCE_TYPE[] = {"model_registry", "prediction_log", "training_data", "trail", "config",
                                            "other", NULL};
static const char *const OUTCOME[] = {"allowed", "denied", "error", NULL};
static const struct mlt_member RESOURCE[] = {
    MEMBER_ENUM("type", REQ, RESOURCE_TYPE, "what was accessed"),
    MEMBER("id", STRING, 0, "a request_id, `model/version`, `dataset/version`, or the native name"),
    MEMBERS_END,
};
static const struct mlt_member ACCESS_SOURCE[] = {
    MEMBER("address", STRING, 0, "network address"),
    MEMBER("host", STRING, 0, "host name"),
    MEMBER("user_agent", STRING, 0, "program"),
    MEMBERS_END,
};
const struct mlt_member mlt_members_access[] = {
    MEMBER_ENUM("action", REQ, ACTION, "what was done"),
    MEMBER_OF("resource", STRUCT, REQ, RESOURCE, "to what"),
    MEMBER("timestamp", TIME, REQ, "when"),
    MEMBER("principal", STRING, EVI | PAY, "who"),
    MEMBER_OF("source", STRUCT, EVI | PAY, ACCESS_SOURCE, "from where"),
    MEMBER_ENUM("outcome", EVI, OUTCOME, "whether it was let through"),
    MEMBER("native_action", STRING, 0, "what the source system calls the action"),
    MEMBER("query", ANY, PAY, "what was asked"),
    MEMBER("entries", ARRAY, 0, "which entries of the trail were returned"),
    MEMBER("count", COUNT, 0, "how many records were returned, or attempts made"),
    MEMBER("bytes", COUNT, 0, "how much was returned"),
    MEMBER("purpose", STRING, 0, "what for"),
    MEMBER("session", ANY, PAY, "the session it was part of"),
    MEMBER("on_behalf_of", STRING, PAY, "for whom a service acted"),
    MEMBERS_COMMON,
    MEMBERS_END,
};
