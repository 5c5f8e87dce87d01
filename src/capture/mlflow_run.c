// Runs and versions, from the JSON of MLflow's API: what a run was made of, what was registered. Everything is taken
// from that JSON alone, so that the same run says the same whoever asked for it.
#include <stdio.h>

#include "base/time.h"
#include "capture/mlflow.h"

#define PAIRS_MAX 2000  // parameters or metrics of a run; each is looked for among those before it
#define INPUTS_MAX 1000 // datasets of a run
#define DIGEST_LEN 8
#define DIGEST_NAME                                                                                                    \
    "mlflow-md5-8" // eight digits of an MD5 over the first 10,000 rows: labelled, compared with its like

bool mlt_mlflow_time(const struct mlt_json *json, mlt_json_at at, const char *member, char out[static 31]) {
    struct mlt_arena arena = {0};
    uint64_t ms = 0;
    bool known = mlt_decimal_decode(&ms, mlt_mlflow_text(json, at, member, &arena)) && ms > 0 &&
                 ms < (uint64_t)(INT64_MAX / 1000000);
    if (known) {
        mlt_time_format(out, (int64_t)ms * 1000000);
    }
    mlt_arena_clear(&arena);
    return known;
}

struct mlt_bytes mlt_mlflow_tag(const struct mlt_json *json, mlt_json_at tags, const char *key,
                                struct mlt_arena *arena) {
    for (mlt_json_at n = mlt_json_first(json, tags); n != MLT_JSON_NONE; n = mlt_json_next(json, tags, n)) {
        if (mlt_bytes_is(mlt_json_string(json, mlt_json_get(json, n, "key"), arena), key)) {
            return mlt_json_string(json, mlt_json_get(json, n, "value"), arena);
        }
    }
    return (struct mlt_bytes){0};
}

bool mlt_mlflow_is_prompt(const struct mlt_json *json, mlt_json_at tags) {
    struct mlt_arena arena = {0};
    bool is = mlt_mlflow_tag(json, tags, "mlflow.prompt.is_prompt", &arena).ptr != NULL;
    mlt_arena_clear(&arena);
    return is;
}

static void put_tag(struct mlt_json_writer *w, const char *name, const struct mlt_json *json, mlt_json_at tags,
                    const char *key, struct mlt_arena *arena) {
    struct mlt_bytes value = mlt_mlflow_tag(json, tags, key, arena);
    if (value.len > 0) {
        mlt_jw_member_bytes(w, name, mlt_mlflow_clip(value));
    }
}

static void put_member(struct mlt_json_writer *w, const char *name, const struct mlt_json *json, mlt_json_at at,
                       const char *member, struct mlt_arena *arena) {
    struct mlt_bytes value = mlt_mlflow_text(json, at, member, arena);
    if (value.len > 0) {
        mlt_jw_member_bytes(w, name, mlt_mlflow_clip(value));
    }
}

// -- parameters and metrics -------------------------------------------------------------------------------------------

static bool seen_before(const struct mlt_json *json, mlt_json_at list, mlt_json_at until, struct mlt_bytes key,
                        struct mlt_arena *arena) {
    for (mlt_json_at n = mlt_json_first(json, list); n != until && n != MLT_JSON_NONE;
         n = mlt_json_next(json, list, n)) {
        if (mlt_bytes_equal(mlt_json_string(json, mlt_json_get(json, n, "key"), arena), key)) {
            return true;
        }
    }
    return false;
}

// Values of parameters and metrics are strings and numbers; whatever else stands there is no such value.
static void put_scalar(struct mlt_json_writer *w, struct mlt_bytes key, const struct mlt_json *json, mlt_json_at at) {
    if (!mlt_json_is(json, at, MLT_JSON_OBJECT) && !mlt_json_is(json, at, MLT_JSON_ARRAY)) {
        mlt_jw_name_bytes(w, key);
        mlt_jw_raw(w, mlt_json_raw(json, at));
    }
}

// [{key, value}] as an object; of a key that comes again the first counts, since an object has each name once. Lists
// of parameters are short: MLflow takes a hundred in a request.
static void put_pairs(struct mlt_json_writer *w, const char *name, const struct mlt_json *json, mlt_json_at list,
                      struct mlt_arena *arena) {
    if (!mlt_json_is(json, list, MLT_JSON_ARRAY) && list != MLT_JSON_NONE) {
        return;
    }
    size_t num = 0;
    mlt_jw_name(w, name);
    mlt_jw_object(w);
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE && num < PAIRS_MAX;
         n = mlt_json_next(json, list, n), num++) {
        struct mlt_bytes key = mlt_json_string(json, mlt_json_get(json, n, "key"), arena);
        mlt_json_at value = mlt_json_get(json, n, "value");
        if (key.len > 0 && value != MLT_JSON_NONE && !seen_before(json, list, n, key, arena)) {
            put_scalar(w, key, json, value);
        }
    }
    mlt_jw_end_object(w);
}

// -- datasets ---------------------------------------------------------------------------------------------------------

// MLflow leaves the context to its user; what is none of the three roles says nothing.
static const char *role_of(struct mlt_bytes context) {
    static const struct {
        const char *context, *role;
    } roles[] = {
        {"training", "train"}, {"train", "train"},      {"validation", "validation"},
        {"val", "validation"}, {"valid", "validation"}, {"testing", "test"},
        {"test", "test"},      {"evaluation", "test"},  {"eval", "test"},
    };
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (mlt_bytes_is(context, roles[i].context)) {
            return roles[i].role;
        }
    }
    return NULL;
}

// A caller may give any text as the digest of a dataset: that is a version, and no digest.
static void put_digest(struct mlt_json_writer *w, struct mlt_bytes digest) {
    uint8_t bytes[DIGEST_LEN / 2];
    if (digest.len != DIGEST_LEN || !mlt_hex_decode(bytes, sizeof(bytes), digest)) {
        return;
    }
    mlt_jw_name(w, "hash");
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, DIGEST_NAME, digest);
    mlt_jw_end_object(w);
}

static mlt_json_at inputs_of(const struct mlt_json *json, mlt_json_at run) {
    return mlt_json_get(json, mlt_json_get(json, run, "inputs"), "dataset_inputs");
}

static void put_datasets(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at run,
                         struct mlt_arena *arena) {
    mlt_json_at list = inputs_of(json, run);
    size_t num = 0;
    mlt_jw_name(w, "datasets");
    mlt_jw_array(w);
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE && num < INPUTS_MAX;
         n = mlt_json_next(json, list, n), num++) {
        mlt_json_at dataset = mlt_json_get(json, n, "dataset");
        struct mlt_bytes name = mlt_mlflow_text(json, dataset, "name", arena);
        struct mlt_bytes digest = mlt_mlflow_text(json, dataset, "digest", arena);
        const char *role = role_of(mlt_mlflow_tag(json, mlt_json_get(json, n, "tags"), "mlflow.data.context", arena));
        if (name.len == 0) {
            continue;
        }
        mlt_jw_object(w);
        if (role) {
            mlt_jw_member(w, "role", role);
        }
        mlt_jw_member_bytes(w, "dataset", mlt_mlflow_clip(name));
        if (digest.len > 0) {
            mlt_jw_member_bytes(w, "version", mlt_mlflow_clip(digest));
            put_digest(w, digest);
        }
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

// `source` and `profile` of a dataset are JSON inside a string.
struct inner {
    struct mlt_json json;
    bool known;
};

static enum mlt_status open_inner(struct inner *in, const struct mlt_json *json, mlt_json_at at, const char *member,
                                  struct mlt_arena *arena) {
    struct mlt_bytes text = mlt_mlflow_text(json, at, member, arena);
    *in = (struct inner){0};
    enum mlt_status status = text.len > 0 ? mlt_json_scan(&in->json, text, NULL) : MLT_INVALID;
    in->known = status == MLT_OK && mlt_json_is(&in->json, 0, MLT_JSON_OBJECT);
    return status == MLT_NOMEM ? status : MLT_OK;
}

// Where MLflow says that the data came from: a table of a system, as far as its kinds of sources tell.
static void put_sources(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at dataset,
                        const struct inner *source, struct mlt_arena *arena) {
    static const char *const names[] = {
        "delta_table_name", "table_name", "table", "path", "uri", "url", "query", "sql"};
    struct mlt_bytes table = {0};
    for (size_t i = 0; source->known && i < sizeof names / sizeof names[0] && table.len == 0; i++) {
        table = mlt_mlflow_text(&source->json, 0, names[i], arena);
    }
    if (table.len == 0) {
        return;
    }
    mlt_jw_name(w, "sources");
    mlt_jw_array(w);
    mlt_jw_object(w);
    put_member(w, "system", json, dataset, "source_type", arena);
    mlt_jw_member_bytes(w, "table", mlt_mlflow_clip(table));
    mlt_jw_end_object(w);
    mlt_jw_end_array(w);
}

static enum mlt_status put_dataset_version(struct mlt_capture *out, const struct mlt_json *json, mlt_json_at dataset,
                                           struct mlt_arena *arena) {
    struct mlt_bytes name = mlt_mlflow_text(json, dataset, "name", arena);
    struct mlt_bytes digest = mlt_mlflow_text(json, dataset, "digest", arena);
    struct inner source, profile = {0};
    uint64_t rows;
    if (name.len == 0 || digest.len == 0) {
        return MLT_OK;
    }
    enum mlt_status status = open_inner(&source, json, dataset, "source", arena);
    if (status == MLT_OK) {
        status = open_inner(&profile, json, dataset, "profile", arena);
    }
    if (status == MLT_OK) {
        struct mlt_json_writer *w = mlt_capture_begin(out, "dataset.version");
        mlt_jw_member_bytes(w, "dataset", mlt_mlflow_clip(name));
        mlt_jw_member_bytes(w, "version", mlt_mlflow_clip(digest));
        put_digest(w, digest);
        put_sources(w, json, dataset, &source, arena);
        if (profile.known && mlt_json_u64(&profile.json, mlt_json_get(&profile.json, 0, "num_rows"), &rows)) {
            mlt_jw_member_u64(w, "rows", rows);
        }
        mlt_capture_end(out);
    }
    mlt_json_clear(&source.json);
    mlt_json_clear(&profile.json);
    return status;
}

static enum mlt_status put_dataset_versions(struct mlt_capture *out, const struct mlt_json *json, mlt_json_at run,
                                            struct mlt_arena *arena) {
    mlt_json_at list = inputs_of(json, run);
    enum mlt_status status = MLT_OK;
    size_t num = 0;
    for (mlt_json_at n = mlt_json_first(json, list); status == MLT_OK && n != MLT_JSON_NONE && num < INPUTS_MAX;
         n = mlt_json_next(json, list, n), num++) {
        status = put_dataset_version(out, json, mlt_json_get(json, n, "dataset"), arena);
    }
    return status;
}

// -- the run ----------------------------------------------------------------------------------------------------------

// How a run ended, in the words of training.run; NULL: it goes on.
static const char *end_of(struct mlt_bytes status) {
    static const char *const ends[][2] = {{"FINISHED", "finished"}, {"FAILED", "failed"}, {"KILLED", "killed"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (mlt_bytes_is(status, ends[i][0])) {
            return ends[i][1];
        }
    }
    return NULL;
}

static void put_environment(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at tags,
                            struct mlt_arena *arena) {
    static const char *const keys[][2] = {{"mlflow.docker.image.uri", "image"},
                                          {"mlflow.docker.image.id", "image_id"},
                                          {"mlflow.project.env", "project_env"},
                                          {"mlflow.source.name", "source"},
                                          {"mlflow.source.type", "source_type"}};
    mlt_jw_name(w, "environment");
    mlt_jw_object(w);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        put_tag(w, keys[i][1], json, tags, keys[i][0], arena);
    }
    mlt_jw_end_object(w);
}

// What a run that goes on says already, and will still say when it is over.
static void put_begun(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at info) {
    char at[MLT_TIME_TEXT_LEN + 1];
    if (mlt_mlflow_time(json, info, "start_time", at)) {
        mlt_jw_member(w, "timestamp", at);
        mlt_jw_member(w, "started_at", at);
    }
}

// MLflow's tags, or else those of mltrail.mlflow.plugins, which also say whether the commit is all that ran.
static void put_code(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at tags,
                     struct mlt_arena *arena) {
    static const char *const keys[][3] = {{"git_commit", "mlflow.source.git.commit", "mltrail.git_commit"},
                                          {"git_repository", "mlflow.source.git.repoURL", "mltrail.git_repository"}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        bool known = mlt_mlflow_tag(json, tags, keys[i][1], arena).len > 0;
        put_tag(w, keys[i][0], json, tags, keys[i][known ? 1 : 2], arena);
    }
    struct mlt_bytes dirty = mlt_mlflow_tag(json, tags, "mltrail.git_dirty", arena);
    if (mlt_bytes_is(dirty, "true") || mlt_bytes_is(dirty, "false")) {
        mlt_jw_member_bool(w, "git_dirty", mlt_bytes_is(dirty, "true"));
    }
}

static void put_over(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at run, const char *how,
                     struct mlt_arena *arena) {
    mlt_json_at info = mlt_json_get(json, run, "info"), data = mlt_json_get(json, run, "data");
    mlt_json_at tags = mlt_json_get(json, data, "tags");
    char at[MLT_TIME_TEXT_LEN + 1];
    if (mlt_mlflow_time(json, info, "end_time", at)) {
        mlt_jw_member(w, "ended_at", at);
    }
    put_datasets(w, json, run, arena);
    put_code(w, json, tags, arena);
    put_pairs(w, "hyperparameters", json, mlt_json_get(json, data, "params"), arena);
    put_pairs(w, "metrics", json, mlt_json_get(json, data, "metrics"), arena);
    put_environment(w, json, tags, arena);
    mlt_jw_member(w, "status", how);
}

static struct mlt_bytes claimed_user(const struct mlt_json *json, mlt_json_at run, struct mlt_arena *arena) {
    mlt_json_at tags = mlt_json_get(json, mlt_json_get(json, run, "data"), "tags");
    struct mlt_bytes user = mlt_mlflow_tag(json, tags, "mlflow.user", arena);
    return user.len > 0 ? user : mlt_mlflow_text(json, mlt_json_get(json, run, "info"), "user_id", arena);
}

enum mlt_status mlt_mlflow_put_run(struct mlt_capture *out, const struct mlt_json *json, mlt_json_at run,
                                   struct mlt_bytes triggered_by, bool claimed) {
    struct mlt_arena arena = {0};
    mlt_json_at info = mlt_json_get(json, run, "info");
    struct mlt_bytes id = mlt_mlflow_text(json, info, "run_id", &arena);
    const char *over = end_of(mlt_mlflow_text(json, info, "status", &arena));
    enum mlt_status status = id.len > 0 ? MLT_OK : MLT_INVALID;
    if (status == MLT_OK && over) {
        status = put_dataset_versions(out, json, run, &arena);
    }
    if (status == MLT_OK) {
        struct mlt_bytes who = triggered_by.len > 0 || !claimed ? triggered_by : claimed_user(json, run, &arena);
        struct mlt_json_writer *w = mlt_capture_begin(out, "training.run");
        mlt_jw_member_bytes(w, "training_job_id", mlt_mlflow_clip(id));
        put_begun(w, json, info);
        if (who.len > 0) {
            mlt_jw_member_bytes(w, "triggered_by", mlt_mlflow_clip(who));
        }
        if (over) {
            put_over(w, json, run, over, &arena);
        }
        mlt_capture_end(out);
    }
    mlt_arena_clear(&arena);
    return status;
}

// -- the version ------------------------------------------------------------------------------------------------------

static bool given(const struct mlt_json *json, mlt_json_at at) {
    return json && at != MLT_JSON_NONE && mlt_json_type_of(json, at) != MLT_JSON_NULL;
}

static void put_version_members(struct mlt_json_writer *w, const struct mlt_mlflow_version *v,
                                struct mlt_arena *arena) {
    struct mlt_bytes run = mlt_mlflow_text(v->json, v->version, "run_id", arena);
    struct mlt_bytes source = mlt_mlflow_text(v->json, v->version, "source", arena);
    char at[MLT_TIME_TEXT_LEN + 1];
    if (mlt_mlflow_time(v->json, v->version, "creation_timestamp", at)) {
        mlt_jw_member(w, "timestamp", at);
    }
    if (given(v->files, v->hash)) {
        mlt_jw_member_value(w, "model_artifact_hash", v->files, v->hash);
    }
    if (run.len > 0) {
        mlt_jw_member_bytes(w, "training_job_id", mlt_mlflow_clip(run));
        mlt_jw_member(w, "origin", "trained");
    }
    if (v->registered_by.len > 0) {
        mlt_jw_member_bytes(w, "registered_by", mlt_mlflow_clip(v->registered_by));
    }
    if (source.len > 0) {
        mlt_jw_name(w, "artifacts");
        mlt_jw_array(w);
        mlt_jw_object(w);
        mlt_jw_member_bytes(w, "uri", mlt_mlflow_clip(source));
        mlt_jw_end_object(w);
        mlt_jw_end_array(w);
    }
    if (given(v->files, v->manifest)) {
        mlt_jw_member_value(w, "manifest", v->files, v->manifest);
    }
}

enum mlt_status mlt_mlflow_put_version(struct mlt_capture *out, const struct mlt_mlflow_version *v) {
    struct mlt_arena arena = {0};
    struct mlt_bytes name = mlt_mlflow_text(v->json, v->version, "name", &arena);
    struct mlt_bytes version = mlt_mlflow_text(v->json, v->version, "version", &arena);
    enum mlt_status status = name.len > 0 && version.len > 0 ? MLT_OK : MLT_INVALID;
    if (status == MLT_OK) {
        struct mlt_json_writer *w = mlt_capture_begin(out, "model.version");
        mlt_jw_member_bytes(w, "model", mlt_mlflow_clip(name));
        mlt_jw_member_bytes(w, "model_version", mlt_mlflow_clip(version));
        put_version_members(w, v, &arena);
        mlt_capture_end(out);
    }
    mlt_arena_clear(&arena);
    return status;
}
