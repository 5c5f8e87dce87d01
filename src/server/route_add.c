// POST /add of a raw trail: the body is the entry.
#include "server/api_state.h"

void mlt_handle_add(struct mlt_call *call) {
    struct mlt_bytes body = call->req->body;
    if (body.len == 0 || body.len > MLT_ENTRY_MAX) {
        mlt_answer_problem(call->res, body.len == 0 ? 400 : 413, "bad-entry", NULL,
                           "an entry has 1 to %d bytes; this one has %zu", MLT_ENTRY_MAX, body.len);
        return;
    }
    struct mlt_error err = {0};
    struct mlt_append *a = mlt_pool_take_append(call->api);
    enum mlt_status status = a ? MLT_OK : mlt_fail(&err, MLT_NOMEM, "no memory for an entry");
    struct mlt_draft draft = {.kind = MLT_KIND_CUSTOM, .line = 1, .entry_len = body.len, .received_off = SIZE_MAX};
    struct mlt_receipt receipt;
    struct mlt_head head;
    if (status == MLT_OK) {
        draft.entry = mlt_arena_take(&a->batch.arena, body.len);
        status = draft.entry ? MLT_OK : mlt_fail(&err, MLT_NOMEM, "no memory for an entry");
    }
    if (status == MLT_OK) {
        memcpy(draft.entry, body.ptr, body.len);
        struct mlt_batch batch = {.drafts = &draft, .num_drafts = 1, .cap = 1};
        status = mlt_trail_append_wait(call->api->trail, &batch, false, &receipt, &head, &err);
    }
    if (a) {
        mlt_pool_give_append(a);
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    atomic_fetch_add(&call->api->metrics.accepted, 1);
    mlt_buf_put_u64_decimal(&call->res->body, receipt.index);
    mlt_call_answer_json(call);
}
