// The trail's signing key in a token: Ed25519, CKM_EDDSA without parameters (PKCS#11 v3.0, section 2.3.14).
#include <stdlib.h>

#include "hsm/session.h"

#define EC_POINT_MAX 64 // an Ed25519 point, with or without its DER header

struct remote_key {
    struct mlt_hsm *hsm;
    ck_object_handle_t key;
};

static void free_key(void *ctx) {
    struct remote_key *r = ctx;
    mlt_hsm_close(r->hsm);
    free(r);
}

static enum mlt_status sign(void *ctx, uint8_t sig[static MLT_ED25519_SIG_LEN], struct mlt_bytes message,
                            struct mlt_error *err) {
    struct remote_key *r = ctx;
    struct ck_mechanism eddsa = {.mechanism = CKM_EDDSA};
    unsigned long len = MLT_ED25519_SIG_LEN;
    ck_rv_t rv = r->hsm->module->C_SignInit(r->hsm->session, &eddsa, r->key);
    if (rv == CKR_OK) {
        // Cryptoki's prototypes know no const; C_Sign reads only.
        rv = r->hsm->module->C_Sign(r->hsm->session, (unsigned char *)message.ptr, message.len, sig, &len);
    }
    if (rv != CKR_OK || len != MLT_ED25519_SIG_LEN) {
        return mlt_hsm_fail(r->hsm, err, rv, "sign");
    }
    return MLT_OK;
}

static const struct mlt_signing_ops OPS = {.sign = sign, .free = free_key};

// The point is an octet string in DER (PKCS#11 v3.0) or, from older modules, bare.
static enum mlt_status read_public(const struct remote_key *r, ck_object_handle_t object,
                                   uint8_t out[static MLT_ED25519_KEY_LEN], struct mlt_error *err) {
    uint8_t point[EC_POINT_MAX];
    ck_key_type_t type = 0;
    struct ck_attribute wanted[] = {{CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_EC_POINT, point, sizeof(point)}};
    ck_rv_t rv = r->hsm->module->C_GetAttributeValue(r->hsm->session, object, wanted, 2);
    if (rv != CKR_OK) {
        return mlt_hsm_fail(r->hsm, err, rv, "read the public key");
    }
    size_t len = wanted[1].value_len;
    size_t skip = len == MLT_ED25519_KEY_LEN + 2 && point[0] == 0x04 && point[1] == MLT_ED25519_KEY_LEN ? 2 : 0;
    if (type != CKK_EC_EDWARDS || len - skip != MLT_ED25519_KEY_LEN) {
        return mlt_fail(err, MLT_INVALID, "the key in PKCS#11 token %s is no Ed25519 key, which a trail is signed with",
                        r->hsm->label);
    }
    memcpy(out, point + skip, MLT_ED25519_KEY_LEN);
    return MLT_OK;
}

enum mlt_status mlt_hsm_signing_key(struct mlt_signing_key **out, const char *uri, const struct mlt_pin_source *pin,
                                    struct mlt_error *err) {
    uint8_t public_key[MLT_ED25519_KEY_LEN];
    ck_object_handle_t public_object;
    *out = NULL;
    struct remote_key *r = calloc(1, sizeof(*r));
    if (!r) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a key in a token");
    }
    enum mlt_status st = mlt_hsm_open(&r->hsm, uri, pin, err);
    st = st ? st : mlt_hsm_find(r->hsm, &r->key, CKO_PRIVATE_KEY, "private key", err);
    st = st ? st : mlt_hsm_find(r->hsm, &public_object, CKO_PUBLIC_KEY, "public key", err);
    st = st ? st : read_public(r, public_object, public_key, err);
    if (st) {
        free_key(r);
        return st;
    }
    return mlt_signing_key_remote(out, &OPS, r, public_key, err);
}
