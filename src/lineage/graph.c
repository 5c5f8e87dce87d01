// References and nodes as JSON.
#include "lineage/graph.h"

static const struct {
    const char *type, *a, *b;
} NAMES[] = {
    [MLT_REF_PREDICTION] = {"prediction", "request_id", NULL},
    [MLT_REF_MODEL_VERSION] = {"model", "model", "model_version"},
    [MLT_REF_DATASET_VERSION] = {"dataset", "dataset", "version"},
    [MLT_REF_JOB] = {"job", "training_job_id", NULL},
    [MLT_REF_APPROVAL] = {"approval", "approval_reference", NULL},
    [MLT_REF_TABLE] = {"table", "system", "table"},
    [MLT_REF_NODE] = {"node", "serving_node", NULL},
    [MLT_REF_ENTRY] = {"entry", NULL, NULL},
};

void mlt_graph_ref(struct mlt_json_writer *w, const struct mlt_ref *ref) {
    mlt_jw_object(w);
    mlt_jw_member(w, "type", NAMES[ref->type].type);
    if (NAMES[ref->type].a != NULL) {
        mlt_jw_member_bytes(w, NAMES[ref->type].a, ref->a);
    } else {
        mlt_jw_member_u64(w, "entry", ref->index);
    }
    if (NAMES[ref->type].b != NULL) {
        mlt_jw_member_bytes(w, NAMES[ref->type].b, ref->b);
    }
    mlt_jw_end_object(w);
}

// Facts that say what a node is; those that it has are written, in this order.
static const char *const IDENTIFYING[] = {"request_id",      "row",        "model",      "model_version",
                                          "training_job_id", "dataset",    "version",    "approval_reference",
                                          "verdict",         "approver",   "from_stage", "to_stage",
                                          "performed_by",    "deployment", "status",     "serving_node",
                                          "action",          "resource",   "outcome",    "corrects"};

void mlt_graph_node(const struct mlt_walk *walk, struct mlt_json_writer *w, const struct mlt_node *node) {
    const struct mlt_part *part = &node->parts[0];
    char time[MLT_TIME_TEXT_LEN + 1];
    (void)walk;
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "entry", node->entry);
    mlt_jw_member_bytes(w, "kind", part->entry.kind_name);
    mlt_jw_member_bytes(w, "id", part->entry.id);
    mlt_jw_name(w, "time");
    if (part->entry.has_time) {
        mlt_jw_string(w, part->entry.time_text);
    } else {
        mlt_jw_null(w);
    }
    mlt_time_format(time, part->entry.received);
    mlt_jw_member(w, "received", time);
    for (size_t i = 0; i < sizeof(IDENTIFYING) / sizeof(IDENTIFYING[0]); i++) {
        struct mlt_value v = mlt_node_get(node, IDENTIFYING[i]);
        if (v.json != NULL && v.json != &part->payload) {
            mlt_jw_member_raw(w, IDENTIFYING[i], mlt_json_raw(v.json, v.at));
        }
    }
    if (node->num_parts > 1) {
        mlt_jw_name(w, "also");
        mlt_jw_array(w);
        for (size_t i = 1; i < node->num_parts; i++) {
            mlt_jw_u64(w, node->parts[i].index);
        }
        mlt_jw_end_array(w);
    }
    mlt_jw_end_object(w);
}

enum mlt_status mlt_graph_ref_of(struct mlt_walk *walk, const struct mlt_ref *ref, struct mlt_ref *out,
                                 struct mlt_node **node) {
    static const struct {
        enum mlt_kind kind;
        enum mlt_ref_type type;
    } kinds[] = {
        {MLT_KIND_PREDICTION, MLT_REF_PREDICTION},
        {MLT_KIND_MODEL_VERSION, MLT_REF_MODEL_VERSION},
        {MLT_KIND_DATASET_VERSION, MLT_REF_DATASET_VERSION},
        {MLT_KIND_TRAINING_RUN, MLT_REF_JOB},
        {MLT_KIND_APPROVAL, MLT_REF_APPROVAL},
        {MLT_KIND_TRANSITION, MLT_REF_MODEL_VERSION},
        {MLT_KIND_DECISION, MLT_REF_PREDICTION},
        {MLT_KIND_OVERSIGHT, MLT_REF_PREDICTION},
        {MLT_KIND_EXPLANATION, MLT_REF_PREDICTION},
        {MLT_KIND_NOTICE, MLT_REF_PREDICTION},
        {MLT_KIND_OUTCOME, MLT_REF_PREDICTION},
    };
    *out = *ref;
    *node = NULL;
    if (ref->type != MLT_REF_ENTRY) {
        return MLT_OK;
    }
    if (ref->index >= walk->src->size) {
        return mlt_fail(walk->err, MLT_NOTFOUND, "there is no entry %llu: the trail has %llu",
                        (unsigned long long)ref->index, (unsigned long long)walk->src->size);
    }
    enum mlt_status status = mlt_node_load(walk, ref->index, node);
    for (size_t i = 0; status == MLT_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].kind != (*node)->kind) {
            continue;
        }
        struct mlt_bytes a = mlt_node_string(*node, NAMES[kinds[i].type].a, walk->arena), b = {0};
        struct mlt_value requests = mlt_node_get(*node, "request_ids");
        if (a.ptr == NULL && mlt_value_first(requests) != MLT_JSON_NONE) {
            a = mlt_value_string(mlt_value_at(requests, mlt_value_first(requests)), walk->arena);
        }
        if (NAMES[kinds[i].type].b != NULL) {
            b = mlt_node_string(*node, NAMES[kinds[i].type].b, walk->arena);
        }
        if (a.ptr != NULL) {
            *out = (struct mlt_ref){.type = kinds[i].type, .a = a, .b = b};
        }
    }
    return status;
}
