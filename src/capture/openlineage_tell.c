// What a run that has ended is in the words of the trail:
//
//   output, not a model  → dataset.version: version = `version` facet, else the run's id; inputs that the trail knows
//                          as datasets → `inputs`, all others → `sources`
//   the run trained      → training.run, and a dataset.version for each input that the trail did not know: what this
//                          run read of it
//   output MODEL, digest → model.version
//
// A run that failed or was aborted made no version of anything; that it trained is still told.
#include "capture/openlineage_run.h"

#include "base/time.h"
#include "record/members.h"

#define RECORDS_MAX 1000 // of one run
// Of one run: every output lists every input. With the event, and with one record more, of 16 MiB of facts, it still
// fits into a journal group (63 MiB): else the event would be refused, and that was all there is of the run.
#define LINES_MAX ((size_t)40 * 1024 * 1024)

static const char *const TAGS_TRIGGERED[] = {"triggered_by", "triggeredBy", "mltrail.triggered_by", NULL};
static const char *const TAGS_CREATED[] = {"created_by", "createdBy", "mltrail.created_by", NULL};
static const char *const NO_TAGS[] = {NULL};

struct telling {
    struct mlt_capture *out;
    const struct mlt_openlineage_log *log;
    struct mlt_openlineage_run run;
    struct mlt_openlineage_known *known; // of each input
    struct mlt_bytes *known_as;          // its name in the trail: its own, or that of a symlink
    bool trains;
    bool cut;                      // there was no room for a record
    size_t num_before, len_before; // records and bytes of the capture that are of other runs
};

// --- what it is ---

static bool same_word(struct mlt_bytes a, const char *upper) {
    size_t len = strlen(upper);
    for (size_t i = 0; i < len && a.len == len; i++) {
        uint8_t c = a.ptr[i];
        if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != upper[i]) {
            return false;
        }
    }
    return a.len == len;
}

static bool is_model(const struct mlt_openlineage_dataset *d, struct mlt_arena *arena) {
    struct mlt_openlineage_value type = mlt_openlineage_dataset_facet(d, "datasetType");
    return same_word(mlt_openlineage_text(type, "datasetType", arena), "MODEL");
}

// A job of type MODEL trains one, unless it is dbt's: there a model is a SELECT.
static bool trains(const struct mlt_openlineage_run *run) {
    struct mlt_openlineage_value type = mlt_openlineage_job_facet(run, "jobType");
    struct mlt_bytes word = mlt_openlineage_text(type, "jobType", run->arena);
    bool dbt = same_word(mlt_openlineage_text(type, "integration", run->arena), "DBT");
    bool found = !dbt && (same_word(word, "MODEL") || same_word(word, "TRAINING"));
    for (size_t i = 0; !found && i < run->num_outputs; i++) {
        found = is_model(&run->outputs[i], run->arena);
    }
    return found;
}

static struct mlt_bytes version_facet(const struct mlt_openlineage_dataset *d, struct mlt_arena *arena) {
    struct mlt_openlineage_value facet = mlt_openlineage_dataset_facet(d, "version");
    struct mlt_bytes version = mlt_openlineage_text(facet, "datasetVersion", arena);
    return version.len <= MLT_NAME_MAX ? version : (struct mlt_bytes){0};
}

static struct mlt_bytes version_of(const struct telling *t, const struct mlt_openlineage_dataset *d) {
    struct mlt_bytes version = version_facet(d, t->run.arena);
    return version.len > 0 ? version : t->run.id;
}

// A run that has no START yet began no later than the first thing that it said.
static int64_t began(const struct mlt_openlineage_run *run) {
    return run->start ? run->start->time : run->events[0].time;
}

// The version of an input that this run made itself: not what it read.
static struct mlt_bytes own_version(const struct telling *t, const struct mlt_openlineage_dataset *input) {
    for (size_t i = 0; i < t->run.num_outputs; i++) {
        if (mlt_bytes_equal(t->run.outputs[i].full, input->full)) {
            return version_of(t, &t->run.outputs[i]);
        }
    }
    return (struct mlt_bytes){0};
}

static enum mlt_status look_up(struct telling *t, size_t i, struct mlt_bytes name, struct mlt_error *err) {
    const struct mlt_openlineage_dataset *d = &t->run.inputs[i];
    struct mlt_openlineage_known *known = &t->known[i];
    struct mlt_bytes version = version_facet(d, t->run.arena);
    enum mlt_status status =
        t->log->find(t->log->ctx, name, own_version(t, d), began(&t->run), t->run.arena, known, err);
    known->version = version.len > 0 ? version : known->version;
    // All its versions are later: this run read what was there before the trail knew of it.
    known->dataset = known->dataset && known->version.len > 0;
    t->known_as[i] = name;
    return status;
}

// By its own name, else by the other names that the event gives it: what Spark writes as a path is read as a table.
static enum mlt_status look_up_input(struct telling *t, size_t i, struct mlt_error *err) {
    struct mlt_openlineage_value symlinks =
        mlt_openlineage_get(mlt_openlineage_dataset_facet(&t->run.inputs[i], "symlinks"), "identifiers");
    enum mlt_status status = look_up(t, i, t->run.inputs[i].full, err);
    for (mlt_json_at at = mlt_openlineage_first(symlinks);
         status == MLT_OK && !t->known[i].dataset && at != MLT_JSON_NONE; at = mlt_openlineage_next(symlinks, at)) {
        struct mlt_openlineage_value other = mlt_openlineage_of(symlinks, at);
        struct mlt_bytes ns = mlt_openlineage_text(other, "namespace", t->run.arena);
        struct mlt_bytes name = mlt_openlineage_text(other, "name", t->run.arena);
        if (mlt_openlineage_names(ns, name)) {
            status = look_up(t, i, mlt_openlineage_full_name(t->run.arena, ns, name), err);
        }
    }
    return status;
}

static enum mlt_status look_up_inputs(struct telling *t, struct mlt_error *err) {
    t->known = mlt_arena_zero(t->run.arena, (t->run.num_inputs + 1) * sizeof *t->known);
    t->known_as = mlt_arena_zero(t->run.arena, (t->run.num_inputs + 1) * sizeof *t->known_as);
    if (!t->known || !t->known_as) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the inputs of a run");
    }
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && t->log && i < t->run.num_inputs; i++) {
        status = look_up_input(t, i, err);
    }
    return status;
}

// --- members ---

static void put_text(struct mlt_json_writer *w, const char *member, struct mlt_bytes text) {
    if (text.len > 0) {
        mlt_jw_member_bytes(w, member, text);
    }
}

static void put_rows(struct mlt_json_writer *w, const struct mlt_openlineage_dataset *d) {
    uint64_t rows;
    if (mlt_openlineage_rows(d, &rows)) {
        mlt_jw_member_u64(w, "rows", rows);
    }
}

static void put_hash(struct mlt_json_writer *w, const struct mlt_openlineage_dataset *d, const char *member,
                     struct mlt_arena *arena) {
    mlt_openlineage_put_digest(w, member, mlt_openlineage_dataset_facet(d, "mltrail_datasetDigest"), arena);
}

static void put_source(struct mlt_json_writer *w, const struct telling *t, const struct mlt_openlineage_dataset *d) {
    const struct mlt_openlineage_run *run = &t->run;
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "system", d->ns);
    mlt_jw_member_bytes(w, "table", d->name);
    mlt_openlineage_date_range(w, run, d);
    put_text(w, "query", mlt_openlineage_text(mlt_openlineage_job_facet(run, "sql"), "query", run->arena));
    put_text(w, "snapshot", version_facet(d, run->arena));
    put_rows(w, d);
    mlt_jw_end_object(w);
}

// A run that said nothing of its inputs states no sources; one whose inputs are all datasets of the trail has none.
static void put_sources(struct mlt_json_writer *w, const struct telling *t) {
    if (t->run.num_inputs == 0) {
        return;
    }
    mlt_jw_name(w, "sources");
    mlt_jw_array(w);
    for (size_t i = 0; i < t->run.num_inputs; i++) {
        if (!t->known[i].dataset) {
            put_source(w, t, &t->run.inputs[i]);
        }
    }
    mlt_jw_end_array(w);
}

static void put_inputs(struct mlt_json_writer *w, const struct telling *t, const struct mlt_openlineage_dataset *made) {
    bool any = false;
    for (size_t i = 0; i < t->run.num_inputs; i++) {
        const struct mlt_openlineage_dataset *d = &t->run.inputs[i];
        bool itself =
            mlt_bytes_equal(t->known_as[i], made->full) && mlt_bytes_equal(t->known[i].version, version_of(t, made));
        if (!t->known[i].dataset || itself) {
            continue;
        }
        if (!any) {
            mlt_jw_name(w, "inputs");
            mlt_jw_array(w);
            any = true;
        }
        mlt_jw_object(w);
        mlt_jw_member_bytes(w, "dataset", t->known_as[i]);
        mlt_jw_member_bytes(w, "version", t->known[i].version);
        put_hash(w, d, "hash", t->run.arena);
        mlt_jw_end_object(w);
    }
    if (any) {
        mlt_jw_end_array(w);
    }
}

// Exclusions are stated where they were made: at the dataset that was made, at an input, or of the whole run.
static void put_exclusions(struct mlt_json_writer *w, const struct telling *t,
                           const struct mlt_openlineage_dataset *made) {
    size_t max = t->run.num_inputs + 3, num = 0;
    struct mlt_openlineage_value *facets = mlt_arena_zero(t->run.arena, max * sizeof *facets);
    if (!facets) {
        w->out->failed = true;
        return;
    }
    for (size_t i = 0; made->side == MLT_OPENLINEAGE_OUTPUT && i < t->run.num_inputs; i++) {
        facets[num++] = mlt_openlineage_dataset_facet(&t->run.inputs[i], "mltrail_exclusions");
    }
    facets[num++] = mlt_openlineage_run_facet(&t->run, "mltrail_exclusions");
    facets[num++] = mlt_openlineage_job_facet(&t->run, "mltrail_exclusions");
    facets[num++] = mlt_openlineage_dataset_facet(made, "mltrail_exclusions");
    mlt_openlineage_put_exclusions(w, facets, num, t->run.arena);
}

static struct mlt_bytes triggered_by(const struct telling *t) {
    return mlt_openlineage_actor(&t->run, "triggeredBy", TAGS_TRIGGERED);
}

static struct mlt_bytes created_by(const struct telling *t, const struct mlt_openlineage_dataset *made) {
    struct mlt_arena *arena = t->run.arena;
    struct mlt_bytes who = mlt_openlineage_actor(&t->run, "createdBy", TAGS_CREATED);
    who = who.len > 0 ? who : triggered_by(t);
    who = who.len > 0 ? who : mlt_openlineage_owner(mlt_openlineage_dataset_facet(made, "ownership"), arena);
    return who.len > 0 ? who : mlt_openlineage_owner(mlt_openlineage_job_facet(&t->run, "ownership"), arena);
}

static void put_locations(struct mlt_json_writer *w, const struct mlt_openlineage_dataset *d) {
    mlt_jw_name(w, "locations");
    mlt_jw_array(w);
    mlt_jw_string(w, d->full);
    mlt_jw_end_array(w);
}

// --- records ---

static void tell_output(struct telling *t, const struct mlt_openlineage_dataset *d) {
    struct mlt_arena *arena = t->run.arena;
    struct mlt_json_writer *w = mlt_capture_begin(t->out, "dataset.version");
    mlt_jw_member_bytes(w, "dataset", d->full);
    mlt_jw_member_bytes(w, "version", version_of(t, d));
    mlt_jw_member_bytes(w, "timestamp", t->run.end->time_text);
    put_hash(w, d, "hash", arena);
    put_sources(w, t);
    put_inputs(w, t, d);
    mlt_openlineage_put_transformations(w, &t->run, d);
    put_exclusions(w, t, d);
    put_text(w, "created_by", created_by(t, d));
    put_locations(w, d);
    put_rows(w, d);
    put_text(w, "description",
             mlt_openlineage_text(mlt_openlineage_dataset_facet(d, "documentation"), "description", arena));
    mlt_capture_end(t->out);
}

// The name of what a training run read of an input that is no dataset of the trail: no other run's view of it.
_Static_assert(2 * MLT_OPENLINEAGE_NAME_MAX + sizeof "/reads/" <= MLT_NAME_MAX, "it can name a dataset");
static struct mlt_bytes read_name(const struct telling *t, const struct mlt_openlineage_dataset *d) {
    struct mlt_bytes reads = mlt_openlineage_full_name(t->run.arena, t->run.job, mlt_str("reads"));
    return mlt_openlineage_full_name(t->run.arena, reads, d->full);
}

static void tell_read(struct telling *t, const struct mlt_openlineage_dataset *d) {
    struct mlt_json_writer *w = mlt_capture_begin(t->out, "dataset.version");
    mlt_jw_member_bytes(w, "dataset", read_name(t, d));
    mlt_jw_member_bytes(w, "version", t->run.id);
    mlt_jw_member_bytes(w, "timestamp", t->run.end->time_text);
    put_hash(w, d, "hash", t->run.arena);
    mlt_jw_name(w, "sources");
    mlt_jw_array(w);
    put_source(w, t, d);
    mlt_jw_end_array(w);
    mlt_openlineage_put_transformations(w, &t->run, d);
    put_exclusions(w, t, d);
    put_text(w, "created_by", created_by(t, d));
    put_locations(w, d);
    put_rows(w, d);
    mlt_capture_end(t->out);
}

static void put_role(struct mlt_json_writer *w, const struct mlt_openlineage_dataset *d, struct mlt_arena *arena) {
    static const char *const roles[] = {"train", "validation", "test"};
    struct mlt_bytes role =
        mlt_openlineage_text(mlt_openlineage_dataset_facet(d, "mltrail_datasetRole"), "role", arena);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (mlt_bytes_is(role, roles[i])) {
            mlt_jw_member_bytes(w, "role", role);
        }
    }
}

static void put_training_data(struct mlt_json_writer *w, const struct telling *t) {
    if (t->run.num_inputs == 0) {
        return;
    }
    mlt_jw_name(w, "datasets");
    mlt_jw_array(w);
    for (size_t i = 0; i < t->run.num_inputs; i++) {
        const struct mlt_openlineage_dataset *d = &t->run.inputs[i];
        mlt_jw_object(w);
        put_role(w, d, t->run.arena);
        mlt_jw_member_bytes(w, "dataset", t->known[i].dataset ? t->known_as[i] : read_name(t, d));
        mlt_jw_member_bytes(w, "version", t->known[i].dataset ? t->known[i].version : t->run.id);
        put_hash(w, d, "hash", t->run.arena);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

static void put_metrics(struct mlt_json_writer *w, const struct telling *t) {
    struct mlt_openlineage_value metrics =
        mlt_openlineage_get(mlt_openlineage_run_facet(&t->run, "mltrail_metrics"), "metrics");
    if (metrics.json && mlt_json_is(metrics.json, metrics.at, MLT_JSON_OBJECT)) {
        mlt_jw_name(w, "metrics");
        mlt_openlineage_put_value(w, metrics);
    }
}

static void put_trigger(struct mlt_json_writer *w, const struct telling *t) {
    static const char *const triggers[] = {"manual", "schedule", "event"};
    struct mlt_bytes trigger = mlt_openlineage_actor(&t->run, "trigger", NO_TAGS);
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
        if (mlt_bytes_is(trigger, triggers[i])) {
            mlt_jw_member_bytes(w, "trigger", trigger);
        }
    }
    put_text(w, "triggered_by", triggered_by(t));
    put_text(w, "on_behalf_of", mlt_openlineage_actor(&t->run, "onBehalfOf", NO_TAGS));
}

static void put_environment(struct mlt_json_writer *w, const struct telling *t) {
    struct mlt_openlineage_value engine = mlt_openlineage_run_facet(&t->run, "processing_engine");
    struct mlt_bytes version = mlt_openlineage_text(engine, "version", t->run.arena);
    if (version.len == 0) {
        return;
    }
    mlt_jw_name(w, "environment");
    mlt_jw_object(w);
    put_text(w, "name", mlt_openlineage_text(engine, "name", t->run.arena));
    put_text(w, "version", version);
    mlt_jw_end_object(w);
}

static bool has_digest(const struct mlt_openlineage_dataset *d) {
    return mlt_openlineage_dataset_facet(d, "mltrail_datasetDigest").json != NULL;
}

static void tell_training(struct telling *t) {
    struct mlt_arena *arena = t->run.arena;
    struct mlt_openlineage_value code = mlt_openlineage_job_facet(&t->run, "sourceCodeLocation");
    struct mlt_json_writer *w = mlt_capture_begin(t->out, "training.run");
    mlt_jw_member_bytes(w, "training_job_id", t->run.id);
    mlt_jw_member_bytes(w, "timestamp", t->run.end->time_text);
    put_training_data(w, t);
    put_text(w, "git_commit", mlt_openlineage_text(code, "version", arena));
    put_text(w, "git_repository", mlt_openlineage_text(code, "repoUrl", arena));
    mlt_openlineage_put_hyperparameters(w, &t->run);
    put_metrics(w, t);
    put_trigger(w, t);
    if (t->run.start) {
        mlt_jw_member_bytes(w, "started_at", t->run.start->time_text);
    }
    mlt_jw_member_bytes(w, "ended_at", t->run.end->time_text);
    put_environment(w, t);
    for (size_t i = 0; i < t->run.num_outputs; i++) {
        if (is_model(&t->run.outputs[i], arena) && has_digest(&t->run.outputs[i])) {
            put_hash(w, &t->run.outputs[i], "artifact_hash", arena);
            break;
        }
    }
    mlt_capture_end(t->out);
}

static void tell_model(struct telling *t, const struct mlt_openlineage_dataset *d) {
    struct mlt_arena *arena = t->run.arena;
    struct mlt_bytes who = mlt_openlineage_actor(&t->run, "registeredBy", NO_TAGS);
    struct mlt_json_writer *w = mlt_capture_begin(t->out, "model.version");
    mlt_jw_member_bytes(w, "model", d->name);
    mlt_jw_member_bytes(w, "model_version", version_of(t, d));
    mlt_jw_member_bytes(w, "timestamp", t->run.end->time_text);
    put_hash(w, d, "model_artifact_hash", arena);
    mlt_jw_member_bytes(w, "training_job_id", t->run.id);
    put_text(w, "registered_by", who.len > 0 ? who : triggered_by(t));
    mlt_jw_member(w, "origin", "trained");
    mlt_jw_name(w, "artifacts");
    mlt_jw_array(w);
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "name", d->name);
    put_hash(w, d, "hash", arena);
    mlt_jw_member_bytes(w, "uri", d->full);
    mlt_jw_end_object(w);
    mlt_jw_end_array(w);
    put_text(w, "description",
             mlt_openlineage_text(mlt_openlineage_dataset_facet(d, "documentation"), "description", arena));
    mlt_capture_end(t->out);
}

// Whether there is room for one more record.
static bool room(struct telling *t) {
    t->cut = t->cut || t->out->num_records - t->num_before >= RECORDS_MAX ||
             t->out->lines.len - t->len_before >= LINES_MAX || t->out->lines.len >= MLT_CAPTURE_LINES_MAX;
    return !t->cut && !t->out->lines.failed;
}

static void tell_outputs(struct telling *t) {
    for (size_t i = 0; i < t->run.num_outputs && room(t); i++) {
        const struct mlt_openlineage_dataset *d = &t->run.outputs[i];
        if (!is_model(d, t->run.arena)) {
            tell_output(t, d);
        } else if (has_digest(d)) {
            tell_model(t, d);
        }
    }
}

static enum mlt_status tell(struct telling *t, struct mlt_error *err) {
    enum mlt_status status = look_up_inputs(t, err);
    if (status != MLT_OK) {
        return status;
    }
    t->trains = trains(&t->run);
    for (size_t i = 0; t->trains && i < t->run.num_inputs && room(t); i++) {
        if (!t->known[i].dataset) {
            tell_read(t, &t->run.inputs[i]);
        }
    }
    if (t->trains) {
        tell_training(t);
    }
    if (mlt_bytes_is(t->run.end->type, "COMPLETE")) {
        tell_outputs(t);
    }
    if (t->out->lines.failed || t->out->arena.failed) { // a text that was not given would be a member left out
        return mlt_fail(err, MLT_NOMEM, "no memory for the records of a run");
    }
    return !t->cut ? MLT_OK
                   : mlt_capture_reject(t->out, 1, t->run.end->raw, "too-many-datasets", "/outputs",
                                        "the run has so many outputs and inputs that not all of them became records; "
                                        "its events are all kept");
}

enum mlt_status mlt_openlineage_tell(struct mlt_capture *out, const struct mlt_bytes *events, size_t num_events,
                                     const struct mlt_openlineage_log *log, struct mlt_error *err) {
    struct telling t = {.out = out, .log = log, .num_before = out->num_records, .len_before = out->lines.len};
    enum mlt_status status = mlt_openlineage_run_read(&t.run, &out->arena, events, num_events, err);
    if (status == MLT_OK && t.run.end) {
        status = tell(&t, err);
        status = status == MLT_INVALID ? MLT_OK : status; // noted
    }
    if (status == MLT_OK && out->arena.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory to put a run together");
    }
    mlt_openlineage_run_clear(&t.run);
    return status;
}

// --- what a DatasetEvent says ---

enum mlt_status mlt_openlineage_tell_dataset(struct mlt_capture *out, const struct mlt_json *json, mlt_json_at event,
                                             struct mlt_error *err) {
    struct mlt_arena *arena = &out->arena;
    struct mlt_openlineage_value whole = {json, event};
    struct mlt_openlineage_mention m = {.value = mlt_openlineage_get(whole, "dataset")};
    m.ns = mlt_openlineage_text(m.value, "namespace", arena);
    m.name = mlt_openlineage_text(m.value, "name", arena);
    struct mlt_openlineage_dataset d = {MLT_OPENLINEAGE_OUTPUT, m.ns, m.name, {0}, &m, 1};
    d.full = mlt_openlineage_full_name(arena, m.ns, m.name);
    struct mlt_bytes version = version_facet(&d, arena);
    if (version.len == 0) {
        return MLT_OK; // it is about the dataset, not about a version of it
    }
    struct mlt_openlineage_value exclusions = mlt_openlineage_dataset_facet(&d, "mltrail_exclusions");
    struct mlt_json_writer *w = mlt_capture_begin(out, "dataset.version");
    mlt_jw_member_bytes(w, "dataset", d.full);
    mlt_jw_member_bytes(w, "version", version);
    put_hash(w, &d, "hash", arena);
    mlt_openlineage_put_exclusions(w, &exclusions, 1, arena);
    put_text(w, "created_by", mlt_openlineage_owner(mlt_openlineage_dataset_facet(&d, "ownership"), arena));
    put_locations(w, &d);
    put_rows(w, &d);
    put_text(w, "description",
             mlt_openlineage_text(mlt_openlineage_dataset_facet(&d, "documentation"), "description", arena));
    mlt_capture_end(out);
    return out->lines.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a dataset") : MLT_OK;
}
