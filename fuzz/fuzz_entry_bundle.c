// links: mlt_verify
//
// A bundle is taken whole or not at all: the tree then has the root of its entries added one by one, or the old one.
#include <stdlib.h>
#include <string.h>

#include "mltrail/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

// Adds entry by entry as long as they are whole; true when that is all of it.
static bool add_one_by_one(struct mltrail_tree *tree, const uint8_t *data, size_t size) {
    while (size >= 2) {
        size_t len = (size_t)data[0] << 8 | data[1];
        if (len > size - 2) {
            return false;
        }
        require(mltrail_tree_add(tree, data + 2, len, NULL) == MLTRAIL_OK);
        data += 2 + len;
        size -= 2 + len;
    }
    return size == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mltrail_tree *tree;
    struct mltrail_tree *slow = NULL;
    uint8_t root[MLTRAIL_HASH_LEN];
    uint8_t want[MLTRAIL_HASH_LEN];
    size_t num;
    require(mltrail_tree_new(&tree, NULL) == MLTRAIL_OK && mltrail_tree_new(&slow, NULL) == MLTRAIL_OK);
    mltrail_tree_root(slow, want);
    bool whole = add_one_by_one(slow, data, size);
    enum mltrail_status st = mltrail_tree_add_bundle(tree, &num, data, size, NULL);
    require((st == MLTRAIL_OK) == whole && num == mltrail_tree_size(tree) && mltrail_tree_check(tree));
    if (whole) {
        mltrail_tree_root(slow, want);
    }
    mltrail_tree_root(tree, root);
    require(memcmp(root, want, sizeof(root)) == 0);
    mltrail_tree_free(tree);
    mltrail_tree_free(slow);
    return 0;
}
