// Reading entries, payloads, details and hashes back. Every length comes from disk and is checked before it is used.
#include <stdio.h>

#include "store/files.h"

// Entries are a few hundred bytes: a step of this length passes about a hundred of them.
#define WALK_CHUNK ((size_t)64 << 10)
#define WALK_BUFFER (WALK_CHUNK + 2 + MLT_ENTRY_MAX)

enum mlt_status mlt_files_read(const struct mlt_files *f, enum mlt_files_id id, uint64_t off, void *out, size_t len,
                               struct mlt_error *err) {
    size_t got = 0;
    enum mlt_status st = f->env->read(f->env, f->file[id], out, len, off, &got, err);
    if (!st && got < len) {
        st = mlt_fail(err, MLT_CORRUPT, "%s/%s ends at %llu, before %llu (FORMAT.md, Files of a trail)", f->dir,
                      mlt_files_name(id), (unsigned long long)(off + got), (unsigned long long)(off + len));
        if (err) {
            err->has_offset = true;
            err->offset = off + got;
        }
    }
    return st;
}

enum mlt_status mlt_files_bundle_offset(const struct mlt_files *f, uint64_t bundle, uint64_t *out,
                                        struct mlt_error *err) {
    uint8_t raw[8];
    enum mlt_status st = mlt_files_read(f, MLT_FILE_ENTRIES_INDEX, bundle * 8, raw, sizeof(raw), err);
    *out = st ? 0 : mlt_load_u64be(raw);
    if (*out > MLT_FILES_LEN_MAX) {
        st = mlt_fail(err, MLT_CORRUPT, "%s/entries.idx: bundle %llu begins at %llu (FORMAT.md, entries.idx)", f->dir,
                      (unsigned long long)bundle, (unsigned long long)*out);
    }
    return st;
}

static enum mlt_status torn_entry(const struct mlt_files *f, uint64_t index, struct mlt_error *err) {
    return mlt_fail(err, MLT_CORRUPT,
                    "%s/entries.dat: entry %llu runs beyond the end of the file (FORMAT.md, entries.dat)", f->dir,
                    (unsigned long long)index);
}

// Finds where entry `index` begins, by stepping through its bundle in chunks.
static enum mlt_status locate(const struct mlt_files *f, uint64_t index, struct mlt_arena *arena, uint64_t *out,
                              struct mlt_error *err) {
    uint64_t at;
    uint64_t left = index % MLT_FILES_BUNDLE;
    enum mlt_status st = mlt_files_bundle_offset(f, index / MLT_FILES_BUNDLE, &at, err);
    uint8_t *chunk = left && !st ? mlt_arena_take(arena, WALK_CHUNK) : NULL;
    if (left && !st && !chunk) {
        st = mlt_fail(err, MLT_NOMEM, "no memory to find entry %llu", (unsigned long long)index);
    }
    while (left > 0 && !st) {
        size_t got;
        size_t pos = 0;
        st = f->env->read(f->env, f->file[MLT_FILE_ENTRIES], chunk, WALK_CHUNK, at, &got, err);
        if (!st && got < 2) {
            st = torn_entry(f, index, err);
        }
        while (!st && left > 0 && pos + 2 <= got) {
            pos += 2 + (size_t)mlt_load_u16be(chunk + pos);
            left--;
        }
        at += pos;
    }
    *out = at;
    return st;
}

enum mlt_status mlt_files_entry(const struct mlt_files *f, uint64_t index, struct mlt_arena *arena,
                                struct mlt_bytes *out, struct mlt_error *err) {
    uint64_t at;
    uint8_t raw[2];
    *out = mlt_bytes_of(NULL, 0);
    enum mlt_status st = locate(f, index, arena, &at, err);
    st = st ? st : mlt_files_read(f, MLT_FILE_ENTRIES, at, raw, sizeof(raw), err);
    if (st) {
        return st;
    }
    size_t len = mlt_load_u16be(raw);
    uint8_t *bytes = mlt_arena_take(arena, len + 1);
    if (!bytes) {
        return mlt_fail(err, MLT_NOMEM, "no memory for entry %llu", (unsigned long long)index);
    }
    st = mlt_files_read(f, MLT_FILE_ENTRIES, at + 2, bytes, len, err);
    if (!st) {
        *out = mlt_bytes_of(bytes, len);
    }
    return st;
}

enum mlt_status mlt_files_entries(const struct mlt_files *f, uint64_t first, uint64_t count, struct mlt_buf *out,
                                  struct mlt_error *err) {
    struct mlt_arena arena = {0};
    uint64_t at;
    enum mlt_status st = locate(f, first, &arena, &at, err);
    mlt_arena_clear(&arena);
    while (count > 0 && !st) {
        size_t got;
        size_t pos = 0;
        if (!mlt_buf_reserve(out, WALK_BUFFER)) {
            return mlt_fail(err, MLT_NOMEM, "no memory for entries");
        }
        uint8_t *p = out->data + out->len;
        st = f->env->read(f->env, f->file[MLT_FILE_ENTRIES], p, WALK_BUFFER, at, &got, err);
        while (!st && count > 0 && got - pos >= 2 && got - pos - 2 >= mlt_load_u16be(p + pos)) {
            pos += 2 + (size_t)mlt_load_u16be(p + pos);
            count--;
            first++;
        }
        if (!st && pos == 0) {
            st = torn_entry(f, first, err);
        }
        out->len += pos;
        at += pos;
    }
    return st;
}

enum mlt_status mlt_files_payload_range(const struct mlt_files *f, uint64_t index, uint64_t *off, uint64_t *len,
                                        struct mlt_error *err) {
    uint8_t base[8];
    uint8_t ends[8] = {0};
    uint64_t block = index / MLT_FILES_BUNDLE * MLT_FILES_BLOCK_LEN;
    uint64_t within = index % MLT_FILES_BUNDLE;
    *off = *len = 0;
    enum mlt_status st = mlt_files_read(f, MLT_FILE_PAYLOADS_INDEX, block, base, sizeof(base), err);
    if (!st && within == 0) {
        st = mlt_files_read(f, MLT_FILE_PAYLOADS_INDEX, block + 8, ends + 4, 4, err);
    } else if (!st) {
        st = mlt_files_read(f, MLT_FILE_PAYLOADS_INDEX, block + 8 + 4 * (within - 1), ends, 8, err);
    }
    if (st) {
        return st;
    }
    uint32_t begin = mlt_load_u32be(ends);
    uint32_t end = mlt_load_u32be(ends + 4);
    if (end < begin || end - begin > MLT_PAYLOAD_MAX + MLT_SEAL_TAG_LEN || mlt_load_u64be(base) > MLT_FILES_LEN_MAX) {
        return mlt_fail(err, MLT_CORRUPT,
                        "%s/payloads/index: entry %llu has its payload at %u to %u (FORMAT.md, "
                        "payloads/index)",
                        f->dir, (unsigned long long)index, begin, end);
    }
    *off = mlt_load_u64be(base) + begin;
    *len = end - begin;
    return MLT_OK;
}

enum mlt_status mlt_files_sealed(const struct mlt_files *f, uint64_t index, struct mlt_arena *arena,
                                 struct mlt_bytes *sealed, uint8_t slot[static MLT_WRAPPED_LEN],
                                 struct mlt_error *err) {
    uint64_t off;
    uint64_t len;
    *sealed = mlt_bytes_of(NULL, 0);
    enum mlt_status st = mlt_files_read(f, MLT_FILE_SLOTS, index * MLT_WRAPPED_LEN, slot, MLT_WRAPPED_LEN, err);
    st = st ? st : mlt_files_payload_range(f, index, &off, &len, err);
    if (st || len == 0) {
        return st;
    }
    uint8_t *bytes = mlt_arena_take(arena, (size_t)len);
    if (!bytes) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the payload of entry %llu", (unsigned long long)index);
    }
    st = mlt_files_read(f, MLT_FILE_PAYLOADS, off, bytes, (size_t)len, err);
    if (!st) {
        *sealed = mlt_bytes_of(bytes, (size_t)len);
    }
    return st;
}

enum mlt_status mlt_files_detail(const struct mlt_files *f, const uint8_t hash[static MLT_HASH_LEN],
                                 struct mlt_arena *arena, struct mlt_bytes *out, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 80];
    uint8_t actual[MLT_HASH_LEN];
    struct mlt_buf content = {0};
    *out = mlt_bytes_of(NULL, 0);
    mlt_files_detail_path(f, path, hash);
    enum mlt_status st = mlt_env_read_file(f->env, path, MLT_DETAILS_MAX, &content, err);
    if (st) {
        goto out;
    }
    mlt_sha256_one(actual, mlt_buf_bytes(&content));
    if (memcmp(actual, hash, MLT_HASH_LEN) != 0) {
        st = mlt_fail(err, MLT_CORRUPT, "%s does not hold what it is named after (FORMAT.md, details)", path);
        goto out;
    }
    *out = mlt_arena_copy(arena, mlt_buf_bytes(&content));
    if (!out->ptr && content.len > 0) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for a detail of %zu bytes", content.len);
    }
out:
    mlt_buf_clear(&content);
    return st;
}

static enum mlt_status read_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    const struct mlt_files *f = ctx;
    if (level >= MLT_TILE_LEVELS) {
        return mlt_fail(err, MLT_NOTFOUND, "there is no tile level %u", level);
    }
    return mlt_files_read(f, MLT_FILE_HASH + level, first * MLT_HASH_LEN, out, count * MLT_HASH_LEN, err);
}

struct mlt_hash_source mlt_files_hashes(const struct mlt_files *f) {
    return (struct mlt_hash_source){(void *)(uintptr_t)f, read_hashes};
}
