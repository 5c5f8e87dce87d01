// Who signed: the checkpoint and trail.json of a bundle, by the key from outside or, for what it is worth, by one that
// the bundle names.
#include "bundle/bundle_read.h"
#include "record/key_json.h"

// The line without its signature, behind the words that no checkpoint begins with (FORMAT.md, trail.json).
static bool trail_signed_by(struct mlt_bytes text, const struct mlt_vkey *key) {
    static const char name[] = ",\"signature\":\"";
    struct mlt_buf message = {0};
    uint8_t signature[MLT_ED25519_SIG_LEN];
    size_t at = 0, len = 0;
    for (size_t i = 0; i + sizeof(name) - 1 < text.len; i++) {
        at = memcmp(text.ptr + i, name, sizeof(name) - 1) == 0 ? i : at;
    }
    if (at == 0 || text.len < at + sizeof(name) - 1 + 3 || memcmp(text.ptr + text.len - 3, "\"}\n", 3) != 0) {
        return false;
    }
    const size_t start = at + sizeof(name) - 1;
    mlt_buf_printf(&message, "mltrail/v1 trail.json\n%.*s}\n", (int)at, (const char *)text.ptr);
    const bool good =
        mlt_base64_decode(signature, sizeof(signature), &len, mlt_bytes_of(text.ptr + start, text.len - 3 - start)) &&
        len == sizeof(signature) && !message.failed && mlt_ed25519_verify(key->key, mlt_buf_bytes(&message), signature);
    mlt_buf_clear(&message);
    return good;
}

// The keys that trail.json names: the first that signed the checkpoint.
static bool offered_key(struct mlt_bundle_reading *r, const struct mlt_json *json, struct mlt_vkey *out) {
    const mlt_json_at keys = mlt_json_get(json, 0, "keys");
    for (mlt_json_at k = mlt_json_is(json, keys, MLT_JSON_ARRAY) ? mlt_json_first(json, keys) : MLT_JSON_NONE;
         k != MLT_JSON_NONE; k = mlt_json_next(json, keys, k)) {
        struct mlt_checkpoint head;
        if (mlt_vkey_parse(out, mlt_json_string(json, k, r->arena), NULL) == MLT_OK &&
            mlt_checkpoint_open(&head, r->checkpoint, out, NULL) == MLT_OK) {
            return true;
        }
    }
    return false;
}

// The keys before the one that signed, and the names that the log had: what was signed for them is its own.
static void keep_keys(struct mlt_bundle_reading *r, const struct mlt_json *json, const struct mlt_vkey *used) {
    struct mlt_key_chain *chain = mlt_arena_zero(r->arena, sizeof(*chain));
    if (chain && mlt_key_json_get(chain, json, r->arena, NULL) == MLT_OK && mlt_key_chain_leads(chain, used)) {
        r->keys = chain;
    }
}

// The key in use when the bundle was made, where the given one had been replaced by then: trail.json leads to it
// (FORMAT.md, Keys).
static void follow_keys(struct mlt_bundle_reading *r, const struct mlt_json *json, struct mlt_vkey *used) {
    struct mlt_checkpoint head;
    struct mlt_key_chain *chain = mlt_arena_zero(r->arena, sizeof(*chain));
    if (chain && mlt_checkpoint_open(&head, r->checkpoint, used, NULL) == MLT_DENIED &&
        mlt_key_json_get(chain, json, r->arena, NULL) == MLT_OK && mlt_key_chain_leads(chain, used)) {
        *used = chain->keys[0];
    }
}

enum mlt_status mlt_bundle_check_trail(struct mlt_bundle_reading *r, const struct mlt_vkey *key) {
    const struct mlt_bundle_member *trail = mlt_bundle_member_need(r, "trail.json");
    const struct mlt_bundle_member *checkpoint = mlt_bundle_member_need(r, "checkpoint");
    struct mlt_json json = {0};
    struct mlt_vkey *used = &r->report->key;
    if (!trail || !checkpoint) {
        return MLT_OK;
    }
    r->checkpoint = checkpoint->data;
    r->report->checkpoint = checkpoint->data;
    enum mlt_status status = mlt_json_scan(&json, trail->data, r->err);
    if (status) {
        mlt_json_clear(&json);
        return mlt_bundle_blame(r, "trail.json", status);
    }
    if (key) {
        *used = *key;
        follow_keys(r, &json, used);
    }
    if (!key && !offered_key(r, &json, used)) {
        mlt_bundle_fault(r, "checkpoint", "is signed by none of the keys that trail.json names");
    } else if (mlt_checkpoint_open(&r->head, checkpoint->data, used, r->err)) {
        r->head = (struct mlt_checkpoint){0};
        (void)mlt_bundle_blame(r, "checkpoint", MLT_DENIED);
    } else if (!trail_signed_by(trail->data, used)) {
        mlt_bundle_fault(r, "trail.json", "is not signed by the key that signed the checkpoint");
    } else {
        const struct mlt_bytes origin = mlt_json_string(&json, mlt_json_get(&json, 0, "origin"), r->arena);
        if (!mlt_bytes_is(origin, r->head.origin)) {
            mlt_bundle_fault(r, "trail.json", "names another origin than the checkpoint");
        }
        keep_keys(r, &json, used);
        r->report->signed_by_key = key != NULL;
    }
    mlt_json_clear(&json);
    return MLT_OK;
}
