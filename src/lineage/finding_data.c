// Data: names that lead nowhere, digests that differ, sources that say too little.
#include "lineage/finding.h"

static enum mlt_status unknown(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_node *by, const char *kind,
                               struct mlt_bytes name, struct mlt_bytes version) {
    struct mlt_grounds g = {0};
    if (w->cut) {
        return MLT_OK; // lineage-too-deep says that not everything was looked up
    }
    mlt_grounds_add_node(&g, by);
    return mlt_finding_add(w, id, &g, "%s names %.*s%s%.*s, of which there is no %s record", mlt_node_label(w, by),
                           MLT_ARG(name), version.len > 0 ? "/" : "", MLT_ARG(version), kind);
}

// [{model, model_version}] of a member: each is registered.
static enum mlt_status check_parts(struct mlt_walk *w, const struct mlt_node *node, const char *member) {
    struct mlt_value list = mlt_node_get(node, member);
    enum mlt_status status = MLT_OK;
    for (mlt_json_at at = mlt_value_first(list); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(list.json, list.at, at)) {
        struct mlt_value part = mlt_value_at(list, at);
        struct mlt_bytes model = mlt_value_string(mlt_value_get(part, "model"), w->arena);
        struct mlt_bytes version = mlt_value_string(mlt_value_get(part, "model_version"), w->arena);
        if (mlt_story_version(w, model, version) == NULL) {
            status = unknown(w, MLT_F_COMPONENT_UNKNOWN, node, "model.version", model, version);
        }
    }
    return status;
}

enum mlt_status mlt_check_links(struct mlt_walk *w) {
    const struct mlt_story *story = w->story;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < story->model_versions.num; i++) {
        const struct mlt_node *node = story->model_versions.nodes[i];
        struct mlt_bytes job = mlt_node_string(node, "training_job_id", w->arena);
        if (job.len > 0 && mlt_story_run(w, job) == NULL) {
            status = unknown(w, MLT_F_TRAINING_RUN_UNKNOWN, node, "training.run", job, (struct mlt_bytes){0});
        }
        status = status == MLT_OK ? check_parts(w, node, "components") : status;
    }
    for (size_t i = 0; status == MLT_OK && i < story->training_runs.num; i++) {
        status = check_parts(w, story->training_runs.nodes[i], "base_models");
    }
    return status;
}

static enum mlt_status compare_digest(struct mlt_walk *w, const struct mlt_node *by, struct mlt_value used,
                                      const struct mlt_node *dataset) {
    struct mlt_value named = mlt_value_get(used, "hash"), recorded = mlt_node_get(dataset, "hash");
    if (!mlt_value_given(named) || !mlt_value_given(recorded)) {
        return MLT_OK;
    }
    enum mlt_digest_match match = mlt_value_compare_digest(named, recorded);
    if (match == MLT_DIGEST_SAME) {
        return MLT_OK;
    }
    struct mlt_grounds g = {0};
    struct mlt_bytes a = mlt_json_raw(named.json, named.at), b = mlt_json_raw(recorded.json, recorded.at);
    mlt_grounds_add(&g, used.entry);
    mlt_grounds_add(&g, recorded.entry);
    return mlt_finding_add(
        w, match == MLT_DIGEST_DIFFERENT ? MLT_F_DATASET_DIGEST_DIFFERS : MLT_F_DATASET_DIGEST_NOT_COMPARABLE, &g,
        "%s used it with %.*s, %s has %.*s", mlt_node_label(w, by), MLT_ARG(a), mlt_node_label(w, dataset), MLT_ARG(b));
}

// [{dataset, version, hash}] of a member: each is recorded, with this digest.
static enum mlt_status check_datasets(struct mlt_walk *w, const struct mlt_node *node, const char *member) {
    struct mlt_value list = mlt_node_get(node, member);
    enum mlt_status status = MLT_OK;
    for (mlt_json_at at = mlt_value_first(list); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(list.json, list.at, at)) {
        struct mlt_value used = mlt_value_at(list, at);
        struct mlt_bytes name = mlt_value_string(mlt_value_get(used, "dataset"), w->arena);
        struct mlt_bytes version = mlt_value_string(mlt_value_get(used, "version"), w->arena);
        const struct mlt_node *dataset = mlt_story_dataset(w, name, version);
        status = dataset == NULL ? unknown(w, MLT_F_DATASET_UNKNOWN, node, "dataset.version", name, version)
                                 : compare_digest(w, node, used, dataset);
    }
    return status;
}

static enum mlt_status check_date_ranges(struct mlt_walk *w, const struct mlt_node *node) {
    struct mlt_value sources = mlt_node_get(node, "sources");
    struct mlt_grounds g = {0};
    enum mlt_status status = MLT_OK;
    mlt_grounds_add(&g, sources.entry);
    for (mlt_json_at at = mlt_value_first(sources); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(sources.json, sources.at, at)) {
        struct mlt_value source = mlt_value_at(sources, at);
        if (mlt_value_get(source, "date_range").json == NULL) {
            struct mlt_bytes system = mlt_value_string(mlt_value_get(source, "system"), w->arena);
            struct mlt_bytes table = mlt_value_string(mlt_value_get(source, "table"), w->arena);
            status = mlt_finding_add(w, MLT_F_DATE_RANGE_MISSING, &g, "%s: source %.*s/%.*s states no date range",
                                     mlt_node_label(w, node), MLT_ARG(system), MLT_ARG(table));
        }
    }
    return status;
}

static enum mlt_status check_statements(struct mlt_walk *w, const struct mlt_node *node) {
    struct mlt_grounds g = {0};
    struct mlt_value sources = mlt_node_get(node, "sources");
    enum mlt_status status = MLT_OK;
    mlt_grounds_add_node(&g, node);
    if (!mlt_value_given(mlt_node_get(node, "exclusions"))) {
        status = mlt_finding_add(w, MLT_F_EXCLUSIONS_NOT_STATED, &g, "%s has no exclusions, not even an empty list",
                                 mlt_node_label(w, node));
    }
    if (status == MLT_OK && mlt_value_given(sources) && mlt_value_first(sources) == MLT_JSON_NONE &&
        mlt_value_first(mlt_node_get(node, "inputs")) == MLT_JSON_NONE) {
        status = mlt_finding_add(w, MLT_F_SOURCES_EMPTY, &g, "%s has an empty list of sources and no inputs",
                                 mlt_node_label(w, node));
    }
    return status;
}

enum mlt_status mlt_check_data(struct mlt_walk *w) {
    const struct mlt_story *story = w->story;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < story->training_runs.num; i++) {
        status = check_datasets(w, story->training_runs.nodes[i], "datasets");
    }
    for (size_t i = 0; status == MLT_OK && i < story->dataset_versions.num; i++) {
        const struct mlt_node *node = story->dataset_versions.nodes[i];
        status = check_datasets(w, node, "inputs");
        status = status == MLT_OK ? check_date_ranges(w, node) : status;
        status = status == MLT_OK ? check_statements(w, node) : status;
    }
    return status;
}
