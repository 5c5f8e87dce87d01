// The tree of a segment's links: its leaves in order, its hashes, and proofs from them. Pure; the leaves may lie in
// memory or in a file.
#ifndef MLT_RECORD_LINK_TREE_H
#define MLT_RECORD_LINK_TREE_H

#include "record/entry.h"

// Leaves as they are gathered, entry after entry. Zero-initialised is empty.
struct mlt_link_leaves {
    struct mlt_link_leaf *leaf;
    size_t num;
    size_t cap;
};
// mlt_link_leaves_add appends the links of one entry. MLT_CORRUPT: the bytes are no entry.
enum mlt_status mlt_link_leaves_add(struct mlt_link_leaves *leaves, uint64_t index, struct mlt_bytes entry,
                                    struct mlt_arena *scratch, struct mlt_error *err) MLT_MUST_USE;
// mlt_link_leaves_put appends links that were taken from entry `index` before.
enum mlt_status mlt_link_leaves_put(struct mlt_link_leaves *leaves, uint64_t index, const struct mlt_link *links,
                                    size_t num, struct mlt_error *err) MLT_MUST_USE;
// mlt_link_leaves_sort puts them in the order of the tree.
void mlt_link_leaves_sort(struct mlt_link_leaves *leaves);
void mlt_link_leaves_clear(struct mlt_link_leaves *leaves);

// mlt_link_leaf_hash is the RFC 6962 leaf hash of a leaf's 40 bytes.
void mlt_link_leaf_hash(uint8_t out[static MLT_HASH_LEN], const struct mlt_link_leaf *leaf);

// How a sorted tree is read: `leaves` gives `count` consecutive leaves from `first`; `hashes` gives hashes of tile
// levels 1 and up, as struct mlt_hash_source does (level 0 is computed from the leaves). Thread-safe as they are.
struct mlt_link_access {
    void *ctx;
    uint64_t num_leaves;
    enum mlt_status (*leaves)(void *ctx, uint64_t first, size_t count, struct mlt_link_leaf *out,
                              struct mlt_error *err);
    enum mlt_status (*hashes)(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                              struct mlt_error *err);
};

// mlt_link_find says where the leaves with `link` are: `*at` is the first one, or where it would be.
enum mlt_status mlt_link_find(const struct mlt_link_access *tree, const struct mlt_link *link, uint64_t *at,
                              uint64_t *count, struct mlt_error *err) MLT_MUST_USE;
// mlt_link_prove proves all leaves with `link`. Shown are those of the newest entries, at most `max_shown`; their
// memory is in `arena`.
enum mlt_status mlt_link_prove(const struct mlt_link_access *tree, const struct mlt_link *link, size_t max_shown,
                               struct mlt_arena *arena, struct mlt_link_proof *out, struct mlt_error *err) MLT_MUST_USE;

// Hashes of a tree as its leaves come by in order: the root at the end, and each hash of a tile level as soon as it is
// complete.
struct mlt_link_hasher {
    struct mlt_frontier frontier;
    struct mlt_link_leaf last; // to see that they ascend
};
void mlt_link_hasher_init(struct mlt_link_hasher *h);
// mlt_link_hasher_add gives the hashes of tile levels 1, 2, … that the leaf completes, and how many; -1 when the leaf
// does not come after the one before.
int mlt_link_hasher_add(struct mlt_link_hasher *h, const struct mlt_link_leaf *leaf,
                        uint8_t tile_roots[static MLT_TILE_LEVELS][MLT_HASH_LEN]);
void mlt_link_hasher_root(const struct mlt_link_hasher *h, uint8_t out[static MLT_HASH_LEN]);

// A whole tree in memory: small segments, tests, and whoever recomputes a commitment. Zero-initialised is empty.
struct mlt_link_tree {
    struct mlt_link_leaves leaves; // sorted
    struct mlt_buf hashes[MLT_TILE_LEVELS];
    uint8_t root[MLT_HASH_LEN];
};
// mlt_link_tree_build takes the leaves, sorts and hashes them; `leaves` is empty after it. MLT_INVALID: two are equal.
enum mlt_status mlt_link_tree_build(struct mlt_link_tree *tree, struct mlt_link_leaves *leaves,
                                    struct mlt_error *err) MLT_MUST_USE;
void mlt_link_tree_clear(struct mlt_link_tree *tree);
struct mlt_link_access mlt_link_tree_access(struct mlt_link_tree *tree); // valid until it is cleared

#endif
