// Whose word counts: a policy, and perhaps one log key beside it.
#include <stdlib.h>

#include "verify/private.h"

static const char NO_WITNESS[] = "quorum none\n";

static enum mlt_status trust_fill(struct mltrail_trust *trust, struct mlt_bytes policy, struct mlt_bytes log_vkey,
                                  struct mlt_error *err) {
    enum mlt_status st = mlt_policy_parse(&trust->policy, policy, err);
    if (st || log_vkey.len == 0) {
        return st;
    }
    st = mlt_vkey_parse(&trust->log_key, log_vkey, err);
    if (st) {
        return st;
    }
    if (trust->log_key.type != MLT_KEY_ED25519) {
        return mlt_fail(err, MLT_INVALID, "the key of a log must be of type 0x%02x, this one is of type 0x%02x",
                        MLT_KEY_ED25519, trust->log_key.type);
    }
    trust->has_log_key = true;
    return MLT_OK;
}

static enum mltrail_status trust_new(struct mltrail_trust **out, struct mlt_bytes policy, struct mlt_bytes log_vkey,
                                     struct mltrail_error *public_err) {
    struct mlt_error err = {0};
    *out = NULL;
    struct mltrail_trust *trust = calloc(1, sizeof(*trust));
    enum mlt_status st =
        trust ? trust_fill(trust, policy, log_vkey, &err) : mlt_fail(&err, MLT_NOMEM, "no memory for a trust");
    if (st) {
        mltrail_trust_free(trust);
    } else {
        *out = trust;
    }
    return mlt_public_fail(public_err, st, &err);
}

enum mltrail_status mltrail_trust_new_key(struct mltrail_trust **out, const char *vkey, size_t vkey_len,
                                          struct mltrail_error *err) {
    struct mlt_error empty;
    *out = NULL;
    // An empty key would mean "no key beside the policy" further down.
    if (vkey_len == 0) {
        enum mlt_status st = mlt_fail(&empty, MLT_INVALID, "the key is empty, it should read name+hash+key");
        return mlt_public_fail(err, st, &empty);
    }
    return trust_new(out, mlt_str(NO_WITNESS), mlt_public_bytes(vkey, vkey_len), err);
}

enum mltrail_status mltrail_trust_new_policy(struct mltrail_trust **out, const char *policy, size_t policy_len,
                                             const char *log_vkey, size_t log_vkey_len, struct mltrail_error *err) {
    return trust_new(out, mlt_public_bytes(policy, policy_len), mlt_public_bytes(log_vkey, log_vkey_len), err);
}

void mltrail_trust_free(struct mltrail_trust *trust) {
    if (trust) {
        mlt_policy_clear(&trust->policy);
        free(trust);
    }
}

size_t mltrail_trust_num_witnesses(const struct mltrail_trust *trust) {
    return trust->policy.num_witnesses;
}

const char *mltrail_trust_witness_name(const struct mltrail_trust *trust, size_t idx) {
    return idx < trust->policy.num_witnesses ? trust->policy.witnesses[idx].vkey.name : NULL;
}

bool mltrail_trust_check(const struct mltrail_trust *trust) {
    return mlt_policy_check(&trust->policy) && (!trust->has_log_key || trust->log_key.type == MLT_KEY_ED25519);
}
