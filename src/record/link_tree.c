#include "record/link_tree.h"

#include <assert.h>
#include <stdlib.h>

#define LEAVES_CAP_MIN 1024

static enum mlt_status reserve(struct mlt_link_leaves *leaves, size_t more, struct mlt_error *err) {
    if (more <= leaves->cap - leaves->num) {
        return MLT_OK;
    }
    size_t cap = leaves->cap < LEAVES_CAP_MIN ? LEAVES_CAP_MIN : leaves->cap;
    while (cap - leaves->num < more && cap <= SIZE_MAX / 2 / sizeof(*leaves->leaf)) {
        cap *= 2;
    }
    struct mlt_link_leaf *grown = cap - leaves->num < more ? NULL : realloc(leaves->leaf, cap * sizeof(*grown));
    if (!grown) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu links", leaves->num + more);
    }
    leaves->leaf = grown;
    leaves->cap = cap;
    return MLT_OK;
}

enum mlt_status mlt_link_leaves_put(struct mlt_link_leaves *leaves, uint64_t index, const struct mlt_link *links,
                                    size_t num, struct mlt_error *err) {
    enum mlt_status status = reserve(leaves, num, err);
    for (size_t i = 0; i < num && status == MLT_OK; i++) {
        leaves->leaf[leaves->num++] = (struct mlt_link_leaf){.link = links[i], .entry = index};
    }
    return status;
}

enum mlt_status mlt_link_leaves_add(struct mlt_link_leaves *leaves, uint64_t index, struct mlt_bytes entry,
                                    struct mlt_arena *scratch, struct mlt_error *err) {
    struct mlt_link links[MLT_TERMS_MAX];
    struct mlt_entry e;
    size_t num = 0;
    enum mlt_status status = mlt_entry_parse(&e, scratch, entry, err);
    if (status == MLT_OK) {
        status = mlt_entry_links(&e, scratch, links, &num, err);
        mlt_entry_clear(&e);
    }
    if (status == MLT_OK) {
        status = mlt_link_leaves_put(leaves, index, links, num, err);
    }
    return status == MLT_OK ? MLT_OK : mlt_context(err, status, "links of entry %llu", (unsigned long long)index);
}

static int compare(const void *a, const void *b) {
    return mlt_link_leaf_compare(a, b);
}

void mlt_link_leaves_sort(struct mlt_link_leaves *leaves) {
    if (leaves->num > 1) {
        qsort(leaves->leaf, leaves->num, sizeof(*leaves->leaf), compare);
    }
}

void mlt_link_leaves_clear(struct mlt_link_leaves *leaves) {
    if (leaves) {
        free(leaves->leaf);
        *leaves = (struct mlt_link_leaves){0};
    }
}

void mlt_link_leaf_hash(uint8_t out[static MLT_HASH_LEN], const struct mlt_link_leaf *leaf) {
    uint8_t bytes[MLT_LINK_LEAF_LEN];
    mlt_link_leaf_encode(bytes, leaf);
    mlt_merkle_leaf(out, mlt_bytes_of(bytes, sizeof(bytes)));
}

// The first position in [from, num) whose leaf is not below `key`.
static enum mlt_status lower_bound(const struct mlt_link_access *tree, const struct mlt_link_leaf *key, uint64_t from,
                                   uint64_t *out, struct mlt_error *err) {
    uint64_t low = from;
    uint64_t high = tree->num_leaves;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct mlt_link_leaf leaf;
        enum mlt_status status = tree->leaves(tree->ctx, middle, 1, &leaf, err);
        if (status != MLT_OK) {
            return status;
        }
        if (mlt_link_leaf_compare(&leaf, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out = low;
    return MLT_OK;
}

enum mlt_status mlt_link_find(const struct mlt_link_access *tree, const struct mlt_link *link, uint64_t *at,
                              uint64_t *count, struct mlt_error *err) {
    const struct mlt_link_leaf first = {.link = *link, .entry = 0};
    const struct mlt_link_leaf last = {.link = *link, .entry = UINT64_MAX}; // no entry has this index
    uint64_t end = 0;
    enum mlt_status status = lower_bound(tree, &first, 0, at, err);
    if (status == MLT_OK) {
        status = lower_bound(tree, &last, *at, &end, err);
    }
    *count = status == MLT_OK ? end - *at : 0;
    return status;
}

// A hash source over an access. Proofs of neighbours meet the same leaves, so the last tile of level 0 is kept.
struct link_hashes {
    const struct mlt_link_access *tree;
    uint64_t first;
    size_t count;
    uint8_t hash[MLT_TILE_WIDTH][MLT_HASH_LEN];
};

static enum mlt_status load_tile(struct link_hashes *s, uint64_t first, size_t count, struct mlt_error *err) {
    struct mlt_link_leaf leaves[MLT_TILE_WIDTH];
    s->count = 0;
    enum mlt_status status = s->tree->leaves(s->tree->ctx, first, count, leaves, err);
    for (size_t i = 0; i < count && status == MLT_OK; i++) {
        mlt_link_leaf_hash(s->hash[i], &leaves[i]);
    }
    if (status == MLT_OK) {
        s->first = first;
        s->count = count;
    }
    return status;
}

static enum mlt_status read_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    struct link_hashes *s = ctx;
    if (level > 0) {
        return s->tree->hashes(s->tree->ctx, level, first, count, out, err);
    }
    assert(count <= MLT_TILE_WIDTH);
    enum mlt_status status = MLT_OK;
    if (first < s->first || first + count > s->first + s->count) {
        status = load_tile(s, first, count, err);
    }
    if (status == MLT_OK) {
        memcpy(out, s->hash[first - s->first], count * MLT_HASH_LEN);
    }
    return status;
}

static enum mlt_status witness(struct link_hashes *hashes, uint64_t at, struct mlt_link_witness *out,
                               struct mlt_error *err) {
    const struct mlt_hash_source src = {.ctx = hashes, .read = read_hashes};
    const struct mlt_link_access *tree = hashes->tree;
    out->at = at;
    enum mlt_status status = tree->leaves(tree->ctx, at, 1, &out->leaf, err);
    return status ? status : mlt_merkle_prove_inclusion(&src, at, tree->num_leaves, &out->proof, err);
}

static enum mlt_status show(struct link_hashes *hashes, size_t max_shown, struct mlt_arena *arena,
                            struct mlt_link_proof *p, struct mlt_error *err) {
    size_t num = p->count < max_shown ? (size_t)p->count : max_shown;
    if (num == 0) {
        return MLT_OK;
    }
    struct mlt_link_witness *shown =
        num <= SIZE_MAX / sizeof(*shown) ? mlt_arena_take(arena, num * sizeof(*shown)) : NULL;
    if (!shown) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the proofs of %zu links", num);
    }
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < num && status == MLT_OK; i++) {
        status = witness(hashes, p->at + (p->count - num) + i, &shown[i], err);
    }
    p->shown = shown;
    p->num_shown = num;
    return status;
}

enum mlt_status mlt_link_prove(const struct mlt_link_access *tree, const struct mlt_link *link, size_t max_shown,
                               struct mlt_arena *arena, struct mlt_link_proof *out, struct mlt_error *err) {
    struct link_hashes hashes = {.tree = tree, .count = 0};
    *out = (struct mlt_link_proof){0};
    enum mlt_status status = mlt_link_find(tree, link, &out->at, &out->count, err);
    if (status == MLT_OK && out->at > 0) {
        out->has_before = true;
        status = witness(&hashes, out->at - 1, &out->before, err);
    }
    if (status == MLT_OK) {
        status = show(&hashes, max_shown, arena, out, err);
    }
    if (status == MLT_OK && out->at + out->count < tree->num_leaves) {
        out->has_after = true;
        status = witness(&hashes, out->at + out->count, &out->after, err);
    }
    return status;
}

void mlt_link_hasher_init(struct mlt_link_hasher *h) {
    h->frontier.size = 0;
    h->frontier.num_hashes = 0;
}

int mlt_link_hasher_add(struct mlt_link_hasher *h, const struct mlt_link_leaf *leaf,
                        uint8_t tile_roots[static MLT_TILE_LEVELS][MLT_HASH_LEN]) {
    uint8_t hash[MLT_HASH_LEN];
    if (h->frontier.size > 0 && mlt_link_leaf_compare(&h->last, leaf) >= 0) {
        return -1;
    }
    h->last = *leaf;
    mlt_link_leaf_hash(hash, leaf);
    return (int)mlt_frontier_add(&h->frontier, hash, tile_roots);
}

void mlt_link_hasher_root(const struct mlt_link_hasher *h, uint8_t out[static MLT_HASH_LEN]) {
    mlt_frontier_root(&h->frontier, out);
}

enum mlt_status mlt_link_tree_build(struct mlt_link_tree *tree, struct mlt_link_leaves *leaves, struct mlt_error *err) {
    struct mlt_link_hasher hasher;
    uint8_t tile_roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    mlt_link_tree_clear(tree);
    tree->leaves = *leaves;
    *leaves = (struct mlt_link_leaves){0};
    mlt_link_leaves_sort(&tree->leaves);
    mlt_link_hasher_init(&hasher);
    for (size_t i = 0; i < tree->leaves.num; i++) {
        int num = mlt_link_hasher_add(&hasher, &tree->leaves.leaf[i], tile_roots);
        if (num < 0) {
            return mlt_fail(err, MLT_INVALID, "entry %llu has the same link twice",
                            (unsigned long long)tree->leaves.leaf[i].entry);
        }
        for (int l = 0; l < num; l++) {
            mlt_buf_put(&tree->hashes[l], tile_roots[l], MLT_HASH_LEN);
        }
    }
    bool failed = false;
    for (unsigned l = 0; l < MLT_TILE_LEVELS; l++) {
        failed = failed || tree->hashes[l].failed;
    }
    mlt_link_hasher_root(&hasher, tree->root);
    return failed ? mlt_fail(err, MLT_NOMEM, "no memory for the tree of %zu links", tree->leaves.num) : MLT_OK;
}

void mlt_link_tree_clear(struct mlt_link_tree *tree) {
    if (tree) {
        mlt_link_leaves_clear(&tree->leaves);
        for (unsigned l = 0; l < MLT_TILE_LEVELS; l++) {
            mlt_buf_clear(&tree->hashes[l]);
        }
    }
}

static enum mlt_status tree_leaves(void *ctx, uint64_t first, size_t count, struct mlt_link_leaf *out,
                                   struct mlt_error *err) {
    const struct mlt_link_tree *tree = ctx;
    (void)err;
    assert(first <= tree->leaves.num && count <= tree->leaves.num - first);
    memcpy(out, &tree->leaves.leaf[first], count * sizeof(*out));
    return MLT_OK;
}

static enum mlt_status tree_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    const struct mlt_link_tree *tree = ctx;
    (void)err;
    assert(level >= 1 && level <= MLT_TILE_LEVELS);
    const struct mlt_buf *hashes = &tree->hashes[level - 1];
    assert((first + count) * MLT_HASH_LEN <= hashes->len);
    memcpy(out, hashes->data + first * MLT_HASH_LEN, count * MLT_HASH_LEN);
    return MLT_OK;
}

struct mlt_link_access mlt_link_tree_access(struct mlt_link_tree *tree) {
    return (struct mlt_link_access){
        .ctx = tree, .num_leaves = tree->leaves.num, .leaves = tree_leaves, .hashes = tree_hashes};
}
