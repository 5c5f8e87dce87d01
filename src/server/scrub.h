// Scrubbing: a slow thread that reads the whole trail again and again, as `verify` does and by the same code, so that
// rot and tampering are found while backups still hold what was lost. Each run is a `control` record.
#ifndef MLT_SERVER_SCRUB_H
#define MLT_SERVER_SCRUB_H

#include <pthread.h>

#include "base/env.h"

#define MLT_SCRUB_RATE_DEFAULT ((uint64_t)20000000) // bytes a second: a tenth of what the slowest disk gives
#define MLT_SCRUB_RATE_MIN ((uint64_t)65536)        // slower, and one read holds up a stop for too long

struct mlt_api;
struct mlt_pin_source;

struct mlt_scrub_options {
    int64_t interval_ns; // from the end of a run to the next; 0: no scrubbing
    uint64_t rate;       // bytes a second; 0: MLT_SCRUB_RATE_DEFAULT
    const char *scratch; // directory for what does not fit into memory (segment/verify.h); NULL: /tmp
};

// What is known of the runs since the start.
struct mlt_scrub_stats {
    bool on, running;
    uint64_t runs;         // finished
    uint64_t failed;       // could not be made
    uint64_t faults;       // of the last run
    uint64_t faults_total; // of all of them
    uint64_t size;         // of the tree that the last run checked
    uint64_t bytes_total;  // read, the run under way included
    int64_t ended;         // wall clock, of the last run; 0: none yet
    int64_t took_ns;       // of the last run
};

struct mlt_scrub {
    struct mlt_scrub_options opt;
    const struct mlt_pin_source *pin; // as the trail was opened with
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; // of all below
    pthread_cond_t wake;
    bool stop;
    int64_t begun;      // monotonic, of the run under way
    uint64_t run_bytes; // read by it
    struct mlt_scrub_stats stats;
};

enum mlt_status mlt_scrub_start(struct mlt_api *api, const struct mlt_scrub_options *opt,
                                struct mlt_error *err) MLT_MUST_USE;
void mlt_scrub_stop(struct mlt_api *api); // a run under way is left off and not recorded
void mlt_scrub_get_stats(struct mlt_api *api, struct mlt_scrub_stats *out);

#endif
