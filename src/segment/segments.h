// The segments of a trail: which commitments there are, what they prove, and making new ones.
//
// Whole segments of `entries` entries are committed to one after the other from entry 0 on (mlt_segments_step); sixteen
// of one size become one of sixteen times the size. A seal commits to what follows the last whole one, up to a given
// entry: a small last segment, which the next seal or the whole segment supersedes. Files of superseded segments are
// removed, and built again when a proof as of an earlier size needs one.
#ifndef MLT_SEGMENT_SEGMENTS_H
#define MLT_SEGMENT_SEGMENTS_H

#include "segment/build.h"

#define MLT_SEGMENT_ENTRIES_DEFAULT (UINT64_C(1) << 20) // a power of two
#define MLT_SEGMENT_ENTRIES_MIN UINT64_C(16)
#define MLT_SEGMENT_FANOUT 16

// A commitment: entry `entry` of the log says it.
struct mlt_committed {
    struct mlt_segment segment;
    uint64_t entry;
};

struct mlt_segments_options {
    struct mlt_trail *trail;
    uint64_t entries; // of a whole segment; 0: the default
    // commit appends the control entry of a segment (mlt_segment_write) and returns when it is durable, with its index.
    // NULL: nothing can be committed, only proved.
    enum mlt_status (*commit)(void *ctx, const struct mlt_segment *segment, uint64_t *entry, struct mlt_error *err);
    void *ctx;
};

// Safe from several threads: proofs go on while a segment is being built.
struct mlt_segments;
enum mlt_status mlt_segments_open(struct mlt_segments **out, const struct mlt_segments_options *opt,
                                  struct mlt_error *err) MLT_MUST_USE;
void mlt_segments_close(struct mlt_segments *s); // NULL accepted

// mlt_segments_learn adds a commitment that the log holds already: control entry `entry`. Whoever opens the segments
// lets them learn all there are, in any order.
enum mlt_status mlt_segments_learn(struct mlt_segments *s, uint64_t entry, struct mlt_bytes bytes,
                                   struct mlt_error *err) MLT_MUST_USE;

// mlt_segments_at gives the segments that a tree of `size` commits to and that together cover entries [0, *covered)
// without overlap, the largest ones there are, in order. Their memory is in `arena`.
enum mlt_status mlt_segments_at(struct mlt_segments *s, uint64_t size, struct mlt_arena *arena,
                                const struct mlt_committed **list, size_t *num, uint64_t *covered,
                                struct mlt_error *err) MLT_MUST_USE;

// mlt_segments_prove proves which entries of one segment have `link`; of those the newest are shown, at most
// `max_shown` (MLT_LINK_SHOWN_MAX is a good one). Builds the segment's file if it is not there. MLT_CORRUPT: the
// entries do not give the committed root: the log or the commitment was tampered with.
enum mlt_status mlt_segments_prove(struct mlt_segments *s, const struct mlt_committed *which,
                                   const struct mlt_link *link, size_t max_shown, struct mlt_arena *arena,
                                   struct mlt_link_proof *out, struct mlt_error *err) MLT_MUST_USE;

// mlt_segments_seal makes [0, end) covered, and returns when the last commitment that this takes is durable: then
// mlt_segments_at of a size above that entry has *covered >= end. Does nothing when it is covered already.
enum mlt_status mlt_segments_seal(struct mlt_segments *s, uint64_t end, struct mlt_error *err) MLT_MUST_USE;

// mlt_segments_step does one piece of work in the background, for one thread: commits to a whole segment, merges
// sixteen, digests a part of the tail so that a seal has little to read, or removes what is superseded. `*more`: there
// is more to do. MLT_BUSY: it made way for somebody who waits, and is to be tried again.
enum mlt_status mlt_segments_step(struct mlt_segments *s, bool *more, struct mlt_error *err) MLT_MUST_USE;

uint64_t mlt_segments_covered(struct mlt_segments *s); // entries below it are committed to

// mlt_segments_stop makes whatever goes on in other threads end soon, with MLT_BUSY; for the time before closing.
void mlt_segments_stop(struct mlt_segments *s);

#endif
