// A request on its way through the proxy; what its files share.
//
//   begin  --- request complete, or its headers when it is long --->  forward (proxy_upstream.c)
//   forward ---> answer's headers ---> respond: streamed, or whole when it is looked into
//   completed ---> the exchange is written (proxy_exchange.c)
#ifndef MLT_MLFLOW_PROXY_PRIVATE_H
#define MLT_MLFLOW_PROXY_PRIVATE_H

#include <curl/curl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "capture/mlflow_route.h"
#include "mlflow/proxy.h"
#include "mlflow/registry.h"

#define MLT_PROXY_ID_LEN 40

struct mlt_proxy {
    struct mlt_proxy_options opt;
    struct MHD_Daemon *daemon;
    int fd;
    unsigned port;
    atomic_int_fast64_t asked; // when the upstream was last seen to want credentials (mlt_wait_now), or negative: to
                               // want none; 0: never
    pthread_mutex_t change;    // held while a state is read, changed and read again
    atomic_uint_fast64_t requests, exchanges, refused, own_reads;
    atomic_size_t running; // requests
    atomic_size_t digests; // threads that compute one
    char instance[17];     // of exchange ids
    atomic_uint_fast64_t next_id;
};

// A client's connection, with the connections to the upstream that are kept for it.
struct mlt_proxy_link {
    CURLM *multi;
    struct mlt_client *reader; // for reads of the proxy itself
    int fd;
    char address[64];
};

enum mlt_proxy_body {
    MLT_PROXY_NO_BODY,
    MLT_PROXY_WHOLE,  // buffered before it goes on
    MLT_PROXY_STREAM, // passed on as it comes
};

struct mlt_proxy_request {
    struct mlt_proxy *proxy;
    struct mlt_proxy_link *link;
    struct MHD_Connection *connection;
    struct mlt_arena arena;
    bool set_up, responded, recorded;
    const char *method, *path; // as sent, without the query
    struct mlt_bytes query;
    struct mlt_mlflow_match match;
    char id[MLT_PROXY_ID_LEN];
    int64_t started, ended; // wall clock, ns
    // Who, and where from.
    char address[64];
    char *user;        // of the Basic header, or of the trusted one
    bool user_trusted; // of the trusted one
    // The request.
    enum mlt_proxy_body body_mode;
    bool has_length;
    uint64_t length;
    struct mlt_buf body; // MLT_PROXY_WHOLE, or what was buffered before it became too long
    size_t body_sent;
    struct mlt_json request; // scanned; num_tokens 0: none
    // To the upstream.
    CURL *curl;
    struct curl_slist *headers;
    bool in_multi, done;
    CURLcode result;
    char fault[CURL_ERROR_SIZE];
    struct mlt_bytes up; // what is left of the piece that arrived last
    bool up_end, up_paused;
    // From it.
    struct mlt_proxy_header {
        struct mlt_bytes name, value;
        struct mlt_proxy_header *next;
    } * answer_headers, **last_header;
    long status;
    bool answer_begun; // its headers are complete
    bool has_answer_length;
    uint64_t answer_length;
    struct mlt_buf down; // not yet with the client
    size_t down_taken;
    bool down_paused, hold; // hold: the answer is kept whole before it goes to the client
    uint64_t bytes;         // of the answer's body
    struct mlt_buf answer;  // copy of what is looked into
    bool answer_too_long;
    // Read by the proxy itself.
    struct mlt_buf before, after; // JSON objects; empty: nothing was read
    struct mlt_registry_answer run;
    bool changing;     // holds proxy->change
    const char *error; // NULL: none
};

// proxy_upstream.c
// mlt_proxy_forward starts the exchange with the upstream. False: no memory.
bool mlt_proxy_forward(struct mlt_proxy_request *r);
void mlt_proxy_push(struct mlt_proxy_request *r, const void *data, size_t len); // returns when it is on its way
void mlt_proxy_push_end(struct mlt_proxy_request *r);
// mlt_proxy_await waits until the headers of the answer are there, or with `hold` all of it, or it failed.
void mlt_proxy_await(struct mlt_proxy_request *r);
// mlt_proxy_pull gives the next piece of the answer; 0 at its end, -1 when it broke off.
ssize_t mlt_proxy_pull(struct mlt_proxy_request *r, char *out, size_t max);
void mlt_proxy_detach(struct mlt_proxy_request *r);                  // ends the exchange, whatever its state
bool mlt_proxy_hop_by_hop(const char *name, const char *connection); // connection: value of that header, may be NULL

// proxy_state.c
void mlt_proxy_read_before(struct mlt_proxy_request *r);
void mlt_proxy_read_after(struct mlt_proxy_request *r);
bool mlt_proxy_authenticated(struct mlt_proxy_request *r); // whether the upstream has checked the user's password
struct mlt_bytes mlt_proxy_field(struct mlt_proxy_request *r, const char *name);

// proxy_exchange.c
// mlt_proxy_record_begin: false when fail-closed and the trail does not have it.
bool mlt_proxy_record_begin(struct mlt_proxy_request *r, struct mlt_error *err);
void mlt_proxy_record_end(struct mlt_proxy_request *r);

// proxy_digest.c
// mlt_proxy_add_digest takes over the line of an exchange that registered a model, completes it in a thread of its own
// with the digest of the model's files, and puts it on its way. False: it could not; the line is still the caller's.
bool mlt_proxy_add_digest(struct mlt_proxy_request *r, struct mlt_buf *line);

#endif
