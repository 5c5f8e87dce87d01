// The graph behind something, or what depends on it.
#include "lineage/lineage.h"
#include "server/api_state.h"
#include "server/grant.h"

static const char *resource_type(enum mlt_ref_type type) {
    switch (type) {
    case MLT_REF_PREDICTION:
    case MLT_REF_NODE:
        return "prediction_log";
    case MLT_REF_MODEL_VERSION:
    case MLT_REF_JOB:
    case MLT_REF_APPROVAL:
        return "model_registry";
    case MLT_REF_DATASET_VERSION:
    case MLT_REF_TABLE:
        return "training_data";
    case MLT_REF_ENTRY:
        break;
    }
    return "trail";
}

static struct mlt_bytes resource_id(struct mlt_call *call, const struct mlt_ref *ref) {
    char *id;
    if (ref->type == MLT_REF_ENTRY) {
        id = mlt_arena_printf(&call->arena, "%llu", (unsigned long long)ref->index);
    } else if (ref->b.len > 0) {
        id = mlt_arena_printf(&call->arena, "%.*s/%.*s", MLT_ARG(ref->a), MLT_ARG(ref->b));
    } else {
        return ref->a;
    }
    return mlt_str(id ? id : "");
}

void mlt_handle_lineage(struct mlt_call *call) {
    struct mlt_ref ref;
    struct mlt_error err = {0};
    enum mlt_status status = mlt_ref_parse(&ref, call->path.segments[0], &call->arena, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    if (mlt_grant_has_patterns(&call->req->principal->grant)) {
        // A graph crosses kinds and names; a grant for some of them cannot be held to along the way.
        mlt_call_refuse(call, "every kind, model and dataset, which a graph crosses");
        return;
    }
    if (!mlt_call_source(call)) {
        return;
    }
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    if (mlt_call_is(call, "direction", "forward")) {
        status = mlt_forward_json(&call->source, &ref, mlt_call_count(call, "cursor", 0),
                                  (size_t)mlt_call_count(call, "limit", MLT_PAGE_DEFAULT), &w, &err);
    } else {
        status = mlt_backward_json(&call->source, &ref, &w, &err);
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    if (mlt_call_answer_json(call)) {
        struct mlt_read read = {
            .action = "read", .resource_type = resource_type(ref.type), .resource_id = resource_id(call, &ref)};
        mlt_call_record(call, &read);
    }
}
