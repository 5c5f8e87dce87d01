#include "trail/meta.h"

#include <stdio.h>

#include "record/key_json.h"

static void format_members(struct mlt_buf *out, const struct mlt_meta *m, bool with_signature) {
    char created[MLT_TIME_TEXT_LEN + 1];
    struct mlt_json_writer w;
    mlt_time_format(created, m->created);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "format", MLT_META_FORMAT);
    mlt_jw_member(&w, "origin", m->origin);
    mlt_jw_member(&w, "created", created);
    mlt_jw_member_bool(&w, "raw", m->raw);
    mlt_jw_member_bool(&w, "public", m->public_entries);
    mlt_key_json_put(&w, &m->chain);
    if (with_signature) {
        mlt_jw_name(&w, "signature");
        mlt_jw_base64(&w, mlt_bytes_of(m->signature, sizeof(m->signature)));
    }
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

void mlt_meta_format(struct mlt_buf *out, const struct mlt_meta *m) {
    format_members(out, m, true);
}

static void signed_text(struct mlt_buf *out, const struct mlt_meta *m) {
    mlt_buf_put_str(out, "mltrail/v1 trail.json\n");
    format_members(out, m, false);
}

enum mlt_status mlt_meta_sign(struct mlt_meta *m, const struct mlt_signer *signer, struct mlt_error *err) {
    struct mlt_buf text = {0};
    signed_text(&text, m);
    enum mlt_status st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory to sign trail.json")
                                     : mlt_ed25519_sign(signer->key, m->signature, mlt_buf_bytes(&text), err);
    mlt_buf_clear(&text);
    return st;
}

bool mlt_meta_verify(const struct mlt_meta *m, struct mlt_bytes text, const struct mlt_vkey *key) {
    struct mlt_buf again = {0};
    struct mlt_buf message = {0};
    mlt_meta_format(&again, m);
    signed_text(&message, m);
    bool good = !again.failed && !message.failed && mlt_bytes_equal(mlt_buf_bytes(&again), text) &&
                mlt_ed25519_verify(m->chain.keys[0].key, mlt_buf_bytes(&message), m->signature) &&
                mlt_key_chain_leads(&m->chain, key);
    mlt_buf_clear(&again);
    mlt_buf_clear(&message);
    return good;
}

static enum mlt_status invalid(struct mlt_error *err, const char *member, const char *right) {
    return mlt_fail(err, MLT_INVALID, "trail.json: %s: %s would be right (FORMAT.md, trail.json)", member, right);
}

static enum mlt_status parse_keys(struct mlt_meta *out, const struct mlt_json *json, struct mlt_arena *arena,
                                  struct mlt_error *err) {
    enum mlt_status st = mlt_key_json_get(&out->chain, json, arena, err);
    if (st) {
        return mlt_context(err, st, "trail.json");
    }
    return strcmp(out->chain.keys[0].name, out->origin) == 0 ? MLT_OK
                                                             : invalid(err, "/keys/0", "a key named as the origin");
}

static bool parse_bool(const struct mlt_json *json, const char *name, bool *out) {
    mlt_json_at at = mlt_json_get(json, 0, name);
    *out = mlt_json_is(json, at, MLT_JSON_TRUE);
    return *out || mlt_json_is(json, at, MLT_JSON_FALSE);
}

static enum mlt_status parse_members(struct mlt_meta *out, const struct mlt_json *json, struct mlt_arena *arena,
                                     struct mlt_error *err) {
    uint64_t format;
    if (!mlt_json_is(json, 0, MLT_JSON_OBJECT)) {
        return invalid(err, "the document", "an object");
    }
    if (!mlt_json_u64(json, mlt_json_get(json, 0, "format"), &format) || format != MLT_META_FORMAT) {
        return invalid(err, "/format", "1, the only format that this version knows,");
    }
    struct mlt_bytes origin = mlt_json_string(json, mlt_json_get(json, 0, "origin"), arena);
    if (!mlt_note_name_valid(origin)) {
        return invalid(err, "/origin", "a name without white space and '+'");
    }
    (void)snprintf(out->origin, sizeof(out->origin), "%.*s", MLT_ARG(origin));
    if (!mlt_time_parse(&out->created, mlt_json_string(json, mlt_json_get(json, 0, "created"), arena))) {
        return invalid(err, "/created", "a time as in RFC 3339");
    }
    if (!parse_bool(json, "raw", &out->raw) || !parse_bool(json, "public", &out->public_entries)) {
        return invalid(err, "/raw or /public", "true or false");
    }
    size_t len;
    if (!mlt_base64_decode(out->signature, sizeof(out->signature), &len,
                           mlt_json_string(json, mlt_json_get(json, 0, "signature"), arena)) ||
        len != sizeof(out->signature)) {
        return invalid(err, "/signature", "64 bytes in base64");
    }
    return parse_keys(out, json, arena, err);
}

enum mlt_status mlt_meta_parse(struct mlt_meta *out, struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    memset(out, 0, sizeof(*out));
    enum mlt_status st = mlt_json_scan(&json, text, err);
    st = st ? mlt_context(err, st, "trail.json") : parse_members(out, &json, &arena, err);
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
    return st;
}
