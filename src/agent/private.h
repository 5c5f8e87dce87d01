// What the files of the agent share.
#ifndef MLT_AGENT_PRIVATE_H
#define MLT_AGENT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/agent.h"
#include "forward/prepare.h"

#define MLT_AGENT_KEY_LEN 160 // of a stream: what a service calls itself, or who it is

// A stream of one service, under the agent's lock.
struct mlt_agent_stream {
    struct mlt_agent_stream *next;
    char key[MLT_AGENT_KEY_LEN];
    char node[MLT_SPOOL_NODE_LEN];
    unsigned users;
    int64_t used_at;
    struct mlt_spool_writer *writer;
};

struct mlt_agent_spare {
    struct mlt_agent_spare *next;
    struct mlt_preparer preparer;
};

struct mlt_agent {
    struct mlt_env *env;
    struct mlt_agent_options opt;
    struct mlt_courier *courier;
    struct mlt_file *lock_file;
    atomic_ullong spooled, refused, dropped;

    pthread_mutex_t lock; // guards all that follows
    struct mlt_agent_stream *streams;
    size_t num_streams;
    struct mlt_agent_spare *spares;
};

// agent_stream.c. mlt_agent_take finds or makes the stream of a key and a node, and holds it until it is given back.
enum mlt_status mlt_agent_take(struct mlt_agent *a, struct mlt_agent_stream **out, const char *key, const char *node,
                               struct mlt_error *err) MLT_MUST_USE;
void mlt_agent_give(struct mlt_agent *a, struct mlt_agent_stream *s);
void mlt_agent_end_streams(struct mlt_agent *a);
// mlt_agent_key says of whom a request is: what its X-Mltrail-Stream says, else the process at the other end of a
// socket, else the network.
void mlt_agent_key(char out[static MLT_AGENT_KEY_LEN], const struct mlt_service_request *req);

// agent_records.c, agent_request.c, agent_status.c: the routes.
void mlt_agent_records(struct mlt_agent *a, const struct mlt_service_request *req, struct mlt_service_answer *out);
void mlt_agent_request(struct mlt_agent *a, const struct mlt_service_request *req, struct mlt_service_answer *out);
void mlt_agent_healthz(struct mlt_agent *a, struct mlt_service_answer *out);
void mlt_agent_metrics(struct mlt_agent *a, struct mlt_service_answer *out);

// agent.c
void mlt_agent_problem(struct mlt_service_answer *out, int status, const char *code, const char *pointer,
                       const char *fmt, ...) MLT_PRINTF(5, 6);
void mlt_agent_fail(struct mlt_service_answer *out, enum mlt_status status, const struct mlt_error *err);
bool mlt_agent_media_is(const char *content_type, const char *media);
bool mlt_agent_wants(const struct mlt_service_request *req, const char *parameter); // "durable=1"
// mlt_agent_put puts frames, all or none, and counts them.
enum mlt_status mlt_agent_put(struct mlt_agent *a, struct mlt_agent_stream *s, const struct mlt_spool_item *items,
                              size_t num, struct mlt_spool_put *put, struct mlt_error *err) MLT_MUST_USE;
// mlt_agent_room waits as the options say for room for `num` frames with `len` bytes of bodies. Others may take it.
enum mlt_status mlt_agent_room(struct mlt_agent *a, struct mlt_agent_stream *s, uint64_t len, uint64_t num,
                               struct mlt_error *err) MLT_MUST_USE;

#endif
