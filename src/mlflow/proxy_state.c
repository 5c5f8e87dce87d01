// What the proxy reads by itself: the state before a change and after it, with the rights of whoever changes it.
#include <stdio.h>
#include <strings.h>

#include "base/time.h"
#include "base/wait.h"
#include "capture/mlflow.h"
#include "mlflow/proxy_private.h"

#define OWN_HEADERS_MAX 5
#define LATEST_MAX 10000      // versions of one model that are listed
#define ASKED_NS MLT_NS_PER_S // an answer holds so long: a server does not start again within a second

static const char *const REASON_TAGS[] = {"mltrail.reason", "mltrail.approval_reference", "mlflow.prompt.is_prompt"};

struct mlt_bytes mlt_proxy_field(struct mlt_proxy_request *r, const char *name) {
    struct mlt_bytes value = {0};
    if (r->request.num_tokens > 0) {
        value = mlt_mlflow_text(&r->request, 0, name, &r->arena);
    }
    return value.ptr ? value : mlt_mlflow_query(r->query, name, &r->arena);
}

// -- asking -----------------------------------------------------------------------------------------------------------

struct own_headers {
    const char *lines[OWN_HEADERS_MAX];
    size_t num;
};

static void add(struct mlt_proxy_request *r, struct own_headers *h, const char *name) {
    const char *value = name ? MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name) : NULL;
    char *line = value ? mlt_arena_printf(&r->arena, "%s: %s", name, value) : NULL;
    if (line && h->num < OWN_HEADERS_MAX) {
        h->lines[h->num++] = line;
    }
}

// The same static prefix as the client's, the same rights.
static bool open_registry(struct mlt_proxy_request *r, struct mlt_registry *out, struct own_headers *h) {
    struct mlt_buf base = {0};
    mlt_buf_put_str(&base, r->proxy->opt.upstream);
    mlt_url_put_path(&base, r->match.prefix);
    char *text = mlt_arena_cstr(&r->arena, mlt_buf_bytes(&base));
    mlt_buf_clear(&base);
    const struct mlt_client_options opt = {
        .base = text, .cacert = r->proxy->opt.cacert, .user_agent = "mltrail-proxy", .timeout_s = 30, .direct = true};
    if (!text || (!r->link->reader && mlt_client_open(&r->link->reader, &opt, NULL) != MLT_OK)) {
        return false;
    }
    mlt_client_set_base(r->link->reader, text);
    *h = (struct own_headers){0};
    add(r, h, "Authorization");
    add(r, h, "Cookie");
    add(r, h, "X-MLFLOW-WORKSPACE");
    add(r, h, r->proxy->opt.user_header);
    *out = (struct mlt_registry){.client = r->link->reader, .headers = h->lines, .num_headers = h->num};
    return true;
}

static void close_registry(struct mlt_proxy_request *r, const struct mlt_registry *reg) {
    atomic_fetch_add(&r->proxy->own_reads, reg->num_requests);
}

// ask says whether whoever names no user is turned away; `*known` is false when the upstream does not say.
static bool ask(struct mlt_proxy_request *r, bool *known) {
    struct mlt_registry_answer a = {0};
    struct own_headers h;
    struct mlt_registry reg;
    bool wanted = false;
    *known = false;
    if (open_registry(r, &reg, &h)) {
        reg.num_headers = 0; // nobody in particular asks
        enum mlt_status status = mlt_registry_get(&reg, "/api/2.0/mlflow/experiments/search?max_results=1", &a, NULL);
        wanted = status == MLT_DENIED;
        *known = wanted || status == MLT_OK || a.status / 100 == 4;
        close_registry(r, &reg);
    }
    mlt_registry_answer_clear(&a);
    return wanted;
}

// A name in a Basic header is a principal only where the server looks at the password; one that lets everybody in
// takes any name.
bool mlt_proxy_authenticated(struct mlt_proxy_request *r) {
    int64_t now = mlt_wait_now(), asked = atomic_load(&r->proxy->asked);
    if (asked == 0 || now - (asked < 0 ? -asked : asked) > ASKED_NS) {
        bool known, wanted = ask(r, &known);
        asked = !known ? 0 : wanted ? now : -now;
        atomic_store(&r->proxy->asked, asked);
    }
    return asked > 0;
}

// -- before and after -------------------------------------------------------------------------------------------------

static void put_tags(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at tags,
                     struct mlt_arena *arena) {
    mlt_jw_name(w, "tags");
    mlt_jw_object(w);
    for (size_t i = 0; i < sizeof REASON_TAGS / sizeof REASON_TAGS[0]; i++) {
        struct mlt_bytes value = mlt_mlflow_tag(json, tags, REASON_TAGS[i], arena);
        if (value.ptr) {
            mlt_jw_member_bytes(w, REASON_TAGS[i], mlt_mlflow_clip(value));
        }
    }
    mlt_jw_end_object(w);
}

// Of one version: its stage, the tags that matter, and with `aliases` those that it holds.
static void put_version(struct mlt_proxy_request *r, struct mlt_registry *reg, struct mlt_json_writer *w, bool stage,
                        bool aliases) {
    struct mlt_registry_answer a = {0};
    struct mlt_bytes version = mlt_proxy_field(r, "version");
    if (version.len == 0 || mlt_registry_version(reg, mlt_proxy_field(r, "name"), version, &a, NULL) != MLT_OK) {
        mlt_registry_answer_clear(&a);
        return;
    }
    mlt_json_at found = mlt_json_get(&a.json, 0, "model_version");
    struct mlt_bytes current = mlt_mlflow_text(&a.json, found, "current_stage", &r->arena);
    if (stage) {
        mlt_jw_member_bytes(w, "stage", current.len > 0 ? current : mlt_str("None"));
    }
    put_tags(w, &a.json, mlt_json_get(&a.json, found, "tags"), &r->arena);
    if (aliases) {
        mlt_json_at list = mlt_json_get(&a.json, found, "aliases");
        mlt_jw_name(w, "aliases");
        mlt_jw_object(w);
        for (mlt_json_at n = mlt_json_first(&a.json, list); n != MLT_JSON_NONE; n = mlt_json_next(&a.json, list, n)) {
            mlt_jw_name_bytes(w, mlt_json_string(&a.json, n, &r->arena));
            mlt_jw_string(w, version);
        }
        mlt_jw_end_object(w);
    }
    mlt_registry_answer_clear(&a);
}

// Of a model: one alias and who holds it, or all of them.
static void put_aliases(struct mlt_proxy_request *r, struct mlt_registry *reg, struct mlt_json_writer *w,
                        struct mlt_bytes one) {
    struct mlt_registry_answer a = {0};
    if (mlt_registry_model(reg, mlt_proxy_field(r, "name"), &a, NULL) != MLT_OK) {
        mlt_registry_answer_clear(&a);
        return;
    }
    mlt_json_at list = mlt_json_get(&a.json, mlt_json_get(&a.json, 0, "registered_model"), "aliases");
    bool found = false;
    mlt_jw_name(w, "aliases");
    mlt_jw_object(w);
    for (mlt_json_at n = mlt_json_first(&a.json, list); n != MLT_JSON_NONE; n = mlt_json_next(&a.json, list, n)) {
        struct mlt_bytes alias = mlt_mlflow_text(&a.json, n, "alias", &r->arena);
        if (alias.len > 0 && (one.len == 0 || mlt_bytes_equal(alias, one)) && !found) {
            mlt_jw_name_bytes(w, alias);
            mlt_jw_string(w, mlt_mlflow_text(&a.json, n, "version", &r->arena));
            found = one.len > 0;
        }
    }
    if (one.len > 0 && !found) {
        mlt_jw_name_bytes(w, one);
        mlt_jw_null(w);
    }
    mlt_jw_end_object(w);
    mlt_registry_answer_clear(&a);
}

struct listing {
    struct mlt_json_writer *w;
    size_t num;
};

static enum mlt_status put_listed(void *arg, const struct mlt_json *json, mlt_json_at at, struct mlt_error *err) {
    struct listing *l = arg;
    struct mlt_arena arena = {0};
    struct mlt_bytes stage = mlt_mlflow_text(json, at, "current_stage", &arena);
    mlt_jw_object(l->w);
    mlt_jw_member_bytes(l->w, "version", mlt_mlflow_text(json, at, "version", &arena));
    mlt_jw_member_bytes(l->w, "stage", stage.len > 0 ? stage : mlt_str("None"));
    mlt_jw_end_object(l->w);
    mlt_arena_clear(&arena);
    return ++l->num < LATEST_MAX ? MLT_OK : mlt_fail(err, MLT_LIMIT, "the model has more than %d versions", LATEST_MAX);
}

static void put_latest(struct mlt_proxy_request *r, struct mlt_registry *reg, struct mlt_json_writer *w) {
    struct listing l = {.w = w};
    mlt_jw_name(w, "latest");
    mlt_jw_array(w);
    enum mlt_status status = mlt_registry_each_version(reg, mlt_proxy_field(r, "name"), put_listed, &l, NULL);
    (void)status; // what could be read is better than nothing: the change itself is recorded in any case
    mlt_jw_end_array(w);
}

static bool native_is(const struct mlt_proxy_request *r, const char *native) {
    return r->match.route->native && strcmp(r->match.route->native, native) == 0;
}

static bool archives(struct mlt_proxy_request *r) {
    mlt_json_at flag = mlt_json_get(&r->request, 0, "archive_existing_versions");
    flag = flag != MLT_JSON_NONE ? flag : mlt_json_get(&r->request, 0, "archiveExistingVersions");
    return r->request.num_tokens > 0 && mlt_json_is(&r->request, flag, MLT_JSON_TRUE);
}

void mlt_proxy_read_before(struct mlt_proxy_request *r) {
    struct mlt_registry reg;
    struct own_headers h;
    struct mlt_json_writer w;
    if (mlt_proxy_field(r, "name").len == 0 || !open_registry(r, &reg, &h)) {
        return;
    }
    mlt_jw_init(&w, &r->before);
    mlt_jw_object(&w);
    if (native_is(r, "transitionModelVersionStage")) {
        put_version(r, &reg, &w, true, false);
        if (archives(r)) {
            put_latest(r, &reg, &w);
        }
    } else if (native_is(r, "setRegisteredModelAlias") || native_is(r, "deleteRegisteredModelAlias")) {
        put_aliases(r, &reg, &w, mlt_proxy_field(r, "alias"));
        put_version(r, &reg, &w, false, false); // for its tags
    } else if (native_is(r, "deleteModelVersion")) {
        put_version(r, &reg, &w, true, true);
    } else if (native_is(r, "deleteRegisteredModel")) {
        put_aliases(r, &reg, &w, (struct mlt_bytes){0});
        put_latest(r, &reg, &w);
    }
    mlt_jw_end_object(&w);
    close_registry(r, &reg);
}

static bool ends_run(struct mlt_proxy_request *r) {
    struct mlt_bytes status = mlt_proxy_field(r, "status");
    return mlt_bytes_is(status, "FINISHED") || mlt_bytes_is(status, "FAILED") || mlt_bytes_is(status, "KILLED");
}

static void read_run(struct mlt_proxy_request *r, struct mlt_registry *reg) {
    struct mlt_bytes id = mlt_proxy_field(r, "run_id");
    id = id.len > 0 ? id : mlt_proxy_field(r, "run_uuid");
    id = id.len > 0 ? id : mlt_proxy_field(r, "runId");
    bool wanted = id.len > 0 && (native_is(r, "createModelVersion") || ends_run(r));
    if (wanted && mlt_registry_run(reg, id, &r->run, NULL) != MLT_OK) {
        mlt_registry_answer_clear(&r->run);
    }
}

void mlt_proxy_read_after(struct mlt_proxy_request *r) {
    struct mlt_registry reg;
    struct own_headers h;
    struct mlt_json_writer w;
    bool moved = native_is(r, "transitionModelVersionStage") && archives(r);
    bool run = (r->match.route->flags & MLT_MLFLOW_RUN) != 0;
    if (r->status < 200 || r->status >= 300 || !(moved || run) || !open_registry(r, &reg, &h)) {
        return;
    }
    if (run) {
        read_run(r, &reg);
    }
    if (moved) {
        mlt_jw_init(&w, &r->after);
        mlt_jw_object(&w);
        put_latest(r, &reg, &w);
        mlt_jw_end_object(&w);
    }
    close_registry(r, &reg);
}
