// Reading a stream of a spool from a place on: the writer's own while it is written, or what a dead writer left.
#ifndef MLT_SPOOL_READER_H
#define MLT_SPOOL_READER_H

#include "spool/frame.h"
#include "spool/spool_file.h"

#define MLT_SPOOL_FILE_MAX ((size_t)64 * 1024 * 1024) // a segment of 16 MiB whose only frame is one of the longest

struct mlt_spool_reader {
    struct mlt_env *env;
    const char *dir, *stream;
    struct mlt_buf chunk, path; // kept from one reading to the next
};
void mlt_spool_reader_clear(struct mlt_spool_reader *r);

// Bytes that are not as they were written.
struct mlt_spool_damage {
    uint64_t segment, offset;
    char why[96];
};

enum mlt_spool_found {
    MLT_SPOOL_FOUND_FRAMES,
    MLT_SPOOL_FOUND_NOTHING, // the end; a torn tail is the end
    MLT_SPOOL_FOUND_DAMAGE,  // told; `*place` is the beginning of the next segment
};

// mlt_spool_read gives frames of one segment from `*place` on to `take`, which borrows them and says whether it took
// the one it was shown; at the first that it did not take, at the segment's end or at a bad frame it stops, and
// `*place` is behind the last one taken. `until` is the writer's place; {last segment, UINT64_MAX, 0} for a stream that
// nobody writes. `take` must take the first one.
enum mlt_status mlt_spool_read(struct mlt_spool_reader *r, struct mlt_spool_place *place,
                               const struct mlt_spool_place *until, bool (*take)(void *arg, const struct mlt_frame *f),
                               void *arg, enum mlt_spool_found *found, struct mlt_spool_damage *damage,
                               struct mlt_error *err) MLT_MUST_USE;

#endif
