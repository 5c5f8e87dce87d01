// What the files of the ring share.
//
// ring.c         the gathering, opening and closing
// ring_member.c  the thread of one witness
#ifndef MLT_WITNESS_RING_PRIVATE_H
#define MLT_WITNESS_RING_PRIVATE_H

#include <pthread.h>

#include "witness/ring.h"

#define MLT_NS_PER_MS INT64_C(1000000)

struct mlt_ring_member {
    struct mlt_ring *ring;
    struct mlt_ring_status is;       // but for retry_in_ms
    char *url;                       // NULL: none
    struct mlt_net_session *session; // with its thread
    pthread_t thread;
    bool running;
    uint64_t done;                   // the last gathering that it is through with
    bool known;                      // what it keeps
    uint64_t kept;                   // … this size
    int64_t next;                    // monotonic ns before which it is left alone
    int64_t pause_s;                 // of the backoff
    uint64_t line_size;              // `line` is for this size …
    char line[MLT_WITNESS_LINE_MAX]; // "" when none
};

struct mlt_ring {
    struct mlt_ring_options opt;
    char *evidence_dir;
    atomic_bool stopping;
    pthread_mutex_t mu; // of all below, and of all members
    pthread_cond_t asked;
    pthread_cond_t answered;
    bool forked;
    char why[MLT_ERROR_TEXT_LEN]; // of the fork
    uint64_t gathering;           // number; 0: none yet
    bool open;                    // it runs: hashes may be read
    size_t readers;               // members that read them
    struct mlt_ring_head head;
    int64_t deadline; // monotonic ns
    size_t num;
    struct mlt_ring_member *members;
};

// mlt_ring_member_main asks one witness whenever a gathering is open, until the ring stops.
void *mlt_ring_member_main(void *member);
// mlt_ring_has_line: its cosignature of a head of this size is there. With the lock.
bool mlt_ring_has_line(const struct mlt_ring_member *m, uint64_t size);

#endif
