// What was acknowledged must be there, whatever happened since.
#ifndef MLT_TESTS_LIB_RECEIPTS_H
#define MLT_TESTS_LIB_RECEIPTS_H

#include "trail/trail.h"

// receipts_hold says whether every receipt's entry is in the trail, and is the one that was acknowledged.
static inline bool receipts_hold(struct mlt_trail *trail, const struct mlt_receipt *receipts, size_t num,
                                 struct mlt_error *err) {
    struct mlt_arena arena = {0};
    bool good = true;
    for (size_t i = 0; i < num && good; i++) {
        struct mlt_bytes entry;
        uint8_t leaf[MLT_HASH_LEN];
        good = mlt_trail_entry(trail, receipts[i].index, &arena, &entry, err) == MLT_OK;
        if (good) {
            mlt_merkle_leaf(leaf, entry);
            good = memcmp(leaf, receipts[i].leaf, MLT_HASH_LEN) == 0 ||
                   mlt_fail(err, MLT_CORRUPT, "a receipt's entry is another") == MLT_OK;
        }
        mlt_arena_reset(&arena);
    }
    mlt_arena_clear(&arena);
    return good;
}

#endif
