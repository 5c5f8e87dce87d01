// The table of routes: dispatch, parameter checks and the OpenAPI document all follow it.
#include "server/api_state.h"

static const char *const order_values[] = {"asc", "desc", NULL};
static const char *const dossier_formats[] = {"json", "text", "html", "bundle", NULL};
static const char *const answer_formats[] = {"json", "text", NULL};
static const char *const directions[] = {"backward", "forward", NULL};
static const char *const ack_values[] = {"durable", "proven", NULL};
static const char *const receipts_values[] = {"all", "summary", NULL};
static const char *const resource_types[] = {
    "model_registry", "prediction_log", "training_data", "trail", "config", "other", NULL};

#define TEXT(param, says)                                                                                              \
    { .name = (param), .type = MLT_P_TEXT, .text = (says) }
#define WHEN(param, says)                                                                                              \
    { .name = (param), .type = MLT_P_TIME, .text = (says) }
#define ONE_OF(param, list, says)                                                                                      \
    { .name = (param), .type = MLT_P_ENUM, .values = (list), .text = (says) }
#define CURSOR                                                                                                         \
    { .name = "cursor", .type = MLT_P_COUNT, .text = "where to go on: `next` of the page before" }
#define LIMIT(most)                                                                                                    \
    { .name = "limit", .type = MLT_P_COUNT, .min = 1, .max = (most), .text = "items at most" }
#define AT_SIZE                                                                                                        \
    { .name = "at_size", .type = MLT_P_COUNT, .min = 1, .text = "answer as of this tree size" }
#define END                                                                                                            \
    { .name = NULL }

static const struct mlt_param append_params[] = {
    ONE_OF("receipts", receipts_values, "`all`: a receipt for every line of a batch"),
    ONE_OF("ack", ack_values, "`proven`: wait for a published checkpoint with the witnesses' quorum"),
    END,
};
static const struct mlt_param search_params[] = {
    TEXT("kind", "the kind of record"),
    TEXT("model", "records that name this model"),
    TEXT("model_version", "and this version of it"),
    TEXT("node", "serving node"),
    TEXT("principal", "who accessed (needs payloads)"),
    TEXT("producer", "who submitted"),
    TEXT("subject", "whom a prediction is about (needs payloads)"),
    WHEN("from", "not before"),
    WHEN("to", "before"),
    LIMIT(MLT_PAGE_MAX),
    CURSOR,
    ONE_OF("order", order_values, "of the log; newest first unless `asc`"),
    AT_SIZE,
    END,
};
static const struct mlt_param size_params[] = {AT_SIZE, END};
static const struct mlt_param page_params[] = {
    LIMIT(MLT_PAGE_MAX), CURSOR, ONE_OF("order", order_values, "of the log; newest first unless `asc`"), AT_SIZE, END};
static const struct mlt_param dossier_params[] = {
    ONE_OF("format", dossier_formats, "json unless said otherwise; `bundle`: a ZIP that verifies offline"),
    TEXT("disclose", "of a bundle: the payload members to show, comma-separated; all unless given"),
    TEXT("mask", "of a bundle: payload members to leave out, comma-separated; their commitments stay"),
    AT_SIZE,
    END,
};
static const struct mlt_param lineage_params[] = {ONE_OF("direction", directions, "`forward`: what depends on it"),
                                                  LIMIT(MLT_PAGE_MAX), CURSOR, AT_SIZE, END};
static const struct mlt_param question_params[] = {
    TEXT("request_id", "of the prediction asked about"),
    TEXT("model", "asked about"),
    TEXT("model_version", "asked about"),
    WHEN("at", "the instant asked about"),
    ONE_OF("format", answer_formats, "json unless said otherwise"),
    AT_SIZE,
    END,
};
static const struct mlt_param access_params[] = {
    ONE_OF("resource_type", resource_types, "of the resource accessed"),
    TEXT("resource_id", "with resource_type: a request_id, `model/version`, `dataset/version`, or the native name"),
    TEXT("principal", "who accessed (needs payloads)"),
    WHEN("from", "not before"),
    WHEN("to", "before"),
    LIMIT(MLT_PAGE_MAX),
    CURSOR,
    ONE_OF("order", order_values, "of the log; newest first unless `asc`"),
    AT_SIZE,
    END,
};
static const char *const payloads_values[] = {"plain", "salts", "none", NULL};
static const struct mlt_param position_params[] = {
    {.name = "received", .type = MLT_P_TIME, .text = "by the server's clock", .required = true}, AT_SIZE, END};
static const struct mlt_param export_params[] = {
    ONE_OF("payloads", payloads_values, "`salts`: with what holds each member against its commitment; `none`: without"),
    TEXT("kind", "the kind of record"),
    TEXT("model", "records that name this model"),
    WHEN("from", "not before"),
    WHEN("to", "before"),
    LIMIT(10000),
    CURSOR,
    AT_SIZE,
    END,
};

static const struct mlt_param index_path[] = {
    {.name = "index", .type = MLT_P_COUNT, .text = "position in the log, from 0"}, END};
static const struct mlt_param request_path[] = {TEXT("request_id", "as the producer gave it"), END};
static const struct mlt_param version_path[] = {TEXT("model", "its name"), TEXT("version", "its version"), END};
static const struct mlt_param ref_path[] = {
    TEXT("ref",
         "prediction:ID, model:NAME/VERSION, dataset:NAME/VERSION, job:ID, approval:REFERENCE, table:SYSTEM/TABLE, "
         "node:NAME or entry:INDEX"),
    END};
static const struct mlt_param question_path[] = {TEXT("id", "of the catalogue, as PRD-01"), END};
static const struct mlt_param tile_path[] = {TEXT("tile...", "level and number as C2SP tlog-tiles has them"), END};

const struct mlt_route mlt_routes[] = {
    {"POST", "/v1/records", "appendRecords", "Append one record, or one per line", 0,
     MLT_ROUTE_BODY | MLT_ROUTE_APPENDS, append_params, NULL, MLT_TYPE_JSON, "Receipt", 201,
     "200 202 409 413 415 422 503 507", mlt_handle_append},
    {"GET", "/v1/records", "searchRecords", "Find records", MLT_MAY_READ, MLT_ROUTE_AUDITED, search_params, NULL,
     MLT_TYPE_JSON, "RecordPage", 200, "", mlt_handle_search},
    {"GET", "/v1/records/{index}", "getRecord", "One record", MLT_MAY_READ, MLT_ROUTE_AUDITED, size_params, index_path,
     MLT_TYPE_JSON, "Record", 200, "404", mlt_handle_record},
    {"GET", "/v1/records/{index}/proof", "getProof", "An offline proof that the entry is in the log", MLT_MAY_READ, 0,
     size_params, index_path, MLT_TYPE_JSON, "Proof", 200, "404", mlt_handle_proof},
    {"POST", "/v1/cloudevents", "takeCloudEvents", "Take CloudEvents: inference events of KServe and Seldon, any other",
     0, MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN | MLT_ROUTE_APPENDS, NULL, NULL, MLT_TYPE_JSON, "Object", 200,
     "409 413 415 422 503", mlt_handle_cloudevents},
    {"POST", "/api/v1/lineage", "takeOpenLineageEvent", "Take an event of OpenLineage", 0,
     MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN, NULL, NULL, MLT_TYPE_JSON, "Object", 200, "409 413 415 422 503",
     mlt_handle_openlineage},
    {"POST", "/api/v1/lineage/batch", "takeOpenLineageBatch", "Take an array of events of OpenLineage", 0,
     MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN, NULL, NULL, MLT_TYPE_JSON, "Object", 200, "409 413 415 422 503",
     mlt_handle_openlineage_batch},
    {"POST", "/v1/traces", "takeTraces", "Spans of an OTLP exporter: calls to models become predictions", 0,
     MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN | MLT_ROUTE_APPENDS, NULL, NULL, MLT_TYPE_JSON, "Object", 200,
     "409 413 415 503", mlt_handle_otlp_traces},
    {"POST", "/v1/logs", "takeLogs", "Log records of an OTLP exporter: events of calls to models become predictions", 0,
     MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN | MLT_ROUTE_APPENDS, NULL, NULL, MLT_TYPE_JSON, "Object", 200,
     "409 413 415 503", mlt_handle_otlp_logs},
    {"GET", "/v1/predictions/{request_id}", "getPredictions", "Predictions with this id", MLT_MAY_READ,
     MLT_ROUTE_AUDITED, page_params, request_path, MLT_TYPE_JSON, "RecordPage", 200, "404", mlt_handle_predictions},
    {"GET", "/v1/predictions/{request_id}/dossier", "getDossier", "The whole story behind a prediction, proved",
     MLT_MAY_READ, MLT_ROUTE_AUDITED, dossier_params, request_path, MLT_TYPE_JSON, "Dossier", 200, "404 409",
     mlt_handle_dossier},
    {"GET", "/v1/models/{model}/versions/{version}", "getModelVersion", "A model version with its history",
     MLT_MAY_READ, MLT_ROUTE_AUDITED, size_params, version_path, MLT_TYPE_JSON, "ModelVersion", 200, "404",
     mlt_handle_model_version},
    {"GET", "/v1/lineage/{ref}", "getLineage", "The graph behind something, or what depends on it", MLT_MAY_READ,
     MLT_ROUTE_AUDITED, lineage_params, ref_path, MLT_TYPE_JSON, "Object", 200, "404", mlt_handle_lineage},
    {"GET", "/v1/questions", "getQuestions", "The catalogue of questions", MLT_MAY_READ, 0, NULL, NULL, MLT_TYPE_JSON,
     "QuestionList", 200, "", mlt_handle_questions},
    {"GET", "/v1/questions/{id}", "askQuestion", "The answer to a question, with its evidence", MLT_MAY_READ,
     MLT_ROUTE_AUDITED, question_params, question_path, MLT_TYPE_JSON, "Answer", 200, "404", mlt_handle_question},
    {"GET", "/v1/access", "getAccess", "Who read what", MLT_MAY_READ, MLT_ROUTE_AUDITED, access_params, NULL,
     MLT_TYPE_JSON, "RecordPage", 200, "", mlt_handle_access},
    {"GET", "/v1/settings", "getSettings", "Settings in force", MLT_MAY_READ, MLT_ROUTE_AUDITED, size_params, NULL,
     MLT_TYPE_JSON, "SettingList", 200, "", mlt_handle_settings},
    {"POST", "/v1/settings", "changeSetting", "Set one", MLT_MAY_ADMIN, MLT_ROUTE_BODY, NULL, NULL, MLT_TYPE_JSON,
     "Setting", 200, "409 413 415 422 503 507", mlt_handle_set},
    {"GET", "/v1/export", "exportRecords", "Records as NDJSON, one entry a line", MLT_MAY_READ, MLT_ROUTE_AUDITED,
     export_params, NULL, MLT_TYPE_NDJSON, "Text", 200, "", mlt_handle_export},
    {"GET", "/v1/positions", "getPosition", "The first entry received at or after a time", MLT_MAY_READ, 0,
     position_params, NULL, MLT_TYPE_JSON, "Object", 200, "", mlt_handle_position},
    {"GET", "/v1/witnesses", "getWitnesses", "Who cosigns the checkpoints, and who does not", MLT_MAY_READ,
     MLT_ROUTE_RAW, NULL, NULL, MLT_TYPE_JSON, "Object", 200, "", mlt_handle_witnesses},
    {"POST", "/v1/mlflow/exchanges", "takeMlflowExchanges", "Requests to an MLflow server and its answers, one a line",
     0, MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN | MLT_ROUTE_APPENDS, NULL, NULL, MLT_TYPE_JSON, "Object", 200,
     "409 413 415 422 503", mlt_handle_mlflow_exchanges},
    {"POST", "/v1/mlflow/webhook", "takeMlflowWebhook", "A webhook of MLflow, signed with the secret it shares", 0,
     MLT_ROUTE_BODY | MLT_ROUTE_FOREIGN | MLT_ROUTE_APPENDS | MLT_ROUTE_OPEN, NULL, NULL, MLT_TYPE_JSON, "Object", 200,
     "401 409 413 415 422 503", mlt_handle_mlflow_webhook},
    {"GET", "/trail.json", "getTrail",
     "What the trail says about itself: its keys and how each replaced the one before", 0,
     MLT_ROUTE_OPEN | MLT_ROUTE_RAW, NULL, NULL, MLT_TYPE_JSON, "Trail", 200, "404", mlt_handle_trail_json},
    {"POST", "/v1/anchors", "anchorNow", "Have the checkpoint stamped now", MLT_MAY_ADMIN, 0, NULL, NULL, MLT_TYPE_JSON,
     "AnchorList", 200, "409 503 507", mlt_handle_anchor},
    {"GET", "/checkpoint", "getCheckpoint", "The published checkpoint", 0, MLT_ROUTE_OPEN | MLT_ROUTE_RAW, NULL, NULL,
     MLT_TYPE_TEXT, "Text", 200, "404", mlt_handle_checkpoint},
    {"GET", "/tile/{tile...}", "getTile", "A hash tile, or a bundle of entries (tile/entries/…)", 0,
     MLT_ROUTE_OPEN | MLT_ROUTE_RAW, NULL, tile_path, MLT_TYPE_BYTES, "Bytes", 200, "401 403 404", mlt_handle_tile},
    {"POST", "/add", "addEntry", "Append the body as an entry of a raw trail", MLT_MAY_APPEND,
     MLT_ROUTE_RAW | MLT_ROUTE_ONLY_RAW | MLT_ROUTE_BODY, NULL, NULL, MLT_TYPE_TEXT, "Text", 200, "413 503 507",
     mlt_handle_add},
    {"GET", "/healthz", "getHealth", "The process answers", 0, MLT_ROUTE_OPEN | MLT_ROUTE_RAW, NULL, NULL,
     MLT_TYPE_TEXT, "Text", 200, "", mlt_handle_healthz},
    {"GET", "/readyz", "getReadiness", "Records are taken", 0, MLT_ROUTE_OPEN | MLT_ROUTE_RAW, NULL, NULL,
     MLT_TYPE_JSON, "Object", 200, "503", mlt_handle_readyz},
    {"GET", "/metrics", "getMetrics", "Prometheus metrics", MLT_MAY_READ, MLT_ROUTE_RAW, NULL, NULL,
     "text/plain; version=0.0.4; charset=utf-8", "Text", 200, "", mlt_handle_metrics},
    {"GET", "/openapi.json", "getOpenapi", "This document", 0, MLT_ROUTE_OPEN | MLT_ROUTE_RAW, NULL, NULL,
     MLT_TYPE_JSON, "Object", 200, "", mlt_handle_openapi},
};
const size_t mlt_num_routes = sizeof mlt_routes / sizeof mlt_routes[0];
_Static_assert(sizeof mlt_routes / sizeof mlt_routes[0] <= MLT_ROUTES_MAX, "the metrics have a row for every route");
