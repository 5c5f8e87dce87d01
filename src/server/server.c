// Starting and stopping: sockets, daemons, workers, watcher.
#include "server/server.h"
#include "base/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "http/listen.h"
#include "server/server_state.h"

// What libmicrohttpd's GnuTLS may negotiate: TLS 1.2 and 1.3 with authenticated ciphers.
#define TLS_PRIORITIES                                                                                                 \
    "SECURE128:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305"

void mlt_server_log(struct mlt_server *s, const char *fmt, ...) {
    char line[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (s->opt.log) {
        s->opt.log(s->opt.log_arg, line);
    } else {
        (void)fprintf(stderr, "mltrail: %s\n", line);
    }
}

static void daemon_log(void *arg, const char *fmt, va_list args) MLT_PRINTF(2, 0);
static void daemon_log(void *arg, const char *fmt, va_list args) {
    char line[512];
    (void)vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = '\0';
    mlt_server_log(arg, "http: %s", line);
}

static struct MHD_Daemon *start_daemon(struct mlt_server *s, int fd, unsigned threads, bool tls) {
    struct MHD_OptionItem options[8];
    size_t n = 0;
    if (tls) {
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls.cert.data};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls.key.data};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES};
        if (s->tls.client_ca.len > 0) {
            options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, s->tls.client_ca.data};
        }
    }
    if (threads > 1) {
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL};
    }
    options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(
        flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, mlt_exchange_handle, s, MHD_OPTION_EXTERNAL_LOGGER, daemon_log,
        s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MLT_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MLT_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)MLT_IDLE_MAX_S, MHD_OPTION_URI_LOG_CALLBACK, mlt_exchange_target, s, MHD_OPTION_NOTIFY_COMPLETED,
        mlt_exchange_completed, s, MHD_OPTION_NOTIFY_CONNECTION, mlt_peer_notify, s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static unsigned num_threads(const struct mlt_server *s) {
    long online = s->opt.threads ? (long)s->opt.threads : sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > 64 ? 64 : (unsigned)online;
}

static enum mlt_status start_listening(struct mlt_server *s, struct mlt_error *err) {
    struct mlt_trail *trail = mlt_api_trail(s->api);
    bool tls = s->tls.cert.len > 0;
    enum mlt_status status = MLT_OK;
    if (s->opt.listen) {
        status = mlt_listen_tcp(&s->tcp_fd, &s->port, s->opt.listen, tls || s->opt.insecure, err);
    }
    if (status == MLT_OK) {
        status = mlt_listen_local(&s->local_fd, mlt_trail_dir(trail), err);
    }
    if (status == MLT_OK && s->tcp_fd >= 0) {
        s->tcp = start_daemon(s, s->tcp_fd, num_threads(s), tls);
        status = s->tcp ? MLT_OK : mlt_fail(err, MLT_INTERNAL, "the HTTP server does not start on %s", s->opt.listen);
    }
    if (status == MLT_OK) {
        s->local = start_daemon(s, s->local_fd, 1, false);
        status = s->local ? MLT_OK : mlt_fail(err, MLT_INTERNAL, "the HTTP server does not start on the local socket");
    }
    return status;
}

static enum mlt_status start_threads(struct mlt_server *s, struct mlt_error *err) {
    enum mlt_status status = mlt_work_start(s, err);
    if (status != MLT_OK) {
        return status;
    }
    int rc = pthread_create(&s->watcher, NULL, mlt_peer_watch, s);
    if (rc != 0) {
        return mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    s->watching = true;
    return MLT_OK;
}

enum mlt_status mlt_server_start(struct mlt_server **out, struct mlt_api *api, const struct mlt_server_options *opt,
                                 struct mlt_error *err) {
    *out = NULL;
    struct mlt_server *s = calloc(1, sizeof *s);
    if (!s) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the server");
    }
    s->api = api;
    s->opt = *opt;
    s->tcp_fd = s->local_fd = -1;
    if (pthread_mutex_init(&s->peers_lock, NULL) != 0 || pthread_mutex_init(&s->pool_lock, NULL) != 0) {
        free(s);
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    (void)signal(SIGPIPE, SIG_IGN); // a client that went away is an error of one write
    enum mlt_status status =
        mlt_tls_load(&s->tls, mlt_trail_env(mlt_api_trail(api)), opt->tls_cert, opt->tls_key, opt->tls_client_ca, err);
    if (status == MLT_OK) {
        status = start_threads(s, err);
    }
    if (status == MLT_OK) {
        status = start_listening(s, err);
    }
    if (status != MLT_OK) {
        mlt_server_stop(s);
        return status;
    }
    *out = s;
    return MLT_OK;
}

unsigned mlt_server_port(const struct mlt_server *s) {
    return s->port;
}

static void wait_for(atomic_size_t *count, int64_t until) {
    while (atomic_load(count) > 0 && (until < 0 || mlt_wait_now() < until)) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
    }
}

// libmicrohttpd gives the listening socket back when it is told to accept nothing new; then it is ours to close.
static void quiesce(struct MHD_Daemon *daemon, int *fd) {
    if (daemon && MHD_quiesce_daemon(daemon) != MHD_INVALID_SOCKET) {
        close(*fd);
        *fd = -1;
    }
}

void mlt_server_stop(struct mlt_server *s) {
    if (!s) {
        return;
    }
    atomic_store(&s->stopping, true);
    quiesce(s->tcp, &s->tcp_fd);
    quiesce(s->local, &s->local_fd);
    mlt_api_end(s->api);
    wait_for(&s->exchanges, mlt_wait_now() + MLT_STOP_GRACE_S * MLT_NS_PER_S);
    wait_for(&s->in_flight, -1); // a suspended connection belongs to somebody; libmicrohttpd must not stop under it
    if (s->tcp) {
        MHD_stop_daemon(s->tcp);
    } else if (s->tcp_fd >= 0) {
        close(s->tcp_fd);
    }
    if (s->local) {
        MHD_stop_daemon(s->local);
    } else if (s->local_fd >= 0) {
        close(s->local_fd);
    }
    mlt_work_stop(s);
    if (s->watching) {
        pthread_join(s->watcher, NULL);
    }
    char path[MLT_PATH_MAX + 8];
    (void)snprintf(path, sizeof path, "%s/sock", mlt_trail_dir(mlt_api_trail(s->api)));
    unlink(path);
    mlt_tls_clear(&s->tls);
    while (s->pool_num > 0) {
        mlt_buf_clear(&s->pool[--s->pool_num]);
    }
    pthread_mutex_destroy(&s->peers_lock);
    pthread_mutex_destroy(&s->pool_lock);
    free(s);
}
