// The witnesses of a policy, asked together before a checkpoint is published.
//
// One thread for each witness: a slow one holds up nobody but itself. What a witness was seen to keep is remembered, so
// that it is asked with the right size; at first nothing is known, and the first question (old 0) brings it out. One
// that turns out to be ahead of the log, or on another tree, is evidence that this log was rolled back or forked: it is
// kept, and from then on nothing is gathered any more.
#ifndef MLT_WITNESS_RING_H
#define MLT_WITNESS_RING_H

#include "base/env.h"
#include "note/policy.h"
#include "witness/client.h"

#define MLT_RING_TIMEOUT_MS 5000       // for all witnesses together: a publication waits no longer
#define MLT_RING_LINGER_MS 200         // once the quorum is met, for those who are nearly there
#define MLT_RING_REFRESH_S 600         // an unchanged head is cosigned again so often: witness times stay fresh
#define MLT_RING_FRESH_S 300           // a cosignature of the same head that is younger is not asked for again
#define MLT_RING_BACKOFF_MAX_S 300     // between two attempts at a witness that fails
#define MLT_RING_RETRY_AFTER_MAX_S 600 // what it may ask for itself

struct mlt_ring;
struct mlt_ring_options {
    struct mlt_env *env;
    const struct mlt_policy *policy; // borrowed until mlt_ring_close
    const struct mlt_vkey *log_key;  // the own log's; borrowed as well
    const char *evidence_dir;        // made when there is something to keep
    const char *cacert;              // NULL: the system's authorities
    int64_t timeout_ms;              // 0: MLT_RING_TIMEOUT_MS
    // log gets one line when a witness begins or ceases to answer. NULL: nobody.
    void (*log)(void *arg, const char *line);
    void *log_arg;
};

// A signed head and the hashes that prove its history; used only while mlt_ring_gather runs.
struct mlt_ring_head {
    uint64_t size;
    struct mlt_bytes note; // as the log signed it
    struct mlt_hash_source hashes;
    // The log's size now, signed heads that are not published included: somebody else may have brought one to a
    // witness. NULL: it is that of this head.
    uint64_t (*size_now)(void *arg);
    void *size_now_arg;
};

struct mlt_ring_result {
    bool quorum;
    size_t num_cosigned;  // k
    size_t num_witnesses; // n, those of the policy
    int64_t again_s;      // when to gather again though the head is the same
};

// MLT_INVALID: a witness's URL is not one that may be asked.
enum mlt_status mlt_ring_open(struct mlt_ring **out, const struct mlt_ring_options *opt,
                              struct mlt_error *err) MLT_MUST_USE;
void mlt_ring_close(struct mlt_ring *ring); // NULL accepted; ends exchanges under way, which takes about a second

// mlt_ring_gather appends to `note` the head's note with the cosignatures that came in time. It returns once the quorum
// is met and the linger is over, once everybody answered, or when the time is up; with `all` the quorum ends nothing.
// Too few cosignatures are no failure: `out->quorum` says it.
//
// MLT_CONFLICT: a witness knows another history of this log; the text says which and where the evidence is. This and
// every later call.
enum mlt_status mlt_ring_gather(struct mlt_ring *ring, const struct mlt_ring_head *head, bool all, struct mlt_buf *note,
                                struct mlt_ring_result *out, struct mlt_error *err) MLT_MUST_USE;

enum mlt_ring_state {
    MLT_RING_NEW,
    MLT_RING_OK,
    MLT_RING_FAILING,
    MLT_RING_REFUSING,
    MLT_RING_FORKED,
    MLT_RING_NO_URL
};
struct mlt_ring_status {
    const struct mlt_policy_witness *witness;
    enum mlt_ring_state state;
    bool cosigned;          // ever, since the start
    uint64_t cosigned_size; // largest
    uint64_t cosigned_at;   // seconds since 1970
    int64_t latency_ms;     // of the last answer; -1: none yet
    int64_t retry_in_ms;    // of one that failed; 0: with the next publication
    uint64_t num_cosigned, num_failed;
    char last_error[MLT_WITNESS_TEXT_LEN]; // "" when the last attempt went well
};
// mlt_ring_get copies what is known of witness `i`, 0 … policy->num_witnesses - 1.
void mlt_ring_get(struct mlt_ring *ring, size_t i, struct mlt_ring_status *out);
const char *mlt_ring_state_name(enum mlt_ring_state state);

#endif
