#include "record/identity.h"

#include "record/producer_batch.h"

#define NS_PER_HOUR (MLT_NS_PER_S * 3600)

// Gathers terms, or else the links of the same values.
struct collect {
    const struct mlt_identity_input *in;
    struct mlt_arena *scratch;
    struct mlt_term *terms;
    struct mlt_link *links; // instead of terms when not NULL
    size_t num;
    bool partial; // a member that was asked for is among those spilled
};

// Every member that identification reads is read here: what it lacks for being spilled is thereby known.
static const struct mlt_member_ref *find(struct collect *c, const char *member) {
    const struct mlt_member_ref *ref = mlt_members_find(c->in->members, member);
    if (!ref && c->in->entry && mlt_json_get(&c->in->entry->json, c->in->entry->details, member) != MLT_JSON_NONE) {
        c->partial = true;
    }
    return ref;
}

static bool same_term(const struct mlt_term *a, const struct mlt_term *b) {
    return a->dim == b->dim && memcmp(a->hash, b->hash, MLT_TERM_LEN) == 0;
}

static void add_link(struct collect *c, enum mlt_dim dim, const struct mlt_bytes *values, size_t n) {
    if (!mlt_dim_is_linked(dim)) {
        return;
    }
    mlt_link_make(&c->links[c->num], dim, values, n);
    for (size_t i = 0; i < c->num; i++) {
        if (memcmp(&c->links[i], &c->links[c->num], sizeof(*c->links)) == 0) {
            return;
        }
    }
    c->num++;
}

static void add(struct collect *c, enum mlt_dim dim, const struct mlt_bytes *values, size_t n) {
    if (c->num == MLT_TERMS_MAX) {
        return;
    }
    if (c->links) {
        add_link(c, dim, values, n);
        return;
    }
    struct mlt_term *t = &c->terms[c->num];
    bool recurs = !mlt_dim_is_name(dim) && dim != MLT_DIM_SUBJECT;
    mlt_term_make_cached(recurs ? c->in->cache : NULL, t, c->in->index_key, dim, values, n);
    for (size_t i = 0; i < c->num; i++) {
        if (same_term(&c->terms[i], t)) {
            return;
        }
    }
    c->num++;
}

static struct mlt_bytes text_of(struct collect *c, const char *member) {
    const struct mlt_member_ref *ref = find(c, member);
    return ref ? mlt_json_string(ref->json, ref->at, c->scratch) : (struct mlt_bytes){0};
}

static void add1(struct collect *c, enum mlt_dim dim, struct mlt_bytes a) {
    if (a.ptr) {
        add(c, dim, &a, 1);
    }
}
static void add2(struct collect *c, enum mlt_dim dim, struct mlt_bytes a, struct mlt_bytes b) {
    if (a.ptr && b.ptr) {
        struct mlt_bytes values[] = {a, b};
        add(c, dim, values, 2);
    }
}

// For each object of an array member: the term of two of its members.
static void add_each(struct collect *c, enum mlt_dim dim, const char *member, const char *first, const char *second) {
    const struct mlt_member_ref *ref = find(c, member);
    if (!ref) {
        return;
    }
    const struct mlt_json *j = ref->json;
    for (mlt_json_at n = mlt_json_first(j, ref->at); n != MLT_JSON_NONE; n = mlt_json_next(j, ref->at, n)) {
        struct mlt_bytes a = mlt_json_string(j, mlt_json_get(j, n, first), c->scratch);
        struct mlt_bytes b = mlt_json_string(j, mlt_json_get(j, n, second), c->scratch);
        struct mlt_bytes values[] = {a, b};
        if (b.ptr) { // a table may come without its system
            add(c, dim, values, 2);
        }
    }
}

static void add_model(struct collect *c, enum mlt_dim own_dim) {
    struct mlt_bytes model = text_of(c, "model");
    struct mlt_bytes version = text_of(c, "model_version");
    add1(c, MLT_DIM_USES_MODEL, model);
    add2(c, MLT_DIM_USES_VERSION, model, version);
    add2(c, own_dim, model, version);
}

static void add_requests(struct collect *c) {
    add1(c, MLT_DIM_REQUEST, text_of(c, "request_id"));
    const struct mlt_member_ref *ref = find(c, "request_ids");
    if (ref) {
        for (mlt_json_at n = mlt_json_first(ref->json, ref->at); n != MLT_JSON_NONE;
             n = mlt_json_next(ref->json, ref->at, n)) {
            add1(c, MLT_DIM_REQUEST, mlt_json_string(ref->json, n, c->scratch));
        }
    }
}

static struct mlt_bytes inner_text(const struct collect *c, const struct mlt_member_ref *ref, const char *name) {
    return mlt_json_string(ref->json, mlt_json_get(ref->json, ref->at, name), c->scratch);
}

static void add_deployment(struct collect *c) {
    const struct mlt_member_ref *ref = find(c, "deployment");
    if (ref) {
        struct mlt_bytes values[] = {inner_text(c, ref, "environment"), inner_text(c, ref, "region"),
                                     inner_text(c, ref, "endpoint"), inner_text(c, ref, "variant")};
        add(c, MLT_DIM_DEPLOYMENT, values, 4);
    }
}

// The stream of a prediction or of a tally; no stream given is the node's unnamed stream.
static void add_stream(struct collect *c, struct mlt_draft *out, struct mlt_bytes node, struct mlt_bytes stream) {
    if (!node.ptr) {
        return;
    }
    struct mlt_bytes values[] = {node, stream};
    if (!c->links) {
        mlt_term_make_cached(c->in->cache, &out->stream, c->in->index_key, MLT_DIM_STREAM, values, 2);
    }
    add(c, MLT_DIM_STREAM, values, 2);
    if (out->kind == MLT_KIND_TALLY) {
        add(c, MLT_DIM_TALLIES, values, 2);
    }
    const struct mlt_member_ref *sequence = find(c, "sequence");
    out->has_sequence =
        out->kind == MLT_KIND_PREDICTION && sequence && mlt_json_u64(sequence->json, sequence->at, &out->sequence);
}

static void add_corrects(struct collect *c) {
    const struct mlt_member_ref *ref = find(c, "corrects");
    if (!ref) {
        return;
    }
    if (mlt_json_is(ref->json, ref->at, MLT_JSON_STRING)) {
        add1(c, MLT_DIM_CORRECTS, mlt_json_string(ref->json, ref->at, c->scratch));
        return;
    }
    uint64_t entry;
    mlt_json_at at = mlt_json_get(ref->json, ref->at, "entry");
    if (mlt_json_u64(ref->json, at, &entry)) {
        add1(c, MLT_DIM_CORRECTS, mlt_json_raw(ref->json, at));
    }
}

// The blocks of sequence numbers that a batch has a part of: two at most, whatever it claims.
static void add_batch(struct collect *c) {
    const char *const ends[] = {"first", "last"};
    struct mlt_bytes values[] = {text_of(c, "serving_node"), text_of(c, "stream"), {0}};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const struct mlt_member_ref *ref = find(c, ends[i]);
        uint64_t sequence;
        char *block =
            ref && mlt_json_u64(ref->json, ref->at, &sequence)
                ? mlt_arena_printf(c->scratch, "%llu", (unsigned long long)(sequence / MLT_PRODUCER_BATCH_BLOCK))
                : NULL;
        if (block && values[0].ptr && values[1].ptr) {
            values[2] = mlt_str(block);
            add(c, MLT_DIM_BATCHES, values, 3);
        }
    }
}

static void add_by_kind(struct collect *c, struct mlt_draft *out) {
    switch (out->kind) {
    case MLT_KIND_PREDICTION:
        add_model(c, MLT_DIM_PREDICTED_BY);
        add1(c, MLT_DIM_NODE, text_of(c, "serving_node"));
        add1(c, MLT_DIM_SUBJECT, text_of(c, "subject"));
        add_stream(c, out, text_of(c, "serving_node"), text_of(c, "stream"));
        break;
    case MLT_KIND_DATASET_VERSION:
        add1(c, MLT_DIM_DATASET, text_of(c, "dataset"));
        add_each(c, MLT_DIM_TABLE, "sources", "system", "table");
        add_each(c, MLT_DIM_USES_DATASET, "inputs", "dataset", "version");
        break;
    case MLT_KIND_TRAINING_RUN:
        add_each(c, MLT_DIM_USES_DATASET, "datasets", "dataset", "version");
        add_each(c, MLT_DIM_USES_COMPONENT, "base_models", "model", "model_version");
        break;
    case MLT_KIND_MODEL_VERSION:
        add_model(c, MLT_DIM_MODEL_VERSION);
        add1(c, MLT_DIM_USES_JOB, text_of(c, "training_job_id"));
        add_each(c, MLT_DIM_USES_COMPONENT, "components", "model", "model_version");
        break;
    case MLT_KIND_APPROVAL:
        add_model(c, MLT_DIM_APPROVES);
        add1(c, MLT_DIM_APPROVAL, text_of(c, "approval_reference"));
        break;
    case MLT_KIND_TRANSITION:
        add_model(c, MLT_DIM_MOVES);
        add1(c, MLT_DIM_MOVES_MODEL, text_of(c, "model"));
        add1(c, MLT_DIM_APPROVAL, text_of(c, "approval_reference"));
        add1(c, MLT_DIM_STAGE, text_of(c, "to_stage"));
        add_deployment(c);
        break;
    case MLT_KIND_ACCESS: {
        const struct mlt_member_ref *resource = find(c, "resource");
        if (resource) {
            add2(c, MLT_DIM_RESOURCE, inner_text(c, resource, "type"), inner_text(c, resource, "id"));
        }
        add1(c, MLT_DIM_PRINCIPAL, text_of(c, "principal"));
        break;
    }
    case MLT_KIND_TALLY: {
        const struct mlt_member_ref *scope = find(c, "scope");
        if (scope) {
            add_stream(c, out, inner_text(c, scope, "serving_node"), inner_text(c, scope, "stream"));
        }
        break;
    }
    case MLT_KIND_BATCH:
        add_batch(c);
        break;
    case MLT_KIND_DECISION:
    case MLT_KIND_EXPLANATION:
    case MLT_KIND_OVERSIGHT:
    case MLT_KIND_NOTICE:
    case MLT_KIND_OUTCOME:
        add_requests(c);
        add1(c, MLT_DIM_SUBJECT, text_of(c, "subject"));
        break;
    case MLT_KIND_CORRECTION:
        add_corrects(c);
        break;
    case MLT_KIND_CAPTURE:
        add2(c, MLT_DIM_CORRELATION, text_of(c, "format"), text_of(c, "correlation"));
        break;
    case MLT_KIND_CONTROL:
        add1(c, MLT_DIM_CONTROL, text_of(c, "control"));
        if (mlt_bytes_is(text_of(c, "control"), "setting")) {
            add1(c, MLT_DIM_SETTING, text_of(c, "name"));
        }
        break;
    default:
        break;
    }
}

// u32 length || name || u32 length || value without white space
static void put_member(struct mlt_buf *out, const struct mlt_member_ref *ref) {
    struct mlt_bytes value = mlt_json_raw(ref->json, ref->at);
    if (!mlt_buf_reserve(out, 8 + ref->name.len + value.len)) {
        return;
    }
    uint8_t *p = out->data + out->len;
    mlt_store_u32be(p, (uint32_t)ref->name.len);
    memcpy(p + 4, ref->name.ptr, ref->name.len);
    uint8_t *length = p + 4 + ref->name.len;
    out->len += 8 + ref->name.len;
    size_t begin = out->len;
    mlt_json_minify(ref->json, ref->at, out); // no longer than the value itself: there is room
    mlt_store_u32be(length, (uint32_t)(out->len - begin));
}

// SHA-256(key || "content" || u32 length || kind || for each member in order of names: u32 length || name || u32 length
// || value without white space), first 16 bytes. Put together first: one long hash costs less than many short additions
// to it.
static enum mlt_status hash_content(uint8_t out[static MLT_CONTENT_LEN], const struct mlt_identity_input *in,
                                    struct mlt_error *err) {
    const struct mlt_member_ref *order[MLT_RECORD_MEMBERS_MAX];
    struct mlt_buf *text = in->text;
    mlt_buf_reset(text);
    mlt_buf_put(text, in->index_key, MLT_INDEX_KEY_LEN);
    mlt_buf_put_str(text, "content");
    mlt_buf_put_u32be(text, (uint32_t)in->members->kind_name.len);
    mlt_buf_put_bytes(text, in->members->kind_name);
    mlt_members_sort(in->members, order);
    for (size_t i = 0; i < in->members->num; i++) {
        put_member(text, order[i]);
    }
    if (text->failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory to identify a record");
    }
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, mlt_buf_bytes(text));
    memcpy(out, hash, MLT_CONTENT_LEN);
    return MLT_OK;
}

// Halves of one prediction have one name; each has an owner of its own, or the second one to come would be taken for
// the first once that is erased.
static void hash_owner(struct mlt_draft *out, struct collect *c) {
    struct mlt_bytes row = {0}, half = {0};
    size_t num = 3;
    if (out->kind == MLT_KIND_PREDICTION) {
        const struct mlt_member_ref *ref = find(c, "row");
        row = ref ? mlt_json_raw(ref->json, ref->at) : row;
        half = text_of(c, "half");
        num = half.len > 0 ? 5 : num;
    }
    struct mlt_bytes values[] = {mlt_str("owner"), c->in->principal, row, half,
                                 num > 3 ? text_of(c, "event_id") : (struct mlt_bytes){0}};
    struct mlt_term t;
    mlt_term_make_cached(c->in->cache, &t, c->in->index_key, (enum mlt_dim)0, values, num);
    out->owner = mlt_load_u64be(t.hash);
}

// What names the record within its kind (design 6.5): the first term. A record without a name of its own can be found
// by its id, but is never taken for another.
static void name_record(struct mlt_draft *out, struct collect *c) {
    struct mlt_bytes values[5];
    size_t n = 0;
    enum mlt_dim dim = MLT_DIM_EVENT;
    bool has_event = find(c, "event_id") != NULL;
    out->has_identity = true;
    switch (out->kind) {
    case MLT_KIND_PREDICTION:
        dim = MLT_DIM_REQUEST;
        values[n++] = text_of(c, "request_id");
        break;
    case MLT_KIND_DATASET_VERSION:
        dim = MLT_DIM_DATASET_VERSION;
        values[n++] = text_of(c, "dataset");
        values[n++] = text_of(c, "version");
        break;
    case MLT_KIND_MODEL_VERSION:
        dim = MLT_DIM_MODEL_VERSION;
        values[n++] = text_of(c, "model");
        values[n++] = text_of(c, "model_version");
        break;
    case MLT_KIND_TRAINING_RUN:
        dim = MLT_DIM_JOB;
        values[n++] = text_of(c, "training_job_id");
        break;
    case MLT_KIND_APPROVAL:
        values[n++] = mlt_str("approval");
        values[n++] = text_of(c, "approval_reference");
        values[n++] = text_of(c, "approver");
        values[n++] = text_of(c, "verdict");
        values[n++] = text_of(c, "timestamp");
        break;
    default:
        values[n++] = c->in->members->kind_name;
        values[n++] = c->in->id;
        out->has_identity = has_event;
        break;
    }
    add(c, dim, values, n);
    if (out->has_identity && !c->links) {
        out->name = c->terms[0];
    }
    // Predictions are many: one that brings no id of its own is found by its request alone.
    if (has_event || out->kind != MLT_KIND_PREDICTION) {
        add2(c, MLT_DIM_EVENT, c->in->members->kind_name, c->in->id);
    }
}

static void add_hour(struct collect *c, int64_t time) {
    int64_t hour = time / NS_PER_HOUR - (time % NS_PER_HOUR < 0);
    char text[24];
    size_t at = sizeof(text);
    uint64_t v = (uint64_t)(hour < 0 ? -hour : hour);
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (hour < 0) {
        text[--at] = '-';
    }
    add1(c, MLT_DIM_HOUR, mlt_bytes_of(text + at, sizeof(text) - at));
}

enum mlt_status mlt_identify(struct mlt_draft *out, struct mlt_arena *arena, struct mlt_arena *scratch,
                             const struct mlt_identity_input *in, struct mlt_error *err) {
    struct mlt_term terms[MLT_TERMS_MAX + 1];
    struct collect c = {.in = in, .scratch = scratch, .terms = terms};
    out->kind = in->members->kind ? in->members->kind->kind : MLT_KIND_CUSTOM;
    name_record(out, &c);
    hash_owner(out, &c);
    add1(&c, MLT_DIM_KIND, in->members->kind_name);
    add1(&c, MLT_DIM_PRODUCER, in->principal);
    out->has_event_time = in->members->has_time;
    if (out->has_event_time) {
        out->event_time = in->members->time;
        add_hour(&c, out->event_time);
    }
    add_by_kind(&c, out);
    memset(out->content, 0, sizeof(out->content));
    enum mlt_status status = in->payload_known ? hash_content(out->content, in, err) : MLT_OK;
    if (status != MLT_OK) {
        return status;
    }
    out->terms = mlt_arena_take(arena, c.num * sizeof(*terms));
    if (!out->terms) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu terms", c.num);
    }
    memcpy(out->terms, terms, c.num * sizeof(*terms));
    out->num_terms = c.num;
    return MLT_OK;
}

size_t mlt_identify_links(struct mlt_link out[static MLT_TERMS_MAX], bool *partial, struct mlt_arena *scratch,
                          const struct mlt_identity_input *in) {
    struct mlt_draft draft = {.kind = in->members->kind ? in->members->kind->kind : MLT_KIND_CUSTOM};
    struct collect c = {.in = in, .scratch = scratch, .links = out};
    name_record(&draft, &c);
    add_by_kind(&c, &draft);
    *partial = c.partial || c.num == MLT_TERMS_MAX;
    return c.num;
}
