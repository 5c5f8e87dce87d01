// POST /v1/records: the drafts are built by the thread that received them, the answer by the committer.
#include <assert.h>
#include <stdio.h>

#include "server/grant.h"
#include "server/ndjson.h"
#include "server/proving.h"
#include "server/rejected.h"

#define MLT_PROBLEMS_MAX 10000 // reported one by one; further ones are counted: nobody reads more

// --- building ---

static void problem_from(struct mlt_problem *p, uint32_t line, const char *code, const char *detail) {
    *p = (struct mlt_problem){.line = line};
    (void)snprintf(p->code, sizeof p->code, "%s", code);
    (void)snprintf(p->detail, sizeof p->detail, "%s", detail);
}

static void write_problem(struct mlt_append *a, const struct mlt_problem *p) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, &a->problems);
    mlt_buf_put_u8(&a->problems, a->problems.len > 0 ? ',' : '[');
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "line", p->line);
    mlt_jw_member(&w, "code", p->code);
    mlt_jw_member(&w, "pointer", p->pointer);
    mlt_jw_member(&w, "detail", p->detail);
    mlt_jw_end_object(&w);
}

static void reject(struct mlt_append *a, const struct mlt_problem *p) {
    if (a->num_rejected == 0) {
        a->first_problem = *p;
    }
    a->num_rejected++;
    if (!a->ndjson) {
        return;
    }
    if (a->num_rejected > MLT_PROBLEMS_MAX) {
        a->num_omitted++;
        return;
    }
    write_problem(a, p);
}

// A grant for kinds alone is decided by the draft; one that names models or datasets, or a kind that is a user's own,
// needs to look into the record.
static bool granted(const struct mlt_call *call, const struct mlt_draft *draft, struct mlt_bytes record,
                    struct mlt_problem *problem) {
    const struct mlt_grant *grant = &call->req->principal->grant;
    if (draft->kind == MLT_KIND_APPROVAL && !(grant->rights & MLT_MAY_APPROVE)) {
        problem_from(problem, draft->line, "not-granted",
                     "an approval needs the grant \"approve\", which this principal has not");
        return false;
    }
    if (draft->kind != MLT_KIND_APPROVAL && !(grant->rights & MLT_MAY_APPEND)) {
        problem_from(problem, draft->line, "not-granted", "this principal may record approvals only");
        return false;
    }
    if (!mlt_grant_has_patterns(grant)) {
        return true;
    }
    struct mlt_bytes kind = mlt_str(mlt_kind_info(draft->kind)->name);
    bool names_matter = grant->models[0][0] || grant->datasets[0][0] || draft->kind == MLT_KIND_CUSTOM;
    char why[256];
    bool ok;
    if (names_matter) {
        struct mlt_json json = {0};
        struct mlt_arena arena = {0};
        ok = mlt_json_scan(&json, record, NULL) == MLT_OK;
        if (ok && draft->kind == MLT_KIND_CUSTOM) {
            kind = mlt_json_string(&json, mlt_json_get(&json, 0, "kind"), &arena);
        }
        (void)snprintf(why, sizeof why, "this record");
        ok = ok && mlt_grant_covers_facts(grant, kind, &json, 0, why);
        mlt_arena_clear(&arena);
        mlt_json_clear(&json);
    } else {
        ok = mlt_grant_covers_kind(grant, kind);
        (void)snprintf(why, sizeof why, "kind \"%.*s\"", MLT_ARG(kind));
    }
    if (!ok) {
        char detail[400];
        (void)snprintf(detail, sizeof detail, "the grant does not cover %s", why);
        problem_from(problem, draft->line, "not-granted", detail);
    }
    return ok;
}

// Adds one line; a record that is rejected is told and kept. False: out of memory or worse, `err` says it.
static enum mlt_status add_line(struct mlt_call *call, struct mlt_append *a, struct mlt_builder *builder,
                                const struct mlt_producer *producer, struct mlt_bytes line, uint32_t number,
                                struct mlt_rejected *rejected, struct mlt_error *err) {
    struct mlt_problem problem;
    a->num_lines++;
    enum mlt_status status = mlt_builder_add(builder, &a->batch, producer, line, NULL, number, &problem, err);
    if (status == MLT_OK && !granted(call, &a->batch.drafts[a->batch.num_drafts - 1], line, &problem)) {
        a->batch.num_drafts--;
        mlt_api_refused(call->api, call->req);
        status = MLT_DENIED;
    }
    if (status == MLT_INVALID || status == MLT_LIMIT || status == MLT_DENIED) {
        reject(a, &problem);
        mlt_rejected_add(rejected, call, line, &problem);
        return MLT_OK;
    }
    return status;
}

static enum mlt_status build(struct mlt_call *call, struct mlt_append *a, struct mlt_error *err) {
    struct mlt_spare_builder *spare;
    enum mlt_status status = mlt_pool_take_builder(call->api, &spare, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_producer producer;
    memcpy(producer.principal, call->req->principal->name, sizeof producer.principal);
    memcpy(producer.assurance, call->req->principal->assurance, sizeof producer.assurance);
    struct mlt_rejected rejected = {0};
    if (a->ndjson) {
        struct mlt_ndjson lines = mlt_ndjson_of(call->req->body);
        struct mlt_bytes line;
        while (status == MLT_OK && mlt_ndjson_next(&lines, &line)) {
            status = add_line(call, a, spare->builder, &producer, line, lines.line, &rejected, err);
        }
    } else {
        status = add_line(call, a, spare->builder, &producer, call->req->body, 1, &rejected, err);
    }
    a->num_records = a->batch.num_drafts;
    mlt_rejected_finish(&rejected, call, a, spare->builder);
    mlt_pool_give_builder(call->api, spare);
    return status;
}

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

struct totals {
    uint64_t accepted, duplicates, first, last;
};

static struct totals count(const struct mlt_append *a, const struct mlt_receipt *receipts) {
    struct totals t = {.first = UINT64_MAX};
    for (size_t i = 0; i < a->num_records; i++) {
        assert(receipts); // drafts that were appended have them
        if (receipts[i].added == MLT_ADDED_DUPLICATE) {
            t.duplicates++;
            continue;
        }
        t.accepted++;
        t.first = receipts[i].index < t.first ? receipts[i].index : t.first;
        t.last = receipts[i].index > t.last ? receipts[i].index : t.last;
    }
    return t;
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
    struct totals t = count(a, receipts);
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

static void count_metrics(struct mlt_append *a, const struct mlt_receipt *receipts) {
    struct totals t = count(a, receipts);
    atomic_fetch_add(&a->api->metrics.accepted, t.accepted);
    atomic_fetch_add(&a->api->metrics.duplicates, t.duplicates);
    atomic_fetch_add(&a->api->metrics.rejected, a->num_rejected);
}

static void answer(struct mlt_append *a, struct mlt_response *res, const struct mlt_receipt *receipts,
                   const struct mlt_head *head) {
    res->content_type = MLT_TYPE_JSON;
    if (a->ndjson) {
        answer_batch(a, res, receipts, head);
    } else {
        answer_one(a, res, receipts, head);
    }
    count_metrics(a, receipts);
    if (res->body.failed || a->problems.failed) {
        mlt_answer_problem(res, 503, "no-memory", NULL,
                           "no memory for the receipt; the records are durable, and sending them "
                           "again returns it");
    }
}

static void finish_append(struct mlt_append *a, struct mlt_response *res) {
    void (*done)(void *, struct mlt_response *) = a->done;
    void *done_arg = a->done_arg;
    mlt_pool_give_append(a);
    done(done_arg, res);
}

void mlt_append_answer(struct mlt_append *a, const struct mlt_receipt *receipts, const struct mlt_head *head,
                       const struct mlt_proven *proven) {
    struct mlt_response res = {.status = 500, .content_type = MLT_TYPE_JSON};
    a->proven = proven;
    answer(a, &res, receipts, head);
    a->proven = NULL;
    finish_append(a, &res);
}

static void appended(void *arg, struct mlt_batch *batch, enum mlt_status status, const struct mlt_receipt *receipts,
                     const struct mlt_head *head, const struct mlt_error *err) {
    (void)batch;
    struct mlt_append *a = arg;
    struct mlt_response res = {.status = 500, .content_type = MLT_TYPE_JSON};
    struct mlt_head now;
    if (status == MLT_OK && a->wants_proof && a->num_records > 0 &&
        mlt_proving_wait(a->api->proving, a, receipts, head)) {
        return;
    }
    if (status != MLT_OK && a->num_records == 0) {
        // Only the record of what was rejected could not be kept; the client is told what was wrong all the same.
        mlt_trail_head(a->api->trail, &now);
        answer(a, &res, receipts, &now);
    } else if (status != MLT_OK) {
        mlt_answer_status(&res, status, err);
    } else {
        answer(a, &res, receipts, head);
    }
    finish_append(a, &res);
}

// --- the route ---

static bool media_is(const char *content_type, const char *media) {
    size_t len = strlen(media);
    return strncmp(content_type, media, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

static bool choose_media(struct mlt_call *call, struct mlt_append *a) {
    const char *type = call->req->content_type;
    a->ndjson = media_is(type, MLT_TYPE_NDJSON);
    if (a->ndjson || media_is(type, MLT_TYPE_JSON)) {
        return true;
    }
    mlt_answer_problem(
        call->res, 415, "unsupported-media-type", NULL,
        "Content-Type is \"%.100s\"; send application/json (one record) or application/x-ndjson (one per line)", type);
    return false;
}

bool mlt_append_begin(struct mlt_call *call, void (*done)(void *arg, struct mlt_response *res), void *arg) {
    struct mlt_error err = {0};
    if ((call->req->principal->grant.rights & (MLT_MAY_APPEND | MLT_MAY_APPROVE)) == 0) {
        return mlt_call_granted(call, MLT_MAY_APPEND);
    }
    if (call->api->read_only) {
        mlt_answer_problem(call->res, 409, "read-only", NULL, "the trail is open for reading only");
        return false;
    }
    struct mlt_append *a = mlt_pool_take_append(call->api);
    if (!a) {
        mlt_call_fail(call, mlt_fail(&err, MLT_NOMEM, "no memory for the batch"), &err);
        return false;
    }
    a->receipts_all = mlt_call_is(call, "receipts", "all");
    a->wants_proof = mlt_call_is(call, "ack", "proven");
    a->num_proofs = 0;
    if (!choose_media(call, a)) {
        mlt_pool_give_append(a);
        return false;
    }
    enum mlt_status status = build(call, a, &err);
    if (status == MLT_OK && a->batch.num_drafts > 0) {
        a->done = done;
        a->done_arg = arg;
        bool own_only = a->num_records == 0;
        status = mlt_trail_append(call->api->trail, &a->batch, own_only, appended, a, &err);
        if (status == MLT_OK) {
            return true;
        }
        if (own_only) {
            status = MLT_OK;
        }
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
    } else {
        struct mlt_head head;
        mlt_trail_head(call->api->trail, &head);
        answer(a, call->res, NULL, &head);
    }
    mlt_pool_give_append(a);
    return false;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
    struct mlt_response res;
};

static void wake(void *arg, struct mlt_response *res) {
    struct waiting *w = arg;
    pthread_mutex_lock(&w->lock);
    w->res = *res;
    w->done = true;
    pthread_cond_signal(&w->ready);
    pthread_mutex_unlock(&w->lock);
}

void mlt_handle_append(struct mlt_call *call) {
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};
    if (mlt_append_begin(call, wake, &w)) {
        pthread_mutex_lock(&w.lock);
        while (!w.done) {
            pthread_cond_wait(&w.ready, &w.lock);
        }
        pthread_mutex_unlock(&w.lock);
        mlt_response_clear(call->res);
        *call->res = w.res;
    }
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.ready);
}
