#include "trail/state.h"

#include <stdio.h>

#include "store/crc32c.h"

#define SLOT_LEN 4096
#define SLOT_CRC_OFF 4092
#define SLOT_NOTE_OFF 28
#define SECRET_TEXT_MAX 4096 // a signing key takes some 400 bytes

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

static enum mlt_status write_secret_hex(struct mlt_env *env, const char *dir, const char *name, const uint8_t *secret,
                                        struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    char text[2 * MLT_KEK_LEN + 2];
    path_of(path, dir, name);
    mlt_hex_encode(text, mlt_bytes_of(secret, MLT_KEK_LEN));
    text[sizeof(text) - 2] = '\n';
    enum mlt_status st = mlt_env_replace_file(env, path, mlt_bytes_of(text, sizeof(text) - 1), true, err);
    mlt_wipe(text, sizeof(text));
    return st;
}

static enum mlt_status read_secret_hex(struct mlt_env *env, const char *dir, const char *name, uint8_t *secret,
                                       struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf text = {0};
    path_of(path, dir, name);
    enum mlt_status st = mlt_env_read_file(env, path, SECRET_TEXT_MAX, &text, err);
    if (!st) {
        struct mlt_bytes hex = mlt_buf_bytes(&text);
        hex.len -= hex.len > 0 && hex.ptr[hex.len - 1] == '\n';
        if (!mlt_hex_decode(secret, MLT_KEK_LEN, hex)) {
            st = mlt_fail(err, MLT_CORRUPT, "%s does not hold %d hexadecimal digits", path, 2 * MLT_KEK_LEN);
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

enum mlt_status mlt_state_create(struct mlt_env *env, const char *dir, const char *origin, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    char text[MLT_SKEY_TEXT_MAX + 1];
    uint8_t secrets[3][32];
    struct mlt_signer signer = {0};
    struct mlt_buf present = {0};
    enum mlt_status st = env->mkdir(env, dir, true, err);
    path_of(path, dir, "signing.key");
    if (st == MLT_CONFLICT) {
        st = mlt_env_read_file(env, path, SECRET_TEXT_MAX, &present, err);
        st = st == MLT_NOTFOUND ? MLT_OK
             : st               ? st
                  : mlt_fail(err, MLT_CONFLICT, "%s holds the key of a trail already; another --state would be right",
                             dir);
    }
    st = st ? st : env->random(env, secrets, sizeof(secrets), err);
    st = st ? st : mlt_signer_init(&signer, mlt_str(origin), secrets[0], err);
    st = st ? st : write_secret_hex(env, dir, "kek", secrets[1], err);
    st = st ? st : write_secret_hex(env, dir, "index.key", secrets[2], err);
    st = st ? st : first_head(env, dir, origin, &signer, err);
    if (!st) {
        mlt_signer_format_secret(text, mlt_str(origin), secrets[0]);
        size_t len = strlen(text);
        text[len] = '\n';
        st = mlt_env_replace_file(env, path, mlt_bytes_of(text, len + 1), true, err);
    }
    mlt_signer_clear(&signer);
    if (present.data) {
        mlt_wipe(present.data, present.cap);
    }
    mlt_buf_clear(&present);
    mlt_wipe(secrets, sizeof(secrets));
    mlt_wipe(text, sizeof(text));
    return st;
}

static enum mlt_status read_signer(struct mlt_state *s, const char *dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf text = {0};
    path_of(path, dir, "signing.key");
    enum mlt_status st = mlt_env_read_file(s->env, path, SECRET_TEXT_MAX, &text, err);
    if (!st) {
        struct mlt_bytes line = mlt_buf_bytes(&text);
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\n';
        st = mlt_signer_parse(&s->signer, line, err);
        st = st ? mlt_context(err, st, "%s", path) : MLT_OK;
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
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
    struct mlt_checkpoint c;
    st = mlt_checkpoint_open(&c, mlt_bytes_of(head->note, head->note_len), &s->signer.vkey, err);
    if (st) {
        return mlt_context(err, MLT_CORRUPT, "%s", path);
    }
    head->size = c.size;
    memcpy(head->root, c.root, MLT_HASH_LEN);
    // After a killed process the slot may still be in the page cache only; from here on it counts as durable.
    return writable ? s->env->sync(s->env, s->head_file, err) : MLT_OK;
}

enum mlt_status mlt_state_open(struct mlt_state *s, struct mlt_env *env, const char *dir, bool writable,
                               struct mlt_head *head, struct mlt_error *err) {
    memset(s, 0, sizeof(*s));
    s->env = env;
    s->syncing = MLT_HEAD_SLOTS;
    (void)pthread_mutex_init(&s->mu, NULL);
    enum mlt_status st = read_signer(s, dir, err);
    st = st ? st : read_secret_hex(env, dir, "kek", s->keys.kek, err);
    st = st ? st : read_secret_hex(env, dir, "index.key", s->keys.index_key, err);
    st = st || !writable ? st : take_lock(s, dir, err);
    st = st ? st : read_head(s, dir, writable, head, err);
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
