#include "mlflow/registry.h"

#define API "/api/2.0/mlflow/"

void mlt_registry_answer_clear(struct mlt_registry_answer *a) {
    mlt_json_clear(&a->json);
    mlt_buf_clear(&a->body);
    *a = (struct mlt_registry_answer){0};
}

// What the server says of itself: {"error_code", "message"}.
static enum mlt_status refused(const struct mlt_registry_answer *a, const char *target, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_json json = {0};
    struct mlt_bytes says = {0};
    if (mlt_json_scan(&json, mlt_buf_bytes(&a->body), NULL) == MLT_OK) {
        says = mlt_json_string(&json, mlt_json_get(&json, 0, "message"), &arena);
    }
    says.len = says.len > 300 ? 300 : says.len;
    enum mlt_status status = a->status == 404                       ? MLT_NOTFOUND
                             : a->status == 401 || a->status == 403 ? MLT_DENIED
                             : a->status >= 400 && a->status < 500  ? MLT_INVALID
                                                                    : MLT_IO;
    status =
        mlt_fail(err, status, "%.200s answers %d%s%.*s", target, a->status, says.len > 0 ? ": " : "", MLT_ARG(says));
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
    return status;
}

static enum mlt_status ask(struct mlt_registry *r, const struct mlt_client_call *call, struct mlt_registry_answer *out,
                           struct mlt_error *err) {
    struct mlt_error wrong = {0};
    r->num_requests++;
    enum mlt_status status = mlt_client_send(r->client, call, &out->status, &out->body, err);
    if (status != MLT_OK) {
        return status;
    }
    if (out->status < 200 || out->status >= 300) {
        return refused(out, call->target, err);
    }
    status = mlt_json_scan(&out->json, mlt_buf_bytes(&out->body), &wrong);
    if (status == MLT_OK && mlt_json_is(&out->json, 0, MLT_JSON_OBJECT)) {
        return MLT_OK;
    }
    return status == MLT_NOMEM ? mlt_fail(err, MLT_NOMEM, "out of memory")
                               : mlt_fail(err, MLT_INVALID, "%.200s does not answer as MLflow does: %s", call->target,
                                          status == MLT_OK ? "no JSON object" : wrong.text);
}

enum mlt_status mlt_registry_get(struct mlt_registry *r, const char *target, struct mlt_registry_answer *out,
                                 struct mlt_error *err) {
    const struct mlt_client_call call = {
        .method = "GET", .target = target, .headers = r->headers, .num_headers = r->num_headers};
    return ask(r, &call, out, err);
}

enum mlt_status mlt_registry_post(struct mlt_registry *r, const char *target, struct mlt_bytes body,
                                  struct mlt_registry_answer *out, struct mlt_error *err) {
    const struct mlt_client_call call = {.method = "POST",
                                         .target = target,
                                         .content_type = "application/json",
                                         .body = body,
                                         .headers = r->headers,
                                         .num_headers = r->num_headers};
    return ask(r, &call, out, err);
}

// -- lists ------------------------------------------------------------------------------------------------------------

static enum mlt_status each_of(const struct mlt_registry_answer *a, const char *member, mlt_registry_each *each,
                               void *arg, struct mlt_error *err) {
    mlt_json_at list = mlt_json_get(&a->json, 0, member);
    enum mlt_status status = MLT_OK;
    for (mlt_json_at n = mlt_json_first(&a->json, list); status == MLT_OK && n != MLT_JSON_NONE;
         n = mlt_json_next(&a->json, list, n)) {
        status = each(arg, &a->json, n, err);
    }
    return status;
}

// A list that is read with GET: `target` has its query; the token of the next page is added.
static enum mlt_status each_page(struct mlt_registry *r, struct mlt_bytes target, const char *member,
                                 mlt_registry_each *each, void *arg, struct mlt_error *err) {
    struct mlt_buf page = {0};
    struct mlt_arena arena = {0};
    enum mlt_status status = MLT_OK;
    struct mlt_bytes token = {0};
    for (size_t i = 0; status == MLT_OK && i < MLT_REGISTRY_PAGES_MAX; i++) {
        struct mlt_registry_answer a = {0};
        mlt_buf_reset(&page);
        mlt_buf_put_bytes(&page, target);
        if (token.len > 0) {
            mlt_buf_put_str(&page, "&page_token=");
            mlt_url_put_encoded(&page, token);
        }
        const char *text = mlt_buf_cstr(&page);
        status = text ? mlt_registry_get(r, text, &a, err) : mlt_fail(err, MLT_NOMEM, "out of memory");
        status = status == MLT_OK ? each_of(&a, member, each, arg, err) : status;
        mlt_arena_reset(&arena);
        token = mlt_arena_copy(&arena, mlt_json_string(&a.json, mlt_json_get(&a.json, 0, "next_page_token"), &arena));
        mlt_registry_answer_clear(&a);
        if (token.len == 0) {
            break;
        }
    }
    mlt_buf_clear(&page);
    mlt_arena_clear(&arena);
    return status;
}

// In a filter of MLflow a name stands in quotes that it does not have itself.
static bool put_name_filter(struct mlt_buf *out, struct mlt_bytes name) {
    bool single = name.len > 0 && memchr(name.ptr, '\'', name.len) != NULL;
    bool twice = name.len > 0 && memchr(name.ptr, '"', name.len) != NULL;
    const char *quote = single ? "%22" : "%27";
    mlt_buf_printf(out, "&filter=name%%3D%s", quote);
    mlt_url_put_encoded(out, name);
    mlt_buf_put_str(out, quote);
    return !(single && twice);
}

enum mlt_status mlt_registry_each_version(struct mlt_registry *r, struct mlt_bytes model, mlt_registry_each *each,
                                          void *arg, struct mlt_error *err) {
    struct mlt_buf target = {0};
    mlt_buf_printf(&target, API "model-versions/search?max_results=%d", MLT_REGISTRY_PAGE);
    bool askable = model.len == 0 || put_name_filter(&target, model);
    enum mlt_status status =
        askable ? each_page(r, mlt_buf_bytes(&target), "model_versions", each, arg, err)
                : mlt_fail(err, MLT_INVALID, "MLflow cannot be asked for a name with both kinds of quotes");
    mlt_buf_clear(&target);
    return status;
}

enum mlt_status mlt_registry_each_model(struct mlt_registry *r, mlt_registry_each *each, void *arg,
                                        struct mlt_error *err) {
    return each_page(r, mlt_str(API "registered-models/search?max_results=500"), "registered_models", each, arg, err);
}

enum mlt_status mlt_registry_each_experiment(struct mlt_registry *r, mlt_registry_each *each, void *arg,
                                             struct mlt_error *err) {
    return each_page(r, mlt_str(API "experiments/search?max_results=500&view_type=ALL"), "experiments", each, arg, err);
}

static void put_run_search(struct mlt_buf *body, struct mlt_bytes experiment, struct mlt_bytes token) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, body);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "experiment_ids");
    mlt_jw_array(&w);
    mlt_jw_string(&w, experiment);
    mlt_jw_end_array(&w);
    mlt_jw_member_u64(&w, "max_results", MLT_REGISTRY_PAGE);
    mlt_jw_member(&w, "run_view_type", "ALL");
    if (token.len > 0) {
        mlt_jw_member_bytes(&w, "page_token", token);
    }
    mlt_jw_end_object(&w);
}

enum mlt_status mlt_registry_each_run(struct mlt_registry *r, struct mlt_bytes experiment, mlt_registry_each *each,
                                      void *arg, struct mlt_error *err) {
    struct mlt_buf body = {0};
    struct mlt_arena arena = {0};
    enum mlt_status status = MLT_OK;
    struct mlt_bytes token = {0};
    for (size_t i = 0; status == MLT_OK && i < MLT_REGISTRY_PAGES_MAX; i++) {
        struct mlt_registry_answer a = {0};
        mlt_buf_reset(&body);
        put_run_search(&body, experiment, token);
        status = mlt_registry_post(r, API "runs/search", mlt_buf_bytes(&body), &a, err);
        status = status == MLT_OK ? each_of(&a, "runs", each, arg, err) : status;
        mlt_arena_reset(&arena);
        token = mlt_arena_copy(&arena, mlt_json_string(&a.json, mlt_json_get(&a.json, 0, "next_page_token"), &arena));
        mlt_registry_answer_clear(&a);
        if (token.len == 0) {
            break;
        }
    }
    mlt_buf_clear(&body);
    mlt_arena_clear(&arena);
    return status;
}

// -- single ones ------------------------------------------------------------------------------------------------------

static enum mlt_status get_by(struct mlt_registry *r, const char *route, const char *first, struct mlt_bytes a,
                              const char *second, struct mlt_bytes b, struct mlt_registry_answer *out,
                              struct mlt_error *err) {
    struct mlt_buf target = {0};
    mlt_buf_printf(&target, API "%s?%s=", route, first);
    mlt_url_put_encoded(&target, a);
    if (second) {
        mlt_buf_printf(&target, "&%s=", second);
        mlt_url_put_encoded(&target, b);
    }
    const char *text = mlt_buf_cstr(&target);
    enum mlt_status status = text ? mlt_registry_get(r, text, out, err) : mlt_fail(err, MLT_NOMEM, "out of memory");
    mlt_buf_clear(&target);
    return status;
}

enum mlt_status mlt_registry_version(struct mlt_registry *r, struct mlt_bytes model, struct mlt_bytes version,
                                     struct mlt_registry_answer *out, struct mlt_error *err) {
    return get_by(r, "model-versions/get", "name", model, "version", version, out, err);
}

enum mlt_status mlt_registry_model(struct mlt_registry *r, struct mlt_bytes model, struct mlt_registry_answer *out,
                                   struct mlt_error *err) {
    return get_by(r, "registered-models/get", "name", model, NULL, (struct mlt_bytes){0}, out, err);
}

enum mlt_status mlt_registry_run(struct mlt_registry *r, struct mlt_bytes run_id, struct mlt_registry_answer *out,
                                 struct mlt_error *err) {
    return get_by(r, "runs/get", "run_id", run_id, NULL, (struct mlt_bytes){0}, out, err);
}
