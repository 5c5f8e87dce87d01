// Statuses, verdicts and their words.
#include <stdio.h>

#include "base/public_status.h"
#include "verify/private.h"

enum mltrail_status mlt_public_fail(struct mltrail_error *out, enum mlt_status status, const struct mlt_error *err) {
    enum mltrail_status public_status = MLTRAIL_INTERNAL;
    switch (status) {
    case MLT_OK:
        public_status = MLTRAIL_OK;
        break;
    case MLT_INVALID:
        public_status = MLTRAIL_INVALID;
        break;
    case MLT_LIMIT:
        public_status = MLTRAIL_LIMIT;
        break;
    case MLT_NOMEM:
        public_status = MLTRAIL_NOMEM;
        break;
    default: // nothing beneath this library opens, locks or denies
        break;
    }
    if (out) {
        out->status = public_status;
        (void)snprintf(out->text, sizeof(out->text), "%s", status == MLT_OK ? "" : err->text);
    }
    return public_status;
}

void mlt_verdict_begin(struct mltrail_verdict *out) {
    memset(out, 0, sizeof(*out));
    (void)snprintf(out->why, sizeof(out->why), "it could not be checked");
}

void mlt_verdict_refuse(struct mltrail_verdict *out, enum mltrail_reason reason, const char *fmt, ...) {
    va_list args;
    out->holds = false;
    out->reason = reason;
    va_start(args, fmt);
    (void)vsnprintf(out->why, sizeof(out->why), fmt, args);
    va_end(args);
}

void mlt_verdict_hold(struct mltrail_verdict *out) {
    out->why[0] = '\0';
    out->reason = MLTRAIL_HOLDS;
    out->holds = true;
}

const char *mltrail_verify_version(void) {
    return MLT_VERSION;
}

const char *mltrail_status_name(enum mltrail_status status) {
    return mlt_public_status_name(status);
}

const char *mltrail_reason_name(enum mltrail_reason reason) {
    switch (reason) {
    case MLTRAIL_UNCHECKED:
        return "unchecked";
    case MLTRAIL_HOLDS:
        return "holds";
    case MLTRAIL_NO_LOG_KEY:
        return "no-log-key";
    case MLTRAIL_OTHER_ORIGIN:
        return "other-origin";
    case MLTRAIL_BAD_SIGNATURE:
        return "bad-signature";
    case MLTRAIL_UNSIGNED:
        return "unsigned";
    case MLTRAIL_BAD_COSIGNATURE:
        return "bad-cosignature";
    case MLTRAIL_NO_QUORUM:
        return "no-quorum";
    case MLTRAIL_INDEX_BEYOND_TREE:
        return "index-beyond-tree";
    case MLTRAIL_PROOF_LENGTH:
        return "proof-length";
    case MLTRAIL_OTHER_ROOT:
        return "other-root";
    case MLTRAIL_EMPTY_TREE:
        return "empty-tree";
    case MLTRAIL_SHRUNK:
        return "shrunk";
    case MLTRAIL_SPLIT_VIEW:
        return "split-view";
    case MLTRAIL_NOT_CONSISTENT:
        return "not-consistent";
    case MLTRAIL_OTHER_COMMITMENT:
        return "other-commitment";
    case MLTRAIL_OTHER_KEY:
        return "other-key";
    }
    return "unknown";
}
