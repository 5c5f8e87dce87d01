// Reading a trail: everything comes from the files, bounded by the size acknowledged last.
#include <stdio.h>

#include "trail/trail_private.h"

const char *mlt_trail_origin(const struct mlt_trail *t) {
    return t->meta.origin;
}

const struct mlt_vkey *mlt_trail_vkey(const struct mlt_trail *t) {
    return &t->vkey;
}

const struct mlt_key_chain *mlt_trail_chain(const struct mlt_trail *t) {
    return &t->meta.chain;
}

const struct mlt_record_keys *mlt_trail_keys(const struct mlt_trail *t) {
    return &t->state.keys;
}

bool mlt_trail_is_raw(const struct mlt_trail *t) {
    return t->meta.raw;
}

bool mlt_trail_is_public(const struct mlt_trail *t) {
    return t->meta.public_entries;
}

struct mlt_env *mlt_trail_env(const struct mlt_trail *t) {
    return t->env;
}

const char *mlt_trail_dir(const struct mlt_trail *t) {
    return t->dir;
}

const char *mlt_trail_state_dir(const struct mlt_trail *t) {
    return t->state_dir;
}

void mlt_trail_head(struct mlt_trail *t, struct mlt_head *out) {
    pthread_mutex_lock(&t->mu);
    *out = t->head;
    pthread_mutex_unlock(&t->mu);
}

// What is applied is durable and has its head in <state>: an index may read it before the callbacks ran.
static enum mlt_status check_range(struct mlt_trail *t, uint64_t first, uint64_t count, struct mlt_error *err) {
    struct mlt_watermark mark;
    mlt_store_mark(t->store, &mark);
    if (first >= mark.size || count > mark.size - first) {
        return mlt_fail(err, MLT_NOTFOUND, "there is no entry %llu: the trail has %llu",
                        (unsigned long long)(first + (count ? count - 1 : 0)), (unsigned long long)mark.size);
    }
    return MLT_OK;
}

enum mlt_status mlt_trail_meta(struct mlt_trail *t, struct mlt_buf *text, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    (void)snprintf(path, sizeof(path), "%s/trail.json", t->dir);
    return mlt_env_read_file(t->env, path, MLT_META_LEN_MAX, text, err);
}

enum mlt_status mlt_trail_checkpoint(struct mlt_trail *t, struct mlt_buf *note, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    (void)snprintf(path, sizeof(path), "%s/checkpoint", t->dir);
    return mlt_env_read_file(t->env, path, MLT_NOTE_MAX, note, err);
}

enum mlt_status mlt_trail_sign_at(struct mlt_trail *t, uint64_t size, struct mlt_head *out, struct mlt_error *err) {
    uint8_t root[MLT_HASH_LEN];
    struct mlt_hash_source src = mlt_trail_hashes(t);
    enum mlt_status st = size == 0 ? MLT_OK : check_range(t, 0, size, err);
    st = st ? st : mlt_merkle_root(&src, size, root, err);
    return st ? st : mlt_trail_sign(t, out, size, root, 0, err);
}

enum mlt_status mlt_trail_entry(struct mlt_trail *t, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *entry,
                                struct mlt_error *err) {
    enum mlt_status st = check_range(t, index, 1, err);
    return st ? st : mlt_files_entry(mlt_store_files(t->store), index, arena, entry, err);
}

enum mlt_status mlt_trail_entries(struct mlt_trail *t, uint64_t first, size_t count, struct mlt_buf *out,
                                  struct mlt_error *err) {
    if (count == 0) {
        return MLT_OK;
    }
    enum mlt_status st = check_range(t, first, count, err);
    return st ? st : mlt_files_entries(mlt_store_files(t->store), first, count, out, err);
}

enum mlt_status mlt_trail_sealed(struct mlt_trail *t, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *sealed,
                                 uint8_t wrapped[static MLT_WRAPPED_LEN], bool *erased, struct mlt_error *err) {
    *erased = false;
    *sealed = mlt_bytes_of(NULL, 0);
    enum mlt_status st = check_range(t, index, 1, err);
    st = st ? st : mlt_files_sealed(mlt_store_files(t->store), index, arena, sealed, wrapped, err);
    if (st) {
        return st;
    }
    *erased = mlt_bytes_all(mlt_bytes_of(wrapped, MLT_WRAPPED_LEN), 0xff);
    if (*erased) {
        return mlt_fail(err, MLT_NOTFOUND, "the payload of entry %llu was erased", (unsigned long long)index);
    }
    if (sealed->len == 0) {
        return mlt_fail(err, MLT_NOTFOUND, "entry %llu has no payload", (unsigned long long)index);
    }
    return MLT_OK;
}

enum mlt_status mlt_trail_detail(struct mlt_trail *t, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                 struct mlt_bytes *bytes, struct mlt_error *err) {
    return mlt_files_detail(mlt_store_files(t->store), hash, arena, bytes, err);
}

struct mlt_hash_source mlt_trail_hashes(struct mlt_trail *t) {
    return mlt_files_hashes(mlt_store_files(t->store));
}

void mlt_trail_get_stats(struct mlt_trail *t, struct mlt_trail_stats *out) {
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&t->mu);
    out->size = t->head.size;
    out->published_size = t->published ? t->published_size : 0;
    out->groups = t->num_groups;
    out->queued_bytes = t->queued_bytes;
    out->last_group_ns = t->last_group_ns;
    pthread_mutex_unlock(&t->mu);
    out->journal_syncs = mlt_store_syncs(t->store);
    enum mlt_status below_reserve = mlt_store_space(t->store, &out->free_bytes, NULL);
    (void)below_reserve; // an answer as well
}
