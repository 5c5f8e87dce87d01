// Random bytes in bulk: a system call per record would cost as much as sealing it.
#ifndef MLT_RECORD_SECRETS_H
#define MLT_RECORD_SECRETS_H

#include "base/env.h"

#define MLT_SECRETS_LEN 4096 // a refill every hundred records or so

// Zero-initialised is a valid empty pool. Bytes that were handed out are wiped from it.
struct mlt_secrets {
    uint8_t bytes[MLT_SECRETS_LEN];
    size_t left; // unused ones, at the end
};
enum mlt_status mlt_secrets_take(struct mlt_secrets *pool, struct mlt_env *env, uint8_t *out, size_t len,
                                 struct mlt_error *err) MLT_MUST_USE;

#define MLT_UUID_LEN 36 // characters

// mlt_uuid_make writes a UUID of version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, the rest from the pool.
enum mlt_status mlt_uuid_make(struct mlt_secrets *pool, struct mlt_env *env, char out[static MLT_UUID_LEN],
                              struct mlt_error *err) MLT_MUST_USE;

#endif
