// Time-stamp tokens (RFC 3161) over OpenSSL: an authority's signature that some bytes existed at a time.
//
// Part of the verifier: no I/O and no clock. What is stamped is always a SHA-256 hash. Certificates are judged at the
// token's own time (`gen_time`), so that a token outlives the certificate of its authority. What that leaves open: who
// holds an authority's key can date a token into the lifetime of its certificate, and revocation is not looked at.
#ifndef MLT_CRYPTO_TIMESTAMP_H
#define MLT_CRYPTO_TIMESTAMP_H

#include "crypto/sha256.h"

#define MLT_TIMESTAMP_NONCE_LEN 8
#define MLT_TIMESTAMP_MAX ((size_t)1024 * 1024) // a response or token; with its certificates one has 3 to 10 KiB
#define MLT_TIMESTAMP_ROOTS_MAX ((size_t)4 * 1024 * 1024) // PEM text; a system's whole bundle has a quarter of it
#define MLT_TIMESTAMP_WHY_LEN 320

// What a token says. Texts are UTF-8 and terminated.
struct mlt_timestamp {
    uint8_t imprint[MLT_HASH_LEN];
    int64_t gen_time; // ns since 1970
    bool has_accuracy;
    int64_t accuracy_ns; // the true time is within gen_time ± this, the authority says
    char serial[42];     // hexadecimal, at most 160 bits (RFC 3161 section 2.4.2)
    char policy[128];    // object identifier, dotted
    char authority[512]; // subject of the certificate that signed (RFC 2253); "" when the token carries none
};

// Whether it is true, apart from whether it could be checked.
struct mlt_timestamp_verdict {
    bool good;
    char why[MLT_TIMESTAMP_WHY_LEN]; // "" when good
};

// mlt_timestamp_request appends a request (DER) for `imprint`, a SHA-256 hash, with this nonce and certReq TRUE.
enum mlt_status mlt_timestamp_request(struct mlt_buf *out, const uint8_t imprint[static MLT_HASH_LEN],
                                      const uint8_t nonce[static MLT_TIMESTAMP_NONCE_LEN],
                                      struct mlt_error *err) MLT_MUST_USE;

// mlt_timestamp_answer checks a response (DER) against its request: status granted, the imprint, the nonce, and that
// the signature is that of the certificate inside, whoever vouches for it. `token` (reset first) gets the token (DER)
// when the verdict is good.
enum mlt_status mlt_timestamp_answer(struct mlt_bytes response, const uint8_t imprint[static MLT_HASH_LEN],
                                     const uint8_t nonce[static MLT_TIMESTAMP_NONCE_LEN], struct mlt_buf *token,
                                     struct mlt_timestamp_verdict *verdict, struct mlt_error *err) MLT_MUST_USE;

// mlt_timestamp_read reads what a token says; nothing of it is proved.
//
// MLT_INVALID: it is no time-stamp token over a SHA-256 hash. MLT_LIMIT: longer than MLT_TIMESTAMP_MAX.
enum mlt_status mlt_timestamp_read(struct mlt_timestamp *out, struct mlt_bytes token,
                                   struct mlt_error *err) MLT_MUST_USE;

// Certificates of the authorities that are trusted; from outside, never from what is verified. Constant once made, and
// then for several threads.
struct mlt_timestamp_roots;
// MLT_INVALID: no certificate in the text, or one that does not parse.
enum mlt_status mlt_timestamp_roots_new(struct mlt_timestamp_roots **out, struct mlt_bytes pem,
                                        struct mlt_error *err) MLT_MUST_USE;
void mlt_timestamp_roots_free(struct mlt_timestamp_roots *roots);
size_t mlt_timestamp_roots_count(const struct mlt_timestamp_roots *roots);

// mlt_timestamp_verify checks a token for a SHA-256 hash: one signer whose certificate is for time stamping alone
// (extended key usage, critical), bound into the signature (RFC 5816), and leads to one of `roots` at the token's time;
// the signature; the imprint. A nonce is not asked for: it protects an exchange, not a token. `out` (may be NULL) is
// filled when the verdict is good.
enum mlt_status mlt_timestamp_verify(struct mlt_timestamp *out, struct mlt_bytes token,
                                     const uint8_t imprint[static MLT_HASH_LEN],
                                     const struct mlt_timestamp_roots *roots, struct mlt_timestamp_verdict *verdict,
                                     struct mlt_error *err) MLT_MUST_USE;

#endif
