// How a function of mltrail says that it could not do its work.
//
// Status answers "could I do it?". Whether a proof is true is a verdict and travels in an output of its own.
// A `struct mlt_error` belongs to the caller and may be NULL; reporting never allocates.
#ifndef MLT_BASE_STATUS_H
#define MLT_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MLT_MUST_USE __attribute__((warn_unused_result))
#define MLT_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define MLT_NORETURN __attribute__((noreturn))

// The classes are those on which a caller acts differently.
enum mlt_status {
    MLT_OK = 0,
    MLT_IO,       // the system failed; what is on disk is unknown after a write or sync
    MLT_NOSPACE,  // disk or reserve full; nothing written, may be retried
    MLT_NOMEM,    // allocation failed; nothing changed
    MLT_CORRUPT,  // bytes of ours do not read back as written (damage or tampering)
    MLT_INVALID,  // the caller's or the user's input is wrong; the text says what would be right
    MLT_LIMIT,    // input over a named limit
    MLT_NOTFOUND, // no such thing
    MLT_CONFLICT, // contradicts what is there (another writer's tree, a file that differs)
    MLT_BUSY,     // somebody else holds it; may be retried
    MLT_DENIED,   // the principal may not
    MLT_INTERNAL, // our own mistake
};

#define MLT_ERROR_FILE_LEN 256
#define MLT_ERROR_TEXT_LEN 1024

struct mlt_error {
    enum mlt_status status;
    int os_errno; // 0 when the system had no part in it
    bool has_offset;
    uint64_t offset; // byte offset in `file`, or index of the entry, as `text` says
    char file[MLT_ERROR_FILE_LEN];
    char text[MLT_ERROR_TEXT_LEN]; // truncated if longer, always terminated
};

// mlt_status_name returns a short lower-case word ("io", "no-space", …), also used as the stable error code.
const char *mlt_status_name(enum mlt_status status);

// mlt_fail fills `err` (if not NULL) with `status` and the formatted text, and returns `status`.
enum mlt_status mlt_fail(struct mlt_error *err, enum mlt_status status, const char *fmt, ...) MLT_PRINTF(3, 4);

// mlt_fail_errno is mlt_fail for a failed system call on `file` (NULL: none); it adds strerror(os_errno).
// ENOSPC, EDQUOT and EFBIG give MLT_NOSPACE, ENOMEM gives MLT_NOMEM, ENOENT gives MLT_NOTFOUND, everything else
// `MLT_IO`.
enum mlt_status mlt_fail_errno(struct mlt_error *err, int os_errno, const char *file, const char *fmt, ...)
    MLT_PRINTF(4, 5);

// mlt_context puts "<text>: " in front of the text already there and returns `status` unchanged.
enum mlt_status mlt_context(struct mlt_error *err, enum mlt_status status, const char *fmt, ...) MLT_PRINTF(3, 4);

#ifdef __clang_analyzer__
// The analyser does not see into other files: it is told here that these return what they are given, or else it
// follows paths on which a failure counts as success.
static inline enum mlt_status mlt_analyzer_knows(enum mlt_status returned, enum mlt_status known) {
    (void)returned;
    return known;
}
#define mlt_fail(err, status, ...) mlt_analyzer_knows(mlt_fail(err, status, __VA_ARGS__), status)
#define mlt_fail_errno(err, os_errno, ...) mlt_analyzer_knows(mlt_fail_errno(err, os_errno, __VA_ARGS__), MLT_IO)
#define mlt_context(err, status, ...) mlt_analyzer_knows(mlt_context(err, status, __VA_ARGS__), status)
#endif

// mlt_error_clear makes `err` say MLT_OK.
void mlt_error_clear(struct mlt_error *err);

#endif
