// The walk back: version, components, run, datasets and what lies behind them, approvals and transitions.
#include "lineage/finding.h"

void mlt_walk_term(const struct mlt_walk *w, struct mlt_term *out, enum mlt_dim dim, struct mlt_bytes a,
                   struct mlt_bytes b) {
    const struct mlt_bytes values[2] = {a, b};
    mlt_source_term(w->src, out, dim, values, 2);
}

static void one_term(const struct mlt_walk *w, struct mlt_term *out, enum mlt_dim dim, struct mlt_bytes value) {
    mlt_source_term(w->src, out, dim, &value, 1);
}

enum mlt_status mlt_walk_setting(const struct mlt_walk *w, const char *name, struct mlt_node **out) {
    struct mlt_term term;
    uint64_t found[1];
    size_t num = 0;
    bool more = false;
    *out = NULL;
    one_term(w, &term, MLT_DIM_SETTING, mlt_str(name));
    enum mlt_status status = w->src->find(w->src->ctx, &term, 1, UINT64_MAX, true, 1, found, &num, NULL, &more, w->err);
    return status == MLT_OK && num > 0 ? mlt_node_load(w, found[0], out) : status;
}

enum mlt_status mlt_walk_edge(struct mlt_walk *w, const struct mlt_node *from, const struct mlt_node *to,
                              const char *how) {
    struct mlt_story *story = w->story;
    if (from == NULL || to == NULL) {
        return MLT_OK;
    }
    for (size_t i = 0; i < story->num_edges; i++) {
        if (story->edges[i].from == from && story->edges[i].to == to && strcmp(story->edges[i].how, how) == 0) {
            return MLT_OK;
        }
    }
    if ((story->num_edges & (story->num_edges - 1)) == 0) {
        size_t cap = story->num_edges == 0 ? 1 : story->num_edges * 2;
        struct mlt_edge *edges = mlt_arena_take(w->arena, cap * sizeof(*edges));
        if (edges == NULL) {
            return mlt_node_no_memory(w);
        }
        if (story->num_edges > 0) {
            memcpy(edges, story->edges, story->num_edges * sizeof(*edges));
        }
        story->edges = edges;
    }
    story->edges[story->num_edges++] = (struct mlt_edge){from, to, how};
    return MLT_OK;
}

struct mlt_bytes mlt_walk_join(const struct mlt_walk *w, struct mlt_bytes a, char between, struct mlt_bytes b) {
    uint8_t *out = mlt_arena_take(w->arena, a.len + 1 + b.len);
    if (out == NULL) {
        return (struct mlt_bytes){0};
    }
    if (a.len > 0) {
        memcpy(out, a.ptr, a.len);
    }
    out[a.len] = (uint8_t)between;
    if (b.len > 0) {
        memcpy(out + a.len + 1, b.ptr, b.len);
    }
    return mlt_bytes_of(out, a.len + 1 + b.len);
}

bool mlt_node_names_version(const struct mlt_walk *w, const struct mlt_node *node, struct mlt_bytes model,
                            struct mlt_bytes version) {
    return mlt_bytes_equal(mlt_node_string(node, "model", w->arena), model) &&
           mlt_bytes_equal(mlt_node_string(node, "model_version", w->arena), version);
}

static struct mlt_node *named(const struct mlt_node_list *list, struct mlt_bytes name, struct mlt_bytes version) {
    for (size_t i = 0; i < list->num; i++) {
        struct mlt_node *node = list->nodes[i];
        if (mlt_bytes_equal(node->name, name) && mlt_bytes_equal(node->version, version)) {
            return node;
        }
    }
    return NULL;
}

const struct mlt_node *mlt_story_version(const struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version) {
    return named(&w->story->model_versions, model, version);
}

const struct mlt_node *mlt_story_run(const struct mlt_walk *w, struct mlt_bytes job) {
    return named(&w->story->training_runs, job, (struct mlt_bytes){0});
}

const struct mlt_node *mlt_story_dataset(const struct mlt_walk *w, struct mlt_bytes dataset, struct mlt_bytes version) {
    return named(&w->story->dataset_versions, dataset, version);
}

// The way from where the walk began to where it stands: a node met again on it closes a loop.
struct path {
    const struct path *behind;
    const struct mlt_node *node;
    unsigned depth;
};

static bool on_path(const struct path *path, const struct mlt_node *node) {
    for (; path != NULL; path = path->behind) {
        if (path->node == node) {
            return true;
        }
    }
    return false;
}

static enum mlt_status loop_found(struct mlt_walk *w, const struct mlt_node *from, const struct mlt_node *to) {
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, from);
    mlt_grounds_add_node(&g, to);
    return mlt_finding_add(w, MLT_F_LINEAGE_LOOP, &g, "%s names %s, which leads back to it", mlt_node_label(w, from),
                           mlt_node_label(w, to));
}

// Whether to go on from `path`, where `done` of a record's members were followed; says so once when not.
static enum mlt_status at_limit(struct mlt_walk *w, const struct path *path, const struct mlt_node_list *list,
                                size_t done, bool *stop) {
    struct mlt_grounds g = {0};
    *stop = path->depth >= MLT_STORY_DEPTH_MAX || list->num >= MLT_STORY_NODES_MAX || done >= MLT_STORY_NODES_MAX;
    if (!*stop || w->cut) {
        return MLT_OK;
    }
    w->cut = true;
    mlt_grounds_add_node(&g, path->node);
    return mlt_finding_add(
        w, MLT_F_LINEAGE_TOO_DEEP, &g,
        "the walk ends at %s, %u steps behind where it began (limit %d) with %zu records of its kind "
        "(limit %d)",
        mlt_node_label(w, path->node), path->depth, MLT_STORY_DEPTH_MAX, list->num, MLT_STORY_NODES_MAX);
}

// Loads the record under `term` into `list`, with its corrections; NULL when there is none.
static enum mlt_status load_named(struct mlt_walk *w, enum mlt_dim dim, enum mlt_kind kind, struct mlt_bytes a,
                                  struct mlt_bytes b, struct mlt_node_list *list, struct mlt_node **out) {
    struct mlt_term term;
    if (dim == MLT_DIM_JOB) {
        one_term(w, &term, dim, a);
    } else {
        mlt_walk_term(w, &term, dim, a, b);
    }
    enum mlt_status status = mlt_node_find_one(w, &term, kind, out);
    if (status != MLT_OK || *out == NULL) {
        return status;
    }
    status = mlt_node_attach_corrections(w, *out);
    (*out)->name = a;
    (*out)->version = b;
    if (status == MLT_OK && !mlt_list_add(w->arena, list, *out)) {
        status = mlt_node_no_memory(w);
    }
    return status;
}

static enum mlt_status dataset(struct mlt_walk *w, struct mlt_bytes name, struct mlt_bytes version,
                               const struct path *path, const char *how) {
    struct mlt_node *node = named(&w->story->dataset_versions, name, version);
    bool known = node != NULL, stop = false;
    if (name.ptr == NULL || version.ptr == NULL) {
        return MLT_OK;
    }
    enum mlt_status status = MLT_OK;
    if (!known) {
        status = load_named(w, MLT_DIM_DATASET_VERSION, MLT_KIND_DATASET_VERSION, name, version,
                            &w->story->dataset_versions, &node);
    }
    if (status != MLT_OK || node == NULL) {
        return status;
    }
    if (on_path(path, node)) {
        return loop_found(w, path->node, node);
    }
    status = mlt_walk_edge(w, path->node, node, how);
    if (status != MLT_OK || known) {
        return status;
    }
    struct path here = {path, node, path->depth + 1};
    struct mlt_value inputs = mlt_node_get(node, "inputs");
    size_t done = 0;
    for (mlt_json_at at = mlt_value_first(inputs); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(inputs.json, inputs.at, at)) {
        struct mlt_value input = mlt_value_at(inputs, at);
        status = at_limit(w, &here, &w->story->dataset_versions, done++, &stop);
        if (status != MLT_OK || stop) {
            break;
        }
        status = dataset(w, mlt_value_string(mlt_value_get(input, "dataset"), w->arena),
                         mlt_value_string(mlt_value_get(input, "version"), w->arena), &here, "input");
    }
    return status;
}

enum mlt_status mlt_walk_dataset(struct mlt_walk *w, struct mlt_bytes name, struct mlt_bytes version,
                                 const struct mlt_node *from, const char *how) {
    struct path start = {NULL, from, 0};
    return dataset(w, name, version, &start, how);
}

static enum mlt_status version_at(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version,
                                  const struct path *path, const char *how);

// Members `list` of `node`: [{model, model_version}].
static enum mlt_status versions_in(struct mlt_walk *w, const struct mlt_node *node, const char *list,
                                   const struct path *here, const char *how) {
    struct mlt_value members = mlt_node_get(node, list);
    enum mlt_status status = MLT_OK;
    bool stop = false;
    size_t done = 0;
    for (mlt_json_at at = mlt_value_first(members); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(members.json, members.at, at)) {
        struct mlt_value member = mlt_value_at(members, at);
        status = at_limit(w, here, &w->story->model_versions, done++, &stop);
        if (status != MLT_OK || stop) {
            break;
        }
        status = version_at(w, mlt_value_string(mlt_value_get(member, "model"), w->arena),
                            mlt_value_string(mlt_value_get(member, "model_version"), w->arena), here, how);
    }
    return status;
}

static enum mlt_status run_at(struct mlt_walk *w, struct mlt_bytes job, const struct path *path) {
    struct mlt_node *node = named(&w->story->training_runs, job, (struct mlt_bytes){0});
    bool known = node != NULL;
    enum mlt_status status = MLT_OK;
    if (job.ptr == NULL) {
        return MLT_OK;
    }
    if (!known) {
        status = load_named(w, MLT_DIM_JOB, MLT_KIND_TRAINING_RUN, job, (struct mlt_bytes){0}, &w->story->training_runs,
                            &node);
    }
    if (status == MLT_OK && node != NULL) {
        status = mlt_walk_edge(w, path->node, node, "trained by");
    }
    if (status != MLT_OK || node == NULL || known) {
        return status;
    }
    struct path here = {path, node, path->depth + 1};
    struct mlt_value datasets = mlt_node_get(node, "datasets");
    bool stop = false;
    size_t done = 0;
    for (mlt_json_at at = mlt_value_first(datasets); status == MLT_OK && at != MLT_JSON_NONE;
         at = mlt_json_next(datasets.json, datasets.at, at)) {
        struct mlt_value used = mlt_value_at(datasets, at);
        struct mlt_bytes role = mlt_value_string(mlt_value_get(used, "role"), w->arena);
        const char *how = role.len > 0 ? mlt_arena_cstr(w->arena, role) : "used";
        if (how == NULL) {
            return mlt_node_no_memory(w);
        }
        status = at_limit(w, &here, &w->story->dataset_versions, done++, &stop);
        if (status != MLT_OK || stop) {
            break;
        }
        status = dataset(w, mlt_value_string(mlt_value_get(used, "dataset"), w->arena),
                         mlt_value_string(mlt_value_get(used, "version"), w->arena), &here, how);
    }
    return status != MLT_OK ? status : versions_in(w, node, "base_models", &here, "base model");
}

enum mlt_status mlt_walk_run(struct mlt_walk *w, struct mlt_bytes job, const struct mlt_node *from) {
    struct path start = {NULL, from, 0};
    return run_at(w, job, &start);
}

static enum mlt_status version_at(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version,
                                  const struct path *path, const char *how) {
    struct mlt_node *node = named(&w->story->model_versions, model, version);
    bool known = node != NULL;
    enum mlt_status status = MLT_OK;
    if (model.ptr == NULL || version.ptr == NULL) {
        return MLT_OK;
    }
    if (!known) {
        status = load_named(w, MLT_DIM_MODEL_VERSION, MLT_KIND_MODEL_VERSION, model, version, &w->story->model_versions,
                            &node);
    }
    if (status != MLT_OK || node == NULL) {
        return status;
    }
    if (on_path(path, node)) {
        return loop_found(w, path->node, node);
    }
    status = mlt_walk_edge(w, path->node, node, how);
    if (status != MLT_OK || known) {
        return status;
    }
    struct path here = {path, node, path->depth + 1};
    status = run_at(w, mlt_node_string(node, "training_job_id", w->arena), &here);
    return status != MLT_OK ? status : versions_in(w, node, "components", &here, "component");
}

enum mlt_status mlt_walk_version(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version,
                                 const struct mlt_node *from, const char *how) {
    struct path start = {NULL, from, 0};
    return version_at(w, model, version, &start, how);
}

// Whether the new record is the same logical one as a node that is there.
typedef bool same_record(const struct mlt_walk *w, const struct mlt_node *node, const struct mlt_node *fresh);

static bool same_approval(const struct mlt_walk *w, const struct mlt_node *node, const struct mlt_node *fresh) {
    static const char *const identity[] = {"approval_reference", "approver", "verdict", "model", "model_version"};
    for (size_t i = 0; i < sizeof(identity) / sizeof(identity[0]); i++) {
        if (!mlt_bytes_equal(mlt_node_string(node, identity[i], w->arena),
                             mlt_node_string(fresh, identity[i], w->arena))) {
            return false;
        }
    }
    int64_t a, b;
    return mlt_node_time(node, &a) == mlt_node_time(fresh, &b) && a == b;
}

static bool same_transition(const struct mlt_walk *w, const struct mlt_node *node, const struct mlt_node *fresh) {
    const struct mlt_entry *a = &node->parts[0].entry, *b = &fresh->parts[0].entry;
    (void)w;
    if (mlt_bytes_equal(a->principal, b->principal)) {
        return a->id.len > 0 && mlt_bytes_equal(a->id, b->id);
    }
    return a->has_time == b->has_time && a->time == b->time && mlt_node_agrees(node, &fresh->parts[0]);
}

// The newest records under `term`, put together by `same`, into `list`.
static enum mlt_status load_list(struct mlt_walk *w, const struct mlt_term *term, enum mlt_kind kind, same_record *same,
                                 struct mlt_node_list *list) {
    uint64_t found[MLT_STORY_LIST_MAX], total = 0;
    size_t num = 0;
    bool more = false;
    enum mlt_status status =
        w->src->find(w->src->ctx, term, 1, UINT64_MAX, true, MLT_STORY_LIST_MAX, found, &num, &total, &more, w->err);
    size_t first = list->num;
    for (size_t i = num; status == MLT_OK && i > 0; i--) {
        struct mlt_node *node, *known = NULL;
        status = mlt_node_load(w, found[i - 1], &node);
        if (status != MLT_OK || node->kind != kind) {
            continue;
        }
        for (size_t n = first; n < list->num && known == NULL; n++) {
            known = same(w, list->nodes[n], node) ? list->nodes[n] : NULL;
        }
        if (known != NULL) {
            status = mlt_node_join(w, known, node);
        } else if (!mlt_list_add(w->arena, list, node)) {
            status = mlt_node_no_memory(w);
        }
    }
    for (size_t n = first; status == MLT_OK && n < list->num; n++) {
        status = mlt_node_attach_corrections(w, list->nodes[n]);
    }
    list->total += (list->num - first) + (total - num);
    return status;
}

static bool lists_version(const struct mlt_walk *w, const struct mlt_node_list *list, struct mlt_bytes model,
                          struct mlt_bytes version) {
    for (size_t i = 0; i < list->num; i++) {
        if (mlt_node_names_version(w, list->nodes[i], model, version)) {
            return true;
        }
    }
    return false;
}

enum mlt_status mlt_walk_approvals(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version) {
    struct mlt_term term;
    struct mlt_node_list *list = &w->story->approvals;
    size_t first = list->num;
    if (lists_version(w, list, model, version)) {
        return MLT_OK;
    }
    mlt_walk_term(w, &term, MLT_DIM_APPROVES, model, version);
    enum mlt_status status = load_list(w, &term, MLT_KIND_APPROVAL, same_approval, list);
    for (size_t i = first; status == MLT_OK && i < list->num; i++) {
        status = mlt_walk_edge(w, mlt_story_version(w, model, version), list->nodes[i], "approval");
    }
    return status;
}

enum mlt_status mlt_walk_transitions(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version) {
    struct mlt_term term;
    struct mlt_node_list *list = &w->story->transitions;
    size_t first = list->num;
    if (lists_version(w, list, model, version)) {
        return MLT_OK;
    }
    mlt_walk_term(w, &term, MLT_DIM_MOVES, model, version);
    enum mlt_status status = load_list(w, &term, MLT_KIND_TRANSITION, same_transition, list);
    for (size_t i = first; status == MLT_OK && i < list->num; i++) {
        status = mlt_walk_edge(w, mlt_story_version(w, model, version), list->nodes[i], "transition");
    }
    return status;
}
