// Serving streams of a stretch of entries: runs of consecutive sequence numbers in log order.
//
// In the files (family STREAMS) the value of a stream in a stretch is its runs, 32 bytes each:
//   u64be first sequence || u64be count || u64be first entry || u64be last entry.
// The entries of a run are consecutive postings of the list MLT_DIM_SEQUENCED of the stream (only entries with a
// sequence number, so not its tallies): the k-th of them has the k-th number. A run is cut at a size by that rank.
#ifndef MLT_INDEX_STREAMS_H
#define MLT_INDEX_STREAMS_H

#include "index/runs.h"
#include "index/termmap.h"
#include "record/source.h"

#define MLT_DIM_SEQUENCED 0xf0 // of the index alone: no record has a term of this dimension
#define MLT_STREAM_RUN_LEN 32

struct mlt_stream_runs {
    struct mlt_stream_run *runs;
    size_t num_runs, cap;
};

// Zero-initialised is valid and empty.
struct mlt_streams {
    struct mlt_termmap map;
    struct mlt_stream_runs *streams; // by number of the term; their memory is reused after reset
    uint32_t num_made, cap;
    size_t run_bytes;
};

void mlt_streams_clear(struct mlt_streams *s);
void mlt_streams_reset(struct mlt_streams *s);
// mlt_streams_add: entries ascend. False when memory is out.
bool mlt_streams_add(struct mlt_streams *s, const struct mlt_term *stream, uint64_t sequence, uint64_t entry);
const struct mlt_stream_runs *mlt_streams_find(const struct mlt_streams *s, const struct mlt_term *stream);
size_t mlt_streams_memory(const struct mlt_streams *s);

// mlt_stream_runs_append adds a run that follows in log order, joined to the last one when its numbers go on.
bool mlt_stream_runs_append(struct mlt_stream_runs *runs, const struct mlt_stream_run *run);
void mlt_stream_runs_clear(struct mlt_stream_runs *runs);

enum mlt_status mlt_streams_write(const struct mlt_streams *s, uint64_t first, struct mlt_run_writer *w,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_stream_run_read reads run number `i` of a value of STREAMS. False: past the end or no such value.
bool mlt_stream_run_read(struct mlt_bytes value, size_t i, struct mlt_stream_run *out);

#endif
