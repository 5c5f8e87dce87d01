// The connection over which a spool is emptied: HTTP, HTTPS or a Unix socket, kept open from one request to the next.
#ifndef MLT_FORWARD_LINK_H
#define MLT_FORWARD_LINK_H

#include <stdatomic.h>

#include "spool/frame.h"

#define MLT_LINK_ANSWER_MAX ((size_t)8 * 1024 * 1024) // a thousand receipts, or as many problems, are far shorter
#define MLT_LINK_TIMEOUT_MS 60000                     // for a whole exchange: a batch over a slow link

enum mlt_link_gzip {
    MLT_LINK_GZIP_AUTO, // unless the server is on this machine
    MLT_LINK_GZIP_OFF,
    MLT_LINK_GZIP_ON,
};

struct mlt_link_options {
    const char *url;    // http://HOST:PORT, https://HOST:PORT (each with a prefix of the path), unix:///PATH/TO/sock
    const char *token;  // NULL: none; else the bearer token
    const char *cacert; // PEM file; NULL: the system's authorities
    const char *cert, *key; // PEM files of a client certificate; NULL: none; no key: it is in the certificate's file
    const char *user_agent; // static
    enum mlt_link_gzip gzip;
    const atomic_bool *stopped; // true ends an exchange within about a second; NULL: nothing does
};

struct mlt_link_message {
    const char *method, *path, *content_type; // content_type "": none
    const struct mlt_frame_header *headers;
    size_t num_headers;
    struct mlt_bytes body;
};

struct mlt_link_answer {
    int status;
    int64_t retry_after_s; // 0: not said
    struct mlt_buf body;
};
void mlt_link_answer_clear(struct mlt_link_answer *a);

// For one thread at a time.
struct mlt_link;
// mlt_link_open checks the URL and connects nowhere yet. MLT_INVALID: the text says what would be right.
enum mlt_status mlt_link_open(struct mlt_link **out, const struct mlt_link_options *opt,
                              struct mlt_error *err) MLT_MUST_USE;
void mlt_link_close(struct mlt_link *link);              // NULL accepted
const char *mlt_link_shown(const struct mlt_link *link); // the URL without what is secret in it

// mlt_link_send: any complete answer is MLT_OK, whatever its status. MLT_IO: no complete answer. MLT_BUSY: stopped.
enum mlt_status mlt_link_send(struct mlt_link *link, const struct mlt_link_message *msg, struct mlt_link_answer *out,
                              struct mlt_error *err) MLT_MUST_USE;

#endif
