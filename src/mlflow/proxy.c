#include "mlflow/proxy.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "base/wait.h"
#include "crypto/sha256.h"
#include "http/listen.h"
#include "mlflow/proxy_private.h"

#define CONNECTION_MEMORY ((size_t)64 * 1024) // headers and read buffer: tokens in headers are long
#define STACK_BYTES ((size_t)512 * 1024)      // TLS to the upstream, JSON of a bounded depth
#define PIECE_BYTES ((size_t)64 * 1024)       // of an answer handed to a client
#define STOP_WAIT_S 10                        // requests that run at the end may finish
#define USER_MAX 256

static int64_t wall_clock(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MLT_NS_PER_S + now.tv_nsec;
}

// -- connections ------------------------------------------------------------------------------------------------------

static void name_peer(char out[static 64], const struct sockaddr *sa) {
    out[0] = '\0';
    if (sa && sa->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, 64);
    } else if (sa && sa->sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, out, 64);
        if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.')) {
            memmove(out, out + 7, strlen(out + 7) + 1); // an IPv4 peer on a socket for both
        }
    }
}

static void notify(void *cls, struct MHD_Connection *connection, void **context,
                   enum MHD_ConnectionNotificationCode what) {
    struct mlt_proxy_link *link = *context;
    (void)cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *address =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        link = calloc(1, sizeof *link);
        if (link) {
            link->multi = curl_multi_init();
            link->fd = fd ? fd->connect_fd : -1;
            name_peer(link->address, address ? address->client_addr : NULL);
        }
        *context = link;
    } else if (link) {
        (void)curl_multi_cleanup(link->multi);
        mlt_client_close(link->reader);
        free(link);
        *context = NULL;
    }
}

// -- a request --------------------------------------------------------------------------------------------------------

static void *take_target(void *cls, const char *uri, struct MHD_Connection *connection) {
    struct mlt_proxy *p = cls;
    struct mlt_proxy_request *r = calloc(1, sizeof *r);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!r) {
        return NULL;
    }
    const char *mark = strchr(uri, '?');
    atomic_fetch_add(&p->running, 1);
    atomic_fetch_add(&p->requests, 1);
    r->proxy = p;
    r->link = info ? info->socket_context : NULL;
    r->connection = connection;
    r->started = wall_clock();
    r->path = mlt_arena_cstr(&r->arena, mlt_bytes_of(uri, mark ? (size_t)(mark - uri) : strlen(uri)));
    r->query = mark ? mlt_arena_copy(&r->arena, mlt_str(mark + 1)) : (struct mlt_bytes){0};
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)MLT_PROXY_STALLED_MAX_S);
    return r;
}

static void leave_change(struct mlt_proxy_request *r) {
    if (r->changing) {
        r->changing = false;
        pthread_mutex_unlock(&r->proxy->change);
    }
}

static void completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                      enum MHD_RequestTerminationCode how) {
    struct mlt_proxy *p = cls;
    struct mlt_proxy_request *r = *con_cls;
    *con_cls = NULL;
    if (!r) {
        return;
    }
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK && !r->error) {
        r->error = "the client went away";
    }
    mlt_proxy_detach(r);
    leave_change(r);
    r->ended = wall_clock();
    mlt_proxy_record_end(r);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)MLT_PROXY_IDLE_MAX_S);
    mlt_buf_clear(&r->body);
    mlt_json_clear(&r->request);
    mlt_buf_clear(&r->down);
    mlt_buf_clear(&r->answer);
    mlt_buf_clear(&r->before);
    mlt_buf_clear(&r->after);
    mlt_registry_answer_clear(&r->run);
    free(r->user);
    mlt_arena_clear(&r->arena);
    free(r);
    atomic_fetch_sub(&p->running, 1);
}

static const char *header(const struct mlt_proxy_request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

// The name in front of the colon; the password is wiped and goes nowhere but on.
static char *basic_user(const char *authorization) {
    uint8_t decoded[1024];
    size_t len = 0;
    char *user = NULL;
    if (!authorization || strncasecmp(authorization, "Basic ", 6) != 0 ||
        !mlt_base64_decode(decoded, sizeof decoded, &len, mlt_str(authorization + 6))) {
        return NULL;
    }
    const uint8_t *colon = len > 0 ? memchr(decoded, ':', len) : NULL;
    size_t name_len = colon ? (size_t)(colon - decoded) : 0;
    if (name_len > 0 && name_len < USER_MAX && mlt_utf8_valid(mlt_bytes_of(decoded, name_len)) &&
        (user = calloc(1, name_len + 1))) {
        memcpy(user, decoded, name_len);
    }
    mlt_wipe(decoded, sizeof decoded);
    return user;
}

static void find_user(struct mlt_proxy_request *r) {
    const char *trusted = r->proxy->opt.user_header ? header(r, r->proxy->opt.user_header) : NULL;
    if (trusted && trusted[0] && strlen(trusted) < USER_MAX && mlt_utf8_valid(mlt_str(trusted))) {
        r->user = strdup(trusted);
        r->user_trusted = r->user != NULL;
    } else {
        r->user = basic_user(header(r, "Authorization"));
    }
    // Whoever is trusted with the user's name is also asked where the request came from: the nearest hop it saw.
    const char *forwarded = r->user_trusted ? header(r, "X-Forwarded-For") : NULL;
    const char *comma = forwarded ? strrchr(forwarded, ',') : NULL;
    const char *last = comma ? comma + 1 + strspn(comma + 1, " ") : forwarded;
    bool named = last && last[0] && strlen(last) < sizeof r->address;
    (void)snprintf(r->address, sizeof r->address, "%s", named ? last : r->link->address);
}

static void choose_body_mode(struct mlt_proxy_request *r) {
    const char *length = header(r, "Content-Length"), *coding = header(r, "Transfer-Encoding");
    r->has_length = length && !coding && mlt_decimal_decode(&r->length, mlt_str(length));
    bool has_body = coding || (r->has_length && r->length > 0);
    bool looked_into = (r->match.route->flags & (MLT_MLFLOW_BODY | MLT_MLFLOW_NAMES)) != 0;
    r->body_mode = !has_body                                                            ? MLT_PROXY_NO_BODY
                   : looked_into && (!r->has_length || r->length <= MLT_PROXY_JSON_MAX) ? MLT_PROXY_WHOLE
                                                                                        : MLT_PROXY_STREAM;
    // A method that has a body by its nature has one of no bytes.
    if (!has_body &&
        (strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 || strcmp(r->method, "PATCH") == 0)) {
        r->body_mode = MLT_PROXY_WHOLE;
    }
}

static bool set_up(struct mlt_proxy_request *r, const char *method) {
    struct mlt_bytes path = mlt_mlflow_decode(mlt_str(r->path), false, &r->arena);
    r->method = mlt_arena_cstr(&r->arena, mlt_str(method));
    r->set_up = r->method && path.ptr;
    if (!r->set_up) {
        return false;
    }
    r->match = mlt_mlflow_route_find(mlt_str(r->method), path);
    (void)snprintf(r->id, sizeof r->id, "%s-%" PRIuFAST64, r->proxy->instance, atomic_fetch_add(&r->proxy->next_id, 1));
    find_user(r);
    choose_body_mode(r);
    return true;
}

// -- answers ----------------------------------------------------------------------------------------------------------

// An answer of the proxy's own, in the form that clients of MLflow show to their users.
static enum MHD_Result answer_own(struct mlt_proxy_request *r, unsigned status, const char *code, const char *fmt,
                                  const char *detail) {
    struct mlt_buf body = {0};
    struct mlt_json_writer w;
    char *message = mlt_arena_printf(&r->arena, "mltrail proxy: %s%s", fmt, detail);
    mlt_jw_init(&w, &body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "error_code", code);
    mlt_jw_member(&w, "message", message);
    mlt_jw_end_object(&w);
    struct MHD_Response *res =
        body.failed ? NULL : MHD_create_response_from_buffer(body.len, body.data, MHD_RESPMEM_MUST_COPY);
    mlt_buf_clear(&body);
    if (!res) {
        return MHD_NO;
    }
    r->responded = true;
    r->status = r->status > 0 ? r->status : (long)status;
    (void)MHD_add_response_header(res, "Content-Type", "application/json");
    if (status == 503) {
        (void)MHD_add_response_header(res, "Retry-After", "5");
    }
    enum MHD_Result ok = MHD_queue_response(r->connection, status, res);
    MHD_destroy_response(res);
    return ok;
}

static ssize_t read_answer(void *cls, uint64_t pos, char *buf, size_t max) {
    (void)pos;
    ssize_t got = mlt_proxy_pull(cls, buf, max);
    return got > 0    ? got
           : got == 0 ? (ssize_t)MHD_CONTENT_READER_END_OF_STREAM
                      : (ssize_t)MHD_CONTENT_READER_END_WITH_ERROR;
}

static const char *answer_header(const struct mlt_proxy_request *r, const char *name) {
    for (const struct mlt_proxy_header *h = r->answer_headers; h; h = h->next) {
        if (strcasecmp((const char *)h->name.ptr, name) == 0) {
            return (const char *)h->value.ptr;
        }
    }
    return NULL;
}

static void pass_headers(const struct mlt_proxy_request *r, struct MHD_Response *res) {
    const char *connection = answer_header(r, "Connection");
    for (const struct mlt_proxy_header *h = r->answer_headers; h; h = h->next) {
        const char *name = (const char *)h->name.ptr;
        if (!mlt_proxy_hop_by_hop(name, connection) && strcasecmp(name, "Content-Length") != 0) {
            (void)MHD_add_response_header(res, name, (const char *)h->value.ptr);
        }
    }
}

static enum MHD_Result answer(struct mlt_proxy_request *r) {
    if (!r->answer_begun) {
        bool late = r->result == CURLE_OPERATION_TIMEDOUT;
        return answer_own(r, late ? 504 : 502, "TEMPORARILY_UNAVAILABLE",
                          "the MLflow server does not answer: ", r->error ? r->error : "no reason is known");
    }
    bool empty = r->status == 204 || r->status == 304;
    uint64_t size = r->has_answer_length ? r->answer_length : MHD_SIZE_UNKNOWN;
    struct MHD_Response *res = empty ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
                                     : MHD_create_response_from_callback(size, PIECE_BYTES, read_answer, r, NULL);
    if (!res) {
        return MHD_NO;
    }
    pass_headers(r, res);
    r->responded = true;
    enum MHD_Result ok = MHD_queue_response(r->connection, (unsigned)r->status, res);
    MHD_destroy_response(res);
    return ok;
}

// -- from the first byte to the answer --------------------------------------------------------------------------------

static void scan_request(struct mlt_proxy_request *r) {
    bool found = r->body_mode == MLT_PROXY_WHOLE && r->body.len > 0 &&
                 mlt_json_scan(&r->request, mlt_buf_bytes(&r->body), NULL) == MLT_OK &&
                 mlt_json_is(&r->request, 0, MLT_JSON_OBJECT);
    if (!found) {
        r->request.num_tokens = 0;
    }
}

// What changes the registry has to be understood first: a body that this proxy reads in another way than the server
// would make a change that nobody can see.
static const char *not_understood(const struct mlt_proxy_request *r) {
    if (!(r->match.route->flags & MLT_MLFLOW_BEFORE)) {
        return NULL;
    }
    if (r->body_mode == MLT_PROXY_STREAM) {
        return "a request that changes the registry has at most a megabyte";
    }
    return r->body.len > 0 && r->request.num_tokens == 0 ? "the request is no JSON object whose members each come once"
                                                         : NULL;
}

// begin records that a request has come and lets it go on. False: answered, or no memory (`*ok`).
static bool begin(struct mlt_proxy_request *r, enum MHD_Result *ok) {
    struct mlt_error err = {0};
    scan_request(r);
    const char *wrong = not_understood(r);
    if (wrong) {
        r->recorded = true;
        *ok = answer_own(r, 400, "INVALID_PARAMETER_VALUE", wrong, "");
        return false;
    }
    if (r->match.route->flags & MLT_MLFLOW_BEFORE) {
        pthread_mutex_lock(&r->proxy->change);
        r->changing = true;
        mlt_proxy_read_before(r);
    }
    if (!mlt_proxy_record_begin(r, &err)) {
        atomic_fetch_add(&r->proxy->refused, 1);
        leave_change(r);
        *ok = answer_own(r, 503, "TEMPORARILY_UNAVAILABLE", "nothing is passed on that cannot be recorded: ", err.text);
        return false;
    }
    if (!mlt_proxy_forward(r)) {
        *ok = MHD_NO;
        return false;
    }
    return true;
}

// Whether the answer is kept until it is whole, so that what it leads to can be read before anybody acts on it.
static bool held(const struct mlt_proxy_request *r) {
    return (r->match.route->flags & (MLT_MLFLOW_BEFORE | MLT_MLFLOW_RUN)) != 0;
}

static enum MHD_Result finish(struct mlt_proxy_request *r) {
    r->hold = held(r);
    mlt_proxy_push_end(r);
    mlt_proxy_await(r);
    if (r->answer_begun && held(r)) {
        mlt_proxy_read_after(r);
    }
    leave_change(r);
    return answer(r);
}

static enum MHD_Result receive(struct mlt_proxy_request *r, const char *data, size_t len) {
    enum MHD_Result ok = MHD_YES;
    if (r->body_mode == MLT_PROXY_WHOLE && len > MLT_PROXY_JSON_MAX - r->body.len) {
        r->body_mode = MLT_PROXY_STREAM; // longer than it may be to be looked into, and nobody said how long
        if (!begin(r, &ok)) {
            return ok;
        }
    }
    if (r->body_mode == MLT_PROXY_WHOLE) {
        mlt_buf_put(&r->body, data, len);
        return r->body.failed ? MHD_NO : MHD_YES;
    }
    mlt_proxy_push(r, data, len);
    return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_len, void **con_cls) {
    (void)cls, (void)url, (void)version, (void)connection;
    struct mlt_proxy_request *r = *con_cls;
    enum MHD_Result ok = MHD_YES;
    if (!r || !r->link || !r->link->multi || !r->path) {
        return MHD_NO; // no memory for it
    }
    if (!r->set_up) {
        if (!set_up(r, method)) {
            return MHD_NO;
        }
        return r->body_mode == MLT_PROXY_STREAM && !begin(r, &ok) ? ok : MHD_YES;
    }
    if (*data_len > 0) {
        if (!r->responded) {
            ok = receive(r, data, *data_len);
        }
        *data_len = 0;
        return ok;
    }
    if (r->responded) {
        return MHD_YES;
    }
    return r->body_mode == MLT_PROXY_STREAM || begin(r, &ok) ? finish(r) : ok;
}

// -- start and stop ---------------------------------------------------------------------------------------------------

static struct MHD_Daemon *start_daemon(struct mlt_proxy *p) {
    return MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL,
        handle, p, MHD_OPTION_LISTEN_SOCKET, p->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MLT_PROXY_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MLT_PROXY_IDLE_MAX_S, MHD_OPTION_URI_LOG_CALLBACK,
        take_target, p, MHD_OPTION_NOTIFY_COMPLETED, completed, p, MHD_OPTION_NOTIFY_CONNECTION, notify, NULL,
        MHD_OPTION_END);
}

static enum mlt_status start(struct mlt_proxy *p, struct mlt_error *err) {
    uint8_t random[8];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return mlt_fail(err, MLT_INTERNAL, "no randomness");
    }
    mlt_hex_encode(p->instance, mlt_bytes_of(random, sizeof random));
    enum mlt_status status = mlt_listen_tcp(&p->fd, &p->port, p->opt.listen, p->opt.allow_remote, err);
    if (status != MLT_OK) {
        return status;
    }
    p->daemon = start_daemon(p);
    return p->daemon ? MLT_OK : mlt_fail(err, MLT_INTERNAL, "the HTTP server does not start on %s", p->opt.listen);
}

enum mlt_status mlt_proxy_start(struct mlt_proxy **out, const struct mlt_proxy_options *opt, struct mlt_error *err) {
    struct mlt_proxy *p = calloc(1, sizeof *p);
    struct mlt_client *once = NULL;
    *out = NULL;
    if (!p || pthread_mutex_init(&p->change, NULL) != 0) {
        free(p);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    p->opt = *opt;
    p->fd = -1;
    (void)signal(SIGPIPE, SIG_IGN);
    // The first client makes libcurl ready, before threads could be first together.
    enum mlt_status status = mlt_client_open(&once, &(struct mlt_client_options){.base = opt->upstream}, err);
    mlt_client_close(once);
    status = status == MLT_OK ? start(p, err) : status;
    if (status != MLT_OK) {
        mlt_proxy_stop(p, NULL);
        return status;
    }
    *out = p;
    return MLT_OK;
}

unsigned mlt_proxy_port(const struct mlt_proxy *p) {
    return p->port;
}

static void wait_for(atomic_size_t *count, int64_t seconds) {
    int64_t until = mlt_wait_now() + seconds * MLT_NS_PER_S;
    while (atomic_load(count) > 0 && mlt_wait_now() < until) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000L}, NULL);
    }
}

void mlt_proxy_stop(struct mlt_proxy *p, struct mlt_proxy_counts *counts) {
    if (!p) {
        return;
    }
    if (p->daemon && MHD_quiesce_daemon(p->daemon) != MHD_INVALID_SOCKET) {
        close(p->fd);
        p->fd = -1;
    }
    wait_for(&p->running, p->daemon ? STOP_WAIT_S : 0);
    if (p->daemon) {
        MHD_stop_daemon(p->daemon);
    }
    wait_for(&p->digests, INT32_MAX); // they use the proxy; each is bounded by the time-outs of its requests
    if (p->fd >= 0) {
        close(p->fd);
    }
    if (counts) {
        *counts = (struct mlt_proxy_counts){.requests = atomic_load(&p->requests),
                                            .exchanges = atomic_load(&p->exchanges),
                                            .refused = atomic_load(&p->refused),
                                            .own_reads = atomic_load(&p->own_reads)};
    }
    pthread_mutex_destroy(&p->change);
    free(p);
}
