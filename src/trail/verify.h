// The one oracle: reads everything that a trail directory holds and says whether it is what was signed.
// Replays and repairs nothing on disk.
#ifndef MLT_TRAIL_VERIFY_H
#define MLT_TRAIL_VERIFY_H

#include "crypto/timestamp.h"
#include "trail/trail.h"

enum mlt_verify_what {
    MLT_VERIFY_CHECKPOINT,
    MLT_VERIFY_JOURNAL,
    MLT_VERIFY_ENTRY,
    MLT_VERIFY_TILE,
    MLT_VERIFY_PAYLOAD,
    MLT_VERIFY_SLOT,
    MLT_VERIFY_DETAIL,
    MLT_VERIFY_FILE,
    MLT_VERIFY_STATE,
    MLT_VERIFY_COMMITMENT, // of a control entry to the links of others
    MLT_VERIFY_ANCHOR,
    MLT_NUM_VERIFY_WHATS,
};
// mlt_verify_what_name is one stable word: "checkpoint", "journal", …
const char *mlt_verify_what_name(enum mlt_verify_what what);

// What a further check of a trail gets: entries 0 … size-1, of which each is the one that was signed. `entries` may be
// called from several threads; what it reads is paced and counted like all the rest.
struct mlt_verify_view {
    void *ctx;
    uint64_t size;
    enum mlt_status (*entries)(void *ctx, uint64_t first, size_t count, struct mlt_buf *out, struct mlt_error *err);
    void (*fault)(void *ctx, enum mlt_verify_what what, uint64_t index, const char *text);
};

#define MLT_VERIFY_FAULTS_MAX 64 // reported one by one; further ones are counted

struct mlt_verify_fault {
    enum mlt_verify_what what;
    char file[256]; // within the trail
    bool has_index;
    uint64_t index; // the entry
    char text[512]; // what is wrong, with the clause of FORMAT.md
};

// How far a verification came, so that a later one goes on from there (verify_state.h writes it to a file). What was
// verified is bound by the frontier: the tree that is signed must grow out of it.
struct mlt_verify_state {
    struct mlt_vkey key; // the trail's
    // The tree: entries below `frontier.size` were checked, a multiple of 256; `at` is where the next one begins.
    struct mlt_frontier frontier;
    uint64_t at;
    // The records of the entries below `records` were checked; `payload_end` is where their payloads end.
    uint64_t records, records_at, payload_end;
    uint64_t payloads, erased, details;      // counted up to there
    bool payloads_checked;                   // unsealed, too
    struct mlt_buf erased_indexes, erasures; // u64 each, in host order
    uint64_t num_faults;
    struct mlt_verify_fault *faults; // MLT_VERIFY_FAULTS_MAX places, of which min(num_faults, that) are used
};
void mlt_verify_state_clear(struct mlt_verify_state *s);

struct mlt_verify_report {
    bool verdict;       // true: every byte that can be checked is as signed
    bool authenticated; // the key came from outside the thing verified
    bool live;          // somebody is writing (the lock on <state> is held): checked up to the head signed last
    uint64_t size;      // of the tree that was checked
    uint8_t root[MLT_HASH_LEN];
    uint64_t entries, payloads, erased, details, journal_groups;
    uint64_t commitments, committed; // of segments, and how far; filled in by whoever looks further
    uint64_t anchors;                // checked against roots; 0 without any
    bool payloads_checked;           // false: no key-encryption key at hand, or not wanted
    uint64_t resumed_at;             // entries that an earlier run had verified
    int64_t entries_ns;              // how long entries and tree took
    int64_t records_ns;              // how long payloads, slots and details took
    uint64_t bytes_read;
    struct mlt_verify_fault faults[MLT_VERIFY_FAULTS_MAX];
    uint64_t num_faults; // may exceed MLT_VERIFY_FAULTS_MAX
};
// mlt_verify_fault_add reports what whoever looks further found; the verdict is false then.
void mlt_verify_fault_add(struct mlt_verify_report *r, enum mlt_verify_what what, const char *file, bool has_index,
                          uint64_t index, const char *fmt, ...) MLT_PRINTF(6, 7);

struct mlt_verify_options {
    const char *dir;
    const char *state_dir; // NULL: "<dir>.state" if it is there
    // From outside; NULL: the one in <state>, else trail.json's, unauthenticated. An older or a newer key of the
    // trail's chain does as well as the one in use.
    const struct mlt_vkey *key;
    const struct mlt_pin_source *pin; // of the token with the key-encryption key; NULL: payloads stay unchecked then
    // Signed heads handed out before (receipts): the tree must extend each of them.
    const struct mlt_bytes *heads;
    size_t num_heads;
    const struct mlt_timestamp_roots *tsa_roots; // whom to believe the time; NULL: anchors are not checked
    void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total); // `what`: "entries", then "payloads"
    void *progress_arg;
    // further looks at what the entries say, once they are found to be the signed ones. NULL: nobody does.
    enum mlt_status (*further)(void *arg, const struct mlt_verify_view *view, struct mlt_error *err);
    void *further_arg;
    unsigned threads; // that check besides the one that calls; 0: none
    bool no_payloads; // leave them sealed: slots, details and erasures are checked, commitments are not
    bool past_cache;  // drop what was read from the page cache, so that it is the device that is read
    // pace is told how many bytes were read and may hold up the reader; false: stop. From any of the threads.
    bool (*pace)(void *arg, uint64_t bytes);
    void *pace_arg;
    // In: where to go on (NULL or zero: at the beginning). Out: where it got to, also when it stopped.
    struct mlt_verify_state *state;
};

// Status: could it be checked at all? The verdict is in the report. MLT_BUSY: `pace` said to stop. MLT_CONFLICT:
// `state` is of another trail, or the trail no longer has what was verified; nothing was checked.
enum mlt_status mlt_verify_trail(struct mlt_env *env, const struct mlt_verify_options *opt,
                                 struct mlt_verify_report *out, struct mlt_error *err) MLT_MUST_USE;

#endif
