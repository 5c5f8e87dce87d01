// One request over its connection:
//
//   target ─→ begin ─→ receive … ─→ dispatch ─┬→ answered at once ──────────────────────┬→ respond ─→ completed
//  (request   (headers,  (body)               └→ suspended ─→ finish (worker, committer) ┘
//    line)     principal)
//
// The exchange belongs to its connection. While it is suspended libmicrohttpd leaves it alone, and the worker or the
// committer has it until it calls mlt_exchange_finish.
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "server/server_state.h"

#define BASIC_MAX 512                        // user and password, decoded; a token has 47 bytes
#define BODY_FIRST_MAX ((size_t)1024 * 1024) // reserved at once when a length is announced; the rest as it arrives

// --- bodies ---

static void body_take(struct mlt_server *s, struct mlt_buf *out) {
    pthread_mutex_lock(&s->pool_lock);
    if (s->pool_num > 0) {
        *out = s->pool[--s->pool_num];
    }
    pthread_mutex_unlock(&s->pool_lock);
}

static void body_give(struct mlt_exchange *ex) {
    struct mlt_server *s = ex->server;
    atomic_fetch_sub(&s->bodies, ex->charged);
    ex->charged = 0;
    bool kept = false;
    if (ex->body.cap > 0 && ex->body.cap <= MLT_BODY_POOL_BYTES_MAX) {
        mlt_buf_reset(&ex->body);
        pthread_mutex_lock(&s->pool_lock);
        kept = s->pool_num < MLT_BODY_POOL_MAX;
        if (kept) {
            s->pool[s->pool_num++] = ex->body;
        }
        pthread_mutex_unlock(&s->pool_lock);
    }
    if (!kept) {
        mlt_buf_clear(&ex->body);
    }
    ex->body = (struct mlt_buf){0};
}

static void problem(struct mlt_exchange *ex, int status, const char *code, const char *detail) {
    mlt_answer_problem(&ex->res, status, code, NULL, "%s", detail);
    ex->answered = true;
}

static void keep(struct mlt_exchange *ex, struct mlt_bytes data) {
    if (ex->body.len + data.len > MLT_BODY_MAX) {
        problem(ex, 413, "body-too-large", "a body has at most 32 MiB; send a batch in parts");
        ex->close = true;
        return;
    }
    mlt_buf_put_bytes(&ex->body, data);
    if (ex->body.failed) {
        problem(ex, 503, "no-memory", "no memory for the body; try again");
    }
}

static void unpacked(struct mlt_exchange *ex, enum mlt_status status, const struct mlt_error *err) {
    if (status == MLT_OK) {
        return;
    }
    int http_status = status == MLT_LIMIT ? 413 : status == MLT_INVALID ? 400 : 503;
    problem(ex, http_status,
            status == MLT_LIMIT     ? "body-too-large"
            : status == MLT_INVALID ? "bad-encoding"
                                    : "no-memory",
            err->text);
    ex->close = true;
}

static void unpack(struct mlt_exchange *ex, struct mlt_bytes data) {
    struct mlt_error err = {0};
    unpacked(ex, mlt_gunzip_feed(ex->gunzip, data, MLT_BODY_MAX, &ex->body, &err), &err);
}

static void receive(struct mlt_exchange *ex, const char *data, size_t len) {
    struct mlt_server *s = ex->server;
    atomic_fetch_add(&ex->peer->body, len);
    if (ex->answered) {
        return; // read to its end, so that the client comes to the answer
    }
    if (!ex->body.data) {
        body_take(s, &ex->body);
    }
    size_t before = ex->body.len;
    if (ex->gunzip) {
        unpack(ex, mlt_bytes_of(data, len));
    } else {
        keep(ex, mlt_bytes_of(data, len));
    }
    size_t more = ex->body.len - before;
    ex->charged += more;
    if (atomic_fetch_add(&s->bodies, more) + more > MLT_BODIES_MAX && !ex->answered) {
        problem(ex, 503, "busy", "too many bodies are being received; try again");
        ex->close = true;
    }
}

// --- headers ---

static const char *header(struct mlt_exchange *ex, const char *name) {
    const char *value = MHD_lookup_connection_value(ex->connection, MHD_HEADER_KIND, name);
    return value ? value : "";
}

static void refused(struct mlt_exchange *ex) {
    struct mlt_request req = {.method = ex->method, .path = ex->path, .query = "", .address = ex->peer->address};
    mlt_api_refused(ex->server->api, &req);
}

static void identify_certificate(struct mlt_exchange *ex) {
    struct mlt_peer *peer = ex->peer;
    if (!peer->subject_asked) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        peer->subject_asked = true;
        if (!info || !info->tls_session || !mlt_tls_subject(info->tls_session, peer->subject, sizeof peer->subject)) {
            peer->subject[0] = '\0';
        }
    }
    if (peer->subject[0]) {
        mlt_api_certificate(ex->server->api, peer->subject, &ex->principal);
        ex->has_principal = true;
    }
}

// A client that takes nothing but a URL sends the user and the password in it: the password is the token, whoever the
// user is. False: it is none.
static bool basic_token(const char *text, uint8_t out[static BASIC_MAX], struct mlt_bytes *token) {
    size_t len;
    if (!mlt_base64_decode(out, BASIC_MAX, &len, mlt_str(text))) {
        return false;
    }
    const uint8_t *colon = memchr(out, ':', len);
    if (!colon) {
        return false;
    }
    *token = mlt_bytes_of(colon + 1, len - (size_t)(colon + 1 - out));
    return true;
}

// The token of an Authorization header; {NULL, 0}: there is none in it.
static struct mlt_bytes token_of(const char *authorization, uint8_t scratch[static BASIC_MAX]) {
    struct mlt_bytes token = {0};
    if (strncasecmp(authorization, "Bearer ", 7) == 0) {
        const char *text = authorization + strlen("Bearer ");
        return mlt_str(text + strspn(text, " "));
    }
    if (strncasecmp(authorization, "Basic ", 6) == 0) {
        const char *text = authorization + strlen("Basic ");
        (void)basic_token(text + strspn(text, " "), scratch, &token);
    }
    return token;
}

// Who asks: a bearer token first, then a certificate, then the local socket's user. A wrong token is refused even where
// the other ways would do: whoever sends it means it.
static void identify(struct mlt_exchange *ex) {
    const char *authorization = MHD_lookup_connection_value(ex->connection, MHD_HEADER_KIND, "Authorization");
    uint8_t scratch[BASIC_MAX];
    struct mlt_bytes token = authorization ? token_of(authorization, scratch) : (struct mlt_bytes){0};
    if (token.ptr) {
        ex->has_principal = mlt_api_authenticate(ex->server->api, token, &ex->principal);
        if (!ex->has_principal) {
            refused(ex);
            problem(ex, 401, "bad-token", "the token is not known here, was revoked or has expired");
        }
    } else if (authorization) {
        refused(ex);
        problem(ex, 401, "bad-token",
                "send a token as \"Authorization: Bearer mlt_…\", or as the password of Basic authentication");
    } else if (ex->server->tls.client_ca.len > 0 && !ex->peer->local) {
        identify_certificate(ex);
    } else if (ex->peer->local && ex->peer->allowed) {
        mlt_principal_local(&ex->principal, ex->peer->uid);
        ex->has_principal = true;
    }
    if (ex->has_principal) {
        (void)snprintf(ex->principal.address, sizeof ex->principal.address, "%s", ex->peer->address);
        (void)snprintf(ex->principal.user_agent, sizeof ex->principal.user_agent, "%s", header(ex, "User-Agent"));
    }
}

static const char *request_header(void *arg, const char *name) {
    return MHD_lookup_connection_value(arg, MHD_HEADER_KIND, name);
}

struct each_header {
    mlt_header_take *take;
    void *arg;
};

static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
    const struct each_header *each = arg;
    (void)kind;
    each->take(each->arg, name, value ? value : "");
    return MHD_YES;
}

static void request_headers(void *arg, mlt_header_take *take, void *take_arg) {
    struct each_header each = {take, take_arg};
    (void)MHD_get_connection_values(arg, MHD_HEADER_KIND, take_header, &each);
}

struct mlt_request mlt_exchange_request(const struct mlt_exchange *ex) {
    return (struct mlt_request){.method = ex->method,
                                .path = ex->path,
                                .query = ex->query,
                                .content_type = ex->content_type,
                                .body = mlt_buf_bytes(&ex->body),
                                .principal = ex->has_principal ? &ex->principal : NULL,
                                .purpose = ex->purpose,
                                .address = ex->peer->address,
                                .header = request_header,
                                .each_header = request_headers,
                                .header_arg = ex->connection,
                                .route = ex->route};
}

static void check_body(struct mlt_exchange *ex, const char *length) {
    const char *encoding = header(ex, "Content-Encoding");
    bool gzip = strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0;
    if (encoding[0] && !gzip && strcasecmp(encoding, "identity") != 0) {
        problem(ex, 415, "unsupported-encoding", "Content-Encoding may be gzip; or send the body as it is");
        return;
    }
    uint64_t len = 0;
    if (length[0] && (!mlt_decimal_decode(&len, mlt_str(length)) || len > MLT_BODY_MAX)) {
        problem(ex, 413, "body-too-large", "a body has at most 32 MiB; send a batch in parts");
        return;
    }
    struct mlt_request req = mlt_exchange_request(ex);
    if (!mlt_api_expects_body(ex->server->api, &req, &ex->res)) {
        ex->answered = ex->res.status != 0;
        return;
    }
    if (gzip && !(ex->gunzip = mlt_gunzip_new())) {
        problem(ex, 503, "no-memory", "no memory to unpack the body; try again");
        return;
    }
    body_take(ex->server, &ex->body);
    mlt_buf_reserve(&ex->body, len < BODY_FIRST_MAX ? (size_t)len : BODY_FIRST_MAX);
}

// True: a body follows, although the answer is known already.
static bool begin(struct mlt_exchange *ex, const char *method) {
    ex->begun = true;
    (void)snprintf(ex->method, sizeof ex->method, "%s", method);
    ex->route = mlt_api_route(ex->method, ex->path);
    (void)snprintf(ex->content_type, sizeof ex->content_type, "%s", header(ex, "Content-Type"));
    (void)snprintf(ex->purpose, sizeof ex->purpose, "%s", header(ex, "X-Purpose"));
    const char *length = header(ex, "Content-Length");
    bool has_body = (length[0] && strcmp(length, "0") != 0) || header(ex, "Transfer-Encoding")[0];
    identify(ex);
    if (!ex->answered && atomic_load(&ex->server->stopping)) {
        problem(ex, 503, "stopping", "the server is stopping; ask again when it is back");
        ex->close = true;
    }
    if (!ex->answered && has_body) {
        check_body(ex, length);
    }
    mlt_peer_enter(ex->peer, MLT_PHASE_BODY);
    return has_body && ex->answered;
}

// --- answers ---

static void add_headers(const struct mlt_exchange *ex, struct MHD_Response *r) {
    const struct mlt_response *res = &ex->res;
    char seconds[16];
    MHD_add_response_header(r, "Content-Type", res->content_type ? res->content_type : MLT_TYPE_JSON);
    MHD_add_response_header(r, "Cache-Control", res->cache_control ? res->cache_control : "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (res->content_type && strcmp(res->content_type, MLT_TYPE_HTML) == 0) {
        MHD_add_response_header(r, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    }
    if (res->status == 401) {
        MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"mltrail\"");
    }
    if (res->allow[0]) {
        MHD_add_response_header(r, "Allow", res->allow);
    }
    if (res->next_cursor[0]) {
        MHD_add_response_header(r, "Mltrail-Next-Cursor", res->next_cursor);
    }
    if (res->retry_after_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%d", res->retry_after_s);
        MHD_add_response_header(r, "Retry-After", seconds);
    }
    if (ex->close || atomic_load(&ex->server->stopping)) {
        MHD_add_response_header(r, "Connection", "close");
    }
}

static enum MHD_Result respond(struct mlt_exchange *ex) {
    mlt_peer_enter(ex->peer, MLT_PHASE_ANSWER);
    struct mlt_buf body = ex->res.body;
    ex->res.body = (struct mlt_buf){0};
    struct MHD_Response *r = MHD_create_response_from_buffer(
        body.len, body.data, body.len > 0 ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!r) {
        mlt_buf_clear(&body);
        return MHD_NO;
    }
    if (body.len == 0) {
        mlt_buf_clear(&body);
    }
    add_headers(ex, r);
    enum MHD_Result ok = MHD_queue_response(ex->connection, (unsigned)ex->res.status, r);
    MHD_destroy_response(r);
    return ok;
}

// --- dispatch ---

void mlt_exchange_finish(struct mlt_exchange *ex) {
    struct mlt_server *s = ex->server;
    struct MHD_Connection *connection = ex->connection;
    atomic_store(&ex->answered, true);
    MHD_resume_connection(connection); // from here on the exchange may be gone
    atomic_fetch_sub(&s->in_flight, 1);
}

static void appended(void *arg, struct mlt_response *res) {
    struct mlt_exchange *ex = arg;
    mlt_response_clear(&ex->res);
    ex->res = *res;
    mlt_exchange_finish(ex);
}

static enum MHD_Result dispatch(struct mlt_exchange *ex) {
    struct mlt_server *s = ex->server;
    mlt_peer_enter(ex->peer, MLT_PHASE_WORK);
    struct mlt_request req = mlt_exchange_request(ex);
    if (strcmp(ex->path, "/healthz") == 0) {
        mlt_api_handle(s->api, &req, &ex->res); // answers even when every worker waits
        return respond(ex);
    }
    atomic_fetch_add(&s->in_flight, 1);
    MHD_suspend_connection(ex->connection);
    if (mlt_api_appends(&req)) {
        if (!mlt_api_append_start(s->api, &req, &ex->res, appended, ex)) {
            mlt_exchange_finish(ex);
        }
    } else if (!mlt_work_submit(s, ex)) {
        mlt_answer_problem(&ex->res, 503, "busy", NULL, "too many requests wait already; try again");
        mlt_exchange_finish(ex);
    }
    return MHD_YES;
}

enum MHD_Result mlt_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                    const char *version, const char *data, size_t *data_len, void **con_cls) {
    (void)cls;
    (void)connection;
    (void)url; // decoded by libmicrohttpd: an encoded slash would be lost
    (void)version;
    struct mlt_exchange *ex = *con_cls;
    if (!ex || !ex->peer) {
        return MHD_NO;
    }
    if (!ex->begun) {
        return begin(ex, method) ? respond(ex) : MHD_YES;
    }
    if (*data_len > 0) {
        receive(ex, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    if (ex->gunzip && !ex->answered) {
        struct mlt_error err = {0};
        unpacked(ex, mlt_gunzip_end(ex->gunzip, &err), &err);
    }
    return ex->answered ? respond(ex) : dispatch(ex);
}

void *mlt_exchange_target(void *cls, const char *uri, struct MHD_Connection *connection) {
    struct mlt_server *s = cls;
    struct mlt_exchange *ex = calloc(1, sizeof *ex);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!ex) {
        return NULL;
    }
    atomic_fetch_add(&s->exchanges, 1);
    ex->server = s;
    ex->connection = connection;
    ex->peer = info ? info->socket_context : NULL;
    ex->target = strdup(uri);
    if (!ex->target) {
        ex->peer = NULL; // answered by closing
        return ex;
    }
    char *query = strchr(ex->target, '?');
    ex->path = ex->target;
    ex->query = query ? query + 1 : "";
    if (query) {
        *query = '\0';
    }
    if (ex->peer) {
        mlt_peer_enter(ex->peer, MLT_PHASE_HEADERS);
    }
    return ex;
}

void mlt_exchange_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                            enum MHD_RequestTerminationCode how) {
    (void)connection;
    (void)how;
    struct mlt_server *s = cls;
    struct mlt_exchange *ex = *con_cls;
    *con_cls = NULL;
    if (!ex) {
        return;
    }
    (void)atomic_load(&ex->answered); // takes over what was written, also when it was never sent
    if (ex->peer) {
        mlt_peer_enter(ex->peer, MLT_PHASE_IDLE);
    }
    body_give(ex);
    mlt_gunzip_free(ex->gunzip);
    mlt_response_clear(&ex->res);
    free(ex->target);
    free(ex);
    atomic_fetch_sub(&s->exchanges, 1);
}
