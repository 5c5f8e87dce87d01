// The record of the policy: which one is in force is part of the log, as any setting.
#include "dossier/dossier.h"
#include "server/witnessing_private.h"

#define SETTING "witness_policy"
#define POLICY_IN_RECORD_MAX 8192 // as any setting; a longer policy is named by its hash alone

static void put_value(struct mlt_witnessing *w, struct mlt_json_writer *out) {
    uint8_t hash[MLT_HASH_LEN];
    if (!w) {
        mlt_jw_null(out);
        return;
    }
    mlt_sha256_one(hash, mlt_buf_bytes(&w->text));
    mlt_jw_object(out);
    mlt_jw_member(out, "mode", w->require ? "require" : "prefer");
    mlt_jw_name(out, "sha256");
    mlt_jw_hex(out, mlt_bytes_of(hash, sizeof hash));
    if (w->text.len <= POLICY_IN_RECORD_MAX) {
        mlt_jw_member_bytes(out, "policy", mlt_buf_bytes(&w->text));
    }
    mlt_jw_end_object(out);
}

// find_record gives the newest record of the policy as of the source's size; UINT64_MAX: none.
static enum mlt_status find_record(const struct mlt_source *src, uint64_t *entry, struct mlt_error *err) {
    struct mlt_term term;
    struct mlt_bytes name = mlt_str(SETTING);
    size_t num = 0;
    bool more;
    mlt_term_make(&term, src->index_key, MLT_DIM_SETTING, &name, 1);
    *entry = UINT64_MAX;
    return src->find(src->ctx, &term, 1, UINT64_MAX, true, 1, entry, &num, NULL, &more, err);
}

// is_recorded says whether the newest record has exactly this value; no record at all means null.
static enum mlt_status is_recorded(const struct mlt_source *src, struct mlt_bytes value, bool *same,
                                   struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_entry e = {0};
    struct mlt_bytes bytes;
    uint64_t entry;
    enum mlt_status status = find_record(src, &entry, err);
    *same = entry == UINT64_MAX && mlt_bytes_is(value, "null");
    if (status == MLT_OK && entry != UINT64_MAX) {
        status = src->entry(src->ctx, entry, &arena, &bytes, err);
        status = status ? status : mlt_entry_parse(&e, &arena, bytes, err);
        mlt_json_at at = status ? MLT_JSON_NONE : mlt_json_get(&e.json, e.facts, "value");
        struct mlt_bytes kept = at == MLT_JSON_NONE ? mlt_str("null") : mlt_json_raw(&e.json, at);
        *same = status == MLT_OK && mlt_bytes_equal(kept, value);
    }
    mlt_entry_clear(&e);
    mlt_arena_clear(&arena);
    return status;
}

static enum mlt_status append_record(struct mlt_api *api, struct mlt_bytes value, struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, api, "control");
    mlt_jw_member(&w, "control", "setting");
    mlt_jw_member(&w, "name", SETTING);
    mlt_jw_member_raw(&w, "value", value);
    mlt_jw_member(&w, "reason", "given at start");
    return mlt_own_end(&w, &text, api, NULL, err);
}

enum mlt_status mlt_witnessing_record(struct mlt_api *api, struct mlt_error *err) {
    struct mlt_buf value = {0};
    struct mlt_json_writer w;
    struct mlt_source src;
    struct mlt_head head;
    bool same = false;
    mlt_trail_head(api->trail, &head);
    mlt_jw_init(&w, &value);
    put_value(api->witnessing, &w);
    enum mlt_status status = value.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a control record")
                                          : mlt_index_source(api->index, head.size, false, &src, err);
    if (status == MLT_OK) {
        status = is_recorded(&src, mlt_buf_bytes(&value), &same, err);
        mlt_index_source_clear(&src);
    }
    if (status == MLT_OK && !same) {
        status = append_record(api, mlt_buf_bytes(&value), err);
    }
    mlt_buf_clear(&value);
    return status;
}

const char *mlt_witnessing_assurance(struct mlt_call *call) {
    uint64_t entry = UINT64_MAX;
    bool none = true;
    if (find_record(&call->source, &entry, NULL) != MLT_OK || entry == UINT64_MAX ||
        is_recorded(&call->source, mlt_str("null"), &none, NULL) != MLT_OK || none) {
        entry = UINT64_MAX;
    }
    const char *text = mlt_dossier_assurance(&call->arena, entry);
    return text ? text : mlt_dossier_assurance(NULL, UINT64_MAX);
}
