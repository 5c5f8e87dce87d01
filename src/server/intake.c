#include "server/intake.h"

#include <stdio.h>

#include "server/append.h"

static void put_counts(const struct mlt_intake_outcome *o, struct mlt_response *res) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "accepted", o->accepted);
    mlt_jw_member_u64(&w, "duplicates", o->duplicates);
    mlt_jw_member_u64(&w, "rejected", o->rejected);
    mlt_jw_member_u64(&w, "ignored", o->ignored);
    mlt_jw_member_u64(&w, "tree_size", o->head->size);
    mlt_jw_member_raw(&w, "problems", o->problems);
    mlt_jw_end_object(&w);
    res->content_type = MLT_TYPE_JSON;
    res->status = o->rejected > 0 && o->accepted + o->duplicates == 0 ? 422 : 200;
}

static void answer(struct mlt_append *a, struct mlt_response *res, const struct mlt_receipt *receipts,
                   const struct mlt_head *head) {
    struct mlt_totals t = mlt_append_totals(a, receipts);
    if (a->problems.len > 0) {
        mlt_buf_put_u8(&a->problems, ']');
    }
    struct mlt_intake_outcome o = {
        .accepted = t.accepted,
        .duplicates = t.duplicates,
        .rejected = a->num_rejected,
        .items = a->num_items,
        .ignored = a->num_ignored,
        .problem = a->num_rejected > 0 ? &a->first_problem : NULL,
        .problems = a->problems.len > 0 ? mlt_buf_bytes(&a->problems) : mlt_str("[]"),
        .content_type = a->content_type,
        .head = head,
    };
    bool denied = o.problem && strcmp(o.problem->code, "not-granted") == 0 && t.accepted + t.duplicates == 0;
    if (denied) { // in every protocol a matter of the token, not of the message
        mlt_answer_problem(res, 403, o.problem->code, o.problem->pointer, "%s", o.problem->detail);
        return;
    }
    (a->intake->answer ? a->intake->answer : put_counts)(&o, res);
}

static void add_rejected(struct mlt_appending *b, const struct mlt_capture *capture) {
    size_t num = capture->num_rejected < MLT_CAPTURE_REJECTED_MAX ? capture->num_rejected : MLT_CAPTURE_REJECTED_MAX;
    for (size_t i = 0; i < num; i++) {
        mlt_append_reject(b, capture->rejected[i].raw, &capture->rejected[i].problem);
    }
    b->a->num_rejected += capture->num_rejected - num;
    b->a->num_omitted += capture->num_rejected - num;
}

// The records of the message alone.
static enum mlt_status translate(const struct mlt_intake *how, const struct mlt_foreign *msg,
                                 struct mlt_capture *capture, struct mlt_error *err) {
    enum mlt_status status = how->translate(capture, msg, err);
    return status == MLT_INVALID && capture->num_rejected > 0 ? MLT_OK : status; // the rejected item says why
}

// What it says together with earlier ones.
static enum mlt_status derive(struct mlt_call *call, const struct mlt_intake *how, const struct mlt_foreign *msg,
                              struct mlt_capture *capture, struct mlt_error *err) {
    struct mlt_head head;
    struct mlt_source src;
    mlt_trail_head(call->api->trail, &head);
    enum mlt_status status = mlt_index_source(call->api->index, head.size, true, &src, err);
    if (status == MLT_OK) {
        status = how->derive(call, &src, msg, capture, err);
        mlt_index_source_clear(&src);
    }
    return status;
}

static void append(struct mlt_call *call, const struct mlt_intake *how, const struct mlt_foreign *msg) {
    struct mlt_error err = {0};
    struct mlt_appending b;
    if (!mlt_append_open(&b, call, answer)) {
        return;
    }
    struct mlt_capture capture = {0};
    b.a->intake = how;
    (void)snprintf(b.a->content_type, sizeof b.a->content_type, "%s", call->req->content_type);
    enum mlt_status status = translate(how, msg, &capture, &err);
    const bool derives = how->derive && status == MLT_OK && capture.num_records > 0;
    if (derives) { // until the records are durable: the next message is derived from them, too
        pthread_mutex_lock(&call->api->deriving);
        status = derive(call, how, msg, &capture, &err);
    }
    if (status == MLT_OK && capture.lines.failed) {
        status = mlt_fail(&err, MLT_NOMEM, "no memory for the records of the message");
    }
    if (status == MLT_OK) {
        add_rejected(&b, &capture);
        b.a->num_items = capture.num_items;
        b.a->num_ignored = capture.num_ignored;
        status = mlt_append_lines(&b, mlt_buf_bytes(&capture.lines), &err);
    }
    mlt_capture_clear(&capture);
    mlt_append_close(&b, status, &err);
    if (derives) {
        pthread_mutex_unlock(&call->api->deriving);
    }
}

void mlt_intake_handle(struct mlt_call *call, const struct mlt_intake *how) {
    const struct mlt_request *req = call->req;
    char received[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(received, call->api->env->now(call->api->env));
    struct mlt_foreign msg = {.body = req->body,
                              .content_type = req->content_type,
                              .header = req->header,
                              .each_header = req->each_header,
                              .header_arg = req->header_arg,
                              .address = req->principal ? req->principal->address
                                         : req->address ? req->address
                                                        : "",
                              .received = received};
    struct mlt_principal sender;
    struct mlt_request proved = *req;
    if (how->authenticate) {
        if (!how->authenticate(call, &msg, &sender)) {
            return;
        }
        proved.principal = &sender;
        call->req = &proved;
    }
    append(call, how, &msg);
    if (!call->started) {
        call->req = req;
    }
}
