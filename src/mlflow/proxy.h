// A reverse proxy in front of an MLflow server that cannot be changed: passes everything on, streams what is long, and
// makes an exchange of every request (docs/integrations/mlflow-exchange.md).
//
// Fail-closed, the record that a request has come is durable in the trail before the request goes on; without it the
// client gets 503. Fail-open, the exchange is put on its way when it is over, by way of a spool (outbox.h).
#ifndef MLT_MLFLOW_PROXY_H
#define MLT_MLFLOW_PROXY_H

#include "net/client.h"

#define MLT_PROXY_CONNECTIONS_MAX 512            // a thread each
#define MLT_PROXY_JSON_MAX ((size_t)1024 * 1024) // of a request or answer that is looked into; longer ones pass by
#define MLT_PROXY_IDLE_MAX_S 120                 // between two requests of a connection
#define MLT_PROXY_STALLED_MAX_S 900              // without a byte within a request

struct mlt_proxy_options {
    const char *listen;
    bool allow_remote;
    const char *upstream;    // "http(s)://host:port/prefix", no slash at the end
    const char *cacert;      // of the upstream; NULL: those of the system
    const char *name;        // of the MLflow server, in exchanges
    const char *user_header; // names the authenticated user, from something in front that is trusted; NULL: none
    bool fail_closed;
    bool record_all;     // also the files of the page, health and version
    uint64_t digest_max; // bytes of a model; 0: no digests
    // begin makes a line durable before the request goes on. end takes one over; false: lost. ready: may more begin?
    enum mlt_status (*begin)(void *arg, struct mlt_bytes line, struct mlt_error *err);
    bool (*end)(void *arg, struct mlt_bytes line);
    bool (*ready)(void *arg);
    void *arg;
};

struct mlt_proxy_counts {
    uint64_t requests;  // from clients
    uint64_t exchanges; // of them recorded
    uint64_t refused;   // not passed on: the trail took no record
    uint64_t own_reads; // requests of the proxy itself to the server
};

struct mlt_proxy;
enum mlt_status mlt_proxy_start(struct mlt_proxy **out, const struct mlt_proxy_options *opt,
                                struct mlt_error *err) MLT_MUST_USE;
unsigned mlt_proxy_port(const struct mlt_proxy *p);
void mlt_proxy_stop(struct mlt_proxy *p, struct mlt_proxy_counts *counts); // NULL accepted; counts may be NULL

#endif
