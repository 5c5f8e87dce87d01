// links: mlt_crypto
//
// Armoured signatures, and blobs put into their armour so that what is inside is reached. What reads has one form: its
// parts put together again are the blob. The verdict over another message is false.
#include <stdlib.h>

#include "crypto/sshsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void put_string(struct mlt_buf *out, struct mlt_bytes s) {
    mlt_buf_put_u32be(out, (uint32_t)s.len);
    mlt_buf_put_bytes(out, s);
}

static void check(struct mlt_bytes armoured) {
    static struct mlt_sshsig sig;
    const char *why = NULL;
    struct mlt_buf again = {0};
    if (!mlt_sshsig_read(&sig, armoured, &why)) {
        require(why != NULL);
        return;
    }
    mlt_buf_put_str(&again, "SSHSIG");
    mlt_buf_put_u32be(&again, 1);
    put_string(&again, sig.key.blob);
    put_string(&again, sig.name_space);
    put_string(&again, (struct mlt_bytes){0});
    put_string(&again, sig.hash_algorithm);
    put_string(&again, sig.signature);
    require(memcmp(again.data, sig.blob, again.len) == 0);
    mlt_buf_clear(&again);
    // Seeds are signed over this; nothing is good over two messages.
    bool seed, other;
    require(mlt_sshsig_verify(&seed, &why, &sig, mlt_str("seed\n"), "fuzz", NULL) == MLT_OK && seed == (why == NULL));
    require(mlt_sshsig_verify(&other, &why, &sig, mlt_str("other\n"), "fuzz", NULL) == MLT_OK);
    require(!(seed && other) && why != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_buf armoured = {0};
    check(mlt_bytes_of(data, size));
    if (size <= MLT_SSHSIG_BLOB_MAX) {
        mlt_buf_put_str(&armoured, "-----BEGIN SSH SIGNATURE-----\n");
        mlt_buf_put_base64(&armoured, mlt_bytes_of(data, size));
        mlt_buf_put_str(&armoured, "\n-----END SSH SIGNATURE-----\n");
        check(mlt_buf_bytes(&armoured));
        mlt_buf_clear(&armoured);
    }
    return 0;
}
