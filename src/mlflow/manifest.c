#include "mlflow/manifest.h"

#include <stdlib.h>

enum mlt_status mlt_manifest_add(struct mlt_manifest *m, struct mlt_bytes path, const uint8_t sha256[MLT_HASH_LEN],
                                 uint64_t size, struct mlt_error *err) {
    if (m->num == MLT_MANIFEST_FILES_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the model has more than %d files", MLT_MANIFEST_FILES_MAX);
    }
    if (m->num == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 64;
        struct mlt_manifest_file *files = realloc(m->files, cap * sizeof *files);
        if (!files) {
            return mlt_fail(err, MLT_NOMEM, "out of memory");
        }
        m->files = files;
        m->cap = cap;
    }
    struct mlt_manifest_file *f = &m->files[m->num];
    f->path = mlt_arena_copy(&m->arena, path);
    if (!f->path.ptr) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    memcpy(f->sha256, sha256, MLT_HASH_LEN);
    f->size = size;
    m->num++;
    m->bytes += size;
    return MLT_OK;
}

void mlt_manifest_clear(struct mlt_manifest *m) {
    free(m->files);
    mlt_arena_clear(&m->arena);
    *m = (struct mlt_manifest){0};
}

// Names of directories compare as wholes, so that "a/b" stands before "a.txt": a slash sorts before every byte.
static int by_components(const void *a, const void *b) {
    struct mlt_bytes x = ((const struct mlt_manifest_file *)a)->path, y = ((const struct mlt_manifest_file *)b)->path;
    size_t len = x.len < y.len ? x.len : y.len;
    for (size_t i = 0; i < len; i++) {
        if (x.ptr[i] != y.ptr[i]) {
            return x.ptr[i] == '/' ? -1 : y.ptr[i] == '/' ? 1 : (int)x.ptr[i] - (int)y.ptr[i];
        }
    }
    return x.len < y.len ? -1 : x.len > y.len ? 1 : 0;
}

static int by_bytes(const void *a, const void *b) {
    return mlt_bytes_compare(((const struct mlt_manifest_file *)a)->path, ((const struct mlt_manifest_file *)b)->path);
}

static void put_sha256(struct mlt_json_writer *w, const char *name, struct mlt_bytes text) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, text);
    mlt_jw_name(w, name);
    mlt_jw_hex(w, mlt_bytes_of(hash, sizeof hash));
}

// Both digests are over a text of at most a hundred thousand short lines, which is put together first.
void mlt_manifest_put_hash(struct mlt_manifest *m, struct mlt_json_writer *w) {
    struct mlt_buf roots = {0}, lines = {0};
    qsort(m->files, m->num, sizeof *m->files, by_bytes);
    for (size_t i = 0; i < m->num; i++) {
        mlt_buf_put_hex(&lines, mlt_bytes_of(m->files[i].sha256, MLT_HASH_LEN));
        mlt_buf_put_str(&lines, "  ");
        mlt_buf_put_bytes(&lines, m->files[i].path);
        mlt_buf_put_u8(&lines, '\n');
    }
    qsort(m->files, m->num, sizeof *m->files, by_components);
    for (size_t i = 0; i < m->num; i++) {
        mlt_buf_put(&roots, m->files[i].sha256, MLT_HASH_LEN);
    }
    w->out->failed = w->out->failed || roots.failed || lines.failed;
    mlt_jw_object(w);
    put_sha256(w, "oms", mlt_buf_bytes(&roots));
    put_sha256(w, "dirHash", mlt_buf_bytes(&lines));
    mlt_jw_end_object(w);
    mlt_buf_clear(&roots);
    mlt_buf_clear(&lines);
}

void mlt_manifest_put_files(struct mlt_manifest *m, struct mlt_json_writer *w) {
    qsort(m->files, m->num, sizeof *m->files, by_components);
    mlt_jw_array(w);
    for (size_t i = 0; i < m->num; i++) {
        mlt_jw_object(w);
        mlt_jw_member_bytes(w, "name", m->files[i].path);
        mlt_jw_member(w, "algorithm", "sha256");
        mlt_jw_name(w, "digest");
        mlt_jw_hex(w, mlt_bytes_of(m->files[i].sha256, MLT_HASH_LEN));
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}
