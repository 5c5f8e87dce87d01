#include "mlflow/manifest.h"

#include <stdlib.h>

bool mlt_manifest_is_under(struct mlt_bytes path, struct mlt_bytes folder) {
    return path.len >= folder.len && (folder.len == 0 || memcmp(path.ptr, folder.ptr, folder.len) == 0) &&
           (path.len == folder.len || path.ptr[folder.len] == '/');
}

bool mlt_manifest_in_oms(struct mlt_bytes path) {
    static const char *const left_out[] = {".git", ".github", ".gitattributes", ".gitignore"};
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (mlt_manifest_is_under(path, mlt_str(left_out[i]))) {
            return false;
        }
    }
    return true;
}

enum mlt_status mlt_manifest_room(const struct mlt_manifest *m, uint64_t size, struct mlt_error *err) {
    return m->bytes_max == 0 || size <= m->bytes_max - m->bytes
               ? MLT_OK
               : mlt_fail(err, MLT_LIMIT, "the model has more than %llu bytes; allow more with --max-bytes",
                          (unsigned long long)m->bytes_max);
}

static enum mlt_status check_name(struct mlt_bytes path, struct mlt_error *err) {
    if (!mlt_utf8_valid(path) || memchr(path.ptr, '\0', path.len)) {
        return mlt_fail(err, MLT_INVALID, "%.*s: the name is no UTF-8, which a manifest cannot hold: rename it",
                        MLT_ARG(path));
    }
    if (memchr(path.ptr, '\n', path.len)) {
        return mlt_fail(err, MLT_INVALID, "%.*s: the name has a line break, which dirHash cannot express: rename it",
                        MLT_ARG(path));
    }
    return MLT_OK;
}

static enum mlt_status grow(struct mlt_manifest *m, struct mlt_error *err) {
    size_t max = m->files_max ? m->files_max : MLT_MANIFEST_FILES_MAX, cap = m->cap ? 2 * m->cap : 64;
    if (m->num == max) {
        return mlt_fail(err, MLT_LIMIT, "the model has more than %zu files", max);
    }
    if (m->num < m->cap) {
        return MLT_OK;
    }
    struct mlt_manifest_file *files = realloc(m->files, cap * sizeof *files);
    if (!files) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the names of %zu files", cap);
    }
    m->files = files;
    m->cap = cap;
    return MLT_OK;
}

enum mlt_status mlt_manifest_add(struct mlt_manifest *m, struct mlt_bytes path, const uint8_t sha256[MLT_HASH_LEN],
                                 uint64_t size, struct mlt_error *err) {
    enum mlt_status status = check_name(path, err);
    status = status ? status : mlt_manifest_room(m, size, err);
    status = status ? status : grow(m, err);
    if (status) {
        return status;
    }
    const char *kept = mlt_arena_cstr(&m->arena, path);
    if (!kept) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a name");
    }
    struct mlt_manifest_file *f = &m->files[m->num++];
    *f = (struct mlt_manifest_file){
        .path = mlt_bytes_of(kept, path.len), .size = size, .in_oms = mlt_manifest_in_oms(path)};
    memcpy(f->sha256, sha256, MLT_HASH_LEN);
    m->bytes += size;
    return MLT_OK;
}

void mlt_manifest_clear(struct mlt_manifest *m) {
    free(m->files);
    mlt_arena_clear(&m->arena);
    *m = (struct mlt_manifest){0};
}

// -- digests ----------------------------------------------------------------------------------------------------------

// Component by component: as if '/' came before every other byte. No name holds a NUL. UTF-8 sorts as its code points.
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

void mlt_manifest_sort_by_name(struct mlt_manifest *m) {
    qsort(m->files, m->num, sizeof *m->files, by_bytes);
}

static enum mlt_status make_dir_hash(struct mlt_manifest *m, struct mlt_sha256_stream *stream,
                                     uint8_t out[static MLT_HASH_LEN], struct mlt_error *err) {
    struct mlt_buf line = {0};
    mlt_manifest_sort_by_name(m);
    for (size_t i = 0; i < m->num && !line.failed; i++) {
        mlt_buf_reset(&line);
        mlt_buf_put_hex(&line, mlt_bytes_of(m->files[i].sha256, MLT_HASH_LEN));
        mlt_buf_put_str(&line, "  ");
        mlt_buf_put_bytes(&line, m->files[i].path);
        mlt_buf_put_u8(&line, '\n');
        mlt_sha256_stream_add(stream, line.data, line.len);
    }
    mlt_sha256_stream_end(stream, out);
    bool failed = line.failed;
    mlt_buf_clear(&line);
    return failed ? mlt_fail(err, MLT_NOMEM, "no memory for a line") : MLT_OK;
}

enum mlt_status mlt_manifest_roots(struct mlt_manifest *m, uint8_t oms[static MLT_HASH_LEN],
                                   uint8_t dir_hash[static MLT_HASH_LEN], struct mlt_error *err) {
    struct mlt_sha256_stream *stream = mlt_sha256_stream_new();
    if (!stream) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a digest");
    }
    enum mlt_status status = make_dir_hash(m, stream, dir_hash, err);
    qsort(m->files, m->num, sizeof *m->files, by_components);
    for (size_t i = 0; i < m->num; i++) {
        if (m->files[i].in_oms) {
            mlt_sha256_stream_add(stream, m->files[i].sha256, MLT_HASH_LEN);
        }
    }
    mlt_sha256_stream_end(stream, oms);
    mlt_sha256_stream_free(stream);
    return status;
}

void mlt_manifest_put_hash(struct mlt_manifest *m, struct mlt_json_writer *w) {
    uint8_t oms[MLT_HASH_LEN], dir_hash[MLT_HASH_LEN];
    if (mlt_manifest_roots(m, oms, dir_hash, NULL) != MLT_OK) {
        w->out->failed = true;
        return;
    }
    mlt_jw_object(w);
    mlt_jw_name(w, "oms");
    mlt_jw_hex(w, mlt_bytes_of(oms, sizeof oms));
    mlt_jw_name(w, "dirHash");
    mlt_jw_hex(w, mlt_bytes_of(dir_hash, sizeof dir_hash));
    mlt_jw_end_object(w);
}

void mlt_manifest_put_files(const struct mlt_manifest *m, bool sizes, struct mlt_json_writer *w) {
    mlt_jw_array(w);
    for (size_t i = 0; i < m->num; i++) {
        if (m->files[i].in_oms) {
            mlt_jw_object(w);
            mlt_jw_member_bytes(w, "name", m->files[i].path);
            mlt_jw_member(w, "algorithm", "sha256");
            mlt_jw_name(w, "digest");
            mlt_jw_hex(w, mlt_bytes_of(m->files[i].sha256, MLT_HASH_LEN));
            if (sizes) {
                mlt_jw_member_u64(w, "size", m->files[i].size);
            }
            mlt_jw_end_object(w);
        }
    }
    mlt_jw_end_array(w);
}
