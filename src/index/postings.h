// Posting lists of a stretch of entries within one segment of 2^20: for each term the entries that have it, as offsets
// from the segment's first entry.
//
// In the files (families LISTS and BITMAPS) a list of a stretch is
//   u32be count || u32be last offset || count offsets, u32be each     when count <= MLT_LIST_INLINE_MAX
//   u32be count || u32be last offset                                  otherwise; the offsets are in BITMAPS
// and in BITMAPS the portable serialization of Roaring bitmaps. Count and last offset tell how many postings lie below
// a size that the stretch does not straddle without reading a bitmap.
#ifndef MLT_INDEX_POSTINGS_H
#define MLT_INDEX_POSTINGS_H

#include <roaring/roaring.h>

#include "index/runs.h"
#include "index/termmap.h"

#define MLT_LIST_INLINE_MAX 64 // above this a bitmap takes less room than the offsets
#define MLT_LIST_SMALL 6       // offsets kept without a bitmap in memory: most subjects and many jobs have fewer

struct mlt_list {
    uint32_t count;
    uint32_t last;
    uint32_t small[MLT_LIST_SMALL];
    roaring_bitmap_t *bitmap; // NULL while count <= MLT_LIST_SMALL
};

// Zero-initialised is valid and empty.
struct mlt_postings {
    struct mlt_termmap map;
    struct mlt_list *lists; // by number of the term
    uint32_t cap;
    size_t bitmap_bytes; // an upper bound
};

void mlt_postings_clear(struct mlt_postings *p);
void mlt_postings_reset(struct mlt_postings *p);
// mlt_postings_add: offsets ascend; the same one again is nothing new. False when memory is out.
bool mlt_postings_add(struct mlt_postings *p, const struct mlt_term *term, uint32_t offset);
const struct mlt_list *mlt_postings_find(const struct mlt_postings *p, const struct mlt_term *term);
size_t mlt_postings_memory(const struct mlt_postings *p);

// mlt_list_bitmap makes a bitmap of the offsets below `end`; the caller frees it. NULL when memory is out.
roaring_bitmap_t *mlt_list_bitmap(const struct mlt_list *list, uint32_t end);

// mlt_postings_write puts all lists into the two runs, under keys with `first`.
enum mlt_status mlt_postings_write(const struct mlt_postings *p, uint64_t first, struct mlt_run_writer *lists,
                                   struct mlt_run_writer *bitmaps, struct mlt_error *err) MLT_MUST_USE;
// mlt_list_read takes a value of LISTS apart; `*bitmap` is set when the offsets are in it, else NULL. MLT_CORRUPT.
enum mlt_status mlt_list_read(struct mlt_bytes value, uint32_t *count, uint32_t *last, roaring_bitmap_t **bitmap,
                              struct mlt_error *err) MLT_MUST_USE;
// mlt_list_load reads the bitmap of a list from BITMAPS; it must have `count` offsets.
enum mlt_status mlt_list_load(struct mlt_runs *runs, const struct mlt_term *term, uint64_t first, uint32_t count,
                              roaring_bitmap_t **bitmap, struct mlt_error *err) MLT_MUST_USE;

#endif
