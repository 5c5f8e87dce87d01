// From a submitted record to a draft: scan, validate, write the entry while splitting and sealing, identify.
#include <stdlib.h>

#include "record/identity.h"
#include "record/problem.h"
#include "record/secrets.h"
#include "record/spill.h"
#include "record/validate.h"

#define PAYLOAD_ENCODING_RAW 0x00        // first byte of the plaintext; other values are for compressed forms
#define FIRST_DRAFTS 64                  // a batch of ordinary size grows a few times at most
#define KEPT_BATCH_LEN ((size_t)2 << 20) // a thousand ordinary drafts: a batch of its size allocates nothing again
#define KEPT_TOKENS_MAX (1u << 16)       // one huge record must not pin its tape for the life of a thread (1.5 MiB)
#define KEPT_TEXT_MAX ((size_t)1 << 20)  // nor its payload

struct mlt_builder {
    struct mlt_env *env;
    struct mlt_record_keys keys;
    struct mlt_sealer *sealer;
    struct mlt_json json;
    struct mlt_arena scratch;
    struct mlt_buf entry;
    struct mlt_buf plain; // holds payload in the clear, then the text of the content hash; wiped at the end
    struct mlt_term_cache cache;
    struct mlt_member_ref refs[MLT_RECORD_MEMBERS_MAX];
    struct mlt_secrets secrets;
};

// One record on its way.
struct drafting {
    struct mlt_builder *b;
    struct mlt_arena *arena; // of the batch
    struct mlt_draft *d;
    struct mlt_members members;
    const struct mlt_producer *producer;
    struct mlt_bytes id;
    char issued[MLT_UUID_LEN];
    struct mlt_problem *problem;
    struct mlt_error *err;
};

enum mlt_status mlt_builder_new(struct mlt_builder **out, struct mlt_env *env, const struct mlt_record_keys *keys,
                                struct mlt_error *err) {
    *out = NULL;
    struct mlt_builder *b = calloc(1, sizeof(*b));
    if (!b) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a record builder");
    }
    b->env = env;
    b->keys = *keys;
    enum mlt_status status = mlt_record_keys_sealer(&b->sealer, keys, err);
    if (status != MLT_OK) {
        mlt_builder_free(b);
        return status;
    }
    *out = b;
    return MLT_OK;
}

static void wipe_plain(struct mlt_builder *b) {
    if (b->plain.data) {
        mlt_wipe(b->plain.data, b->plain.cap);
    }
    mlt_buf_clear(&b->plain);
}

void mlt_builder_free(struct mlt_builder *b) {
    if (b) {
        mlt_sealer_free(b->sealer);
        mlt_json_clear(&b->json);
        mlt_arena_clear(&b->scratch);
        mlt_buf_clear(&b->entry);
        wipe_plain(b);
        mlt_wipe(b, sizeof(*b));
        free(b);
    }
}

void mlt_batch_reset(struct mlt_batch *batch) {
    mlt_arena_recycle(&batch->arena, KEPT_BATCH_LEN);
    batch->num_drafts = 0;
}

void mlt_batch_clear(struct mlt_batch *batch) {
    if (batch) {
        mlt_arena_clear(&batch->arena);
        free(batch->drafts);
        *batch = (struct mlt_batch){0};
    }
}

static enum mlt_status no_memory(const struct drafting *w) {
    return mlt_fail(w->err, MLT_NOMEM, "no memory to draft a record");
}

static enum mlt_status choose_id(struct drafting *w) {
    const struct mlt_member_ref *event = mlt_members_find(&w->members, "event_id");
    if (!event) {
        w->id = mlt_bytes_of(w->issued, sizeof(w->issued));
        return mlt_uuid_make(&w->b->secrets, w->b->env, w->issued, w->err);
    }
    w->id = mlt_json_string(event->json, event->at, &w->b->scratch);
    if (w->id.len == 0 || w->id.len > MLT_NAME_MAX) {
        return mlt_problem_set(w->problem, MLT_INVALID, "bad-value", "/event_id",
                               "event_id has %zu bytes; 1 to %d would be right", w->id.len, MLT_NAME_MAX);
    }
    return MLT_OK;
}

static void put_string(struct mlt_buf *out, struct mlt_bytes text) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_string(&w, text);
}

static void put_literal(struct mlt_buf *out, const char *text, size_t len) {
    mlt_buf_put(out, text, len);
}
#define PUT(out, literal) put_literal(out, literal, sizeof(literal) - 1)

// `name:value` as submitted, spelling of the name included; a comma before all but the first of `out` from `begin` on.
static void put_member(struct mlt_buf *out, size_t begin, const struct mlt_member_ref *ref) {
    if (out->len > begin) {
        mlt_buf_put_u8(out, ',');
    }
    struct mlt_bytes name = mlt_json_raw(ref->json, ref->at - 1);
    struct mlt_bytes value = mlt_json_raw(ref->json, ref->at);
    if (value.ptr == name.ptr + name.len + 1) { // no white space: the colon stands between them already
        mlt_buf_put(out, name.ptr, name.len + 1 + value.len);
        return;
    }
    mlt_buf_put_bytes(out, name);
    mlt_buf_put_u8(out, ':');
    mlt_buf_put_bytes(out, value);
}

// The entry up to its facts (entry.h has the whole form).
static void put_head(struct drafting *w) {
    struct mlt_buf *e = &w->b->entry;
    mlt_buf_reset(e);
    PUT(e, "{\"v\":1,\"kind\":");
    put_string(e, w->members.kind_name);
    PUT(e, ",\"id\":");
    put_string(e, w->id);
    PUT(e, ",\"time\":");
    const struct mlt_member_ref *time = mlt_members_find(&w->members, "timestamp");
    if (time) {
        mlt_buf_put_bytes(e, mlt_json_raw(time->json, time->at));
    } else {
        PUT(e, "null");
    }
    PUT(e, ",\"received\":\"");
    w->d->received_off = e->len;
    PUT(e, "0000-00-00T00:00:00.000000000Z\",\"producer\":{\"principal\":");
    put_string(e, mlt_str(w->producer->principal));
    PUT(e, ",\"assurance\":");
    put_string(e, mlt_str(w->producer->assurance));
    PUT(e, "},\"facts\":{");
}

static enum mlt_status put_details(struct drafting *w, const bool *spilled, size_t num_spilled) {
    struct mlt_buf *e = &w->b->entry;
    w->d->details = mlt_arena_take(w->arena, num_spilled * sizeof(*w->d->details));
    if (!w->d->details) {
        return no_memory(w);
    }
    PUT(e, ",\"details\":{");
    for (size_t i = 0; i < w->members.num; i++) {
        if (!spilled[i]) {
            continue;
        }
        const struct mlt_member_ref *ref = &w->members.refs[i];
        struct mlt_detail *detail = &w->d->details[w->d->num_details];
        enum mlt_status status = mlt_spill_detail(detail, w->arena, ref, w->err);
        if (status != MLT_OK) {
            return status;
        }
        if (w->d->num_details++ > 0) {
            mlt_buf_put_u8(e, ',');
        }
        mlt_buf_put_bytes(e, mlt_json_raw(ref->json, ref->at - 1));
        PUT(e, ":{\"sha256\":\"");
        mlt_buf_put_hex(e, mlt_bytes_of(detail->hash, sizeof(detail->hash)));
        PUT(e, "\",\"length\":");
        mlt_buf_put_u64_decimal(e, detail->bytes.len);
        mlt_buf_put_u8(e, '}');
    }
    mlt_buf_put_u8(e, '}');
    return MLT_OK;
}

static enum mlt_status put_facts(struct drafting *w) {
    bool spilled[MLT_RECORD_MEMBERS_MAX];
    size_t num_spilled;
    enum mlt_status status = mlt_spill_choose(&w->members, spilled, &num_spilled, w->problem);
    if (status != MLT_OK) {
        return status;
    }
    size_t begin = w->b->entry.len;
    for (size_t i = 0; i < w->members.num; i++) {
        if (!w->members.refs[i].payload && !spilled[i]) {
            put_member(&w->b->entry, begin, &w->members.refs[i]);
        }
    }
    mlt_buf_put_u8(&w->b->entry, '}');
    return num_spilled > 0 ? put_details(w, spilled, num_spilled) : MLT_OK;
}

static enum mlt_status check_payload(struct drafting *w, size_t *num) {
    *num = 0;
    for (size_t i = 0; i < w->members.num; i++) {
        const struct mlt_member_ref *ref = &w->members.refs[i];
        *num += ref->payload;
        if (ref->payload && ref->name.len > MLT_SEAL_NAME_MAX) {
            return mlt_problem_set(w->problem, MLT_LIMIT, "name-too-long", "",
                                   "a member has a name of %zu bytes; at most %d are taken", ref->name.len,
                                   MLT_SEAL_NAME_MAX);
        }
    }
    if (*num > MLT_PAYLOAD_MEMBERS_MAX) {
        return mlt_problem_set(w->problem, MLT_LIMIT, "too-many-members", "",
                               "%zu members are payload; at most %d are taken, put more into one object such as "
                               "\"private\"",
                               *num, MLT_PAYLOAD_MEMBERS_MAX);
    }
    return MLT_OK;
}

// A commitment under the member's name, or under "~number" when the table does not have it.
static void put_commitment(struct mlt_buf *out, const struct mlt_member_ref *ref, unsigned *num_unknown,
                           const uint8_t secret[static MLT_SECRET_LEN]) {
    uint8_t salt[MLT_HASH_LEN];
    uint8_t commitment[MLT_HASH_LEN];
    mlt_seal_salt(salt, secret, ref->name);
    mlt_seal_commit(commitment, salt, ref->name, mlt_json_raw(ref->json, ref->at));
    mlt_buf_put_u8(out, '"');
    if (ref->info) {
        mlt_buf_put_bytes(out, ref->name);
    } else {
        mlt_buf_put_u8(out, '~');
        mlt_buf_put_u64_decimal(out, ++*num_unknown);
    }
    PUT(out, "\":\"");
    mlt_buf_put_base64(out, mlt_bytes_of(commitment, sizeof(commitment)));
    mlt_buf_put_u8(out, '"');
    mlt_wipe(salt, sizeof(salt));
}

static enum mlt_status seal(struct drafting *w, const uint8_t secret[static MLT_SECRET_LEN]) {
    struct mlt_builder *b = w->b;
    if (b->plain.failed) {
        return no_memory(w);
    }
    if (b->plain.len > MLT_PAYLOAD_MAX) {
        return mlt_problem_set(w->problem, MLT_LIMIT, "payload-too-large", "",
                               "the payload has %zu bytes; at most %d are taken", b->plain.len, MLT_PAYLOAD_MAX);
    }
    uint8_t *sealed = mlt_arena_take(w->arena, b->plain.len + MLT_SEAL_TAG_LEN);
    if (!sealed) {
        return no_memory(w);
    }
    w->d->sealed = mlt_bytes_of(sealed, b->plain.len + MLT_SEAL_TAG_LEN);
    w->d->has_payload = true;
    enum mlt_status status = mlt_seal_payload(b->sealer, sealed, secret, mlt_buf_bytes(&b->plain), w->err);
    return status == MLT_OK ? mlt_seal_wrap(b->sealer, w->d->wrapped, secret, w->err) : status;
}

// The sealed object, and in the entry a commitment to each of its members.
static enum mlt_status put_payload(struct drafting *w) {
    struct mlt_builder *b = w->b;
    uint8_t secret[MLT_SECRET_LEN];
    size_t num;
    enum mlt_status status = check_payload(w, &num);
    if (status != MLT_OK || num == 0) {
        return status;
    }
    status = mlt_secrets_take(&b->secrets, b->env, secret, sizeof(secret), w->err);
    if (status != MLT_OK) {
        return status;
    }
    mlt_buf_reset(&b->plain);
    mlt_buf_put_u8(&b->plain, PAYLOAD_ENCODING_RAW);
    mlt_buf_put_u8(&b->plain, '{');
    PUT(&b->entry, ",\"payload\":{");
    size_t plain_begin = b->plain.len;
    size_t entry_begin = b->entry.len;
    unsigned num_unknown = 0;
    for (size_t i = 0; i < w->members.num; i++) {
        if (w->members.refs[i].payload) {
            put_member(&b->plain, plain_begin, &w->members.refs[i]);
            if (b->entry.len > entry_begin) {
                mlt_buf_put_u8(&b->entry, ',');
            }
            put_commitment(&b->entry, &w->members.refs[i], &num_unknown, secret);
        }
    }
    mlt_buf_put_u8(&b->plain, '}');
    mlt_buf_put_u8(&b->entry, '}');
    status = seal(w, secret);
    mlt_wipe(secret, sizeof(secret));
    return status;
}

static enum mlt_status finish_entry(struct drafting *w) {
    struct mlt_buf *e = &w->b->entry;
    mlt_buf_put_u8(e, '}');
    if (e->failed) {
        return no_memory(w);
    }
    if (e->len > MLT_ENTRY_MAX) {
        return mlt_problem_set(
            w->problem, MLT_LIMIT, "too-many-members", "",
            "its entry would have %zu bytes; at most %d are taken: use fewer or shorter member names", e->len,
            MLT_ENTRY_MAX);
    }
    w->d->entry = mlt_arena_take(w->arena, e->len);
    if (!w->d->entry) {
        return no_memory(w);
    }
    memcpy(w->d->entry, e->data, e->len);
    w->d->entry_len = e->len;
    return MLT_OK;
}

static enum mlt_status identify(struct drafting *w) {
    const struct mlt_identity_input in = {
        .members = &w->members,
        .id = w->id,
        .principal = mlt_str(w->producer->principal),
        .index_key = w->b->keys.index_key,
        .text = &w->b->plain,
        .cache = &w->b->cache,
        .payload_known = true,
    };
    return mlt_identify(w->d, w->arena, &w->b->scratch, &in, w->err);
}

static enum mlt_status draft_record(struct drafting *w) {
    enum mlt_status status = choose_id(w);
    if (status == MLT_OK) {
        put_head(w);
        status = put_facts(w);
    }
    if (status == MLT_OK) {
        status = put_payload(w);
    }
    if (status == MLT_OK) {
        status = finish_entry(w);
    }
    return status == MLT_OK ? identify(w) : status;
}

static enum mlt_status scan(struct mlt_builder *b, struct mlt_bytes record, struct mlt_problem *p,
                            struct mlt_error *err) {
    if (record.len > MLT_RECORD_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "record-too-large", "", "a record of %zu bytes; at most %d are taken",
                               record.len, MLT_RECORD_MAX);
    }
    struct mlt_error why;
    enum mlt_status status = mlt_json_scan(&b->json, record, &why);
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        return mlt_problem_set(p, status, b->json.error_code, b->json.error_pointer, "%.500s", why.text);
    }
    return status == MLT_OK ? MLT_OK : mlt_fail(err, status, "%s", why.text);
}

static enum mlt_status reserve_draft(struct mlt_batch *batch, struct mlt_error *err) {
    if (batch->num_drafts < batch->cap) {
        return MLT_OK;
    }
    size_t cap = batch->cap > 0 ? batch->cap * 2 : FIRST_DRAFTS;
    struct mlt_draft *drafts = realloc(batch->drafts, cap * sizeof(*drafts));
    if (!drafts) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu drafts", cap);
    }
    batch->drafts = drafts;
    batch->cap = cap;
    return MLT_OK;
}

// Memory that ordinary records need stays, what an extraordinary one took goes.
static void release_excess(struct mlt_builder *b) {
    if (b->json.cap > KEPT_TOKENS_MAX || b->json.slots_cap > KEPT_TOKENS_MAX) {
        mlt_json_clear(&b->json);
    }
    if (b->plain.cap > KEPT_TEXT_MAX) {
        wipe_plain(b);
    }
}

static enum mlt_status add_record(struct mlt_builder *b, struct mlt_batch *batch, const struct mlt_producer *producer,
                                  struct mlt_bytes record, const char *default_kind, uint32_t line, bool own,
                                  struct mlt_problem *p, struct mlt_error *err) {
    p->line = line;
    p->code[0] = p->pointer[0] = p->detail[0] = '\0';
    mlt_arena_reset(&b->scratch);
    struct drafting w = {.b = b, .arena = &batch->arena, .producer = producer, .problem = p, .err = err};
    w.members.refs = b->refs;
    enum mlt_status status = scan(b, record, p, err);
    if (status == MLT_OK) {
        status = mlt_record_validate(&w.members, &b->json, default_kind, own, &b->scratch, p);
    }
    if (status == MLT_OK) {
        status = reserve_draft(batch, err);
    }
    if (status == MLT_OK) {
        w.d = &batch->drafts[batch->num_drafts];
        *w.d = (struct mlt_draft){.line = line};
        status = draft_record(&w);
    }
    if (status == MLT_OK) {
        batch->num_drafts++;
    } else if (p->code[0]) {
        (void)mlt_fail(err, status, "%s", p->detail);
    }
    release_excess(b);
    return status;
}

enum mlt_status mlt_builder_add(struct mlt_builder *b, struct mlt_batch *batch, const struct mlt_producer *producer,
                                struct mlt_bytes record, const char *default_kind, uint32_t line,
                                struct mlt_problem *problem, struct mlt_error *err) {
    return add_record(b, batch, producer, record, default_kind, line, false, problem, err);
}

enum mlt_status mlt_builder_add_own(struct mlt_builder *b, struct mlt_batch *batch, const struct mlt_producer *producer,
                                    struct mlt_bytes record, struct mlt_problem *problem, struct mlt_error *err) {
    return add_record(b, batch, producer, record, NULL, 0, true, problem, err);
}
