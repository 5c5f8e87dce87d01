// One bounded HTTP POST to a service that the operator named: a time-stamping authority, a witness, a target of events.
//
// Such a service is trusted with nothing but the bytes sent. Whatever it answers is bounded in time and length and
// judged by the caller. Redirects are not followed: they would send the bytes where nobody pointed. Plain HTTP goes to
// loopback alone, which is decided by the address that is connected to, whatever a name resolves to; or with
// `allow_http` to wherever the operator says.
#ifndef MLT_NET_POST_H
#define MLT_NET_POST_H

#include <stdatomic.h>

#include "base/bytes.h"

#define MLT_NET_TYPE_LEN 128 // a media type with its parameters; longer ones are cut, and then match none

// A session keeps connections between exchanges, for a service that is asked again and again. For one thread at a time.
struct mlt_net_session;
struct mlt_net_session *mlt_net_session_new(void);          // NULL: no memory
void mlt_net_session_free(struct mlt_net_session *session); // NULL accepted

struct mlt_net_options {
    const char *url; // as mlt_net_url_check takes it
    const char *content_type;
    struct mlt_bytes body;
    int64_t timeout_ms;         // for the whole exchange, more than 0
    size_t max_response;        // bytes of the answer's body
    bool allow_http_loopback;   // else https alone
    bool allow_http;            // to any host: within a cluster, where the operator says so
    const char *const *headers; // further ones, "Name: value"
    size_t num_headers;
    const char *cacert;              // PEM file of the authorities for https; NULL: those of the system
    const atomic_bool *stopped;      // looked at about once a second: true ends the exchange; NULL: nothing does
    struct mlt_net_session *session; // NULL: a connection for this exchange alone
    int64_t *retry_after_s;          // set to what the answer's Retry-After says, 0 when nothing; NULL: not wanted
};

// mlt_net_url_check says whether `url` is one that mlt_net_post would send to: https, or http to localhost, 127.0.0.0/8
// or [::1] where allowed, with a host, without credentials (an URL is logged and recorded).
//
// MLT_INVALID: it is not; the text says why.
enum mlt_status mlt_net_url_check(const char *url, bool allow_http_loopback, struct mlt_error *err) MLT_MUST_USE;

// mlt_net_url_check_plain is the same where http to any host is allowed.
enum mlt_status mlt_net_url_check_plain(const char *url, struct mlt_error *err) MLT_MUST_USE;

// mlt_net_post sends `opt->body` and waits for the answer.
//
// Any complete answer is a success, whatever its HTTP status, which goes to `*http_status` (a redirect too: 301 to
// 308). `response` is reset first; `content_type` is the answer's media type in lower case without parameters, or
// empty. Safe from several threads.
//
// MLT_INVALID: the URL is not allowed. MLT_IO: no complete answer in time. MLT_LIMIT: the answer is longer than
// `max_response`. MLT_BUSY: stopped.
enum mlt_status mlt_net_post(const struct mlt_net_options *opt, int *http_status, struct mlt_buf *response,
                             char content_type[static MLT_NET_TYPE_LEN], struct mlt_error *err) MLT_MUST_USE;

#endif
