// Making, listing and revoking tokens: each reads the whole file, changes it and replaces it, under a lock of its own,
// so that it works beside a running server.
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "server/grant.h"
#include "server/token.h"

static void write_time(struct mlt_json_writer *w, const char *name, int64_t at) {
    char text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(text, at);
    mlt_jw_member(w, name, at == 0 ? NULL : text);
}

static void write_token(struct mlt_json_writer *w, const struct mlt_token *token, bool with_hash) {
    mlt_jw_object(w);
    mlt_jw_member(w, "name", token->name);
    if (with_hash) {
        mlt_jw_name(w, "sha256");
        mlt_jw_hex(w, mlt_bytes_of(token->hash, MLT_HASH_LEN));
    }
    write_time(w, "created", token->created);
    write_time(w, "expires", token->expires);
    mlt_grant_write(&token->grant, w);
    mlt_jw_end_object(w);
}

static enum mlt_status save(struct mlt_env *env, const char *state_dir, const struct mlt_token *items, size_t num,
                            struct mlt_error *err) {
    char path[MLT_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/tokens.json", state_dir);
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &text);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "tokens");
    mlt_jw_array(&w);
    for (size_t i = 0; i < num; i++) {
        write_token(&w, &items[i], true);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(&text, '\n');
    enum mlt_status status = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for the list of tokens")
                                         : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), true, err);
    mlt_buf_clear(&text);
    return status;
}

// The tokens with the lock held; `unlock` ends both.
struct held {
    struct mlt_tokens tokens;
    struct mlt_file *lock;
};

static enum mlt_status hold(struct held *h, struct mlt_env *env, const char *state_dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/tokens.lock", state_dir);
    enum mlt_status status = mlt_tokens_init(&h->tokens, err);
    if (status != MLT_OK) {
        return status;
    }
    status = env->lock(env, &h->lock, path, err);
    if (status != MLT_OK) {
        mlt_tokens_clear(&h->tokens);
        return mlt_context(err, status, "change the tokens");
    }
    status = mlt_tokens_load(&h->tokens, env, state_dir, "tokens.json", "tokens", err);
    if (status != MLT_OK) {
        env->close(env, h->lock);
        mlt_tokens_clear(&h->tokens);
    }
    return status;
}

static void unhold(struct held *h, struct mlt_env *env) {
    env->close(env, h->lock);
    mlt_tokens_clear(&h->tokens);
}

// 32 bytes as 43 characters of base64url without padding.
static void token_text(char out[static 64], const uint8_t secret[static MLT_TOKEN_SECRET_LEN]) {
    char encoded[64];
    mlt_base64_encode(encoded, mlt_bytes_of(secret, MLT_TOKEN_SECRET_LEN));
    encoded[43] = '\0';
    for (char *c = encoded; *c; c++) {
        if (*c == '+') {
            *c = '-';
        } else if (*c == '/') {
            *c = '_';
        }
    }
    (void)snprintf(out, 64, MLT_TOKEN_PREFIX "%.43s", encoded);
    mlt_wipe(encoded, sizeof encoded);
}

static struct mlt_token *find_name(const struct mlt_tokens *tokens, const char *name) {
    for (size_t i = 0; i < tokens->num_items; i++) {
        if (strcmp(tokens->items[i].name, name) == 0) {
            return &tokens->items[i];
        }
    }
    return NULL;
}

static enum mlt_status add(struct held *h, struct mlt_env *env, const char *state_dir, const struct mlt_token *token,
                           struct mlt_error *err) {
    size_t num = h->tokens.num_items;
    if (num == MLT_TOKENS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "there are %d tokens already; revoke those that nobody uses", MLT_TOKENS_MAX);
    }
    if (find_name(&h->tokens, token->name)) {
        return mlt_fail(err, MLT_CONFLICT, "there is a token \"%s\" already; revoke it or take another name",
                        token->name);
    }
    struct mlt_token *grown = realloc(h->tokens.items, (num + 1) * sizeof *grown);
    if (!grown) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a token");
    }
    h->tokens.items = grown;
    grown[num] = *token;
    h->tokens.num_items = num + 1;
    return save(env, state_dir, grown, num + 1, err);
}

enum mlt_status mlt_token_make(struct mlt_env *env, const char *state_dir, const char *name,
                               const struct mlt_grant *grant, int64_t expires_at, char out[static 64],
                               struct mlt_error *err) {
    struct mlt_token token = {.expires = expires_at, .created = env->now(env), .grant = *grant};
    if (name[0] == '\0' || strlen(name) >= sizeof token.name || !mlt_utf8_valid(mlt_str(name))) {
        return mlt_fail(err, MLT_INVALID, "a token's name is 1 to %zu bytes of UTF-8", sizeof token.name - 1);
    }
    memcpy(token.name, name, strlen(name));
    uint8_t secret[MLT_TOKEN_SECRET_LEN];
    enum mlt_status status = env->random(env, secret, sizeof secret, err);
    if (status != MLT_OK) {
        return status;
    }
    char text[64];
    token_text(text, secret);
    mlt_wipe(secret, sizeof secret);
    mlt_sha256_one(token.hash, mlt_str(text));
    struct held h;
    status = hold(&h, env, state_dir, err);
    if (status == MLT_OK) {
        status = add(&h, env, state_dir, &token, err);
        unhold(&h, env);
    }
    if (status == MLT_OK) {
        memcpy(out, text, sizeof text);
    }
    mlt_wipe(text, sizeof text);
    return status;
}

enum mlt_status mlt_token_revoke(struct mlt_env *env, const char *state_dir, const char *name, struct mlt_error *err) {
    struct held h;
    enum mlt_status status = hold(&h, env, state_dir, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_token *token = find_name(&h.tokens, name);
    if (token) {
        struct mlt_token *end = h.tokens.items + h.tokens.num_items;
        memmove(token, token + 1, (size_t)(end - (token + 1)) * sizeof *token);
        h.tokens.num_items--;
        status = save(env, state_dir, h.tokens.items, h.tokens.num_items, err);
    } else {
        status =
            mlt_fail(err, MLT_NOTFOUND, "there is no token \"%s\"; `mltrail token list` shows those there are", name);
    }
    unhold(&h, env);
    return status;
}

enum mlt_status mlt_token_list(struct mlt_env *env, const char *state_dir, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_tokens tokens;
    enum mlt_status status = mlt_tokens_init(&tokens, err);
    if (status != MLT_OK) {
        return status;
    }
    status = mlt_tokens_load(&tokens, env, state_dir, "tokens.json", "tokens", err);
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    if (status == MLT_OK) {
        mlt_jw_object(&w);
        mlt_jw_name(&w, "items");
        mlt_jw_array(&w);
        for (size_t i = 0; i < tokens.num_items; i++) {
            write_token(&w, &tokens.items[i], false);
        }
        mlt_jw_end_array(&w);
        mlt_jw_end_object(&w);
        status = out->failed ? mlt_fail(err, MLT_NOMEM, "no memory for the list of tokens") : MLT_OK;
    }
    mlt_tokens_clear(&tokens);
    return status;
}
