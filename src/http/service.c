#include "http/service.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/wait.h"
#include "http/listen.h"

#define CONNECTION_MEMORY ((size_t)32 * 1024) // headers and read buffer
#define WATCH_EVERY_MS 250

// A connection. The list is under service->lock; `begun` is written by the connection's thread, read by the watcher.
struct client {
    int fd;
    atomic_llong begun; // monotonic ns of the request under way; 0: between requests
    struct client *prev, *next;
};

struct exchange {
    struct mlt_service *service;
    struct client *client;
    bool started; // headers are read
    bool too_long;
    char *path, *query;
    struct mlt_buf body;
};

struct mlt_service {
    struct mlt_service_options opt;
    struct MHD_Daemon *daemon;
    int fd;
    unsigned port;
    atomic_bool stopping;
    atomic_size_t running; // exchanges
    pthread_mutex_t lock;
    struct client *clients;
    pthread_t watcher;
    bool watching;
};

static void pause_ms(long ms) {
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

// -- connections ------------------------------------------------------------------------------------------------------

static void connected(struct mlt_service *s, struct MHD_Connection *connection, void **context) {
    struct client *c = calloc(1, sizeof *c);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = c;
    if (!c) {
        return; // its first request is answered by closing
    }
    c->fd = info ? info->connect_fd : -1;
    pthread_mutex_lock(&s->lock);
    c->next = s->clients;
    if (s->clients) {
        s->clients->prev = c;
    }
    s->clients = c;
    pthread_mutex_unlock(&s->lock);
}

static void disconnected(struct mlt_service *s, void **context) {
    struct client *c = *context;
    *context = NULL;
    if (!c) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (c->prev) {
        c->prev->next = c->next;
    } else {
        s->clients = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    pthread_mutex_unlock(&s->lock);
    free(c);
}

static void notify(void *cls, struct MHD_Connection *connection, void **context,
                   enum MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connected(cls, connection, context);
    } else {
        disconnected(cls, context);
    }
}

// libmicrohttpd's own timeout starts anew with every byte: a client that sends one now and then would stay for ever.
static void *watch(void *arg) {
    struct mlt_service *s = arg;
    while (!atomic_load(&s->stopping)) {
        pause_ms(WATCH_EVERY_MS);
        int64_t oldest = mlt_wait_now() - (int64_t)s->opt.request_max_s * MLT_NS_PER_S;
        pthread_mutex_lock(&s->lock);
        for (struct client *c = s->clients; c; c = c->next) {
            int64_t begun = atomic_load(&c->begun);
            if (begun != 0 && begun < oldest) {
                shutdown(c->fd, SHUT_RDWR); // the descriptor is open as long as the client is listed
            }
        }
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

// -- requests ---------------------------------------------------------------------------------------------------------

static void *take_target(void *cls, const char *uri, struct MHD_Connection *connection) {
    struct mlt_service *s = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *ex = calloc(1, sizeof *ex);
    if (!ex) {
        return NULL;
    }
    atomic_fetch_add(&s->running, 1);
    ex->service = s;
    ex->client = info ? info->socket_context : NULL;
    ex->path = strdup(uri);
    if (ex->path) {
        ex->query = ex->path + strcspn(ex->path, "?");
        if (*ex->query) {
            *ex->query++ = '\0';
        }
    }
    if (ex->client) {
        atomic_store(&ex->client->begun, mlt_wait_now());
    }
    return ex;
}

static void completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                      enum MHD_RequestTerminationCode how) {
    (void)connection, (void)how;
    struct mlt_service *s = cls;
    struct exchange *ex = *con_cls;
    *con_cls = NULL;
    if (!ex) {
        return;
    }
    if (ex->client) {
        atomic_store(&ex->client->begun, 0);
    }
    mlt_buf_clear(&ex->body);
    free(ex->path);
    free(ex);
    atomic_fetch_sub(&s->running, 1);
}

static enum MHD_Result respond(struct exchange *ex, struct MHD_Connection *connection, struct mlt_service_answer *a) {
    bool owned = a->body.len > 0;
    struct MHD_Response *r = MHD_create_response_from_buffer(a->body.len, a->body.data,
                                                             owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!r || !owned) {
        mlt_buf_clear(&a->body);
    }
    if (!r) {
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", a->content_type ? a->content_type : "text/plain; charset=utf-8");
    MHD_add_response_header(r, "Cache-Control", a->cache_control ? a->cache_control : "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (a->retry_after) {
        MHD_add_response_header(r, "Retry-After", a->retry_after);
    }
    if (a->allow) {
        MHD_add_response_header(r, "Allow", a->allow);
    }
    if (ex->too_long || atomic_load(&ex->service->stopping)) {
        MHD_add_response_header(r, "Connection", "close");
    }
    enum MHD_Result ok = MHD_queue_response(connection, (unsigned)a->status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result refuse_length(struct exchange *ex, struct MHD_Connection *connection) {
    struct mlt_service_answer a = {.status = 413};
    ex->too_long = true;
    mlt_buf_printf(&a.body, "a body has at most %zu bytes here\n", ex->service->opt.body_max);
    return respond(ex, connection, &a);
}

static bool announces_too_much(const struct exchange *ex, struct MHD_Connection *connection) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    uint64_t len = 0;
    return length && (!mlt_decimal_decode(&len, mlt_str(length)) || len > ex->service->opt.body_max);
}

static void receive(struct exchange *ex, const char *data, size_t len) {
    if (len > ex->service->opt.body_max - ex->body.len) {
        ex->too_long = true; // read to its end all the same, so that the client comes to the answer
    }
    if (!ex->too_long) {
        mlt_buf_put(&ex->body, data, len);
    }
}

static const char *request_header(void *arg, const char *name) {
    return MHD_lookup_connection_value(arg, MHD_HEADER_KIND, name);
}

struct each_header {
    void (*each)(void *arg, const char *name, const char *value);
    void *arg;
};

static enum MHD_Result give_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
    const struct each_header *e = cls;
    (void)kind;
    e->each(e->arg, name, value ? value : "");
    return MHD_YES;
}

static void request_headers(void *arg, void (*each)(void *, const char *, const char *), void *each_arg) {
    struct each_header e = {each, each_arg};
    (void)MHD_get_connection_values(arg, MHD_HEADER_KIND, give_header, &e);
}

static enum MHD_Result answer(struct exchange *ex, struct MHD_Connection *connection, const char *method) {
    struct mlt_service *s = ex->service;
    struct mlt_service_answer a = {0};
    const struct mlt_service_request req = {.method = method,
                                            .path = ex->path,
                                            .query = ex->query,
                                            .body = mlt_buf_bytes(&ex->body),
                                            .fd = ex->client->fd,
                                            .header = request_header,
                                            .each_header = request_headers,
                                            .header_arg = connection};
    if (ex->body.failed) {
        return MHD_NO;
    }
    s->opt.handle(s->opt.arg, &req, &a);
    if (a.body.failed) {
        mlt_buf_clear(&a.body);
        return MHD_NO;
    }
    return respond(ex, connection, &a);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_len, void **con_cls) {
    (void)cls, (void)url, (void)version;
    struct exchange *ex = *con_cls;
    if (!ex || !ex->client || !ex->path) {
        return MHD_NO; // no memory for it
    }
    if (!ex->started) {
        ex->started = true;
        return announces_too_much(ex, connection) ? refuse_length(ex, connection) : MHD_YES;
    }
    if (*data_len > 0) {
        receive(ex, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    return ex->too_long ? refuse_length(ex, connection) : answer(ex, connection, method);
}

// -- start and stop ---------------------------------------------------------------------------------------------------

static struct MHD_Daemon *start_daemon(struct mlt_service *s) {
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, handle, s,
                            MHD_OPTION_LISTEN_SOCKET, s->fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)MLT_SERVICE_THREADS,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)MLT_SERVICE_CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MLT_SERVICE_IDLE_MAX_S,
                            MHD_OPTION_URI_LOG_CALLBACK, take_target, s, MHD_OPTION_NOTIFY_COMPLETED, completed, s,
                            MHD_OPTION_NOTIFY_CONNECTION, notify, s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static enum mlt_status start(struct mlt_service *s, struct mlt_error *err) {
    enum mlt_status status = s->opt.socket ? mlt_listen_socket(&s->fd, s->opt.socket, s->opt.socket_mode, err)
                                           : mlt_listen_tcp(&s->fd, &s->port, s->opt.listen, s->opt.allow_remote, err);
    if (status != MLT_OK) {
        return status;
    }
    int rc = pthread_create(&s->watcher, NULL, watch, s);
    if (rc != 0) {
        return mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    s->watching = true;
    s->daemon = start_daemon(s);
    return s->daemon ? MLT_OK
                     : mlt_fail(err, MLT_INTERNAL, "the HTTP server does not start on %s",
                                s->opt.socket ? s->opt.socket : s->opt.listen);
}

enum mlt_status mlt_service_start(struct mlt_service **out, const struct mlt_service_options *opt,
                                  struct mlt_error *err) {
    *out = NULL;
    struct mlt_service *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return mlt_fail(err, MLT_NOMEM, "no memory for the HTTP server");
    }
    s->opt = *opt;
    s->opt.request_max_s = opt->request_max_s ? opt->request_max_s : MLT_SERVICE_REQUEST_MAX_S;
    s->fd = -1;
    (void)signal(SIGPIPE, SIG_IGN); // a client that went away is an error of one write
    enum mlt_status status = start(s, err);
    if (status != MLT_OK) {
        mlt_service_stop(s);
        return status;
    }
    *out = s;
    return MLT_OK;
}

unsigned mlt_service_port(const struct mlt_service *s) {
    return s->port;
}

void mlt_service_stop(struct mlt_service *s) {
    if (!s) {
        return;
    }
    int64_t until = mlt_wait_now() + (int64_t)s->opt.request_max_s * MLT_NS_PER_S;
    if (s->daemon && MHD_quiesce_daemon(s->daemon) != MHD_INVALID_SOCKET) {
        close(s->fd);
        s->fd = -1;
    }
    while (s->daemon && atomic_load(&s->running) > 0 && mlt_wait_now() < until) {
        pause_ms(2);
    }
    atomic_store(&s->stopping, true);
    if (s->daemon) {
        MHD_stop_daemon(s->daemon);
    }
    if (s->fd >= 0 && !s->daemon) {
        close(s->fd);
    }
    if (s->opt.socket && s->daemon) {
        (void)unlink(s->opt.socket);
    }
    if (s->watching) {
        pthread_join(s->watcher, NULL);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}
