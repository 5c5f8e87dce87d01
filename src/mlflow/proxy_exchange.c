// The exchange as JSON, and on its way to the trail.
#include <stdio.h>
#include <strings.h>

#include "base/time.h"
#include "capture/mlflow.h"
#include "mlflow/proxy_private.h"

static const char *header(const struct mlt_proxy_request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static bool recorded(const struct mlt_proxy_request *r) {
    return r->proxy->opt.record_all || !(r->match.route->flags & MLT_MLFLOW_STATIC);
}

static void put_text(struct mlt_json_writer *w, const char *name, const char *value) {
    if (value && value[0]) {
        mlt_jw_member(w, name, value);
    }
}

// Clients percent-encode what is not ASCII in headers of ours.
static void put_decoded(struct mlt_proxy_request *r, struct mlt_json_writer *w, const char *name, const char *field) {
    const char *value = header(r, field);
    struct mlt_bytes text = mlt_mlflow_decode(mlt_str(value ? value : ""), false, &r->arena);
    if (text.len > 0) {
        mlt_jw_member_bytes(w, name, text);
    }
}

static void put_raw(struct mlt_json_writer *w, const char *name, const struct mlt_buf *json) {
    if (json->len > 0 && !json->failed) {
        mlt_jw_member_raw(w, name, mlt_buf_bytes(json));
    }
}

// What names the resource, and nothing that may hold a password.
static void put_names(struct mlt_proxy_request *r, struct mlt_json_writer *w) {
    static const char *const names[] = {"run_id", "run_uuid", "runId", "username", "name", "experiment_id"};
    mlt_jw_name(w, "request");
    mlt_jw_object(w);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct mlt_bytes value = mlt_json_string(&r->request, mlt_json_get(&r->request, 0, names[i]), &r->arena);
        if (value.len > 0) {
            mlt_jw_member_bytes(w, names[i], value);
        }
    }
    mlt_jw_end_object(w);
}

static void put_request(struct mlt_proxy_request *r, struct mlt_json_writer *w) {
    unsigned flags = r->match.route->flags;
    if (r->request.num_tokens == 0) {
        return;
    }
    if (flags & MLT_MLFLOW_BODY) {
        mlt_jw_member_value(w, "request", &r->request, 0);
    } else if (flags & MLT_MLFLOW_NAMES) {
        put_names(r, w);
    }
}

static void put_response(const struct mlt_proxy_request *r, struct mlt_json_writer *w) {
    struct mlt_json json = {0};
    if (r->answer.len > 0 && mlt_json_scan(&json, mlt_buf_bytes(&r->answer), NULL) == MLT_OK) {
        mlt_jw_member_value(w, "response", &json, 0);
    }
    mlt_json_clear(&json);
}

static void put_time(struct mlt_json_writer *w, const char *name, int64_t ns) {
    char text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(text, ns);
    mlt_jw_member(w, name, text);
}

// What is known when the request comes; the same in both phases.
static void put_begun(struct mlt_proxy_request *r, struct mlt_json_writer *w) {
    mlt_jw_member(w, "exchange", r->id);
    mlt_jw_member(w, "server", r->proxy->opt.name);
    mlt_jw_member(w, "method", r->method);
    mlt_jw_member(w, "path", r->path);
    if (r->query.len > 0) {
        mlt_jw_member_bytes(w, "query", r->query);
    }
    put_request(r, w);
    put_raw(w, "before", &r->before);
    put_text(w, "address", r->address);
    put_text(w, "user_agent", header(r, "User-Agent"));
    put_text(w, "workspace", header(r, "X-MLFLOW-WORKSPACE"));
    put_decoded(r, w, "reason", "X-Mltrail-Reason");
    put_decoded(r, w, "approval_reference", "X-Mltrail-Approval-Reference");
    put_text(w, "purpose", header(r, "X-Purpose"));
    put_text(w, "claimed_user", r->user_trusted ? NULL : r->user);
    put_time(w, "started_at", r->started);
}

// Who it was: a trusted header's word, or a name whose password the server has looked at.
static void put_who(struct mlt_proxy_request *r, struct mlt_json_writer *w) {
    bool checked = r->user && !r->user_trusted && r->status != 401 && r->status != 0 && mlt_proxy_authenticated(r);
    if (r->user && (r->user_trusted || checked)) {
        mlt_jw_member(w, "principal", r->user);
    }
    mlt_jw_member(w, "auth", r->user_trusted ? "header" : checked ? "basic" : "none");
}

static void put_over(struct mlt_proxy_request *r, struct mlt_json_writer *w) {
    put_who(r, w);
    mlt_jw_member_u64(w, "status", (uint64_t)(r->status > 0 ? r->status : 502));
    put_response(r, w);
    put_raw(w, "after", &r->after);
    mlt_json_at run = mlt_json_get(&r->run.json, 0, "run");
    if (r->run.json.num_tokens > 0 && run != MLT_JSON_NONE) {
        mlt_jw_member_value(w, "run", &r->run.json, run);
    }
    put_time(w, "ended_at", r->ended);
    mlt_jw_member_u64(w, "bytes", r->bytes);
    put_text(w, "error", r->error);
}

bool mlt_proxy_record_begin(struct mlt_proxy_request *r, struct mlt_error *err) {
    struct mlt_proxy *p = r->proxy;
    struct mlt_buf line = {0};
    struct mlt_json_writer w;
    if (!recorded(r)) {
        return true;
    }
    if (p->opt.fail_closed && !p->opt.ready(p->opt.arg)) {
        return mlt_fail(err, MLT_BUSY, "earlier exchanges wait for the trail") == MLT_OK;
    }
    r->recorded = true;
    if (!p->opt.fail_closed) {
        return true;
    }
    mlt_jw_init(&w, &line);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "phase", "begin");
    put_begun(r, &w);
    mlt_jw_end_object(&w);
    enum mlt_status status =
        line.failed ? mlt_fail(err, MLT_NOMEM, "out of memory") : p->opt.begin(p->opt.arg, mlt_buf_bytes(&line), err);
    mlt_buf_clear(&line);
    r->recorded = status == MLT_OK;
    return r->recorded;
}

void mlt_proxy_record_end(struct mlt_proxy_request *r) {
    struct mlt_proxy *p = r->proxy;
    struct mlt_buf line = {0};
    struct mlt_json_writer w;
    if (!r->recorded) {
        return;
    }
    mlt_jw_init(&w, &line);
    mlt_jw_object(&w);
    if (p->opt.fail_closed) {
        mlt_jw_member(&w, "phase", "end");
    }
    put_begun(r, &w);
    put_over(r, &w);
    mlt_jw_end_object(&w);
    if (line.failed) {
        (void)fprintf(stderr, "mltrail: proxy: an exchange is lost: out of memory\n");
    } else {
        atomic_fetch_add(&p->exchanges, 1);
        if (!mlt_proxy_add_digest(r, &line)) {
            (void)p->opt.end(p->opt.arg, mlt_buf_bytes(&line));
        }
    }
    mlt_buf_clear(&line);
}
