// GET /v1/records, one record, its proof, and the access records.
#include "server/api_state.h"
#include "server/grant.h"

#define TERMS_MAX 8

struct terms {
    struct mlt_term list[TERMS_MAX];
    size_t num;
};

static void add_term(struct mlt_call *call, struct terms *t, enum mlt_dim dim, struct mlt_bytes a, struct mlt_bytes b,
                     size_t num) {
    struct mlt_bytes values[2] = {a, b};
    mlt_term_make(&t->list[t->num++], call->source.index_key, dim, values, num);
}

static void add_param(struct mlt_call *call, struct terms *t, const char *param, enum mlt_dim dim) {
    if (mlt_call_has(call, param)) {
        add_term(call, t, dim, mlt_call_text(call, param), mlt_bytes_of(NULL, 0), 1);
    }
}

// Who looks for a person needs to see payloads, since finding one says as much.
static bool may_search_people(struct mlt_call *call) {
    bool asks = mlt_call_has(call, "principal") || mlt_call_has(call, "subject");
    if (asks && !call->req->principal->grant.payloads) {
        mlt_call_refuse(call, "payloads, which a search by principal or subject needs");
        return false;
    }
    return true;
}

static void time_filter(struct mlt_call *call, struct mlt_item_filter *f) {
    f->has_from = mlt_call_time(call, "from", &f->from);
    f->has_to = mlt_call_time(call, "to", &f->to);
}

void mlt_handle_search(struct mlt_call *call) {
    if (mlt_call_has(call, "model_version") && !mlt_call_has(call, "model")) {
        mlt_answer_problem(call->res, 400, "missing-parameter", NULL, "\"model_version\" needs \"model\" beside it");
        return;
    }
    if (!may_search_people(call) || !mlt_call_source(call)) {
        return;
    }
    struct terms t = {0};
    add_param(call, &t, "kind", MLT_DIM_KIND);
    if (mlt_call_has(call, "model_version")) {
        add_term(call, &t, MLT_DIM_USES_VERSION, mlt_call_text(call, "model"), mlt_call_text(call, "model_version"), 2);
    } else {
        add_param(call, &t, "model", MLT_DIM_USES_MODEL);
    }
    add_param(call, &t, "node", MLT_DIM_NODE);
    add_param(call, &t, "principal", MLT_DIM_PRINCIPAL);
    add_param(call, &t, "producer", MLT_DIM_PRODUCER);
    add_param(call, &t, "subject", MLT_DIM_SUBJECT);
    struct mlt_item_filter f = {0};
    time_filter(call, &f);
    struct mlt_read read = {.action = "search", .resource_type = "prediction_log", .resource_id = mlt_str("records")};
    mlt_answer_page(call, t.list, t.num, &f, &read);
}

void mlt_handle_access(struct mlt_call *call) {
    if (mlt_call_has(call, "resource_id") && !mlt_call_has(call, "resource_type")) {
        mlt_answer_problem(call->res, 400, "missing-parameter", NULL,
                           "\"resource_id\" needs \"resource_type\" beside it");
        return;
    }
    if (!may_search_people(call) || !mlt_call_source(call)) {
        return;
    }
    struct terms t = {0};
    add_term(call, &t, MLT_DIM_KIND, mlt_str("access"), mlt_bytes_of(NULL, 0), 1);
    if (mlt_call_has(call, "resource_id")) {
        add_term(call, &t, MLT_DIM_RESOURCE, mlt_call_text(call, "resource_type"), mlt_call_text(call, "resource_id"),
                 2);
    }
    add_param(call, &t, "principal", MLT_DIM_PRINCIPAL);
    struct mlt_item_filter f = {0};
    time_filter(call, &f);
    if (!mlt_call_has(call, "resource_id")) {
        f.resource_type = mlt_call_text(call, "resource_type");
    }
    struct mlt_read read = {.action = "search", .resource_type = "trail", .resource_id = mlt_str("access")};
    mlt_answer_page(call, t.list, t.num, &f, &read);
}

static bool path_index(struct mlt_call *call, uint64_t *out) {
    if (!mlt_decimal_decode(out, call->path.segments[0])) {
        mlt_answer_problem(call->res, 400, "bad-parameter", NULL, "the index of an entry is a whole number, from 0");
        return false;
    }
    if (*out >= call->source.size) {
        mlt_answer_problem(call->res, 404, "not-found", NULL,
                           "there is no entry %llu: the trail has %llu, counted from 0", (unsigned long long)*out,
                           (unsigned long long)call->source.size);
        return false;
    }
    return true;
}

void mlt_handle_record(struct mlt_call *call) {
    uint64_t index;
    if (!mlt_call_source(call) || !path_index(call, &index)) {
        return;
    }
    struct mlt_json_writer w;
    struct mlt_error err = {0};
    mlt_jw_init(&w, &call->res->body);
    enum mlt_item_result r = mlt_write_item(call, &w, index, NULL, &err);
    if (r == MLT_ITEM_FAILED) {
        mlt_call_fail(call, err.status, &err);
    } else if (r == MLT_ITEM_HIDDEN) {
        mlt_call_refuse(call, "the kind, model or dataset of this record");
    } else if (mlt_call_answer_json(call)) {
        struct mlt_read read = {.action = "read",
                                .resource_type = "trail",
                                .resource_id = call->path.segments[0],
                                .entries = &index,
                                .num_entries = 1,
                                .count = 1};
        mlt_call_record(call, &read);
    }
}

static void write_proof(struct mlt_call *call, const struct mlt_tlog_proof *p,
                        const uint8_t leaf[static MLT_HASH_LEN]) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_tlog_proof_format(&text, p);
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "index", p->index);
    mlt_jw_name(&w, "leaf");
    mlt_jw_hex(&w, mlt_bytes_of(leaf, MLT_HASH_LEN));
    mlt_jw_name(&w, "proof");
    mlt_jw_array(&w);
    for (size_t i = 0; i < p->proof.num_hashes; i++) {
        mlt_jw_base64(&w, mlt_bytes_of(p->proof.hash[i], MLT_HASH_LEN));
    }
    mlt_jw_end_array(&w);
    mlt_jw_member_bytes(&w, "checkpoint", p->checkpoint);
    mlt_jw_member_bytes(&w, "tlog_proof", mlt_buf_bytes(&text));
    mlt_jw_end_object(&w);
    call->res->body.failed = call->res->body.failed || text.failed;
    mlt_buf_clear(&text);
    mlt_call_answer_json(call);
}

// The signed tree head that a proof leads to.
struct proof_head {
    uint64_t size;
    uint8_t root[MLT_HASH_LEN];
    struct mlt_bytes note;
};

// published_head takes the checkpoint that was published, with all its cosignatures, if it covers the entry already: a
// proof against it satisfies policies that ask for witnesses. False: there is none, or none of ours.
static bool published_head(struct mlt_call *call, uint64_t index, struct proof_head *out) {
    const struct mlt_trail *trail = call->api->trail;
    struct mlt_buf file = {0};
    struct mlt_checkpoint c = {.size = 0};
    bool ours = mlt_trail_checkpoint(call->api->trail, &file, NULL) == MLT_OK &&
                mlt_checkpoint_open(&c, mlt_buf_bytes(&file), mlt_trail_vkey(trail), NULL) == MLT_OK;
    *out = (struct proof_head){.size = c.size, .note = mlt_arena_copy(&call->arena, mlt_buf_bytes(&file))};
    memcpy(out->root, c.root, sizeof out->root);
    mlt_buf_clear(&file);
    return ours && index < c.size && out->note.len > 0;
}

// own_head signs the head of the size that was asked for.
static enum mlt_status own_head(struct mlt_call *call, struct proof_head *out, struct mlt_error *err) {
    struct mlt_head head;
    enum mlt_status status = mlt_trail_sign_at(call->api->trail, call->source.size, &head, err);
    if (status == MLT_OK) {
        *out = (struct proof_head){.size = call->source.size};
        memcpy(out->root, head.root, sizeof out->root);
        out->note = mlt_arena_copy(&call->arena, mlt_bytes_of(head.note, head.note_len));
    }
    return status;
}

static enum mlt_status prove(struct mlt_call *call, uint64_t index, const struct proof_head *head,
                             struct mlt_tlog_proof *out, uint8_t leaf[static MLT_HASH_LEN], struct mlt_error *err) {
    const struct mlt_source *src = &call->source;
    const struct mlt_hash_source hashes = mlt_trail_hashes(call->api->trail);
    struct mlt_bytes entry;
    *out = (struct mlt_tlog_proof){.index = index, .checkpoint = head->note};
    enum mlt_status status = src->entry(src->ctx, index, &call->arena, &entry, err);
    if (status == MLT_OK) {
        status = mlt_merkle_prove_inclusion(&hashes, index, head->size, &out->proof, err);
    }
    if (status != MLT_OK) {
        return status;
    }
    mlt_merkle_leaf(leaf, entry);
    if (!mlt_merkle_verify_inclusion(index, head->size, leaf, &out->proof, head->root)) {
        return mlt_fail(err, MLT_CORRUPT, "entry %llu does not prove against the tree of %llu: run `mltrail verify`",
                        (unsigned long long)index, (unsigned long long)head->size);
    }
    return MLT_OK;
}

// A proof tells hashes, not records: it is not a recorded read.
void mlt_handle_proof(struct mlt_call *call) {
    uint64_t index;
    struct proof_head head;
    struct mlt_error err = {0};
    struct mlt_tlog_proof p;
    uint8_t leaf[MLT_HASH_LEN];
    enum mlt_status status = MLT_OK;
    if (!mlt_call_source(call) || !path_index(call, &index)) {
        return;
    }
    if (mlt_call_has(call, "at_size") || !published_head(call, index, &head)) {
        status = own_head(call, &head, &err);
    }
    if (status == MLT_OK) {
        status = prove(call, index, &head, &p, leaf, &err);
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    write_proof(call, &p, leaf);
}
