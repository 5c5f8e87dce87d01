#include "witness/witness.h"

#include <stdio.h>
#include <stdlib.h>

#include "witness/witness_private.h"

#define SECRET_TEXT_MAX 4096 // a key takes some 400 bytes

typedef char path_text[MLT_WITNESS_PATH_MAX + MLT_WITNESS_ID_LEN + 32];

static void path_of(path_text out, const char *dir, const char *folder, const char *name) {
    (void)snprintf(out, sizeof(path_text), "%s/%s%s%s", dir, folder, folder[0] ? "/" : "", name);
}

static enum mlt_status check_path(const char *dir, struct mlt_error *err) {
    return strlen(dir) < MLT_WITNESS_PATH_MAX
               ? MLT_OK
               : mlt_fail(err, MLT_LIMIT, "the path of a witness has %zu bytes; at most %d would be right", strlen(dir),
                          MLT_WITNESS_PATH_MAX - 1);
}

void mlt_witness_id(char out[static MLT_WITNESS_ID_LEN + 1], struct mlt_bytes origin) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, origin);
    mlt_hex_encode(out, mlt_bytes_of(hash, sizeof(hash)));
}

static struct mlt_bytes without_newline(const struct mlt_buf *text) {
    struct mlt_bytes line = mlt_buf_bytes(text);
    line.len -= line.len > 0 && line.ptr[line.len - 1] == '\n';
    return line;
}

static enum mlt_status take_lock(struct mlt_env *env, const char *dir, struct mlt_file **out, struct mlt_error *err) {
    path_text path;
    path_of(path, dir, "", "lock");
    return env->lock(env, out, path, err);
}

// -- making one -------------------------------------------------------------------------------------------------------

static enum mlt_status check_absent(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    path_text path;
    struct mlt_buf present = {0};
    path_of(path, dir, "", "witness.key");
    enum mlt_status st = mlt_env_read_file(env, path, SECRET_TEXT_MAX, &present, err);
    if (present.data) {
        mlt_wipe(present.data, present.cap);
    }
    mlt_buf_clear(&present);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    return st && st != MLT_LIMIT
               ? st
               : mlt_fail(err, MLT_CONFLICT, "%s holds a witness already; another directory would be right", dir);
}

static enum mlt_status make_folders(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    path_text path;
    enum mlt_status st = mlt_env_make_dir(env, dir, true, err);
    path_of(path, dir, "", "logs");
    st = st ? st : mlt_env_make_dir(env, path, false, err);
    path_of(path, dir, "", "heads");
    return st ? st : mlt_env_make_dir(env, path, false, err);
}

static enum mlt_status make_key(struct mlt_env *env, const char *dir, const char *name, struct mlt_vkey *out,
                                struct mlt_error *err) {
    uint8_t seed[MLT_ED25519_SEED_LEN];
    char text[MLT_SKEY_TEXT_MAX + 1];
    path_text path;
    struct mlt_cosigner cosigner = {0};
    enum mlt_status st = env->random(env, seed, sizeof(seed), err);
    st = st ? st : mlt_cosigner_init(&cosigner, mlt_str(name), seed, err);
    st = st ? st : mlt_cosigner_format_secret(text, mlt_str(name), seed, err);
    if (!st) {
        size_t len = strlen(text);
        text[len] = '\n';
        path_of(path, dir, "", "witness.key");
        st = mlt_env_replace_file(env, path, mlt_bytes_of(text, len + 1), true, err);
        *out = cosigner.vkey;
    }
    mlt_wipe(seed, sizeof(seed));
    mlt_wipe(text, sizeof(text));
    mlt_cosigner_clear(&cosigner);
    return st;
}

// The key is written last: without it there is no witness yet, and a creation that a crash interrupted is begun anew.
// Under the lock: of two at once, one would replace the key that the other has told already.
enum mlt_status mlt_witness_create(struct mlt_env *env, const char *dir, const char *name, struct mlt_vkey *out,
                                   struct mlt_error *err) {
    struct mlt_file *lock = NULL;
    enum mlt_status st = check_path(dir, err);
    if (st) {
        return st;
    }
    if (!mlt_note_name_valid(mlt_str(name))) {
        return mlt_fail(err, MLT_INVALID,
                        "\"%s\" cannot be the name of a key: 1 to %d bytes without spaces and '+' would be right, "
                        "such as witness.example.com/w1",
                        name, MLT_NOTE_NAME_MAX);
    }
    st = make_folders(env, dir, err);
    st = st ? st : take_lock(env, dir, &lock, err);
    if (st) {
        return st == MLT_BUSY ? mlt_fail(err, MLT_CONFLICT, "a witness cosigns in %s, or is being made there", dir)
                              : st;
    }
    st = check_absent(env, dir, err);
    st = st ? st : make_key(env, dir, name, out, err);
    env->close(env, lock);
    return st;
}

// -- logs -------------------------------------------------------------------------------------------------------------

#define LOG_TEXT_MAX (MLT_CHAIN_KEYS_MAX * (MLT_VKEY_TEXT_MAX + 1))

static enum mlt_status parse_keys(struct mlt_witness_log *out, const char *id, struct mlt_bytes text,
                                  struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(text);
    char expected[MLT_WITNESS_ID_LEN + 1];
    size_t num = 0;
    do {
        struct mlt_vkey *key = num == 0 ? &out->vkey : &out->older[num - 1];
        const struct mlt_bytes line = mlt_cursor_line(&c);
        if (num == MLT_CHAIN_KEYS_MAX) {
            return mlt_fail(err, MLT_CORRUPT, "more than %d keys", MLT_CHAIN_KEYS_MAX);
        }
        if (mlt_vkey_parse(key, line, err) != MLT_OK) {
            return MLT_CORRUPT;
        }
        mlt_witness_id(expected, mlt_str(key->name));
        if (strcmp(expected, id) != 0 || key->type != MLT_KEY_ED25519) {
            return mlt_fail(err, MLT_CORRUPT, "it holds the key of %s, which belongs elsewhere", key->name);
        }
        num++;
    } while (mlt_cursor_left(&c) > 0);
    out->num_older = num - 1;
    return MLT_OK;
}

static enum mlt_status read_log(struct mlt_env *env, const char *dir, const char *id, struct mlt_witness_log *out,
                                struct mlt_error *err) {
    path_text path;
    struct mlt_buf text = {0};
    path_of(path, dir, "logs", id);
    enum mlt_status st = mlt_env_read_file(env, path, LOG_TEXT_MAX, &text, err);
    if (!st && parse_keys(out, id, mlt_buf_bytes(&text), err) != MLT_OK) {
        st = mlt_context(err, MLT_CORRUPT, "%s", path);
    }
    mlt_buf_clear(&text);
    return st;
}

static enum mlt_status write_log(struct mlt_env *env, const char *dir, const char *id, const struct mlt_vkey *keys,
                                 size_t num_keys, struct mlt_error *err) {
    path_text path;
    char vkey[MLT_VKEY_TEXT_MAX];
    struct mlt_buf text = {0};
    for (size_t i = 0; i < num_keys; i++) {
        mlt_vkey_format(vkey, &keys[i]);
        mlt_buf_printf(&text, "%s\n", vkey);
    }
    path_of(path, dir, "logs", id);
    enum mlt_status st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for the keys of a log")
                                     : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), false, err);
    mlt_buf_clear(&text);
    return st;
}

// How many keys of the chain, from the newest to the known one; 0: it does not lead from there.
static size_t keys_since(const struct mlt_key_chain *chain, const struct mlt_vkey *known) {
    size_t num = 0;
    while (num < chain->num_keys && strcmp(chain->keys[num].name, known->name) == 0) {
        if (mlt_vkey_equal(&chain->keys[num++], known)) {
            return mlt_key_chain_leads(chain, known) ? num : 0;
        }
    }
    return 0;
}

enum mlt_status mlt_witness_follow_log(struct mlt_env *env, const char *dir, const struct mlt_key_chain *chain,
                                       struct mlt_error *err) {
    char id[MLT_WITNESS_ID_LEN + 1];
    const struct mlt_vkey *newest = &chain->keys[0];
    struct mlt_witness_log known = {0};
    struct mlt_vkey keys[MLT_CHAIN_KEYS_MAX];
    if (newest->type != MLT_KEY_ED25519) {
        return mlt_fail(err, MLT_INVALID, "%s is the key of a witness; the key of a log (type 01) would be right",
                        newest->name);
    }
    mlt_witness_id(id, mlt_str(newest->name));
    enum mlt_status st = read_log(env, dir, id, &known, err);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return write_log(env, dir, id, newest, 1, err);
    }
    if (st || mlt_vkey_equal(&known.vkey, newest)) {
        return st;
    }
    size_t num = keys_since(chain, &known.vkey);
    if (num == 0) {
        return mlt_fail(err, MLT_CONFLICT,
                        "%s is known under another key; trail.json of the log, which leads from that key to this one, "
                        "would be right",
                        newest->name);
    }
    memcpy(keys, chain->keys, num * sizeof(*keys));
    for (size_t i = 0; i < known.num_older && num < MLT_CHAIN_KEYS_MAX; i++) {
        keys[num++] = known.older[i];
    }
    return write_log(env, dir, id, keys, num, err);
}

enum mlt_status mlt_witness_add_log(struct mlt_env *env, const char *dir, const struct mlt_vkey *log,
                                    struct mlt_error *err) {
    struct mlt_key_chain *chain = calloc(1, sizeof(*chain));
    if (!chain) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a key");
    }
    mlt_key_chain_init(chain, log);
    enum mlt_status st = mlt_witness_follow_log(env, dir, chain, err);
    free(chain);
    return st;
}

// -- opening ----------------------------------------------------------------------------------------------------------

static enum mlt_status read_key(struct mlt_witness *w, struct mlt_error *err) {
    path_text path;
    struct mlt_buf text = {0};
    path_of(path, w->dir, "", "witness.key");
    enum mlt_status st = mlt_env_read_file(w->env, path, SECRET_TEXT_MAX, &text, err);
    if (st == MLT_NOTFOUND) {
        st = mlt_fail(err, MLT_NOTFOUND, "%s is no witness: it has no witness.key; `mltrail witness init` makes one",
                      w->dir);
    } else if (!st) {
        st = mlt_cosigner_parse(&w->cosigner, without_newline(&text), err);
        st = st ? mlt_context(err, MLT_CORRUPT, "%s", path) : MLT_OK;
    }
    if (text.data) {
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

enum mlt_status mlt_witness_open(struct mlt_witness **out, struct mlt_env *env, const char *dir, bool read_only,
                                 struct mlt_error *err) {
    *out = NULL;
    enum mlt_status st = check_path(dir, err);
    if (st) {
        return st;
    }
    struct mlt_witness *w = calloc(1, sizeof(*w));
    if (!w) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a witness");
    }
    w->env = env;
    (void)snprintf(w->dir, sizeof(w->dir), "%s", dir);
    (void)pthread_mutex_init(&w->mu, NULL);
    st = read_key(w, err);
    st = st || read_only ? st : take_lock(env, dir, &w->lock_file, err);
    st = st == MLT_BUSY ? mlt_fail(err, MLT_BUSY, "another process cosigns with the key in %s", dir) : st;
    if (st) {
        mlt_witness_close(w);
        return st;
    }
    *out = w;
    return MLT_OK;
}

void mlt_witness_close(struct mlt_witness *w) {
    if (!w) {
        return;
    }
    if (w->lock_file) {
        w->env->close(w->env, w->lock_file);
    }
    mlt_cosigner_clear(&w->cosigner);
    pthread_mutex_destroy(&w->mu);
    free(w);
}

const struct mlt_vkey *mlt_witness_vkey(const struct mlt_witness *w) {
    return &w->cosigner.vkey;
}

// -- heads ------------------------------------------------------------------------------------------------------------

// The head may be from before a change of keys.
static enum mlt_status open_by_any(struct mlt_witness_log *log, struct mlt_bytes bytes, struct mlt_error *err) {
    enum mlt_status st = mlt_checkpoint_open(&log->head, bytes, &log->vkey, err);
    for (size_t i = 0; st == MLT_DENIED && i < log->num_older; i++) {
        mlt_error_clear(err);
        st = mlt_checkpoint_open(&log->head, bytes, &log->older[i], err);
    }
    return st;
}

// A head is believed only with both signatures: a file that came from elsewhere would make the witness forget.
static enum mlt_status open_head(struct mlt_witness *w, struct mlt_witness_log *log, struct mlt_bytes bytes,
                                 struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    const char *why = "";
    enum mlt_status st = open_by_any(log, bytes, err);
    st = st ? st : mlt_note_parse(&note, &arena, bytes, err);
    if (!st && !mlt_cosignature_verify(&note, &w->cosigner.vkey, &log->time, &why)) {
        st = mlt_fail(err, MLT_CORRUPT, "our own cosignature: %s", why);
    }
    mlt_arena_clear(&arena);
    log->has_head = !st;
    return st ? mlt_context(err, MLT_CORRUPT, "%s, the head of %s", w->dir, log->vkey.name) : MLT_OK;
}

enum mlt_status mlt_witness_load(struct mlt_witness *w, const char *id, struct mlt_witness_log *out,
                                 struct mlt_buf *note, struct mlt_error *err) {
    path_text path;
    struct mlt_buf own = {0};
    struct mlt_buf *text = note ? note : &own;
    memset(out, 0, sizeof(*out));
    enum mlt_status st = read_log(w->env, w->dir, id, out, err);
    if (!st) {
        path_of(path, w->dir, "heads", id);
        st = mlt_env_read_file(w->env, path, MLT_NOTE_MAX, text, err);
        if (st == MLT_NOTFOUND) {
            mlt_error_clear(err);
            st = MLT_OK; // known, nothing cosigned yet
        } else if (!st) {
            st = open_head(w, out, mlt_buf_bytes(text), err);
        }
    }
    mlt_buf_clear(&own);
    return st;
}

enum mlt_status mlt_witness_store(struct mlt_witness *w, const char *id, struct mlt_bytes note, struct mlt_error *err) {
    path_text path;
    path_of(path, w->dir, "heads", id);
    return mlt_env_replace_file(w->env, path, note, false, err);
}

struct walk {
    struct mlt_witness *w;
    bool (*each)(void *arg, const struct mlt_witness_log *log);
    void *arg;
    enum mlt_status status;
    struct mlt_error *err;
};

static bool visit(void *arg, const char *name) {
    struct walk *walk = arg;
    struct mlt_witness_log log;
    if (strlen(name) != MLT_WITNESS_ID_LEN) {
        return true; // a temporary file of a replacement
    }
    walk->status = mlt_witness_load(walk->w, name, &log, NULL, walk->err);
    return walk->status == MLT_OK && walk->each(walk->arg, &log);
}

enum mlt_status mlt_witness_each(struct mlt_witness *w, bool (*each)(void *arg, const struct mlt_witness_log *log),
                                 void *arg, struct mlt_error *err) {
    path_text path;
    struct walk walk = {.w = w, .each = each, .arg = arg, .err = err};
    path_of(path, w->dir, "", "logs");
    enum mlt_status st = w->env->list(w->env, path, visit, &walk, err);
    return st ? st : walk.status;
}
