// Building the file of a segment from the entries and from files of smaller segments.
#ifndef MLT_SEGMENT_BUILD_H
#define MLT_SEGMENT_BUILD_H

#include "segment/file.h"

// A segment whose file is there. `leaves` is the SHA-256 of all its leaves, if this process wrote them: checking that
// costs a tenth of computing the root again.
struct mlt_segment_part {
    struct mlt_segment segment;
    bool is_known;
    uint8_t leaves[MLT_HASH_LEN];
};

struct mlt_segment_job {
    struct mlt_trail *trail;
    bool (*stop)(void *arg); // asked now and then: whether to give up (MLT_BUSY). NULL: never
    void *stop_arg;
    size_t leaves_max; // in memory; 0: MLT_BUILD_LEAVES_MAX
};

// mlt_segment_build writes the file of segment first … end-1 of the trail, durable on return. `parts` are consecutive
// segments from `first` on whose files are there already; what they do not cover is read from the entries, which costs
// a few microseconds an entry. Each part must have the root, or the leaves, that are said here. Memory is bounded
// whatever the entries hold: above MLT_BUILD_LEAVES_MAX links are put aside in sorted runs. Takes no lock that an
// append needs.
//
// MLT_CORRUPT: an entry does not parse, or `*bad_part` (else num_parts) is the part whose file is damaged.
// MLT_NOTFOUND: likewise, and it is not there.
enum mlt_status mlt_segment_build(const struct mlt_segment_job *job, uint64_t first, uint64_t end,
                                  const struct mlt_segment_part *parts, size_t num_parts, struct mlt_segment_part *out,
                                  size_t *bad_part, struct mlt_error *err) MLT_MUST_USE;
#define MLT_BUILD_LEAVES_MAX ((size_t)1 << 20) // 40 MiB

#endif
