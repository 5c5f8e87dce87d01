// The only seam between mltrail and the machine: disk, clock, randomness.
//
// Two implementations: the system (base_posix) and the simulated disk of the tests (tests/lib/simdisk).
// Paths are absolute or relative to the process. All functions are safe from several threads.
// MLT_IO after a write or sync means that the outcome is unknown: the caller stops using the file.
#ifndef MLT_BASE_ENV_H
#define MLT_BASE_ENV_H

#include "base/bytes.h"

// Alignment of buffers, offsets and lengths for write_synced: what O_DIRECT asks of common devices.
#define MLT_IO_ALIGN 4096

struct mlt_file; // each implementation defines its own

enum mlt_open_flags {
    MLT_OPEN_READ = 0,
    MLT_OPEN_WRITE = 1,     // read and write
    MLT_OPEN_CREATE = 2,    // with WRITE: create if absent (mode 0600 with PRIVATE, else 0644)
    MLT_OPEN_EXCLUSIVE = 4, // with CREATE: fail with MLT_CONFLICT if present
    MLT_OPEN_PRIVATE = 8,
    MLT_OPEN_DIRECT = 16, // past the page cache where the file system can; otherwise ignored
    MLT_OPEN_APPEND = 32, // writes go to the end, wherever others have moved it meanwhile; their offset says nothing
};

struct mlt_env {
    // open: MLT_NOTFOUND when absent. The directory entry of a created file is durable after sync_dir.
    enum mlt_status (*open)(struct mlt_env *env, struct mlt_file **out, const char *path, unsigned flags,
                            struct mlt_error *err);
    void (*close)(struct mlt_env *env, struct mlt_file *file);
    // read fills `buf` from `off`; `*got < len` only at the end of the file. Retries short reads and EINTR.
    enum mlt_status (*read)(struct mlt_env *env, struct mlt_file *file, void *buf, size_t len, uint64_t off,
                            size_t *got, struct mlt_error *err);
    // write puts all of it at `off` (extends the file); not durable until sync.
    enum mlt_status (*write)(struct mlt_env *env, struct mlt_file *file, const void *buf, size_t len, uint64_t off,
                             struct mlt_error *err);
    // write_synced is one write that is durable when it returns (RWF_DSYNC). buf, len and off are MLT_IO_ALIGN-aligned.
    enum mlt_status (*write_synced)(struct mlt_env *env, struct mlt_file *file, const void *buf, size_t len,
                                    uint64_t off, struct mlt_error *err);
    enum mlt_status (*sync)(struct mlt_env *env, struct mlt_file *file, struct mlt_error *err); // fdatasync
    enum mlt_status (*size)(struct mlt_env *env, struct mlt_file *file, uint64_t *out, struct mlt_error *err);
    enum mlt_status (*truncate)(struct mlt_env *env, struct mlt_file *file, uint64_t len, struct mlt_error *err);
    enum mlt_status (*allocate)(struct mlt_env *env, struct mlt_file *file, uint64_t len, struct mlt_error *err);
    // drop_cache asks that later reads of clean pages of this range come from the device; `len` 0: to the end.
    enum mlt_status (*drop_cache)(struct mlt_env *env, struct mlt_file *file, uint64_t off, uint64_t len,
                                  struct mlt_error *err);
    enum mlt_status (*rename)(struct mlt_env *env, const char *from, const char *to, struct mlt_error *err);
    enum mlt_status (*unlink)(struct mlt_env *env, const char *path, struct mlt_error *err);
    enum mlt_status (*mkdir)(struct mlt_env *env, const char *path, bool private_dir, struct mlt_error *err);
    enum mlt_status (*sync_dir)(struct mlt_env *env, const char *path, struct mlt_error *err);
    // list calls `each` with every name but "." and "..", in no order; `each` returns false to stop.
    enum mlt_status (*list)(struct mlt_env *env, const char *path, bool (*each)(void *arg, const char *name), void *arg,
                            struct mlt_error *err);
    // lock takes an exclusive advisory lock for as long as `*out` is open; MLT_BUSY when somebody else has it.
    enum mlt_status (*lock)(struct mlt_env *env, struct mlt_file **out, const char *path, struct mlt_error *err);
    enum mlt_status (*free_space)(struct mlt_env *env, const char *path, uint64_t *out, struct mlt_error *err);
    int64_t (*now)(struct mlt_env *env);       // wall clock, ns
    int64_t (*monotonic)(struct mlt_env *env); // ns, never goes back
    enum mlt_status (*random)(struct mlt_env *env, void *buf, size_t len, struct mlt_error *err);
};

// Small helpers over the table, in env.c.
// mlt_env_read_file reads a whole file of at most `max` bytes; MLT_LIMIT when it is larger.
enum mlt_status mlt_env_read_file(struct mlt_env *env, const char *path, size_t max, struct mlt_buf *out,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_env_replace_file makes `path` hold `content`, atomically and durably: temporary file, sync, rename, sync of the
// directory.
enum mlt_status mlt_env_replace_file(struct mlt_env *env, const char *path, struct mlt_bytes content, bool private_file,
                                     struct mlt_error *err) MLT_MUST_USE;
// mlt_env_overwrite writes zeros over all that a file holds, in place, and syncs it: what a secret leaves behind. A
// copying file system may keep the old blocks all the same (docs/THREATS.md).
enum mlt_status mlt_env_overwrite(struct mlt_env *env, struct mlt_file *file, struct mlt_error *err) MLT_MUST_USE;
// mlt_env_make_dir makes a directory whose name is durable on return; one that is there is fine.
enum mlt_status mlt_env_make_dir(struct mlt_env *env, const char *path, bool private_dir,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
