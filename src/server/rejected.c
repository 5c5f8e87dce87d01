#include "server/rejected.h"

void mlt_rejected_add(struct mlt_rejected *r, struct mlt_call *call, struct mlt_bytes input,
                      const struct mlt_problem *problem) {
    if (r->num_kept == MLT_REJECTED_REQUEST_MAX) {
        r->num_not_kept++;
        mlt_audit_not_kept(call->api, call->req);
        return;
    }
    if (!mlt_audit_may_keep(call->api, call->req)) {
        r->num_not_kept++;
        return;
    }
    struct mlt_bytes kept =
        mlt_bytes_of(input.ptr, input.len < MLT_REJECTED_LINE_MAX ? input.len : MLT_REJECTED_LINE_MAX);
    while (kept.len < input.len && kept.len > 0 && (kept.ptr[kept.len] & 0xC0) == 0x80) {
        kept.len--; // not in the middle of a character
    }
    struct mlt_buf one = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &one, call->api, "control");
    mlt_jw_member(&w, "control", "rejected-input");
    mlt_jw_member(&w, "principal", call->req->principal->name);
    mlt_jw_member_u64(&w, "line", problem->line);
    mlt_jw_member(&w, "code", problem->code);
    mlt_jw_member(&w, "pointer", problem->pointer);
    mlt_jw_member(&w, "detail", problem->detail);
    mlt_jw_member_u64(&w, "bytes", input.len);
    if (mlt_utf8_valid(kept)) {
        mlt_jw_member_bytes(&w, "input", kept);
    } else {
        mlt_jw_member(&w, "input_encoding", "base64");
        mlt_jw_name(&w, "input");
        mlt_jw_base64(&w, kept);
    }
    mlt_jw_end_object(&w);
    mlt_buf_put_bytes(&r->records, mlt_buf_bytes(&one));
    r->ends[r->num_kept++] = r->records.len;
    mlt_buf_clear(&one);
}

void mlt_rejected_finish(struct mlt_rejected *r, struct mlt_call *call, struct mlt_append *a,
                         struct mlt_builder *builder) {
    size_t start = 0;
    for (size_t i = 0; i < r->num_kept && !r->records.failed; i++) {
        struct mlt_error err;
        struct mlt_bytes record = mlt_bytes_of(r->records.data + start, r->ends[i] - start);
        enum mlt_status status = mlt_own_add(call->api, &a->batch, builder, record, &err);
        (void)status; // out of memory: the client still learns what was wrong with its record
        start = r->ends[i];
    }
    mlt_buf_clear(&r->records);
}
