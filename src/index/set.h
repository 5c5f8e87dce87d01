// What a query intersects: for one term, or for several of which any will do, the parts of its posting list.
#ifndef MLT_INDEX_SET_H
#define MLT_INDEX_SET_H

#include "index/delta.h"

// The postings of one term in one stretch.
struct mlt_part {
    const struct mlt_term *term;
    uint64_t first; // of the stretch: with the term the key in the files
    uint64_t segment;
    uint32_t count;           // of all its postings, also those at or above the size asked for
    uint32_t last;            // highest offset
    roaring_bitmap_t *bitmap; // NULL: in the files
};

struct mlt_set {
    struct mlt_part *parts; // ascending by segment
    size_t num_parts, cap;
};

void mlt_set_clear(struct mlt_set *set);
// mlt_set_add_memory takes what the deltas have of a term below `size`; the caller holds the lock.
bool mlt_set_add_memory(struct mlt_set *set, const struct mlt_lookup *lk, const struct mlt_term *term, uint64_t size);
// mlt_set_add_files takes what the files have below `size` and below the watermark that was read under the same lock
// as the deltas; `scans` are reused by the caller for further terms.
struct mlt_set_scans {
    struct mlt_run_scan *names, *lists;
};
enum mlt_status mlt_set_add_files(struct mlt_set *set, struct mlt_lookup *lk, struct mlt_set_scans *scans,
                                  const struct mlt_term *term, uint64_t size, uint64_t watermark,
                                  struct mlt_error *err) MLT_MUST_USE;
void mlt_set_scans_clear(struct mlt_set_scans *scans);
void mlt_set_sort(struct mlt_set *set);

// mlt_part_count counts the postings of a part below `size`, mostly without its bitmap.
enum mlt_status mlt_part_count(struct mlt_lookup *lk, struct mlt_part *part, uint64_t size, uint64_t *out,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_set_segment gives the set's offsets in a segment below `size`; the caller frees. Empty when it has none. It uses
// up the parts of the segment: ask once, after counting.
enum mlt_status mlt_set_segment(struct mlt_lookup *lk, struct mlt_set *set, uint64_t segment, uint64_t size,
                                roaring_bitmap_t **out, struct mlt_error *err) MLT_MUST_USE;

#endif
