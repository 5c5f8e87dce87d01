#include "agent/agent.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/private.h"
#include "base/wait.h"

#define BLOCK_NS (2 * MLT_NS_PER_S) // a handler waits so long for space; there are few of them
#define LOOK_NS (MLT_NS_PER_S / 10)
#define RETRY_AFTER "2"

// -- answers ----------------------------------------------------------------------------------------------------------

void mlt_agent_problem(struct mlt_service_answer *out, int status, const char *code, const char *pointer,
                       const char *fmt, ...) {
    char detail[MLT_ERROR_TEXT_LEN], type[80];
    struct mlt_json_writer w;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    (void)snprintf(type, sizeof type, "urn:mltrail:problem:%s", code);
    mlt_buf_reset(&out->body);
    mlt_jw_init(&w, &out->body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "type", type);
    mlt_jw_member_u64(&w, "status", (uint64_t)status);
    mlt_jw_member(&w, "code", code);
    mlt_jw_member(&w, "detail", detail);
    if (pointer && pointer[0]) {
        mlt_jw_member(&w, "pointer", pointer);
    }
    mlt_jw_end_object(&w);
    out->status = status;
    out->content_type = "application/problem+json";
    out->retry_after = status == 503 ? RETRY_AFTER : NULL;
}

void mlt_agent_fail(struct mlt_service_answer *out, enum mlt_status status, const struct mlt_error *err) {
    int http = status == MLT_INVALID ? 400 : status == MLT_LIMIT ? 413 : 503;
    mlt_agent_problem(out, http, mlt_status_name(status), NULL, "%s", err->text);
}

bool mlt_agent_media_is(const char *content_type, const char *media) {
    size_t len = strlen(media);
    return content_type && strncmp(content_type, media, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

bool mlt_agent_wants(const struct mlt_service_request *req, const char *parameter) {
    size_t len = strlen(parameter);
    for (const char *at = req->query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL) {
        if (strncmp(at, parameter, len) == 0 && (at[len] == '\0' || at[len] == '&')) {
            return true;
        }
    }
    return false;
}

// -- putting ----------------------------------------------------------------------------------------------------------

enum mlt_status mlt_agent_room(struct mlt_agent *a, struct mlt_agent_stream *s, uint64_t len, uint64_t num,
                               struct mlt_error *err) {
    int64_t until = mlt_wait_now() + BLOCK_NS;
    while (!mlt_spool_writer_room(s->writer, len, num)) {
        int64_t now = mlt_wait_now();
        if (a->opt.on_full != MLT_AGENT_BLOCK || now >= until) {
            return mlt_fail(err, MLT_NOSPACE, "the spool is full: %llu bytes of this stream wait for the server",
                            (unsigned long long)mlt_spool_writer_bytes(s->writer));
        }
        mlt_courier_nudge(a->courier);
        (void)mlt_courier_space(a->courier, now + LOOK_NS < until ? now + LOOK_NS : until);
    }
    return MLT_OK;
}

enum mlt_status mlt_agent_put(struct mlt_agent *a, struct mlt_agent_stream *s, const struct mlt_spool_item *items,
                              size_t num, struct mlt_spool_put *put, struct mlt_error *err) {
    enum mlt_status status = mlt_spool_writer_put_all(s->writer, items, num, put, err);
    if (status == MLT_OK) {
        atomic_fetch_add(&a->spooled, num);
    }
    return status;
}

// -- routes -----------------------------------------------------------------------------------------------------------

static const struct route {
    const char *path;
    bool post;
    void (*handle)(struct mlt_agent *, const struct mlt_service_request *, struct mlt_service_answer *);
    void (*tell)(struct mlt_agent *, struct mlt_service_answer *);
} routes[] = {
    {"/v1/records", true, mlt_agent_records, NULL},
    {"/v1/cloudevents", true, mlt_agent_request, NULL},
    {"/api/v1/lineage", true, mlt_agent_request, NULL},
    {"/api/v1/lineage/batch", true, mlt_agent_request, NULL},
    {"/v1/traces", true, mlt_agent_request, NULL},
    {"/v1/logs", true, mlt_agent_request, NULL},
    {"/v1/mlflow/exchanges", true, mlt_agent_request, NULL},
    {"/v1/mlflow/webhook", true, mlt_agent_request, NULL},
    {"/healthz", false, NULL, mlt_agent_healthz},
    {"/metrics", false, NULL, mlt_agent_metrics},
};

void mlt_agent_handle(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    struct mlt_agent *a = arg;
    const struct route *found = NULL;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        found = strcmp(req->path, routes[i].path) == 0 ? &routes[i] : found;
    }
    if (!found) {
        mlt_agent_problem(out, 404, "no-such-route", NULL,
                          "an agent has POST /v1/records and the routes of other systems (mltrail-agent(1))");
    } else if (req->header(req->header_arg, "Origin")) {
        // No page of a web site may write here: a browser would send it for anybody.
        mlt_agent_problem(out, 403, "from-a-page", NULL, "requests of web pages are not taken");
    } else if (found->post ? strcmp(req->method, "POST") != 0
                           : strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
        out->allow = found->post ? "POST" : "GET, HEAD";
        mlt_agent_problem(out, 405, "wrong-method", NULL, "%s is possible here", out->allow);
    } else if (found->handle) {
        found->handle(a, req, out);
    } else {
        found->tell(a, out);
    }
}

// -- open and close ---------------------------------------------------------------------------------------------------

static enum mlt_status lock_spool(struct mlt_agent *a, struct mlt_error *err) {
    struct mlt_buf path = {0};
    mlt_buf_printf(&path, "%s/agent.lock", a->opt.spool_dir);
    const char *name = mlt_buf_cstr(&path);
    enum mlt_status status = name ? mlt_env_make_dir(a->env, a->opt.spool_dir, true, err)
                                  : mlt_fail(err, MLT_NOMEM, "no memory for an agent");
    status = status == MLT_OK ? a->env->lock(a->env, &a->lock_file, name, err) : status;
    if (status == MLT_BUSY) {
        status = mlt_fail(err, MLT_BUSY, "another agent has %s; give each agent a spool of its own", a->opt.spool_dir);
    }
    mlt_buf_clear(&path);
    return status;
}

enum mlt_status mlt_agent_open(struct mlt_agent **out, struct mlt_env *env, const struct mlt_agent_options *opt,
                               struct mlt_error *err) {
    *out = NULL;
    struct mlt_agent *a = calloc(1, sizeof *a);
    if (!a || pthread_mutex_init(&a->lock, NULL) != 0) {
        free(a);
        return mlt_fail(err, MLT_NOMEM, "no memory for an agent");
    }
    a->env = env;
    a->opt = *opt;
    enum mlt_status status = lock_spool(a, err);
    status = status == MLT_OK ? mlt_courier_new(&a->courier, env, &opt->courier, err) : status;
    if (status == MLT_OK) { // what is wrong with node or limit is known at once, and not by the first service
        struct mlt_agent_stream *s = NULL;
        status = mlt_agent_take(a, &s, "network", opt->serving_node, err);
        if (s) {
            mlt_agent_give(a, s);
        }
    }
    if (status != MLT_OK) {
        (void)mlt_agent_close(a, 0);
        return status;
    }
    *out = a;
    return MLT_OK;
}

uint64_t mlt_agent_close(struct mlt_agent *a, int64_t until_ns) {
    if (!a) {
        return 0;
    }
    mlt_agent_end_streams(a);
    uint64_t left = mlt_courier_stop(a->courier, until_ns);
    while (a->spares) {
        struct mlt_agent_spare *next = a->spares->next;
        mlt_preparer_clear(&a->spares->preparer);
        free(a->spares);
        a->spares = next;
    }
    if (a->lock_file) {
        a->env->close(a->env, a->lock_file);
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
    return left;
}
