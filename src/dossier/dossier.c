// The dossier of one request, assembled from the story that lineage tells. The parts are in dossier_nodes.c,
// dossier_statements.c, dossier_timeline.c and dossier_integrity.c.
#include "dossier/dossier_write.h"

// What every dossier rests on: all that it shows, and all that its findings name.
static void collect(struct mlt_proof_set *set, const struct mlt_story *story, uint64_t size) {
    mlt_proof_set_add_list(set, &story->predictions);
    mlt_proof_set_add_list(set, &story->model_versions);
    mlt_proof_set_add_list(set, &story->training_runs);
    mlt_proof_set_add_list(set, &story->dataset_versions);
    mlt_proof_set_add_list(set, &story->approvals);
    mlt_proof_set_add_list(set, &story->transitions);
    mlt_proof_set_add_list(set, &story->related);
    mlt_proof_set_add_list(set, &story->access);
    mlt_proof_set_add_findings(set, story->findings, story->num_findings, size);
}

static void put_generated(struct mlt_json_writer *w, const struct mlt_source *src,
                          const struct mlt_dossier_context *ctx, struct mlt_bytes request_id) {
    mlt_jw_name(w, "generated");
    mlt_jw_object(w);
    mlt_jw_member(w, "build", ctx->build);
    mlt_jw_name(w, "question");
    mlt_jw_object(w);
    mlt_jw_member(w, "report", "dossier");
    mlt_jw_member_bytes(w, "request_id", request_id);
    mlt_jw_end_object(w);
    mlt_jw_member_u64(w, "tree_size", src->size);
    mlt_jw_end_object(w);
}

static enum mlt_status write_dossier(struct mlt_dossier_writer *d, const struct mlt_source *src,
                                     const struct mlt_dossier_context *ctx, const struct mlt_story *story,
                                     struct mlt_bytes request_id, struct mlt_error *err) {
    struct mlt_proof_set set = {.arena = d->arena};
    collect(&set, story, src->size);
    if (story->served) {
        set.has_primary = true;
        set.primary = story->served->entry;
    }
    mlt_jw_object(&d->w);
    mlt_jw_member_bytes(&d->w, "request_id", request_id);
    mlt_dossier_put_predictions(d, story);
    mlt_dossier_put_list(d, "model_versions", &story->model_versions);
    mlt_dossier_put_list(d, "training_runs", &story->training_runs);
    mlt_dossier_put_list(d, "dataset_versions", &story->dataset_versions);
    mlt_dossier_put_sources(d, &story->dataset_versions);
    mlt_dossier_put_list(d, "approvals", &story->approvals);
    mlt_dossier_put_list(d, "transitions", &story->transitions);
    mlt_dossier_put_list(d, "related", &story->related);
    mlt_dossier_put_list(d, "access", &story->access);
    mlt_dossier_put_timeline(d, story);
    mlt_dossier_put_in_force(d, &story->in_force);
    mlt_dossier_put_findings(d, story, NULL);
    enum mlt_status status = mlt_dossier_put_completeness(d, src, story, &set, err);
    if (!status) {
        status = mlt_dossier_put_integrity(d, src, ctx, &set, err);
    }
    if (!status) {
        put_generated(&d->w, src, ctx, request_id);
        mlt_jw_end_object(&d->w);
    }
    return status;
}

enum mlt_status mlt_dossier_json(const struct mlt_source *src, const struct mlt_dossier_context *ctx,
                                 struct mlt_bytes request_id, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_story *story = NULL;
    struct mlt_dossier_writer d = {.arena = &arena};
    const size_t start = out->len;
    enum mlt_status status = mlt_story_tell(src, request_id, &arena, &story, err);
    if (status == MLT_NOTFOUND) {
        status = mlt_fail(err, MLT_NOTFOUND,
                          "no prediction with request_id \"%.*s\" is among the %llu entries of %s: check the spelling, "
                          "or ask at a later tree size",
                          (int)(request_id.len < 200 ? request_id.len : 200), (const char *)request_id.ptr,
                          (unsigned long long)src->size, src->origin ? src->origin : "this trail");
    }
    if (status) {
        goto out;
    }
    mlt_jw_init(&d.w, out);
    status = write_dossier(&d, src, ctx, story, request_id, err);
    if (!status && out->failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the dossier");
    }
out:
    if (status && out->len > start) {
        out->len = start;
    }
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    return status;
}
