// Slots on their way from one key-encryption key to the next, in place.
//
// A slot is 60 bytes and may lie across two sectors: overwritten in place, a power cut could leave one half of each. So
// a run of slots is first written to `slots.move` and synced, then into `slots` and synced. What a crash leaves of
// `slots` is made whole by writing the run again.
//
//   slots.move   0  8  "MLTMOVE1"
//                8  8  index of the first slot of the run; all before it are under the new key
//               16  8  slots with a secret before the run
//               24  8  erased slots before the run
//               32  4  count of slots in the run, at most 16,384
//               36  4  CRC-32C of the header, with these four bytes zero, and the slots
//               40     the slots of the run, under the new key
//
// Valid if and only if (1) the magic, (2) the count, (3) the CRC. One that is not was being written, and `slots` is as
// it was. It counts only while <state>/kek.next is there.
#ifndef MLT_STORE_REWRAP_H
#define MLT_STORE_REWRAP_H

#include "store/files.h"

#define MLT_REWRAP_RUN 16384 // slots: just under a MiB, so that three syncs a run do not matter

struct mlt_rewrap {
    uint64_t at; // slots before it are under the new key
    uint64_t num_wrapped;
    uint64_t num_erased;
};

// mlt_rewrap_redo writes the run of a valid slots.move into `slots` again and says how far the rewrapping got (zeros:
// not known). Not synced.
enum mlt_status mlt_rewrap_redo(struct mlt_rewrap *out, const struct mlt_files *files,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_rewrap_forget removes slots.move, overwritten: from here on slots may be erased, and nothing brings them back.
enum mlt_status mlt_rewrap_forget(const struct mlt_files *files, struct mlt_error *err) MLT_MUST_USE;

// What is done to a slot that is neither empty nor erased: it is left if it opens under the new key, and is rewrapped
// if it opens under the old one. MLT_CORRUPT: it opens under neither.
typedef enum mlt_status (*mlt_rewrap_slot)(void *ctx, uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_error *err);
// mlt_rewrap_run takes one run of slots from `r->at` on; durable on return, and `r` is moved on. `r->at == size`: done.
enum mlt_status mlt_rewrap_run(struct mlt_rewrap *r, const struct mlt_files *files, uint64_t size,
                               mlt_rewrap_slot rewrap, void *ctx, struct mlt_error *err) MLT_MUST_USE;

#endif
