// The files of a model and their digests.
//
// dirHash   SHA-256 over the lines "<hex>  <path>\n", paths in byte order (in-toto, Go's h1): all files. Binds names.
// OMS root  SHA-256 over the raw digests of the files, paths ordered component by component as pathlib does, without
//           .git, .github, .gitattributes and .gitignore at the top. Binds the order, not the names.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/digest.h"

#define READ_SIZE (1u << 20) // large enough for the disk, small enough for the cache

static bool is_under(struct mlt_bytes path, struct mlt_bytes folder) {
    return path.len >= folder.len && (folder.len == 0 || memcmp(path.ptr, folder.ptr, folder.len) == 0) &&
           (path.len == folder.len || path.ptr[folder.len] == '/');
}

bool mlt_digest_ignore(struct mlt_digest *d, struct mlt_bytes path) {
    while (path.len >= 2 && memcmp(path.ptr, "./", 2) == 0) {
        path = mlt_bytes_of(path.ptr + 2, path.len - 2);
    }
    while (path.len > 0 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    if (path.len == 0 || d->num_ignored == MLT_DIGEST_IGNORED_MAX) {
        return path.len == 0;
    }
    const char *kept = mlt_arena_cstr(&d->cli->arena, path);
    if (kept) {
        d->ignored[d->num_ignored++] = kept;
    }
    return kept != NULL;
}

static bool ignored(const struct mlt_digest *d, struct mlt_bytes path) {
    for (size_t i = 0; i < d->num_ignored; i++) {
        if (is_under(path, mlt_str(d->ignored[i]))) {
            return true;
        }
    }
    return false;
}

bool mlt_digest_in_oms(struct mlt_bytes path) {
    static const char *const left_out[] = {".git", ".github", ".gitattributes", ".gitignore"};
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (is_under(path, mlt_str(left_out[i]))) {
            return false;
        }
    }
    return true;
}

static enum mlt_status add_file(struct mlt_digest *d, struct mlt_bytes path, const struct stat *st,
                                struct mlt_error *err) {
    if (d->num_files == d->cap_files) {
        size_t cap = d->cap_files ? 2 * d->cap_files : 64;
        struct mlt_digest_file *files = cap <= MLT_DIGEST_FILES_MAX ? realloc(d->files, cap * sizeof *files) : NULL;
        if (!files) {
            return cap > MLT_DIGEST_FILES_MAX
                       ? mlt_fail(err, MLT_LIMIT, "%s has more than %u files", d->top, MLT_DIGEST_FILES_MAX)
                       : mlt_fail(err, MLT_NOMEM, "no memory for the names of %zu files", cap);
        }
        d->files = files;
        d->cap_files = cap;
    }
    d->files[d->num_files++] =
        (struct mlt_digest_file){.path = path, .size = (uint64_t)st->st_size, .in_oms = mlt_digest_in_oms(path)};
    d->bytes += (uint64_t)st->st_size;
    return MLT_OK;
}

static enum mlt_status check_name(const struct mlt_digest *d, struct mlt_bytes path, struct mlt_error *err) {
    if (!mlt_utf8_valid(path)) {
        return mlt_fail(err, MLT_INVALID, "%s/%.*s: the name is no UTF-8, which a manifest cannot hold: rename it",
                        d->top, MLT_ARG(path));
    }
    if (memchr(path.ptr, '\n', path.len)) {
        return mlt_fail(err, MLT_INVALID, "%s/%.*s: the name has a line break, which dirHash cannot express: rename it",
                        d->top, MLT_ARG(path));
    }
    return MLT_OK;
}

static enum mlt_status walk_folder(struct mlt_digest *d, int folder, struct mlt_bytes path, unsigned depth,
                                   struct mlt_error *err);

static enum mlt_status walk_into(struct mlt_digest *d, int folder, const char *name, struct mlt_bytes path,
                                 unsigned depth, struct mlt_error *err) {
    if (depth == MLT_DIGEST_DEPTH_MAX) {
        return mlt_fail(err, MLT_LIMIT, "%s/%.*s: folders are more than %d deep", d->top, MLT_ARG(path),
                        MLT_DIGEST_DEPTH_MAX);
    }
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) {
        return mlt_fail_errno(err, errno, (const char *)path.ptr, "%s/%.*s: cannot be opened", d->top, MLT_ARG(path));
    }
    return walk_folder(d, inner, path, depth + 1, err);
}

static enum mlt_status walk_entry(struct mlt_digest *d, int folder, const char *name, struct mlt_bytes parent,
                                  unsigned depth, struct mlt_error *err) {
    const char *joined = parent.len > 0 ? mlt_arena_printf(&d->cli->arena, "%.*s/%s", MLT_ARG(parent), name)
                                        : mlt_arena_printf(&d->cli->arena, "%s", name);
    if (!joined) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a name");
    }
    struct mlt_bytes path = mlt_str(joined);
    struct stat st;
    if (ignored(d, path)) {
        return MLT_OK;
    }
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return mlt_fail_errno(err, errno, joined, "%s/%s: cannot be looked at", d->top, joined);
    }
    if (d->own_manifest && st.st_dev == d->own_dev && st.st_ino == d->own_ino) {
        return MLT_OK;
    }
    if (S_ISLNK(st.st_mode)) {
        return mlt_fail(
            err, MLT_INVALID,
            "%s/%s is a symbolic link, and what it points to can change without any file here changing: copy "
            "that, or leave the link out with --ignore",
            d->top, joined);
    }
    if (S_ISDIR(st.st_mode)) {
        return walk_into(d, folder, name, path, depth, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return mlt_fail(err, MLT_INVALID, "%s/%s is neither a file nor a folder: leave it out with --ignore", d->top,
                        joined);
    }
    enum mlt_status status = check_name(d, path, err);
    return status ? status : add_file(d, path, &st, err);
}

// walk_folder takes the descriptor and closes it.
static enum mlt_status walk_folder(struct mlt_digest *d, int folder, struct mlt_bytes path, unsigned depth,
                                   struct mlt_error *err) {
    DIR *dir = fdopendir(folder);
    if (!dir) {
        int reason = errno;
        (void)close(folder);
        return mlt_fail_errno(err, reason, d->top, "%s/%.*s: cannot be listed", d->top, MLT_ARG(path));
    }
    enum mlt_status status = MLT_OK;
    while (!status) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            status =
                errno ? mlt_fail_errno(err, errno, d->top, "%s/%.*s: cannot be listed", d->top, MLT_ARG(path)) : MLT_OK;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            status = walk_entry(d, dirfd(dir), entry->d_name, path, depth, err);
        }
    }
    (void)closedir(dir);
    return status;
}

enum mlt_status mlt_digest_walk(struct mlt_digest *d, struct mlt_error *err) {
    struct stat st;
    if (lstat(d->top, &st) != 0) {
        return mlt_fail_errno(err, errno, d->top, "%s: cannot be looked at", d->top);
    }
    if (S_ISREG(st.st_mode)) {
        d->single = true;
        return add_file(d, mlt_str("."), &st, err);
    }
    // The model itself may be reached through a link: its name is no part of any digest.
    int folder = open(d->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return errno == ENOTDIR ? mlt_fail(err, MLT_INVALID, "%s is neither a file nor a folder", d->top)
                                : mlt_fail_errno(err, errno, d->top, "%s: cannot be opened", d->top);
    }
    enum mlt_status status = walk_folder(d, folder, mlt_bytes_of(NULL, 0), 0, err);
    if (!status && d->num_files == 0) {
        status = mlt_fail(err, MLT_INVALID, "%s holds no files: nothing to hash", d->top);
    }
    return status;
}

// Hashing --------------------------------------------------------------------------------------------------------

struct reader {
    struct mlt_sha256_stream *stream;
    uint8_t *block;
    struct mlt_progress progress;
    uint64_t done;
};

static bool unchanged(const struct stat *before, const struct stat *after, uint64_t read) {
    return (uint64_t)after->st_size == read && before->st_size == after->st_size &&
           before->st_mtim.tv_sec == after->st_mtim.tv_sec && before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

static enum mlt_status read_all(struct mlt_digest *d, struct reader *r, int fd, struct mlt_digest_file *file,
                                const char *full, struct mlt_error *err) {
    struct stat before;
    struct stat after;
    uint64_t read_bytes = 0;
    ssize_t n = fstat(fd, &before) == 0 ? 0 : -1;
    while (n == 0 && (n = read(fd, r->block, READ_SIZE)) != 0) {
        if (n < 0 && errno == EINTR) {
            n = 0;
            continue;
        }
        if (n < 0) {
            break;
        }
        mlt_sha256_stream_add(r->stream, r->block, (size_t)n);
        read_bytes += (uint64_t)n;
        r->done += (uint64_t)n;
        mlt_progress_step(&r->progress, r->done, d->bytes > r->done ? d->bytes : r->done);
        n = 0;
    }
    mlt_sha256_stream_end(r->stream, file->sha256);
    if (n < 0 || fstat(fd, &after) != 0) {
        return mlt_fail_errno(err, errno, full, "%s: cannot be read", full);
    }
    if (!unchanged(&before, &after, read_bytes)) {
        return mlt_fail(err, MLT_CONFLICT, "%s changed while it was read: take the digest when nobody writes", full);
    }
    d->bytes = d->bytes - file->size + read_bytes;
    file->size = read_bytes;
    return MLT_OK;
}

static enum mlt_status hash_file(struct mlt_digest *d, struct reader *r, struct mlt_digest_file *file,
                                 struct mlt_error *err) {
    char *full = d->single ? mlt_arena_printf(&d->cli->arena, "%s", d->top)
                           : mlt_arena_printf(&d->cli->arena, "%s/%s", d->top, (const char *)file->path.ptr);
    int fd = full ? open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (!full || fd < 0) {
        return full ? mlt_fail_errno(err, errno, full, "%s: cannot be opened", full)
                    : mlt_fail(err, MLT_NOMEM, "no memory for a name");
    }
    enum mlt_status status = read_all(d, r, fd, file, full, err);
    (void)close(fd);
    return status;
}

static int by_bytes(const void *a, const void *b) {
    const struct mlt_digest_file *x = a;
    const struct mlt_digest_file *y = b;
    return mlt_bytes_compare(x->path, y->path);
}

// Component by component: as if '/' came before every other byte. No name holds a NUL. UTF-8 sorts as its code points.
static int by_component(const void *a, const void *b) {
    const struct mlt_bytes x = ((const struct mlt_digest_file *)a)->path;
    const struct mlt_bytes y = ((const struct mlt_digest_file *)b)->path;
    for (size_t i = 0; i < x.len && i < y.len; i++) {
        if (x.ptr[i] != y.ptr[i]) {
            int left = x.ptr[i] == '/' ? 0 : x.ptr[i];
            int right = y.ptr[i] == '/' ? 0 : y.ptr[i];
            return left - right;
        }
    }
    return x.len < y.len ? -1 : x.len > y.len;
}

static void make_dir_hash(struct mlt_digest *d, struct mlt_sha256_stream *stream) {
    struct mlt_buf line = {0};
    qsort(d->files, d->num_files, sizeof *d->files, by_bytes);
    for (size_t i = 0; i < d->num_files; i++) {
        mlt_buf_reset(&line);
        mlt_buf_put_hex(&line, mlt_bytes_of(d->files[i].sha256, MLT_HASH_LEN));
        mlt_sha256_stream_add(stream, line.data, line.len);
        mlt_sha256_stream_add(stream, "  ", 2);
        mlt_sha256_stream_add(stream, d->files[i].path.ptr, d->files[i].path.len);
        mlt_sha256_stream_add(stream, "\n", 1);
    }
    mlt_sha256_stream_end(stream, d->dir_hash);
    mlt_buf_clear(&line);
}

static void make_oms(struct mlt_digest *d, struct mlt_sha256_stream *stream) {
    qsort(d->files, d->num_files, sizeof *d->files, by_component);
    for (size_t i = 0; i < d->num_files; i++) {
        if (d->files[i].in_oms) {
            mlt_sha256_stream_add(stream, d->files[i].sha256, MLT_HASH_LEN);
        }
    }
    mlt_sha256_stream_end(stream, d->oms);
}

enum mlt_status mlt_digest_hash(struct mlt_digest *d, struct mlt_error *err) {
    struct reader r = {.stream = mlt_sha256_stream_new(), .block = malloc(READ_SIZE)};
    enum mlt_status status =
        r.stream && r.block ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for a block of %u bytes", READ_SIZE);
    mlt_progress_init(&r.progress, d->cli, "bytes");
    for (size_t i = 0; i < d->num_files && !status; i++) {
        status = hash_file(d, &r, &d->files[i], err);
    }
    mlt_progress_end(&r.progress);
    if (!status) {
        make_dir_hash(d, r.stream);
        make_oms(d, r.stream);
    }
    mlt_sha256_stream_free(r.stream);
    free(r.block);
    return status;
}

void mlt_digest_clear(struct mlt_digest *d) {
    free(d->files);
    d->files = NULL;
    d->num_files = d->cap_files = 0;
}
