// What was acknowledged must be there, whatever happened since.
#ifndef MLT_TESTS_LIB_RECEIPTS_H
#define MLT_TESTS_LIB_RECEIPTS_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "trail/trail.h"
#include "trail/verify.h"

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

// heads_hold says whether `verify` finds the trail true, payloads as well, and grown out of every head. NULL for `key`:
// the trail's own. Otherwise `err` has the first fault.
static inline bool heads_hold(struct mlt_env *env, const char *dir, const struct mlt_vkey *key,
                              const struct mlt_head *heads, size_t num, struct mlt_error *err) {
    struct mlt_bytes *notes = calloc(num + 1, sizeof(*notes));
    struct mlt_verify_report *r = calloc(1, sizeof(*r));
    assert(notes && r);
    for (size_t i = 0; i < num; i++) {
        notes[i] = mlt_bytes_of(heads[i].note, heads[i].note_len);
    }
    const struct mlt_verify_options vo = {.dir = dir, .key = key, .heads = notes, .num_heads = num};
    bool good = mlt_verify_trail(env, &vo, r, err) == MLT_OK && r->verdict && r->payloads_checked;
    if (!good && r->num_faults > 0) {
        (void)snprintf(err->text, sizeof(err->text), "%s: %s", r->faults[0].file, r->faults[0].text);
    }
    free(r);
    free(notes);
    return good;
}

#endif
