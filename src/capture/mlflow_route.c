#include "capture/mlflow_route.h"

#define REGISTRY "model_registry"
#define DATA "training_data"
#define TRACES "prediction_log"
#define CONFIG "config"
#define OTHER "other"

#define ID(what) MLT_MLFLOW_ID_##what
#define BODY MLT_MLFLOW_BODY
#define ANSWER MLT_MLFLOW_ANSWER
#define BEFORE MLT_MLFLOW_BEFORE
#define RUN MLT_MLFLOW_RUN
#define STATIC MLT_MLFLOW_STATIC
#define NAMES MLT_MLFLOW_NAMES

// The first row that fits counts. Rows of users, secrets and webhooks have no BODY: passwords and keys stand in there.
// clang-format off
static const struct mlt_mlflow_route routes[] = {
    // Registry.
    {"POST", "mlflow/registered-models/create", "create", "createRegisteredModel", REGISTRY, ID(NAME), BODY},
    {"POST", "mlflow/registered-models/rename", "update", "renameRegisteredModel", REGISTRY, ID(NAME), BODY},
    {"PATCH", "mlflow/registered-models/update", "update", "updateRegisteredModel", REGISTRY, ID(NAME), BODY},
    {"DELETE", "mlflow/registered-models/delete", "delete", "deleteRegisteredModel", REGISTRY, ID(NAME), BODY | BEFORE},
    {"GET", "mlflow/registered-models/get", "read", "getRegisteredModel", REGISTRY, ID(NAME), 0},
    {"GET", "mlflow/registered-models/search", "search", "searchRegisteredModels", REGISTRY, ID(NONE), 0},
    {NULL, "mlflow/registered-models/get-latest-versions", "read", "getLatestVersions", REGISTRY, ID(NAME), BODY},
    {"POST", "mlflow/registered-models/set-tag", "update", "setRegisteredModelTag", REGISTRY, ID(NAME), BODY},
    {"DELETE", "mlflow/registered-models/delete-tag", "update", "deleteRegisteredModelTag", REGISTRY, ID(NAME), BODY},
    {"POST", "mlflow/registered-models/alias", "update", "setRegisteredModelAlias", REGISTRY, ID(ALIAS), BODY | BEFORE},
    {"DELETE", "mlflow/registered-models/alias", "update", "deleteRegisteredModelAlias", REGISTRY, ID(ALIAS),
     BODY | BEFORE},
    {"GET", "mlflow/registered-models/alias", "read", "getModelVersionByAlias", REGISTRY, ID(ALIAS), ANSWER},
    {"POST", "mlflow/model-versions/create", "create", "createModelVersion", REGISTRY, ID(VERSION),
     BODY | ANSWER | RUN},
    {"PATCH", "mlflow/model-versions/update", "update", "updateModelVersion", REGISTRY, ID(VERSION), BODY},
    {"DELETE", "mlflow/model-versions/delete", "delete", "deleteModelVersion", REGISTRY, ID(VERSION), BODY | BEFORE},
    {"POST", "mlflow/model-versions/transition-stage", "update", "transitionModelVersionStage", REGISTRY, ID(VERSION),
     BODY | ANSWER | BEFORE},
    {"GET", "mlflow/model-versions/get", "read", "getModelVersion", REGISTRY, ID(VERSION), 0},
    {"GET", "mlflow/model-versions/search", "search", "searchModelVersions", REGISTRY, ID(NONE), 0},
    {"GET", "mlflow/model-versions/get-download-uri", "export", "getModelVersionDownloadUri", REGISTRY, ID(VERSION), 0},
    {"POST", "mlflow/model-versions/set-tag", "update", "setModelVersionTag", REGISTRY, ID(VERSION), BODY},
    {"DELETE", "mlflow/model-versions/delete-tag", "update", "deleteModelVersionTag", REGISTRY, ID(VERSION), BODY},
    {"GET", "/model-versions/get-artifact", "export", "getModelVersionArtifact", REGISTRY, ID(VERSION), 0},
    {"POST", "mlflow/logged-models", "create", "createLoggedModel", REGISTRY, ID(NONE), BODY},
    {"POST", "mlflow/logged-models/search", "search", "searchLoggedModels", REGISTRY, ID(NONE), BODY},
    {"GET", "mlflow/logged-models/*/artifacts/files", "export", "getLoggedModelArtifact", REGISTRY, ID(WILD), 0},
    {"GET", "mlflow/logged-models/*/artifacts/directories", "list", "listLoggedModelArtifacts", REGISTRY, ID(WILD), 0},
    {"GET", "mlflow/logged-models/*", "read", "getLoggedModel", REGISTRY, ID(WILD), 0},
    {"PATCH", "mlflow/logged-models/*", "update", "finalizeLoggedModel", REGISTRY, ID(WILD), BODY},
    {"DELETE", "mlflow/logged-models/*", "delete", "deleteLoggedModel", REGISTRY, ID(WILD), 0},
    {"POST", "mlflow/logged-models/*/params", "update", "logLoggedModelParams", REGISTRY, ID(WILD), 0},
    {"PATCH", "mlflow/logged-models/*/tags", "update", "setLoggedModelTags", REGISTRY, ID(WILD), BODY},
    {NULL, "mlflow/logged-models/**", NULL, NULL, REGISTRY, ID(WILD), 0},

    // Artifact bytes: models are stored among them.
    {"GET", "mlflow-artifacts/artifacts", "list", "listArtifacts", REGISTRY, ID(ARTIFACT), 0},
    {"GET", "mlflow-artifacts/artifacts/**", "export", "downloadArtifact", REGISTRY, ID(WILD), 0},
    {"PUT", "mlflow-artifacts/artifacts/**", "create", "uploadArtifact", REGISTRY, ID(WILD), 0},
    {"DELETE", "mlflow-artifacts/artifacts/**", "delete", "deleteArtifact", REGISTRY, ID(WILD), 0},
    {"POST", "mlflow-artifacts/mpu/create/**", "create", "createMultipartUpload", REGISTRY, ID(WILD), 0},
    {"POST", "mlflow-artifacts/mpu/complete/**", "create", "completeMultipartUpload", REGISTRY, ID(WILD), 0},
    {"POST", "mlflow-artifacts/mpu/abort/**", "update", "abortMultipartUpload", REGISTRY, ID(WILD), 0},
    {"GET", "mlflow-artifacts/presigned/**", "export", "getPresignedDownloadUrl", REGISTRY, ID(WILD), 0},
    {"POST", "mlflow/artifacts/presigned-download-url", "export", "getPresignedDownloadUrl", REGISTRY, ID(ARTIFACT),
     BODY},
    {"POST", "mlflow/artifacts/presigned-upload-url", "create", "getPresignedUploadUrl", REGISTRY, ID(ARTIFACT), BODY},
    {"GET", "mlflow/artifacts/list", "list", "listArtifacts", REGISTRY, ID(ARTIFACT), 0},
    {"GET", "/get-artifact", "export", "getArtifact", REGISTRY, ID(ARTIFACT), 0},
    {"POST", "mlflow/upload-artifact", "create", "uploadArtifact", REGISTRY, ID(ARTIFACT), 0},

    // Data.
    {"POST", "mlflow/runs/log-inputs", "update", "logInputs", DATA, ID(RUN), BODY},
    {"POST", "mlflow/experiments/search-datasets", "search", "searchDatasets", DATA, ID(NONE), BODY},
    {"POST", "mlflow/datasets/create", "create", "createDataset", DATA, ID(NONE), 0},
    {NULL, "mlflow/datasets/search", "search", "searchEvaluationDatasets", DATA, ID(NONE), BODY},
    {"GET", "mlflow/datasets/*/records", "export", "getDatasetRecords", DATA, ID(WILD), 0},
    {"POST", "mlflow/datasets/*/records", "update", "upsertDatasetRecords", DATA, ID(WILD), 0},
    {"DELETE", "mlflow/datasets/*/records", "delete", "deleteDatasetRecords", DATA, ID(WILD), 0},
    {NULL, "mlflow/datasets/*", NULL, NULL, DATA, ID(WILD), 0},
    {NULL, "mlflow/datasets/**", NULL, NULL, DATA, ID(WILD), 0},

    // Runs and experiments.
    {"POST", "mlflow/runs/create", "create", "createRun", OTHER, ID(EXPERIMENT), BODY | ANSWER},
    {"POST", "mlflow/runs/update", "update", "updateRun", OTHER, ID(RUN), BODY | RUN},
    {"POST", "mlflow/runs/delete", "delete", "deleteRun", OTHER, ID(RUN), BODY},
    {"POST", "mlflow/runs/restore", "update", "restoreRun", OTHER, ID(RUN), BODY},
    {"GET", "mlflow/runs/get", "read", "getRun", OTHER, ID(RUN), 0},
    {"POST", "mlflow/runs/search", "search", "searchRuns", OTHER, ID(NONE), BODY},
    {"POST", "mlflow/runs/log-batch", "update", "logBatch", OTHER, ID(RUN), NAMES},
    {"POST", "mlflow/runs/log-metric", "update", "logMetric", OTHER, ID(RUN), NAMES},
    {"POST", "mlflow/runs/log-parameter", "update", "logParam", OTHER, ID(RUN), NAMES},
    {"POST", "mlflow/runs/log-model", "update", "logModel", OTHER, ID(RUN), NAMES},
    {"POST", "mlflow/runs/outputs", "update", "logOutputs", OTHER, ID(RUN), BODY},
    {"POST", "mlflow/runs/set-tag", "update", "setTag", OTHER, ID(RUN), BODY},
    {"POST", "mlflow/runs/delete-tag", "update", "deleteTag", OTHER, ID(RUN), BODY},
    {"GET", "mlflow/metrics/**", "read", "getMetricHistory", OTHER, ID(RUN), 0},
    {NULL, "mlflow/experiments/search", "search", "searchExperiments", OTHER, ID(NONE), BODY},
    {"GET", "mlflow/experiments/get", "read", "getExperiment", OTHER, ID(EXPERIMENT), 0},
    {"GET", "mlflow/experiments/get-by-name", "read", "getExperimentByName", OTHER, ID(EXPERIMENT), 0},
    {"POST", "mlflow/experiments/create", "create", "createExperiment", OTHER, ID(EXPERIMENT), BODY},
    {"POST", "mlflow/experiments/delete", "delete", "deleteExperiment", OTHER, ID(EXPERIMENT), BODY},
    {"POST", "mlflow/experiments/restore", "update", "restoreExperiment", OTHER, ID(EXPERIMENT), BODY},
    {"POST", "mlflow/experiments/update", "update", "updateExperiment", OTHER, ID(EXPERIMENT), BODY},

    // Who may do what.
    {"POST", "mlflow/users/create", "admin", "createUser", CONFIG, ID(USER), NAMES},
    {"GET", "mlflow/users/get", "read", "getUser", CONFIG, ID(USER), 0},
    {"PATCH", "mlflow/users/update-password", "admin", "updateUserPassword", CONFIG, ID(USER), NAMES},
    {"PATCH", "mlflow/users/update-admin", "grant", "updateUserAdmin", CONFIG, ID(USER), NAMES},
    {"DELETE", "mlflow/users/delete", "admin", "deleteUser", CONFIG, ID(USER), NAMES},
    {"POST", "mlflow/users/create-ui", "admin", "createUser", CONFIG, ID(NONE), 0},
    {"GET", "mlflow/registered-models/permissions/get", "read", "getRegisteredModelPermission", CONFIG, ID(NAME), 0},
    {NULL, "mlflow/registered-models/permissions/*", "grant", NULL, CONFIG, ID(NAME), BODY},
    {"GET", "mlflow/experiments/permissions/get", "read", "getExperimentPermission", CONFIG, ID(EXPERIMENT), 0},
    {NULL, "mlflow/experiments/permissions/*", "grant", NULL, CONFIG, ID(EXPERIMENT), BODY},
    {"GET", "mlflow/*/permissions/get", "read", NULL, CONFIG, ID(PATH), 0},
    {NULL, "mlflow/*/permissions/*", "grant", NULL, CONFIG, ID(PATH), BODY},
    {NULL, "mlflow/permissions/**", "grant", NULL, CONFIG, ID(PATH), BODY},
    {NULL, "mlflow/roles/**", NULL, NULL, CONFIG, ID(PATH), 0},
    {"GET", "/signup", "read", "signupPage", CONFIG, ID(NONE), 0},
    {NULL, "/login", "login", NULL, CONFIG, ID(NONE), 0},
    {NULL, "/logout", "login", NULL, CONFIG, ID(NONE), 0},
    {NULL, "/callback", "login", NULL, CONFIG, ID(NONE), 0},

    // Recorded answers of models.
    {NULL, "mlflow/traces/**", NULL, NULL, TRACES, ID(WILD), 0},
    {"GET", "mlflow/traces", "search", "searchTraces", TRACES, ID(NONE), 0},
    {"POST", "mlflow/traces", "create", "startTrace", TRACES, ID(NONE), 0},
    {"GET", "mlflow/unified-traces", "search", "searchUnifiedTraces", TRACES, ID(NONE), 0},
    {"GET", "mlflow/get-trace-artifact", "export", "getTraceArtifact", TRACES, ID(PATH), 0},
    {"GET", "mlflow/get-online-trace-details", "read", "getOnlineTraceDetails", TRACES, ID(NONE), 0},
    {"POST", "/v1/traces", "create", "exportTraces", TRACES, ID(NONE), 0},

    // Settings.
    {NULL, "mlflow/webhooks/**", NULL, NULL, CONFIG, ID(WILD), 0},
    {"GET", "mlflow/webhooks", "list", "listWebhooks", CONFIG, ID(NONE), 0},
    {"POST", "mlflow/webhooks", "create", "createWebhook", CONFIG, ID(NONE), 0},
    {NULL, "mlflow/gateway/**", NULL, NULL, CONFIG, ID(PATH), 0},
    {NULL, "mlflow/scorers/**", NULL, NULL, CONFIG, ID(PATH), 0},
    {NULL, "mlflow/workspaces/**", NULL, NULL, CONFIG, ID(WILD), 0},
    {NULL, "mlflow/workspaces", NULL, NULL, CONFIG, ID(NONE), 0},

    // The page, and what says nothing about anybody.
    {NULL, "/graphql", "read", "graphql", OTHER, ID(GRAPHQL), BODY},
    {NULL, "mlflow/server-info", "read", "getServerInfo", OTHER, ID(NONE), STATIC},
    {NULL, "mlflow/ui-telemetry", NULL, "uiTelemetry", OTHER, ID(NONE), STATIC},
    {NULL, "/static-files/**", "read", "getStaticFile", OTHER, ID(PATH), STATIC},
    {NULL, "/health", "read", "health", OTHER, ID(NONE), STATIC},
    {NULL, "/version", "read", "version", OTHER, ID(NONE), STATIC},
    {NULL, "/metrics", "read", "metrics", OTHER, ID(NONE), STATIC},
    {NULL, "mlflow/registered-models/**", NULL, NULL, REGISTRY, ID(NAME), 0},
    {NULL, "mlflow/model-versions/**", NULL, NULL, REGISTRY, ID(VERSION), 0},
    {NULL, "mlflow/runs/**", NULL, NULL, OTHER, ID(RUN), 0},
    {NULL, "mlflow/experiments/**", NULL, NULL, OTHER, ID(EXPERIMENT), 0},
};
// clang-format on
#define NUM_ROUTES (sizeof routes / sizeof routes[0])

static const struct mlt_mlflow_route unknown = {NULL, "**", NULL, NULL, OTHER, MLT_MLFLOW_ID_PATH, 0};

const struct mlt_mlflow_route *mlt_mlflow_route_at(size_t i) {
    return i < NUM_ROUTES ? &routes[i] : NULL;
}

static bool starts(struct mlt_bytes text, const char *with) {
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.ptr, with, len) == 0;
}

static struct mlt_bytes from(struct mlt_bytes text, size_t at) {
    return mlt_bytes_of(text.ptr + at, text.len - at);
}

static bool digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

// The length of an API's prefix at the start of `path` ("/api/2.0/", "/ajax-api/3.0/"), 0 when there is none. MLflow
// itself once forgot the slash behind the version.
static size_t api_prefix(struct mlt_bytes path) {
    size_t at = starts(path, "/api/") ? 5 : starts(path, "/ajax-api/") ? 10 : 0;
    if (at == 0 || path.len < at + 3 || !digit(path.ptr[at]) || path.ptr[at + 1] != '.' || !digit(path.ptr[at + 2])) {
        return 0;
    }
    at += 3;
    at += at < path.len && path.ptr[at] == '/' ? 1u : 0u;
    return starts(from(path, at), "mlflow") ? at : 0;
}

// behind_prefix finds the first place where the API begins, whatever a server has been put behind.
static bool behind_prefix(struct mlt_bytes path, struct mlt_bytes *prefix, struct mlt_bytes *rest) {
    for (size_t i = 0; i < path.len; i++) {
        size_t len = path.ptr[i] == '/' ? api_prefix(from(path, i)) : 0;
        if (len > 0) {
            *prefix = mlt_bytes_of(path.ptr, i);
            *rest = from(path, i + len);
            return true;
        }
    }
    return false;
}

static size_t segment(struct mlt_bytes text) {
    const uint8_t *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    return slash ? (size_t)(slash - text.ptr) : text.len;
}

// Segment by segment; a trailing slash of the path makes no difference.
static bool matches(const char *pattern, struct mlt_bytes path, struct mlt_bytes *wild) {
    struct mlt_bytes want = mlt_str(pattern);
    if (path.len > 0 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    for (;;) {
        struct mlt_bytes w = mlt_bytes_of(want.ptr, segment(want)), p = mlt_bytes_of(path.ptr, segment(path));
        if (mlt_bytes_is(w, "**")) {
            *wild = path;
            return path.len > 0;
        }
        if (mlt_bytes_is(w, "*")) {
            *wild = p;
        }
        if (p.len == 0 || (!mlt_bytes_is(w, "*") && !mlt_bytes_equal(w, p))) {
            return false;
        }
        if (w.len == want.len || p.len == path.len) {
            return w.len == want.len && p.len == path.len;
        }
        want = from(want, w.len + 1);
        path = from(path, p.len + 1);
    }
}

// matches_end looks for a pattern that begins with '/' behind any static prefix.
static bool matches_end(const char *pattern, struct mlt_bytes path, struct mlt_bytes *rest, struct mlt_bytes *wild) {
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '/' && matches(pattern + 1, from(path, i + 1), wild)) {
            *rest = from(path, i);
            return true;
        }
    }
    return false;
}

// What an access is called whose route nobody wrote down: reading is what GET does, and POST when it says so.
static const char *usual_action(struct mlt_bytes method, struct mlt_bytes path) {
    while (segment(path) < path.len) {
        path = from(path, segment(path) + 1);
    }
    if (mlt_bytes_is(method, "GET") || mlt_bytes_is(method, "HEAD") || mlt_bytes_is(method, "OPTIONS")) {
        return starts(path, "search") ? "search" : starts(path, "list") ? "list" : "read";
    }
    if (mlt_bytes_is(method, "DELETE") || starts(path, "delete") || starts(path, "remove")) {
        return "delete";
    }
    if (mlt_bytes_is(method, "POST")) {
        return starts(path, "search")                               ? "search"
               : starts(path, "list")                               ? "list"
               : starts(path, "get") || starts(path, "batchGet")    ? "read"
               : starts(path, "create") || starts(path, "register") ? "create"
                                                                    : "update";
    }
    return "update";
}

static bool method_fits(const char *want, struct mlt_bytes method) {
    return !want || mlt_bytes_is(method, want) || (strcmp(want, "GET") == 0 && mlt_bytes_is(method, "HEAD"));
}

// The first row that fits.
static const struct mlt_mlflow_route *find(struct mlt_bytes method, struct mlt_mlflow_match *m, bool api) {
    for (size_t i = 0; i < NUM_ROUTES; i++) {
        const struct mlt_mlflow_route *r = &routes[i];
        struct mlt_bytes wild = {0};
        bool fits = method_fits(r->method, method) && (r->pattern[0] == '/') != api &&
                    (api ? matches(r->pattern, m->path, &wild) : matches_end(r->pattern, m->path, &m->path, &wild));
        if (fits) {
            m->wild = wild;
            return r;
        }
    }
    return &unknown;
}

struct mlt_mlflow_match mlt_mlflow_route_find(struct mlt_bytes method, struct mlt_bytes path) {
    struct mlt_mlflow_match m = {.path = path};
    bool api = behind_prefix(path, &m.prefix, &m.path);
    m.route = find(method, &m, api);
    m.action = m.route->action ? m.route->action : usual_action(method, m.path);
    return m;
}

struct mlt_bytes mlt_mlflow_decode(struct mlt_bytes text, bool plus, struct mlt_arena *arena) {
    uint8_t *out = mlt_arena_take(arena, text.len + 1);
    size_t len = 0;
    if (!out) {
        return (struct mlt_bytes){0};
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (mlt_percent_byte(&c, text, i)) {
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    struct mlt_bytes decoded = mlt_bytes_of(out, len);
    return mlt_utf8_valid(decoded) ? decoded : text;
}

struct mlt_bytes mlt_mlflow_query(struct mlt_bytes query, const char *name, struct mlt_arena *arena) {
    while (query.len > 0) {
        const uint8_t *amp = memchr(query.ptr, '&', query.len);
        struct mlt_bytes pair = mlt_bytes_of(query.ptr, amp ? (size_t)(amp - query.ptr) : query.len);
        const uint8_t *equals = pair.len > 0 ? memchr(pair.ptr, '=', pair.len) : NULL;
        if (equals) {
            struct mlt_bytes key = mlt_bytes_of(pair.ptr, (size_t)(equals - pair.ptr));
            if (mlt_bytes_is(mlt_mlflow_decode(key, true, arena), name)) {
                return mlt_mlflow_decode(from(pair, key.len + 1), true, arena);
            }
        }
        query = from(query, pair.len + (amp ? 1u : 0u));
    }
    return (struct mlt_bytes){0};
}
