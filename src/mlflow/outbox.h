// Exchanges on their way to the trail, over a spool (docs/FORMAT.md, "Spool"): what was put outlives this process, and
// is in the trail once, whoever of the two sides was away in between.
#ifndef MLT_MLFLOW_OUTBOX_H
#define MLT_MLFLOW_OUTBOX_H

#include "forward/courier.h"

struct mlt_outbox_options {
    const char *dir;              // made if it is not there; what a dead process left there is sent too
    const char *name;             // of the MLflow server, in the stream's header and in tallies
    uint64_t bytes_max;           // on disk; 0: MLT_SPOOL_BYTES_DEFAULT
    struct mlt_link_options link; // to the trail
    void (*event)(void *arg, const struct mlt_courier_event *e); // for the log; TROUBLE comes from any thread
    void *event_arg;
};
struct mlt_outbox_counts { // of this process's exchanges
    uint64_t sent;         // in the trail
    uint64_t refused;      // by the trail for good, kept in the spool's rejected.ndjson
    uint64_t lost;         // there was no room, or the disk failed
    uint64_t waiting;      // in the spool, for the next process there
};

// Safe from several threads.
struct mlt_outbox;
enum mlt_status mlt_outbox_open(struct mlt_outbox **out, struct mlt_env *env, const struct mlt_outbox_options *opt,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_outbox_close sends until all is sent or the time (mlt_wait_now) is up. NULL accepted; counts may be NULL.
void mlt_outbox_close(struct mlt_outbox *b, int64_t until_ns, struct mlt_outbox_counts *counts);

// mlt_outbox_put takes an exchange (a line without its newline). False: it is lost, which the log and a tally say.
bool mlt_outbox_put(struct mlt_outbox *b, struct mlt_bytes line);
// mlt_outbox_is_full: nothing more should begin. Half of the room is taken, the disk has little left, or it did not
// take what it was given last; what has begun still finds room.
bool mlt_outbox_is_full(struct mlt_outbox *b);

#endif
