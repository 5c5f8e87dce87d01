// Facets as members of records. What a facet does not say as the spec or our schema has it is left out here and stays
// readable in the capture record; nothing that is written may make the record invalid.
#include <stdio.h>

#include "capture/openlineage_run.h"
#include "crypto/sha256.h"

// A record stands on one line, whatever white space an event has.
void mlt_openlineage_put_value(struct mlt_json_writer *w, struct mlt_openlineage_value v) {
    mlt_jw_value(w, v.json, v.at);
}

// --- who ---

struct mlt_bytes mlt_openlineage_actor(const struct mlt_openlineage_run *run, const char *member,
                                       const char *const *tags) {
    struct mlt_openlineage_value own = mlt_openlineage_run_facet(run, "mltrail_actor");
    struct mlt_bytes who = mlt_openlineage_text(own, member, run->arena);
    for (; who.len == 0 && *tags; tags++) {
        who = mlt_openlineage_tag(run, *tags);
    }
    return who;
}

struct mlt_bytes mlt_openlineage_owner(struct mlt_openlineage_value ownership, struct mlt_arena *arena) {
    struct mlt_openlineage_value owners = mlt_openlineage_get(ownership, "owners");
    mlt_json_at first = mlt_openlineage_first(owners);
    return first == MLT_JSON_NONE ? (struct mlt_bytes){0}
                                  : mlt_openlineage_text(mlt_openlineage_of(owners, first), "name", arena);
}

// --- how many ---

bool mlt_openlineage_rows(const struct mlt_openlineage_dataset *dataset, uint64_t *out) {
    static const char *const facets[] = {"outputStatistics", "inputStatistics", "dataQualityMetrics"};
    for (size_t i = 0; i < sizeof facets / sizeof facets[0]; i++) {
        if (mlt_openlineage_count(mlt_openlineage_dataset_facet(dataset, facets[i]), "rowCount", out)) {
            return true;
        }
    }
    return mlt_openlineage_count(mlt_openlineage_dataset_facet(dataset, "mltrail_datasetDigest"), "rowCount", out);
}

// --- digests ---

static bool is_hex_digest(struct mlt_bytes value) {
    uint8_t hash[MLT_HASH_LEN];
    return mlt_hex_decode(hash, sizeof hash, value);
}

// A digest that a record takes: of sha256 the form is checked.
static bool is_digest(struct mlt_bytes algorithm, struct mlt_bytes value) {
    return algorithm.len > 0 && value.len > 0 && (!mlt_bytes_is(algorithm, "sha256") || is_hex_digest(value));
}

void mlt_openlineage_put_digest(struct mlt_json_writer *w, const char *member, struct mlt_openlineage_value digest,
                                struct mlt_arena *arena) {
    struct mlt_bytes algorithm = mlt_openlineage_text(digest, "algorithm", arena);
    struct mlt_bytes value = mlt_openlineage_text(digest, "value", arena);
    struct mlt_openlineage_value others = mlt_openlineage_get(digest, "others");
    if (!is_digest(algorithm, value)) {
        return;
    }
    mlt_jw_name(w, member);
    mlt_jw_object(w);
    mlt_jw_name_bytes(w, algorithm);
    mlt_jw_string(w, value);
    bool object = others.json && mlt_json_is(others.json, others.at, MLT_JSON_OBJECT);
    for (mlt_json_at n = object ? mlt_openlineage_first(others) : MLT_JSON_NONE; n != MLT_JSON_NONE;
         n = mlt_openlineage_next(others, n)) {
        struct mlt_bytes name = mlt_json_string(others.json, n, arena);
        struct mlt_bytes other = mlt_json_string(others.json, n + 1, arena);
        if (is_digest(name, other) && !mlt_bytes_equal(name, algorithm)) {
            mlt_jw_name_bytes(w, name);
            mlt_jw_string(w, other);
        }
    }
    mlt_jw_end_object(w);
}

// --- what was left out ---

static void put_text_as(struct mlt_json_writer *w, const char *member, struct mlt_openlineage_value of,
                        const char *name, struct mlt_arena *arena) {
    struct mlt_bytes text = mlt_openlineage_text(of, name, arena);
    if (text.ptr) {
        mlt_jw_member_bytes(w, member, text);
    }
}

static void put_exclusion(struct mlt_json_writer *w, struct mlt_openlineage_value e, struct mlt_arena *arena) {
    uint64_t rows;
    mlt_jw_object(w);
    put_text_as(w, "condition", e, "condition", arena);
    put_text_as(w, "reason", e, "reason", arena);
    if (mlt_openlineage_count(e, "rowsRemoved", &rows)) {
        mlt_jw_member_u64(w, "rows", rows);
    }
    put_text_as(w, "approved_by", e, "approvedBy", arena);
    mlt_jw_end_object(w);
}

// An empty list is a statement; facets that nobody sent are none.
void mlt_openlineage_put_exclusions(struct mlt_json_writer *w, const struct mlt_openlineage_value *facets, size_t num,
                                    struct mlt_arena *arena) {
    bool stated = false;
    for (size_t i = 0; i < num; i++) {
        struct mlt_openlineage_value list = mlt_openlineage_get(facets[i], "exclusions");
        if (!list.json || !mlt_json_is(list.json, list.at, MLT_JSON_ARRAY)) {
            continue;
        }
        if (!stated) {
            mlt_jw_name(w, "exclusions");
            mlt_jw_array(w);
            stated = true;
        }
        for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE; at = mlt_openlineage_next(list, at)) {
            put_exclusion(w, mlt_openlineage_of(list, at), arena);
        }
    }
    if (stated) {
        mlt_jw_end_array(w);
    }
}

// --- what was done ---

static void put_code(struct mlt_json_writer *w, const struct mlt_openlineage_run *run) {
    struct mlt_openlineage_value code = mlt_openlineage_job_facet(run, "sourceCodeLocation");
    struct mlt_bytes commit = mlt_openlineage_text(code, "version", run->arena);
    struct mlt_bytes path = mlt_openlineage_text(code, "path", run->arena);
    if (!commit.ptr && !path.ptr) {
        return;
    }
    mlt_jw_name(w, "code");
    mlt_jw_object(w);
    put_text_as(w, "git_commit", code, "version", run->arena);
    put_text_as(w, "path", code, "path", run->arena);
    mlt_jw_end_object(w);
}

static struct mlt_bytes job_description(const struct mlt_openlineage_run *run) {
    struct mlt_bytes text =
        mlt_openlineage_text(mlt_openlineage_job_facet(run, "documentation"), "description", run->arena);
    return text.len > 0 ? text : mlt_openlineage_text(mlt_openlineage_job_facet(run, "sql"), "query", run->arena);
}

// The job as one step. Rows before are told of the only input: those of a join have no sum that means anything.
static void put_job_step(struct mlt_json_writer *w, const struct mlt_openlineage_run *run,
                         const struct mlt_openlineage_dataset *made) {
    struct mlt_bytes description = job_description(run);
    uint64_t rows;
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "step", run->job);
    if (description.len > 0) {
        mlt_jw_member_bytes(w, "description", description);
    }
    put_code(w, run);
    if (run->num_inputs == 1 && mlt_openlineage_rows(&run->inputs[0], &rows)) {
        mlt_jw_member_u64(w, "rows_in", rows);
    }
    if (made->side == MLT_OPENLINEAGE_OUTPUT && mlt_openlineage_rows(made, &rows)) {
        mlt_jw_member_u64(w, "rows_out", rows);
    }
    mlt_jw_end_object(w);
}

static void put_step(struct mlt_json_writer *w, const char *step, struct mlt_bytes name, const struct mlt_buf *text) {
    char begun[32];
    mlt_jw_object(w);
    mlt_jw_name(w, "step");
    if (name.ptr) {
        struct mlt_buf both = {0};
        (void)snprintf(begun, sizeof begun, "%s ", step);
        mlt_buf_put_str(&both, begun);
        mlt_buf_put_bytes(&both, name);
        w->out->failed = w->out->failed || both.failed;
        mlt_jw_string(w, mlt_buf_bytes(&both));
        mlt_buf_clear(&both);
    } else {
        mlt_jw_cstr(w, step);
    }
    mlt_jw_member_bytes(w, "description", mlt_buf_bytes(text));
    mlt_jw_end_object(w);
    w->out->failed = w->out->failed || text->failed;
}

// Makes the scratch text empty; that one before could not be held is not forgotten.
static void begin_text(struct mlt_json_writer *w, struct mlt_buf *text) {
    w->out->failed = w->out->failed || text->failed;
    mlt_buf_reset(text);
}

static void put_subset_step(struct mlt_json_writer *w, const struct mlt_openlineage_dataset *input,
                            struct mlt_buf *text, struct mlt_arena *arena) {
    struct mlt_openlineage_value subset = mlt_openlineage_dataset_facet(input, "subset");
    struct mlt_openlineage_value condition = mlt_openlineage_get(subset, "inputCondition");
    if (!condition.json) {
        return;
    }
    begin_text(w, text);
    mlt_buf_put_bytes(text, input->full);
    mlt_buf_put_str(text, ": ");
    mlt_openlineage_condition(text, condition, arena);
    put_step(w, "subset read", (struct mlt_bytes){0}, text);
}

// "namespace/name.field (DIRECT AGGREGATION, masked: what it does)"
static void put_transformed(struct mlt_buf *out, struct mlt_openlineage_value t, struct mlt_arena *arena) {
    struct mlt_openlineage_value masking = mlt_openlineage_get(t, "masking");
    struct mlt_bytes subtype = mlt_openlineage_text(t, "subtype", arena);
    struct mlt_bytes description = mlt_openlineage_text(t, "description", arena);
    mlt_buf_put_str(out, " (");
    mlt_buf_put_bytes(out, mlt_openlineage_text(t, "type", arena));
    mlt_buf_put_str(out, subtype.len > 0 ? " " : "");
    mlt_buf_put_bytes(out, subtype);
    if (masking.json && mlt_json_is(masking.json, masking.at, MLT_JSON_TRUE)) {
        mlt_buf_put_str(out, ", masked");
    }
    mlt_buf_put_str(out, description.len > 0 ? ": " : "");
    mlt_buf_put_bytes(out, description);
    mlt_buf_put_str(out, ")");
}

static void put_fields(struct mlt_buf *out, struct mlt_openlineage_value list, struct mlt_arena *arena) {
    for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE; at = mlt_openlineage_next(list, at)) {
        struct mlt_openlineage_value field = mlt_openlineage_of(list, at);
        struct mlt_openlineage_value how = mlt_openlineage_get(field, "transformations");
        mlt_buf_put_str(out, out->len > 0 ? ", " : "");
        mlt_buf_put_bytes(out, mlt_openlineage_full_name(arena, mlt_openlineage_text(field, "namespace", arena),
                                                         mlt_openlineage_text(field, "name", arena)));
        mlt_buf_put_str(out, ".");
        mlt_buf_put_bytes(out, mlt_openlineage_text(field, "field", arena));
        for (mlt_json_at t = mlt_openlineage_first(how); t != MLT_JSON_NONE; t = mlt_openlineage_next(how, t)) {
            put_transformed(out, mlt_openlineage_of(how, t), arena);
        }
    }
}

// What touched all rows (filters, joins, sorts) first, then what became of each column.
static void put_column_steps(struct mlt_json_writer *w, struct mlt_openlineage_value lineage, struct mlt_buf *text,
                             struct mlt_arena *arena) {
    struct mlt_openlineage_value dataset = mlt_openlineage_get(lineage, "dataset");
    struct mlt_openlineage_value fields = mlt_openlineage_get(lineage, "fields");
    begin_text(w, text);
    put_fields(text, dataset, arena);
    if (text->len > 0) {
        put_step(w, "all rows", (struct mlt_bytes){0}, text);
    }
    for (mlt_json_at n = mlt_openlineage_first(fields); n != MLT_JSON_NONE; n = mlt_openlineage_next(fields, n)) {
        struct mlt_openlineage_value field = mlt_openlineage_of(fields, n + 1);
        struct mlt_bytes said = mlt_openlineage_text(field, "transformationDescription", arena);
        begin_text(w, text);
        put_fields(text, mlt_openlineage_get(field, "inputFields"), arena);
        mlt_buf_put_str(text, said.len > 0 && text->len > 0 ? "; " : "");
        mlt_buf_put_bytes(text, said);
        if (text->len > 0) {
            put_step(w, "column", mlt_json_string(fields.json, n, arena), text);
        }
    }
}

void mlt_openlineage_put_transformations(struct mlt_json_writer *w, const struct mlt_openlineage_run *run,
                                         const struct mlt_openlineage_dataset *made) {
    struct mlt_buf text = {0};
    mlt_jw_name(w, "transformations");
    mlt_jw_array(w);
    if (made->side == MLT_OPENLINEAGE_INPUT) { // as a training run read it
        put_subset_step(w, made, &text, run->arena);
    }
    for (size_t i = 0; made->side == MLT_OPENLINEAGE_OUTPUT && i < run->num_inputs; i++) {
        put_subset_step(w, &run->inputs[i], &text, run->arena);
    }
    put_job_step(w, run, made);
    if (made->side == MLT_OPENLINEAGE_OUTPUT) {
        put_column_steps(w, mlt_openlineage_dataset_facet(made, "columnLineage"), &text, run->arena);
    }
    mlt_jw_end_array(w);
    begin_text(w, &text);
    mlt_buf_clear(&text);
}

// --- hyperparameters ---

static bool named_before(struct mlt_openlineage_value list, mlt_json_at end, struct mlt_bytes key,
                         struct mlt_arena *arena) {
    for (mlt_json_at at = mlt_openlineage_first(list); at != end; at = mlt_openlineage_next(list, at)) {
        if (mlt_bytes_equal(mlt_openlineage_text(mlt_openlineage_of(list, at), "key", arena), key)) {
            return true;
        }
    }
    return false;
}

#define PARAMETERS_MAX 1000 // of one run; each is compared with those before it

// The values as they were sent, mostly strings; the first of a name counts.
void mlt_openlineage_put_hyperparameters(struct mlt_json_writer *w, const struct mlt_openlineage_run *run) {
    struct mlt_openlineage_value facet = mlt_openlineage_run_facet(run, "executionParameters");
    struct mlt_openlineage_value list = mlt_openlineage_get(facet, "parameters");
    size_t num = 0;
    if (!list.json || !mlt_json_is(list.json, list.at, MLT_JSON_ARRAY)) {
        return;
    }
    mlt_jw_name(w, "hyperparameters");
    mlt_jw_object(w);
    for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE && num < PARAMETERS_MAX;
         at = mlt_openlineage_next(list, at), num++) {
        struct mlt_openlineage_value parameter = mlt_openlineage_of(list, at);
        struct mlt_bytes key = mlt_openlineage_text(parameter, "key", run->arena);
        struct mlt_openlineage_value value = mlt_openlineage_get(parameter, "value");
        if (key.len > 0 && !named_before(list, at, key, run->arena)) {
            mlt_jw_name_bytes(w, key);
            mlt_openlineage_put_value(w, value);
        }
    }
    mlt_jw_end_object(w);
}
