// A small HTTP service: a few routes, short requests, nobody to authenticate. Everything about a client is bounded:
// connections, headers, body, and the time that a request may take from its first byte to its last.
//
// The API server (server/server.h) is another thing: it suspends connections, knows principals and streams.
#ifndef MLT_HTTP_SERVICE_H
#define MLT_HTTP_SERVICE_H

#include "base/bytes.h"

#define MLT_SERVICE_CONNECTIONS_MAX 256 // a log keeps one or two; descriptors and buffers are finite
#define MLT_SERVICE_THREADS 4           // a handler waits for the disk; more would wait for each other
#define MLT_SERVICE_REQUEST_MAX_S 30 // from the first byte of a request to its last: the slowest link we mean to serve
#define MLT_SERVICE_IDLE_MAX_S 120   // between two requests of a connection that is kept

struct mlt_service_request {
    const char *method;
    const char *path;  // as sent, percent-encoded, without the query
    const char *query; // behind the '?'; "" when there is none
    struct mlt_bytes body;
    int fd; // of the connection, to ask the system who is at its other end; -1: unknown
    // header gives a header by its name, in any case; NULL: not sent. each_header gives all of them.
    const char *(*header)(void *arg, const char *name);
    void (*each_header)(void *arg, void (*each)(void *each_arg, const char *name, const char *value), void *each_arg);
    void *header_arg;
};

struct mlt_service_answer {
    int status;
    const char *content_type;  // static
    const char *cache_control; // static; NULL: no-store
    const char *allow;         // static; of a 405
    const char *retry_after;   // static; of a 503
    struct mlt_buf body;
};

struct mlt_service_options {
    const char *listen; // "host:port", as mlt_listen_tcp takes it
    const char *socket; // instead of it: the path of a Unix socket, which has this mode and is removed at the end
    unsigned socket_mode;
    bool allow_remote;
    size_t body_max;        // longer bodies are answered 413
    unsigned request_max_s; // 0: MLT_SERVICE_REQUEST_MAX_S
    // handle fills `out`, which is {0}. Called from several threads at once; may block for the disk.
    void (*handle)(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out);
    void *arg;
};

struct mlt_service;
// MLT_INVALID, MLT_BUSY: as mlt_listen_tcp and mlt_listen_socket.
enum mlt_status mlt_service_start(struct mlt_service **out, const struct mlt_service_options *opt,
                                  struct mlt_error *err) MLT_MUST_USE;
unsigned mlt_service_port(const struct mlt_service *s);
// mlt_service_stop accepts nothing new, lets requests that run finish (MLT_SERVICE_REQUEST_MAX_S bounds them), closes.
// NULL accepted.
void mlt_service_stop(struct mlt_service *s);

#endif
