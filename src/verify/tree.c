// Trees that are computed again from their entries.
#include <stdlib.h>

#include "verify/private.h"

struct mltrail_tree {
    struct mlt_frontier frontier;
};

enum mltrail_status mltrail_tree_new(struct mltrail_tree **out, struct mltrail_error *err) {
    struct mlt_error detail = {0};
    *out = calloc(1, sizeof(**out));
    return mlt_public_fail(err, *out ? MLT_OK : mlt_fail(&detail, MLT_NOMEM, "no memory for a tree"), &detail);
}

void mltrail_tree_free(struct mltrail_tree *tree) {
    free(tree);
}

enum mltrail_status mltrail_tree_add(struct mltrail_tree *tree, const void *entry, size_t entry_len,
                                     struct mltrail_error *err) {
    struct mlt_error detail = {0};
    uint8_t leaf[MLT_HASH_LEN];
    uint8_t tile_roots[MLT_TILE_LEVELS][MLT_HASH_LEN]; // of no use here
    if (tree->frontier.size >= MLT_TREE_MAX) {
        return mlt_public_fail(err, mlt_fail(&detail, MLT_LIMIT, "a tree holds at most 2^62 entries"), &detail);
    }
    mlt_merkle_leaf(leaf, mlt_public_bytes(entry, entry_len));
    (void)mlt_frontier_add(&tree->frontier, leaf, tile_roots);
    return mlt_public_fail(err, MLT_OK, NULL);
}

uint64_t mltrail_tree_size(const struct mltrail_tree *tree) {
    return tree->frontier.size;
}

void mltrail_tree_root(const struct mltrail_tree *tree, uint8_t out[MLTRAIL_HASH_LEN]) {
    mlt_frontier_root(&tree->frontier, out);
}

bool mltrail_tree_check(const struct mltrail_tree *tree) {
    return mlt_frontier_check(&tree->frontier) && tree->frontier.size <= MLT_TREE_MAX;
}
