// An HTTP client for servers that the operator named: an MLflow server, a trail. One at a time; keeps its connections.
#ifndef MLT_NET_CLIENT_H
#define MLT_NET_CLIENT_H

#include "base/bytes.h"

#define MLT_CLIENT_ANSWER_MAX ((size_t)64 * 1024 * 1024) // a page of runs with long parameters has a few megabytes

struct mlt_client_options {
    const char *base;            // "http(s)://host:port/prefix", no slash at the end
    const char *unix_socket;     // NULL: TCP
    const char *user, *password; // Basic; NULL: none
    const char *token;           // Bearer; NULL: none
    const char *cacert, *cert, *key;
    const char *user_agent;
    long timeout_s;    // without a byte; 0: a minute
    size_t answer_max; // bytes; 0: MLT_CLIENT_ANSWER_MAX
    bool direct;       // whatever proxy the environment names
};

struct mlt_client_call {
    const char *method;       // "GET", "POST"
    const char *target;       // path and query, percent-encoded
    const char *content_type; // NULL: no body
    struct mlt_bytes body;
    const char *const *headers; // further ones, "Name: value"; NULL: none
    size_t num_headers;
    const char *wanted; // a header of the answer, with its colon, whose value goes to `value`; NULL: none
    char *value;        // cut at `value_size`, its terminator included
    size_t value_size;
};

struct mlt_client;
enum mlt_status mlt_client_open(struct mlt_client **out, const struct mlt_client_options *opt,
                                struct mlt_error *err) MLT_MUST_USE; // the options' texts are borrowed until close
void mlt_client_set_base(struct mlt_client *c, const char *base);    // borrowed as well
void mlt_client_close(struct mlt_client *c);                         // NULL accepted

// mlt_client_send gives any complete answer, whatever its status. MLT_IO: none came. MLT_LIMIT: it is longer than
// answer_max.
enum mlt_status mlt_client_send(struct mlt_client *c, const struct mlt_client_call *call, int *status,
                                struct mlt_buf *answer, struct mlt_error *err) MLT_MUST_USE;
// mlt_client_stream gives the body of a 2xx answer piece by piece; `take` returns false to stop, which is MLT_LIMIT.
enum mlt_status mlt_client_stream(struct mlt_client *c, const char *target, int *status,
                                  bool (*take)(void *arg, struct mlt_bytes piece), void *arg,
                                  struct mlt_error *err) MLT_MUST_USE;

// mlt_url_put_encoded appends text for a query or a segment of a path.
void mlt_url_put_encoded(struct mlt_buf *out, struct mlt_bytes text);
// mlt_url_put_path appends a path whose slashes stay.
void mlt_url_put_path(struct mlt_buf *out, struct mlt_bytes path);

#endif
