// What the parts of the verifier share: the report under way, and the trail as the journal completes it in memory.
//
// verify.c          who signs, and every head that was signed
// verify_journal.c  what the journal completes
// verify_entries.c  the walk in order: judges whatever is not as it should be, and says where
// verify_slice.c    a stretch of entries in which everything is as it should be
// verify_ahead.c    … of which several are checked at once, by threads ahead of the walk
// verify_window.c   … and the files are read in big steps, at the pace that was asked for
// verify_record.c   what an entry binds beyond its own bytes
// verify_anchor.c   anchors, against roots that the caller trusts
// verify_place.c    going on where an earlier run stopped; verify_state.c has that as a file
#ifndef MLT_TRAIL_VERIFY_PRIVATE_H
#define MLT_TRAIL_VERIFY_PRIVATE_H

#include <stdatomic.h>

#include "record/entry.h"
#include "store/files.h"
#include "trail/verify.h"

struct mlt_verify {
    struct mlt_env *base;
    struct mlt_env *env; // an overlay over `base`: replaying the journal changes nothing on disk
    const struct mlt_verify_options *opt;
    struct mlt_verify_report *report;
    char dir[MLT_PATH_MAX];
    char state_dir[MLT_PATH_MAX];
    bool raw;
    bool rewrapping; // slots are on their way from one key-encryption key to the next
    bool files_open;
    struct mlt_files files;
    bool closed; // the journal has no groups: every file ends exactly where the tree does
    struct mlt_watermark mark;
    struct mlt_record_keys keys;         // a sealer is one thread's: others make theirs from these
    struct mlt_sealer *sealer;           // NULL: no key-encryption key
    struct mlt_verify_state *state;      // NULL: nobody asks how far it came
    size_t state_erased, state_erasures; // bytes of the two below at the place that `state` has
    uint64_t faults_before;              // the entries: found again by whoever goes on
    struct mlt_arena arena;              // of one entry
    struct mlt_entry entry;              // the one that is being looked at
    struct mlt_json plain;               // its payload
    struct mlt_buf erased;               // u64 indexes whose slot says erased, in host order
    struct mlt_buf erasures;             // u64 indexes that erasure entries name
    atomic_uint_fast64_t bytes_viewed;   // by whoever looks further, from any of its threads
};
void mlt_verify_clear_scratch(struct mlt_verify *v); // arena, entry, plain, erased, erasures, sealer

// mlt_verify_fault notes a fault and makes the verdict false. `index` UINT64_MAX: none.
void mlt_verify_fault(struct mlt_verify *v, enum mlt_verify_what what, const char *file, uint64_t index,
                      const char *fmt, ...) MLT_PRINTF(5, 6);
// mlt_verify_has_root: does the trail's tree have this root at this size? By the stored hashes.
bool mlt_verify_has_root(const struct mlt_verify *v, uint64_t size, const uint8_t root[static MLT_HASH_LEN]);
// Status is that of the machine (no memory, a read that failed); what is wrong with the trail becomes a fault.
enum mlt_status mlt_verify_journal(struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_verify_entries(struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;
// mlt_verify_record checks what an entry binds beyond its own bytes: payload, slot, details, erasures.
enum mlt_status mlt_verify_record(struct mlt_verify *v, uint64_t index, struct mlt_bytes entry,
                                  const uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_verify_erasures: every erased slot has an erasure entry that names it.
void mlt_verify_erasures(struct mlt_verify *v);
// mlt_verify_anchors checks every anchor against opt->tsa_roots; `chain` NULL: the trail's names are not known.
enum mlt_status mlt_verify_anchors(struct mlt_verify *v, const struct mlt_key_chain *chain,
                                   struct mlt_error *err) MLT_MUST_USE;

// The place that a verification has reached. verify_place.c
// mlt_verify_take_up goes on where `v->opt->state` is, after it was held against the trail.
enum mlt_status mlt_verify_take_up(struct mlt_verify *v, const struct mlt_vkey *key,
                                   struct mlt_error *err) MLT_MUST_USE;
void mlt_verify_note_counts(struct mlt_verify *v);
enum mlt_status mlt_verify_leave_off(struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;

// Two passes over the entries: their bytes and the tree first, then what they bind.
enum mlt_verify_pass { MLT_PASS_TREE, MLT_PASS_RECORDS };

// Windows over the files, read in big steps. verify_window.c
struct mlt_window {
    enum mlt_files_id id;
    uint64_t off;
    struct mlt_buf bytes;
};
struct mlt_windows {
    struct mlt_window file[MLT_NUM_FILES];
    uint64_t bytes_read;
};
void mlt_windows_init(struct mlt_windows *w);
void mlt_windows_clear(struct mlt_windows *w);
// mlt_window_at gives `len` bytes at `off`, or as many as the file has; valid until the next call for the same file.
enum mlt_status mlt_window_at(struct mlt_windows *all, const struct mlt_verify *v, enum mlt_files_id id, uint64_t off,
                              size_t len, struct mlt_bytes *out, struct mlt_error *err) MLT_MUST_USE;
// mlt_window_bytes is the same memory, to write to: the prefix of a leaf hash goes there for a moment.
uint8_t *mlt_window_bytes(struct mlt_windows *w, enum mlt_files_id id, struct mlt_bytes part);

// A stretch of bundles, checked on its own. Where anything in it is not as it should be it is not `clean`, and the walk
// in order looks at it again; only then is something reported.
#define MLT_SLICE_BUNDLES 32 // 8192 entries, about 6 MB: enough to keep a thread busy, little to look at again
struct mlt_slice {
    enum mlt_verify_pass pass;
    uint64_t first; // entry; a multiple of 256
    uint64_t count;
    // Out.
    bool clean;
    uint64_t begin, end;                 // in entries.dat
    uint64_t payload_begin, payload_end; // in payloads/data; records
    size_t num_roots;                    // tree: of full tiles, then the leaves of one that is not
    uint8_t root[MLT_SLICE_BUNDLES][MLT_HASH_LEN];
    size_t num_leaves;
    uint8_t leaf[MLT_TILE_WIDTH][MLT_HASH_LEN];
    uint64_t payloads, erased, details; // records
    struct mlt_buf erased_indexes, erasures;
    uint64_t bytes_read;
};

// Checks slices, one after the other: what one thread has of its own.
struct mlt_slicer;
enum mlt_status mlt_slicer_new(struct mlt_slicer **out, const struct mlt_verify *v, struct mlt_error *err) MLT_MUST_USE;
void mlt_slicer_free(struct mlt_slicer *s);
enum mlt_status mlt_slicer_check(struct mlt_slicer *s, struct mlt_slice *slice, struct mlt_error *err) MLT_MUST_USE;

// Slices of [first, size) in order, checked ahead by `v->opt->threads` threads. verify_ahead.c
struct mlt_ahead;
enum mlt_status mlt_ahead_start(struct mlt_ahead **out, const struct mlt_verify *v, enum mlt_verify_pass pass,
                                uint64_t first, struct mlt_error *err) MLT_MUST_USE;
// mlt_ahead_next gives the next slice, valid until the next call; NULL after the last one.
enum mlt_status mlt_ahead_next(struct mlt_ahead *a, const struct mlt_slice **out, struct mlt_error *err) MLT_MUST_USE;
void mlt_ahead_stop(struct mlt_ahead *a);

#endif
