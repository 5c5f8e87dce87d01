#include "record/entry.h"

#include <stdio.h>

#include "record/identity.h"

#define ENTRY_VERSION 1

static enum mlt_status bad(struct mlt_error *err, const char *what) {
    return mlt_fail(err, MLT_CORRUPT, "FORMAT.md, Entries: %s", what);
}

// What is wrong with the members of a scanned entry; NULL: nothing.
static const char *read_members(struct mlt_entry *out, struct mlt_arena *arena) {
    struct mlt_json *j = &out->json;
    const char *wrong = NULL;
    uint64_t version = 0;
    mlt_json_at time = mlt_json_get(j, 0, "time");
    mlt_json_at producer = mlt_json_get(j, 0, "producer");
    out->kind_name = mlt_json_string(j, mlt_json_get(j, 0, "kind"), arena);
    out->id = mlt_json_string(j, mlt_json_get(j, 0, "id"), arena);
    out->time_text = mlt_json_string(j, time, arena);
    out->principal = mlt_json_string(j, mlt_json_get(j, producer, "principal"), arena);
    out->assurance = mlt_json_string(j, mlt_json_get(j, producer, "assurance"), arena);
    out->facts = mlt_json_get(j, 0, "facts");
    out->details = mlt_json_get(j, 0, "details");
    out->payload = mlt_json_get(j, 0, "payload");
    out->kind = mlt_kind_find(out->kind_name);
    out->has_time = out->time_text.ptr && mlt_time_parse(&out->time, out->time_text);
    if (!mlt_json_u64(j, mlt_json_get(j, 0, "v"), &version) || version != ENTRY_VERSION) {
        wrong = "format version 1 was expected in \"v\"";
    } else if (!out->kind_name.ptr || !out->id.ptr || !out->principal.ptr || !out->assurance.ptr) {
        wrong = "kind, id and producer must be there";
    } else if (!mlt_time_parse(&out->received, mlt_json_string(j, mlt_json_get(j, 0, "received"), arena))) {
        wrong = "received must be a time";
    } else if (!out->has_time && !mlt_json_is(j, time, MLT_JSON_NULL)) {
        wrong = "time must be a time or null";
    } else if (!mlt_json_is(j, out->facts, MLT_JSON_OBJECT)) {
        wrong = "facts must be an object";
    } else if (out->details != MLT_JSON_NONE && !mlt_json_is(j, out->details, MLT_JSON_OBJECT)) {
        wrong = "details must be an object";
    } else if (out->payload != MLT_JSON_NONE && !mlt_json_is(j, out->payload, MLT_JSON_OBJECT)) {
        wrong = "payload must be an object";
    }
    return wrong;
}

enum mlt_status mlt_entry_parse_again(struct mlt_entry *out, struct mlt_arena *arena, struct mlt_bytes bytes,
                                      struct mlt_error *err) {
    // The text of an error is long: it is not cleared for every entry that has none.
    struct mlt_error why;
    why.text[0] = '\0';
    *out = (struct mlt_entry){
        .json = out->json, .details = MLT_JSON_NONE, .payload = MLT_JSON_NONE, .facts = MLT_JSON_NONE};
    enum mlt_status status = mlt_json_scan(&out->json, bytes, &why);
    if (status == MLT_NOMEM) {
        return mlt_fail(err, status, "%s", why.text);
    }
    if (status != MLT_OK) {
        return mlt_fail(err, MLT_CORRUPT, "FORMAT.md, Entries: not JSON: %s", why.text);
    }
    const char *wrong = read_members(out, arena);
    return wrong ? bad(err, wrong) : MLT_OK;
}

enum mlt_status mlt_entry_parse(struct mlt_entry *out, struct mlt_arena *arena, struct mlt_bytes bytes,
                                struct mlt_error *err) {
    *out = (struct mlt_entry){0};
    enum mlt_status status = mlt_entry_parse_again(out, arena, bytes, err);
    if (status != MLT_OK) {
        mlt_entry_clear(out);
    }
    return status;
}

void mlt_entry_clear(struct mlt_entry *e) {
    if (e) {
        mlt_json_clear(&e->json);
    }
}

// Each member of the sealed object against its commitment: under its own name, or else the next of "~1", "~2", ….
static enum mlt_status check_commitments(const struct mlt_entry *e, const struct mlt_json *plain,
                                         const uint8_t secret[static MLT_SECRET_LEN], struct mlt_arena *arena,
                                         struct mlt_error *err) {
    unsigned unknown = 0;
    size_t seen = 0;
    for (mlt_json_at n = mlt_json_first(plain, 0); n != MLT_JSON_NONE; n = mlt_json_next(plain, 0, n), seen++) {
        struct mlt_bytes name = mlt_json_string(plain, n, arena);
        mlt_json_at at = MLT_JSON_NONE;
        if (name.len == 0 || name.ptr[0] != '~') {
            at = mlt_json_get_bytes(&e->json, e->payload, name);
        }
        if (at == MLT_JSON_NONE) {
            char hidden[16];
            (void)snprintf(hidden, sizeof hidden, "~%u", ++unknown);
            at = mlt_json_get(&e->json, e->payload, hidden);
        }
        uint8_t want[MLT_HASH_LEN];
        size_t want_len = 0;
        struct mlt_bytes text = mlt_json_string(&e->json, at, arena);
        if (!mlt_base64_decode(want, sizeof want, &want_len, text) || want_len != sizeof want ||
            name.len > MLT_SEAL_NAME_MAX) {
            return mlt_fail(err, MLT_CORRUPT, "the entry has no commitment to the payload member \"%.*s\"",
                            name.len > 100 ? 100 : (int)name.len, (const char *)name.ptr);
        }
        uint8_t salt[MLT_HASH_LEN];
        uint8_t got[MLT_HASH_LEN];
        mlt_seal_salt(salt, secret, name);
        mlt_seal_commit(got, salt, name, mlt_json_raw(plain, n + 1));
        if (!mlt_memeql(got, want, sizeof want)) {
            return mlt_fail(err, MLT_CORRUPT, "the payload member \"%.*s\" is not the one that the entry commits to",
                            name.len > 100 ? 100 : (int)name.len, (const char *)name.ptr);
        }
    }
    if (seen != e->json.tape[e->payload].count) {
        return mlt_fail(err, MLT_CORRUPT, "the entry commits to %u payload members, %zu are there",
                        e->json.tape[e->payload].count, seen);
    }
    return MLT_OK;
}

enum mlt_status mlt_entry_open_with(const struct mlt_entry *e, struct mlt_sealer *sealer,
                                    const uint8_t secret[static MLT_SECRET_LEN], struct mlt_bytes sealed,
                                    struct mlt_json *scratch, struct mlt_arena *arena, struct mlt_bytes *plain,
                                    struct mlt_error *err) {
    *plain = (struct mlt_bytes){0};
    if (e->payload == MLT_JSON_NONE) {
        return mlt_fail(err, MLT_CORRUPT, "a sealed payload beside an entry that commits to none");
    }
    if (sealed.len <= MLT_SEAL_TAG_LEN) {
        return mlt_fail(err, MLT_CORRUPT, "a sealed payload of %zu bytes is too short", sealed.len);
    }
    uint8_t *open = mlt_arena_take(arena, sealed.len - MLT_SEAL_TAG_LEN);
    if (!open) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a payload");
    }
    enum mlt_status status = mlt_seal_open(sealer, open, secret, sealed, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_bytes object = mlt_bytes_of(open + 1, sealed.len - MLT_SEAL_TAG_LEN - 1);
    struct mlt_error why;
    why.text[0] = '\0';
    if (open[0] != 0x00) {
        status = mlt_fail(err, MLT_CORRUPT, "the payload has encoding %u; this build knows 0", open[0]);
    } else if ((status = mlt_json_scan(scratch, object, &why)) != MLT_OK) {
        status = mlt_fail(err, status == MLT_NOMEM ? status : MLT_CORRUPT, "the payload is not JSON: %s", why.text);
    } else if (!mlt_json_is(scratch, 0, MLT_JSON_OBJECT)) {
        status = mlt_fail(err, MLT_CORRUPT, "the payload is no JSON object");
    } else {
        status = check_commitments(e, scratch, secret, arena, err);
    }
    if (status == MLT_OK) {
        *plain = object;
    }
    return status;
}

enum mlt_status mlt_entry_open_payload(const struct mlt_entry *e, struct mlt_sealer *sealer,
                                       const uint8_t wrapped[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                       struct mlt_arena *arena, struct mlt_bytes *plain, struct mlt_error *err) {
    uint8_t secret[MLT_SECRET_LEN];
    struct mlt_json json = {0};
    *plain = (struct mlt_bytes){0};
    enum mlt_status status = mlt_seal_unwrap(sealer, secret, wrapped, err);
    if (status == MLT_OK) {
        status = mlt_entry_open_with(e, sealer, secret, sealed, &json, arena, plain, err);
    }
    mlt_json_clear(&json);
    mlt_wipe(secret, sizeof secret);
    return status;
}

static enum mlt_status take_members(struct mlt_members *m, const struct mlt_json *json, bool payload,
                                    struct mlt_arena *arena, struct mlt_error *err) {
    for (mlt_json_at n = mlt_json_first(json, 0); n != MLT_JSON_NONE; n = mlt_json_next(json, 0, n)) {
        struct mlt_bytes name = mlt_json_string(json, n, arena);
        if (!name.ptr) {
            return mlt_fail(err, MLT_NOMEM, "no memory to read an entry");
        }
        if (m->num == MLT_RECORD_MEMBERS_MAX) {
            return bad(err, "more members than a record may have");
        }
        mlt_members_add(m, name, json, n + 1)->payload = payload;
    }
    return MLT_OK;
}

static enum mlt_status put_detail(struct mlt_json_writer *w, const struct mlt_entry *e, mlt_json_at name,
                                  const struct mlt_detail_source *details, struct mlt_arena *arena,
                                  struct mlt_error *err) {
    uint8_t hash[MLT_HASH_LEN];
    struct mlt_bytes bytes;
    struct mlt_bytes text = mlt_json_string(&e->json, name, arena);
    struct mlt_bytes hex = mlt_json_string(&e->json, mlt_json_get(&e->json, name + 1, "sha256"), arena);
    enum mlt_status status = MLT_OK;
    if (!mlt_hex_decode(hash, sizeof(hash), hex)) {
        status = mlt_fail(err, MLT_CORRUPT, "detail '%.*s' has no SHA-256", MLT_ARG(text));
    } else {
        status = details->read(details->ctx, hash, arena, &bytes, err);
    }
    if (status == MLT_OK) {
        mlt_jw_name_bytes(w, text);
        mlt_jw_raw(w, bytes);
    } else if (details->pass_over && (status == MLT_NOTFOUND || status == MLT_CORRUPT)) {
        status = MLT_OK;
    }
    return status;
}

enum mlt_status mlt_entry_facts(const struct mlt_entry *e, const struct mlt_detail_source *details,
                                struct mlt_arena *arena, struct mlt_bytes *out, struct mlt_error *err) {
    if (e->details == MLT_JSON_NONE) {
        *out = mlt_json_raw(&e->json, e->facts);
        return MLT_OK;
    }
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    enum mlt_status status = MLT_OK;
    mlt_jw_init(&w, &text);
    mlt_jw_object(&w);
    for (mlt_json_at n = mlt_json_first(&e->json, e->facts); n != MLT_JSON_NONE;
         n = mlt_json_next(&e->json, e->facts, n)) {
        struct mlt_bytes name = mlt_json_string(&e->json, n, arena);
        if (mlt_json_get_bytes(&e->json, e->details, name) == MLT_JSON_NONE) {
            mlt_jw_name_bytes(&w, name);
            mlt_jw_raw(&w, mlt_json_raw(&e->json, n + 1));
        }
    }
    for (mlt_json_at n = mlt_json_first(&e->json, e->details); n != MLT_JSON_NONE && status == MLT_OK;
         n = mlt_json_next(&e->json, e->details, n)) {
        status = put_detail(&w, e, n, details, arena, err);
    }
    if (status == MLT_OK) {
        mlt_jw_end_object(&w);
        *out = mlt_arena_copy(arena, mlt_buf_bytes(&text));
        if (text.failed || out->ptr == NULL) {
            status = mlt_fail(err, MLT_NOMEM, "no memory for the facts of an entry");
        }
    }
    mlt_buf_clear(&text);
    return status;
}

enum mlt_status mlt_entry_redraft(struct mlt_draft *out, struct mlt_arena *arena, const struct mlt_entry *e,
                                  const struct mlt_json *facts, const struct mlt_json *payload,
                                  const struct mlt_record_keys *keys, struct mlt_error *err) {
    *out = (struct mlt_draft){.has_payload = e->payload != MLT_JSON_NONE};
    struct mlt_member_ref refs[MLT_RECORD_MEMBERS_MAX];
    struct mlt_members m = {.refs = refs};
    struct mlt_buf text = {0};
    mlt_members_begin(&m, e->kind, e->kind_name);
    enum mlt_status status = take_members(&m, facts, false, arena, err);
    if (status == MLT_OK && payload) {
        status = take_members(&m, payload, true, arena, err);
    }
    if (status == MLT_OK) {
        mlt_members_read_time(&m, arena);
        const struct mlt_identity_input in = {
            .members = &m,
            .id = e->id,
            .principal = e->principal,
            .index_key = keys->index_key,
            .text = &text,
            .payload_known = payload || !out->has_payload,
        };
        status = mlt_identify(out, arena, arena, &in, err);
    }
    if (text.data) {
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return status;
}

// `facts` of the entry as it stands, or with its details back in them.
static enum mlt_status links_of(const struct mlt_entry *e, const struct mlt_json *json, mlt_json_at facts, bool whole,
                                struct mlt_arena *arena, struct mlt_link out[static MLT_TERMS_MAX], size_t *num,
                                bool *partial, struct mlt_error *err) {
    struct mlt_member_ref refs[MLT_RECORD_MEMBERS_MAX];
    struct mlt_members m = {.refs = refs};
    const struct mlt_identity_input in = {
        .members = &m, .id = e->id, .principal = e->principal, .entry = whole ? NULL : e};
    *num = 0;
    mlt_members_begin(&m, e->kind, e->kind_name);
    for (mlt_json_at n = mlt_json_first(json, facts); n != MLT_JSON_NONE; n = mlt_json_next(json, facts, n)) {
        struct mlt_bytes name = mlt_json_string(json, n, arena);
        if (!name.ptr) {
            return mlt_fail(err, MLT_NOMEM, "no memory to read an entry");
        }
        if (m.num == MLT_RECORD_MEMBERS_MAX) {
            return bad(err, "more members than a record may have");
        }
        mlt_members_add(&m, name, json, n + 1);
    }
    *num = mlt_identify_links(out, partial, arena, &in);
    return MLT_OK;
}

enum mlt_status mlt_entry_links(const struct mlt_entry *e, struct mlt_arena *arena,
                                struct mlt_link out[static MLT_TERMS_MAX], size_t *num, struct mlt_error *err) {
    bool partial = false;
    enum mlt_status status = links_of(e, &e->json, e->facts, false, arena, out, num, &partial, err);
    if (!status && partial) {
        *num -= *num == MLT_TERMS_MAX;
        mlt_link_make(&out[(*num)++], MLT_DIM_PARTIAL, NULL, 0);
    }
    return status;
}

enum mlt_status mlt_entry_whole_links(const struct mlt_entry *e, const struct mlt_json *facts, struct mlt_arena *arena,
                                      struct mlt_link out[static MLT_TERMS_MAX], size_t *num, bool *all,
                                      struct mlt_error *err) {
    bool partial = false;
    enum mlt_status status = links_of(e, facts, 0, true, arena, out, num, &partial, err);
    *all = !status && !partial;
    return status;
}
