#include <stdio.h>
#include <stdlib.h>

#include "trail/keys_private.h"

enum mlt_status mlt_keys_check_change(const struct mlt_key_change *how, struct mlt_error *err) {
    size_t len = strlen(how->reason);
    if (len == 0 || len > MLT_KEY_REASON_MAX) {
        return mlt_fail(err, MLT_INVALID, "a change of keys needs a reason of 1 to %d bytes, which the trail keeps",
                        MLT_KEY_REASON_MAX);
    }
    if (strlen(how->by) > MLT_KEY_BY_MAX) {
        return mlt_fail(err, MLT_INVALID, "who changes a key is named with at most %d bytes", MLT_KEY_BY_MAX);
    }
    return how->uri ? mlt_hsm_check_uri(how->uri, err) : MLT_OK;
}

enum mlt_status mlt_keys_settle(struct mlt_env *env, const struct mlt_trail_options *opt, struct mlt_error *err) {
    struct mlt_trail *t = NULL;
    enum mlt_status st = mlt_trail_open(&t, env, opt, err);
    if (st) {
        return st;
    }
    st = mlt_trail_start(t, NULL, err);
    enum mlt_status closed = mlt_trail_close(t, st ? NULL : err);
    return st ? st : closed;
}

enum mlt_status mlt_keys_replace(struct mlt_trail *t, struct mlt_key_file *next, const struct mlt_signer *signer,
                                 struct mlt_key_link *link, const struct mlt_key_change *how, struct mlt_bytes head,
                                 struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    (void)snprintf(path, sizeof(path), "%s/signing.key", t->state_dir);
    (void)snprintf(next->event.by, sizeof(next->event.by), "%s", how->by);
    (void)snprintf(next->event.reason, sizeof(next->event.reason), "%s", how->reason);
    (void)snprintf(next->event.head, sizeof(next->event.head), "%.*s", MLT_ARG(head));
    next->event.time = t->env->now(t->env);
    next->chain = t->state.chain;
    enum mlt_status st = mlt_key_link_sign(link, &t->state.signer, signer, err);
    st = st ? st : mlt_key_chain_push(&next->chain, &signer->vkey, link, err);
    if (!st && !mlt_key_chain_leads(&next->chain, &signer->vkey)) {
        st = mlt_fail(err, MLT_INTERNAL, "the old key's signature and the new one's do not lead to the new key");
    }
    // From here on the old key signs nothing any more: it is overwritten, and the new one has its place.
    return st ? st : mlt_key_file_write(t->env, path, next, err);
}

enum mlt_status mlt_keys_check_place(const struct mlt_trail *t, const struct mlt_key_change *how,
                                     struct mlt_error *err) {
    if (!how->uri && !how->in_file && t->state.signing_in_token) {
        return mlt_fail(err, MLT_INVALID,
                        "the key in use is in a PKCS#11 token; say which of its keys follows (--pkcs11 URI), or that a "
                        "file does (--in-file)");
    }
    return MLT_OK;
}

static enum mlt_status replace_signing(struct mlt_trail *t, const struct mlt_trail_options *opt,
                                       const struct mlt_key_change *how, struct mlt_error *err) {
    struct mlt_watermark mark;
    struct mlt_key_link link = {0};
    struct mlt_signer signer = {0};
    struct mlt_key_file *next = calloc(1, sizeof(*next));
    if (!next) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a key");
    }
    mlt_store_mark(t->store, &mark);
    link.size = link.kept = mark.size;
    memcpy(link.root, mark.root, MLT_HASH_LEN);
    memcpy(link.kept_root, mark.root, MLT_HASH_LEN);
    enum mlt_status st = mlt_keys_check_place(t, how, err);
    st = st ? st : mlt_key_file_new(next, &signer, t->env, t->meta.origin, how->uri, opt->pin, err);
    st = st ? st : mlt_keys_replace(t, next, &signer, &link, how, mlt_bytes_of(NULL, 0), err);
    mlt_signer_clear(&signer);
    mlt_wipe(next, sizeof(*next));
    free(next);
    return st;
}

enum mlt_status mlt_trail_rotate_signing(struct mlt_env *env, const struct mlt_trail_options *opt,
                                         const struct mlt_key_change *how, struct mlt_error *err) {
    struct mlt_trail *t = NULL;
    enum mlt_status st = mlt_keys_check_change(how, err);
    st = st ? st : mlt_keys_settle(env, opt, err); // also what an interrupted change left
    st = st ? st : mlt_trail_open(&t, env, opt, err);
    if (st) {
        return st;
    }
    st = replace_signing(t, opt, how, err);
    enum mlt_status closed = mlt_trail_close(t, st ? NULL : err);
    st = st ? st : closed;
    return st ? st : mlt_keys_settle(env, opt, err);
}
