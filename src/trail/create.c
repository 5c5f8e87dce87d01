#include <stdio.h>

#include "trail/trail_private.h"

static enum mlt_status check_absent(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf present = {0};
    (void)snprintf(path, sizeof(path), "%s/trail.json", dir);
    enum mlt_status st = mlt_env_read_file(env, path, MLT_META_LEN_MAX, &present, err);
    mlt_buf_clear(&present);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    if (st && st != MLT_LIMIT) {
        return st; // whether there is one cannot be told
    }
    return mlt_fail(err, MLT_CONFLICT, "%s holds a trail already; another directory would be right", dir);
}

enum mlt_status mlt_trail_write_meta(struct mlt_env *env, const char *dir, struct mlt_meta *meta,
                                     const struct mlt_signer *signer, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf text = {0};
    enum mlt_status st = mlt_meta_sign(meta, signer, err);
    if (st) {
        return st;
    }
    mlt_meta_format(&text, meta);
    (void)snprintf(path, sizeof(path), "%s/trail.json", dir);
    st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for trail.json")
                     : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), false, err);
    mlt_buf_clear(&text);
    return st;
}

static enum mlt_status first_meta(struct mlt_env *env, const char *dir, const struct mlt_signer *signer, bool raw,
                                  bool public_entries, struct mlt_error *err) {
    struct mlt_meta meta = {.created = env->now(env), .raw = raw, .public_entries = public_entries};
    (void)snprintf(meta.origin, sizeof(meta.origin), "%s", signer->vkey.name);
    mlt_key_chain_init(&meta.chain, &signer->vkey);
    return mlt_trail_write_meta(env, dir, &meta, signer, err);
}

// trail.json is written last: without it there is no trail yet, and a creation that a crash interrupted is begun anew.
static enum mlt_status create_files(struct mlt_env *env, const struct mlt_trail_options *opt, const char *state_dir,
                                    const char *origin, bool raw, bool public_entries, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_state state = {0};
    struct mlt_head head = {0};
    enum mlt_status st = env->mkdir(env, opt->dir, false, err);
    st = st == MLT_CONFLICT ? MLT_OK : st;
    st = st ? st : mlt_store_create(env, opt->dir, opt->journal_bytes, err);
    struct mlt_state_options so = {
        .dir = state_dir, .pin = opt->pin, .signing_uri = opt->signing_uri, .kek_uri = opt->kek_uri};
    st = st ? st : mlt_state_create(env, &so, origin, err);
    so.writable = true; // trail.json is signed
    st = st ? st : mlt_state_open(&state, env, &so, &head, err);
    if (!st) {
        (void)snprintf(path, sizeof(path), "%s/checkpoint", opt->dir);
        st = mlt_env_replace_file(env, path, mlt_bytes_of(head.note, head.note_len), false, err);
    }
    st = st ? st : first_meta(env, opt->dir, &state.signer, raw, public_entries, err);
    mlt_state_close(&state);
    return st;
}

// The entry of `dir` in the directory above.
static enum mlt_status sync_parent(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    char parent[MLT_PATH_MAX];
    (void)snprintf(parent, sizeof(parent), "%s", dir);
    char *slash = strrchr(parent, '/');
    if (slash == parent) {
        slash[1] = '\0';
    } else if (slash) {
        *slash = '\0';
    } else {
        (void)snprintf(parent, sizeof(parent), ".");
    }
    return env->sync_dir(env, parent, err);
}

// Keys within the trail would go wherever a copy of it goes, and open every payload there.
static bool is_within(const char *path, const char *dir) {
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

enum mlt_status mlt_trail_create(struct mlt_env *env, const struct mlt_trail_options *opt, const char *origin, bool raw,
                                 bool public_entries, struct mlt_error *err) {
    char dir[MLT_PATH_MAX];
    char state_dir[MLT_PATH_MAX];
    if (!mlt_note_name_valid(mlt_str(origin))) {
        return mlt_fail(err, MLT_INVALID,
                        "the origin \"%s\" is no name: 1 to %d bytes without white space and '+', "
                        "such as example.org/trail, would be right",
                        origin, MLT_NOTE_NAME_MAX);
    }
    enum mlt_status st = mlt_trail_paths(dir, state_dir, opt, err);
    if (st) {
        return st;
    }
    if (is_within(state_dir, dir)) {
        return mlt_fail(err, MLT_INVALID,
                        "the state directory %s lies within the trail %s, whose copies must not hold its keys; "
                        "a directory beside it would be right",
                        state_dir, dir);
    }
    st = check_absent(env, opt->dir, err);
    st = st ? st : create_files(env, opt, state_dir, origin, raw, public_entries, err);
    st = st ? st : sync_parent(env, dir, err);
    st = st ? st : sync_parent(env, state_dir, err);
    return st ? mlt_context(err, st, "create the trail %s", opt->dir) : MLT_OK;
}
