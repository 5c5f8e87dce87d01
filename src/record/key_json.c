#include "record/key_json.h"

static void put_link(struct mlt_json_writer *w, const struct mlt_key_chain *chain, size_t i) {
    struct mlt_buf note = {0};
    mlt_key_link_format(&note, &chain->links[i], &chain->keys[i + 1], &chain->keys[i]);
    w->out->failed = w->out->failed || note.failed;
    mlt_jw_string(w, mlt_buf_bytes(&note));
    mlt_buf_clear(&note);
}

void mlt_key_json_put(struct mlt_json_writer *w, const struct mlt_key_chain *chain) {
    mlt_jw_name(w, "keys");
    mlt_jw_array(w);
    for (size_t i = 0; i < chain->num_keys; i++) {
        char vkey[MLT_VKEY_TEXT_MAX];
        mlt_vkey_format(vkey, &chain->keys[i]);
        mlt_jw_cstr(w, vkey);
    }
    mlt_jw_end_array(w);
    if (chain->num_keys < 2) {
        return;
    }
    mlt_jw_name(w, "links");
    mlt_jw_array(w);
    for (size_t i = 0; i + 1 < chain->num_keys; i++) {
        put_link(w, chain, i);
    }
    mlt_jw_end_array(w);
}

static enum mlt_status get_keys(struct mlt_key_chain *chain, const struct mlt_json *json, struct mlt_arena *arena,
                                struct mlt_error *err) {
    mlt_json_at keys = mlt_json_get(json, 0, "keys");
    if (!mlt_json_is(json, keys, MLT_JSON_ARRAY)) {
        return mlt_fail(err, MLT_INVALID, "/keys: an array of verifier keys would be right");
    }
    for (mlt_json_at at = mlt_json_first(json, keys); at != MLT_JSON_NONE; at = mlt_json_next(json, keys, at)) {
        if (chain->num_keys == MLT_CHAIN_KEYS_MAX || !mlt_json_is(json, at, MLT_JSON_STRING)) {
            return mlt_fail(err, MLT_INVALID, "/keys: an array of at most %d strings would be right",
                            MLT_CHAIN_KEYS_MAX);
        }
        struct mlt_vkey *key = &chain->keys[chain->num_keys];
        enum mlt_status st = mlt_vkey_parse(key, mlt_json_string(json, at, arena), err);
        if (st) {
            return mlt_context(err, st, "/keys/%zu", chain->num_keys);
        }
        if (key->type != MLT_KEY_ED25519) {
            return mlt_fail(err, MLT_INVALID, "/keys/%zu: an Ed25519 key (type 0x01) would be right", chain->num_keys);
        }
        chain->num_keys++;
    }
    return chain->num_keys > 0 ? MLT_OK : mlt_fail(err, MLT_INVALID, "/keys: at least one verifier key would be right");
}

static enum mlt_status get_link(struct mlt_key_chain *chain, size_t i, struct mlt_bytes note, struct mlt_error *err) {
    struct mlt_vkey from;
    struct mlt_vkey to;
    enum mlt_status st = mlt_key_link_parse(&chain->links[i], &from, &to, note, err);
    if (st) {
        return mlt_context(err, st, "/links/%zu", i);
    }
    if (!mlt_vkey_equal(&from, &chain->keys[i + 1]) || !mlt_vkey_equal(&to, &chain->keys[i])) {
        return mlt_fail(err, MLT_INVALID, "/links/%zu: one from /keys/%zu to /keys/%zu would be right", i, i + 1, i);
    }
    return MLT_OK;
}

static enum mlt_status get_links(struct mlt_key_chain *chain, const struct mlt_json *json, struct mlt_arena *arena,
                                 struct mlt_error *err) {
    mlt_json_at links = mlt_json_get(json, 0, "links");
    size_t num = 0;
    enum mlt_status st = MLT_OK;
    if (links != MLT_JSON_NONE && !mlt_json_is(json, links, MLT_JSON_ARRAY)) {
        return mlt_fail(err, MLT_INVALID, "/links: an array of signed notes would be right");
    }
    for (mlt_json_at at = mlt_json_first(json, links); at != MLT_JSON_NONE && !st;
         at = mlt_json_next(json, links, at)) {
        if (num + 1 < chain->num_keys && mlt_json_is(json, at, MLT_JSON_STRING)) {
            st = get_link(chain, num, mlt_json_string(json, at, arena), err);
        }
        num++;
    }
    if (!st && num + 1 != chain->num_keys) {
        st = mlt_fail(err, MLT_INVALID, "/links: one for each key but the oldest would be right, %zu and not %zu",
                      chain->num_keys - 1, num);
    }
    return st;
}

enum mlt_status mlt_key_json_get(struct mlt_key_chain *chain, const struct mlt_json *json, struct mlt_arena *arena,
                                 struct mlt_error *err) {
    memset(chain, 0, sizeof(*chain));
    enum mlt_status st = get_keys(chain, json, arena, err);
    return st ? st : get_links(chain, json, arena, err);
}
