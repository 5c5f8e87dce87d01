// What the files of the public verifier share. Public names begin with mltrail_, these with mlt_.
#ifndef MLT_VERIFY_PRIVATE_H
#define MLT_VERIFY_PRIVATE_H

#include "mltrail/verify.h"
#include "note/policy.h"

struct mltrail_trust {
    struct mlt_policy policy;
    bool has_log_key;
    struct mlt_vkey log_key; // beside those of the policy
};

// mlt_public_fail carries an error of ours over to the caller's, which may be NULL.
enum mltrail_status mlt_public_fail(struct mltrail_error *out, enum mlt_status status, const struct mlt_error *err);

// mlt_verdict_begin makes the verdict one that does not hold, mlt_verdict_refuse names the rung that failed, and
// mlt_verdict_hold is the last line of a ladder.
void mlt_verdict_begin(struct mltrail_verdict *out);
void mlt_verdict_refuse(struct mltrail_verdict *out, enum mltrail_reason reason, const char *fmt, ...) MLT_PRINTF(3, 4);
void mlt_verdict_hold(struct mltrail_verdict *out);

// mlt_public_bytes borrows what the caller passed.
static inline struct mlt_bytes mlt_public_bytes(const void *ptr, size_t len) {
    return mlt_bytes_of(len > 0 ? ptr : NULL, len);
}

#endif
