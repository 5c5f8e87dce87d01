// The index without a trail: deltas in memory over runs in files, and the answers from both.
//
// A delta holds the look-ups of a stretch [first, end) of entries within one segment. The newest, live one grows; when
// it is full a thread writes it while the next one grows. So memory holds two deltas, however long the log is.
//
// Writing a delta, in this order, each step durable before the next one begins:
//   1. META reach = end         files may hold something of entries below `end`
//   2. runs of names, lists, bitmaps, streams, each ingested whole
//   3. META watermark = end     files answer for entries below `end`: the point of no return
// Whatever files hold at or above the watermark is not looked at. A crash between 1 and 3 leaves reach > watermark: the
// next start makes the same delta [watermark, reach) again from the log, and the same keys replace what was left.
// So the watermark is never ahead of what it promises, without a write-ahead log for the content.
#ifndef MLT_INDEX_LOOKUP_H
#define MLT_INDEX_LOOKUP_H

#include <pthread.h>

#include "base/env.h"
#include "index/names.h"
#include "index/postings.h"
#include "index/streams.h"
#include "record/draft.h"
#include "record/source.h"

#define MLT_SEGMENT_BITS 20
#define MLT_SEGMENT_ENTRIES (UINT64_C(1) << MLT_SEGMENT_BITS)
#define MLT_DELTA_NAMES_MAX (1u << 20)  // about 80 MiB, two of them
#define MLT_DELTA_BYTES_MAX (48u << 20) // postings and streams, two of them; predictions need about half
#define MLT_DELTA_ENTRIES_MIN 4096      // a smaller one is not worth files at close: reloading it takes milliseconds
// Earlier entries of one name that admission compares with; a retry under a name with more may be stored again, which
// harms nobody.
#define MLT_SAME_NAME_MAX 1024

struct mlt_delta {
    uint64_t first, end;
    struct mlt_names names;
    struct mlt_postings postings;
    struct mlt_streams streams;
};

struct mlt_lookup {
    struct mlt_runs *runs; // NULL: read-only, and there are no files
    bool read_only;
    // `lock` guards watermark, deltas and what is in them. The writer is the only one that changes the live delta and
    // that adds deltas; the flusher removes the one it wrote.
    pthread_rwlock_t lock;
    uint64_t watermark;
    struct mlt_delta **deltas; // oldest first, the last is live; at most two unless read-only
    size_t num_deltas, cap_deltas;
    struct mlt_delta *spare; // empty, its memory ready; under `lock`
    // Of the writer.
    struct mlt_delta *live;   // the last of `deltas`
    uint64_t end;             // next entry to be added; readers take it under `lock`
    uint64_t reach;           // as found at open; the delta that ends there is written there
    struct mlt_names pending; // admitted, not yet durable
    struct mlt_run_scan *scan;
    uint64_t scan_watermark;
    bool flushing;
    pthread_t flusher;
    enum mlt_status flush_status; // of the flusher until joined
    struct mlt_error flush_err;
    // Says whether an entry was erased: then its name alone identifies it. May be NULL.
    bool (*erased)(void *arg, uint64_t entry);
    void *erased_arg;
};

// mlt_lookup_open opens the files in `dir` (created unless read-only). MLT_CORRUPT when they are damaged, of another
// format or origin, or ahead of `log_size`: remove them and open again.
enum mlt_status mlt_lookup_open(struct mlt_lookup **out, const char *dir, const char *origin, uint64_t log_size,
                                bool read_only, struct mlt_error *err) MLT_MUST_USE;
// mlt_lookup_close writes the live delta (if worth it and `write`) and frees.
enum mlt_status mlt_lookup_close(struct mlt_lookup *lk, bool write, struct mlt_error *err);

enum mlt_status mlt_lookup_admit(struct mlt_lookup *lk, const struct mlt_draft *draft, uint64_t index, bool *duplicate,
                                 uint64_t *first, struct mlt_error *err) MLT_MUST_USE;
void mlt_lookup_dropped(struct mlt_lookup *lk, uint64_t size);
enum mlt_status mlt_lookup_added(struct mlt_lookup *lk, const struct mlt_draft *const *drafts, size_t n, uint64_t first,
                                 struct mlt_error *err) MLT_MUST_USE;

// A query is the entries that have all of `terms` and, when there are some, any of `either`.
struct mlt_query {
    const struct mlt_term *terms;
    size_t num_terms;
    const struct mlt_term *either;
    size_t num_either;
    uint64_t size;
    uint64_t from;
    bool descending;
    size_t limit;
};
struct mlt_answer {
    uint64_t *out;
    size_t num_out;
    bool want_total;
    uint64_t total;
    bool more;
};
enum mlt_status mlt_lookup_find(struct mlt_lookup *lk, const struct mlt_query *q, struct mlt_answer *a,
                                struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_lookup_stream(struct mlt_lookup *lk, const struct mlt_term *stream, uint64_t size,
                                  struct mlt_stream_run *out, size_t cap, size_t *num_runs,
                                  struct mlt_error *err) MLT_MUST_USE;

static inline uint64_t mlt_segment_base(uint64_t entry) {
    return entry >> MLT_SEGMENT_BITS << MLT_SEGMENT_BITS;
}

#endif
