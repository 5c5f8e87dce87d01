// Messages of other systems: kept as they came, with the headers that their meaning depends on, and sent on as they
// came.
#include <strings.h>

#include "agent/private.h"

#define TYPE_JSON "application/json"

struct gathering {
    struct mlt_frame_request *req;
    bool too_many;
};

// CloudEvents in binary mode are in ce- headers; MLflow signs its webhooks over the body and some headers.
static bool is_kept(const char *name) {
    static const char *const names[] = {"content-encoding", "x-mlflow-signature", "x-mlflow-timestamp",
                                        "x-mlflow-delivery-id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncasecmp(name, "ce-", 3) == 0;
}

static void gather(void *arg, const char *name, const char *value) {
    struct gathering *g = arg;
    if (!is_kept(name)) {
        return;
    }
    if (g->req->num_headers == MLT_FRAME_HEADERS_MAX) {
        g->too_many = true;
        return;
    }
    g->req->headers[g->req->num_headers++] = (struct mlt_frame_header){name, value};
}

static bool json_is_whole(const struct mlt_service_request *req, const char *type, struct mlt_service_answer *out) {
    struct mlt_json json = {0};
    struct mlt_error why = {0};
    bool checked = mlt_agent_media_is(type, TYPE_JSON) && !req->header(req->header_arg, "Content-Encoding");
    enum mlt_status status = checked ? mlt_json_scan(&json, req->body, &why) : MLT_OK;
    if (status != MLT_OK) {
        mlt_agent_problem(out, 400, json.error_code ? json.error_code : "not-json", json.error_pointer, "%s", why.text);
    }
    mlt_json_clear(&json);
    return status == MLT_OK;
}

// What a browser sends without asking: no system that we know of uses these.
static bool type_is_refused(const char *type) {
    return !type || mlt_agent_media_is(type, "text/plain") || mlt_agent_media_is(type, "multipart/form-data") ||
           mlt_agent_media_is(type, "application/x-www-form-urlencoded");
}

static void answer(const struct mlt_service_request *req, struct mlt_service_answer *out, const char *type,
                   const struct mlt_agent_stream *s, const struct mlt_spool_put *put) {
    if (strcmp(req->path, "/v1/traces") == 0 || strcmp(req->path, "/v1/logs") == 0) { // OTLP/HTTP: 200 in the same form
        out->status = 200;
        if (mlt_agent_media_is(type, TYPE_JSON)) {
            out->content_type = TYPE_JSON;
            mlt_buf_put_str(&out->body, "{}");
        } else {
            out->content_type = "application/x-protobuf";
        }
        return;
    }
    struct mlt_json_writer w;
    out->status = 202;
    out->content_type = TYPE_JSON;
    mlt_jw_init(&w, &out->body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "stream", mlt_spool_writer_stream(s->writer));
    mlt_jw_member_u64(&w, "frame", put->frame);
    mlt_jw_end_object(&w);
}

static enum mlt_status keep(struct mlt_agent *a, struct mlt_agent_stream *s, const struct mlt_service_request *req,
                            struct mlt_bytes body, struct mlt_spool_put *put, struct mlt_error *err) {
    const struct mlt_spool_item item = {.type = MLT_FRAME_REQUEST, .before = body};
    enum mlt_status status = mlt_agent_room(a, s, body.len, 1, err);
    status = status == MLT_OK ? mlt_agent_put(a, s, &item, 1, put, err) : status;
    mlt_courier_nudge(a->courier);
    if (status == MLT_OK && mlt_agent_wants(req, "durable=1")) {
        status = mlt_spool_writer_sync(s->writer, err);
    }
    if (status == MLT_NOSPACE && a->opt.on_full == MLT_AGENT_DROP) {
        atomic_fetch_add(&a->dropped, 1);
        status = MLT_OK;
    }
    return status;
}

void mlt_agent_request(struct mlt_agent *a, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    const char *type = req->header(req->header_arg, "Content-Type");
    struct mlt_buf path = {0}, body = {0};
    struct mlt_error err = {0};
    struct mlt_agent_stream *s = NULL;
    struct mlt_spool_put put = {0};
    char key[MLT_AGENT_KEY_LEN];
    if (type_is_refused(type)) {
        mlt_agent_problem(out, 415, "unsupported-media-type", NULL,
                          "Content-Type is \"%.100s\"; send the message's own", type ? type : "");
        return;
    }
    if (!json_is_whole(req, type, out)) {
        atomic_fetch_add(&a->refused, 1);
        return;
    }
    mlt_buf_printf(&path, "%s%s%s", req->path, req->query[0] ? "?" : "", req->query);
    const char *target = mlt_buf_cstr(&path);
    struct mlt_frame_request kept = {
        .method = req->method, .path = target ? target : "/", .content_type = type, .body = req->body};
    struct gathering g = {.req = &kept};
    req->each_header(req->header_arg, gather, &g);
    mlt_frame_request_put(&body, &kept);
    enum mlt_status status = g.too_many ? mlt_fail(&err, MLT_LIMIT, "more than %d headers", MLT_FRAME_HEADERS_MAX)
                             : body.failed || !target ? mlt_fail(&err, MLT_NOMEM, "no memory for a message")
                                                      : MLT_OK;
    mlt_agent_key(key, req);
    status = status == MLT_OK ? mlt_agent_take(a, &s, key, a->opt.serving_node, &err) : status;
    status = status == MLT_OK ? keep(a, s, req, mlt_buf_bytes(&body), &put, &err) : status;
    if (status == MLT_OK) {
        answer(req, out, type, s, &put);
    } else {
        mlt_agent_fail(out, status, &err);
    }
    if (s) {
        mlt_agent_give(a, s);
    }
    mlt_buf_clear(&path);
    mlt_buf_clear(&body);
}
