// Connections, and the watcher that ends those which take too long: libmicrohttpd's own timeout starts anew with every
// byte, so a client that sends one now and then would hold a connection for ever.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/wait.h"
#include "base_posix/peer_posix.h"
#include "server/server_state.h"

#define WATCH_EVERY_MS 500

void mlt_peer_enter(struct mlt_peer *peer, enum mlt_phase phase) {
    int64_t now = mlt_wait_now();
    if (phase == MLT_PHASE_HEADERS) {
        atomic_store(&peer->request, now);
        atomic_store(&peer->body, 0);
    }
    atomic_store(&peer->since, now);
    atomic_store(&peer->phase, (int)phase);
}

static void describe(struct mlt_peer *peer, const struct sockaddr *sa) {
    if (!sa) {
        return;
    }
    if (sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, peer->address,
                  sizeof peer->address);
    } else if (sa->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, peer->address,
                  sizeof peer->address);
    } else if (sa->sa_family == AF_UNIX) {
        uid_t uid;
        peer->local = true;
        peer->allowed = mlt_peer_uid(peer->fd, &uid) && (uid == 0 || uid == getuid());
        peer->uid = peer->allowed ? (unsigned)uid : 0;
    }
}

static void started(struct mlt_server *s, struct MHD_Connection *connection, void **context) {
    struct mlt_peer *peer = calloc(1, sizeof *peer);
    *context = peer;
    if (!peer) {
        return;
    }
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *sa = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    peer->fd = fd ? fd->connect_fd : -1;
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    // A client of a Unix socket has no address; our end has.
    if (getsockname(peer->fd, (struct sockaddr *)&own, &len) == 0 && own.ss_family == AF_UNIX) {
        describe(peer, (const struct sockaddr *)&own);
    } else {
        describe(peer, sa ? sa->client_addr : NULL);
    }
    mlt_peer_enter(peer, MLT_PHASE_IDLE);
    pthread_mutex_lock(&s->peers_lock);
    peer->next = s->peers;
    if (s->peers) {
        s->peers->prev = peer;
    }
    s->peers = peer;
    pthread_mutex_unlock(&s->peers_lock);
}

void mlt_peer_notify(void *cls, struct MHD_Connection *connection, void **context,
                     enum MHD_ConnectionNotificationCode what) {
    struct mlt_server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        started(s, connection, context);
        return;
    }
    struct mlt_peer *peer = *context;
    if (!peer) {
        return;
    }
    pthread_mutex_lock(&s->peers_lock);
    if (peer->prev) {
        peer->prev->next = peer->next;
    } else {
        s->peers = peer->next;
    }
    if (peer->next) {
        peer->next->prev = peer->prev;
    }
    pthread_mutex_unlock(&s->peers_lock);
    free(peer);
    *context = NULL;
}

static bool overdue(struct mlt_peer *peer, int64_t now) {
    int64_t spent = (now - atomic_load(&peer->since)) / MLT_NS_PER_S;
    switch ((enum mlt_phase)atomic_load(&peer->phase)) {
    case MLT_PHASE_IDLE:
        return spent > MLT_IDLE_MAX_S;
    case MLT_PHASE_HEADERS:
        return spent > MLT_HEADER_MAX_S;
    case MLT_PHASE_BODY:
        return spent > MLT_BODY_GRACE_S + (int64_t)(atomic_load(&peer->body) / MLT_BODY_MIN_RATE);
    case MLT_PHASE_WORK:
        return false; // ours to finish
    case MLT_PHASE_ANSWER:
        break;
    }
    return (now - atomic_load(&peer->request)) / MLT_NS_PER_S > MLT_REQUEST_MAX_S;
}

void *mlt_peer_watch(void *server) {
    struct mlt_server *s = server;
    while (!atomic_load(&s->stopping)) {
        struct timespec pause = {.tv_nsec = WATCH_EVERY_MS * 1000000L};
        nanosleep(&pause, NULL);
        int64_t now = mlt_wait_now();
        pthread_mutex_lock(&s->peers_lock);
        for (struct mlt_peer *p = s->peers; p; p = p->next) {
            if (overdue(p, now)) {
                // The descriptor is open as long as the peer is listed; its thread sees the end and closes it.
                shutdown(p->fd, SHUT_RDWR);
            }
        }
        pthread_mutex_unlock(&s->peers_lock);
    }
    return NULL;
}
