// Evidence bundles: the dossier of a prediction in a file that is checked without us.
//
// The dossier is made as of a size. Whatever its walk looks for has to be proved to be all there is, so the entries
// below that size are committed to first; the checkpoint that is published afterwards covers that commitment.
#include <stdio.h>

#include "bundle/bundle.h"
#include "server/api_state.h"
#include "server/segmenting.h"
#include "server/witnessing.h"

struct work {
    struct mlt_call *call;
    struct mlt_bytes request_id;
    struct mlt_segments *segments;
    const struct mlt_committed *committed;
    struct mlt_bundle_segment *listed;
    size_t num_committed;
    struct mlt_head then; // at the dossier's size
    struct mlt_buf checkpoint, trail_json;
    struct mlt_source now;
    struct mlt_error *err;
};

static enum mlt_status publish(struct work *w, uint64_t *size) {
    struct mlt_trail *trail = w->call->api->trail;
    struct mlt_checkpoint head;
    enum mlt_status status = mlt_trail_publish(trail, w->err);
    status = status ? status : mlt_trail_checkpoint(trail, &w->checkpoint, w->err);
    if (!status) {
        status = mlt_checkpoint_open(&head, mlt_buf_bytes(&w->checkpoint), mlt_trail_vkey(trail), w->err);
        *size = head.size;
    }
    return status;
}

// Commits to everything below the dossier's size and lists the commitments as of the published checkpoint.
static enum mlt_status commit(struct work *w) {
    struct mlt_call *call = w->call;
    uint64_t size = 0, covered = 0;
    enum mlt_status status = mlt_segmenting_segments(call->api->segmenting, &w->segments, w->err);
    status = status ? status : mlt_segments_seal(w->segments, call->source.size, w->err);
    status = status ? status : publish(w, &size);
    status = status ? status : mlt_index_source(call->api->index, size, false, &w->now, w->err);
    if (!status) {
        status = mlt_segments_at(w->segments, size, &call->arena, &w->committed, &w->num_committed, &covered, w->err);
    }
    if (!status && covered < call->source.size) {
        status = mlt_fail(w->err, MLT_BUSY, "the published checkpoint does not cover the commitment yet; ask again");
    }
    return status;
}

// The segments that the dossier needs: those that begin below its size.
static enum mlt_status list_segments(struct work *w) {
    size_t num = 0;
    w->listed = mlt_arena_zero(&w->call->arena, (w->num_committed + 1) * sizeof(*w->listed));
    if (!w->listed) {
        return mlt_fail(w->err, MLT_NOMEM, "no memory for a bundle");
    }
    while (num < w->num_committed && w->committed[num].segment.first < w->call->source.size) {
        w->listed[num] = (struct mlt_bundle_segment){w->committed[num].entry, w->committed[num].segment};
        num++;
    }
    w->num_committed = num;
    return MLT_OK;
}

static enum mlt_status prove_link(void *ctx, size_t segment, const struct mlt_link *link, struct mlt_arena *arena,
                                  struct mlt_link_proof *out, struct mlt_error *err) {
    struct work *w = ctx;
    return mlt_segments_prove(w->segments, &w->committed[segment], link, MLT_LINK_SHOWN_MAX, arena, out, err);
}

enum mlt_status mlt_call_secret(struct mlt_call *call, uint64_t index, uint8_t secret[static MLT_SECRET_LEN],
                                struct mlt_error *err) {
    struct mlt_trail *trail = call->api->trail;
    struct mlt_arena scratch = {0};
    struct mlt_bytes sealed;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    bool erased;
    enum mlt_status status = MLT_OK;
    if (!call->sealer) {
        status = mlt_sealer_new(&call->sealer, mlt_trail_keys(trail)->kek, err);
    }
    status = status ? status : mlt_trail_sealed(trail, index, &scratch, &sealed, wrapped, &erased, err);
    status = status ? status : mlt_seal_unwrap(call->sealer, secret, wrapped, err);
    mlt_arena_clear(&scratch);
    return status;
}

static enum mlt_status secret_of(void *ctx, uint64_t index, uint8_t secret[static MLT_SECRET_LEN],
                                 struct mlt_error *err) {
    struct work *w = ctx;
    return mlt_call_secret(w->call, index, secret, err);
}

static enum mlt_status make(struct work *w, struct mlt_buf *entries) {
    struct mlt_call *call = w->call;
    struct mlt_trail *trail = call->api->trail;
    enum mlt_status status = commit(w);
    status = status ? status : list_segments(w);
    status = status ? status : mlt_trail_sign_at(trail, call->source.size, &w->then, w->err);
    status = status ? status : mlt_trail_meta(w->call->api->trail, &w->trail_json, w->err);
    if (status) {
        return status;
    }
    const struct mlt_dossier_context ctx = {.build = MLT_BUILD,
                                            .vkey = mlt_trail_vkey(trail),
                                            .checkpoint = mlt_bytes_of(w->then.note, w->then.note_len),
                                            .assurance = mlt_witnessing_assurance(call)};
    const struct mlt_bundle_links links = {w, w->listed, w->num_committed, prove_link};
    const struct mlt_bundle_request req = {
        .src = &call->source,
        .ctx = &ctx,
        .request_id = w->request_id,
        .choice = {.only = mlt_call_text(call, "disclose"), .not = mlt_call_text(call, "mask")},
        .now = &w->now,
        .hashes = mlt_trail_hashes(trail),
        .checkpoint = mlt_buf_bytes(&w->checkpoint),
        .trail_json = mlt_buf_bytes(&w->trail_json),
        .links = &links,
        .secret = secret_of,
        .secret_ctx = w,
    };
    return mlt_bundle_make(&req, &call->res->body, entries, w->err);
}

static void answer(struct mlt_call *call, struct mlt_bytes request_id, const struct mlt_buf *entries) {
    const size_t num = entries->len / sizeof(uint64_t);
    const struct mlt_read read = {.action = "export",
                                  .resource_type = "prediction_log",
                                  .resource_id = request_id,
                                  .entries = (const uint64_t *)(const void *)entries->data,
                                  .num_entries = num,
                                  .count = num,
                                  .all = true};
    if (mlt_call_answer_json(call)) {
        call->res->content_type = MLT_TYPE_ZIP;
        mlt_call_record(call, &read);
    }
}

void mlt_answer_bundle(struct mlt_call *call, struct mlt_bytes request_id) {
    struct mlt_error err = {0};
    struct work w = {.call = call, .request_id = request_id, .err = &err};
    struct mlt_buf entries = {0};
    if (call->api->read_only) {
        mlt_answer_problem(call->res, 409, "read-only", NULL,
                           "a bundle needs a new commitment in the log, and this copy is only read: ask the trail that "
                           "it was copied from");
        return;
    }
    const enum mlt_status status = make(&w, &entries);
    if (status) {
        mlt_buf_reset(&call->res->body);
        mlt_call_fail(call, status, &err);
    } else {
        answer(call, request_id, &entries);
    }
    mlt_index_source_clear(&w.now);
    mlt_buf_clear(&w.checkpoint);
    mlt_buf_clear(&w.trail_json);
    mlt_buf_clear(&entries);
}
