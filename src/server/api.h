// The API as functions: a request in, a response out, no sockets. The HTTP server calls it for connections; the command
// line calls it in the same process when nobody serves the directory. Either way the same grants hold and the same
// reads are recorded (promise P5).
#ifndef MLT_SERVER_API_H
#define MLT_SERVER_API_H

#include "capture/capture.h"
#include "index/index.h"
#include "server/scrub.h"

// Grants (design section 9): what a principal may do, to which kinds and names, with or without payloads.
enum mlt_right {
    MLT_MAY_APPEND = 1,
    MLT_MAY_READ = 2,
    MLT_MAY_APPROVE = 4,
    MLT_MAY_ERASE = 8,
    MLT_MAY_MIRROR = 16,
    MLT_MAY_ADMIN = 32
};
#define MLT_MAY_ALL 63
#define MLT_GRANT_PATTERNS_MAX 16 // per grant; more is a role system, which belongs to the identity provider

struct mlt_grant {
    unsigned rights;                          // enum mlt_right
    bool payloads;                            // may see payloads, not facts alone
    char kinds[MLT_GRANT_PATTERNS_MAX][64];   // shell patterns; none: every kind
    char models[MLT_GRANT_PATTERNS_MAX][128]; // shell patterns; none: every model
    char datasets[MLT_GRANT_PATTERNS_MAX][128];
};

// mlt_grant_producer is what a producer gets when nothing else is said: append predictions, lineage, access and the
// messages of other systems that they came from; read nothing.
void mlt_grant_producer(struct mlt_grant *out);

struct mlt_principal {
    char name[256];     // "token:ci", "cert:CN=…", "local:alice"
    char assurance[16]; // "authenticated" | "local"
    struct mlt_grant grant;
    char address[64]; // where from; "" for in-process
    char user_agent[256];
};

struct mlt_route;
struct mlt_request {
    const char *method;       // "GET", "POST"
    const char *path;         // as sent, percent-encoded, without the query
    const char *query;        // as sent, without '?'; "" when none
    const char *content_type; // "" when none
    struct mlt_bytes body;
    const struct mlt_principal *principal; // NULL: not authenticated (open routes only)
    const char *purpose;                   // why a reader reads (header X-Purpose); NULL or "" when not said
    const char *address; // where an unauthenticated request comes from; NULL when there is a principal or nobody knows
    // header gives a request header by its name, in any case; NULL: not sent. NULL: there are none (no HTTP).
    const char *(*header)(void *arg, const char *name);
    // each_header gives all of them to `take`, in their order; NULL: there are none.
    void (*each_header)(void *arg, mlt_header_take *take, void *take_arg);
    void *header_arg;
    const struct mlt_route
        *route; // what mlt_api_route found for method and path; NULL: not asked yet, or there is none
};
const char *mlt_request_header(const struct mlt_request *req, const char *name); // NULL: not sent

struct mlt_response {
    int status;
    const char *content_type; // static
    struct mlt_buf body;
    int retry_after_s;         // 0: none
    const char *cache_control; // static; NULL: no-store
    char allow[32];            // of a 405: the methods that there are; "" when none
    char next_cursor[24];      // of an export that goes on; "" when none (header Mltrail-Next-Cursor)
};
#define MLT_BODY_MAX                                                                                                   \
    ((size_t)32 * 1024 * 1024) // one request: a record of MLT_RECORD_MAX fits, a batch is better sent in parts
void mlt_response_clear(struct mlt_response *r);

// The opened trail with its index, its tokens and settings: what requests act on.
struct mlt_api;
// Who cosigns the checkpoints before they are published (witnessing.h).
enum mlt_witness_mode {
    MLT_WITNESS_AS_KEPT, // in <state>; `prefer` when nothing is
    MLT_WITNESS_PREFER,  // without the quorum a checkpoint is published all the same, self-attested
    MLT_WITNESS_REQUIRE, // without the quorum the checkpoint stays, and the trail does not start
};
struct mlt_witnessing_options {
    struct mlt_bytes policy; // C2SP tlog-policy, kept in <state> from now on; len 0: the one kept there, if any
    bool forget;             // no policy from now on
    enum mlt_witness_mode mode;
    const char *cacert;                       // PEM file of authorities for https; NULL: those of the system
    void (*log)(void *arg, const char *line); // a line when a witness begins or ceases to answer; NULL: stderr
    void *log_arg;
};
// Time-stamping authorities that stamp the published checkpoint (anchoring.h).
struct mlt_anchoring_options {
    const char *const *urls;
    size_t num_urls;
    int64_t interval_ns;    // 0: on demand only
    const char *roots_file; // PEM file of trusted certificates; NULL: tokens are recorded unchecked against roots
    void (*log)(void *arg, const char *line); // a line per failure; NULL: stderr
    void *log_arg;
};
// Others who get the CloudEvents that come, as they came (forwarding.h).
struct mlt_forwarding_options {
    const char *const *urls;
    size_t num_urls;
    const char *cacert; // PEM file of authorities for https; NULL: those of the system
};
struct mlt_api_options {
    struct mlt_trail_options trail;
    bool segments;            // commit to the links of whole segments in the background (serve)
    uint64_t segment_entries; // of a whole segment; 0: the default
    struct mlt_witnessing_options witnessing;
    struct mlt_anchoring_options anchoring; // num_urls 0: none
    struct mlt_forwarding_options forwarding;
    void (*progress)(void *arg, uint64_t done, uint64_t total);
    void *progress_arg;
    struct mlt_scrub_options scrub;    // zero: none
    const char *mlflow_webhook_secret; // file, borrowed until close; NULL: mlflow-webhook.secret in <state>
};
// mlt_api_open opens trail and index, starts the committer, and records `logging-started`.
enum mlt_status mlt_api_open(struct mlt_api **out, struct mlt_env *env, const struct mlt_api_options *opt,
                             struct mlt_error *err) MLT_MUST_USE;
// mlt_api_end lets nothing wait for a proof or for a time-stamping authority any more: what does is answered soon.
// Before connections are closed.
void mlt_api_end(struct mlt_api *api);
// mlt_api_close records `logging-stopped`, closes trail and index.
enum mlt_status mlt_api_close(struct mlt_api *api, struct mlt_error *err);
struct mlt_trail *mlt_api_trail(struct mlt_api *api);

// mlt_api_handle answers one request and blocks while it does (an append waits for its group). Thread-safe.
void mlt_api_handle(struct mlt_api *api, const struct mlt_request *req, struct mlt_response *res);

// mlt_api_route finds the route of a request once, for all that is asked about it. NULL: there is none, which
// mlt_api_handle says.
const struct mlt_route *mlt_api_route(const char *method, const char *path);
// mlt_api_appends says whether this is a request for mlt_api_append_start, by its route.
bool mlt_api_appends(const struct mlt_request *req);
// mlt_api_append_start is the way of POST /v1/records and its like that does not block: drafts are built by the calling
// thread, `done` is called from the committer with the finished response. Returns false when the response is ready at
// once
// (`res` filled, `done` not called).
bool mlt_api_append_start(struct mlt_api *api, const struct mlt_request *req, struct mlt_response *res,
                          void (*done)(void *arg, struct mlt_response *res), void *arg);

// Tokens: <state>/tokens.json holds SHA-256 of each; the text "mlt_<43 base64url characters>" is shown once.
enum mlt_status mlt_token_make(struct mlt_env *env, const char *state_dir, const char *name,
                               const struct mlt_grant *grant, int64_t expires_at /* 0: never */, char out[static 64],
                               struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_token_revoke(struct mlt_env *env, const char *state_dir, const char *name,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_token_list appends {"items":[{name,rights,payloads,kinds,models,datasets,created,expires}]}.
enum mlt_status mlt_token_list(struct mlt_env *env, const char *state_dir, struct mlt_buf *out,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_api_authenticate finds the principal of a bearer token; false when unknown, revoked or expired. Tokens made while
// the server runs are seen within a second.
bool mlt_api_authenticate(struct mlt_api *api, struct mlt_bytes bearer, struct mlt_principal *out);
// mlt_api_certificate finds the grant of a verified client certificate by its subject (RFC 4514 text):
// <state>/certs.json, else the producer's grant.
void mlt_api_certificate(struct mlt_api *api, const char *subject, struct mlt_principal *out);
// mlt_api_refused records a refused attempt that did not become a request (a bad token), counted per window.
void mlt_api_refused(struct mlt_api *api, const struct mlt_request *req);
// mlt_api_expects_body says whether `method` and `path` name a route that reads a body, and the principal may use it;
// when it is false and `res` is filled, answer so without reading the body.
bool mlt_api_expects_body(struct mlt_api *api, const struct mlt_request *req, struct mlt_response *res);

// mlt_principal_local is who runs a command on a directory: every grant.
void mlt_principal_local(struct mlt_principal *out, unsigned uid);

#endif
