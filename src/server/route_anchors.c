// POST /v1/anchors: ask the authorities now. Anchors themselves are records of the kind `anchor`.
#include "server/anchoring.h"
#include "server/api_state.h"

static void put_anchored(struct mlt_json_writer *w, const struct mlt_anchored *a) {
    mlt_jw_object(w);
    mlt_jw_member(w, "url", a->url);
    mlt_jw_member_u64(w, "anchored_size", a->tree_size);
    mlt_jw_name(w, "entry");
    if (a->done) {
        mlt_jw_u64(w, a->entry);
    } else {
        mlt_jw_null(w);
    }
    mlt_jw_member(w, "problem", a->done ? NULL : a->problem.text);
    mlt_jw_end_object(w);
}

void mlt_handle_anchor(struct mlt_call *call) {
    if (!call->api->anchoring) {
        mlt_answer_problem(
            call->res, 409, "no-authority", NULL,
            "no time-stamping authority is configured; give --tsa URL to `mltrail serve`, or to `mltrail anchor "
            "now` where nobody serves");
        return;
    }
    struct mlt_anchored *list = mlt_arena_zero(&call->arena, MLT_ANCHORING_MAX * sizeof *list);
    struct mlt_error err = {0};
    if (!list) {
        mlt_call_fail(call, mlt_fail(&err, MLT_NOMEM, "no memory for an answer"), &err);
        return;
    }
    size_t num = mlt_anchoring_now(call->api->anchoring, list);
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "items");
    mlt_jw_array(&w);
    for (size_t i = 0; i < num; i++) {
        put_anchored(&w, &list[i]);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_call_answer_json(call);
}
