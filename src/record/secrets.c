#include "record/secrets.h"

#include <assert.h>

#include "crypto/sha256.h"

#define UUID_BYTES 16
#define NS_PER_MS 1000000

enum mlt_status mlt_secrets_take(struct mlt_secrets *pool, struct mlt_env *env, uint8_t *out, size_t len,
                                 struct mlt_error *err) {
    assert(len <= MLT_SECRETS_LEN);
    if (pool->left < len) {
        enum mlt_status status = env->random(env, pool->bytes, sizeof(pool->bytes), err);
        if (status != MLT_OK) {
            pool->left = 0;
            return mlt_context(err, status, "random bytes for records");
        }
        pool->left = sizeof(pool->bytes);
    }
    uint8_t *from = pool->bytes + sizeof(pool->bytes) - pool->left;
    memcpy(out, from, len);
    mlt_wipe(from, len);
    pool->left -= len;
    return MLT_OK;
}

enum mlt_status mlt_uuid_make(struct mlt_secrets *pool, struct mlt_env *env, char out[static MLT_UUID_LEN],
                              struct mlt_error *err) {
    uint8_t u[UUID_BYTES];
    enum mlt_status status = mlt_secrets_take(pool, env, u, sizeof(u), err);
    if (status != MLT_OK) {
        return status;
    }
    uint64_t ms = (uint64_t)(env->now(env) / NS_PER_MS);
    for (unsigned i = 0; i < 6; i++) {
        u[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    u[6] = (uint8_t)(0x70 | (u[6] & 0x0F)); // version
    u[8] = (uint8_t)(0x80 | (u[8] & 0x3F)); // variant
    static const unsigned groups[] = {4, 2, 2, 2, 6};
    char hex[2 * 6 + 1];
    const uint8_t *from = u;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (i > 0) {
            *out++ = '-';
        }
        mlt_hex_encode(hex, mlt_bytes_of(from, groups[i]));
        memcpy(out, hex, 2 * (size_t)groups[i]);
        out += 2 * groups[i];
        from += groups[i];
    }
    return MLT_OK;
}
