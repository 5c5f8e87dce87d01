// SHA-256 over OpenSSL. The algorithm is fetched once per process; each thread keeps one context.
#ifndef MLT_CRYPTO_SHA256_H
#define MLT_CRYPTO_SHA256_H

#include "base/bytes.h"

#define MLT_HASH_LEN 32

// mlt_sha256 hashes the concatenation of `num_parts` slices. Cannot fail: a broken library ends the process.
void mlt_sha256(uint8_t out[static MLT_HASH_LEN], const struct mlt_bytes *parts, size_t num_parts);

// mlt_sha256_one hashes one slice.
void mlt_sha256_one(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes data);

// Incremental hashing for streams (files).
struct mlt_sha256_stream;
struct mlt_sha256_stream *mlt_sha256_stream_new(void); // NULL when memory is out
void mlt_sha256_stream_add(struct mlt_sha256_stream *s, const void *data, size_t len);
void mlt_sha256_stream_end(struct mlt_sha256_stream *s, uint8_t out[static MLT_HASH_LEN]); // and starts anew
void mlt_sha256_stream_free(struct mlt_sha256_stream *s);

// mlt_memeql compares in time that depends on `len` alone.
bool mlt_memeql(const void *a, const void *b, size_t len);
// mlt_wipe clears memory that held a secret; the compiler cannot drop it.
void mlt_wipe(void *p, size_t len);

#endif
