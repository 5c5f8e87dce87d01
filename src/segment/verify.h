// Checking commitments against the entries: every root is computed again, every count, and whether the commitments
// cover the log without a gap. Needs the entries alone, from wherever they come.
#ifndef MLT_SEGMENT_VERIFY_H
#define MLT_SEGMENT_VERIFY_H

#include "base/env.h"
#include "record/link_tree.h"
#include "trail/verify.h"

struct mlt_segment_verify_options {
    uint64_t size; // entries 0 … size-1 are looked at
    // entries appends entries first … first+count-1 as an entry bundle (u16 length || bytes each). Called for rising
    // positions, twice: once to find the commitments, once to compute them, then by several threads.
    enum mlt_status (*entries)(void *ctx, uint64_t first, size_t count, struct mlt_buf *out, struct mlt_error *err);
    // fault is called for each commitment that is wrong: the control entry, and what is wrong with it.
    void (*fault)(void *ctx, uint64_t entry, const char *text);
    void *ctx;
    struct mlt_env *env; // for what does not fit into memory …
    const char *scratch; // … and the directory where it is put aside; NULL: /tmp
    size_t leaves_max;   // in memory; 0: MLT_SEGMENT_VERIFY_LEAVES_MAX
    unsigned threads;    // beside the one that calls; at most MLT_SEGMENT_VERIFY_THREADS_MAX
};
#define MLT_SEGMENT_VERIFY_THREADS_MAX 15               // each gathers 65536 entries at a time
#define MLT_SEGMENT_VERIFY_LEAVES_MAX ((size_t)1 << 21) // 80 MiB: a whole segment with two links an entry

struct mlt_segment_verify_report {
    uint64_t commitments; // checked
    uint64_t covered;     // entries below it are committed to
};

// Status: could it be checked? Faults are told to `fault`. MLT_CORRUPT: an entry that a commitment covers is no entry.
enum mlt_status mlt_segment_verify(const struct mlt_segment_verify_options *opt, struct mlt_segment_verify_report *out,
                                   struct mlt_error *err) MLT_MUST_USE;

// mlt_segment_verify_further is it as the further check of mlt_verify_trail; `arg` is a struct mlt_segment_further.
struct mlt_segment_further {
    struct mlt_env *env;
    const char *scratch; // NULL: /tmp
    size_t leaves_max;   // as above
    unsigned threads;
    struct mlt_segment_verify_report report;
};
enum mlt_status mlt_segment_verify_further(void *arg, const struct mlt_verify_view *view,
                                           struct mlt_error *err) MLT_MUST_USE;

#endif
