// Inside of the OpenLineage format: all events of one run, read as one.
//
// A facet is what the latest event that carries it says (by eventTime, then START before RUNNING and OTHER before the
// end, then by the event's bytes): so the order of arrival does not matter. `_deleted` takes a facet back.
#ifndef MLT_CAPTURE_OPENLINEAGE_RUN_H
#define MLT_CAPTURE_OPENLINEAGE_RUN_H

#include "capture/openlineage.h"

// A value in one of the events; json NULL: absent.
struct mlt_openlineage_value {
    const struct mlt_json *json;
    mlt_json_at at;
};

enum mlt_openlineage_rank { MLT_OPENLINEAGE_START, MLT_OPENLINEAGE_BETWEEN, MLT_OPENLINEAGE_END };

struct mlt_openlineage_event {
    struct mlt_json json;
    struct mlt_bytes raw;
    struct mlt_bytes type, time_text;
    int64_t time;
    enum mlt_openlineage_rank rank;
};

// A dataset as one event names it.
struct mlt_openlineage_mention {
    struct mlt_bytes ns, name;
    struct mlt_openlineage_value value;
    size_t order;
};

enum mlt_openlineage_side { MLT_OPENLINEAGE_INPUT, MLT_OPENLINEAGE_OUTPUT };

struct mlt_openlineage_dataset {
    enum mlt_openlineage_side side;
    struct mlt_bytes ns, name, full;
    const struct mlt_openlineage_mention *mentions; // in order of the events
    size_t num_mentions;
};

struct mlt_openlineage_run {
    struct mlt_arena *arena;
    struct mlt_openlineage_event *events; // in order
    size_t num_events;
    const struct mlt_openlineage_event *end;   // the last that ended the run; NULL: it goes on
    const struct mlt_openlineage_event *start; // NULL: not known
    struct mlt_bytes id;
    struct mlt_bytes job_ns, job_name, job;           // `job`: both
    struct mlt_openlineage_dataset *inputs, *outputs; // each once, in order of their names
    size_t num_inputs, num_outputs;
};

// mlt_openlineage_run_read scans and sorts events of one run; those that are none (damaged, other) are left out.
enum mlt_status mlt_openlineage_run_read(struct mlt_openlineage_run *run, struct mlt_arena *arena,
                                         const struct mlt_bytes *events, size_t num_events,
                                         struct mlt_error *err) MLT_MUST_USE;
void mlt_openlineage_run_clear(struct mlt_openlineage_run *run);

struct mlt_openlineage_value mlt_openlineage_run_facet(const struct mlt_openlineage_run *run, const char *facet);
struct mlt_bytes mlt_openlineage_tag(const struct mlt_openlineage_run *run, const char *key); // of the run
struct mlt_openlineage_value mlt_openlineage_job_facet(const struct mlt_openlineage_run *run, const char *facet);
// mlt_openlineage_dataset_facet looks into `facets` and into `inputFacets` or `outputFacets`.
struct mlt_openlineage_value mlt_openlineage_dataset_facet(const struct mlt_openlineage_dataset *dataset,
                                                           const char *facet);

// Values: a member, its text ({NULL,0}: no string), a count.
struct mlt_openlineage_value mlt_openlineage_get(struct mlt_openlineage_value v, const char *name);
struct mlt_bytes mlt_openlineage_text(struct mlt_openlineage_value v, const char *name, struct mlt_arena *arena);
bool mlt_openlineage_count(struct mlt_openlineage_value v, const char *name, uint64_t *out);
// Elements of an array, names of an object (their values with mlt_openlineage_of).
mlt_json_at mlt_openlineage_first(struct mlt_openlineage_value v);
mlt_json_at mlt_openlineage_next(struct mlt_openlineage_value v, mlt_json_at at);
static inline struct mlt_openlineage_value mlt_openlineage_of(struct mlt_openlineage_value v, mlt_json_at at) {
    return (struct mlt_openlineage_value){v.json, at};
}

// mlt_openlineage_names: whether a namespace and a name are such as are accepted when an event arrives.
bool mlt_openlineage_names(struct mlt_bytes ns, struct mlt_bytes name);
bool mlt_openlineage_type_known(struct mlt_bytes event_type);
// mlt_openlineage_full_name joins namespace and name with a slash, unless there is one already.
struct mlt_bytes mlt_openlineage_full_name(struct mlt_arena *arena, struct mlt_bytes ns, struct mlt_bytes name);

// Conditions (openlineage_range.c): what a `subset` facet restricts a dataset to.
// mlt_openlineage_condition appends a condition as people would write it.
void mlt_openlineage_condition(struct mlt_buf *out, struct mlt_openlineage_value condition, struct mlt_arena *arena);
// mlt_openlineage_date_range writes the member `date_range` of a source, if the events state one.
void mlt_openlineage_date_range(struct mlt_json_writer *w, const struct mlt_openlineage_run *run,
                                const struct mlt_openlineage_dataset *dataset);

// Members that several kinds of record share (openlineage_facets.c); each writes nothing when nothing is known.
void mlt_openlineage_put_value(struct mlt_json_writer *w, struct mlt_openlineage_value v); // absent: null
void mlt_openlineage_put_digest(struct mlt_json_writer *w, const char *member, struct mlt_openlineage_value digest,
                                struct mlt_arena *arena);
void mlt_openlineage_put_exclusions(struct mlt_json_writer *w, const struct mlt_openlineage_value *facets, size_t num,
                                    struct mlt_arena *arena);
void mlt_openlineage_put_transformations(struct mlt_json_writer *w, const struct mlt_openlineage_run *run,
                                         const struct mlt_openlineage_dataset *made);
void mlt_openlineage_put_hyperparameters(struct mlt_json_writer *w, const struct mlt_openlineage_run *run);
bool mlt_openlineage_rows(const struct mlt_openlineage_dataset *dataset, uint64_t *out);
// Who: our facet, else a tag of the run with one of these keys (NULL-terminated).
struct mlt_bytes mlt_openlineage_actor(const struct mlt_openlineage_run *run, const char *member,
                                       const char *const *tags);
// The first owner of an `ownership` facet.
struct mlt_bytes mlt_openlineage_owner(struct mlt_openlineage_value ownership, struct mlt_arena *arena);

// mlt_openlineage_tell_dataset adds what a DatasetEvent says about a version of its dataset, if it names one.
enum mlt_status mlt_openlineage_tell_dataset(struct mlt_capture *out, const struct mlt_json *json, mlt_json_at event,
                                             struct mlt_error *err) MLT_MUST_USE;

#endif
