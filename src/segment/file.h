// The file of a segment: <trail>/links/<first>-<end> (docs/FORMAT.md, "links"). Derived from the entries.
//
//        0    8  "MLTLNK01"
//        8    8  first
//       16    8  end
//       24    8  N: number of leaves
//       32   32  root of the tree of the leaves
//       64   60  zeros
//      124    4  CRC-32C of the 124 bytes before
//      128 40·N  leaves, ascending: link || u64 entry
//               then for l = 1 … 7: the ⌊N / 256^l⌋ hashes of tile level l, 32 bytes each
//
// Valid if and only if (1) magic, CRC and zeros are right; (2) first < end as the name says; (3) the length is exact;
// (4) the leaves ascend strictly and each entry is in [first, end); (5) the hashes are those of the leaves. Opening
// checks 1 to 3; a proof made from a file that breaks 4 or 5 does not verify; rebuilding finds out.
#ifndef MLT_SEGMENT_FILE_H
#define MLT_SEGMENT_FILE_H

#include "segment/stream.h"
#include "trail/trail.h"

#define MLT_SEGMENT_HEADER_LEN 128
#define MLT_SEGMENT_PATH_MAX (MLT_PATH_MAX + 64)

struct mlt_segment_file {
    struct mlt_env *env;
    struct mlt_file *file;
    struct mlt_segment segment;
};

// mlt_segment_path puts the path of a segment's file together: <dir>/links/<first>-<end><suffix>.
void mlt_segment_path(char out[static MLT_SEGMENT_PATH_MAX], const char *trail_dir, uint64_t first, uint64_t end,
                      const char *suffix);
// mlt_segment_dir_make makes <dir>/links if it is not there.
enum mlt_status mlt_segment_dir_make(struct mlt_env *env, const char *trail_dir, struct mlt_error *err) MLT_MUST_USE;
// mlt_segment_file_open: MLT_NOTFOUND, or MLT_CORRUPT when it is not valid (rules 1 to 3): build it again.
enum mlt_status mlt_segment_file_open(struct mlt_segment_file *out, struct mlt_env *env, const char *trail_dir,
                                      uint64_t first, uint64_t end, struct mlt_error *err) MLT_MUST_USE;
void mlt_segment_file_close(struct mlt_segment_file *f);
struct mlt_link_access mlt_segment_file_access(struct mlt_segment_file *f); // valid until it is closed

// A writer of a new file whose number of leaves is known, so that every part has its place from the start and memory
// does not grow with it. Under a temporary name until mlt_segment_writer_finish.
struct mlt_segment_writer;
enum mlt_status mlt_segment_writer_open(struct mlt_segment_writer **out, struct mlt_env *env, const char *trail_dir,
                                        uint64_t first, uint64_t end, uint64_t num_leaves,
                                        struct mlt_error *err) MLT_MUST_USE;
// mlt_segment_writer_hash makes `leaves` hash the bytes of the leaves on their way.
void mlt_segment_writer_hash(struct mlt_segment_writer *w, struct mlt_sha256_stream *leaves);
// mlt_segment_writer_add: MLT_CORRUPT when the leaf does not ascend or its entry is outside: the inputs were damaged.
enum mlt_status mlt_segment_writer_add(struct mlt_segment_writer *w, const struct mlt_link_leaf *leaf,
                                       struct mlt_error *err) MLT_MUST_USE;
// mlt_segment_writer_finish makes the file durable under its name and tells what it holds.
enum mlt_status mlt_segment_writer_finish(struct mlt_segment_writer *w, struct mlt_segment *out,
                                          struct mlt_error *err) MLT_MUST_USE;
void mlt_segment_writer_close(struct mlt_segment_writer *w); // removes what was not finished; NULL accepted

#endif
