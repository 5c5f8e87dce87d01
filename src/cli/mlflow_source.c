#include "cli/mlflow_source.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture/mlflow.h"

#define SECRET_MAX 4096
#define MAX_BYTES_DEFAULT (UINT64_C(64) << 30) // of a model: large language models have a few dozen gigabytes
#define URL_MAX 2048

static int read_secret(struct mlt_cli *cli, const char *option, const char *variable, const char **out) {
    const char *file = mlt_cli_value(cli, option), *given = getenv(variable);
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    if (!file) {
        *out = given && given[0] ? given : NULL;
        return 0;
    }
    if (mlt_env_read_file(cli->env, file, SECRET_MAX, &text, &err) != MLT_OK) {
        mlt_buf_clear(&text);
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "--%s %s: %s", option, file, err.text);
    }
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    *out = mlt_arena_cstr(&cli->arena, mlt_buf_bytes(&text));
    mlt_wipe(text.data, text.len);
    mlt_buf_clear(&text);
    return *out ? 0 : mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
}

static int check_url(struct mlt_cli *cli, const char *url) {
    if (!mlt_cli_is_url(url) || strlen(url) > URL_MAX || strpbrk(url, "?# ")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s is no URL of an MLflow server; write http://host:port", url);
    }
    return strchr(url, '@') ? mlt_cli_fail(cli, MLT_EXIT_USAGE,
                                           "the URL carries credentials, which others on this machine can see; use "
                                           "--user and --password-file")
                            : 0;
}

static char *without_slash(struct mlt_cli *cli, const char *url) {
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return mlt_arena_cstr(&cli->arena, mlt_bytes_of(url, len));
}

int mlt_mlflow_open(struct mlt_cli *cli, const char *url, struct mlt_mlflow_source *out) {
    struct mlt_error err = {0};
    struct mlt_client_options opt = {.user_agent = "mltrail/" MLT_CLI_VERSION};
    const char *user = mlt_cli_value(cli, "user"), *variable = getenv("MLFLOW_TRACKING_USERNAME");
    *out = (struct mlt_mlflow_source){.cli = cli, .digests = !mlt_cli_flag(cli, "no-digests")};
    out->artifacts =
        (struct mlt_artifact_options){.max_bytes = MAX_BYTES_DEFAULT, .local_files = mlt_cli_flag(cli, "local-files")};
    int code = check_url(cli, url);
    if (code != 0 || !mlt_cli_number(cli, "max-bytes", &out->artifacts.max_bytes)) {
        return code != 0 ? code : MLT_EXIT_USAGE;
    }
    opt.base = without_slash(cli, url);
    const char *host = opt.base ? strstr(opt.base, "://") + 3 : NULL;
    out->name = host ? mlt_arena_cstr(&cli->arena, mlt_bytes_of(host, strcspn(host, "/"))) : NULL;
    opt.user = user ? user : variable && variable[0] ? variable : NULL;
    opt.cacert = mlt_cli_value(cli, "source-cacert");
    code = read_secret(cli, "password-file", "MLFLOW_TRACKING_PASSWORD", &opt.password);
    code = code != 0 || opt.user ? code : read_secret(cli, "bearer-file", "MLFLOW_TRACKING_TOKEN", &opt.token);
    if (code != 0) {
        return code;
    }
    if (!out->name || mlt_client_open(&out->registry.client, &opt, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    return 0;
}

void mlt_mlflow_close(struct mlt_mlflow_source *s) {
    mlt_client_close(s->registry.client);
    s->registry.client = NULL;
}

// -- names ------------------------------------------------------------------------------------------------------------

struct naming {
    struct mlt_mlflow_source *source;
    int (*each)(void *arg, struct mlt_bytes model);
    void *arg;
    int code;
};

static enum mlt_status take_model(void *arg, const struct mlt_json *json, mlt_json_at at, struct mlt_error *err) {
    struct naming *n = arg;
    struct mlt_arena arena = {0};
    struct mlt_bytes name = mlt_mlflow_text(json, at, "name", &arena);
    if (name.len > 0 && !mlt_mlflow_is_prompt(json, mlt_json_get(json, at, "tags"))) {
        n->code = n->each(n->arg, name);
    }
    mlt_arena_clear(&arena);
    return n->code == 0 ? MLT_OK : mlt_fail(err, MLT_INTERNAL, "stopped");
}

int mlt_mlflow_each_name(struct mlt_mlflow_source *s, int (*each)(void *arg, struct mlt_bytes model), void *arg) {
    struct naming n = {.source = s, .each = each, .arg = arg};
    struct mlt_error err = {0};
    size_t at = 0;
    const char *name = mlt_cli_next(s->cli, "model", &at);
    if (!name) {
        enum mlt_status status = mlt_registry_each_model(&s->registry, take_model, &n, &err);
        return n.code != 0 ? n.code : status != MLT_OK ? mlt_cli_fail(s->cli, MLT_EXIT_FAILED, "%s", err.text) : 0;
    }
    for (; name && n.code == 0; name = mlt_cli_next(s->cli, "model", &at)) {
        n.code = each(arg, mlt_str(name));
    }
    return n.code;
}

// -- what MLflow holds ------------------------------------------------------------------------------------------------

static void *grown(struct mlt_arena *arena, void *items, size_t num, size_t *cap, size_t size) {
    if (num < *cap) {
        return items;
    }
    size_t more = *cap ? 2 * *cap : 16;
    void *bigger = mlt_arena_zero(arena, more * size);
    if (bigger && num > 0) {
        memcpy(bigger, items, num * size);
    }
    *cap = bigger ? more : *cap;
    return bigger;
}

static struct mlt_mlflow_held_version *version_of(struct mlt_mlflow_held *h, struct mlt_bytes version) {
    for (size_t i = 0; i < h->num_versions; i++) {
        if (mlt_bytes_equal(h->versions[i].version, version)) {
            return &h->versions[i];
        }
    }
    void *items = grown(&h->arena, h->versions, h->num_versions, &h->cap_versions, sizeof *h->versions);
    if (!items) {
        return NULL;
    }
    h->versions = items;
    struct mlt_mlflow_held_version *v = &h->versions[h->num_versions++];
    *v = (struct mlt_mlflow_held_version){
        .version = mlt_arena_copy(&h->arena, version), .stage = mlt_str("none"), .trail_stage = mlt_str("none")};
    return v;
}

static struct mlt_mlflow_held_alias *alias_of(struct mlt_mlflow_held *h, struct mlt_bytes alias) {
    for (size_t i = 0; i < h->num_aliases; i++) {
        if (mlt_bytes_equal(h->aliases[i].alias, alias)) {
            return &h->aliases[i];
        }
    }
    void *items = grown(&h->arena, h->aliases, h->num_aliases, &h->cap_aliases, sizeof *h->aliases);
    if (!items) {
        return NULL;
    }
    h->aliases = items;
    struct mlt_mlflow_held_alias *a = &h->aliases[h->num_aliases++];
    *a = (struct mlt_mlflow_held_alias){.alias = mlt_arena_copy(&h->arena, alias)};
    return a;
}

static enum mlt_status take_version(void *arg, const struct mlt_json *json, mlt_json_at at, struct mlt_error *err) {
    struct mlt_mlflow_held *h = arg;
    struct mlt_arena *arena = &h->arena;
    struct mlt_bytes number = mlt_mlflow_text(json, at, "version", arena);
    struct mlt_mlflow_held_version *v = number.len > 0 ? version_of(h, number) : NULL;
    if (!v) {
        return number.len > 0 ? mlt_fail(err, MLT_NOMEM, "out of memory") : MLT_OK;
    }
    v->in_mlflow = true;
    v->json = mlt_arena_copy(arena, mlt_json_raw(json, at));
    struct mlt_bytes stage = mlt_mlflow_stage(mlt_mlflow_text(json, at, "current_stage", arena));
    v->stage = stage.len > 0 ? mlt_arena_copy(arena, stage) : v->stage;
    v->run_id = mlt_arena_copy(arena, mlt_mlflow_text(json, at, "run_id", arena));
    return MLT_OK;
}

static enum mlt_status hold_aliases(struct mlt_mlflow_source *s, struct mlt_mlflow_held *h, struct mlt_error *err) {
    struct mlt_registry_answer a = {0};
    enum mlt_status status = mlt_registry_model(&s->registry, h->model, &a, err);
    mlt_json_at list = mlt_json_get(&a.json, mlt_json_get(&a.json, 0, "registered_model"), "aliases");
    for (mlt_json_at n = mlt_json_first(&a.json, list); status == MLT_OK && n != MLT_JSON_NONE;
         n = mlt_json_next(&a.json, list, n)) {
        struct mlt_mlflow_held_alias *alias = alias_of(h, mlt_mlflow_text(&a.json, n, "alias", &h->arena));
        if (alias) {
            alias->version = mlt_arena_copy(&h->arena, mlt_mlflow_text(&a.json, n, "version", &h->arena));
        }
    }
    mlt_registry_answer_clear(&a);
    return status;
}

// -- what the trail holds ---------------------------------------------------------------------------------------------

// 404 is an answer here: `reply` is empty then.
static int ask_trail(struct mlt_cli *cli, const char *path, const char *query, struct mlt_reply *reply) {
    struct mlt_error err = {0};
    int code = mlt_cli_open(cli);
    if (code != 0) {
        return code;
    }
    const struct mlt_call call = {.method = "GET", .path = path, .query = query};
    if (mlt_transport_send(cli->transport, &call, reply, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    if (reply->status == 404) {
        mlt_buf_reset(&reply->body);
        return 0;
    }
    return reply->status >= 200 && reply->status < 300 ? 0 : mlt_cli_explain(cli, reply);
}

static bool none(struct mlt_bytes stage) {
    return stage.len == 0 || mlt_bytes_is(stage, "none") || mlt_bytes_is(stage, "None");
}

// An alias is with whoever got it last, by positions in the log: versions are read one after the other.
static void play_alias(struct mlt_mlflow_held *h, struct mlt_bytes version, struct mlt_bytes from, struct mlt_bytes to,
                       uint64_t entry) {
    struct mlt_mlflow_held_alias *lost = none(from) ? NULL : alias_of(h, from);
    if (lost && mlt_bytes_equal(lost->trail_version, version) && entry >= lost->entry) {
        lost->trail_version = (struct mlt_bytes){0};
    }
    struct mlt_mlflow_held_alias *got = none(to) ? NULL : alias_of(h, to);
    if (got && entry >= got->entry) {
        got->trail_version = version;
        got->entry = entry;
    }
}

static void play(struct mlt_mlflow_held *h, size_t index, const struct mlt_json *json) {
    mlt_json_at list = mlt_json_get(json, 0, "transitions");
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        struct mlt_arena *arena = &h->arena;
        struct mlt_bytes version = mlt_mlflow_text(json, n, "model_version", arena);
        struct mlt_bytes to = mlt_arena_copy(arena, mlt_mlflow_text(json, n, "to_stage", arena));
        struct mlt_bytes from = mlt_mlflow_text(json, n, "from_stage", arena);
        if (!mlt_bytes_equal(version, h->versions[index].version)) {
            continue;
        }
        if (mlt_bytes_is(mlt_mlflow_text(json, n, "move", arena), "alias")) {
            uint64_t entry = 0;
            (void)mlt_json_u64(json, mlt_json_get(json, n, "entry"), &entry);
            play_alias(h, h->versions[index].version, from, to, entry);
        } else {
            h->versions[index].trail_stage = none(to) ? mlt_str("none") : to;
        }
    }
}

static bool was_deleted(const struct mlt_json *json, struct mlt_arena *arena) {
    mlt_json_at list = mlt_json_get(json, 0, "access");
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        struct mlt_bytes native = mlt_mlflow_text(json, n, "native_action", arena);
        bool deletes =
            mlt_bytes_is(native, "mlflow.deleteModelVersion") || mlt_bytes_is(native, "mlflow.deleteRegisteredModel");
        if (deletes && mlt_bytes_is(mlt_mlflow_text(json, n, "outcome", arena), "allowed")) {
            return true;
        }
    }
    return false;
}

static void read_story(struct mlt_mlflow_held *h, size_t index, const struct mlt_json *json) {
    struct mlt_mlflow_held_version *v = &h->versions[index];
    mlt_json_at list = mlt_json_get(json, 0, "model_versions"), runs = mlt_json_get(json, 0, "training_runs");
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        mlt_json_at hash = mlt_json_get(json, n, "model_artifact_hash");
        if (mlt_bytes_equal(mlt_mlflow_text(json, n, "model_version", &h->arena), v->version) &&
            mlt_bytes_equal(mlt_mlflow_text(json, n, "model", &h->arena), h->model)) {
            v->in_trail = true;
            v->trail_hash = hash != MLT_JSON_NONE && mlt_json_type_of(json, hash) != MLT_JSON_NULL
                                ? mlt_arena_copy(&h->arena, mlt_json_raw(json, hash))
                                : (struct mlt_bytes){0};
        }
    }
    v->has_run = mlt_json_first(json, runs) != MLT_JSON_NONE;
    v->deleted = was_deleted(json, &h->arena);
    play(h, index, json);
}

static int ask_version(struct mlt_mlflow_source *s, struct mlt_mlflow_held *h, size_t index) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_buf path = {0};
    mlt_buf_put_str(&path, "/v1/models");
    mlt_path_add(&path, h->model);
    mlt_buf_put_str(&path, "/versions");
    mlt_path_add(&path, h->versions[index].version);
    const char *text = mlt_buf_cstr(&path);
    int code = text ? ask_trail(s->cli, text, NULL, &reply) : mlt_cli_fail(s->cli, MLT_EXIT_FAILED, "out of memory");
    if (code == 0 && reply.body.len > 0) {
        code = mlt_cli_scan(s->cli, &json, mlt_buf_bytes(&reply.body));
        if (code == 0) {
            read_story(h, index, &json);
        }
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    mlt_buf_clear(&path);
    return code;
}

// Versions that the trail has and MLflow may not have any more.
static int ask_recorded(struct mlt_mlflow_source *s, struct mlt_mlflow_held *h) {
    char *model = mlt_arena_cstr(&h->arena, h->model);
    uint64_t cursor = 0;
    bool more = true;
    int code = 0;
    while (code == 0 && more) {
        struct mlt_buf query = {0};
        struct mlt_reply reply = {0};
        struct mlt_json json = {0};
        mlt_query_add(&query, "kind", "model.version");
        mlt_query_add(&query, "model", model);
        mlt_buf_printf(&query, "&order=asc&limit=1000");
        if (cursor > 0) {
            mlt_buf_printf(&query, "&cursor=%llu", (unsigned long long)cursor);
        }
        const char *text = mlt_buf_cstr(&query);
        code = text ? ask_trail(s->cli, "/v1/records", text, &reply)
                    : mlt_cli_fail(s->cli, MLT_EXIT_FAILED, "out of memory");
        code = code == 0 ? mlt_cli_scan(s->cli, &json, mlt_buf_bytes(&reply.body)) : code;
        mlt_json_at list = mlt_json_get(&json, 0, "items");
        for (mlt_json_at n = mlt_json_first(&json, list); code == 0 && n != MLT_JSON_NONE;
             n = mlt_json_next(&json, list, n)) {
            mlt_json_at facts = mlt_json_get(&json, mlt_json_get(&json, n, "entry"), "facts");
            struct mlt_bytes version = mlt_mlflow_text(&json, facts, "model_version", &h->arena);
            if (version.len > 0) {
                (void)version_of(h, version);
            }
        }
        more = code == 0 && mlt_json_u64(&json, mlt_json_get(&json, 0, "next"), &cursor);
        mlt_json_clear(&json);
        mlt_reply_clear(&reply);
        mlt_buf_clear(&query);
    }
    return code;
}

int mlt_mlflow_hold(struct mlt_mlflow_source *s, struct mlt_bytes model, struct mlt_mlflow_held *out) {
    struct mlt_error err = {0};
    *out = (struct mlt_mlflow_held){0};
    out->model = mlt_arena_copy(&out->arena, model);
    enum mlt_status status = mlt_registry_each_version(&s->registry, model, take_version, out, &err);
    status = status == MLT_OK ? hold_aliases(s, out, &err) : status;
    if (status != MLT_OK) {
        return mlt_cli_fail(s->cli, MLT_EXIT_FAILED, "%s", err.text);
    }
    int code = ask_recorded(s, out);
    for (size_t i = 0; code == 0 && i < out->num_versions; i++) {
        code = ask_version(s, out, i);
    }
    return code;
}

void mlt_mlflow_held_clear(struct mlt_mlflow_held *h) {
    mlt_arena_clear(&h->arena);
    *h = (struct mlt_mlflow_held){0};
}

void mlt_mlflow_digest(struct mlt_mlflow_source *s, struct mlt_bytes model, struct mlt_bytes version,
                       struct mlt_manifest *out, struct mlt_error *why) {
    struct mlt_arena arena = {0};
    struct mlt_bytes location;
    mlt_error_clear(why);
    enum mlt_status status = mlt_artifact_location(&s->registry, model, version, &arena, &location, why);
    status = status == MLT_OK ? mlt_artifact_read(&s->registry, location, &s->artifacts, out, why) : status;
    if (status != MLT_OK) {
        mlt_manifest_clear(out);
    }
    mlt_arena_clear(&arena);
}
