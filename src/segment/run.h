// A run: sorted leaves of some entries, in memory, or put aside in a file without a name that ends with the process.
#ifndef MLT_SEGMENT_RUN_H
#define MLT_SEGMENT_RUN_H

#include "segment/stream.h"

struct mlt_run {
    uint64_t first, end; // of the entries, where that matters
    uint64_t num_leaves;
    struct mlt_link_leaves leaves; // sorted; empty when they are in the file
    struct mlt_env *env;
    struct mlt_file *file; // NULL: in memory
};

// mlt_run_put_aside moves the leaves from memory to a file, made at `path` and unlinked at once.
enum mlt_status mlt_run_put_aside(struct mlt_run *run, struct mlt_env *env, const char *path,
                                  struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_run_stream(const struct mlt_run *run, struct mlt_stream *out, struct mlt_error *err) MLT_MUST_USE;
void mlt_run_clear(struct mlt_run *run);

#endif
