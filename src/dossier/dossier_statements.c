// What the dossier states beyond the records: source tables, the deployment in force, findings, completeness.
#include "dossier/dossier_write.h"

static const char *const source_names[] = {"system", "table", "date_range", "query", "snapshot", "rows"};
#define NUM_SOURCE_NAMES (sizeof(source_names) / sizeof(source_names[0]))

static bool is_source_name(struct mlt_bytes name) {
    for (size_t i = 0; i < NUM_SOURCE_NAMES; i++) {
        if (mlt_bytes_is(name, source_names[i])) {
            return true;
        }
    }
    return mlt_bytes_is(name, "dataset") || mlt_bytes_is(name, "version") || mlt_bytes_is(name, "entry");
}

static void put_node_member(struct mlt_dossier_writer *d, const struct mlt_node *node, const char *name) {
    const struct mlt_json *json;
    mlt_json_at at;
    mlt_jw_name(&d->w, name);
    if (mlt_node_member(node, mlt_str(name), &json, &at)) {
        mlt_jw_value(&d->w, json, at);
    } else {
        mlt_jw_null(&d->w);
    }
}

static void put_source(struct mlt_dossier_writer *d, const struct mlt_node *dataset, const struct mlt_json *json,
                       mlt_json_at source) {
    mlt_jw_object(&d->w);
    for (size_t i = 0; i < NUM_SOURCE_NAMES; i++) {
        mlt_jw_name(&d->w, source_names[i]);
        mlt_jw_value(&d->w, json, mlt_json_get(json, source, source_names[i]));
    }
    put_node_member(d, dataset, "dataset");
    put_node_member(d, dataset, "version");
    mlt_jw_member_u64(&d->w, "entry", dataset->entry);
    for (mlt_json_at n = mlt_json_first(json, source); n != MLT_JSON_NONE; n = mlt_json_next(json, source, n)) {
        const struct mlt_bytes name = mlt_json_string(json, n, d->arena);
        if (!is_source_name(name)) {
            mlt_jw_name_bytes(&d->w, name);
            mlt_jw_value(&d->w, json, n + 1);
        }
    }
    mlt_jw_end_object(&d->w);
}

void mlt_dossier_put_sources(struct mlt_dossier_writer *d, const struct mlt_node_list *datasets) {
    mlt_jw_name(&d->w, "sources");
    mlt_jw_array(&d->w);
    for (size_t i = 0; i < datasets->num; i++) {
        const struct mlt_json *json;
        mlt_json_at list;
        if (!mlt_node_member(datasets->nodes[i], mlt_str("sources"), &json, &list) ||
            !mlt_json_is(json, list, MLT_JSON_ARRAY)) {
            continue;
        }
        for (mlt_json_at s = mlt_json_first(json, list); s != MLT_JSON_NONE; s = mlt_json_next(json, list, s)) {
            if (mlt_json_is(json, s, MLT_JSON_OBJECT)) {
                put_source(d, datasets->nodes[i], json, s);
            }
        }
    }
    mlt_jw_end_array(&d->w);
}

static void put_transition(struct mlt_dossier_writer *d, const char *name, const struct mlt_node *node) {
    static const char *const members[] = {"model",        "model_version", "from_stage",         "to_stage",
                                          "performed_by", "timestamp",     "approval_reference", "deployment"};
    mlt_jw_name(&d->w, name);
    if (!node) {
        mlt_jw_null(&d->w);
        return;
    }
    mlt_jw_object(&d->w);
    mlt_jw_member_u64(&d->w, "entry", node->entry);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        put_node_member(d, node, members[i]);
    }
    mlt_jw_end_object(&d->w);
}

void mlt_dossier_put_in_force(struct mlt_dossier_writer *d, const struct mlt_in_force *in_force) {
    mlt_jw_name(&d->w, "in_force");
    mlt_jw_object(&d->w);
    put_transition(d, "by_log", in_force->by_log);
    put_transition(d, "by_claimed_time", in_force->by_time);
    mlt_jw_member_bool(&d->w, "agree", in_force->by_log == in_force->by_time);
    mlt_jw_end_object(&d->w);
}

static const char *severity_name(enum mlt_severity severity) {
    static const char *const names[] = {
        [MLT_SEV_INFO] = "info", [MLT_SEV_LOW] = "low",           [MLT_SEV_MEDIUM] = "medium",
        [MLT_SEV_HIGH] = "high", [MLT_SEV_CRITICAL] = "critical",
    };
    return names[severity];
}

static void put_index_or_null(struct mlt_json_writer *w, const char *name, uint64_t index) {
    mlt_jw_name(w, name);
    if (index == UINT64_MAX) {
        mlt_jw_null(w);
    } else {
        mlt_jw_u64(w, index);
    }
}

static void put_finding(struct mlt_json_writer *w, const struct mlt_finding *f) {
    mlt_jw_object(w);
    mlt_jw_member(w, "code", f->code);
    mlt_jw_member(w, "severity", severity_name(f->severity));
    mlt_jw_member(w, "criteria", f->criteria);
    mlt_jw_member(w, "condition", f->condition);
    mlt_jw_member(w, "effect", f->effect);
    mlt_jw_member(w, "action", f->action);
    mlt_jw_name(w, "entries");
    mlt_jw_array(w);
    for (size_t i = 0; i < f->num_entries; i++) {
        mlt_jw_u64(w, f->entries[i]);
    }
    mlt_jw_end_array(w);
    put_index_or_null(w, "known_since", f->known_since);
    put_index_or_null(w, "resolved_by", f->resolved_by);
    mlt_jw_end_object(w);
}

static bool concerns(const struct mlt_finding *f, const struct mlt_proof_set *about) {
    for (size_t i = 0; i < f->num_entries; i++) {
        if (mlt_proof_set_has(about, f->entries[i])) {
            return true;
        }
    }
    return f->num_entries == 0;
}

void mlt_proof_set_add_concerned(struct mlt_proof_set *set, const struct mlt_story *story, uint64_t size) {
    const struct mlt_proof_set about = *set; // the items stay where they are while `set` grows past them
    for (size_t i = 0; i < story->num_findings; i++) {
        if (concerns(&story->findings[i], &about)) {
            mlt_proof_set_add_findings(set, &story->findings[i], 1, size);
        }
    }
}

void mlt_dossier_put_findings(struct mlt_dossier_writer *d, const struct mlt_story *story,
                              const struct mlt_proof_set *about) {
    mlt_jw_name(&d->w, "findings");
    mlt_jw_array(&d->w);
    for (size_t i = 0; i < story->num_findings; i++) {
        if (!about || concerns(&story->findings[i], about)) {
            put_finding(&d->w, &story->findings[i]);
        }
    }
    mlt_jw_end_array(&d->w);
}

// The final tally of the stream, else the newest one, tells how many predictions it should hold; without one that is
// final, a loss after the last prediction would not show.
struct tail {
    bool found, is_final, has_count;
    uint64_t entry, count;
};

#define TALLIES_MAX 1000 // of one stream, newest, as the findings look at

// Takes the tally when it is about predictions, and the first or the first final one.
static enum mlt_status consider_tally(const struct mlt_source *src, uint64_t index, struct tail *out,
                                      struct mlt_error *err) {
    struct mlt_arena scratch = {0};
    struct mlt_bytes bytes;
    struct mlt_entry entry;
    enum mlt_status status = src->entry(src->ctx, index, &scratch, &bytes, err);
    if (!status) {
        status = mlt_entry_parse(&entry, &scratch, bytes, err);
    }
    if (status) {
        mlt_arena_clear(&scratch);
        return mlt_context(err, status, "entry %llu", (unsigned long long)index);
    }
    const struct mlt_json *json = &entry.json;
    const bool is_final = mlt_json_is(json, mlt_json_get(json, entry.facts, "final"), MLT_JSON_TRUE);
    const struct mlt_bytes counted = mlt_json_string(json, mlt_json_get(json, entry.facts, "counted"), &scratch);
    if (mlt_bytes_is(counted, mlt_kind_info(MLT_KIND_PREDICTION)->name) && (!out->found || is_final)) {
        *out = (struct tail){.found = true, .is_final = is_final, .entry = index};
        out->has_count = mlt_json_u64(json, mlt_json_get(json, entry.facts, "count"), &out->count);
    }
    mlt_entry_clear(&entry);
    mlt_arena_clear(&scratch);
    return MLT_OK;
}

static enum mlt_status read_tail(const struct mlt_source *src, const struct mlt_node *served, struct mlt_arena *arena,
                                 struct tail *out, struct mlt_error *err) {
    const char *node = mlt_node_text(served, "serving_node", arena);
    const char *stream = mlt_node_text(served, "stream", arena);
    struct mlt_term term;
    uint64_t found[TALLIES_MAX];
    size_t num = 0;
    *out = (struct tail){0};
    if (!node) {
        return MLT_OK;
    }
    const struct mlt_bytes stream_values[] = {mlt_str(node), mlt_str(stream)};
    mlt_source_term(src, &term, MLT_DIM_TALLIES, stream_values, 2);
    enum mlt_status status = src->find(src->ctx, &term, 1, UINT64_MAX, true, TALLIES_MAX, found, &num, NULL, NULL, err);
    for (size_t i = 0; !status && i < num && !out->is_final; i++) {
        status = consider_tally(src, found[i], out, err);
    }
    return status;
}

static void put_tail(struct mlt_json_writer *w, const struct tail *tail) {
    mlt_jw_name(w, "tail");
    mlt_jw_object(w);
    mlt_jw_member(w, "state",
                  !tail->found     ? "no tally: a loss after the last prediction would not show"
                  : tail->is_final ? "closed by a final tally"
                                   : "open: tallied, not yet closed");
    put_index_or_null(w, "tally_entry", tail->found ? tail->entry : UINT64_MAX);
    put_index_or_null(w, "tally_count", tail->has_count ? tail->count : UINT64_MAX);
    mlt_jw_end_object(w);
}

// What the serving node signed; the verdict on it rests on the setting as much as on the batch.
static void put_batch(struct mlt_json_writer *w, const struct mlt_batch_check *batch, struct mlt_proof_set *set) {
    const bool is_there = batch->verdict != MLT_BATCH_NONE && batch->entry != UINT64_MAX;
    const bool by_setting = is_there && batch->setting != UINT64_MAX;
    mlt_jw_name(w, "batch");
    mlt_jw_object(w);
    mlt_jw_member(w, "verdict", mlt_batch_verdict_name(batch->verdict));
    put_index_or_null(w, "entry", is_there ? batch->entry : UINT64_MAX);
    mlt_jw_member(w, "key", is_there && batch->fingerprint[0] ? batch->fingerprint : NULL);
    put_index_or_null(w, "setting_entry", by_setting ? batch->setting : UINT64_MAX);
    mlt_jw_end_object(w);
    if (is_there) {
        mlt_proof_set_add(set, batch->entry, (struct mlt_bytes){0});
    }
    if (by_setting) {
        mlt_proof_set_add(set, batch->setting, (struct mlt_bytes){0});
    }
}

static void put_runs(struct mlt_json_writer *w, const struct mlt_story *story) {
    mlt_jw_name(w, "runs");
    mlt_jw_array(w);
    for (size_t i = 0; i < story->num_runs; i++) {
        mlt_jw_object(w);
        mlt_jw_member_u64(w, "first_sequence", story->runs[i].first_sequence);
        mlt_jw_member_u64(w, "count", story->runs[i].count);
        mlt_jw_member_u64(w, "first_entry", story->runs[i].first_entry);
        mlt_jw_member_u64(w, "last_entry", story->runs[i].last_entry);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

enum mlt_status mlt_dossier_put_completeness(struct mlt_dossier_writer *d, const struct mlt_source *src,
                                             const struct mlt_story *story, struct mlt_proof_set *set,
                                             struct mlt_error *err) {
    struct mlt_json_writer *w = &d->w;
    struct tail tail = {0};
    if (story->served && story->stream_checked) {
        const enum mlt_status status = read_tail(src, story->served, d->arena, &tail, err);
        if (status) {
            return status;
        }
        if (tail.found) {
            mlt_proof_set_add(set, tail.entry, (struct mlt_bytes){0});
        }
    }
    mlt_jw_name(w, "completeness");
    mlt_jw_object(w);
    mlt_jw_name(w, "stream");
    mlt_jw_object(w);
    mlt_jw_member_bool(w, "checked", story->stream_checked);
    mlt_jw_member(w, "result",
                  !story->stream_checked ? "could not check"
                  : story->gaps          ? "gaps found"
                                         : "no gap found");
    mlt_jw_member(w, "serving_node", story->served ? mlt_node_text(story->served, "serving_node", d->arena) : NULL);
    mlt_jw_member(w, "stream", story->served ? mlt_node_text(story->served, "stream", d->arena) : NULL);
    put_runs(w, story);
    mlt_jw_member_u64(w, "gaps", story->gaps);
    mlt_jw_member_u64(w, "repeats", story->repeats);
    put_tail(w, &tail);
    put_batch(w, &story->batch, set);
    mlt_jw_end_object(w);
    mlt_jw_name(w, "access");
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "total", story->access.total);
    mlt_jw_member_u64(w, "shown", story->access.num);
    mlt_jw_end_object(w);
    mlt_jw_name(w, "predictions");
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "total", story->predictions.total);
    mlt_jw_member_u64(w, "shown", story->predictions.num);
    mlt_jw_end_object(w);
    mlt_jw_end_object(w);
    return MLT_OK;
}
