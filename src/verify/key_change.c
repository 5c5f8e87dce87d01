// Changes of a trail's key held against a key that is trusted.
#include "note/chain.h"
#include "verify/private.h"

static void put_change(struct mltrail_key_change *out, const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                       const struct mlt_vkey *new_key) {
    mlt_vkey_format(out->old_key, old_key);
    mlt_vkey_format(out->new_key, new_key);
    out->size = link->size;
    memcpy(out->root, link->root, sizeof(out->root));
    out->kept = link->kept;
    memcpy(out->kept_root, link->kept_root, sizeof(out->kept_root));
}

static enum mlt_status judge_change(struct mltrail_verdict *verdict, struct mltrail_key_change *out,
                                    struct mlt_bytes vkey, struct mlt_bytes statement, struct mlt_error *err) {
    struct mlt_vkey trusted;
    struct mlt_vkey old_key;
    struct mlt_vkey new_key;
    struct mlt_key_link link;
    enum mlt_status st = mlt_vkey_parse(&trusted, vkey, err);
    st = st ? st : mlt_key_link_parse(&link, &old_key, &new_key, statement, err);
    if (st) {
        return st;
    }
    if (!mlt_vkey_equal(&trusted, &old_key) && !mlt_vkey_equal(&trusted, &new_key)) {
        mlt_verdict_refuse(verdict, MLTRAIL_OTHER_KEY, "the change is from %s+%08x to %s+%08x, neither is trusted",
                           old_key.name, (unsigned)old_key.key_id, new_key.name, (unsigned)new_key.key_id);
        return MLT_OK;
    }
    if (!mlt_key_link_verify(&link, &old_key, &new_key)) {
        mlt_verdict_refuse(verdict, MLTRAIL_BAD_SIGNATURE, "the change is not signed by both keys");
        return MLT_OK;
    }
    put_change(out, &link, &old_key, &new_key);
    mlt_verdict_hold(verdict);
    return MLT_OK;
}

enum mltrail_status mltrail_verify_key_change(struct mltrail_verdict *verdict, struct mltrail_key_change *out,
                                              const char *vkey, size_t vkey_len, const void *statement,
                                              size_t statement_len, struct mltrail_error *err) {
    struct mlt_error detail = {0};
    memset(out, 0, sizeof(*out));
    mlt_verdict_begin(verdict);
    enum mlt_status st = judge_change(verdict, out, mlt_public_bytes(vkey, vkey_len),
                                      mlt_public_bytes(statement, statement_len), &detail);
    return mlt_public_fail(err, st, &detail);
}
