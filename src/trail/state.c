#include "trail/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/crc32c.h"

#define SLOT_LEN 4096
#define SLOT_CRC_OFF 4092
#define SLOT_NOTE_OFF 28
#define INDEX_KEY_TEXT_MAX 4096 // far more than its 65 bytes: what is longer is not one of ours

static const char MAGIC[8] = {'M', 'L', 'T', 'H', 'E', 'A', 'D', '1'};

static void path_of(char out[static MLT_PATH_MAX + 32], const char *dir, const char *name) {
    (void)snprintf(out, MLT_PATH_MAX + 32, "%s/%s", dir, name);
}

static void slot_encode(uint8_t out[static SLOT_LEN], uint64_t sequence, const struct mlt_head *head) {
    memset(out, 0, SLOT_LEN);
    memcpy(out, MAGIC, sizeof(MAGIC));
    mlt_store_u64be(out + 8, sequence);
    mlt_store_u64be(out + 16, (uint64_t)head->received);
    mlt_store_u32be(out + 24, (uint32_t)head->note_len);
    memcpy(out + SLOT_NOTE_OFF, head->note, head->note_len);
    mlt_store_u32be(out + SLOT_CRC_OFF, mlt_crc32c(mlt_bytes_of(out, SLOT_CRC_OFF)));
}

static bool slot_decode(const uint8_t in[static SLOT_LEN], uint64_t *sequence, struct mlt_head *head) {
    uint32_t note_len = mlt_load_u32be(in + 24);
    if (memcmp(in, MAGIC, sizeof(MAGIC)) != 0 || note_len > MLT_CHECKPOINT_NOTE_MAX ||
        mlt_load_u32be(in + SLOT_CRC_OFF) != mlt_crc32c(mlt_bytes_of(in, SLOT_CRC_OFF))) {
        return false;
    }
    *sequence = mlt_load_u64be(in + 8);
    head->received = (int64_t)mlt_load_u64be(in + 16);
    head->note_len = note_len;
    memcpy(head->note, in + SLOT_NOTE_OFF, note_len);
    return true;
}

static enum mlt_status read_index_key(struct mlt_env *env, const char *dir, uint8_t key[static MLT_INDEX_KEY_LEN],
                                      struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf text = {0};
    path_of(path, dir, "index.key");
    enum mlt_status st = mlt_env_read_file(env, path, INDEX_KEY_TEXT_MAX, &text, err);
    if (!st) {
        struct mlt_bytes hex = mlt_buf_bytes(&text);
        hex.len -= hex.len > 0 && hex.ptr[hex.len - 1] == '\n';
        if (!mlt_hex_decode(key, MLT_INDEX_KEY_LEN, hex)) {
            st = mlt_fail(err, MLT_CORRUPT, "%s does not hold %d hexadecimal digits", path, 2 * MLT_INDEX_KEY_LEN);
        }
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

static enum mlt_status first_head(struct mlt_env *env, const char *dir, const char *origin,
                                  const struct mlt_signer *signer, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    uint8_t slots[MLT_HEAD_SLOTS * SLOT_LEN] = {0};
    struct mlt_checkpoint c = {.size = 0};
    struct mlt_buf note = {0};
    struct mlt_head head = {0};
    (void)snprintf(c.origin, sizeof(c.origin), "%s", origin);
    mlt_merkle_empty(c.root);
    enum mlt_status st = mlt_checkpoint_sign(&note, &c, signer, err);
    if (!st) {
        head.note_len = note.len;
        memcpy(head.note, note.data, note.len);
        slot_encode(slots, 1, &head);
        path_of(path, dir, "head");
        st = mlt_env_replace_file(env, path, mlt_bytes_of(slots, sizeof(slots)), true, err);
    }
    mlt_buf_clear(&note);
    return st;
}

static enum mlt_status check_no_key(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_file *present = NULL;
    path_of(path, dir, "signing.key");
    enum mlt_status st = env->open(env, &present, path, MLT_OPEN_READ, err);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    if (!st) {
        env->close(env, present);
        st = mlt_fail(err, MLT_CONFLICT, "%s holds the key of a trail already; another --state would be right", dir);
    }
    return st;
}

static enum mlt_status create_kek(struct mlt_env *env, const struct mlt_state_options *opt, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_kek kek = {0};
    path_of(path, opt->dir, "kek");
    if (opt->kek_uri) {
        (void)snprintf(kek.uri, sizeof(kek.uri), "%s", opt->kek_uri);
    }
    enum mlt_status st = env->random(env, kek.key, sizeof(kek.key), err);
    st = st ? st : mlt_kek_write(env, path, &kek, opt->pin, err);
    mlt_wipe(&kek, sizeof(kek));
    return st;
}

static enum mlt_status create_index_key(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    uint8_t key[MLT_INDEX_KEY_LEN] = {0};
    char text[2 * MLT_INDEX_KEY_LEN + 2];
    path_of(path, dir, "index.key");
    enum mlt_status st = env->random(env, key, sizeof(key), err);
    mlt_hex_encode(text, mlt_bytes_of(key, sizeof(key)));
    text[sizeof(text) - 2] = '\n';
    st = st ? st : mlt_env_replace_file(env, path, mlt_bytes_of(text, sizeof(text) - 1), true, err);
    mlt_wipe(key, sizeof(key));
    mlt_wipe(text, sizeof(text));
    return st;
}

enum mlt_status mlt_state_create(struct mlt_env *env, const struct mlt_state_options *opt, const char *origin,
                                 struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_key_file file = {0};
    struct mlt_signer signer = {0};
    enum mlt_status st = opt->kek_uri ? mlt_hsm_check_uri(opt->kek_uri, err) : MLT_OK;
    st = st ? st : env->mkdir(env, opt->dir, true, err);
    st = st == MLT_CONFLICT ? check_no_key(env, opt->dir, err) : st;
    st = st ? st : mlt_key_file_new(&file, &signer, env, origin, opt->signing_uri, opt->pin, err);
    st = st ? st : create_kek(env, opt, err);
    st = st ? st : create_index_key(env, opt->dir, err);
    st = st ? st : first_head(env, opt->dir, origin, &signer, err);
    path_of(path, opt->dir, "signing.key");
    st = st ? st : mlt_key_file_write(env, path, &file, err);
    mlt_signer_clear(&signer);
    mlt_wipe(&file, sizeof(file));
    return st;
}

static enum mlt_status read_signer(struct mlt_state *s, const struct mlt_state_options *opt, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    path_of(path, opt->dir, "signing.key");
    struct mlt_key_file *file = calloc(1, sizeof(*file));
    if (!file) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the signing key");
    }
    enum mlt_status st = mlt_key_file_read(file, s->env, path, err);
    if (!st) {
        s->chain = file->chain;
        s->event = file->event;
        s->signer.vkey = file->chain.keys[0];
        s->signing_in_token = mlt_key_file_in_token(file);
        if (opt->writable || !mlt_key_file_in_token(file)) {
            st = mlt_key_file_signer(&s->signer, file, opt->pin, err);
            st = st ? mlt_context(err, st, "%s", path) : MLT_OK;
        }
    }
    mlt_wipe(file, sizeof(*file));
    free(file);
    return st;
}

static enum mlt_status read_kek(struct mlt_state *s, const struct mlt_state_options *opt, struct mlt_error *err) {
    struct mlt_kek kek = {0};
    enum mlt_status st = opt->writable ? mlt_kek_settle(s->env, opt->dir, err) : MLT_OK;
    st = st ? st : mlt_kek_load(&s->keys, &kek, s->env, opt->dir, opt->pin, err);
    s->has_kek = !st;
    memcpy(s->kek_uri, kek.uri, sizeof(s->kek_uri));
    mlt_wipe(&kek, sizeof(kek));
    if (st == MLT_DENIED && !opt->writable) {
        mlt_error_clear(err); // what can be read without the token is read
        st = MLT_OK;
    }
    return st;
}

// The lock of <trail> goes with a copy of <trail>; this one does not. Two writers with one key would sign two trees.
static enum mlt_status take_lock(struct mlt_state *s, const char *dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    path_of(path, dir, "lock");
    enum mlt_status st = s->env->lock(s->env, &s->lock, path, err);
    if (st == MLT_BUSY) {
        st = mlt_fail(err, MLT_BUSY,
                      "another process signs with its key; a copy of a trail cannot be written beside the original");
    }
    return st;
}

// A head by a key that was replaced since: the newer key stands for the tree that it goes on with, which both signed.
static void stand_for_link(struct mlt_head *head, const struct mlt_key_link *link) {
    head->size = link->kept;
    memcpy(head->root, link->kept_root, MLT_HASH_LEN);
    head->note_len = 0;
}

static enum mlt_status take_head(struct mlt_state *s, struct mlt_head *head, struct mlt_error *err) {
    struct mlt_checkpoint c;
    size_t at = 0;
    if (!mlt_key_chain_leads(&s->chain, &s->chain.keys[0])) {
        return mlt_fail(err, MLT_CORRUPT, "a change of keys in signing.key has a bad signature (FORMAT.md, Keys)");
    }
    enum mlt_status st = mlt_key_chain_signer(&s->chain, &c, &at, mlt_bytes_of(head->note, head->note_len), err);
    if (!st && at > 0 && c.size > s->chain.links[at - 1].size) {
        st = mlt_fail(err, MLT_CORRUPT, "a head of size %llu by a key that was replaced at size %llu",
                      (unsigned long long)c.size, (unsigned long long)s->chain.links[at - 1].size);
    }
    if (st) {
        return st;
    }
    head->size = c.size;
    memcpy(head->root, c.root, MLT_HASH_LEN);
    if (at > 0) {
        stand_for_link(head, &s->chain.links[0]);
    }
    return MLT_OK;
}

static enum mlt_status read_head(struct mlt_state *s, const char *dir, bool writable, struct mlt_head *head,
                                 struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    uint8_t slots[MLT_HEAD_SLOTS * SLOT_LEN] = {0};
    size_t got = 0;
    path_of(path, dir, "head");
    enum mlt_status st = s->env->open(s->env, &s->head_file, path, writable ? MLT_OPEN_WRITE : MLT_OPEN_READ, err);
    st = st ? st : s->env->read(s->env, s->head_file, slots, sizeof(slots), 0, &got, err);
    if (st) {
        return st;
    }
    bool found = false;
    for (unsigned i = 0; i < MLT_HEAD_SLOTS; i++) {
        uint64_t sequence;
        struct mlt_head candidate = {0};
        if (slot_decode(slots + (size_t)i * SLOT_LEN, &sequence, &candidate) && (!found || sequence > s->sequence)) {
            found = true;
            s->sequence = sequence;
            s->durable = i;
            *head = candidate;
        }
    }
    s->latest = s->durable;
    if (!found) {
        return mlt_fail(err, MLT_CORRUPT, "%s holds no valid head (FORMAT.md, head)", path);
    }
    st = take_head(s, head, err);
    if (st) {
        return mlt_context(err, MLT_CORRUPT, "%s", path);
    }
    // After a killed process the slot may still be in the page cache only; from here on it counts as durable.
    return writable ? s->env->sync(s->env, s->head_file, err) : MLT_OK;
}

enum mlt_status mlt_state_open(struct mlt_state *s, struct mlt_env *env, const struct mlt_state_options *opt,
                               struct mlt_head *head, struct mlt_error *err) {
    memset(s, 0, sizeof(*s));
    s->env = env;
    s->syncing = MLT_HEAD_SLOTS;
    (void)pthread_mutex_init(&s->mu, NULL);
    enum mlt_status st = opt->writable ? take_lock(s, opt->dir, err) : MLT_OK;
    st = st ? st : read_signer(s, opt, err);
    st = st ? st : read_kek(s, opt, err);
    st = st ? st : read_index_key(env, opt->dir, s->keys.index_key, err);
    st = st ? st : read_head(s, opt->dir, opt->writable, head, err);
    if (st) {
        mlt_state_close(s);
    }
    return st;
}

void mlt_state_close(struct mlt_state *s) {
    if (!s->env) {
        return;
    }
    if (s->head_file) {
        s->env->close(s->env, s->head_file);
    }
    if (s->lock) {
        s->env->close(s->env, s->lock);
    }
    mlt_signer_clear(&s->signer);
    mlt_wipe(&s->keys, sizeof(s->keys));
    pthread_mutex_destroy(&s->mu);
    s->head_file = NULL;
    s->lock = NULL;
    s->env = NULL;
}

enum mlt_status mlt_state_put_head(struct mlt_state *s, const struct mlt_head *head, struct mlt_error *err) {
    uint8_t slot[SLOT_LEN];
    unsigned at = 0;
    pthread_mutex_lock(&s->mu);
    while (at == s->durable || at == s->syncing) {
        at++;
    }
    slot_encode(slot, s->sequence + 1, head);
    enum mlt_status st = s->env->write(s->env, s->head_file, slot, sizeof(slot), (uint64_t)at * SLOT_LEN, err);
    if (!st) {
        s->sequence++;
        s->latest = at;
    }
    pthread_mutex_unlock(&s->mu);
    return st;
}

enum mlt_status mlt_state_sync_head(struct mlt_state *s, struct mlt_error *err) {
    pthread_mutex_lock(&s->mu);
    s->syncing = s->latest;
    pthread_mutex_unlock(&s->mu);
    enum mlt_status st = s->env->sync(s->env, s->head_file, err);
    pthread_mutex_lock(&s->mu);
    if (!st) {
        s->durable = s->syncing;
    }
    s->syncing = MLT_HEAD_SLOTS;
    pthread_mutex_unlock(&s->mu);
    return st;
}
