#include "store/files.h"

#include <assert.h>
#include <stdio.h>

static const char *const NAMES[MLT_NUM_FILES] = {
    "entries.dat", "entries.idx", "payloads/data", "payloads/index", "slots",  "hash/0", "hash/1",
    "hash/2",      "hash/3",      "hash/4",        "hash/5",         "hash/6", "hash/7",
};
static const char *const DIRS[] = {"hash", "payloads", "details"};
#define NUM_DIRS (sizeof(DIRS) / sizeof(DIRS[0]))

const char *mlt_files_name(enum mlt_files_id id) {
    return NAMES[id];
}

uint64_t mlt_files_length(enum mlt_files_id id, uint64_t size, uint64_t entries_len, uint64_t payloads_len) {
    uint64_t rest = size % MLT_FILES_BUNDLE;
    switch (id) {
    case MLT_FILE_ENTRIES:
        return entries_len;
    case MLT_FILE_ENTRIES_INDEX:
        return (size / MLT_FILES_BUNDLE + (rest ? 1 : 0)) * 8;
    case MLT_FILE_PAYLOADS:
        return payloads_len;
    case MLT_FILE_PAYLOADS_INDEX:
        return size / MLT_FILES_BUNDLE * MLT_FILES_BLOCK_LEN + (rest ? 8 + 4 * rest : 0);
    case MLT_FILE_SLOTS:
        return size * MLT_WRAPPED_LEN;
    default:
        return (size >> (MLT_TILE_HEIGHT * (unsigned)(id - MLT_FILE_HASH))) * MLT_HASH_LEN;
    }
}

static enum mlt_status path_of(char out[static MLT_STORE_PATH_MAX], const char *dir, const char *name,
                               struct mlt_error *err) {
    int n = snprintf(out, MLT_STORE_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= MLT_STORE_PATH_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the path %s/%s is longer than %d bytes", dir, name, MLT_STORE_PATH_MAX - 1);
    }
    return MLT_OK;
}

enum mlt_status mlt_files_create(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX];
    enum mlt_status st = MLT_OK;
    for (size_t i = 0; i < NUM_DIRS && !st; i++) {
        st = path_of(path, dir, DIRS[i], err);
        st = st ? st : env->mkdir(env, path, false, err);
        if (st == MLT_CONFLICT) {
            st = MLT_OK; // left by a creation that did not get to its end
        }
    }
    for (unsigned id = 0; id < MLT_NUM_FILES && !st; id++) {
        struct mlt_file *file;
        st = path_of(path, dir, NAMES[id], err);
        st = st ? st : env->open(env, &file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, err);
        if (!st) {
            st = env->truncate(env, file, 0, err);
            st = st ? st : env->sync(env, file, err);
            env->close(env, file);
        }
    }
    for (size_t i = 0; i < NUM_DIRS && !st; i++) {
        st = path_of(path, dir, DIRS[i], err);
        st = st ? st : env->sync_dir(env, path, err);
    }
    return st ? st : env->sync_dir(env, dir, err);
}

static enum mlt_status check_length(struct mlt_files *f, enum mlt_files_id id, struct mlt_error *err) {
    uint64_t len;
    uint64_t want = mlt_files_length(id, f->size, f->entries_len, f->payloads_len);
    enum mlt_status st = f->env->size(f->env, f->file[id], &len, err);
    if (!st && len < want) {
        st =
            mlt_fail(err, MLT_CORRUPT, "%s/%s has %llu bytes, %llu entries need %llu (FORMAT.md, Files of a trail)",
                     f->dir, NAMES[id], (unsigned long long)len, (unsigned long long)f->size, (unsigned long long)want);
    }
    return st;
}

static enum mlt_status load_block_base(struct mlt_files *f, struct mlt_error *err) {
    uint8_t base[8];
    f->block_base = f->payloads_len;
    if (f->size % MLT_FILES_BUNDLE == 0) {
        return MLT_OK;
    }
    uint64_t off = f->size / MLT_FILES_BUNDLE * MLT_FILES_BLOCK_LEN;
    enum mlt_status st = mlt_files_read(f, MLT_FILE_PAYLOADS_INDEX, off, base, sizeof(base), err);
    f->block_base = mlt_load_u64be(base);
    if (!st && f->block_base > f->payloads_len) {
        st = mlt_fail(err, MLT_CORRUPT, "%s/%s: block %llu begins beyond the payloads (FORMAT.md, payloads/index)",
                      f->dir, NAMES[MLT_FILE_PAYLOADS_INDEX], (unsigned long long)(f->size / MLT_FILES_BUNDLE));
    }
    return st;
}

static enum mlt_status open_each(struct mlt_files *f, struct mlt_env *env, const char *dir,
                                 const struct mlt_watermark *mark, bool writable, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX];
    memset(f, 0, sizeof(*f));
    f->env = env;
    f->size = mark->size;
    f->entries_len = mark->entries_len;
    f->payloads_len = mark->payloads_len;
    enum mlt_status st = path_of(f->dir, dir, "", err);
    if (!st) {
        f->dir[strlen(f->dir) - 1] = '\0';
    }
    for (unsigned id = 0; id < MLT_NUM_FILES && !st; id++) {
        st = path_of(path, dir, NAMES[id], err);
        st = st ? st : env->open(env, &f->file[id], path, writable ? MLT_OPEN_WRITE : MLT_OPEN_READ, err);
        if (st == MLT_NOTFOUND) {
            st = mlt_fail(err, MLT_CORRUPT, "%s is missing (FORMAT.md, Files of a trail)", path);
            if (err) {
                (void)snprintf(err->file, sizeof(err->file), "%.*s", (int)sizeof(err->file) - 1, path);
            }
        }
    }
    return st;
}

enum mlt_status mlt_files_open(struct mlt_files *f, struct mlt_env *env, const char *dir,
                               const struct mlt_watermark *mark, bool writable, struct mlt_error *err) {
    enum mlt_status st = open_each(f, env, dir, mark, writable, err);
    for (unsigned id = 0; id < MLT_NUM_FILES && !st; id++) {
        st = check_length(f, id, err);
    }
    st = st ? st : load_block_base(f, err);
    if (st) {
        mlt_files_close(f);
    }
    return st;
}

enum mlt_status mlt_files_open_unchecked(struct mlt_files *f, struct mlt_env *env, const char *dir,
                                         const struct mlt_watermark *mark, struct mlt_error *err) {
    enum mlt_status st = open_each(f, env, dir, mark, true, err);
    if (st) {
        mlt_files_close(f);
    } else if (load_block_base(f, NULL) != MLT_OK) {
        f->block_base = 0; // the walk over the payload index says what is wrong with it
    }
    return st;
}

void mlt_files_close(struct mlt_files *f) {
    for (size_t i = 0; i < MLT_NUM_FILES; i++) {
        if (f->file[i]) {
            f->env->close(f->env, f->file[i]);
            f->file[i] = NULL;
        }
    }
    mlt_buf_clear(&f->scratch);
}

static enum mlt_status append(struct mlt_files *f, enum mlt_files_id id, struct mlt_bytes bytes, uint64_t off,
                              struct mlt_error *err) {
    return bytes.len == 0 ? MLT_OK : f->env->write(f->env, f->file[id], bytes.ptr, bytes.len, off, err);
}

static enum mlt_status append_entries_index(struct mlt_files *f, const struct mlt_group *g, struct mlt_error *err) {
    uint64_t index = f->size;
    size_t at = 0;
    struct mlt_bytes entry;
    mlt_buf_reset(&f->scratch);
    for (size_t begin = 0; mlt_group_entry(g, &at, &entry); begin = at, index++) {
        if (index % MLT_FILES_BUNDLE == 0) {
            mlt_buf_put_u64be(&f->scratch, f->entries_len + begin);
        }
    }
    if (f->scratch.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the entry index");
    }
    return append(f, MLT_FILE_ENTRIES_INDEX, mlt_buf_bytes(&f->scratch),
                  mlt_files_length(MLT_FILE_ENTRIES_INDEX, f->size, 0, 0), err);
}

static enum mlt_status append_payloads_index(struct mlt_files *f, const struct mlt_group *g, struct mlt_error *err) {
    uint64_t end = f->payloads_len;
    mlt_buf_reset(&f->scratch);
    for (uint32_t i = 0; i < g->count; i++) {
        if ((f->size + i) % MLT_FILES_BUNDLE == 0) {
            f->block_base = end;
            mlt_buf_put_u64be(&f->scratch, end);
        }
        end += mlt_load_u32be(g->lengths.ptr + (size_t)i * 4);
        mlt_buf_put_u32be(&f->scratch, (uint32_t)(end - f->block_base));
    }
    if (f->scratch.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the payload index");
    }
    return append(f, MLT_FILE_PAYLOADS_INDEX, mlt_buf_bytes(&f->scratch),
                  mlt_files_length(MLT_FILE_PAYLOADS_INDEX, f->size, 0, 0), err);
}

void mlt_files_detail_path(const struct mlt_files *f, char out[static MLT_STORE_PATH_MAX + 80],
                           const uint8_t hash[static MLT_HASH_LEN]) {
    char hex[2 * MLT_HASH_LEN + 1];
    mlt_hex_encode(hex, mlt_bytes_of(hash, MLT_HASH_LEN));
    (void)snprintf(out, MLT_STORE_PATH_MAX + 80, "%s/details/%s", f->dir, hex);
}

// A detail is compared, never overwritten; only recovery may replace what a crash cut short.
static enum mlt_status put_detail(struct mlt_files *f, const struct mlt_detail *d, bool recovering,
                                  struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 80];
    struct mlt_file *file = NULL;
    mlt_files_detail_path(f, path, d->hash);
    enum mlt_status st = f->env->open(f->env, &file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE, err);
    if (st == MLT_CONFLICT) {
        st = mlt_env_read_file(f->env, path, MLT_DETAILS_MAX, &f->scratch, err);
        if (!st && mlt_bytes_equal(mlt_buf_bytes(&f->scratch), d->bytes)) {
            return MLT_OK;
        }
        if (!recovering) {
            return st && st != MLT_LIMIT
                       ? st
                       : mlt_fail(err, MLT_CORRUPT, "%s does not hold what it is named after (FORMAT.md, details)",
                                  path);
        }
        if (st == MLT_NOMEM) {
            return st;
        }
        st = f->env->open(f->env, &file, path, MLT_OPEN_WRITE, err);
        st = st ? st : f->env->truncate(f->env, file, d->bytes.len, err);
    }
    if (!st && d->bytes.len > 0) {
        st = f->env->write(f->env, file, d->bytes.ptr, d->bytes.len, 0, err);
    }
    if (file) {
        f->env->close(f->env, file);
    }
    return st;
}

static enum mlt_status put_details(struct mlt_files *f, const struct mlt_group *g, bool recovering,
                                   struct mlt_error *err) {
    struct mlt_detail detail;
    size_t at = 0;
    enum mlt_status st = MLT_OK;
    while (!st && mlt_group_detail(g, &at, &detail)) {
        st = put_detail(f, &detail, recovering, err);
    }
    return st;
}

enum mlt_status mlt_files_apply(struct mlt_files *f, const struct mlt_group *g, const struct mlt_group_hashes *h,
                                bool recovering, struct mlt_error *err) {
    assert(g->first == f->size);
    enum mlt_status st = put_details(f, g, recovering, err);
    st = st ? st : append(f, MLT_FILE_PAYLOADS, g->payloads, f->payloads_len, err);
    st = st ? st : append_payloads_index(f, g, err);
    st = st ? st : append(f, MLT_FILE_SLOTS, g->slots, f->size * MLT_WRAPPED_LEN, err);
    st = st ? st : append(f, MLT_FILE_ENTRIES, g->entries, f->entries_len, err);
    st = st ? st : append_entries_index(f, g, err);
    for (unsigned level = 0; level < MLT_TILE_LEVELS && !st; level++) {
        enum mlt_files_id id = MLT_FILE_HASH + level;
        st = append(f, id, mlt_buf_bytes(&h->level[level]), mlt_files_length(id, f->size, 0, 0), err);
    }
    if (!st) {
        f->size += g->count;
        f->entries_len += g->entries.len;
        f->payloads_len += g->payloads.len;
    }
    return st;
}

enum mlt_status mlt_files_sync(struct mlt_files *f, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (unsigned id = 0; id < MLT_NUM_FILES && !st; id++) {
        st = f->env->sync(f->env, f->file[id], err);
    }
    return st;
}

enum mlt_status mlt_files_sync_details(struct mlt_files *f, struct mlt_bytes hashes, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 80];
    enum mlt_status st = MLT_OK;
    for (size_t at = 0; at < hashes.len && !st; at += MLT_HASH_LEN) {
        struct mlt_file *file;
        mlt_files_detail_path(f, path, hashes.ptr + at);
        st = f->env->open(f->env, &file, path, MLT_OPEN_WRITE, err);
        if (!st) {
            st = f->env->sync(f->env, file, err);
            f->env->close(f->env, file);
        }
    }
    if (!st && hashes.len > 0) {
        (void)snprintf(path, sizeof(path), "%s/details", f->dir);
        st = f->env->sync_dir(f->env, path, err);
    }
    return st;
}

enum mlt_status mlt_files_trim(struct mlt_files *f, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (unsigned id = 0; id < MLT_NUM_FILES && !st; id++) {
        uint64_t len;
        uint64_t want = mlt_files_length(id, f->size, f->entries_len, f->payloads_len);
        st = f->env->size(f->env, f->file[id], &len, err);
        if (!st && len > want) {
            st = f->env->truncate(f->env, f->file[id], want, err);
        }
        st = st ? st : f->env->sync(f->env, f->file[id], err);
        st = st ? st : f->env->drop_cache(f->env, f->file[id], 0, 0, err);
    }
    return st;
}

enum mlt_status mlt_files_erase_slot(struct mlt_files *f, uint64_t index, struct mlt_error *err) {
    uint8_t erased[MLT_WRAPPED_LEN];
    memset(erased, 0xff, sizeof(erased));
    return f->env->write(f->env, f->file[MLT_FILE_SLOTS], erased, sizeof(erased), index * MLT_WRAPPED_LEN, err);
}
