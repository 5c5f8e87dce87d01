// What entries say in their details. The segments' trees are made from entries alone; an entry that was too long for
// that has the link of MLT_DIM_PARTIAL, and whoever asks what refers to a thing has to look into it.
#include <stdlib.h>

#include "bundle/bundle_parts.h"

// A log has few of these: a dataset from very many tables, an approval with a long list. The limits keep a bundle in
// proportion to its dossier; what lies beyond them is said to be asserted.
#define WHOLE_ENTRIES_MAX 1024
#define WHOLE_DETAILS_MAX (16 * 1024 * 1024) // bytes of details in all

struct completion {
    struct mlt_bundle_absence *a;
    const struct mlt_source *src;
    struct mlt_arena *arena;
    struct mlt_error *err;
    struct mlt_buf leaves; // of struct mlt_link_leaf
    uint64_t details_left;
    size_t tried;
};

static int by_leaf(const void *a, const void *b) {
    return mlt_link_leaf_compare(a, b);
}

static const struct mlt_bundle_link *find_partial(const struct mlt_bundle_absence *a) {
    for (size_t i = 0; i < a->num_links; i++) {
        if (a->links[i].term.dim == MLT_DIM_PARTIAL && a->links[i].term.num_values == 0 && !a->links[i].refuted) {
            return &a->links[i];
        }
    }
    return NULL;
}

// The lengths that the entry states, which its details turn out to have or not: too small a number costs room, no more.
static bool affordable(struct completion *c, const struct mlt_entry *e) {
    uint64_t total = 0;
    for (mlt_json_at n = mlt_json_first(&e->json, e->details); n != MLT_JSON_NONE;
         n = mlt_json_next(&e->json, e->details, n)) {
        uint64_t len = 0;
        if (!mlt_json_u64(&e->json, mlt_json_get(&e->json, n + 1, "length"), &len) || len > c->details_left - total) {
            return false;
        }
        total += len;
    }
    c->details_left -= total;
    return true;
}

static enum mlt_status take_links(struct completion *c, uint64_t index, const struct mlt_entry *e,
                                  struct mlt_bytes text, bool *all) {
    struct mlt_link links[MLT_TERMS_MAX];
    struct mlt_json facts = {0};
    size_t num = 0;
    enum mlt_status status = mlt_json_scan(&facts, text, c->err);
    status = status ? status : mlt_entry_whole_links(e, &facts, c->arena, links, &num, all, c->err);
    for (size_t i = 0; !status && i < num; i++) {
        const struct mlt_link_leaf leaf = {links[i], index};
        mlt_buf_put(&c->leaves, &leaf, sizeof(leaf));
    }
    mlt_json_clear(&facts);
    return status;
}

static enum mlt_status read_whole(struct completion *c, uint64_t index, bool *whole) {
    const struct mlt_detail_source details = {c->src->ctx, c->src->detail, false};
    struct mlt_entry e = {0};
    struct mlt_bytes bytes, facts;
    enum mlt_status status = c->src->entry(c->src->ctx, index, c->arena, &bytes, c->err);
    status = status ? status : mlt_entry_parse(&e, c->arena, bytes, c->err);
    if (!status && affordable(c, &e)) {
        status = mlt_entry_facts(&e, &details, c->arena, &facts, c->err);
        status = status ? status : take_links(c, index, &e, facts, whole);
    }
    mlt_entry_clear(&e);
    return status;
}

// What is beyond a limit stays open, with maker and verifier alike. What should be here and is not is an error: left
// out of a bundle, an entry or its details would otherwise take a correction with them.
static enum mlt_status complete_one(struct completion *c, uint64_t index) {
    bool whole = false;
    enum mlt_status status = MLT_OK;
    if (c->tried < WHOLE_ENTRIES_MAX) {
        c->tried++;
        status = read_whole(c, index, &whole);
    }
    if (status == MLT_LIMIT) {
        mlt_error_clear(c->err);
        status = MLT_OK;
    }
    if (whole) {
        c->a->whole[c->a->num_whole++] = index;
    } else {
        c->a->num_open++;
    }
    return status
               ? mlt_context(c->err, status, "entry %llu refers to more than it commits to", (unsigned long long)index)
               : MLT_OK;
}

static enum mlt_status complete_segment(struct completion *c, const struct mlt_link_proof *p) {
    enum mlt_status status = MLT_OK;
    for (size_t i = p->num_shown; !status && i > 0; i--) {
        const uint64_t index = p->shown[i - 1].leaf.entry;
        status = index < c->src->size ? complete_one(c, index) : MLT_OK;
    }
    c->a->num_open += p->count - p->num_shown; // older than those shown
    return status;
}

static enum mlt_status keep_leaves(struct completion *c) {
    const size_t num = c->leaves.len / sizeof(struct mlt_link_leaf);
    const struct mlt_bytes copy = mlt_arena_copy(c->arena, mlt_buf_bytes(&c->leaves));
    if (c->leaves.failed || (num > 0 && !copy.ptr)) {
        return mlt_fail(c->err, MLT_NOMEM, "no memory for the links of long records");
    }
    c->a->further = (struct mlt_link_leaf *)(void *)copy.ptr;
    c->a->num_further = num;
    if (num > 0) {
        qsort(c->a->further, num, sizeof(*c->a->further), by_leaf);
    }
    return MLT_OK;
}

enum mlt_status mlt_bundle_complete(struct mlt_bundle_absence *a, const struct mlt_source *src, struct mlt_arena *arena,
                                    struct mlt_error *err) {
    struct completion c = {.a = a, .src = src, .arena = arena, .err = err, .details_left = WHOLE_DETAILS_MAX};
    enum mlt_status status = MLT_OK;
    a->partial = find_partial(a);
    a->whole = mlt_arena_zero(arena, WHOLE_ENTRIES_MAX * sizeof(*a->whole));
    if (!a->whole) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the links of long records");
    }
    for (size_t s = a->num_segments; !status && a->partial && s > 0; s--) {
        status = complete_segment(&c, &a->partial->proofs[s - 1]);
    }
    status = status ? status : keep_leaves(&c);
    mlt_buf_clear(&c.leaves);
    return status;
}

static bool has(const uint64_t *list, size_t num, uint64_t index) {
    for (size_t i = 0; i < num; i++) {
        if (list[i] == index) {
            return true;
        }
    }
    return false;
}

bool mlt_bundle_is_open(const struct mlt_bundle_absence *a, uint64_t index) {
    for (size_t s = 0; a->partial && s < a->num_segments; s++) {
        const struct mlt_link_proof *p = &a->partial->proofs[s];
        for (size_t i = 0; i < p->num_shown; i++) {
            if (p->shown[i].leaf.entry == index) {
                return !has(a->whole, a->num_whole, index);
            }
        }
    }
    return false;
}
