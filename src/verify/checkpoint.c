// Signed checkpoints held against a trust.
#include <assert.h>
#include <stdio.h>

#include "verify/private.h"

// The public limits are those of the layers beneath.
static_assert(MLTRAIL_HASH_LEN == MLT_HASH_LEN, "else texts and counts do not fit");
static_assert(MLTRAIL_ORIGIN_MAX == MLT_NOTE_NAME_MAX, "else texts and counts do not fit");
static_assert(MLTRAIL_KEY_TEXT_MAX == MLT_VKEY_TEXT_MAX, "else texts and counts do not fit");
static_assert(MLTRAIL_WITNESSES_MAX == MLT_POLICY_WITNESSES_MAX, "else texts and counts do not fit");
static_assert(MLTRAIL_PROOF_MAX == MLT_PROOF_MAX, "else texts and counts do not fit");
static_assert(MLTRAIL_ERROR_TEXT_LEN == MLT_ERROR_TEXT_LEN, "else texts and counts do not fit");
static_assert(MLTRAIL_WHY_LEN >= MLT_POLICY_WHY_LEN, "else texts and counts do not fit");

static enum mltrail_reason public_reason(enum mlt_policy_reason reason) {
    switch (reason) {
    case MLT_POLICY_UNJUDGED:
        return MLTRAIL_UNCHECKED;
    case MLT_POLICY_NO_LOG:
        return MLTRAIL_NO_LOG_KEY;
    case MLT_POLICY_OTHER_ORIGIN:
        return MLTRAIL_OTHER_ORIGIN;
    case MLT_POLICY_BAD_SIGNATURE:
        return MLTRAIL_BAD_SIGNATURE;
    case MLT_POLICY_UNSIGNED:
        return MLTRAIL_UNSIGNED;
    case MLT_POLICY_BAD_COSIGNATURE:
        return MLTRAIL_BAD_COSIGNATURE;
    case MLT_POLICY_NO_QUORUM:
        return MLTRAIL_NO_QUORUM;
    case MLT_POLICY_HOLDS:
        return MLTRAIL_HOLDS;
    }
    return MLTRAIL_UNCHECKED;
}

static void put_checkpoint(struct mltrail_checkpoint *out, const struct mlt_policy_verdict *judged) {
    (void)snprintf(out->origin, sizeof(out->origin), "%s", judged->checkpoint.origin);
    out->size = judged->checkpoint.size;
    memcpy(out->root, judged->checkpoint.root, sizeof(out->root));
    mlt_vkey_format(out->log_key, judged->log_key);
    out->num_witnesses = judged->num_witnesses;
    out->num_cosigned = judged->num_cosigned;
    for (size_t i = 0; i < judged->num_witnesses; i++) {
        out->cosigned[i] = judged->cosigned[i];
        out->cosigned_at[i] = (int64_t)judged->time[i]; // a cosignature holds no time over INT64_MAX
    }
    out->earliest = (int64_t)judged->earliest;
    out->latest = (int64_t)judged->latest;
}

static enum mlt_status judge_note(struct mltrail_verdict *verdict, struct mltrail_checkpoint *out,
                                  const struct mltrail_trust *trust, struct mlt_bytes bytes, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_policy_verdict judged;
    enum mlt_status st = mlt_note_parse(&note, &arena, bytes, err);
    if (!st) {
        st = mlt_policy_judge(&judged, &trust->policy, trust->has_log_key ? &trust->log_key : NULL, &note, err);
    }
    if (!st && judged.holds) {
        put_checkpoint(out, &judged);
        mlt_verdict_hold(verdict);
    } else if (!st) {
        mlt_verdict_refuse(verdict, public_reason(judged.reason), "%s", judged.why);
    }
    mlt_arena_clear(&arena);
    return st;
}

enum mltrail_status mltrail_verify_checkpoint(struct mltrail_verdict *verdict, struct mltrail_checkpoint *out,
                                              const struct mltrail_trust *trust, const void *note, size_t note_len,
                                              struct mltrail_error *err) {
    struct mlt_error detail = {0};
    memset(out, 0, sizeof(*out));
    mlt_verdict_begin(verdict);
    enum mlt_status st = judge_note(verdict, out, trust, mlt_public_bytes(note, note_len), &detail);
    return mlt_public_fail(err, st, &detail);
}
