#include "mlflow/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE (1u << 20) // large enough for the disk, small enough for the cache

// -- finding the files ------------------------------------------------------------------------------------------------

struct walk {
    const char *top;
    const struct mlt_folder_options *opt;
    struct mlt_manifest *out;
    struct mlt_buf path; // of what is looked at, below `top`
    struct mlt_error *err;
};

static enum mlt_status fail_errno(struct walk *w, int reason, const char *what) {
    return mlt_fail_errno(w->err, reason, w->top, "%s/%.*s: cannot be %s", w->top, MLT_ARG(mlt_buf_bytes(&w->path)),
                          what);
}

static enum mlt_status add_file(struct walk *w, struct mlt_bytes path, const struct stat *st) {
    static const uint8_t not_yet[MLT_HASH_LEN];
    enum mlt_status status = mlt_manifest_add(w->out, path, not_yet, (uint64_t)st->st_size, w->err);
    return status ? mlt_context(w->err, status, "%s", w->top) : MLT_OK;
}

static bool left_out(const struct walk *w) {
    for (size_t i = 0; i < w->opt->num_ignored; i++) {
        if (mlt_manifest_is_under(mlt_buf_bytes(&w->path), mlt_str(w->opt->ignored[i]))) {
            return true;
        }
    }
    return false;
}

static enum mlt_status walk_folder(struct walk *w, int folder, unsigned depth);

static enum mlt_status walk_into(struct walk *w, int folder, const char *name, unsigned depth) {
    if (depth == MLT_FOLDER_DEPTH_MAX) {
        return mlt_fail(w->err, MLT_LIMIT, "%s/%.*s: folders are more than %d deep", w->top,
                        MLT_ARG(mlt_buf_bytes(&w->path)), MLT_FOLDER_DEPTH_MAX);
    }
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return inner < 0 ? fail_errno(w, errno, "opened") : walk_folder(w, inner, depth + 1);
}

static enum mlt_status walk_entry(struct walk *w, int folder, const char *name, unsigned depth) {
    const struct stat *own = w->opt->own;
    const char *advice = w->opt->advice ? w->opt->advice : "";
    struct mlt_bytes path = mlt_buf_bytes(&w->path);
    struct stat st;
    if (left_out(w)) {
        return MLT_OK;
    }
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(w, errno, "looked at");
    }
    if (own && st.st_dev == own->st_dev && st.st_ino == own->st_ino) {
        return MLT_OK;
    }
    if (S_ISLNK(st.st_mode)) {
        return mlt_fail(w->err, MLT_INVALID,
                        "%s/%.*s is a symbolic link, and what it points to can change without any file here changing%s",
                        w->top, MLT_ARG(path), advice);
    }
    if (S_ISDIR(st.st_mode)) {
        return walk_into(w, folder, name, depth);
    }
    return S_ISREG(st.st_mode) ? add_file(w, path, &st)
                               : mlt_fail(w->err, MLT_INVALID, "%s/%.*s is neither a file nor a folder%s", w->top,
                                          MLT_ARG(path), advice);
}

// walk_folder takes the descriptor and closes it. A part of a folder has no digest: it would pass for the model's.
static enum mlt_status walk_folder(struct walk *w, int folder, unsigned depth) {
    const size_t len = w->path.len;
    DIR *dir = fdopendir(folder);
    if (!dir) {
        int reason = errno;
        (void)close(folder);
        return fail_errno(w, reason, "listed");
    }
    enum mlt_status status = MLT_OK;
    while (!status) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            status = errno ? fail_errno(w, errno, "listed") : MLT_OK;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            mlt_buf_put_str(&w->path, len > 0 ? "/" : "");
            mlt_buf_put_str(&w->path, entry->d_name);
            status = w->path.failed ? mlt_fail(w->err, MLT_NOMEM, "no memory for a name")
                                    : walk_entry(w, dirfd(dir), entry->d_name, depth);
            w->path.len = len;
        }
    }
    (void)closedir(dir);
    return status;
}

static enum mlt_status find_files(struct walk *w) {
    struct stat st;
    if (lstat(w->top, &st) != 0) {
        return mlt_fail_errno(w->err, errno, w->top, "%s: cannot be looked at", w->top);
    }
    if (S_ISREG(st.st_mode)) {
        return add_file(w, mlt_str("."), &st); // as Model Signing names a single file
    }
    // The model itself may be reached through a link: its name is no part of any digest.
    int folder = open(w->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return errno == ENOTDIR ? mlt_fail(w->err, MLT_INVALID, "%s is neither a file nor a folder", w->top)
                                : mlt_fail_errno(w->err, errno, w->top, "%s: cannot be opened", w->top);
    }
    enum mlt_status status = walk_folder(w, folder, 0);
    if (!status && w->out->num == 0) {
        status = mlt_fail(w->err, MLT_INVALID, "%s holds no files: nothing to hash", w->top);
    }
    return status;
}

// -- hashing them -----------------------------------------------------------------------------------------------------

struct reader {
    struct walk *walk;
    struct mlt_sha256_stream *stream;
    uint8_t *block;
    uint64_t done;
};

static void tell(struct reader *r) {
    const struct mlt_folder_options *opt = r->walk->opt;
    if (opt->progress) {
        opt->progress(opt->progress_arg, r->done, r->walk->out->bytes);
    }
}

static bool unchanged(const struct stat *before, const struct stat *after, uint64_t found, uint64_t read) {
    return S_ISREG(before->st_mode) && found == read && (uint64_t)before->st_size == read &&
           (uint64_t)after->st_size == read && before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
           before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

// No more is read than was found: one that grows has changed.
static enum mlt_status read_all(struct reader *r, int fd, struct mlt_manifest_file *file, const char *full) {
    struct stat before, after;
    uint64_t read_bytes = 0;
    ssize_t n = fstat(fd, &before) == 0 ? 1 : -1;
    while (n > 0 && read_bytes <= file->size) {
        do {
            n = read(fd, r->block, READ_SIZE);
        } while (n < 0 && errno == EINTR);
        if (n > 0) {
            mlt_sha256_stream_add(r->stream, r->block, (size_t)n);
            read_bytes += (uint64_t)n;
            r->done += (uint64_t)n;
            tell(r);
        }
    }
    mlt_sha256_stream_end(r->stream, file->sha256);
    if (n < 0 || fstat(fd, &after) != 0) {
        return mlt_fail_errno(r->walk->err, errno, full, "%s: cannot be read", full);
    }
    return unchanged(&before, &after, file->size, read_bytes)
               ? MLT_OK
               : mlt_fail(r->walk->err, MLT_CONFLICT,
                          "%s changed while it was read: take the digest when nobody writes", full);
}

static enum mlt_status hash_file(struct reader *r, struct mlt_manifest_file *file) {
    struct walk *w = r->walk;
    mlt_buf_reset(&w->path);
    mlt_buf_put_str(&w->path, w->top);
    if (!mlt_bytes_is(file->path, ".")) {
        mlt_buf_put_u8(&w->path, '/');
        mlt_buf_put_bytes(&w->path, file->path);
    }
    const char *full = mlt_buf_cstr(&w->path);
    int fd = full ? open(full, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd < 0) {
        return full ? mlt_fail_errno(w->err, errno, full, "%s: cannot be opened", full)
                    : mlt_fail(w->err, MLT_NOMEM, "no memory for a name");
    }
    enum mlt_status status = read_all(r, fd, file, full);
    (void)close(fd);
    return status;
}

static enum mlt_status hash_files(struct walk *w) {
    struct reader r = {.walk = w, .stream = mlt_sha256_stream_new(), .block = malloc(READ_SIZE)};
    enum mlt_status status =
        r.stream && r.block ? MLT_OK : mlt_fail(w->err, MLT_NOMEM, "no memory for a block of %u bytes", READ_SIZE);
    for (size_t i = 0; i < w->out->num && !status; i++) {
        status = hash_file(&r, &w->out->files[i]);
    }
    mlt_sha256_stream_free(r.stream);
    free(r.block);
    return status;
}

enum mlt_status mlt_folder_read(const char *top, const struct mlt_folder_options *opt, struct mlt_manifest *out,
                                struct mlt_error *err) {
    struct walk w = {.top = top, .opt = opt, .out = out, .err = err};
    enum mlt_status status = find_files(&w);
    status = status ? status : hash_files(&w);
    mlt_buf_clear(&w.path);
    return status;
}
