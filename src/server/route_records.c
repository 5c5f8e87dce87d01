// POST /v1/records: one record, or one per line.
#include <assert.h>
#include <stdio.h>

#include "server/append.h"
#include "server/proving.h"

// --- answering ---

// The proof that the published checkpoint includes the entry; null when it cannot be made, or there are too many.
static void write_proof(struct mlt_json_writer *w, struct mlt_append *a, uint64_t index) {
    struct mlt_hash_source hashes = mlt_trail_hashes(a->api->trail);
    struct mlt_tlog_proof p = {.index = index, .checkpoint = a->proven->note};
    struct mlt_buf text = {0};
    if (a->num_proofs < MLT_PROOFS_MAX &&
        mlt_merkle_prove_inclusion(&hashes, index, a->proven->size, &p.proof, NULL) == MLT_OK) {
        mlt_tlog_proof_format(&text, &p);
        a->num_proofs++;
    }
    mlt_jw_name(w, "proof");
    text.len > 0 && !text.failed ? mlt_jw_string(w, mlt_buf_bytes(&text)) : mlt_jw_null(w);
    mlt_buf_clear(&text);
}

static void write_acknowledged(struct mlt_json_writer *w, const struct mlt_append *a) {
    if (a->wants_proof) {
        mlt_jw_member(w, "acknowledged", a->proven ? "proven" : "durable");
    }
}

static void write_receipt(struct mlt_json_writer *w, struct mlt_append *a, const struct mlt_receipt *r) {
    assert(r);
    mlt_jw_member_u64(w, "index", r->index);
    mlt_jw_name(w, "leaf");
    mlt_jw_hex(w, mlt_bytes_of(r->leaf, MLT_HASH_LEN));
    mlt_jw_member_bool(w, "duplicate", r->added == MLT_ADDED_DUPLICATE);
    if (a->proven) {
        write_proof(w, a, r->index);
    }
}

static void answer_one(struct mlt_append *a, struct mlt_response *res, const struct mlt_receipt *receipts,
                       const struct mlt_head *head) {
    struct mlt_json_writer w;
    mlt_buf_reserve(&res->body, head->note_len + 256);
    mlt_jw_init(&w, &res->body);
    if (a->num_records == 0) {
        const struct mlt_problem *p = &a->first_problem;
        bool denied = strcmp(p->code, "not-granted") == 0;
        mlt_answer_problem(res, denied ? 403 : 422, p->code, p->pointer, "%s", p->detail);
        return;
    }
    assert(receipts);
    mlt_jw_object(&w);
    write_receipt(&w, a, &receipts[0]);
    write_acknowledged(&w, a);
    mlt_jw_member_u64(&w, "tree_size", head->size);
    mlt_jw_member_bytes(&w, "checkpoint", mlt_bytes_of(head->note, head->note_len));
    mlt_jw_end_object(&w);
    res->status = a->wants_proof && !a->proven ? 202 : receipts[0].added == MLT_ADDED_DUPLICATE ? 200 : 201;
}

static void write_all_receipts(struct mlt_json_writer *w, struct mlt_append *a, const struct mlt_receipt *receipts) {
    mlt_jw_name(w, "receipts");
    mlt_jw_array(w);
    for (size_t i = 0; i < a->num_records; i++) {
        mlt_jw_object(w);
        mlt_jw_member_u64(w, "line", a->batch.drafts[i].line);
        write_receipt(w, a, &receipts[i]);
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

static void answer_batch(struct mlt_append *a, struct mlt_response *res, const struct mlt_receipt *receipts,
                         const struct mlt_head *head) {
    struct mlt_totals t = mlt_append_totals(a, receipts);
    struct mlt_json_writer w;
    mlt_buf_reserve(&res->body, head->note_len + a->problems.len + 512);
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "accepted", t.accepted);
    mlt_jw_member_u64(&w, "duplicates", t.duplicates);
    mlt_jw_member_u64(&w, "rejected", a->num_rejected);
    mlt_jw_name(&w, "first_index");
    t.accepted ? mlt_jw_u64(&w, t.first) : mlt_jw_null(&w);
    mlt_jw_name(&w, "last_index");
    t.accepted ? mlt_jw_u64(&w, t.last) : mlt_jw_null(&w);
    mlt_jw_member_u64(&w, "tree_size", head->size);
    mlt_jw_member_bytes(&w, "checkpoint", mlt_bytes_of(head->note, head->note_len));
    write_acknowledged(&w, a);
    if (a->proven) {
        mlt_jw_member_bytes(&w, "proven_checkpoint", a->proven->note);
    }
    if (a->problems.len > 0) {
        mlt_buf_put_u8(&a->problems, ']');
    }
    mlt_jw_member_raw(&w, "problems", a->problems.len > 0 ? mlt_buf_bytes(&a->problems) : mlt_str("[]"));
    if (a->num_omitted > 0) {
        mlt_jw_member_u64(&w, "problems_omitted", a->num_omitted);
    }
    if (a->receipts_all) {
        write_all_receipts(&w, a, receipts);
    }
    mlt_jw_end_object(&w);
    bool none = a->num_lines > 0 && a->num_rejected == a->num_lines;
    res->status = none ? 422 : a->wants_proof && !a->proven && a->num_records > 0 ? 202 : 200;
}

// --- the route ---

static bool media_is(const char *content_type, const char *media) {
    size_t len = strlen(media);
    return strncmp(content_type, media, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

void mlt_handle_append(struct mlt_call *call) {
    const char *type = call->req->content_type;
    bool ndjson = media_is(type, MLT_TYPE_NDJSON);
    if (mlt_call_has_cloudevents(call)) { // a logger that was given this URL
        mlt_handle_cloudevents(call);
        return;
    }
    struct mlt_appending b;
    if (!ndjson && !media_is(type, MLT_TYPE_JSON)) {
        mlt_answer_problem(
            call->res, 415, "unsupported-media-type", NULL,
            "Content-Type is \"%.100s\"; send application/json (one record) or application/x-ndjson (one per line)",
            type);
        return;
    }
    if (!mlt_append_open(&b, call, ndjson ? answer_batch : answer_one)) {
        return;
    }
    struct mlt_error err = {0};
    b.a->receipts_all = mlt_call_is(call, "receipts", "all");
    b.a->wants_proof = mlt_call_is(call, "ack", "proven");
    b.a->num_proofs = 0;
    enum mlt_status status =
        ndjson ? mlt_append_lines(&b, call->req->body, &err) : mlt_append_line(&b, call->req->body, 1, &err);
    mlt_append_close(&b, status, &err);
}
