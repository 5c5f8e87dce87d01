// The files of the index: sorted runs in a RocksDB database, one family for each kind of look-up.
//
// Every family but META has keys of MLT_RUN_KEY_LEN bytes: term hash (16) || dimension (1) || u64be entry. A run is a
// sorted file made outside the database and handed over whole (SST ingest), which costs a tenth of single puts.
// The prefix of a key (its term) is in each file's bloom filter, so that a term which is absent costs no read.
#ifndef MLT_INDEX_RUNS_H
#define MLT_INDEX_RUNS_H

#include "base/bytes.h"
#include "record/term.h"

#define MLT_RUN_PREFIX_LEN (MLT_TERM_LEN + 1)
#define MLT_RUN_KEY_LEN (MLT_RUN_PREFIX_LEN + 8)

enum mlt_run_family {
    MLT_RUN_META,  // format, origin, watermark, reach
    MLT_RUN_NAMES, // entry: an entry that has the name -> u64be owner || content, or empty when it is not its identity
    MLT_RUN_LISTS, // entry: first of a stretch -> count, last, and the postings themselves when they are few
    MLT_RUN_BITMAPS, // the same key -> the postings when they are many
    MLT_RUN_STREAMS, // entry: first of a stretch -> sequence runs
    MLT_NUM_RUN_FAMILIES,
};

struct mlt_runs;

// mlt_runs_open opens or creates <dir>. `read_only`: MLT_NOTFOUND when there is none, nothing is written.
// MLT_CORRUPT: RocksDB does not accept what is there.
enum mlt_status mlt_runs_open(struct mlt_runs **out, const char *dir, bool read_only,
                              struct mlt_error *err) MLT_MUST_USE;
void mlt_runs_close(struct mlt_runs *runs);

void mlt_run_key(uint8_t out[static MLT_RUN_KEY_LEN], const struct mlt_term *term, uint64_t entry);
static inline uint64_t mlt_run_key_entry(const uint8_t *key) {
    return mlt_load_u64be(key + MLT_RUN_PREFIX_LEN);
}

// A run being written. Keys ascend strictly. `ingest` makes it part of the family, durable when it returns; a run
// without keys leaves nothing. Both `ingest` and `abandon` free the writer.
struct mlt_run_writer;
enum mlt_status mlt_run_begin(struct mlt_run_writer **out, struct mlt_runs *runs, enum mlt_run_family family,
                              struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_run_put(struct mlt_run_writer *w, const uint8_t key[static MLT_RUN_KEY_LEN], struct mlt_bytes value,
                            struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_run_ingest(struct mlt_run_writer *w, struct mlt_error *err) MLT_MUST_USE;
void mlt_run_abandon(struct mlt_run_writer *w);

// A value by its key; `*found` says whether there is one. Thread-safe. `value` is reset first.
enum mlt_status mlt_runs_get(struct mlt_runs *runs, enum mlt_run_family family, struct mlt_bytes key,
                             struct mlt_buf *value, bool *found, struct mlt_error *err) MLT_MUST_USE;
// A META value; synced when it returns.
enum mlt_status mlt_runs_put_meta(struct mlt_runs *runs, const char *key, struct mlt_bytes value,
                                  struct mlt_error *err) MLT_MUST_USE;

// A scan of all keys of one term, ascending. It sees the runs that were there when it was made; of one thread.
struct mlt_run_scan;
enum mlt_status mlt_run_scan_new(struct mlt_run_scan **out, struct mlt_runs *runs, enum mlt_run_family family,
                                 struct mlt_error *err) MLT_MUST_USE;
void mlt_run_scan_free(struct mlt_run_scan *scan);
void mlt_run_scan_seek(struct mlt_run_scan *scan, const struct mlt_term *term);
// The pair at which the scan stands; false at the end. Borrowed until the scan moves.
bool mlt_run_scan_at(struct mlt_run_scan *scan, uint64_t *entry, struct mlt_bytes *value);
void mlt_run_scan_next(struct mlt_run_scan *scan);
// Whether the end was the end: MLT_CORRUPT or MLT_IO when reading failed.
enum mlt_status mlt_run_scan_status(struct mlt_run_scan *scan, struct mlt_error *err) MLT_MUST_USE;

// How many files a family has.
uint64_t mlt_runs_count(struct mlt_runs *runs, enum mlt_run_family family);

#endif
