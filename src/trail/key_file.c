#include "trail/key_file.h"

#include <stdio.h>

#include "record/key_json.h"

#define KEY_FILE_MAX (128 * 1024) // 32 keys with their links, of the longest names

static const char NO_FILE[] = "%s is no signing key of a trail: %s (FORMAT.md, State)";

static bool parse_event(struct mlt_key_event *out, const struct mlt_json *json, struct mlt_arena *arena) {
    mlt_json_at at = mlt_json_get(json, 0, "event");
    return mlt_time_parse(&out->time, mlt_json_string(json, mlt_json_get(json, at, "time"), arena)) &&
           mlt_text_copy(out->by, sizeof(out->by), mlt_json_string(json, mlt_json_get(json, at, "by"), arena)) &&
           mlt_text_copy(out->reason, sizeof(out->reason),
                         mlt_json_string(json, mlt_json_get(json, at, "reason"), arena)) &&
           mlt_text_copy(out->head, sizeof(out->head), mlt_json_string(json, mlt_json_get(json, at, "head"), arena));
}

static enum mlt_status parse_chain(struct mlt_key_file *out, struct mlt_bytes line, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    enum mlt_status st = mlt_json_scan(&json, line, err);
    st = st ? st : mlt_key_json_get(&out->chain, &json, &arena, err);
    if (!st && out->chain.num_keys > 1 && !parse_event(&out->event, &json, &arena)) {
        st = mlt_fail(err, MLT_INVALID, "/event: time, by and reason would be right");
    }
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
    return st;
}

static enum mlt_status check_own_key(const struct mlt_key_file *file, struct mlt_error *err) {
    struct mlt_signer signer;
    enum mlt_status st = mlt_signer_parse(&signer, mlt_str(file->secret), err);
    if (!st && !mlt_vkey_equal(&signer.vkey, &file->chain.keys[0])) {
        st = mlt_fail(err, MLT_INVALID, "its first line is another key than /keys/0");
    }
    mlt_signer_clear(&signer);
    return st;
}

// A software key that was never replaced stands alone; it is its own chain.
static enum mlt_status chain_of_one(struct mlt_key_file *out, struct mlt_error *err) {
    struct mlt_signer signer;
    if (mlt_key_file_in_token(out)) {
        return mlt_fail(err, MLT_INVALID, "the line with the token's verifier key is missing");
    }
    enum mlt_status st = mlt_signer_parse(&signer, mlt_str(out->secret), err);
    if (!st) {
        mlt_key_chain_init(&out->chain, &signer.vkey);
        mlt_signer_clear(&signer);
    }
    return st;
}

enum mlt_status mlt_key_file_parse(struct mlt_key_file *out, struct mlt_bytes text, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    struct mlt_cursor c = mlt_cursor_of(text);
    struct mlt_bytes secret = mlt_cursor_line(&c);
    if (c.failed || !mlt_text_copy(out->secret, sizeof(out->secret), secret)) {
        return mlt_fail(err, MLT_INVALID, "its first line is no key");
    }
    if (mlt_cursor_left(&c) == 0) {
        return chain_of_one(out, err);
    }
    struct mlt_bytes line = mlt_cursor_line(&c);
    if (c.failed || mlt_cursor_left(&c) > 0) {
        return mlt_fail(err, MLT_INVALID, "it has more than two lines");
    }
    enum mlt_status st = parse_chain(out, line, err);
    return st || mlt_key_file_in_token(out) ? st : check_own_key(out, err);
}

enum mlt_status mlt_key_file_read(struct mlt_key_file *out, struct mlt_env *env, const char *path,
                                  struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_error why = {0};
    memset(out, 0, sizeof(*out));
    enum mlt_status st = mlt_env_read_file(env, path, KEY_FILE_MAX, &text, err);
    if (!st) {
        st = mlt_key_file_parse(out, mlt_buf_bytes(&text), &why);
        st = st ? mlt_fail(err, st == MLT_NOMEM ? MLT_NOMEM : MLT_CORRUPT, NO_FILE, path, why.text) : MLT_OK;
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

static void format_event(struct mlt_json_writer *w, const struct mlt_key_event *e) {
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(time, e->time);
    mlt_jw_name(w, "event");
    mlt_jw_object(w);
    mlt_jw_member(w, "time", time);
    mlt_jw_member(w, "by", e->by);
    mlt_jw_member(w, "reason", e->reason);
    if (e->head[0]) {
        mlt_jw_member(w, "head", e->head);
    }
    mlt_jw_end_object(w);
}

void mlt_key_file_format(struct mlt_buf *out, const struct mlt_key_file *file) {
    struct mlt_json_writer w;
    mlt_buf_put_str(out, file->secret);
    mlt_buf_put_u8(out, '\n');
    if (file->chain.num_keys < 2 && !mlt_key_file_in_token(file)) {
        return;
    }
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_key_json_put(&w, &file->chain);
    if (file->chain.num_keys > 1) {
        format_event(&w, &file->event);
    }
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

enum mlt_status mlt_key_file_write(struct mlt_env *env, const char *path, const struct mlt_key_file *file,
                                   struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_file *old = NULL;
    mlt_key_file_format(&text, file);
    enum mlt_status st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a signing key") : MLT_OK;
    st = st ? st : env->open(env, &old, path, MLT_OPEN_WRITE, err);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        st = MLT_OK;
    }
    st = st ? st : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), true, err);
    if (old) {
        if (!st) {
            // It has no name any more, only this handle. The new key is in force whatever becomes of its bytes.
            enum mlt_status overwritten = mlt_env_overwrite(env, old, NULL);
            (void)overwritten;
        }
        env->close(env, old);
    }
    if (text.data) {
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

enum mlt_status mlt_key_file_signer(struct mlt_signer *out, const struct mlt_key_file *file,
                                    const struct mlt_pin_source *pin, struct mlt_error *err) {
    const struct mlt_vkey *named = &file->chain.keys[0];
    struct mlt_signing_key *key = NULL;
    memset(out, 0, sizeof(*out));
    enum mlt_status st;
    if (mlt_key_file_in_token(file)) {
        st = mlt_hsm_signing_key(&key, file->secret, pin, err);
        if (st == MLT_NOTFOUND && err) {
            err->status = MLT_DENIED; // a token that is not there is no key file that is not there
        }
        st = st == MLT_NOTFOUND ? MLT_DENIED : st;
        st = st ? st : mlt_signer_take(out, mlt_str(named->name), key, err);
    } else {
        st = mlt_signer_parse(out, mlt_str(file->secret), err);
    }
    if (!st && !mlt_vkey_equal(&out->vkey, named)) {
        mlt_signer_clear(out);
        st = mlt_fail(err, MLT_CONFLICT, "the key at hand is not the one that the trail is signed with, %s+%08x",
                      named->name, (unsigned)named->key_id);
    }
    return st;
}

static enum mlt_status draw_key(struct mlt_key_file *out, struct mlt_signer *signer, struct mlt_env *env,
                                const char *name, struct mlt_error *err) {
    uint8_t seed[MLT_ED25519_SEED_LEN];
    enum mlt_status st = env->random(env, seed, sizeof(seed), err);
    st = st ? st : mlt_signer_init(signer, mlt_str(name), seed, err);
    st = st ? st : mlt_signer_format_secret(out->secret, mlt_str(name), seed, err);
    mlt_wipe(seed, sizeof(seed));
    return st;
}

static enum mlt_status take_from_token(struct mlt_key_file *out, struct mlt_signer *signer, const char *name,
                                       const char *uri, const struct mlt_pin_source *pin, struct mlt_error *err) {
    struct mlt_signing_key *key = NULL;
    enum mlt_status st = mlt_hsm_signing_key(&key, uri, pin, err);
    st = st ? st : mlt_signer_take(signer, mlt_str(name), key, err);
    if (!st) {
        (void)snprintf(out->secret, sizeof(out->secret), "%s", uri);
    }
    return st;
}

enum mlt_status mlt_key_file_new(struct mlt_key_file *out, struct mlt_signer *signer, struct mlt_env *env,
                                 const char *name, const char *uri, const struct mlt_pin_source *pin,
                                 struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    memset(signer, 0, sizeof(*signer));
    enum mlt_status st =
        uri ? take_from_token(out, signer, name, uri, pin, err) : draw_key(out, signer, env, name, err);
    if (!st) {
        mlt_key_chain_init(&out->chain, &signer->vkey);
    }
    return st;
}
