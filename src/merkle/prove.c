// Roots and proofs from stored hashes.
//
// Only every eighth height of the tree is stored (tile levels); hashes between are recomputed from one row, which is
// the stored hashes of one tile. The way from a leaf to the root meets one tile per level, so it reads one row per
// level; the right edge of the tree, which is stored nowhere as a whole, adds at most one short read per level.
#include <assert.h>

#include "merkle/merkle.h"

struct row {
    bool loaded;
    unsigned level;
    uint64_t first;
    size_t count;
    uint8_t hash[MLT_TILE_WIDTH][MLT_HASH_LEN];
};

static enum mlt_status row_load(struct row *row, const struct mlt_hash_source *src, unsigned level, uint64_t first,
                                size_t count, struct mlt_error *err) {
    assert(count >= 1 && count <= MLT_TILE_WIDTH);
    row->loaded = false;
    enum mlt_status st = src->read(src->ctx, level, first, count, row->hash[0], err);
    if (st) {
        return mlt_context(err, st, "read %zu hashes of tile level %u from %llu", count, level,
                           (unsigned long long)first);
    }
    row->level = level;
    row->first = first;
    row->count = count;
    row->loaded = true;
    return MLT_OK;
}

// The root over hashes [at, at + 2^height) of the row.
static void row_subtree(const struct row *row, size_t at, unsigned height, uint8_t out[static MLT_HASH_LEN]) {
    assert(height <= MLT_TILE_HEIGHT && at + ((size_t)1 << height) <= row->count);
    uint8_t pending[MLT_TILE_HEIGHT + 1][MLT_HASH_LEN]; // one per height, as in a frontier
    size_t num_pending = 0;
    for (size_t i = 0; i < (size_t)1 << height; i++) {
        memcpy(pending[num_pending++], row->hash[at + i], MLT_HASH_LEN);
        for (size_t done = i + 1; done % 2 == 0; done /= 2) {
            num_pending--;
            mlt_merkle_node(pending[num_pending - 1], pending[num_pending - 1], pending[num_pending]);
        }
    }
    assert(num_pending == 1);
    memcpy(out, pending[0], MLT_HASH_LEN);
}

// The subtrees that make up leaves [begin, begin + len), largest first. `begin` is a multiple of some power of two that
// is not less than `len`: a subtree of the whole tree, cut at its right edge.
static enum mlt_status range_frontier(const struct mlt_hash_source *src, struct row *row, uint64_t begin, uint64_t len,
                                      struct mlt_frontier *out, struct mlt_error *err) {
    out->size = len;
    out->num_hashes = 0;
    for (unsigned level = MLT_TILE_LEVELS; level-- > 0;) {
        uint64_t at_level = len >> (MLT_TILE_HEIGHT * level);
        size_t count = at_level % MLT_TILE_WIDTH; // what the level above does not cover already
        if (count == 0) {
            continue;
        }
        uint64_t first = (begin >> (MLT_TILE_HEIGHT * level)) + (at_level - count);
        enum mlt_status st = row_load(row, src, level, first, count, err);
        if (st) {
            return st;
        }
        size_t at = 0;
        for (unsigned height = MLT_TILE_HEIGHT; height-- > 0;) {
            if (count >> height & 1) {
                row_subtree(row, at, height, out->hash[out->num_hashes++]);
                at += (size_t)1 << height;
            }
        }
    }
    assert(mlt_frontier_check(out));
    return MLT_OK;
}

static enum mlt_status check_size(uint64_t size, struct mlt_error *err) {
    if (size > MLT_TREE_MAX) {
        return mlt_fail(err, MLT_INVALID, "a tree of %llu leaves is over the limit of 2^62", (unsigned long long)size);
    }
    return MLT_OK;
}

enum mlt_status mlt_merkle_frontier(const struct mlt_hash_source *src, uint64_t size, struct mlt_frontier *out,
                                    struct mlt_error *err) {
    struct row row;
    enum mlt_status st = check_size(size, err);
    return st ? st : range_frontier(src, &row, 0, size, out, err);
}

enum mlt_status mlt_merkle_root(const struct mlt_hash_source *src, uint64_t size, uint8_t out[static MLT_HASH_LEN],
                                struct mlt_error *err) {
    struct mlt_frontier f;
    enum mlt_status st = mlt_merkle_frontier(src, size, &f, err);
    if (!st) {
        mlt_frontier_root(&f, out);
    }
    return st;
}

// The hash of the complete subtree `number` of `height`, out of the row of the tile that holds it.
static enum mlt_status complete_subtree(const struct mlt_hash_source *src, struct row *row, unsigned height,
                                        uint64_t number, uint64_t size, uint8_t out[static MLT_HASH_LEN],
                                        struct mlt_error *err) {
    unsigned level = height / MLT_TILE_HEIGHT;
    unsigned within = height % MLT_TILE_HEIGHT;
    uint64_t first = number << within;
    uint64_t tile = first / MLT_TILE_WIDTH;
    if (!row->loaded || row->level != level || row->first != tile * MLT_TILE_WIDTH) {
        enum mlt_status st = row_load(row, src, level, tile * MLT_TILE_WIDTH, mlt_tile_width(size, level, tile), err);
        if (st) {
            return st;
        }
    }
    row_subtree(row, (size_t)(first - row->first), within, out);
    return MLT_OK;
}

// Appends the siblings on the way from subtree `number` of `height` to the root of the tree of `size` leaves.
static enum mlt_status prove_path(const struct mlt_hash_source *src, struct row *row, unsigned height, uint64_t number,
                                  uint64_t size, struct mlt_proof *out, struct mlt_error *err) {
    struct row edge_row;
    for (; (size - 1) >> height > 0; height++, number >>= 1) {
        uint64_t last = (size - 1) >> height;
        uint64_t sibling = number ^ 1;
        if (sibling > last) {
            continue; // the last node of this height has no sibling and moves up as it is
        }
        assert(out->num_hashes < MLT_PROOF_MAX);
        uint8_t *hash = out->hash[out->num_hashes++];
        uint64_t begin = sibling << height;
        enum mlt_status st;
        if (size - begin >= UINT64_C(1) << height) {
            st = complete_subtree(src, row, height, sibling, size, hash, err);
        } else {
            struct mlt_frontier edge;
            st = range_frontier(src, &edge_row, begin, size - begin, &edge, err);
            if (!st) {
                mlt_frontier_root(&edge, hash);
            }
        }
        if (st) {
            return st;
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_merkle_prove_inclusion(const struct mlt_hash_source *src, uint64_t index, uint64_t size,
                                           struct mlt_proof *out, struct mlt_error *err) {
    struct row row;
    row.loaded = false;
    out->num_hashes = 0;
    enum mlt_status st = check_size(size, err);
    if (st) {
        return st;
    }
    if (index >= size) {
        return mlt_fail(err, MLT_INVALID, "entry %llu is not in a tree of %llu entries (the first is entry 0)",
                        (unsigned long long)index, (unsigned long long)size);
    }
    return prove_path(src, &row, 0, index, size, out, err);
}

enum mlt_status mlt_merkle_prove_consistency(const struct mlt_hash_source *src, uint64_t size1, uint64_t size2,
                                             struct mlt_proof *out, struct mlt_error *err) {
    struct row row;
    row.loaded = false;
    out->num_hashes = 0;
    enum mlt_status st = check_size(size2, err);
    if (st) {
        return st;
    }
    if (size1 == 0 || size1 > size2) {
        return mlt_fail(err, MLT_INVALID, "no consistency proof from size %llu to %llu: the first must be 1..%llu",
                        (unsigned long long)size1, (unsigned long long)size2, (unsigned long long)size2);
    }
    if (size1 == size2) {
        return MLT_OK;
    }
    // The last complete subtree of the old tree: where its right edge ends, and where both trees still agree.
    unsigned height = 0;
    while ((size1 >> height & 1) == 0) {
        height++;
    }
    uint64_t number = (size1 >> height) - 1;
    if (number > 0) {
        st = complete_subtree(src, &row, height, number, size2, out->hash[out->num_hashes++], err);
    }
    return st ? st : prove_path(src, &row, height, number, size2, out, err);
}

enum mlt_status mlt_merkle_subtree(const struct mlt_hash_source *src, uint64_t first, unsigned level,
                                   uint8_t out[static MLT_HASH_LEN], struct mlt_error *err) {
    struct mlt_frontier frontier;
    struct row row = {.loaded = false};
    assert(level < 62 && (first & ((UINT64_C(1) << level) - 1)) == 0);
    enum mlt_status st = range_frontier(src, &row, first, UINT64_C(1) << level, &frontier, err);
    if (!st) {
        assert(frontier.num_hashes == 1);
        memcpy(out, frontier.hash[0], MLT_HASH_LEN);
    }
    return st;
}
