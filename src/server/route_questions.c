// The catalogue of questions, and their answers.
#include "dossier/dossier.h"
#include "server/api_state.h"
#include "server/grant.h"
#include "server/witnessing.h"

void mlt_handle_questions(struct mlt_call *call) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "items");
    mlt_jw_array(&w);
    for (size_t i = 0; i < mlt_num_questions; i++) {
        mlt_jw_object(&w);
        mlt_jw_member(&w, "id", mlt_questions[i].id);
        mlt_jw_member(&w, "text", mlt_questions[i].text);
        mlt_jw_member(&w, "params", mlt_questions[i].params);
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_call_answer_json(call);
}

static enum mlt_status answer(struct mlt_call *call, const char *id, const struct mlt_ask *ask, struct mlt_shown *shown,
                              struct mlt_error *err) {
    struct mlt_head head;
    enum mlt_status status = mlt_trail_sign_at(call->api->trail, call->source.size, &head, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_dossier_context ctx = {.build = MLT_BUILD,
                                      .vkey = mlt_trail_vkey(call->api->trail),
                                      .checkpoint = mlt_bytes_of(head.note, head.note_len),
                                      .assurance = mlt_witnessing_assurance(call)};
    struct mlt_buf json = {0};
    bool text = mlt_call_is(call, "format", "text");
    status = mlt_ask_json(&call->source, &ctx, id, ask, &json, err);
    status = status ? status : mlt_shown_by(shown, mlt_buf_bytes(&json), err);
    if (status == MLT_OK && text) {
        status = mlt_ask_text(mlt_buf_bytes(&json), false, 0, &call->res->body, err);
    } else if (status == MLT_OK) {
        mlt_buf_put_bytes(&call->res->body, mlt_buf_bytes(&json));
    }
    mlt_buf_clear(&json);
    return status;
}

void mlt_handle_question(struct mlt_call *call) {
    if (mlt_grant_has_patterns(&call->req->principal->grant)) {
        mlt_call_refuse(call, "every kind, model and dataset, which an answer may rest on");
        return;
    }
    struct mlt_ask ask = {.request_id = mlt_call_text(call, "request_id"),
                          .model = mlt_call_text(call, "model"),
                          .model_version = mlt_call_text(call, "model_version")};
    ask.has_at = mlt_call_time(call, "at", &ask.at);
    char *id = mlt_arena_cstr(&call->arena, call->path.segments[0]);
    if (!id || !mlt_call_source(call)) {
        return;
    }
    struct mlt_error err = {0};
    struct mlt_shown shown = {0};
    enum mlt_status status = answer(call, id, &ask, &shown, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    if (mlt_call_answer_json(call)) {
        call->res->content_type = mlt_call_is(call, "format", "text") ? MLT_TYPE_TEXT : MLT_TYPE_JSON;
        bool one = ask.request_id.len > 0;
        struct mlt_read read = {.action = "read",
                                .resource_type = one ? "prediction_log" : "trail",
                                .resource_id = one ? ask.request_id : call->path.segments[0],
                                .entries = shown.entries,
                                .num_entries = shown.num_entries,
                                .count = shown.count};
        mlt_call_record(call, &read);
    }
}
