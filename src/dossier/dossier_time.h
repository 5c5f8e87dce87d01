// The anchors around the entries of a dossier, and what they say about when each was logged.
#ifndef MLT_DOSSIER_DOSSIER_TIME_H
#define MLT_DOSSIER_DOSSIER_TIME_H

#include "dossier/dossier_write.h"
#include "record/anchor.h"

#define MLT_TIMES_ANCHORS_MAX 4096 // two for each entry that a dossier rests on, at most; it rests on fewer entries

struct mlt_time_anchor {
    uint64_t entry;
    struct mlt_bytes bytes;
    struct mlt_anchor says;
    bool used; // it bounds an entry
};

struct mlt_time_bounds {
    struct mlt_time_anchor *before; // logged at or after its time; NULL: not known
    struct mlt_time_anchor *after;  // existed at its time; NULL: not covered yet
    bool received_fits;             // the server's time of the entry lies between them
};

struct mlt_times {
    struct mlt_time_anchor *list[MLT_TIMES_ANCHORS_MAX]; // in log order
    size_t num;
    bool all_covered;     // every entry of the set existed at some anchor's time
    bool primary_covered; // the one that the dossier is about does
};

// mlt_times_find brackets every entry of the sorted `set` and adds the anchor entries that it needs, which stand in it
// without bounds of their own. The set is sorted again.
enum mlt_status mlt_times_find(struct mlt_times *times, struct mlt_arena *arena, const struct mlt_source *src,
                               struct mlt_proof_set *set, struct mlt_error *err) MLT_MUST_USE;
void mlt_times_put_bounds(struct mlt_json_writer *w, const struct mlt_time_bounds *bounds);
// mlt_times_put_anchors writes the anchors with the proofs that their trees grew into the tree of `root` (NULL: none at
// hand, nothing is proved). False: one did not.
bool mlt_times_put_anchors(struct mlt_json_writer *w, const struct mlt_source *src, const struct mlt_times *times,
                           const uint8_t *root);

#endif
