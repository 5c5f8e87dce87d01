// Reading is recorded (promise P5): what leaves the trail leaves an `access` record first. What a mirror or an attacker
// could do without end is counted instead, one record per principal and window.
#ifndef MLT_SERVER_AUDIT_H
#define MLT_SERVER_AUDIT_H

#include <pthread.h>

#include "server/api.h"

#define MLT_AUDIT_ENTRIES_MAX 200 // entries listed in one access record; `count` tells how many there were
#define MLT_WINDOW_NS (60 * INT64_C(1000000000)) // a minute: soon enough to notice, few enough to keep
#define MLT_WINDOWS_MAX 256                      // principals at once; further ones share the last window
#define MLT_REJECTED_LINE_MAX 4096               // bytes kept of one rejected record: enough to see what it was
#define MLT_REJECTED_REQUEST_MAX 16              // rejected records kept of one request
#define MLT_REJECTED_MINUTE_MAX 64               // and of one principal in a window; the rest is counted

struct mlt_read {
    const char *action;        // "read", "search", "export"
    const char *resource_type; // "prediction_log", "model_registry", "training_data", "trail", "config"
    struct mlt_bytes resource_id;
    const uint64_t *entries;
    size_t num_entries;
    uint64_t count; // of entries returned
    bool all;       // list them all: what leaves as evidence is evidence of its own
};

// The entries that a dossier or an answer rests on and shows: its integrity.entries.
struct mlt_shown {
    uint64_t entries[MLT_AUDIT_ENTRIES_MAX];
    size_t num_entries;
    uint64_t count;
};
// mlt_shown_by reads them from the JSON form; MLT_NOMEM at worst.
enum mlt_status mlt_shown_by(struct mlt_shown *out, struct mlt_bytes json, struct mlt_error *err) MLT_MUST_USE;

enum mlt_window_of { MLT_WINDOW_FREE, MLT_WINDOW_DENIED, MLT_WINDOW_BUNDLES, MLT_WINDOW_REJECTED };
struct mlt_window {
    enum mlt_window_of of;
    char principal[256];
    char address[64];
    char first_path[256];
    int64_t began;  // monotonic
    uint64_t count; // attempts, bundles, or rejected records that were not kept
    uint64_t kept;  // MLT_WINDOW_REJECTED: how many were kept in control records
    uint64_t entries;
};
struct mlt_audit {
    pthread_mutex_t lock; // of `windows`
    struct mlt_window windows[MLT_WINDOWS_MAX];
};

enum mlt_status mlt_audit_init(struct mlt_audit *audit, struct mlt_error *err) MLT_MUST_USE;
void mlt_audit_clear(struct mlt_audit *audit);

// mlt_audit_read appends the access record and returns when it is durable.
enum mlt_status mlt_audit_read(struct mlt_api *api, const struct mlt_request *req, const struct mlt_read *read,
                               struct mlt_error *err) MLT_MUST_USE;
void mlt_audit_count(struct mlt_api *api, const struct mlt_request *req, enum mlt_window_of of, uint64_t entries);
// mlt_audit_may_keep says whether one more rejected record of this principal is kept in its window; if not, it is
// counted.
bool mlt_audit_may_keep(struct mlt_api *api, const struct mlt_request *req);
void mlt_audit_not_kept(struct mlt_api *api,
                        const struct mlt_request *req); // counts one that the request had no room for
// mlt_audit_flush records the windows that have ended (`all`: every one). On failure they stay for the next time.
enum mlt_status mlt_audit_flush(struct mlt_api *api, bool all, struct mlt_error *err) MLT_MUST_USE;

#endif
