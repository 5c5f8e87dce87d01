// Leaves of links in order, from memory or from a part of a file, and several such streams merged into one.
#ifndef MLT_SEGMENT_STREAM_H
#define MLT_SEGMENT_STREAM_H

#include "base/env.h"
#include "record/link_tree.h"

// Leaves read at a time from one file: few calls, and 256 files at once keep within 10 MiB.
#define MLT_STREAM_LEAVES 1024

struct mlt_stream {
    struct mlt_env *env;
    struct mlt_file *file;            // NULL: all leaves are in memory
    const struct mlt_link_leaf *leaf; // read, not consumed yet
    size_t num;
    uint64_t left; // in the file, beyond those
    uint64_t off;  // where they begin
    struct mlt_link_leaf *buffer;
    struct mlt_sha256_stream *hash; // of the bytes read from the file; NULL: nobody asks
};
void mlt_stream_of_memory(struct mlt_stream *s, const struct mlt_link_leaves *leaves);
// mlt_stream_of_file reads `num_leaves` encoded leaves from `off` on; the file is borrowed.
enum mlt_status mlt_stream_of_file(struct mlt_stream *s, struct mlt_env *env, struct mlt_file *file, uint64_t off,
                                   uint64_t num_leaves, struct mlt_error *err) MLT_MUST_USE;
void mlt_stream_clear(struct mlt_stream *s);

// A merge takes the least leaf of all streams, again and again. It borrows them.
struct mlt_merge {
    struct mlt_stream **heap; // the stream with the least leaf first
    size_t num;
};
enum mlt_status mlt_merge_init(struct mlt_merge *m, struct mlt_stream *streams, size_t num_streams,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_merge_next gives the next leaf and the stream that it came from; NULL: there is none.
enum mlt_status mlt_merge_next(struct mlt_merge *m, struct mlt_link_leaf *out, const struct mlt_stream **from,
                               struct mlt_error *err) MLT_MUST_USE;
void mlt_merge_clear(struct mlt_merge *m);

#endif
