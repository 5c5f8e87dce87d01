// The way of a request: route, principal, grant, parameters, handler.
#include <stdio.h>
#include <stdlib.h>

#include "server/api_state.h"
#include "server/grant.h"

void mlt_response_clear(struct mlt_response *r) {
    mlt_buf_clear(&r->body);
    *r = (struct mlt_response){0};
}

const char *mlt_request_header(const struct mlt_request *req, const char *name) {
    return req->header ? req->header(req->header_arg, name) : NULL;
}

struct mlt_trail *mlt_api_trail(struct mlt_api *api) {
    return api->trail;
}

// --- principals ---

static void fill_principal(struct mlt_principal *out, const char *kind, const char *name,
                           const struct mlt_grant *grant) {
    (void)snprintf(out->name, sizeof out->name, "%s:%.200s", kind, name);
    (void)snprintf(out->assurance, sizeof out->assurance, "authenticated");
    out->grant = *grant;
}

bool mlt_api_authenticate(struct mlt_api *api, struct mlt_bytes bearer, struct mlt_principal *out) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, bearer);
    struct mlt_token token;
    if (!mlt_tokens_find(&api->tokens, hash, api->env->now(api->env), &token)) {
        return false;
    }
    memset(out, 0, sizeof *out);
    fill_principal(out, "token", token.name, &token.grant);
    return true;
}

void mlt_api_certificate(struct mlt_api *api, const char *subject, struct mlt_principal *out) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, mlt_str(subject));
    struct mlt_token found;
    struct mlt_grant producer;
    mlt_grant_producer(&producer);
    bool known = mlt_tokens_find(&api->certs, hash, api->env->now(api->env), &found);
    memset(out, 0, sizeof *out);
    fill_principal(out, "cert", subject, known ? &found.grant : &producer);
}

void mlt_api_refused(struct mlt_api *api, const struct mlt_request *req) {
    atomic_fetch_add(&api->metrics.refused, 1);
    mlt_audit_count(api, req, MLT_WINDOW_DENIED, 0);
}

// --- dispatch ---

static const struct mlt_route *find_route(const char *method, const char *path, char allow[static 32]) {
    method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    allow[0] = '\0';
    for (size_t i = 0; i < mlt_num_routes; i++) {
        const struct mlt_route *r = &mlt_routes[i];
        if (!mlt_path_matches(r->pattern, path)) {
            continue;
        }
        if (strcmp(r->method, method) == 0) {
            return r;
        }
        size_t used = strlen(allow);
        (void)snprintf(allow + used, 32 - used, "%s%s%s", used ? ", " : "", r->method,
                       strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

static bool is_here(const struct mlt_call *call, const struct mlt_route *r) {
    return call->api->raw ? (r->flags & MLT_ROUTE_RAW) != 0 : (r->flags & MLT_ROUTE_ONLY_RAW) == 0;
}

void mlt_call_refuse(struct mlt_call *call, const char *missing) {
    mlt_api_refused(call->api, call->req);
    mlt_answer_problem(call->res, 403, "not-granted", NULL, "%s has no grant for %s", call->req->principal->name,
                       missing);
}

bool mlt_call_granted(struct mlt_call *call, enum mlt_right right) {
    if (!call->req->principal) {
        mlt_api_refused(call->api, call->req);
        mlt_answer_problem(call->res, 401, "not-authenticated", NULL,
                           "send a token as \"Authorization: Bearer mlt_…\"; `mltrail token create` makes one");
        return false;
    }
    if ((call->req->principal->grant.rights & (unsigned)right) == 0) {
        char missing[64];
        (void)snprintf(missing, sizeof missing, "\"%s\"", mlt_right_name(right));
        mlt_call_refuse(call, missing);
        return false;
    }
    return true;
}

static const struct mlt_param purpose_param = {.name = "purpose", .type = MLT_P_TEXT};

static const struct mlt_param *find_param(const struct mlt_route *route, struct mlt_bytes name) {
    for (const struct mlt_param *p = route->params; p && p->name; p++) {
        if (mlt_bytes_is(name, p->name)) {
            return p;
        }
    }
    return (route->flags & MLT_ROUTE_AUDITED) && mlt_bytes_is(name, "purpose") ? &purpose_param : NULL;
}

// A time in a query may have lost the plus of its zone to form encoding.
static bool param_time(struct mlt_bytes value, int64_t *out) {
    char text[64];
    if (value.len >= sizeof text || value.len < 10) {
        return false;
    }
    memcpy(text, value.ptr, value.len);
    if (value.len > 6 && text[value.len - 6] == ' ') {
        text[value.len - 6] = '+';
    }
    return mlt_date_parse(out, mlt_bytes_of(text, value.len));
}

static bool param_valid(struct mlt_call *call, const struct mlt_param *p, struct mlt_bytes value) {
    uint64_t count;
    int64_t time;
    if (p->type == MLT_P_COUNT) {
        if (mlt_decimal_decode(&count, value) && count >= p->min && (p->max == 0 || count <= p->max)) {
            return true;
        }
        char upto[40] = "";
        if (p->max > 0) {
            (void)snprintf(upto, sizeof upto, " to %llu", (unsigned long long)p->max);
        }
        mlt_answer_problem(call->res, 400, "bad-parameter", NULL, "\"%s\" must be a whole number from %llu%s", p->name,
                           (unsigned long long)p->min, upto);
        return false;
    }
    if (p->type == MLT_P_TIME && !param_time(value, &time)) {
        mlt_answer_problem(call->res, 400, "bad-parameter", NULL,
                           "\"%s\" must be a date or an RFC 3339 time such as 2026-11-23T09:40:00Z", p->name);
        return false;
    }
    if (p->type == MLT_P_ENUM) {
        char list[256] = "";
        for (const char *const *v = p->values; *v; v++) {
            if (mlt_bytes_is(value, *v)) {
                return true;
            }
            size_t used = strlen(list);
            (void)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *v);
        }
        mlt_answer_problem(call->res, 400, "bad-parameter", NULL, "\"%s\" must be one of %s", p->name, list);
        return false;
    }
    return true;
}

static bool check_params(struct mlt_call *call) {
    for (size_t i = 0; i < call->query.num_params; i++) {
        const struct mlt_query_param *given = &call->query.params[i];
        const struct mlt_param *p = find_param(call->route, given->name);
        if (!p) {
            mlt_answer_problem(call->res, 400, "unknown-parameter", NULL,
                               "there is no parameter \"%.*s\" here; /openapi.json lists those there are",
                               (int)(given->name.len < 200 ? given->name.len : 200), (const char *)given->name.ptr);
            return false;
        }
        if (!param_valid(call, p, given->value)) {
            return false;
        }
    }
    for (const struct mlt_param *p = call->route->params; p && p->name; p++) {
        if (p->required && !mlt_query_find(&call->query, p->name)) {
            mlt_answer_problem(call->res, 400, "missing-parameter", NULL, "\"%s\" is needed: %s", p->name, p->text);
            return false;
        }
    }
    return true;
}

// Route, principal and grant; parameters too when `all`. False: answered.
static bool admit(struct mlt_call *call, bool all) {
    char allow[32] = "";
    const struct mlt_route *route =
        call->req->route ? call->req->route : find_route(call->req->method, call->req->path, allow);
    if (!route || !is_here(call, route)) {
        if (!route && allow[0]) {
            mlt_answer_problem(call->res, 405, "method-not-allowed", NULL, "%s is not possible here; %s is",
                               call->req->method, allow);
            memcpy(call->res->allow, allow, sizeof call->res->allow);
        } else {
            mlt_answer_problem(call->res, 404, "no-such-route", NULL, "there is nothing at this path%s",
                               route && call->api->raw ? " of a raw trail" : "; /openapi.json lists what there is");
        }
        return false;
    }
    call->route = route;
    if (!(route->flags & MLT_ROUTE_OPEN) && !call->req->principal) {
        return mlt_call_granted(call, MLT_MAY_READ);
    }
    if (route->right && !mlt_call_granted(call, route->right)) {
        return false;
    }
    if (!all) {
        return true;
    }
    struct mlt_error err = {0};
    enum mlt_status status = mlt_query_parse(&call->query, mlt_str(call->req->query), &call->arena, &err);
    if (status == MLT_OK) {
        status = mlt_path_decode(&call->path, route->pattern, call->req->path, &call->arena, &err);
    }
    if (status != MLT_OK) {
        mlt_answer_problem(call->res, 400, "bad-encoding", NULL, "%s", err.text);
        return false;
    }
    return check_params(call);
}

static void finish(struct mlt_call *call, int status) {
    if (call->has_source) {
        mlt_index_source_clear(&call->source);
    }
    mlt_sealer_free(call->sealer);
    mlt_arena_clear(&call->arena);
    size_t row = call->route ? (size_t)(call->route - mlt_routes) : mlt_num_routes;
    unsigned class = (unsigned)status / 100;
    if (class < MLT_STATUS_CLASSES) {
        atomic_fetch_add(&call->api->metrics.requests[row][class], 1);
    }
}

void mlt_api_handle(struct mlt_api *api, const struct mlt_request *req, struct mlt_response *res) {
    struct mlt_call call = {.api = api, .req = req, .res = res};
    res->status = 200;
    res->content_type = MLT_TYPE_JSON;
    if (admit(&call, true)) {
        call.route->handle(&call);
    }
    finish(&call, res->status);
}

bool mlt_api_append_start(struct mlt_api *api, const struct mlt_request *req, struct mlt_response *res,
                          void (*done)(void *arg, struct mlt_response *res), void *arg) {
    struct mlt_call call = {.api = api, .req = req, .res = res, .done = done, .done_arg = arg};
    res->status = 200;
    res->content_type = MLT_TYPE_JSON;
    if (admit(&call, true)) {
        call.route->handle(&call);
    }
    finish(&call, call.started ? 200 : res->status); // once started, the response is the committer's and may be gone
    return call.started;
}

bool mlt_api_expects_body(struct mlt_api *api, const struct mlt_request *req, struct mlt_response *res) {
    struct mlt_call call = {.api = api, .req = req, .res = res};
    bool ok = admit(&call, false);
    if (!ok) {
        finish(&call, res->status);
    }
    mlt_arena_clear(&call.arena);
    return ok && (call.route->flags & MLT_ROUTE_BODY);
}

const struct mlt_route *mlt_api_route(const char *method, const char *path) {
    char allow[32];
    return find_route(method, path, allow);
}

bool mlt_api_appends(const struct mlt_request *req) {
    return req->route && (req->route->flags & MLT_ROUTE_APPENDS);
}
