#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Defined here, not called: see the end of status.h.
#undef mlt_fail
#undef mlt_fail_errno
#undef mlt_context

const char *mlt_status_name(enum mlt_status status) {
    switch (status) {
    case MLT_OK:
        return "ok";
    case MLT_IO:
        return "io";
    case MLT_NOSPACE:
        return "no-space";
    case MLT_NOMEM:
        return "no-memory";
    case MLT_CORRUPT:
        return "corrupt";
    case MLT_INVALID:
        return "invalid";
    case MLT_LIMIT:
        return "limit";
    case MLT_NOTFOUND:
        return "not-found";
    case MLT_CONFLICT:
        return "conflict";
    case MLT_BUSY:
        return "busy";
    case MLT_DENIED:
        return "denied";
    case MLT_INTERNAL:
        return "internal";
    }
    return "unknown";
}

// A format that cannot be rendered leaves an empty text rather than an undefined one.
MLT_PRINTF(3, 0)
static void format_text(char *out, size_t cap, const char *fmt, va_list args) {
    if (vsnprintf(out, cap, fmt, args) < 0) {
        out[0] = '\0';
    }
}

enum mlt_status mlt_fail(struct mlt_error *err, enum mlt_status status, const char *fmt, ...) {
    if (err) {
        mlt_error_clear(err);
        err->status = status;
        va_list args;
        va_start(args, fmt);
        format_text(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }
    return status;
}

static enum mlt_status status_of_errno(int os_errno) {
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return MLT_NOSPACE;
    case ENOMEM:
        return MLT_NOMEM;
    case ENOENT:
        return MLT_NOTFOUND;
    default:
        return MLT_IO;
    }
}

enum mlt_status mlt_fail_errno(struct mlt_error *err, int os_errno, const char *file, const char *fmt, ...) {
    enum mlt_status status = status_of_errno(os_errno);
    if (!err) {
        return status;
    }
    mlt_error_clear(err);
    err->status = status;
    err->os_errno = os_errno;
    if (file) {
        (void)snprintf(err->file, sizeof(err->file), "%s", file);
    }
    va_list args;
    va_start(args, fmt);
    format_text(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    char reason[128];
    if (strerror_r(os_errno, reason, sizeof(reason)) != 0) {
        (void)snprintf(reason, sizeof(reason), "error %d", os_errno);
    }
    size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", reason);
    return status;
}

enum mlt_status mlt_context(struct mlt_error *err, enum mlt_status status, const char *fmt, ...) {
    if (!err) {
        return status;
    }
    char below[MLT_ERROR_TEXT_LEN];
    memcpy(below, err->text, sizeof(below));
    va_list args;
    va_start(args, fmt);
    format_text(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", below);
    return status;
}

void mlt_error_clear(struct mlt_error *err) {
    if (err) {
        err->status = MLT_OK;
        err->os_errno = 0;
        err->has_offset = false;
        err->offset = 0;
        err->file[0] = '\0';
        err->text[0] = '\0';
    }
}
