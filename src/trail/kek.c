#include "trail/kek.h"

#include <stdio.h>

#include "record/json.h"

#define KEK_FILE_MAX 2048 // a URI and 80 characters
#define NOTE_MAX 8192     // a reason with every character escaped
#define PATH_LEN 1100

static const char FINGERPRINT_LABEL[] = "mltrail/v1 key-encryption key fingerprint";

void mlt_kek_fingerprint(char out[static 2 * MLT_KEK_FINGERPRINT_LEN + 1], const uint8_t kek[static MLT_KEK_LEN]) {
    uint8_t hash[MLT_HASH_LEN];
    const uint8_t zero = 0;
    const struct mlt_bytes parts[] = {mlt_str(FINGERPRINT_LABEL), {&zero, 1}, {kek, MLT_KEK_LEN}};
    mlt_sha256(hash, parts, 3);
    mlt_hex_encode(out, mlt_bytes_of(hash, MLT_KEK_FINGERPRINT_LEN));
}

static enum mlt_status refused(struct mlt_error *err) {
    if (err) {
        err->status = MLT_DENIED;
    }
    return MLT_DENIED;
}

static enum mlt_status unwrap(struct mlt_kek *out, struct mlt_bytes uri, struct mlt_bytes base64,
                              const struct mlt_pin_source *pin, struct mlt_error *err) {
    uint8_t wrapped[MLT_HSM_WRAPPED_LEN];
    size_t len = 0;
    if (!mlt_base64_decode(wrapped, sizeof(wrapped), &len, base64) || len != sizeof(wrapped) ||
        !mlt_text_copy(out->uri, sizeof(out->uri), uri)) {
        return mlt_fail(err, MLT_CORRUPT, "a PKCS#11 URI and %d bytes in base64 would be right", MLT_HSM_WRAPPED_LEN);
    }
    enum mlt_status st = mlt_hsm_unwrap(out->key, out->uri, pin, wrapped, err);
    // A token that is not there is no key that is not there.
    return st == MLT_NOTFOUND || st == MLT_CONFLICT ? refused(err) : st;
}

static enum mlt_status parse(struct mlt_kek *out, struct mlt_bytes text, const struct mlt_pin_source *pin,
                             struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(text);
    struct mlt_bytes first = mlt_cursor_line(&c);
    if (!c.failed && mlt_hsm_is_uri(first)) {
        struct mlt_bytes second = mlt_cursor_line(&c);
        return unwrap(out, first, second, pin, err);
    }
    if (c.failed || !mlt_hex_decode(out->key, MLT_KEK_LEN, first)) {
        return mlt_fail(err, MLT_CORRUPT, "%d hexadecimal digits and a newline would be right", 2 * MLT_KEK_LEN);
    }
    return MLT_OK;
}

enum mlt_status mlt_kek_read(struct mlt_kek *out, struct mlt_env *env, const char *path,
                             const struct mlt_pin_source *pin, struct mlt_error *err) {
    struct mlt_buf text = {0};
    memset(out, 0, sizeof(*out));
    enum mlt_status st = mlt_env_read_file(env, path, KEK_FILE_MAX, &text, err);
    if (!st) {
        st = parse(out, mlt_buf_bytes(&text), pin, err);
        st = st ? mlt_context(err, st, "%s", path) : MLT_OK;
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

static enum mlt_status put_wrapped(struct mlt_buf *text, struct mlt_env *env, const struct mlt_kek *kek,
                                   const struct mlt_pin_source *pin, struct mlt_error *err) {
    uint8_t nonce[MLT_HSM_NONCE_LEN];
    uint8_t wrapped[MLT_HSM_WRAPPED_LEN];
    enum mlt_status st = env->random(env, nonce, sizeof(nonce), err);
    st = st ? st : mlt_hsm_wrap(wrapped, kek->uri, pin, kek->key, nonce, err);
    if (!st) {
        mlt_buf_put_str(text, kek->uri);
        mlt_buf_put_u8(text, '\n');
        mlt_buf_put_base64(text, mlt_bytes_of(wrapped, sizeof(wrapped)));
    }
    return st;
}

enum mlt_status mlt_kek_write(struct mlt_env *env, const char *path, const struct mlt_kek *kek,
                              const struct mlt_pin_source *pin, struct mlt_error *err) {
    struct mlt_buf text = {0};
    char hex[2 * MLT_KEK_LEN + 1];
    enum mlt_status st = MLT_OK;
    if (kek->uri[0]) {
        st = put_wrapped(&text, env, kek, pin, err);
    } else {
        mlt_hex_encode(hex, mlt_bytes_of(kek->key, MLT_KEK_LEN));
        mlt_buf_put_str(&text, hex);
        mlt_wipe(hex, sizeof(hex));
    }
    mlt_buf_put_u8(&text, '\n');
    st = st || !text.failed ? st : mlt_fail(err, MLT_NOMEM, "no memory for a key");
    st = st ? st : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), true, err);
    if (text.data) {
        mlt_wipe(text.data, text.cap);
    }
    mlt_buf_clear(&text);
    return st;
}

enum mlt_status mlt_kek_destroy(struct mlt_env *env, const char *path, struct mlt_error *err) {
    struct mlt_file *file = NULL;
    enum mlt_status st = env->open(env, &file, path, MLT_OPEN_WRITE, err);
    if (st) {
        return st;
    }
    st = mlt_env_overwrite(env, file, err);
    env->close(env, file);
    return st;
}

static bool get_text(char *out, size_t cap, const struct mlt_json *json, const char *name, struct mlt_arena *arena) {
    return mlt_text_copy(out, cap, mlt_json_string(json, mlt_json_get(json, 0, name), arena));
}

static bool parse_note(struct mlt_kek_note *out, const struct mlt_json *json, struct mlt_arena *arena) {
    out->num_wrapped = UINT64_MAX;
    mlt_json_at wrapped = mlt_json_get(json, 0, "wrapped");
    return mlt_time_parse(&out->time, mlt_json_string(json, mlt_json_get(json, 0, "time"), arena)) &&
           get_text(out->by, sizeof(out->by), json, "by", arena) &&
           get_text(out->reason, sizeof(out->reason), json, "reason", arena) &&
           get_text(out->old_fingerprint, sizeof(out->old_fingerprint), json, "old", arena) &&
           get_text(out->new_fingerprint, sizeof(out->new_fingerprint), json, "new", arena) &&
           (wrapped == MLT_JSON_NONE || (mlt_json_u64(json, wrapped, &out->num_wrapped) &&
                                         mlt_json_u64(json, mlt_json_get(json, 0, "erased"), &out->num_erased) &&
                                         mlt_json_u64(json, mlt_json_get(json, 0, "size"), &out->size)));
}

enum mlt_status mlt_kek_note_parse(struct mlt_kek_note *out, struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    memset(out, 0, sizeof(*out));
    enum mlt_status st = mlt_json_scan(&json, text, err);
    if (!st && !parse_note(out, &json, &arena)) {
        st = mlt_fail(err, MLT_CORRUPT, "time, by, reason, old and new would be right");
    }
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
    return st;
}

void mlt_kek_note_format(struct mlt_buf *out, const struct mlt_kek_note *note) {
    struct mlt_json_writer w;
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(time, note->time);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "time", time);
    mlt_jw_member(&w, "by", note->by);
    mlt_jw_member(&w, "reason", note->reason);
    mlt_jw_member(&w, "old", note->old_fingerprint);
    mlt_jw_member(&w, "new", note->new_fingerprint);
    if (note->num_wrapped != UINT64_MAX) {
        mlt_jw_member_u64(&w, "wrapped", note->num_wrapped);
        mlt_jw_member_u64(&w, "erased", note->num_erased);
        mlt_jw_member_u64(&w, "size", note->size);
    }
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

enum mlt_status mlt_kek_note_read(struct mlt_kek_note *out, struct mlt_env *env, const char *path,
                                  struct mlt_error *err) {
    struct mlt_buf text = {0};
    memset(out, 0, sizeof(*out));
    enum mlt_status st = mlt_env_read_file(env, path, NOTE_MAX, &text, err);
    if (!st) {
        st = mlt_kek_note_parse(out, mlt_buf_bytes(&text), err);
        st = st ? mlt_context(err, st, "%s", path) : MLT_OK;
    }
    mlt_buf_clear(&text);
    return st;
}

enum mlt_status mlt_kek_note_write(struct mlt_env *env, const char *path, const struct mlt_kek_note *note,
                                   struct mlt_error *err) {
    struct mlt_buf text = {0};
    mlt_kek_note_format(&text, note);
    enum mlt_status st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a note")
                                     : mlt_env_replace_file(env, path, mlt_buf_bytes(&text), true, err);
    mlt_buf_clear(&text);
    return st;
}

// Whether every slot is under the new key: then the old one counts no more, and may be half destroyed.
static enum mlt_status is_done(bool *done, struct mlt_env *env, const char *state_dir, struct mlt_error *err) {
    char path[PATH_LEN];
    struct mlt_kek_note note;
    (void)snprintf(path, sizeof(path), "%s/kek.note", state_dir);
    enum mlt_status st = mlt_kek_note_read(&note, env, path, err);
    *done = !st && note.num_wrapped != UINT64_MAX;
    return st;
}

static enum mlt_status load_rotating(struct mlt_record_keys *keys, const struct mlt_kek *next, struct mlt_env *env,
                                     const char *state_dir, const struct mlt_pin_source *pin, struct mlt_error *err) {
    char path[PATH_LEN];
    struct mlt_kek old = {0};
    bool done = false;
    (void)snprintf(path, sizeof(path), "%s/kek", state_dir);
    enum mlt_status st = is_done(&done, env, state_dir, err);
    if (!st && !done) {
        st = mlt_kek_read(&old, env, path, pin, err);
    }
    if (!st) {
        memcpy(keys->kek, next->key, MLT_KEK_LEN);
        memcpy(keys->old_kek, old.key, MLT_KEK_LEN);
        keys->has_old_kek = !done;
    }
    mlt_wipe(&old, sizeof(old));
    return st;
}

enum mlt_status mlt_kek_load(struct mlt_record_keys *keys, struct mlt_kek *current, struct mlt_env *env,
                             const char *state_dir, const struct mlt_pin_source *pin, struct mlt_error *err) {
    char path[PATH_LEN];
    struct mlt_kek kek = {0};
    (void)snprintf(path, sizeof(path), "%s/kek.next", state_dir);
    enum mlt_status st = mlt_kek_read(&kek, env, path, pin, err);
    if (!st) {
        st = load_rotating(keys, &kek, env, state_dir, pin, err);
    } else if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        (void)snprintf(path, sizeof(path), "%s/kek", state_dir);
        st = mlt_kek_read(&kek, env, path, pin, err);
        memcpy(keys->kek, kek.key, MLT_KEK_LEN);
        keys->has_old_kek = false;
    }
    if (current) {
        *current = kek;
    }
    mlt_wipe(&kek, sizeof(kek));
    return st;
}

enum mlt_status mlt_kek_settle(struct mlt_env *env, const char *state_dir, struct mlt_error *err) {
    char path[PATH_LEN];
    char next_path[PATH_LEN];
    bool done = false;
    (void)snprintf(path, sizeof(path), "%s/kek", state_dir);
    (void)snprintf(next_path, sizeof(next_path), "%s/kek.next", state_dir);
    enum mlt_status st = is_done(&done, env, state_dir, err);
    if (st == MLT_NOTFOUND || (!st && !done)) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    struct mlt_file *next = NULL;
    st = st ? st : env->open(env, &next, next_path, MLT_OPEN_READ, err);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK; // it has its name already
    }
    if (!st) {
        env->close(env, next);
        st = mlt_kek_destroy(env, path, err);
    }
    st = st ? st : env->rename(env, next_path, path, err);
    return st ? st : env->sync_dir(env, state_dir, err);
}
