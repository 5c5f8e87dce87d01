// Writing a stream into a spool (docs/FORMAT.md, "Spool"): what is put survives the death of this process when `put`
// returns, and a power loss when a `sync` that began later has returned.
#ifndef MLT_SPOOL_WRITER_H
#define MLT_SPOOL_WRITER_H

#include "spool/frame.h"
#include "spool/spool_file.h"

#define MLT_SPOOL_BYTES_DEFAULT ((uint64_t)1 << 30) // hours of predictions; little enough for a node's disk
#define MLT_SPOOL_BYTES_MIN ((uint64_t)64 * 1024)
#define MLT_SPOOL_SEGMENT_LEN_MAX ((uint64_t)16 * 1024 * 1024) // what is acknowledged is removed by the segment

struct mlt_spool_options {
    const char *dir;
    const char *serving_node; // at most MLT_SPOOL_NODE_LEN - 1 bytes
    uint64_t bytes_max;       // of this stream on disk; 0: MLT_SPOOL_BYTES_DEFAULT
};

// Safe from several threads, but for what says otherwise.
struct mlt_spool_writer;

// mlt_spool_writer_open makes the directory if need be, and a new stream in it.
//
// MLT_INVALID: the node's name or the limit is none.
enum mlt_status mlt_spool_writer_open(struct mlt_spool_writer **out, struct mlt_env *env,
                                      const struct mlt_spool_options *opt, struct mlt_error *err) MLT_MUST_USE;
// mlt_spool_writer_free closes the files and leaves them; others may adopt the stream from now on. NULL accepted.
void mlt_spool_writer_free(struct mlt_spool_writer *w);
// mlt_spool_writer_forget is for the child of a fork, where locks may be held by threads that are not there: it closes
// the lock's descriptor and leaves all else.
void mlt_spool_writer_forget(struct mlt_spool_writer *w);

const char *mlt_spool_writer_stream(const struct mlt_spool_writer *w); // lives as long as the writer
const char *mlt_spool_writer_dir(const struct mlt_spool_writer *w);
const char *mlt_spool_writer_started(const struct mlt_spool_writer *w);

// A body in two parts, between which the writer puts a number, so that the number is taken in the same moment as the
// place in the file. `after` NULL: `before` is the body as it is.
struct mlt_spool_item {
    enum mlt_frame_type type;
    struct mlt_bytes before;
    enum mlt_spool_number { MLT_SPOOL_NO_NUMBER, MLT_SPOOL_SEQUENCE, MLT_SPOOL_FRAME_NUMBER } number;
    struct mlt_bytes after;
};
struct mlt_spool_put {
    uint64_t frame;
    uint64_t sequence; // of MLT_SPOOL_SEQUENCE; else 0
};
// mlt_spool_writer_put appends a frame: one write. mlt_spool_writer_put_all appends several that follow each other, all
// of them or none, and likewise with one write; `*out` is what became of the first.
//
// MLT_NOSPACE: the stream is as long as it may be or the disk is full; nothing was written, no number taken. MLT_LIMIT:
// a body is too long, or all together are. MLT_IO: what was to be put does not count, and the next put overwrites it;
// only a crash may bring it back. MLT_CONFLICT: the stream was ended.
enum mlt_status mlt_spool_writer_put(struct mlt_spool_writer *w, const struct mlt_spool_item *item,
                                     struct mlt_spool_put *out, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_spool_writer_put_all(struct mlt_spool_writer *w, const struct mlt_spool_item *items, size_t num,
                                         struct mlt_spool_put *out, struct mlt_error *err) MLT_MUST_USE;
// mlt_spool_writer_drop takes a prediction number that will not be sent.
uint64_t mlt_spool_writer_drop(struct mlt_spool_writer *w);
// mlt_spool_writer_end appends the final tally, if there were predictions; nothing can be put any more.
enum mlt_status mlt_spool_writer_end(struct mlt_spool_writer *w, struct mlt_error *err) MLT_MUST_USE;

// mlt_spool_writer_sync makes durable what was put before it was called. Nothing to do is quick. A file that could not
// be synced is written again; until that succeeds this and every put fail.
enum mlt_status mlt_spool_writer_sync(struct mlt_spool_writer *w, struct mlt_error *err) MLT_MUST_USE;

// mlt_spool_writer_place is where the next frame goes: readers read up to it.
struct mlt_spool_place mlt_spool_writer_place(struct mlt_spool_writer *w);
uint64_t mlt_spool_writer_bytes(struct mlt_spool_writer *w); // on disk
// mlt_spool_writer_room says whether `len` more bytes of bodies, in `num` frames, would fit under its limit.
bool mlt_spool_writer_room(struct mlt_spool_writer *w, uint64_t len, uint64_t num);
uint64_t mlt_spool_writer_sequence(struct mlt_spool_writer *w);
uint64_t mlt_spool_writer_lost(struct mlt_spool_writer *w);
bool mlt_spool_writer_ended(struct mlt_spool_writer *w);

// mlt_spool_writer_acked notes that everything before `place` is at the server: .ack is written, and segments that are
// done with are removed. On a full disk .ack stays as it was, which costs a repetition at most. One thread at a time.
enum mlt_status mlt_spool_writer_acked(struct mlt_spool_writer *w, const struct mlt_spool_place *place,
                                       struct mlt_error *err) MLT_MUST_USE;
// mlt_spool_writer_remove ends a stream whose frames are all at the server: its files go, the writer is freed.
void mlt_spool_writer_remove(struct mlt_spool_writer *w);

#endif
