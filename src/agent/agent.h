// The agent of a serving node: takes records and messages from services on this machine over HTTP, has them on disk
// before it answers, and forwards them when the server is there.
//
//   POST /v1/records                               records, JSON or NDJSON; ?durable=1: synced before the answer
//   POST /v1/cloudevents, /api/v1/lineage, /api/v1/lineage/batch, /v1/traces, /v1/logs, /v1/mlflow/exchanges,
//        /v1/mlflow/webhook                        kept and forwarded as they came
//   GET  /healthz, /metrics
//
// Nobody is authenticated: who may connect is decided by the socket's mode, or by being on this machine.
#ifndef MLT_AGENT_AGENT_H
#define MLT_AGENT_AGENT_H

#include "forward/courier.h"
#include "http/service.h"

#define MLT_AGENT_BODY_MAX ((size_t)24 * 1024 * 1024) // a record of MLT_RECORD_MAX fits
#define MLT_AGENT_STREAMS_MAX 256                     // services of one machine; each has two open files
#define MLT_AGENT_LINES_MAX 10000                     // records of one request; more are better sent in parts

enum mlt_agent_full {
    MLT_AGENT_BLOCK, // wait a moment for space, then 503
    MLT_AGENT_ERROR, // 503
    MLT_AGENT_DROP,  // 202, and the numbers of its predictions are taken and counted as lost
};

struct mlt_agent_options {
    const char *spool_dir;
    const char *serving_node;
    uint64_t bytes_max; // of one stream; 0: MLT_SPOOL_BYTES_DEFAULT
    enum mlt_agent_full on_full;
    struct mlt_courier_options courier; // dirs: the spool's own first
};

struct mlt_agent;
// MLT_BUSY: another agent has the spool.
enum mlt_status mlt_agent_open(struct mlt_agent **out, struct mlt_env *env, const struct mlt_agent_options *opt,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_agent_handle is the service's handler; `arg` is the agent. Safe from several threads.
void mlt_agent_handle(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out);
// mlt_agent_close counts and closes the streams, and sends until all is sent or the time (mlt_wait_now) is up. How many
// frames stay in the spool: the result. Nothing may be handled any more. NULL accepted.
uint64_t mlt_agent_close(struct mlt_agent *a, int64_t until_ns);

#endif
