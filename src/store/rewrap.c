#include "store/rewrap.h"

#include <stdio.h>

#include "store/crc32c.h"

#define HEADER_LEN 40
#define CRC_OFF 36
#define FILE_MAX (HEADER_LEN + MLT_REWRAP_RUN * MLT_WRAPPED_LEN)

static const char MAGIC[8] = {'M', 'L', 'T', 'M', 'O', 'V', 'E', '1'};

static void path_of(char out[static MLT_STORE_PATH_MAX + 32], const struct mlt_files *files) {
    (void)snprintf(out, MLT_STORE_PATH_MAX + 32, "%s/slots.move", files->dir);
}

// `text` holds room for the header and the run behind it.
static void seal_header(struct mlt_buf *text, const struct mlt_rewrap *r) {
    uint8_t *h = text->data;
    memcpy(h, MAGIC, sizeof(MAGIC));
    mlt_store_u64be(h + 8, r->at);
    mlt_store_u64be(h + 16, r->num_wrapped);
    mlt_store_u64be(h + 24, r->num_erased);
    mlt_store_u32be(h + 32, (uint32_t)((text->len - HEADER_LEN) / MLT_WRAPPED_LEN));
    mlt_store_u32be(h + CRC_OFF, 0);
    mlt_store_u32be(h + CRC_OFF, mlt_crc32c(mlt_buf_bytes(text)));
}

// Cuts `text` to what counts.
static bool open_header(struct mlt_rewrap *r, struct mlt_buf *text) {
    if (text->len < HEADER_LEN || memcmp(text->data, MAGIC, sizeof(MAGIC)) != 0) {
        return false;
    }
    uint32_t count = mlt_load_u32be(text->data + 32);
    uint32_t crc = mlt_load_u32be(text->data + CRC_OFF);
    if (count > MLT_REWRAP_RUN || text->len < HEADER_LEN + (size_t)count * MLT_WRAPPED_LEN) {
        return false;
    }
    text->len = HEADER_LEN + (size_t)count * MLT_WRAPPED_LEN;
    mlt_store_u32be(text->data + CRC_OFF, 0);
    r->at = mlt_load_u64be(text->data + 8);
    r->num_wrapped = mlt_load_u64be(text->data + 16);
    r->num_erased = mlt_load_u64be(text->data + 24);
    return mlt_crc32c(mlt_buf_bytes(text)) == crc;
}

enum mlt_status mlt_rewrap_redo(struct mlt_rewrap *out, const struct mlt_files *files, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 32];
    struct mlt_buf text = {0};
    struct mlt_rewrap r = {0};
    memset(out, 0, sizeof(*out));
    path_of(path, files);
    enum mlt_status st = mlt_env_read_file(files->env, path, FILE_MAX, &text, err);
    if (st == MLT_NOTFOUND || st == MLT_LIMIT) {
        mlt_error_clear(err);
        st = MLT_OK; // nothing to redo; one that is too long was not written by us
    } else if (!st && open_header(&r, &text) && r.at <= files->size &&
               (text.len - HEADER_LEN) / MLT_WRAPPED_LEN <= files->size - r.at) {
        size_t len = text.len - HEADER_LEN;
        st = len == 0 ? MLT_OK
                      : files->env->write(files->env, files->file[MLT_FILE_SLOTS], text.data + HEADER_LEN, len,
                                          r.at * MLT_WRAPPED_LEN, err);
        *out = r;
    }
    mlt_buf_clear(&text);
    return st;
}

enum mlt_status mlt_rewrap_forget(const struct mlt_files *files, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 32];
    struct mlt_env *env = files->env;
    struct mlt_file *file = NULL;
    path_of(path, files);
    enum mlt_status st = env->open(env, &file, path, MLT_OPEN_WRITE, err);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    if (st) {
        return st;
    }
    st = mlt_env_overwrite(env, file, err);
    env->close(env, file);
    st = st ? st : env->unlink(env, path, err);
    return st ? st : env->sync_dir(env, files->dir, err);
}

static enum mlt_status rewrap_all(struct mlt_rewrap *after, uint8_t *slots, size_t count, mlt_rewrap_slot rewrap,
                                  void *ctx, struct mlt_error *err) {
    for (size_t i = 0; i < count; i++) {
        uint8_t *slot = slots + i * MLT_WRAPPED_LEN;
        bool erased = mlt_bytes_all(mlt_bytes_of(slot, MLT_WRAPPED_LEN), 0xff);
        bool none = mlt_bytes_all(mlt_bytes_of(slot, MLT_WRAPPED_LEN), 0);
        enum mlt_status st = erased || none ? MLT_OK : rewrap(ctx, slot, err);
        if (st) {
            return mlt_context(err, st, "the slot of entry %llu", (unsigned long long)(after->at + i));
        }
        after->num_erased += erased;
        after->num_wrapped += !erased && !none;
    }
    after->at += count;
    return MLT_OK;
}

// The name of slots.move is durable before the first run lies under it: a new file is made whole and renamed.
static enum mlt_status write_move(const struct mlt_files *files, struct mlt_bytes text, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 32];
    struct mlt_file *file = NULL;
    struct mlt_env *env = files->env;
    path_of(path, files);
    enum mlt_status st = env->open(env, &file, path, MLT_OPEN_WRITE, err);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return mlt_env_replace_file(env, path, text, true, err);
    }
    st = st ? st : env->write(env, file, text.ptr, text.len, 0, err);
    st = st ? st : env->sync(env, file, err);
    if (file) {
        env->close(env, file);
    }
    return st;
}

enum mlt_status mlt_rewrap_run(struct mlt_rewrap *r, const struct mlt_files *files, uint64_t size,
                               mlt_rewrap_slot rewrap, void *ctx, struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_rewrap after = *r;
    size_t count = size - r->at < MLT_REWRAP_RUN ? (size_t)(size - r->at) : MLT_REWRAP_RUN;
    size_t len = count * MLT_WRAPPED_LEN;
    if (!mlt_buf_reserve(&text, HEADER_LEN + len)) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu slots", count);
    }
    text.len = HEADER_LEN + len;
    uint8_t *slots = text.data + HEADER_LEN;
    uint64_t off = r->at * MLT_WRAPPED_LEN;
    enum mlt_status st = mlt_files_read(files, MLT_FILE_SLOTS, off, slots, len, err);
    st = st ? st : rewrap_all(&after, slots, count, rewrap, ctx, err);
    if (!st) {
        seal_header(&text, r);
        st = write_move(files, mlt_buf_bytes(&text), err);
    }
    st = st ? st : files->env->write(files->env, files->file[MLT_FILE_SLOTS], slots, len, off, err);
    st = st ? st : files->env->sync(files->env, files->file[MLT_FILE_SLOTS], err);
    if (!st) {
        *r = after;
    }
    mlt_buf_clear(&text);
    return st;
}
