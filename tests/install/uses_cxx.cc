// The public header in a C++ program: it compiles, links without name mangling, and gives an answer.
#include <cstdio>
#include <mltrail/verify.h>

int main() {
    mltrail_tree *tree = nullptr;
    uint8_t one[MLTRAIL_HASH_LEN];
    uint8_t two[MLTRAIL_HASH_LEN];
    uint8_t right[MLTRAIL_HASH_LEN];
    mltrail_verdict verdict;
    if (mltrail_tree_new(&tree, nullptr) != MLTRAIL_OK || mltrail_tree_add(tree, "a", 1, nullptr) != MLTRAIL_OK) {
        return 3;
    }
    mltrail_tree_root(tree, one);
    if (mltrail_tree_add(tree, "b", 1, nullptr) != MLTRAIL_OK) {
        return 3;
    }
    mltrail_tree_root(tree, two);
    mltrail_leaf_hash(right, "b", 1);
    if (mltrail_verify_consistency(&verdict, 1, one, 2, two, right, 1, nullptr) != MLTRAIL_OK) {
        return 3;
    }
    std::puts(mltrail_reason_name(verdict.reason));
    mltrail_tree_free(tree);
    return verdict.holds ? 0 : 1;
}
