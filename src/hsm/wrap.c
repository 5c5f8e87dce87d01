// A secret under the token's AES key: AES-GCM with associated data of our own, so that nothing else that the token
// encrypts can stand in for it.
#include "hsm/session.h"

#define TAG_BITS 128

static const char AAD[] = "mltrail/v1 key-encryption key at rest";

static void set_up(struct ck_mechanism *m, struct ck_gcm_params *gcm, const uint8_t nonce[static MLT_HSM_NONCE_LEN]) {
    *gcm = (struct ck_gcm_params){.iv_ptr = (unsigned char *)nonce, // read only, for want of a const in Cryptoki
                                  .iv_len = MLT_HSM_NONCE_LEN,
                                  .iv_bits = 8 * MLT_HSM_NONCE_LEN,
                                  .aad_ptr = (unsigned char *)AAD,
                                  .aad_len = sizeof(AAD) - 1,
                                  .tag_bits = TAG_BITS};
    *m = (struct ck_mechanism){.mechanism = CKM_AES_GCM, .parameter = gcm, .parameter_len = sizeof(*gcm)};
}

enum mlt_status mlt_hsm_wrap(uint8_t wrapped[static MLT_HSM_WRAPPED_LEN], const char *uri,
                             const struct mlt_pin_source *pin, const uint8_t secret[static MLT_HSM_SECRET_LEN],
                             const uint8_t nonce[static MLT_HSM_NONCE_LEN], struct mlt_error *err) {
    struct mlt_hsm *h;
    ck_object_handle_t key;
    struct ck_mechanism mechanism;
    struct ck_gcm_params gcm;
    unsigned long len = MLT_HSM_WRAPPED_LEN - MLT_HSM_NONCE_LEN;
    memcpy(wrapped, nonce, MLT_HSM_NONCE_LEN);
    set_up(&mechanism, &gcm, wrapped);
    enum mlt_status st = mlt_hsm_open(&h, uri, pin, err);
    st = st ? st : mlt_hsm_find(h, &key, CKO_SECRET_KEY, "secret key", err);
    if (!st) {
        ck_rv_t rv = h->module->C_EncryptInit(h->session, &mechanism, key);
        rv = rv != CKR_OK ? rv
                          : h->module->C_Encrypt(h->session, (unsigned char *)secret, MLT_HSM_SECRET_LEN,
                                                 wrapped + MLT_HSM_NONCE_LEN, &len);
        st = rv == CKR_OK && len == MLT_HSM_WRAPPED_LEN - MLT_HSM_NONCE_LEN
                 ? MLT_OK
                 : mlt_hsm_fail(h, err, rv, "wrap the key-encryption key");
    }
    mlt_hsm_close(h);
    return st;
}

enum mlt_status mlt_hsm_unwrap(uint8_t secret[static MLT_HSM_SECRET_LEN], const char *uri,
                               const struct mlt_pin_source *pin, const uint8_t wrapped[static MLT_HSM_WRAPPED_LEN],
                               struct mlt_error *err) {
    struct mlt_hsm *h;
    ck_object_handle_t key;
    struct ck_mechanism mechanism;
    struct ck_gcm_params gcm;
    uint8_t plain[MLT_HSM_WRAPPED_LEN]; // some modules count the tag in before they tell the length
    unsigned long len = sizeof(plain);
    set_up(&mechanism, &gcm, wrapped);
    enum mlt_status st = mlt_hsm_open(&h, uri, pin, err);
    st = st ? st : mlt_hsm_find(h, &key, CKO_SECRET_KEY, "secret key", err);
    if (!st) {
        ck_rv_t rv = h->module->C_DecryptInit(h->session, &mechanism, key);
        rv = rv != CKR_OK ? rv
                          : h->module->C_Decrypt(h->session, (unsigned char *)wrapped + MLT_HSM_NONCE_LEN,
                                                 MLT_HSM_WRAPPED_LEN - MLT_HSM_NONCE_LEN, plain, &len);
        if (rv == CKR_OK && len == MLT_HSM_SECRET_LEN) {
            memcpy(secret, plain, MLT_HSM_SECRET_LEN);
        } else {
            st = mlt_hsm_fail(h, err, rv, "unwrap the key-encryption key");
        }
    }
    mlt_wipe(plain, sizeof(plain));
    mlt_hsm_close(h);
    return st;
}
