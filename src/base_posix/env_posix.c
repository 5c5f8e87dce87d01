// struct mlt_env over Linux. A file is a descriptor and the path it was opened with, for messages.
#define _GNU_SOURCE // pwritev2, O_DIRECT
#include "base_posix/env_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Linux moves at most 2 GiB less a page in one call; asking for 1 GiB keeps counts round and inside ssize_t.
#define IO_CHUNK ((size_t)1 << 30)

struct mlt_file {
    int fd;
    char path[];
};

// Where the call decides the class of a failure rather than its errno.
static enum mlt_status reclass(struct mlt_error *err, enum mlt_status status) {
    if (err) {
        err->status = status;
    }
    return status;
}

static enum mlt_status fail_file(struct mlt_error *err, int os_errno, const struct mlt_file *file, const char *what) {
    return mlt_fail_errno(err, os_errno, file->path, "%s %s", what, file->path);
}

static enum mlt_status fail_at(struct mlt_error *err, int os_errno, const struct mlt_file *file, uint64_t off,
                               const char *what) {
    enum mlt_status st =
        mlt_fail_errno(err, os_errno, file->path, "%s %s at offset %llu", what, file->path, (unsigned long long)off);
    if (err) {
        err->has_offset = true;
        err->offset = off;
    }
    return st;
}

// After a failed write or sync nobody knows what is on disk, whatever the reason: only a full disk that took nothing
// may be retried (see env.h).
static enum mlt_status fail_write(struct mlt_error *err, int os_errno, const struct mlt_file *file, uint64_t off,
                                  bool nothing_written, const char *what) {
    enum mlt_status st = fail_at(err, os_errno, file, off, what);
    return st == MLT_NOSPACE && nothing_written ? st : reclass(err, MLT_IO);
}

static int open_flags(unsigned flags) {
    int os_flags = O_CLOEXEC | (flags & MLT_OPEN_WRITE ? O_RDWR : O_RDONLY);
    os_flags |= flags & MLT_OPEN_CREATE ? O_CREAT : 0;
    os_flags |= flags & MLT_OPEN_EXCLUSIVE ? O_EXCL : 0;
    os_flags |= flags & MLT_OPEN_DIRECT ? O_DIRECT : 0;
    os_flags |= flags & MLT_OPEN_APPEND ? O_APPEND : 0; // with which Linux lets pwrite append
    return os_flags;
}

static int open_retrying(const char *path, int os_flags, mode_t mode) {
    int fd;
    do {
        fd = open(path, os_flags, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static enum mlt_status posix_open(struct mlt_env *env, struct mlt_file **out, const char *path, unsigned flags,
                                  struct mlt_error *err) {
    (void)env;
    *out = NULL;
    size_t path_len = strlen(path);
    struct mlt_file *file = malloc(sizeof(*file) + path_len + 1);
    if (!file) {
        return mlt_fail(err, MLT_NOMEM, "no memory to open %s", path);
    }
    memcpy(file->path, path, path_len + 1);
    int os_flags = open_flags(flags) | O_NONBLOCK; // a pipe put in place of a file must not hold anybody up
    mode_t mode = flags & MLT_OPEN_PRIVATE ? 0600 : 0644;
    file->fd = open_retrying(path, os_flags, mode);
    if (file->fd < 0 && errno == EINVAL && (flags & MLT_OPEN_DIRECT)) {
        // tmpfs and a few others know no O_DIRECT. The first attempt may have created the file already.
        file->fd = open_retrying(path, os_flags & ~(O_DIRECT | O_EXCL), mode);
    }
    if (file->fd < 0) {
        int os_errno = errno;
        free(file);
        enum mlt_status st = mlt_fail_errno(err, os_errno, path, "open %s", path);
        return os_errno == EEXIST ? reclass(err, MLT_CONFLICT) : st;
    }
    struct stat info;
    if (fstat(file->fd, &info) == 0 && S_ISFIFO(info.st_mode)) {
        (void)close(file->fd);
        free(file);
        return mlt_fail(err, MLT_INVALID, "open %s: it is a pipe; a file would be right", path);
    }
    *out = file;
    return MLT_OK;
}

static void posix_close(struct mlt_env *env, struct mlt_file *file) {
    (void)env;
    if (file) {
        // Whoever needs the content durable has synced; Linux releases the descriptor whatever close says.
        (void)close(file->fd);
        free(file);
    }
}

static enum mlt_status posix_read(struct mlt_env *env, struct mlt_file *file, void *buf, size_t len, uint64_t off,
                                  size_t *got, struct mlt_error *err) {
    (void)env;
    *got = 0;
    while (*got < len) {
        size_t chunk = len - *got < IO_CHUNK ? len - *got : IO_CHUNK;
        ssize_t n = pread(file->fd, (uint8_t *)buf + *got, chunk, (off_t)(off + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_at(err, errno, file, off + *got, "read");
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return MLT_OK;
}

static enum mlt_status posix_write(struct mlt_env *env, struct mlt_file *file, const void *buf, size_t len,
                                   uint64_t off, struct mlt_error *err) {
    (void)env;
    size_t done = 0;
    while (done < len) {
        size_t chunk = len - done < IO_CHUNK ? len - done : IO_CHUNK;
        ssize_t n = pwrite(file->fd, (const uint8_t *)buf + done, chunk, (off_t)(off + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_write(err, errno, file, off + done, done == 0, "write");
        }
        done += (size_t)n;
    }
    return MLT_OK;
}

static enum mlt_status posix_sync(struct mlt_env *env, struct mlt_file *file, struct mlt_error *err) {
    (void)env;
    // Not repeated on EINTR or anything else: a second call would report success for pages that the first one lost.
    if (fdatasync(file->fd) != 0) {
        return fail_write(err, errno, file, 0, false, "sync");
    }
    return MLT_OK;
}

static enum mlt_status posix_write_synced(struct mlt_env *env, struct mlt_file *file, const void *buf, size_t len,
                                          uint64_t off, struct mlt_error *err) {
    size_t done = 0;
    while (done < len) {
        size_t chunk = len - done < IO_CHUNK ? len - done : IO_CHUNK;
        struct iovec iov = {(uint8_t *)(uintptr_t)buf + done, chunk};
        ssize_t n = pwritev2(file->fd, &iov, 1, (off_t)(off + done), RWF_DSYNC);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
            enum mlt_status st = posix_write(env, file, (const uint8_t *)buf + done, len - done, off + done, err);
            return st ? st : posix_sync(env, file, err);
        }
        if (n < 0) {
            return fail_write(err, errno, file, off + done, done == 0, "synced write");
        }
        done += (size_t)n;
    }
    return MLT_OK;
}

static enum mlt_status posix_size(struct mlt_env *env, struct mlt_file *file, uint64_t *out, struct mlt_error *err) {
    (void)env;
    struct stat st;
    *out = 0;
    if (fstat(file->fd, &st) != 0) {
        return fail_file(err, errno, file, "stat");
    }
    *out = (uint64_t)st.st_size;
    return MLT_OK;
}

static enum mlt_status posix_truncate(struct mlt_env *env, struct mlt_file *file, uint64_t len, struct mlt_error *err) {
    (void)env;
    int rc;
    do {
        rc = ftruncate(file->fd, (off_t)len);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? MLT_OK : fail_at(err, errno, file, len, "truncate");
}

static enum mlt_status posix_allocate(struct mlt_env *env, struct mlt_file *file, uint64_t len, struct mlt_error *err) {
    (void)env;
    if (len == 0) {
        return MLT_OK;
    }
    int os_errno;
    do {
        os_errno = posix_fallocate(file->fd, 0, (off_t)len);
    } while (os_errno == EINTR);
    return os_errno == 0 ? MLT_OK : fail_at(err, os_errno, file, len, "allocate space for");
}

static enum mlt_status posix_drop_cache(struct mlt_env *env, struct mlt_file *file, uint64_t off, uint64_t len,
                                        struct mlt_error *err) {
    (void)env;
    int os_errno = posix_fadvise(file->fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
    return os_errno == 0 ? MLT_OK : fail_file(err, os_errno, file, "drop the cached pages of");
}

static enum mlt_status posix_rename(struct mlt_env *env, const char *from, const char *to, struct mlt_error *err) {
    (void)env;
    return rename(from, to) == 0 ? MLT_OK : mlt_fail_errno(err, errno, from, "rename %s to %s", from, to);
}

static enum mlt_status posix_unlink(struct mlt_env *env, const char *path, struct mlt_error *err) {
    (void)env;
    return unlink(path) == 0 ? MLT_OK : mlt_fail_errno(err, errno, path, "remove %s", path);
}

static enum mlt_status posix_mkdir(struct mlt_env *env, const char *path, bool private_dir, struct mlt_error *err) {
    (void)env;
    if (mkdir(path, private_dir ? 0700 : 0755) == 0) {
        return MLT_OK;
    }
    int os_errno = errno;
    enum mlt_status st = mlt_fail_errno(err, os_errno, path, "create directory %s", path);
    return os_errno == EEXIST ? reclass(err, MLT_CONFLICT) : st;
}

static enum mlt_status posix_sync_dir(struct mlt_env *env, const char *path, struct mlt_error *err) {
    (void)env;
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) {
        return mlt_fail_errno(err, errno, path, "open directory %s", path);
    }
    enum mlt_status st = MLT_OK;
    if (fsync(fd) != 0) {
        (void)mlt_fail_errno(err, errno, path, "sync directory %s", path);
        st = reclass(err, MLT_IO);
    }
    (void)close(fd);
    return st;
}

static enum mlt_status posix_list(struct mlt_env *env, const char *path, bool (*each)(void *arg, const char *name),
                                  void *arg, struct mlt_error *err) {
    (void)env;
    DIR *dir = opendir(path);
    if (!dir) {
        return mlt_fail_errno(err, errno, path, "open directory %s", path);
    }
    enum mlt_status st = MLT_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno != 0) {
                st = mlt_fail_errno(err, errno, path, "list directory %s", path);
            }
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (!each(arg, entry->d_name)) {
            break;
        }
    }
    (void)closedir(dir);
    return st;
}

static enum mlt_status posix_lock(struct mlt_env *env, struct mlt_file **out, const char *path, struct mlt_error *err) {
    struct mlt_file *file = NULL;
    *out = NULL;
    enum mlt_status st = posix_open(env, &file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, err);
    if (st) {
        return st;
    }
    int rc;
    do {
        rc = flock(file->fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        int os_errno = errno;
        st = fail_file(err, os_errno, file, "lock");
        if (os_errno == EWOULDBLOCK) {
            st = mlt_fail(err, MLT_BUSY, "%s is locked by another process", path);
        }
        posix_close(env, file);
        return st;
    }
    *out = file;
    return MLT_OK;
}

static enum mlt_status posix_free_space(struct mlt_env *env, const char *path, uint64_t *out, struct mlt_error *err) {
    (void)env;
    struct statvfs st;
    *out = 0;
    if (statvfs(path, &st) != 0) {
        return mlt_fail_errno(err, errno, path, "ask the free space of %s", path);
    }
    *out = (uint64_t)st.f_bavail * st.f_frsize;
    return MLT_OK;
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec ts = {0};
    (void)clock_gettime(clock, &ts); // cannot fail for the two clocks that POSIX requires
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t posix_now(struct mlt_env *env) {
    (void)env;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t posix_monotonic(struct mlt_env *env) {
    (void)env;
    return clock_ns(CLOCK_MONOTONIC);
}

static enum mlt_status posix_random(struct mlt_env *env, void *buf, size_t len, struct mlt_error *err) {
    (void)env;
    size_t done = 0;
    while (done < len) {
        ssize_t n = getrandom((uint8_t *)buf + done, len - done, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return mlt_fail_errno(err, errno, NULL, "ask the system for %zu random bytes", len);
        }
        done += (size_t)n;
    }
    return MLT_OK;
}

struct mlt_env *mlt_env_posix(void) {
    static struct mlt_env env = {
        .open = posix_open,
        .close = posix_close,
        .read = posix_read,
        .write = posix_write,
        .write_synced = posix_write_synced,
        .sync = posix_sync,
        .size = posix_size,
        .truncate = posix_truncate,
        .allocate = posix_allocate,
        .drop_cache = posix_drop_cache,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .mkdir = posix_mkdir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .lock = posix_lock,
        .free_space = posix_free_space,
        .now = posix_now,
        .monotonic = posix_monotonic,
        .random = posix_random,
    };
    return &env;
}
