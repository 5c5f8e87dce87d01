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

static enum mlt_status check_room(const struct mltrail_tree *tree, size_t num_entries, struct mlt_error *err) {
    return num_entries > MLT_TREE_MAX - tree->frontier.size
               ? mlt_fail(err, MLT_LIMIT, "a tree holds at most 2^62 entries")
               : MLT_OK;
}

static void add_entry(struct mltrail_tree *tree, struct mlt_bytes entry) {
    uint8_t leaf[MLT_HASH_LEN];
    mlt_merkle_leaf(leaf, entry);
    (void)mlt_frontier_add(&tree->frontier, leaf, NULL);
}

enum mltrail_status mltrail_tree_add(struct mltrail_tree *tree, const void *entry, size_t entry_len,
                                     struct mltrail_error *err) {
    struct mlt_error detail = {0};
    enum mlt_status st = check_room(tree, 1, &detail);
    if (!st) {
        add_entry(tree, mlt_public_bytes(entry, entry_len));
    }
    return mlt_public_fail(err, st, &detail);
}

static struct mlt_bytes next_entry(struct mlt_cursor *c) {
    return mlt_cursor_take(c, mlt_cursor_u16be(c));
}

static enum mlt_status count_entries(size_t *out, struct mlt_bytes bundle, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(bundle);
    *out = 0;
    while (mlt_cursor_left(&c) > 0) {
        (void)next_entry(&c);
        if (c.failed) {
            return mlt_fail(err, MLT_INVALID,
                            "the bundle of %zu bytes ends within its entry %zu; an entry is a u16 length and its bytes",
                            bundle.len, *out);
        }
        (*out)++;
    }
    return MLT_OK;
}

enum mltrail_status mltrail_tree_add_bundle(struct mltrail_tree *tree, size_t *num_entries, const void *bundle,
                                            size_t bundle_len, struct mltrail_error *err) {
    struct mlt_error detail = {0};
    struct mlt_bytes bytes = mlt_public_bytes(bundle, bundle_len);
    size_t num = 0;
    *num_entries = 0;
    // Counted first, so that a broken bundle leaves the tree as it was.
    enum mlt_status st = count_entries(&num, bytes, &detail);
    if (!st) {
        st = check_room(tree, num, &detail);
    }
    if (!st) {
        struct mlt_cursor c = mlt_cursor_of(bytes);
        for (size_t i = 0; i < num; i++) {
            add_entry(tree, next_entry(&c));
        }
        *num_entries = num;
    }
    return mlt_public_fail(err, st, &detail);
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
