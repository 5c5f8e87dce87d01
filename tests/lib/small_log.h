// A log of a few leaves in memory, with its key: for those who watch logs. Two of them under one key that share their
// first leaves are a fork.
#ifndef MLT_TESTS_LIB_SMALL_LOG_H
#define MLT_TESTS_LIB_SMALL_LOG_H

#include <assert.h>
#include <stdio.h>

#include "note/add_checkpoint.h"

#define SMALL_LOG_MAX 200 // below one tile: level 0 alone

struct small_log {
    struct mlt_signer signer;
    uint8_t leaf[SMALL_LOG_MAX][MLT_HASH_LEN];
};

static inline enum mlt_status small_log_read(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                             struct mlt_error *err) {
    struct small_log *log = ctx;
    if (level != 0 || first + count > SMALL_LOG_MAX) {
        return mlt_fail(err, MLT_INTERNAL, "no such hashes");
    }
    memcpy(out, log->leaf[first], count * MLT_HASH_LEN);
    return MLT_OK;
}

static inline struct mlt_hash_source small_log_hashes(struct small_log *log) {
    return (struct mlt_hash_source){.ctx = log, .read = small_log_read};
}

// small_log_init makes leaves that are `branch` from `fork` on.
static inline void small_log_init(struct small_log *log, const char *origin, uint8_t key, size_t fork,
                                  const char *branch) {
    uint8_t seed[MLT_ED25519_SEED_LEN] = {key};
    char text[64];
    memset(log, 0, sizeof(*log));
    enum mlt_status st = mlt_signer_init(&log->signer, mlt_str(origin), seed, NULL);
    assert(st == MLT_OK);
    (void)st;
    for (size_t i = 0; i < SMALL_LOG_MAX; i++) {
        (void)snprintf(text, sizeof(text), "%s %zu", i < fork ? "common" : branch, i);
        mlt_merkle_leaf(log->leaf[i], mlt_str(text));
    }
}

static inline void small_log_root(struct small_log *log, uint64_t size, uint8_t root[static MLT_HASH_LEN]) {
    struct mlt_hash_source src = small_log_hashes(log);
    enum mlt_status st = mlt_merkle_root(&src, size, root, NULL);
    assert(st == MLT_OK);
    (void)st;
}

static inline void small_log_note(struct small_log *log, uint64_t size, struct mlt_buf *out) {
    struct mlt_checkpoint c = {.size = size};
    (void)snprintf(c.origin, sizeof(c.origin), "%s", log->signer.vkey.name);
    small_log_root(log, size, c.root);
    enum mlt_status st = mlt_checkpoint_sign(out, &c, &log->signer, NULL);
    assert(st == MLT_OK);
    (void)st;
}

// small_log_request makes the body that asks to cosign `size` coming from `old`.
static inline void small_log_request(struct small_log *log, uint64_t old, uint64_t size, struct mlt_buf *out) {
    struct mlt_buf note = {0};
    struct mlt_add_checkpoint request = {.old_size = old};
    struct mlt_hash_source src = small_log_hashes(log);
    small_log_note(log, size, &note);
    if (old > 0 && old < size) {
        enum mlt_status st = mlt_merkle_prove_consistency(&src, old, size, &request.proof, NULL);
        assert(st == MLT_OK);
        (void)st;
    }
    request.note = mlt_buf_bytes(&note);
    mlt_add_checkpoint_format(out, &request);
    mlt_buf_clear(&note);
}

static inline void small_log_clear(struct small_log *log) {
    mlt_signer_clear(&log->signer);
}

#endif
