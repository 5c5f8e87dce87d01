// Recovery: from what is on disk to a tree whose every file agrees, through the function that every commit goes
// through.
#ifndef MLT_STORE_RECOVERY_H
#define MLT_STORE_RECOVERY_H

#include "store/files.h"

// The head that was signed last, if that is known: nothing below it may be missing.
struct mlt_signed_head {
    bool known;
    uint64_t size;
    uint8_t root[MLT_HASH_LEN];
};

// mlt_recover reads the journal, and only if everything in it and below fits, and the tree extends `head`, writes
// behind what is missing, syncs, reads it back past the cache, and moves the watermark. `files` and `journal` are open
// at the journal's watermark. On return they stand at the end of the tree, `frontier` has its shape, `mark` describes
// it, and the journal is empty.
// MLT_CORRUPT: damage, located. MLT_CONFLICT: a sound tree, but not one that extends `head`; nothing was written.
enum mlt_status mlt_recover(struct mlt_journal *journal, struct mlt_files *files, const struct mlt_signed_head *head,
                            struct mlt_frontier *frontier, struct mlt_watermark *mark,
                            struct mlt_error *err) MLT_MUST_USE;

#endif
