#include "server/token.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "server/grant.h"

enum mlt_status mlt_tokens_init(struct mlt_tokens *t, struct mlt_error *err) {
    memset(t, 0, sizeof *t);
    int rc = pthread_rwlock_init(&t->lock, NULL);
    return rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "make a lock");
}

void mlt_tokens_clear(struct mlt_tokens *t) {
    free(t->items);
    t->items = NULL;
    t->num_items = 0;
    pthread_rwlock_destroy(&t->lock);
}

static int by_hash(const void *a, const void *b) {
    return memcmp(((const struct mlt_token *)a)->hash, ((const struct mlt_token *)b)->hash, MLT_HASH_LEN);
}

static bool read_time(const struct mlt_json *json, mlt_json_at object, const char *name, struct mlt_arena *arena,
                      int64_t *out) {
    mlt_json_at at = mlt_json_get(json, object, name);
    *out = 0;
    if (at == MLT_JSON_NONE || mlt_json_is(json, at, MLT_JSON_NULL)) {
        return true;
    }
    return mlt_json_is(json, at, MLT_JSON_STRING) && mlt_time_parse(out, mlt_json_string(json, at, arena));
}

static enum mlt_status read_token(struct mlt_token *out, const struct mlt_json *json, mlt_json_at at,
                                  struct mlt_arena *arena, struct mlt_error *err) {
    memset(out, 0, sizeof *out);
    mlt_json_at subject = mlt_json_get(json, at, "subject");
    if (mlt_json_is(json, subject, MLT_JSON_STRING)) {
        mlt_sha256_one(out->hash, mlt_json_string(json, subject, arena));
    } else {
        struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, at, "name"), arena);
        struct mlt_bytes hash = mlt_json_string(json, mlt_json_get(json, at, "sha256"), arena);
        if (name.len == 0 || name.len >= sizeof out->name || !mlt_hex_decode(out->hash, MLT_HASH_LEN, hash)) {
            return mlt_fail(err, MLT_INVALID,
                            "a token needs \"name\" and \"sha256\" (64 lower-case hexadecimal digits)");
        }
        memcpy(out->name, name.ptr, name.len);
    }
    if (!read_time(json, at, "created", arena, &out->created) ||
        !read_time(json, at, "expires", arena, &out->expires)) {
        return mlt_fail(err, MLT_INVALID, "\"created\" and \"expires\" are RFC 3339 times or null");
    }
    return mlt_grant_read(&out->grant, json, at, err);
}

static enum mlt_status read_list(struct mlt_token **out, size_t *num, struct mlt_bytes text, const char *list,
                                 struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    struct mlt_token *items = NULL;
    size_t n = 0;
    enum mlt_status status = mlt_json_scan(&json, text, err);
    mlt_json_at array = status == MLT_OK ? mlt_json_get(&json, 0, list) : MLT_JSON_NONE;
    if (status == MLT_OK && !mlt_json_is(&json, array, MLT_JSON_ARRAY)) {
        status = mlt_fail(err, MLT_INVALID, "there is no array \"%s\"", list);
    }
    size_t count = status == MLT_OK ? json.tape[array].count : 0;
    if (count > MLT_TOKENS_MAX) {
        status = mlt_fail(err, MLT_LIMIT, "%zu entries; at most %d are kept", count, MLT_TOKENS_MAX);
    }
    if (status == MLT_OK && count > 0) {
        items = calloc(count, sizeof *items);
        status = items ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for %zu tokens", count);
    }
    for (mlt_json_at at = status == MLT_OK ? mlt_json_first(&json, array) : MLT_JSON_NONE;
         status == MLT_OK && items && n < count && at != MLT_JSON_NONE; at = mlt_json_next(&json, array, at)) {
        status = read_token(&items[n++], &json, at, &arena, err);
    }
    if (status == MLT_OK) {
        if (items) {
            qsort(items, n, sizeof *items, by_hash);
        }
        *out = items;
        *num = n;
    } else {
        free(items);
    }
    mlt_arena_clear(&arena);
    mlt_json_clear(&json);
    return status;
}

static enum mlt_status read_tokens_file(struct mlt_env *env, const char *path, struct mlt_buf *out,
                                        struct mlt_error *err) {
    enum mlt_status status = mlt_env_read_file(env, path, MLT_TOKENS_FILE_MAX, out, err);
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        mlt_buf_reset(out);
        return MLT_OK;
    }
    return status;
}

enum mlt_status mlt_tokens_load(struct mlt_tokens *t, struct mlt_env *env, const char *state_dir, const char *file,
                                const char *list, struct mlt_error *err) {
    char path[MLT_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", state_dir, file);
    struct mlt_buf text = {0};
    struct mlt_token *items = NULL;
    size_t num = 0;
    uint8_t version[MLT_HASH_LEN];
    enum mlt_status status = read_tokens_file(env, path, &text, err);
    if (status == MLT_OK) {
        mlt_sha256_one(version, mlt_buf_bytes(&text));
        if (memcmp(version, t->version, sizeof version) == 0) {
            goto out;
        }
        status = text.len == 0 ? MLT_OK : read_list(&items, &num, mlt_buf_bytes(&text), list, err);
    }
    if (status != MLT_OK) {
        status = mlt_context(err, status == MLT_INVALID ? MLT_CORRUPT : status, "%s", path);
        goto out;
    }
    pthread_rwlock_wrlock(&t->lock);
    struct mlt_token *old = t->items;
    t->items = items;
    t->num_items = num;
    memcpy(t->version, version, sizeof version);
    pthread_rwlock_unlock(&t->lock);
    free(old);
out:
    mlt_buf_clear(&text);
    return status;
}

bool mlt_tokens_find(struct mlt_tokens *t, const uint8_t hash[static MLT_HASH_LEN], int64_t now,
                     struct mlt_token *out) {
    struct mlt_token key;
    memcpy(key.hash, hash, MLT_HASH_LEN);
    pthread_rwlock_rdlock(&t->lock);
    const struct mlt_token *found =
        t->num_items > 0 ? bsearch(&key, t->items, t->num_items, sizeof key, by_hash) : NULL;
    bool ok = found && mlt_memeql(found->hash, hash, MLT_HASH_LEN) && (found->expires == 0 || now < found->expires);
    if (ok) {
        *out = *found;
    }
    pthread_rwlock_unlock(&t->lock);
    return ok;
}
