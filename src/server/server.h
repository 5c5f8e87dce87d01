// The HTTP server over the API: sockets, TLS, connections, bounds. Listens on TCP and on <trail>/sock.
#ifndef MLT_SERVER_SERVER_H
#define MLT_SERVER_SERVER_H

#include "server/api.h"

struct mlt_server;
struct mlt_server_options {
    const char
        *listen; // "127.0.0.1:8470", "[::1]:0", ":8470" (all addresses: needs TLS or --insecure); NULL: socket only
    const char *tls_cert, *tls_key, *tls_client_ca; // PEM files; NULL: none
    bool insecure;                                  // allow plain HTTP on an address that is not loopback
    unsigned threads;                               // 0: as many as there are processors
    void (*log)(void *arg, const char *line);       // one line per event; NULL: stderr
    void *log_arg;
};
enum mlt_status mlt_server_start(struct mlt_server **out, struct mlt_api *api, const struct mlt_server_options *opt,
                                 struct mlt_error *err) MLT_MUST_USE;
unsigned mlt_server_port(const struct mlt_server *s); // 0: no TCP
// mlt_server_stop accepts nothing new, finishes what runs (at most MLT_STOP_GRACE_S), closes.
void mlt_server_stop(struct mlt_server *s);

#endif
