// A trail: the log and everything that belongs to it, with its single writer.
//
// The journey of a batch: submit -> queue -> (committer thread) admit, place, stamp `received`, hash, one journal write
// that is synced -> signed tree head into <state> -> written behind -> `added` to the index -> acknowledged.
// The point of no return is the journal write: from there on a crash recovers the group.
#ifndef MLT_TRAIL_TRAIL_H
#define MLT_TRAIL_TRAIL_H

#include "base/env.h"
#include "note/chain.h"
#include "record/draft.h"

#define MLT_PATH_MAX 1024

struct mlt_trail;
struct mlt_pin_source;

// A signed tree head: what a receipt carries.
struct mlt_head {
    uint64_t size;
    uint8_t root[MLT_HASH_LEN];
    int64_t received; // of its group
    char note[MLT_CHECKPOINT_NOTE_MAX];
    size_t note_len;
};

// What a publication gathered, and when it is to be repeated though the tree is the same.
struct mlt_cosigned {
    bool quorum;      // enough of those whom the operator relies on
    int64_t again_ns; // after this long; 0: not before the tree grows
};

enum mlt_added { MLT_ADDED_NEW, MLT_ADDED_DUPLICATE };

struct mlt_receipt {
    enum mlt_added added;
    uint64_t index;             // of the entry, or of the first one when a duplicate
    uint8_t leaf[MLT_HASH_LEN]; // its leaf hash
};

// Called from the committer thread when the batch is durable and its index final, or has failed as a whole (status
// not MLT_OK: nothing of the batch was acknowledged; after MLT_IO the process must end). Must not block.
typedef void (*mlt_append_done)(void *arg, struct mlt_batch *batch, enum mlt_status status,
                                const struct mlt_receipt *receipts, const struct mlt_head *head,
                                const struct mlt_error *err);

// What the index does for the writer; `mlt_index` provides it (tests: a table in memory). Called from the committer
// only.
struct mlt_admission {
    void *ctx;
    // admit: is this the same record again? `*first` is set for MLT_ADDED_DUPLICATE. Must also see drafts admitted
    // before in the same group (it gets them in order with the index that they will have).
    enum mlt_status (*admit)(void *ctx, const struct mlt_draft *draft, uint64_t index, enum mlt_added *added,
                             uint64_t *first, struct mlt_error *err);
    // dropped: the group did not become durable; forget admissions at or above `size`.
    void (*dropped)(void *ctx, uint64_t size);
    // added: these drafts are durable as entries first … first+n-1.
    enum mlt_status (*added)(void *ctx, const struct mlt_draft *const *drafts, size_t n, uint64_t first,
                             struct mlt_error *err);
};

struct mlt_trail_options {
    const char *dir;
    const char *state_dir;       // NULL: "<dir>.state"
    bool read_only;              // no lock, nothing written, journal replayed in memory only (verify, copies)
    int64_t publish_interval_ns; // 0: one second; at least 100 ms
    uint64_t reserve_bytes;      // appends are refused below this much free space; 0: the default of 256 MiB
    uint64_t journal_bytes;      // of each of the two regions, when created; 0: 64 MiB
    // mlt_trail_fatal is called when the trail can no longer tell what is on disk. NULL: a line to stderr and _exit(3).
    void (*fatal)(void *arg, const struct mlt_error *err);
    void *fatal_arg;
    // clock_step is called from the committer when the clock went back: `kept` is what entries get as `received` until
    // the clock is past it. Must not block. NULL: nobody is told.
    void (*clock_step)(void *arg, int64_t kept, int64_t clock);
    void *clock_step_arg;
    // cosign is asked by a publication, with the head durable: it appends to `note` the signed checkpoint of `head`
    // with whatever others signed beside it. It may take some seconds; appends go on meanwhile. `hashes` prove the
    // history, until it returns. NULL: published as signed. MLT_BUSY: not now, the next interval asks again,
    // `checkpoint` stays. MLT_CONFLICT: somebody outside knows another history of this log: nothing is published any
    // more, and `forked` is told.
    enum mlt_status (*cosign)(void *arg, const struct mlt_head *head, const struct mlt_hash_source *hashes,
                              struct mlt_buf *note, struct mlt_cosigned *out, struct mlt_error *err);
    void *cosign_arg;
    // published is told after `checkpoint` was replaced, by the thread that did. Must not block. NULL: nobody.
    void (*published)(void *arg, uint64_t size, struct mlt_bytes note, const struct mlt_cosigned *cosigned);
    void *published_arg;
    // forked ends the process. NULL: a line to stderr and _exit(3).
    void (*forked)(void *arg, const struct mlt_error *err);
    void *forked_arg;
    const struct mlt_pin_source *pin; // of PKCS#11 tokens; NULL: none is known. Must outlive the trail.
    const char *signing_uri;          // to create: a PKCS#11 URI of the signing key; NULL: a key in <state>
    const char *kek_uri;              // to create: … of the AES key over the key-encryption key; NULL: none
};

#define MLT_QUEUE_BYTES_MAX ((uint64_t)64 << 20) // queued batches: a few groups; beyond, callers are told to wait
#define MLT_GROUP_BYTES_MAX ((uint64_t)16 << 20) // one group, unless a single batch is larger: bounds latency

// mlt_trail_state_path says where the state of the trail is: `state_dir`, or beside `dir`.
enum mlt_status mlt_trail_state_path(char out[static MLT_PATH_MAX], const struct mlt_trail_options *opt,
                                     struct mlt_error *err) MLT_MUST_USE;

// mlt_trail_create makes <dir> and <state>: keys, trail.json, empty files. MLT_CONFLICT when there is a trail already.
// `raw`: a plain transparency log (entries verbatim, no records).
enum mlt_status mlt_trail_create(struct mlt_env *env, const struct mlt_trail_options *opt, const char *origin, bool raw,
                                 bool public_entries, struct mlt_error *err) MLT_MUST_USE;

// mlt_trail_open takes the lock, recovers, checks against the last signed head in <state>, and starts nothing yet.
// MLT_BUSY: served by somebody else. MLT_CORRUPT: damage, located. MLT_CONFLICT: this tree does not extend the last
// signed head (a restored copy); nothing is signed or written.
enum mlt_status mlt_trail_open(struct mlt_trail **out, struct mlt_env *env, const struct mlt_trail_options *opt,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_start gives the trail its admission (NULL for raw trails) and starts the committer and publisher threads.
// What a change of keys has not recorded yet (keys.h) is recorded first.
enum mlt_status mlt_trail_start(struct mlt_trail *t, const struct mlt_admission *admission,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_close commits what is queued, writes everything behind, syncs, publishes, and empties the journal.
enum mlt_status mlt_trail_close(struct mlt_trail *t, struct mlt_error *err);

// mlt_trail_append queues a batch; `done` is called exactly once. MLT_BUSY: the queue is full (MLT_QUEUE_BYTES_MAX);
// MLT_NOSPACE: below the reserve (unless `uses_reserve`: access records and control). Then `done` is not called.
enum mlt_status mlt_trail_append(struct mlt_trail *t, struct mlt_batch *batch, bool uses_reserve, mlt_append_done done,
                                 void *arg, struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_append_wait appends and waits; receipts has batch->num_drafts places.
enum mlt_status mlt_trail_append_wait(struct mlt_trail *t, struct mlt_batch *batch, bool uses_reserve,
                                      struct mlt_receipt *receipts, struct mlt_head *head,
                                      struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_publish writes the checkpoint now rather than at the next interval. MLT_BUSY, MLT_CONFLICT: as `cosign`.
enum mlt_status mlt_trail_publish(struct mlt_trail *t, struct mlt_error *err) MLT_MUST_USE;

// mlt_trail_erase overwrites the secrets of these entries, on disk and in the journal; durable on return. The caller
// has recorded the erasure and its grounds before, and does it again after a crash. Waits for the group under way.
enum mlt_status mlt_trail_erase(struct mlt_trail *t, const uint64_t *indexes, size_t num_indexes,
                                struct mlt_error *err) MLT_MUST_USE;

// Reading. Thread-safe; sees everything acknowledged. Indexes at or above the size give MLT_NOTFOUND.
const char *mlt_trail_origin(const struct mlt_trail *t);
const struct mlt_vkey *mlt_trail_vkey(const struct mlt_trail *t);
const struct mlt_key_chain *mlt_trail_chain(const struct mlt_trail *t); // the key in use first
const struct mlt_record_keys *mlt_trail_keys(const struct mlt_trail *t);
bool mlt_trail_is_raw(const struct mlt_trail *t);
bool mlt_trail_is_public(const struct mlt_trail *t);
struct mlt_env *mlt_trail_env(const struct mlt_trail *t);
const char *mlt_trail_dir(const struct mlt_trail *t);
const char *mlt_trail_state_dir(const struct mlt_trail *t);
void mlt_trail_head(struct mlt_trail *t, struct mlt_head *out); // the last acknowledged one
// mlt_trail_meta gives trail.json as it lies there.
enum mlt_status mlt_trail_meta(struct mlt_trail *t, struct mlt_buf *text, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_trail_checkpoint(struct mlt_trail *t, struct mlt_buf *note, struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_sign_at signs the head of an earlier size again, with the key in use (Ed25519 is deterministic: the same
// bytes until the key changes).
enum mlt_status mlt_trail_sign_at(struct mlt_trail *t, uint64_t size, struct mlt_head *out,
                                  struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_trail_entry(struct mlt_trail *t, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *entry,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_entries appends entries first … first+count-1 as an entry bundle (u16 length || bytes each).
enum mlt_status mlt_trail_entries(struct mlt_trail *t, uint64_t first, size_t count, struct mlt_buf *out,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_sealed reads the sealed payload and wrapped secret. MLT_NOTFOUND: the entry has none, or it was erased
// (`*erased`).
enum mlt_status mlt_trail_sealed(struct mlt_trail *t, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *sealed,
                                 uint8_t wrapped[static MLT_WRAPPED_LEN], bool *erased,
                                 struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_trail_detail(struct mlt_trail *t, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                 struct mlt_bytes *bytes, struct mlt_error *err) MLT_MUST_USE;
struct mlt_hash_source mlt_trail_hashes(struct mlt_trail *t);

struct mlt_trail_stats {
    uint64_t size, published_size, groups, queued_bytes, journal_syncs, free_bytes;
    int64_t last_group_ns; // how long the last group took from the first record queued to the acknowledgement
};
void mlt_trail_get_stats(struct mlt_trail *t, struct mlt_trail_stats *out);

#endif
