#include "base/env.h"

#include <stdio.h>

enum mlt_status mlt_env_read_file(struct mlt_env *env, const char *path, size_t max, struct mlt_buf *out,
                                  struct mlt_error *err) {
    struct mlt_file *file = NULL;
    uint64_t size = 0;
    size_t got = 0;
    enum mlt_status st = env->open(env, &file, path, MLT_OPEN_READ, err);
    if (st) {
        return st;
    }
    mlt_buf_reset(out);
    st = env->size(env, file, &size, err);
    if (st) {
        goto out;
    }
    if (size > max) {
        st =
            mlt_fail(err, MLT_LIMIT, "%s has %llu bytes, at most %zu are allowed", path, (unsigned long long)size, max);
        goto out;
    }
    if (!mlt_buf_reserve(out, (size_t)size + 1)) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for the %llu bytes of %s", (unsigned long long)size, path);
        goto out;
    }
    st = env->read(env, file, out->data, (size_t)size, 0, &got, err);
    if (!st) {
        out->len = got;
    }
out:
    env->close(env, file);
    return st;
}

// The directory part of `path`, "." when it has none.
static enum mlt_status directory_of(struct mlt_buf *out, const char *path, struct mlt_error *err) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--; // "a/b/" lies in "a"
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    mlt_buf_put(out, len > 0 ? path : ".", len > 0 ? len : 1);
    return mlt_buf_cstr(out) ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for a path");
}

static enum mlt_status write_new_file(struct mlt_env *env, const char *path, struct mlt_bytes content,
                                      bool private_file, struct mlt_error *err) {
    struct mlt_file *file = NULL;
    unsigned flags = MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE;
    if (private_file) {
        flags |= MLT_OPEN_PRIVATE;
    }
    // What an earlier crash left under this name may be longer than what comes now, or readable by others.
    enum mlt_status st = env->unlink(env, path, err);
    if (st && st != MLT_NOTFOUND) {
        return st;
    }
    mlt_error_clear(err);
    st = env->open(env, &file, path, flags, err);
    if (st) {
        return st;
    }
    if (content.len > 0) {
        st = env->write(env, file, content.ptr, content.len, 0, err);
    }
    if (!st) {
        st = env->sync(env, file, err);
    }
    env->close(env, file);
    return st;
}

enum mlt_status mlt_env_replace_file(struct mlt_env *env, const char *path, struct mlt_bytes content, bool private_file,
                                     struct mlt_error *err) {
    struct mlt_buf temporary = {0};
    struct mlt_buf directory = {0};
    enum mlt_status st = directory_of(&directory, path, err);
    if (st) {
        goto out;
    }
    mlt_buf_printf(&temporary, "%s.tmp", path);
    if (!mlt_buf_cstr(&temporary)) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for a path");
        goto out;
    }
    const char *temporary_path = (const char *)temporary.data;
    st = write_new_file(env, temporary_path, content, private_file, err);
    if (st) {
        (void)env->unlink(env, temporary_path, NULL);
        goto out;
    }
    st = env->rename(env, temporary_path, path, err);
    if (!st) {
        st = env->sync_dir(env, (const char *)directory.data, err);
    }
out:
    mlt_buf_clear(&temporary);
    mlt_buf_clear(&directory);
    return st;
}

enum mlt_status mlt_env_overwrite(struct mlt_env *env, struct mlt_file *file, struct mlt_error *err) {
    static const uint8_t zeros[4096];
    uint64_t len = 0;
    enum mlt_status st = env->size(env, file, &len, err);
    for (uint64_t at = 0; at < len && !st; at += sizeof(zeros)) {
        size_t n = len - at < sizeof(zeros) ? (size_t)(len - at) : sizeof(zeros);
        st = env->write(env, file, zeros, n, at, err);
    }
    return st ? st : env->sync(env, file, err);
}

enum mlt_status mlt_env_make_dir(struct mlt_env *env, const char *path, bool private_dir, struct mlt_error *err) {
    struct mlt_buf parent = {0};
    enum mlt_status st = env->mkdir(env, path, private_dir, err);
    if (st == MLT_CONFLICT) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    st = st ? st : directory_of(&parent, path, err);
    st = st ? st : env->sync_dir(env, (const char *)parent.data, err);
    mlt_buf_clear(&parent);
    return st;
}
