// The index: look-ups derived from the entries, in <trail>/index. Delete it and it is rebuilt.
//
// Names (many values, few entries each) are sorted runs: 1 M newest in memory, older ones as SST files handed to
// RocksDB by ingest. Lists (few values, many entries each) are posting lists (CRoaring) per segment of 2^20 entries,
// with counts. A watermark says up to which entry the files answer; the rest is reloaded from the log at open.
#ifndef MLT_INDEX_INDEX_H
#define MLT_INDEX_INDEX_H

#include "record/source.h"
#include "trail/trail.h"

struct mlt_index;

struct mlt_index_options {
    bool read_only; // read-only trails: everything above the watermark in memory, nothing written
    void (*progress)(void *arg, uint64_t done, uint64_t total); // while reloading or rebuilding
    void *progress_arg;
};

// mlt_index_open opens or creates <trail>/index and reloads what the log has above the watermark. An index of another
// format version, of another trail, ahead of the log, or damaged is removed and rebuilt.
enum mlt_status mlt_index_open(struct mlt_index **out, struct mlt_trail *trail, const struct mlt_index_options *opt,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_index_close writes what is in memory and closes. Call after mlt_trail_close has drained the committer.
// Fewer than 4096 entries stay in the log alone: files for them would pile up with every short command, and the next
// open reloads them in milliseconds.
enum mlt_status mlt_index_close(struct mlt_index *ix, struct mlt_error *err);
// mlt_index_destroy removes <dir>/index so that the next open rebuilds it.
enum mlt_status mlt_index_destroy(struct mlt_env *env, const char *trail_dir, struct mlt_error *err) MLT_MUST_USE;

// The writer's side (valid until close).
struct mlt_admission mlt_index_admission(struct mlt_index *ix);

// The readers' side: a source as of `size` (at most what is acknowledged). `payloads`: the reader may see them.
// Thread-safe; valid until mlt_index_source_clear.
enum mlt_status mlt_index_source(struct mlt_index *ix, uint64_t size, bool payloads, struct mlt_source *out,
                                 struct mlt_error *err) MLT_MUST_USE;
void mlt_index_source_clear(struct mlt_source *s);

// mlt_index_find_hours is `find` of a source made by mlt_index_source, for entries that also have an event time in the
// hours from_hour <= h < to_hour (hours since 1970, floor). num_terms may be 0. Payload-blind, like `find`.
#define MLT_FIND_HOURS_MAX (UINT64_C(20) * 366 * 24) // twenty years, each hour a look-up: about a second at worst
enum mlt_status mlt_index_find_hours(const struct mlt_source *src, const struct mlt_term *terms, size_t num_terms,
                                     int64_t from_hour, int64_t to_hour, uint64_t from, bool descending, size_t limit,
                                     uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                                     struct mlt_error *err) MLT_MUST_USE;

struct mlt_index_stats {
    uint64_t watermark, in_memory, runs, lists;
};
void mlt_index_get_stats(struct mlt_index *ix, struct mlt_index_stats *out);

#endif
