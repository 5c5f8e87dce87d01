// Emptying spools: one thread that sends what the streams of this process and those of dead writers hold, and one that
// makes durable what was written.
//
// A stream is sent in its order, a parcel at a time, streams in turn. What could not be sent is tried again, later and
// later (BACKOFF_*), for as long as it takes. What the server refuses for good goes to rejected.ndjson and is passed.
#ifndef MLT_FORWARD_COURIER_H
#define MLT_FORWARD_COURIER_H

#include "forward/memory.h"

#define MLT_COURIER_DIRS_MAX 64
#define MLT_COURIER_SYNC_MS_DEFAULT 100 // what a power loss may take, as the documents promise

struct mlt_courier_event {
    enum mlt_courier_event_kind {
        MLT_COURIER_BEGUN,   // a stream of this process; told by who opened it, and not by the courier
        MLT_COURIER_UP,      // the server answers again
        MLT_COURIER_DOWN,    // it does not, or not as it should
        MLT_COURIER_ADOPTED, // a dead writer's stream was taken over
        MLT_COURIER_ENDED,   // a stream is at the server to its end, its files are gone
        MLT_COURIER_DAMAGE,  // bytes of a spool are not as they were written
        MLT_COURIER_REFUSED, // by the server, for good; kept in rejected.ndjson
        MLT_COURIER_TROUBLE, // with the disk
    } kind;
    const char *dir, *stream; // "" when of none
    const char *text;
};

struct mlt_courier_options {
    struct mlt_link_options link; // `stopped` is the courier's own
    const char *const *dirs;      // where dead writers' streams are looked for; copied
    size_t num_dirs;
    unsigned sync_ms;   // 0: nothing is synced here; whoever puts does
    unsigned linger_ms; // how long the first record of a batch waits for others
    bool receipts;      // ask the server for them, for `settled`
    // settled is told what became of each frame of this process's streams, event what an operator wants to know; called
    // by the courier's thread. NULL: nobody wants to know.
    void (*settled)(void *arg, const struct mlt_settled *s);
    void (*event)(void *arg, const struct mlt_courier_event *e);
    void *arg;
};

struct mlt_courier_stats {
    uint64_t sent;     // accepted by the server, those it had already among them
    uint64_t rejected; // refused for good
    uint64_t unkept;   // of these, those that could not be kept either
    uint64_t lost;     // dropped, or missing in what dead writers left
    uint64_t damaged;  // places of spools that could not be read
    uint64_t adopted;  // streams of dead writers
    uint64_t pending;  // frames that are not at the server
    uint64_t bytes;    // on disk or in memory
    int64_t oldest_ns; // how long the oldest of the pending waits, about; 0: none does
    uint64_t failures; // exchanges that are tried again
    bool up;           // the last exchange succeeded, or there was none
    char error[256];   // why not
};

// Safe from several threads.
struct mlt_courier;
enum mlt_status mlt_courier_new(struct mlt_courier **out, struct mlt_env *env, const struct mlt_courier_options *opt,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_courier_add and mlt_courier_add_memory hand a stream over to be sent. Whoever opened it goes on putting into it
// until it ends it; then it is the courier's alone, who removes and frees it.
enum mlt_status mlt_courier_add(struct mlt_courier *c, struct mlt_spool_writer *w, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_courier_add_memory(struct mlt_courier *c, struct mlt_memory *m, struct mlt_error *err) MLT_MUST_USE;
void mlt_courier_nudge(struct mlt_courier *c); // something was put
// mlt_courier_flush waits until what was put into this process's streams is settled; false: the time was up.
// `until_ns` as in mlt_wait_until.
bool mlt_courier_flush(struct mlt_courier *c, int64_t until_ns);
// mlt_courier_drained says whether nothing waits any more, dead writers' streams included.
bool mlt_courier_drained(struct mlt_courier *c);
// mlt_courier_space waits until space may have come back in a spool; false: the time was up.
bool mlt_courier_space(struct mlt_courier *c, int64_t until_ns);
void mlt_courier_stats(struct mlt_courier *c, struct mlt_courier_stats *out);
// mlt_courier_stop sends on until everything is settled or the time is up, and frees the courier. Streams that are not
// settled stay in their spools. How many frames of this process's streams are not at the server: the result.
uint64_t mlt_courier_stop(struct mlt_courier *c, int64_t until_ns);

// Around a fork: before it, after it in the parent, and in the child, where the courier's threads are not and it may
// only be forgotten: its locks are closed, all else stays as it is.
void mlt_courier_fork_prepare(struct mlt_courier *c);
void mlt_courier_fork_parent(struct mlt_courier *c);
void mlt_courier_fork_child(struct mlt_courier *c);

#endif
