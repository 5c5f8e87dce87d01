// What the files of this layer share of a trail.
//
// Threads: callers (append, read), one committer, one publisher, and the store's own. `mu` is taken last and never held
// over I/O; `commit_mu` is held by the committer over a group, and by an erasure; `publish_mu` over a publication.
#ifndef MLT_TRAIL_PRIVATE_H
#define MLT_TRAIL_PRIVATE_H

#include <pthread.h>

#include "store/store.h"
#include "trail/meta.h"
#include "trail/state.h"
#include "trail/trail.h"

#define MLT_PUBLISH_INTERVAL_DEFAULT MLT_NS_PER_S
#define MLT_PUBLISH_INTERVAL_MIN (MLT_NS_PER_S / 10) // a checkpoint costs two syncs and a rename

// A queued batch.
struct mlt_job {
    struct mlt_job *next;
    struct mlt_batch *batch;
    mlt_append_done done;
    void *arg;
    uint64_t bytes;
    int64_t queued;               // monotonic
    struct mlt_receipt *receipts; // one per draft
};

// What a trail is opened for.
enum mlt_purpose {
    MLT_FOR_USE,
    MLT_FOR_REWRAP,  // slots go from one key-encryption key to the other: how far they got is kept
    MLT_FOR_RECOVER, // an older copy: the head signed last does not bind, and nothing is signed
};

struct mlt_trail {
    // Constant once open.
    struct mlt_env *env;
    char dir[MLT_PATH_MAX];
    char state_dir[MLT_PATH_MAX];
    struct mlt_meta meta;
    struct mlt_vkey vkey;
    enum mlt_purpose purpose;
    bool read_only;
    bool has_state;
    int64_t publish_interval_ns;
    void (*fatal)(void *arg, const struct mlt_error *err);
    void *fatal_arg;
    void (*clock_step)(void *arg, int64_t kept, int64_t clock);
    void *clock_step_arg;
    enum mlt_status (*cosign)(void *arg, const struct mlt_head *head, const struct mlt_hash_source *hashes,
                              struct mlt_buf *note, struct mlt_cosigned *out, struct mlt_error *err);
    void *cosign_arg;
    void (*published_cb)(void *arg, uint64_t size, struct mlt_bytes note, const struct mlt_cosigned *cosigned);
    void *published_arg;
    void (*forked)(void *arg, const struct mlt_error *err);
    void *forked_arg;
    struct mlt_store *store;
    struct mlt_state state;
    struct mlt_file *lock;
    bool has_admission;
    struct mlt_admission admission;

    pthread_mutex_t sign_mu; // the signing key is for one thread at a time
    pthread_mutex_t publish_mu;

    // With the committer; an erasure takes the mutex to keep it between groups.
    pthread_mutex_t commit_mu;
    int64_t last_received;
    const struct mlt_draft **group_drafts;
    size_t group_cap;

    pthread_mutex_t mu;     // guards all below
    pthread_cond_t work;    // the committer: jobs or stop
    pthread_cond_t changed; // the publisher: another size, or stop
    bool started;
    bool accepting;
    bool stop_committer;
    bool stop_publisher;
    struct mlt_job *first_job;
    struct mlt_job *last_job;
    uint64_t queued_bytes;
    struct mlt_head head; // the last acknowledged one
    uint64_t published_size;
    bool published;   // else the checkpoint file is older than this process knows
    int64_t again_at; // monotonic ns of a publication without change; INT64_MAX: none
    bool is_forked;   // `cosign` said so: nothing is published any more
    uint64_t num_groups;
    int64_t last_group_ns;
    pthread_t committer;
    pthread_t publisher;
};

// mlt_trail_paths says where trail and state are. `dir` loses the slashes at its end: "t/" has its state in "t.state",
// too.
enum mlt_status mlt_trail_paths(char dir[static MLT_PATH_MAX], char state_dir[static MLT_PATH_MAX],
                                const struct mlt_trail_options *opt, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_trail_open_for(struct mlt_trail **out, struct mlt_env *env, const struct mlt_trail_options *opt,
                                   enum mlt_purpose purpose, struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_key_changes records what a change of keys left to be recorded. Called once threads run.
enum mlt_status mlt_trail_key_changes(struct mlt_trail *t, struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_write_meta signs trail.json with the key in use and replaces it.
enum mlt_status mlt_trail_write_meta(struct mlt_env *env, const char *dir, struct mlt_meta *meta,
                                     const struct mlt_signer *signer, struct mlt_error *err) MLT_MUST_USE;
void *mlt_committer_main(void *trail);
void *mlt_publisher_main(void *trail);
// mlt_trail_sign makes the signed head of a tree.
enum mlt_status mlt_trail_sign(struct mlt_trail *t, struct mlt_head *out, uint64_t size,
                               const uint8_t root[static MLT_HASH_LEN], int64_t received,
                               struct mlt_error *err) MLT_MUST_USE;
void mlt_job_free(struct mlt_job *job);

#endif
