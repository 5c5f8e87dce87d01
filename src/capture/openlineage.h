// OpenLineage (spec 2-0-2): events become `capture` records; what all events of a run say together becomes
// `dataset.version`, `training.run` and `model.version` records. docs/integrations/openlineage.md has the field map.
#ifndef MLT_CAPTURE_OPENLINEAGE_H
#define MLT_CAPTURE_OPENLINEAGE_H

#include "capture/capture.h"
#include "record/source.h"

#define MLT_OPENLINEAGE "openlineage"         // the format of its capture records
#define MLT_OPENLINEAGE_BAD_EVENT "bad-event" // the code of what is JSON and no event

// Of a namespace and a name together: they name a dataset or a job in records, and a training run's own view of its
// input is named after both.
#define MLT_OPENLINEAGE_NAME_MAX 500
// A run that reports for days (RUNNING events of a streaming job) is told by its first events and by its last: those
// between repeat them.
#define MLT_OPENLINEAGE_EVENTS_MAX 1000
#define MLT_OPENLINEAGE_EVENTS_BYTES_MAX ((size_t)64 * 1024 * 1024) // of one run, in memory while it is put together

// mlt_openlineage_event takes one event (a mlt_capture_format): one capture record, and what a DatasetEvent says about
// a version. mlt_openlineage_batch takes an array of events; item n of `rejected` is element n-1.
enum mlt_status mlt_openlineage_event(struct mlt_capture *out, const struct mlt_foreign *msg,
                                      struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_openlineage_batch(struct mlt_capture *out, const struct mlt_foreign *msg,
                                      struct mlt_error *err) MLT_MUST_USE;

// mlt_openlineage_derive adds what the runs in `out` (filled by one of the above) are together with what `src`, the log
// before them, has of the same runs from `producer`: nothing until an event ends a run. The same events give the same
// records in whatever order they came; events that come after the end only add.
enum mlt_status mlt_openlineage_derive(struct mlt_capture *out, const struct mlt_source *src, struct mlt_bytes producer,
                                       struct mlt_error *err) MLT_MUST_USE;

// What the rest of the log knows about datasets.
struct mlt_openlineage_known {
    bool dataset;             // it has a version of this dataset
    struct mlt_bytes version; // the last one that was made `by` then, other than `but`; empty: none was
};
struct mlt_openlineage_log {
    void *ctx;
    enum mlt_status (*find)(void *ctx, struct mlt_bytes dataset, struct mlt_bytes but, int64_t by,
                            struct mlt_arena *arena, struct mlt_openlineage_known *out, struct mlt_error *err);
};
// mlt_openlineage_tell is the pure part of it: events of one run, in any order, as they were received.
enum mlt_status mlt_openlineage_tell(struct mlt_capture *out, const struct mlt_bytes *events, size_t num_events,
                                     const struct mlt_openlineage_log *log, struct mlt_error *err) MLT_MUST_USE;

#endif
