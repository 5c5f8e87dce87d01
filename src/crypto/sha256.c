#include "crypto/sha256.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "crypto/provider.h"

#define GATHERED_MAX 256 // holds what a term, a salt or a key is made of

struct mlt_sha256_stream {
    EVP_MD_CTX *ctx;
};

static void digest_begin(EVP_MD_CTX *ctx) {
    if (!EVP_DigestInit_ex2(ctx, mlt_provider_sha256(), NULL)) {
        mlt_provider_die("begin SHA-256");
    }
}

static void digest_add(EVP_MD_CTX *ctx, const void *data, size_t len) {
    if (len > 0 && !EVP_DigestUpdate(ctx, data, len)) {
        mlt_provider_die("add to SHA-256");
    }
}

static void digest_end(EVP_MD_CTX *ctx, uint8_t out[static MLT_HASH_LEN]) {
    unsigned len = 0;
    if (!EVP_DigestFinal_ex(ctx, out, &len) || len != MLT_HASH_LEN) {
        mlt_provider_die("end SHA-256");
    }
}

// Short parts are put together first: each addition to a digest costs as much as half a block of it.
void mlt_sha256(uint8_t out[static MLT_HASH_LEN], const struct mlt_bytes *parts, size_t num_parts) {
    uint8_t gathered[GATHERED_MAX];
    size_t len = 0;
    size_t most = 0;
    EVP_MD_CTX *ctx = mlt_provider_thread_digest();
    digest_begin(ctx);
    for (size_t i = 0; i < num_parts; i++) {
        if (parts[i].len > sizeof(gathered) - len) {
            digest_add(ctx, gathered, len);
            len = 0;
        }
        if (parts[i].len > sizeof(gathered)) {
            digest_add(ctx, parts[i].ptr, parts[i].len);
        } else if (parts[i].len > 0) {
            memcpy(gathered + len, parts[i].ptr, parts[i].len);
            len += parts[i].len;
            most = len > most ? len : most;
        }
    }
    digest_add(ctx, gathered, len);
    digest_end(ctx, out);
    mlt_wipe(gathered, most); // secrets are derived with this
}

void mlt_sha256_one(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes data) {
    EVP_MD_CTX *ctx = mlt_provider_thread_digest();
    digest_begin(ctx);
    digest_add(ctx, data.ptr, data.len);
    digest_end(ctx, out);
}

struct mlt_sha256_stream *mlt_sha256_stream_new(void) {
    struct mlt_sha256_stream *s = malloc(sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->ctx = EVP_MD_CTX_new();
    if (!s->ctx) {
        free(s);
        return NULL;
    }
    digest_begin(s->ctx);
    return s;
}

void mlt_sha256_stream_add(struct mlt_sha256_stream *s, const void *data, size_t len) {
    digest_add(s->ctx, data, len);
}

void mlt_sha256_stream_end(struct mlt_sha256_stream *s, uint8_t out[static MLT_HASH_LEN]) {
    digest_end(s->ctx, out);
    digest_begin(s->ctx);
}

void mlt_sha256_stream_free(struct mlt_sha256_stream *s) {
    if (s) {
        EVP_MD_CTX_free(s->ctx);
        free(s);
    }
}

bool mlt_memeql(const void *a, const void *b, size_t len) {
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void mlt_wipe(void *p, size_t len) {
    if (len > 0) {
        OPENSSL_cleanse(p, len);
    }
}
