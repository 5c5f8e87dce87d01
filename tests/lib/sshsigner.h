// Signing as ssh-keygen -Y sign does, with Ed25519 keys made from a number, so that tests need no program for it; and
// the pieces to sign wrongly with.
#ifndef TEST_SSHSIGNER_H
#define TEST_SSHSIGNER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#include <cmocka.h>

static inline void sshsigner_string(struct mlt_buf *out, struct mlt_bytes s) {
    mlt_buf_put_u32be(out, (uint32_t)s.len);
    mlt_buf_put_bytes(out, s);
}

// The key that all bytes of a seed being `number` make, and its public blob.
static inline struct mlt_signing_key *sshsigner_key(uint8_t number, struct mlt_buf *blob) {
    uint8_t seed[MLT_ED25519_SEED_LEN], point[MLT_ED25519_KEY_LEN];
    struct mlt_signing_key *key = NULL;
    memset(seed, number, sizeof(seed));
    assert_int_equal(mlt_signing_key_new(&key, seed, NULL), MLT_OK);
    mlt_signing_key_public(key, point);
    sshsigner_string(blob, mlt_str("ssh-ed25519"));
    sshsigner_string(blob, mlt_bytes_of(point, sizeof(point)));
    return key;
}

// "ssh-ed25519 AAAA…", as in a .pub file.
static inline void sshsigner_public(struct mlt_buf *out, uint8_t number) {
    struct mlt_buf blob = {0};
    mlt_signing_key_free(sshsigner_key(number, &blob));
    mlt_buf_put_str(out, "ssh-ed25519 ");
    mlt_buf_put_base64(out, mlt_buf_bytes(&blob));
    mlt_buf_clear(&blob);
}

// Puts a blob into its armour, in lines of 70 as OpenSSH does.
static inline void sshsigner_armour(struct mlt_buf *out, struct mlt_bytes blob) {
    struct mlt_buf base64 = {0};
    mlt_buf_put_base64(&base64, blob);
    mlt_buf_put_str(out, "-----BEGIN SSH SIGNATURE-----\n");
    for (size_t at = 0; at < base64.len; at += 70) {
        mlt_buf_put(out, base64.data + at, base64.len - at < 70 ? base64.len - at : 70);
        mlt_buf_put_u8(out, '\n');
    }
    mlt_buf_put_str(out, "-----END SSH SIGNATURE-----\n");
    mlt_buf_clear(&base64);
}

// The blob of a signature; the parts before the inner signature are as given.
static inline void sshsigner_blob(struct mlt_buf *out, uint8_t number, const char *name_space,
                                  struct mlt_bytes message) {
    struct mlt_buf key_blob = {0}, to_sign = {0}, inner = {0};
    uint8_t digest[MLT_HASH_LEN], raw[MLT_ED25519_SIG_LEN];
    struct mlt_signing_key *key = sshsigner_key(number, &key_blob);
    mlt_sha256_one(digest, message);
    mlt_buf_put_str(&to_sign, "SSHSIG");
    sshsigner_string(&to_sign, mlt_str(name_space));
    sshsigner_string(&to_sign, (struct mlt_bytes){0});
    sshsigner_string(&to_sign, mlt_str("sha256"));
    sshsigner_string(&to_sign, mlt_bytes_of(digest, sizeof(digest)));
    assert_int_equal(mlt_ed25519_sign(key, raw, mlt_buf_bytes(&to_sign), NULL), MLT_OK);
    sshsigner_string(&inner, mlt_str("ssh-ed25519"));
    sshsigner_string(&inner, mlt_bytes_of(raw, sizeof(raw)));
    mlt_buf_put_str(out, "SSHSIG");
    mlt_buf_put_u32be(out, 1);
    sshsigner_string(out, mlt_buf_bytes(&key_blob));
    sshsigner_string(out, mlt_str(name_space));
    sshsigner_string(out, (struct mlt_bytes){0});
    sshsigner_string(out, mlt_str("sha256"));
    sshsigner_string(out, mlt_buf_bytes(&inner));
    mlt_signing_key_free(key);
    mlt_buf_clear(&key_blob);
    mlt_buf_clear(&to_sign);
    mlt_buf_clear(&inner);
}

static inline void sshsigner_sign(struct mlt_buf *out, uint8_t number, const char *name_space,
                                  struct mlt_bytes message) {
    struct mlt_buf blob = {0};
    sshsigner_blob(&blob, number, name_space, message);
    sshsigner_armour(out, mlt_buf_bytes(&blob));
    mlt_buf_clear(&blob);
}

#endif
