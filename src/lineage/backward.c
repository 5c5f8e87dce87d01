// The graph behind a reference: the nodes that its story holds, how they hang together, what is wrong with them.
#include <assert.h>

#include "lineage/graph.h"

static const struct mlt_node_list *list_of(const struct mlt_story *s, size_t i) {
    const struct mlt_node_list *lists[] = {&s->predictions,      &s->model_versions, &s->training_runs,
                                           &s->dataset_versions, &s->approvals,      &s->transitions};
    return i < sizeof(lists) / sizeof(lists[0]) ? lists[i] : NULL;
}

static bool in_graph(const struct mlt_story *s, const struct mlt_node *node) {
    const struct mlt_node_list *list;
    for (size_t l = 0; (list = list_of(s, l)) != NULL; l++) {
        for (size_t i = 0; i < list->num; i++) {
            if (list->nodes[i] == node) {
                return true;
            }
        }
    }
    return false;
}

static void write_findings(struct mlt_json_writer *w, const struct mlt_story *s) {
    mlt_jw_name(w, "findings");
    mlt_jw_array(w);
    for (size_t i = 0; i < s->num_findings; i++) {
        const struct mlt_finding *f = &s->findings[i];
        mlt_jw_object(w);
        mlt_jw_member(w, "code", f->code);
        mlt_jw_member(w, "severity", mlt_severity_name(f->severity));
        mlt_jw_member(w, "criteria", f->criteria);
        mlt_jw_member(w, "condition", f->condition);
        mlt_jw_member(w, "effect", f->effect);
        mlt_jw_member(w, "action", f->action);
        mlt_jw_name(w, "entries");
        mlt_jw_array(w);
        for (size_t e = 0; e < f->num_entries; e++) {
            mlt_jw_u64(w, f->entries[e]);
        }
        mlt_jw_end_array(w);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

static void write_sources(struct mlt_json_writer *w, const struct mlt_story *s) {
    mlt_jw_name(w, "sources");
    mlt_jw_array(w);
    for (size_t i = 0; i < s->dataset_versions.num; i++) {
        struct mlt_value sources = mlt_node_get(s->dataset_versions.nodes[i], "sources");
        for (mlt_json_at at = mlt_value_first(sources); at != MLT_JSON_NONE;
             at = mlt_json_next(sources.json, sources.at, at)) {
            mlt_jw_object(w);
            mlt_jw_member_u64(w, "entry", sources.entry);
            mlt_jw_member_raw(w, "source", mlt_json_raw(sources.json, at));
            mlt_jw_end_object(w);
        }
    }
    mlt_jw_end_array(w);
}

static void write_graph(const struct mlt_walk *walk, struct mlt_json_writer *w, const struct mlt_ref *ref,
                        const struct mlt_node *lone) {
    const struct mlt_story *s = walk->story;
    const struct mlt_node_list *list;
    assert(s != NULL);
    mlt_jw_object(w);
    mlt_jw_name(w, "ref");
    mlt_graph_ref(w, ref);
    mlt_jw_name(w, "nodes");
    mlt_jw_array(w);
    if (lone != NULL) {
        mlt_graph_node(walk, w, lone);
    }
    for (size_t l = 0; (list = list_of(s, l)) != NULL; l++) {
        for (size_t i = 0; i < list->num; i++) {
            mlt_graph_node(walk, w, list->nodes[i]);
        }
    }
    mlt_jw_end_array(w);
    mlt_jw_name(w, "edges");
    mlt_jw_array(w);
    for (size_t i = 0; i < s->num_edges; i++) {
        const struct mlt_edge *e = &s->edges[i];
        if (in_graph(s, e->from) && in_graph(s, e->to)) {
            mlt_jw_object(w);
            mlt_jw_member_u64(w, "from", e->from->entry);
            mlt_jw_member_u64(w, "to", e->to->entry);
            mlt_jw_member(w, "how", e->how);
            mlt_jw_end_object(w);
        }
    }
    mlt_jw_end_array(w);
    write_sources(w, s);
    write_findings(w, s);
    mlt_jw_member_u64(w, "tree_size", walk->src->size);
    mlt_jw_end_object(w);
}

// The versions that an approval reference is about, each with what lies behind it.
static enum mlt_status walk_approval(struct mlt_walk *walk, struct mlt_bytes reference) {
    struct mlt_term term;
    uint64_t found[MLT_STORY_LIST_MAX];
    size_t num = 0;
    bool more = false;
    mlt_source_term(walk->src, &term, MLT_DIM_APPROVAL, &reference, 1);
    enum mlt_status status =
        walk->src->find(walk->src->ctx, &term, 1, 0, false, MLT_STORY_LIST_MAX, found, &num, NULL, &more, walk->err);
    if (status == MLT_OK && num == 0) {
        status = mlt_fail(walk->err, MLT_NOTFOUND, "no record has the approval_reference '%.*s'", MLT_ARG(reference));
    }
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct mlt_node *node;
        status = mlt_node_load(walk, found[i], &node);
        if (status != MLT_OK) {
            break;
        }
        struct mlt_bytes model = mlt_node_string(node, "model", walk->arena);
        struct mlt_bytes version = mlt_node_string(node, "model_version", walk->arena);
        status = mlt_walk_version(walk, model, version, NULL, "names");
        status = status == MLT_OK ? mlt_walk_approvals(walk, model, version) : status;
        status = status == MLT_OK ? mlt_walk_transitions(walk, model, version) : status;
    }
    return status;
}

static enum mlt_status walk_ref(struct mlt_walk *walk, const struct mlt_ref *ref) {
    enum mlt_status status;
    switch (ref->type) {
    case MLT_REF_DATASET_VERSION:
        status = mlt_walk_dataset(walk, ref->a, ref->b, NULL, "names");
        return status == MLT_OK && walk->story->dataset_versions.num == 0
                   ? mlt_fail(walk->err, MLT_NOTFOUND, "no dataset.version record for '%.*s/%.*s'", MLT_ARG(ref->a),
                              MLT_ARG(ref->b))
                   : status;
    case MLT_REF_JOB:
        status = mlt_walk_run(walk, ref->a, NULL);
        return status == MLT_OK && walk->story->training_runs.num == 0
                   ? mlt_fail(walk->err, MLT_NOTFOUND, "no training.run record for '%.*s'", MLT_ARG(ref->a))
                   : status;
    case MLT_REF_APPROVAL:
        return walk_approval(walk, ref->a);
    case MLT_REF_PREDICTION:
    case MLT_REF_MODEL_VERSION:
    case MLT_REF_TABLE:
    case MLT_REF_NODE:
    case MLT_REF_ENTRY:
        break;
    }
    // Nothing lies behind a table or a node; they are where walks end.
    return MLT_OK;
}

static enum mlt_status told(const struct mlt_source *src, const struct mlt_ref *ref, struct mlt_arena *arena,
                            struct mlt_story **out, struct mlt_error *err) {
    return ref->type == MLT_REF_PREDICTION ? mlt_story_tell(src, ref->a, arena, out, err)
                                           : mlt_story_tell_version(src, ref->a, ref->b, arena, out, err);
}

enum mlt_status mlt_backward_json(const struct mlt_source *src, const struct mlt_ref *ref, struct mlt_json_writer *w,
                                  struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_walk walk;
    struct mlt_ref of;
    struct mlt_node *lone;
    struct mlt_story *asked = NULL;
    enum mlt_status status = mlt_walk_begin(&walk, src, &arena, err);
    if (status != MLT_OK) {
        goto out;
    }
    status = mlt_graph_ref_of(&walk, ref, &of, &lone);
    if (status != MLT_OK) {
        goto out;
    }
    if (of.type == MLT_REF_PREDICTION || of.type == MLT_REF_MODEL_VERSION) {
        status = told(src, &of, &arena, &asked, err);
    } else {
        status = walk_ref(&walk, &of);
        status = status == MLT_OK ? mlt_walk_finish(&walk) : status;
    }
    if (status == MLT_OK) {
        struct mlt_walk shown = walk;
        shown.story = asked != NULL ? asked : walk.story;
        write_graph(&shown, w, ref, of.type == MLT_REF_ENTRY ? lone : NULL);
        status = w->out->failed ? mlt_node_no_memory(&walk) : MLT_OK;
    }
out:
    mlt_story_clear(asked);
    mlt_story_clear(walk.story);
    mlt_arena_clear(&arena);
    return status;
}
