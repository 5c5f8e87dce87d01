// What the files of the API share: the opened trail, pools, and one request on its way through a route.
#ifndef MLT_SERVER_API_STATE_H
#define MLT_SERVER_API_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/audit.h"
#include "server/path.h"
#include "server/problem.h"
#include "server/query.h"
#include "server/scrub.h"
#include "server/token.h"

#define MLT_BUILD "mltrail 0.1.0 (" MLT_BUILD_ID ")" // the digest is CMakeLists.txt's: of what decides over a dossier
#define MLT_POOL_MAX 64 // spare builders and batches kept; more than threads that use them at once
#define MLT_POOL_BATCH_BYTES_MAX ((size_t)64 * 1024 * 1024) // a batch that grew beyond is freed, not kept
#define MLT_ROUTES_MAX 48
#define MLT_STATUS_CLASSES 6 // 1xx … 5xx, by the first digit

struct mlt_append;
// An answer is made of receipts, one for each of the append's records; NULL when it has none.
typedef void mlt_append_answerer(struct mlt_append *a, struct mlt_response *res, const struct mlt_receipt *receipts,
                                 const struct mlt_head *head);

// A batch on its way to the log and back; pooled.
struct mlt_append {
    struct mlt_api *api;
    struct mlt_batch batch;
    struct mlt_buf problems; // JSON array elements, comma-separated
    struct mlt_buf record;   // scratch for records that the server writes
    size_t num_records;      // drafts of the client; what the server adds comes after them
    size_t num_lines;        // lines that were records or tried to be
    size_t num_rejected;
    size_t num_omitted; // problems beyond MLT_PROBLEMS_MAX
    struct mlt_problem first_problem;
    mlt_append_answerer *answer;
    const struct mlt_intake *intake; // whose message it was; NULL: records
    char content_type[128];          // of that message
    uint64_t num_items;              // of the message, where its format counts them
    uint64_t num_ignored;            // items of the message that are no records
    bool receipts_all;
    bool wants_proof;                // ack=proven
    const struct mlt_proven *proven; // while it is answered; NULL: durable only
    size_t num_proofs;               // written into the answer
    void (*done)(void *arg, struct mlt_response *res);
    void *done_arg;
    struct mlt_append *next;
};

struct mlt_spare_builder {
    struct mlt_builder *builder;
    struct mlt_spare_builder *next;
};

struct mlt_pools {
    pthread_mutex_t lock; // of all members
    struct mlt_spare_builder *builders;
    size_t num_builders;
    struct mlt_append *appends;
    size_t num_appends;
};

struct mlt_metrics {
    atomic_uint_fast64_t requests[MLT_ROUTES_MAX + 1][MLT_STATUS_CLASSES]; // the last row: no such route
    atomic_uint_fast64_t accepted, duplicates, rejected, refused;
};

// The thread that flushes windows and reads tokens again.
struct mlt_keeper {
    pthread_t thread;
    bool running;
    bool stop; // under lock
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

struct mlt_api {
    struct mlt_env *env;
    struct mlt_trail *trail;
    struct mlt_index *index; // NULL: a raw trail
    bool read_only;
    bool raw;
    bool started; // logging-started is written: logging-stopped is owed
    struct mlt_tokens tokens, certs;
    struct mlt_pools pools;
    struct mlt_audit audit;
    struct mlt_metrics metrics;
    struct mlt_keeper keeper;
    pthread_mutex_t deriving;          // held by the one message that is derived from earlier ones (intake.h)
    struct mlt_segmenting *segmenting; // NULL: a raw trail
    struct mlt_witnessing *witnessing; // NULL: no policy
    struct mlt_proving *proving;       // NULL: a read-only trail
    struct mlt_anchoring *anchoring;   // NULL: no authority is configured
    struct mlt_forwarding *forwarding; // NULL: nobody gets CloudEvents on
    struct mlt_scrub scrub;
    const char *mlflow_webhook_secret; // file, the caller's of mlt_api_open; NULL: the one in <state>
};

// Pools (pool.c).
enum mlt_status mlt_pools_init(struct mlt_pools *p, struct mlt_error *err) MLT_MUST_USE;
void mlt_pools_clear(struct mlt_pools *p);
enum mlt_status mlt_pool_take_builder(struct mlt_api *api, struct mlt_spare_builder **out,
                                      struct mlt_error *err) MLT_MUST_USE;
void mlt_pool_give_builder(struct mlt_api *api, struct mlt_spare_builder *b);
struct mlt_append *mlt_pool_take_append(struct mlt_api *api); // NULL: no memory
void mlt_pool_give_append(struct mlt_append *a);

// Routes.
enum mlt_param_type { MLT_P_TEXT, MLT_P_COUNT, MLT_P_TIME, MLT_P_ENUM };
struct mlt_param {
    const char *name;
    const char *const *values; // MLT_P_ENUM: NULL-terminated
    uint64_t max;              // MLT_P_COUNT; 0: any
    uint64_t min;
    const char *text;
    enum mlt_param_type type;
    bool required;
};

struct mlt_call;
enum mlt_route_flags {
    MLT_ROUTE_OPEN = 1, // needs no principal
    MLT_ROUTE_RAW = 2,  // also on raw trails
    MLT_ROUTE_BODY = 4, // reads a body
    MLT_ROUTE_ONLY_RAW = 8,
    MLT_ROUTE_APPENDS = 32, // answered by the committer: takes part in mlt_api_append_start
    MLT_ROUTE_FOREIGN = 64, // its body is a message of another system
    MLT_ROUTE_AUDITED = 16, // a recorded read: takes `purpose`, answers 507 when it cannot be recorded
};
struct mlt_route {
    const char *method;
    const char *pattern;
    const char *id; // operationId
    const char *summary;
    unsigned right; // enum mlt_right; 0: none
    unsigned flags;
    const struct mlt_param *params;      // of the query; terminated by a NULL name; NULL: none
    const struct mlt_param *path_params; // in order of the pattern
    const char *media;                   // of the answer
    const char *schema;                  // its name among the schemas of openapi.c
    int success;                         // its status
    const char *errors;                  // further statuses, as in "404 409"
    void (*handle)(struct mlt_call *call);
};
extern const struct mlt_route mlt_routes[];
extern const size_t mlt_num_routes;

struct mlt_call {
    struct mlt_api *api;
    const struct mlt_request *req;
    struct mlt_response *res;
    const struct mlt_route *route;
    struct mlt_path path;
    struct mlt_query query;
    struct mlt_arena arena; // until the answer is written
    struct mlt_source source;
    bool has_source;
    enum mlt_call_payloads {
        MLT_CALL_PLAIN, // payloads as JSON
        MLT_CALL_SALTS, // each member with its salt as well, so that it can be held against the entry
        MLT_CALL_NONE   // no payloads
    } payloads;
    struct mlt_sealer *sealer; // for salts; the dispatcher frees it
    // Of a request that is not to block: who gets the answer. `started`: it will, `res` is not the answer.
    void (*done)(void *arg, struct mlt_response *res);
    void *done_arg;
    bool started;
};

// Typed values of parameters that the dispatcher has checked.
struct mlt_bytes mlt_call_text(const struct mlt_call *call, const char *name); // {NULL,0}: not given
bool mlt_call_has(const struct mlt_call *call, const char *name);
uint64_t mlt_call_count(const struct mlt_call *call, const char *name, uint64_t absent);
bool mlt_call_time(const struct mlt_call *call, const char *name, int64_t *out); // false: not given
bool mlt_call_is(const struct mlt_call *call, const char *name, const char *value);

// mlt_call_fail answers with the problem that fits `status`.
void mlt_call_fail(struct mlt_call *call, enum mlt_status status, const struct mlt_error *err);
// mlt_call_source opens the source as of `at_size`, or of now. False: answered.
bool mlt_call_source(struct mlt_call *call);
// mlt_call_granted answers 403 and false when the grant has not `right`.
bool mlt_call_granted(struct mlt_call *call, enum mlt_right right);
// mlt_call_refuse answers 403 saying which grant is missing, and counts the attempt.
void mlt_call_refuse(struct mlt_call *call, const char *missing);
// mlt_call_record records the read; false: it could not be, and the answer is a problem now.
bool mlt_call_record(struct mlt_call *call, const struct mlt_read *read);
// mlt_call_answer_json finishes an answer written to res->body; false: memory ran out, answered so.
bool mlt_call_answer_json(struct mlt_call *call);

// Writers shared by routes (record_json.c).
enum mlt_item_result { MLT_ITEM_WRITTEN, MLT_ITEM_HIDDEN, MLT_ITEM_FAILED };
struct mlt_item_filter {
    bool has_from, has_to;
    int64_t from, to;               // [from, to) of the event time, else of `received`
    const char *kind;               // NULL: any
    struct mlt_bytes resource_type; // of accesses; empty: any
    bool has_row;                   // predictions of this row of their request
    uint64_t row;
};
// mlt_write_item writes {"index":…,"entry":…,"payload":…,"payload_state":…,"details":…,"leaf":…} unless the filter or
// the grant hide it.
enum mlt_item_result mlt_write_item(struct mlt_call *call, struct mlt_json_writer *w, uint64_t index,
                                    const struct mlt_item_filter *filter, struct mlt_error *err);
// mlt_entry_in_row: a prediction of this row; one without rows is row 0, a half without rows goes with every row.
bool mlt_entry_in_row(const struct mlt_entry *e, uint64_t row);
// mlt_write_page writes {"items":[…],"total":…,"next":…,"tree_size":…} of the entries with all of `terms` and records
// the read with `read` (count and entries are filled in).
void mlt_answer_page(struct mlt_call *call, const struct mlt_term *terms, size_t num_terms,
                     const struct mlt_item_filter *filter, struct mlt_read *read);
#define MLT_PAGE_DEFAULT 100
#define MLT_PAGE_MAX 1000
#define MLT_PAGE_SCAN_MAX 100000 // entries looked at for one page; then the page ends early with a cursor

// What only the server writes (own_record.c). mlt_own_begin opens the object in `out`, the caller writes its members,
// mlt_own_end closes it, appends it, waits until it is durable, and clears `text`. `index`, unless NULL, says where it
// went, and is set on success alone.
void mlt_own_begin(struct mlt_json_writer *w, struct mlt_buf *out, struct mlt_api *api, const char *kind);
enum mlt_status mlt_own_end(struct mlt_json_writer *w, struct mlt_buf *text, struct mlt_api *api, uint64_t *index,
                            struct mlt_error *err) MLT_MUST_USE;
// mlt_own_add puts a finished one into a batch that others are in.
enum mlt_status mlt_own_add(struct mlt_api *api, struct mlt_batch *batch, struct mlt_builder *builder,
                            struct mlt_bytes record, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_own_event(struct mlt_api *api, const char *event, struct mlt_error *err) MLT_MUST_USE;

// mlt_call_secret gives the secret of an entry's payload, of which salts are made (route_bundle.c).
enum mlt_status mlt_call_secret(struct mlt_call *call, uint64_t index, uint8_t secret[static MLT_SECRET_LEN],
                                struct mlt_error *err) MLT_MUST_USE;
// Handlers, a file per group.
void mlt_handle_append(struct mlt_call *call);
void mlt_handle_cloudevents(struct mlt_call *call);
// mlt_call_has_cloudevents: the request says that its body is CloudEvents (intake_cloudevents.c).
bool mlt_call_has_cloudevents(const struct mlt_call *call);
void mlt_handle_openlineage(struct mlt_call *call);
void mlt_handle_openlineage_batch(struct mlt_call *call);
void mlt_handle_mlflow_exchanges(struct mlt_call *call);
void mlt_handle_mlflow_webhook(struct mlt_call *call);
void mlt_handle_search(struct mlt_call *call);
void mlt_handle_record(struct mlt_call *call);
void mlt_handle_proof(struct mlt_call *call);
void mlt_handle_predictions(struct mlt_call *call);
void mlt_handle_dossier(struct mlt_call *call);
// mlt_answer_bundle answers a dossier as an evidence bundle and records the export (route_bundle.c).
void mlt_answer_bundle(struct mlt_call *call, struct mlt_bytes request_id);
void mlt_handle_model_version(struct mlt_call *call);
void mlt_handle_lineage(struct mlt_call *call);
void mlt_handle_questions(struct mlt_call *call);
void mlt_handle_question(struct mlt_call *call);
void mlt_handle_access(struct mlt_call *call);
void mlt_handle_settings(struct mlt_call *call);
void mlt_handle_set(struct mlt_call *call);
void mlt_handle_export(struct mlt_call *call);
void mlt_handle_position(struct mlt_call *call);
void mlt_handle_witnesses(struct mlt_call *call);
void mlt_handle_trail_json(struct mlt_call *call);
void mlt_handle_anchor(struct mlt_call *call);
void mlt_handle_checkpoint(struct mlt_call *call);
void mlt_handle_tile(struct mlt_call *call);
void mlt_handle_add(struct mlt_call *call);
void mlt_handle_otlp_traces(struct mlt_call *call);
void mlt_handle_otlp_logs(struct mlt_call *call);
void mlt_handle_healthz(struct mlt_call *call);
void mlt_handle_readyz(struct mlt_call *call);
void mlt_handle_metrics(struct mlt_call *call);
void mlt_handle_openapi(struct mlt_call *call);

#endif
