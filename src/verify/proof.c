// Merkle proofs, offline proofs, payload commitments.
#include <assert.h>

#include "crypto/seal.h"
#include "verify/private.h"

static_assert(MLTRAIL_NAME_MAX == MLT_SEAL_NAME_MAX, "the public limit is that of the layer beneath");

void mltrail_leaf_hash(uint8_t out[MLTRAIL_HASH_LEN], const void *entry, size_t entry_len) {
    mlt_merkle_leaf(out, mlt_public_bytes(entry, entry_len));
}

static void climb_inclusion(struct mltrail_verdict *verdict, uint64_t index, uint64_t size, const uint8_t *root,
                            const uint8_t *leaf, const struct mlt_proof *proof) {
    size_t want_len = mlt_merkle_inclusion_len(index, size);
    if (index >= size) {
        mlt_verdict_refuse(verdict, MLTRAIL_INDEX_BEYOND_TREE,
                           "index %llu is beyond the tree, which has %llu entries (the first has index 0)",
                           (unsigned long long)index, (unsigned long long)size);
        return;
    }
    if (proof->num_hashes != want_len) {
        mlt_verdict_refuse(verdict, MLTRAIL_PROOF_LENGTH,
                           "the proof has %zu hashes, one for entry %llu of %llu has %zu", proof->num_hashes,
                           (unsigned long long)index, (unsigned long long)size, want_len);
        return;
    }
    if (!mlt_merkle_verify_inclusion(index, size, leaf, proof, root)) {
        mlt_verdict_refuse(verdict, MLTRAIL_OTHER_ROOT,
                           "entry and proof do not lead to the root: it is another entry, place or tree");
        return;
    }
    mlt_verdict_hold(verdict);
}

// More hashes than fit are counted and not copied: no proof has so many, which is for the ladder to say.
static void take_hashes(struct mlt_proof *out, const uint8_t *hashes, size_t num_hashes) {
    out->num_hashes = num_hashes;
    for (size_t i = 0; i < num_hashes && i < MLT_PROOF_MAX; i++) {
        memcpy(out->hash[i], hashes + i * MLT_HASH_LEN, MLT_HASH_LEN);
    }
}

enum mltrail_status mltrail_verify_inclusion(struct mltrail_verdict *verdict, uint64_t index, uint64_t size,
                                             const uint8_t root[MLTRAIL_HASH_LEN], const uint8_t leaf[MLTRAIL_HASH_LEN],
                                             const uint8_t *hashes, size_t num_hashes, struct mltrail_error *err) {
    struct mlt_proof proof;
    mlt_verdict_begin(verdict);
    take_hashes(&proof, hashes, num_hashes);
    climb_inclusion(verdict, index, size, root, leaf, &proof);
    return mlt_public_fail(err, MLT_OK, NULL);
}

static void climb_consistency(struct mltrail_verdict *verdict, uint64_t size1, const uint8_t *root1, uint64_t size2,
                              const uint8_t *root2, const struct mlt_proof *proof) {
    size_t want_len = mlt_merkle_consistency_len(size1, size2);
    if (size1 == 0) {
        mlt_verdict_refuse(verdict, MLTRAIL_EMPTY_TREE, "the first tree is empty, from which nothing follows");
        return;
    }
    if (size1 > size2) {
        mlt_verdict_refuse(verdict, MLTRAIL_SHRUNK, "the first tree has %llu entries, the later one only %llu",
                           (unsigned long long)size1, (unsigned long long)size2);
        return;
    }
    if (size1 == size2 && !mlt_memeql(root1, root2, MLT_HASH_LEN)) {
        mlt_verdict_refuse(verdict, MLTRAIL_SPLIT_VIEW, "there are two roots for the size %llu: two histories",
                           (unsigned long long)size1);
        return;
    }
    if (proof->num_hashes != want_len) {
        mlt_verdict_refuse(verdict, MLTRAIL_PROOF_LENGTH,
                           "the proof has %zu hashes, one from size %llu to %llu has %zu", proof->num_hashes,
                           (unsigned long long)size1, (unsigned long long)size2, want_len);
        return;
    }
    if (!mlt_merkle_verify_consistency(size1, size2, proof, root1, root2)) {
        mlt_verdict_refuse(verdict, MLTRAIL_NOT_CONSISTENT,
                           "the proof does not lead from the first root to the second");
        return;
    }
    mlt_verdict_hold(verdict);
}

enum mltrail_status mltrail_verify_consistency(struct mltrail_verdict *verdict, uint64_t size1,
                                               const uint8_t root1[MLTRAIL_HASH_LEN], uint64_t size2,
                                               const uint8_t root2[MLTRAIL_HASH_LEN], const uint8_t *hashes,
                                               size_t num_hashes, struct mltrail_error *err) {
    struct mlt_proof proof;
    mlt_verdict_begin(verdict);
    take_hashes(&proof, hashes, num_hashes);
    climb_consistency(verdict, size1, root1, size2, root2, &proof);
    return mlt_public_fail(err, MLT_OK, NULL);
}

// The checkpoint is opened first: a size and a root that nobody signed say nothing about the entry.
static enum mltrail_status judge_tlog_proof(struct mltrail_verdict *verdict, struct mltrail_checkpoint *checkpoint,
                                            const struct mltrail_trust *trust, const struct mlt_tlog_proof *proof,
                                            struct mlt_bytes entry, struct mltrail_error *err) {
    uint8_t leaf[MLT_HASH_LEN];
    enum mltrail_status st =
        mltrail_verify_checkpoint(verdict, checkpoint, trust, proof->checkpoint.ptr, proof->checkpoint.len, err);
    if (st || !verdict->holds) {
        return st;
    }
    mlt_verdict_begin(verdict);
    mlt_merkle_leaf(leaf, entry);
    climb_inclusion(verdict, proof->index, checkpoint->size, checkpoint->root, leaf, &proof->proof);
    return MLTRAIL_OK;
}

enum mltrail_status mltrail_verify_tlog_proof(struct mltrail_verdict *verdict, uint64_t *index,
                                              struct mltrail_checkpoint *checkpoint, const struct mltrail_trust *trust,
                                              const void *proof, size_t proof_len, const void *entry, size_t entry_len,
                                              struct mltrail_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_error detail = {0};
    struct mlt_tlog_proof parsed;
    struct mltrail_checkpoint found = {0};
    mlt_verdict_begin(verdict);
    if (index) {
        *index = 0;
    }
    if (checkpoint) {
        memset(checkpoint, 0, sizeof(*checkpoint));
    }
    enum mltrail_status st = mlt_public_fail(
        err, mlt_tlog_proof_parse(&parsed, &arena, mlt_public_bytes(proof, proof_len), &detail), &detail);
    if (!st) {
        st = judge_tlog_proof(verdict, &found, trust, &parsed, mlt_public_bytes(entry, entry_len), err);
    }
    if (verdict->holds && index) {
        *index = parsed.index;
    }
    if (verdict->holds && checkpoint) {
        *checkpoint = found;
    }
    mlt_arena_clear(&arena);
    return st;
}

enum mltrail_status mltrail_verify_commitment(struct mltrail_verdict *verdict,
                                              const uint8_t commitment[MLTRAIL_HASH_LEN],
                                              const uint8_t salt[MLTRAIL_HASH_LEN], const void *name, size_t name_len,
                                              const void *value, size_t value_len, struct mltrail_error *err) {
    struct mlt_error detail = {0};
    uint8_t made[MLT_HASH_LEN];
    mlt_verdict_begin(verdict);
    if (name_len > MLT_SEAL_NAME_MAX) {
        enum mlt_status st = mlt_fail(&detail, MLT_LIMIT, "the name has %zu bytes, a member's has at most %d", name_len,
                                      MLT_SEAL_NAME_MAX);
        return mlt_public_fail(err, st, &detail);
    }
    mlt_seal_commit(made, salt, mlt_public_bytes(name, name_len), mlt_public_bytes(value, value_len));
    if (mlt_memeql(made, commitment, sizeof(made))) {
        mlt_verdict_hold(verdict);
    } else {
        mlt_verdict_refuse(verdict, MLTRAIL_OTHER_COMMITMENT,
                           "name, salt and value are not those that the entry commits to");
    }
    return mlt_public_fail(err, MLT_OK, NULL);
}
