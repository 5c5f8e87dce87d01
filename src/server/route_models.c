// A model version with its history.
#include "dossier/dossier_write.h"
#include "server/api_state.h"
#include "server/grant.h"

static void write_version(struct mlt_call *call, const struct mlt_story *story) {
    struct mlt_dossier_writer d = {.arena = &call->arena};
    struct mlt_json_writer *w = &d.w;
    mlt_jw_init(w, &call->res->body);
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "model", call->path.segments[0]);
    mlt_jw_member_bytes(w, "model_version", call->path.segments[1]);
    mlt_dossier_put_list(&d, "model_versions", &story->model_versions);
    mlt_dossier_put_list(&d, "training_runs", &story->training_runs);
    mlt_dossier_put_list(&d, "dataset_versions", &story->dataset_versions);
    mlt_dossier_put_list(&d, "approvals", &story->approvals);
    mlt_dossier_put_list(&d, "transitions", &story->transitions);
    mlt_dossier_put_list(&d, "access", &story->access);
    mlt_dossier_put_findings(&d, story, NULL);
    mlt_jw_member_u64(w, "tree_size", call->source.size);
    mlt_jw_end_object(w);
}

static size_t first_entries(const struct mlt_node_list *list, uint64_t *out, size_t num) {
    for (size_t i = 0; i < list->num && num < MLT_AUDIT_ENTRIES_MAX; i++) {
        out[num++] = list->nodes[i]->entry;
    }
    return num;
}

void mlt_handle_model_version(struct mlt_call *call) {
    if (!mlt_grant_covers_model(&call->req->principal->grant, call->path.segments[0])) {
        mlt_call_refuse(call, "this model");
        return;
    }
    if (!mlt_call_source(call)) {
        return;
    }
    struct mlt_story *story;
    struct mlt_error err = {0};
    enum mlt_status status = mlt_story_tell_version(&call->source, call->path.segments[0], call->path.segments[1],
                                                    &call->arena, &story, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    uint64_t entries[MLT_AUDIT_ENTRIES_MAX];
    size_t num = first_entries(&story->model_versions, entries, 0);
    num = first_entries(&story->approvals, entries, num);
    num = first_entries(&story->transitions, entries, num);
    write_version(call, story);
    mlt_story_clear(story);
    if (!mlt_call_answer_json(call)) {
        return;
    }
    char *id =
        mlt_arena_printf(&call->arena, "%.*s/%.*s", MLT_ARG(call->path.segments[0]), MLT_ARG(call->path.segments[1]));
    struct mlt_read read = {.action = "read",
                            .resource_type = "model_registry",
                            .resource_id = mlt_str(id ? id : ""),
                            .entries = entries,
                            .num_entries = num,
                            .count = num};
    mlt_call_record(call, &read);
}
