// From a submitted record to a draft: validate, split, seal, spill, write the entry, identify.
#include <stdio.h>
#include <stdlib.h>

#include "base/env.h"
#include "record/identity.h"

#define RANDOM_POOL_LEN 4096      // a system call per 85 records rather than per record
#define PAYLOAD_MEMBERS_MAX 256   // each costs a commitment of about 60 bytes in an entry of 64 KiB
#define PAYLOAD_ENCODING_RAW 0x00 // first byte of the plaintext; other values are for compressed forms
#define ID_TEXT_LEN 36

struct mlt_builder {
    struct mlt_env *env;
    struct mlt_record_keys keys;
    struct mlt_sealer *sealer;
    struct mlt_json json;
    struct mlt_arena scratch;
    struct mlt_term_cache cache;
    struct mlt_buf facts, payload, commitments, details, entry;
    struct mlt_member_ref refs[MLT_RECORD_MEMBERS_MAX];
    uint8_t pool[RANDOM_POOL_LEN];
    size_t pool_used;
};

enum mlt_status mlt_builder_new(struct mlt_builder **out, struct mlt_env *env, const struct mlt_record_keys *keys,
                                struct mlt_error *err) {
    *out = NULL;
    struct mlt_builder *b = calloc(1, sizeof *b);
    if (!b) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a record builder");
    }
    b->env = env;
    b->keys = *keys;
    b->pool_used = sizeof b->pool;
    enum mlt_status status = mlt_sealer_new(&b->sealer, keys->kek, err);
    if (status != MLT_OK) {
        free(b);
        return status;
    }
    *out = b;
    return MLT_OK;
}

void mlt_builder_free(struct mlt_builder *b) {
    if (!b) {
        return;
    }
    mlt_sealer_free(b->sealer);
    mlt_json_clear(&b->json);
    mlt_arena_clear(&b->scratch);
    mlt_buf_clear(&b->facts);
    mlt_buf_clear(&b->payload);
    mlt_buf_clear(&b->commitments);
    mlt_buf_clear(&b->details);
    mlt_buf_clear(&b->entry);
    mlt_wipe(b, sizeof *b);
    free(b);
}

void mlt_batch_reset(struct mlt_batch *batch) {
    mlt_arena_reset(&batch->arena);
    batch->num_drafts = 0;
}

void mlt_batch_clear(struct mlt_batch *batch) {
    if (batch) {
        mlt_arena_clear(&batch->arena);
        free(batch->drafts);
        *batch = (struct mlt_batch){0};
    }
}

static enum mlt_status take_random(struct mlt_builder *b, uint8_t *out, size_t len, struct mlt_error *err) {
    if (b->pool_used + len > sizeof b->pool) {
        enum mlt_status status = b->env->random(b->env, b->pool, sizeof b->pool, err);
        if (status != MLT_OK) {
            return status;
        }
        b->pool_used = 0;
    }
    memcpy(out, b->pool + b->pool_used, len);
    mlt_wipe(b->pool + b->pool_used, len);
    b->pool_used += len;
    return MLT_OK;
}

// UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, the rest random.
static enum mlt_status issue_id(struct mlt_builder *b, char out[static ID_TEXT_LEN + 1], struct mlt_error *err) {
    uint8_t u[16];
    enum mlt_status status = take_random(b, u, sizeof u, err);
    if (status != MLT_OK) {
        return status;
    }
    uint64_t ms = (uint64_t)(b->env->now(b->env) / 1000000);
    for (int i = 0; i < 6; i++) {
        u[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    u[6] = (uint8_t)(0x70 | (u[6] & 0x0F));
    u[8] = (uint8_t)(0x80 | (u[8] & 0x3F));
    char hex[33];
    mlt_hex_encode(hex, mlt_bytes_of(u, sizeof u));
    snprintf(out, ID_TEXT_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return MLT_OK;
}

static struct mlt_bytes raw_name(const struct mlt_member_ref *ref) {
    return mlt_json_raw(ref->json, ref->at - 1);
}

static void put_member(struct mlt_buf *out, const struct mlt_member_ref *ref) {
    if (out->len > 1) {
        mlt_buf_put_u8(out, ',');
    }
    mlt_buf_put_bytes(out, raw_name(ref));
    mlt_buf_put_u8(out, ':');
    mlt_buf_put_bytes(out, mlt_json_raw(ref->json, ref->at));
}

// Facts over MLT_FACTS_INLINE_MAX spill, largest first.
struct spill {
    const struct mlt_member_ref *ref;
    size_t len;
};

static int larger_first(const void *a, const void *b) {
    const struct spill *x = a;
    const struct spill *y = b;
    if (x->len != y->len) {
        return x->len < y->len ? 1 : -1;
    }
    return x->ref < y->ref ? -1 : x->ref > y->ref;
}

static enum mlt_status choose_spills(struct mlt_builder *b, const struct mlt_members *m, bool *spilled,
                                     size_t *num_spilled, struct mlt_problem *p, struct mlt_error *err) {
    size_t total = 2;
    size_t num = 0;
    *num_spilled = 0;
    for (size_t i = 0; i < m->num; i++) {
        spilled[i] = false;
        if (!m->refs[i].payload) {
            total += raw_name(&m->refs[i]).len + mlt_json_raw(m->refs[i].json, m->refs[i].at).len + 2;
            num++;
        }
    }
    if (total <= MLT_FACTS_INLINE_MAX) {
        return MLT_OK;
    }
    struct spill *order = mlt_arena_take(&b->scratch, num * sizeof *order);
    if (!order) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu facts", num);
    }
    num = 0;
    for (size_t i = 0; i < m->num; i++) {
        if (!m->refs[i].payload) {
            order[num].ref = &m->refs[i];
            order[num++].len = mlt_json_raw(m->refs[i].json, m->refs[i].at).len;
        }
    }
    qsort(order, num, sizeof *order, larger_first);
    size_t details = 0;
    for (size_t i = 0; i < num && total > MLT_FACTS_INLINE_MAX; i++) {
        spilled[order[i].ref - m->refs] = true;
        total -= raw_name(order[i].ref).len + order[i].len + 2;
        details += order[i].len;
        (*num_spilled)++;
    }
    if (details > MLT_DETAILS_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "details-too-large", "", "the facts take %zu bytes; at most %d are taken",
                               details, MLT_DETAILS_MAX);
    }
    return MLT_OK;
}

static enum mlt_status put_facts(struct mlt_builder *b, struct mlt_draft *d, struct mlt_arena *arena,
                                 const struct mlt_members *m, struct mlt_problem *p, struct mlt_error *err) {
    bool spilled[MLT_RECORD_MEMBERS_MAX];
    size_t num_spilled;
    enum mlt_status status = choose_spills(b, m, spilled, &num_spilled, p, err);
    if (status != MLT_OK) {
        return status;
    }
    mlt_buf_reset(&b->facts);
    mlt_buf_reset(&b->details);
    mlt_buf_put_u8(&b->facts, '{');
    if (num_spilled) {
        d->details = mlt_arena_take(arena, num_spilled * sizeof *d->details);
        if (!d->details) {
            return mlt_fail(err, MLT_NOMEM, "no memory for details");
        }
    }
    for (size_t i = 0; i < m->num; i++) {
        if (m->refs[i].payload) {
            continue;
        }
        if (!spilled[i]) {
            put_member(&b->facts, &m->refs[i]);
            continue;
        }
        struct mlt_detail *detail = &d->details[d->num_details++];
        detail->bytes = mlt_arena_copy(arena, mlt_json_raw(m->refs[i].json, m->refs[i].at));
        if (!detail->bytes.ptr) {
            return mlt_fail(err, MLT_NOMEM, "no memory for details");
        }
        mlt_sha256_one(detail->hash, detail->bytes);
        mlt_buf_put_u8(&b->details, d->num_details > 1 ? ',' : '{');
        mlt_buf_put_bytes(&b->details, raw_name(&m->refs[i]));
        mlt_buf_put_str(&b->details, ":{\"sha256\":\"");
        mlt_buf_put_hex(&b->details, mlt_bytes_of(detail->hash, MLT_HASH_LEN));
        mlt_buf_printf(&b->details, "\",\"length\":%zu}", detail->bytes.len);
    }
    mlt_buf_put_u8(&b->facts, '}');
    if (num_spilled) {
        mlt_buf_put_u8(&b->details, '}');
    }
    return MLT_OK;
}

// The sealed object and, beside it, a commitment per member.
static enum mlt_status put_payload(struct mlt_builder *b, struct mlt_draft *d, struct mlt_arena *arena,
                                   const struct mlt_members *m, struct mlt_problem *p, struct mlt_error *err) {
    mlt_buf_reset(&b->payload);
    mlt_buf_reset(&b->commitments);
    size_t num = 0;
    for (size_t i = 0; i < m->num; i++) {
        num += m->refs[i].payload;
    }
    if (num == 0) {
        return MLT_OK;
    }
    if (num > PAYLOAD_MEMBERS_MAX) {
        return mlt_problem_set(
            p, MLT_LIMIT, "too-many-members", "",
            "%zu members are payload; at most %d are taken, put more into one object such as \"private\"", num,
            PAYLOAD_MEMBERS_MAX);
    }
    uint8_t secret[MLT_SECRET_LEN];
    enum mlt_status status = take_random(b, secret, sizeof secret, err);
    if (status != MLT_OK) {
        return status;
    }
    mlt_buf_put_u8(&b->payload, PAYLOAD_ENCODING_RAW);
    size_t begin = b->payload.len;
    unsigned unknown = 0;
    for (size_t i = 0; i < m->num; i++) {
        const struct mlt_member_ref *ref = &m->refs[i];
        if (!ref->payload) {
            continue;
        }
        if (ref->name.len > MLT_SEAL_NAME_MAX) {
            status =
                mlt_problem_set(p, MLT_LIMIT, "name-too-long", "", "a member name of %zu bytes; at most %d are taken",
                                ref->name.len, MLT_SEAL_NAME_MAX);
            goto out;
        }
        mlt_buf_put_u8(&b->payload, b->payload.len > begin ? ',' : '{');
        mlt_buf_put_bytes(&b->payload, raw_name(ref));
        mlt_buf_put_u8(&b->payload, ':');
        struct mlt_bytes value = mlt_json_raw(ref->json, ref->at);
        mlt_buf_put_bytes(&b->payload, value);
        uint8_t salt[MLT_HASH_LEN];
        uint8_t commitment[MLT_HASH_LEN];
        mlt_seal_salt(salt, secret, ref->name);
        mlt_seal_commit(commitment, salt, ref->name, value);
        mlt_buf_put_u8(&b->commitments, b->commitments.len ? ',' : '{');
        if (ref->info) {
            mlt_buf_put_u8(&b->commitments, '"');
            mlt_buf_put_str(&b->commitments, ref->info->name);
            mlt_buf_put_str(&b->commitments, "\":\"");
        } else {
            mlt_buf_printf(&b->commitments, "\"~%u\":\"", ++unknown);
        }
        mlt_buf_put_base64(&b->commitments, mlt_bytes_of(commitment, sizeof commitment));
        mlt_buf_put_u8(&b->commitments, '"');
    }
    mlt_buf_put_u8(&b->payload, '}');
    mlt_buf_put_u8(&b->commitments, '}');
    if (b->payload.len > MLT_PAYLOAD_MAX) {
        status = mlt_problem_set(p, MLT_LIMIT, "payload-too-large", "",
                                 "the payload takes %zu bytes; at most %d are taken", b->payload.len, MLT_PAYLOAD_MAX);
        goto out;
    }
    uint8_t *sealed = mlt_arena_take(arena, b->payload.len + MLT_SEAL_TAG_LEN);
    if (!sealed || b->payload.failed || b->commitments.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for a payload");
        goto out;
    }
    status = mlt_seal_payload(b->sealer, sealed, secret, mlt_buf_bytes(&b->payload), err);
    if (status == MLT_OK) {
        status = mlt_seal_wrap(b->sealer, d->wrapped, secret, err);
    }
    d->sealed = mlt_bytes_of(sealed, b->payload.len + MLT_SEAL_TAG_LEN);
    d->has_payload = true;
out:
    mlt_wipe(secret, sizeof secret);
    return status;
}

// The entry of docs/FORMAT.md, "Entries", complete but for `received`.
static enum mlt_status put_entry(struct mlt_builder *b, struct mlt_draft *d, struct mlt_arena *arena,
                                 const struct mlt_members *m, struct mlt_bytes id, const struct mlt_producer *producer,
                                 struct mlt_problem *p, struct mlt_error *err) {
    struct mlt_json_writer w;
    struct mlt_buf *e = &b->entry;
    mlt_buf_reset(e);
    mlt_jw_init(&w, e);
    mlt_buf_put_str(e, "{\"v\":1,\"kind\":");
    mlt_jw_string(&w, m->kind_name);
    mlt_buf_put_str(e, ",\"id\":");
    mlt_jw_init(&w, e);
    mlt_jw_string(&w, id);
    mlt_buf_put_str(e, ",\"time\":");
    const struct mlt_member_ref *time = mlt_members_find(m, "timestamp");
    if (time) {
        mlt_buf_put_bytes(e, mlt_json_raw(time->json, time->at));
    } else {
        mlt_buf_put_str(e, "null");
    }
    mlt_buf_put_str(e, ",\"received\":\"");
    d->received_off = e->len;
    mlt_buf_put_str(e, "0000-00-00T00:00:00.000000000Z\",\"producer\":{\"principal\":");
    mlt_jw_init(&w, e);
    mlt_jw_string(&w, mlt_str(producer->principal));
    mlt_buf_put_str(e, ",\"assurance\":");
    mlt_jw_init(&w, e);
    mlt_jw_string(&w, mlt_str(producer->assurance));
    mlt_buf_put_str(e, "},\"facts\":");
    mlt_buf_put_bytes(e, mlt_buf_bytes(&b->facts));
    if (d->num_details) {
        mlt_buf_put_str(e, ",\"details\":");
        mlt_buf_put_bytes(e, mlt_buf_bytes(&b->details));
    }
    if (d->has_payload) {
        mlt_buf_put_str(e, ",\"payload\":");
        mlt_buf_put_bytes(e, mlt_buf_bytes(&b->commitments));
    }
    mlt_buf_put_u8(e, '}');
    if (e->failed || b->facts.failed || b->details.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for an entry");
    }
    if (e->len > MLT_ENTRY_MAX) {
        return mlt_problem_set(p, MLT_LIMIT, "too-many-members", "",
                               "its entry would take %zu bytes; at most %d are taken", e->len, MLT_ENTRY_MAX);
    }
    struct mlt_bytes kept = mlt_arena_copy(arena, mlt_buf_bytes(e));
    if (!kept.ptr) {
        return mlt_fail(err, MLT_NOMEM, "no memory for an entry");
    }
    d->entry = (uint8_t *)(uintptr_t)kept.ptr;
    d->entry_len = kept.len;
    return MLT_OK;
}

static enum mlt_status draft_record(struct mlt_builder *b, struct mlt_batch *batch, struct mlt_draft *d,
                                    const struct mlt_producer *producer, const struct mlt_members *m,
                                    struct mlt_problem *p, struct mlt_error *err) {
    char issued[ID_TEXT_LEN + 1];
    const struct mlt_member_ref *event = mlt_members_find(m, "event_id");
    struct mlt_bytes id = event ? mlt_json_string(event->json, event->at, &b->scratch) : mlt_str(issued);
    enum mlt_status status = event ? MLT_OK : issue_id(b, issued, err);
    if (!event) {
        id = mlt_bytes_of(issued, ID_TEXT_LEN);
    } else if (id.len == 0 || id.len > MLT_NAME_MAX) {
        return mlt_problem_set(p, MLT_INVALID, "bad-value", "/event_id",
                               "event_id has %zu bytes; 1 to %d would be right", id.len, MLT_NAME_MAX);
    }
    if (status == MLT_OK) {
        status = put_facts(b, d, &batch->arena, m, p, err);
    }
    if (status == MLT_OK) {
        status = put_payload(b, d, &batch->arena, m, p, err);
    }
    if (status == MLT_OK) {
        status = put_entry(b, d, &batch->arena, m, id, producer, p, err);
    }
    if (status == MLT_OK) {
        struct mlt_identity_input in = {.members = m,
                                        .id = id,
                                        .principal = mlt_str(producer->principal),
                                        .index_key = b->keys.index_key,
                                        .cache = &b->cache,
                                        .payload_known = true};
        status = mlt_identify(d, &batch->arena, &b->scratch, &in, err);
    }
    return status;
}

static enum mlt_status add_record(struct mlt_builder *b, struct mlt_batch *batch, const struct mlt_producer *producer,
                                  struct mlt_bytes record, const char *default_kind, uint32_t line, bool own,
                                  struct mlt_problem *p, struct mlt_error *err) {
    p->line = line;
    p->code[0] = p->pointer[0] = p->detail[0] = '\0';
    if (record.len > MLT_RECORD_MAX) {
        mlt_problem_set(p, MLT_LIMIT, "record-too-large", "", "a record of %zu bytes; at most %d are taken", record.len,
                        MLT_RECORD_MAX);
        return mlt_fail(err, MLT_LIMIT, "%s", p->detail);
    }
    mlt_arena_reset(&b->scratch);
    struct mlt_error why = {0};
    enum mlt_status status = mlt_json_scan(&b->json, record, &why);
    if (status != MLT_OK) {
        if (status == MLT_INVALID || status == MLT_LIMIT) {
            mlt_problem_set(p, status, b->json.error_code, b->json.error_pointer, "%.400s", why.text);
        }
        return mlt_fail(err, status, "%s", why.text);
    }
    struct mlt_members m = {.refs = b->refs};
    status = mlt_record_validate(&m, &b->json, default_kind, own, &b->scratch, p);
    if (status != MLT_OK) {
        return mlt_fail(err, status, "%s", p->detail);
    }
    if (batch->num_drafts == batch->cap) {
        size_t cap = batch->cap ? batch->cap * 2 : 64;
        struct mlt_draft *drafts = realloc(batch->drafts, cap * sizeof *drafts);
        if (!drafts) {
            return mlt_fail(err, MLT_NOMEM, "no memory for %zu drafts", cap);
        }
        batch->drafts = drafts;
        batch->cap = cap;
    }
    struct mlt_draft *d = &batch->drafts[batch->num_drafts];
    *d = (struct mlt_draft){.line = line};
    status = draft_record(b, batch, d, producer, &m, p, err);
    if (status == MLT_OK) {
        batch->num_drafts++;
    } else if (p->code[0]) {
        return mlt_fail(err, status, "%s", p->detail);
    }
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
