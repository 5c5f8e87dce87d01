// What the files of the HTTP server share: connections, exchanges, workers.
#ifndef MLT_SERVER_SERVER_STATE_H
#define MLT_SERVER_SERVER_STATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/gunzip.h"
#include "server/problem.h"
#include "server/server.h"
#include "server/tls.h"

// Bounds. Each keeps one kind of caller from taking what belongs to all.
#define MLT_CONNECTIONS_MAX 1024                   // descriptors and buffers; serving nodes keep one or two each
#define MLT_CONNECTION_MEMORY ((size_t)64 * 1024)  // headers and read buffer of one connection
#define MLT_BODIES_MAX ((size_t)256 * 1024 * 1024) // of all requests being received: half of the memory we mean to use
#define MLT_IDLE_MAX_S 120                         // between two requests; clients reconnect
#define MLT_HEADER_MAX_S 30                        // from the request line to the last header
#define MLT_BODY_GRACE_S 30                        // then a body must keep MLT_BODY_MIN_RATE
#define MLT_BODY_MIN_RATE ((size_t)16 * 1024)      // bytes a second: the slowest link that a serving node has
#define MLT_REQUEST_MAX_S 600                      // absolute, answer included
#define MLT_WORKERS 16                             // they wait for the log most of their time
#define MLT_WORK_QUEUE_MAX 512                     // requests that wait for a worker; further ones are told to retry
#define MLT_STOP_GRACE_S 10                        // for answers on their way when the server stops
#define MLT_BODY_POOL_MAX 64                       // spare body buffers …
#define MLT_BODY_POOL_BYTES_MAX ((size_t)4 * 1024 * 1024) // … of at most this size each

enum mlt_phase { MLT_PHASE_IDLE, MLT_PHASE_HEADERS, MLT_PHASE_BODY, MLT_PHASE_WORK, MLT_PHASE_ANSWER };

// A connection. The list is under server->peers_lock; the rest belongs to its thread, but for what the watcher reads.
struct mlt_peer {
    int fd;
    bool local;
    bool allowed; // local: root or our own user
    unsigned uid;
    char address[64];
    char subject[256]; // of a verified client certificate; "" until asked, or none
    bool subject_asked;
    atomic_int phase;
    atomic_llong since;   // monotonic ns of the phase's begin
    atomic_llong request; // and of the request's
    atomic_size_t body;
    struct mlt_peer *prev, *next;
};

// One request and its answer.
struct mlt_exchange {
    struct mlt_server *server;
    struct MHD_Connection *connection;
    struct mlt_peer *peer;
    char *target; // as sent; path and query point into it
    const char *path, *query;
    char method[16];
    const struct mlt_route *route; // NULL: there is none
    char content_type[128];
    char purpose[256];
    bool has_principal;
    struct mlt_principal principal;
    struct mlt_buf body;
    struct mlt_gunzip *gunzip; // of a compressed body; NULL: it comes as it is
    size_t charged;            // of the bytes of all bodies
    bool begun;                // headers are read
    // `res` is the answer. Whoever made it hands the exchange over by this: libmicrohttpd resumes the connection under
    // locks of its own, which nobody promises and the thread sanitizer does not see.
    atomic_bool answered;
    bool close; // and then the connection ends
    struct mlt_response res;
    struct mlt_exchange *next; // in the queue of the workers
};

struct mlt_work {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct mlt_exchange *first, *last;
    size_t num;
    bool stop;
    pthread_t threads[MLT_WORKERS];
    size_t num_threads;
};

struct mlt_server {
    struct mlt_api *api;
    struct mlt_server_options opt;
    struct MHD_Daemon *tcp, *local;
    int tcp_fd, local_fd;
    unsigned port;
    struct mlt_tls tls;
    struct mlt_work work;
    atomic_bool stopping;
    atomic_size_t in_flight; // exchanges that workers or the committer will finish
    atomic_size_t exchanges; // begun and not completed
    atomic_size_t bodies;    // bytes
    pthread_mutex_t peers_lock;
    struct mlt_peer *peers;
    pthread_t watcher;
    bool watching;
    pthread_mutex_t pool_lock;
    struct mlt_buf pool[MLT_BODY_POOL_MAX];
    size_t pool_num;
};

void mlt_server_log(struct mlt_server *s, const char *fmt, ...) MLT_PRINTF(2, 3);

// exchange.c: from the first header to the answer.
void *mlt_exchange_target(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result mlt_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                    const char *version, const char *data, size_t *data_len, void **con_cls);
void mlt_exchange_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                            enum MHD_RequestTerminationCode how);
// mlt_exchange_request is what the API is asked, until the exchange is finished.
struct mlt_request mlt_exchange_request(const struct mlt_exchange *ex);
// mlt_exchange_finish gives the answer back to the connection's thread.
void mlt_exchange_finish(struct mlt_exchange *ex);

// peer.c: connections and the time they may take.
void mlt_peer_notify(void *cls, struct MHD_Connection *connection, void **context,
                     enum MHD_ConnectionNotificationCode what);
void mlt_peer_enter(struct mlt_peer *peer, enum mlt_phase phase);
void *mlt_peer_watch(void *server); // the watcher's thread

// work.c
enum mlt_status mlt_work_start(struct mlt_server *s, struct mlt_error *err) MLT_MUST_USE;
void mlt_work_stop(struct mlt_server *s);
bool mlt_work_submit(struct mlt_server *s, struct mlt_exchange *ex); // false: the queue is full

#endif
