// The store: makes groups durable in the journal, writes them behind into the files, and gives journal space free
// again.
//
//   begin -> add, add, … -> commit (durable from here on) -> apply (readable)
//
// One thread goes through these steps; a thread of the store syncs the files and moves the watermark meanwhile.
#ifndef MLT_STORE_STORE_H
#define MLT_STORE_STORE_H

#include "store/recovery.h"
#include "store/rewrap.h"

#define MLT_RESERVE_BYTES_DEFAULT ((uint64_t)256 << 20) // some hundred thousand access records, after appends stopped

struct mlt_store;

struct mlt_store_options {
    const char *dir;
    bool read_only; // over memory: nothing on disk changes
    uint64_t reserve_bytes;
    struct mlt_signed_head head;
    bool rewrapping; // slots are on their way to another key-encryption key: what a crash left half done is done again
    bool keep_progress; // … and it goes on now; otherwise how far it got is forgotten
    // Called when the store can no longer tell what is on disk, from whichever thread found out.
    void (*fatal)(void *arg, const struct mlt_error *err);
    void *fatal_arg;
};

enum mlt_status mlt_store_create(struct mlt_env *env, const char *dir, uint64_t journal_bytes,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_store_open recovers. See mlt_recover for its errors.
enum mlt_status mlt_store_open(struct mlt_store **out, struct mlt_env *env, const struct mlt_store_options *opt,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_store_start makes it ready for groups: takes the journal's space and starts the thread that syncs.
enum mlt_status mlt_store_start(struct mlt_store *s, struct mlt_error *err) MLT_MUST_USE;
// mlt_store_close syncs everything, empties the journal and frees `s`, also when it fails. A store that was never
// started, or has failed, is only freed.
enum mlt_status mlt_store_close(struct mlt_store *s, struct mlt_error *err);

// What a group is made of. Its limit in bytes: what fits into a journal region.
uint64_t mlt_store_group_max(const struct mlt_store *s);
void mlt_store_begin(struct mlt_store *s);
enum mlt_status mlt_store_add(struct mlt_store *s, const struct mlt_draft *d, uint8_t leaf[static MLT_HASH_LEN],
                              struct mlt_error *err) MLT_MUST_USE;
// mlt_store_commit makes the group durable in the journal. `*after` describes the tree with it. May wait for the files
// to be synced. MLT_NOSPACE, MLT_NOMEM: nothing happened. MLT_IO: unknown; the store has failed.
enum mlt_status mlt_store_commit(struct mlt_store *s, int64_t received, struct mlt_watermark *after,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_store_apply writes the committed group behind. Any error: the store has failed.
enum mlt_status mlt_store_apply(struct mlt_store *s, struct mlt_error *err) MLT_MUST_USE;

// mlt_store_flush makes everything applied durable in the files and moves the watermark there.
enum mlt_status mlt_store_flush(struct mlt_store *s, struct mlt_error *err) MLT_MUST_USE;
// mlt_store_erase overwrites the slots of entries, everywhere: file and journal. Not beside begin…apply.
enum mlt_status mlt_store_erase(struct mlt_store *s, const uint64_t *indexes, size_t num_indexes,
                                struct mlt_error *err) MLT_MUST_USE;

// mlt_store_rewrap gives every slot to `rewrap` (rewrap.h), a run at a time, from where an interrupted call got to.
// Only before mlt_store_start. `out` counts. MLT_IO: some of it is done; the next call goes on.
enum mlt_status mlt_store_rewrap(struct mlt_store *s, mlt_rewrap_slot rewrap, void *ctx,
                                 void (*progress)(void *arg, uint64_t done, uint64_t total), void *progress_arg,
                                 struct mlt_rewrap *out, struct mlt_error *err) MLT_MUST_USE;

// mlt_store_fail makes the store refuse everything from now on and tells `fatal` (once). Returns MLT_IO.
enum mlt_status mlt_store_fail(struct mlt_store *s, const struct mlt_error *why);
enum mlt_status mlt_store_failed(struct mlt_store *s, struct mlt_error *err); // MLT_OK, or why it has
// mlt_store_space is MLT_NOSPACE below the reserve. The answer may be a second old.
enum mlt_status mlt_store_space(struct mlt_store *s, uint64_t *free_bytes, struct mlt_error *err) MLT_MUST_USE;

void mlt_store_mark(struct mlt_store *s, struct mlt_watermark *out); // what is applied
uint64_t mlt_store_syncs(struct mlt_store *s);                       // synced journal writes since open
const struct mlt_files *mlt_store_files(const struct mlt_store *s);  // for reading

#endif
