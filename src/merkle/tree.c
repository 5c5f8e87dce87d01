// Hashes of RFC 6962 section 2.1 and the frontier of a growing tree.
#include <assert.h>

#include "merkle/merkle.h"

static const uint8_t LEAF_PREFIX[1] = {0x00};
static const uint8_t NODE_PREFIX[1] = {0x01};

void mlt_merkle_leaf(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes entry) {
    const struct mlt_bytes parts[] = {{LEAF_PREFIX, 1}, entry};
    mlt_sha256(out, parts, 2);
}

void mlt_merkle_leaf_at(uint8_t out[static MLT_HASH_LEN], uint8_t *entry, size_t entry_len) {
    uint8_t borrowed = entry[-1];
    entry[-1] = LEAF_PREFIX[0];
    mlt_sha256_one(out, mlt_bytes_of(entry - 1, entry_len + 1));
    entry[-1] = borrowed;
}

void mlt_merkle_node(uint8_t out[static MLT_HASH_LEN], const uint8_t left[static MLT_HASH_LEN],
                     const uint8_t right[static MLT_HASH_LEN]) {
    // One slice instead of three: this is the innermost step of every commit and proof.
    uint8_t joined[1 + 2 * MLT_HASH_LEN];
    joined[0] = NODE_PREFIX[0];
    memcpy(joined + 1, left, MLT_HASH_LEN);
    memcpy(joined + 1 + MLT_HASH_LEN, right, MLT_HASH_LEN);
    mlt_sha256_one(out, mlt_bytes_of(joined, sizeof(joined)));
}

void mlt_merkle_empty(uint8_t out[static MLT_HASH_LEN]) {
    mlt_sha256(out, NULL, 0);
}

static size_t count_bits(uint64_t v) {
    size_t n = 0;
    for (; v != 0; v &= v - 1) {
        n++;
    }
    return n;
}

bool mlt_frontier_check(const struct mlt_frontier *f) {
    return f->size <= MLT_TREE_MAX && f->num_hashes == count_bits(f->size);
}

void mlt_merkle_tile_root(uint8_t out[static MLT_HASH_LEN], const uint8_t *hashes) {
    uint8_t row[MLT_TILE_WIDTH / 2][MLT_HASH_LEN];
    for (size_t i = 0; i < MLT_TILE_WIDTH / 2; i++) {
        mlt_merkle_node(row[i], hashes + 2 * i * MLT_HASH_LEN, hashes + (2 * i + 1) * MLT_HASH_LEN);
    }
    for (size_t n = MLT_TILE_WIDTH / 4; n > 0; n /= 2) {
        for (size_t i = 0; i < n; i++) {
            mlt_merkle_node(row[i], row[2 * i], row[2 * i + 1]);
        }
    }
    memcpy(out, row[0], MLT_HASH_LEN);
}

size_t mlt_frontier_add_subtree(struct mlt_frontier *f, unsigned level, const uint8_t root[static MLT_HASH_LEN],
                                uint8_t (*tile_roots)[MLT_HASH_LEN]) {
    assert(mlt_frontier_check(f) && f->size < MLT_TREE_MAX && f->size % (UINT64_C(1) << level) == 0);
    uint8_t hash[MLT_HASH_LEN];
    size_t num_roots = 0;
    memcpy(hash, root, MLT_HASH_LEN);
    if (tile_roots && level > 0 && level % MLT_TILE_HEIGHT == 0) {
        memcpy(tile_roots[num_roots++], hash, MLT_HASH_LEN);
    }
    // Adding one to a binary number: every trailing 1 is a subtree that now has its right sibling.
    for (unsigned height = level + 1; f->size >> (height - 1) & 1; height++) {
        f->num_hashes--;
        mlt_merkle_node(hash, f->hash[f->num_hashes], hash);
        if (tile_roots && height % MLT_TILE_HEIGHT == 0) {
            memcpy(tile_roots[num_roots++], hash, MLT_HASH_LEN);
        }
    }
    memcpy(f->hash[f->num_hashes++], hash, MLT_HASH_LEN);
    f->size += UINT64_C(1) << level;
    assert(mlt_frontier_check(f));
    return num_roots;
}

size_t mlt_frontier_add(struct mlt_frontier *f, const uint8_t leaf[static MLT_HASH_LEN],
                        uint8_t (*tile_roots)[MLT_HASH_LEN]) {
    return mlt_frontier_add_subtree(f, 0, leaf, tile_roots);
}

void mlt_frontier_root(const struct mlt_frontier *f, uint8_t out[static MLT_HASH_LEN]) {
    assert(mlt_frontier_check(f));
    if (f->num_hashes == 0) {
        mlt_merkle_empty(out);
        return;
    }
    memcpy(out, f->hash[f->num_hashes - 1], MLT_HASH_LEN);
    for (size_t i = f->num_hashes - 1; i > 0; i--) {
        mlt_merkle_node(out, f->hash[i - 1], out);
    }
}
