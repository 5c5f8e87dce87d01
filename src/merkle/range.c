#include "merkle/merkle.h"

// The left siblings on the path of `index`, which are the subtrees of [0, index): one for each of its set bits, the
// smallest first. False: the proof has another length than such a path.
static bool left_siblings(uint64_t index, uint64_t size, const struct mlt_proof *proof, struct mlt_frontier *out) {
    uint64_t at = index, last = size - 1;
    size_t num = 0;
    *out = (struct mlt_frontier){.size = index};
    for (size_t i = 0; i < proof->num_hashes; i++) {
        if (last == 0) {
            return false;
        }
        if ((at & 1) != 0 || at == last) {
            memcpy(out->hash[num++], proof->hash[i], MLT_HASH_LEN);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        }
        at >>= 1;
        last >>= 1;
    }
    for (size_t i = 0; i < num / 2; i++) { // a frontier has the largest first
        uint8_t swap[MLT_HASH_LEN];
        memcpy(swap, out->hash[i], MLT_HASH_LEN);
        memcpy(out->hash[i], out->hash[num - 1 - i], MLT_HASH_LEN);
        memcpy(out->hash[num - 1 - i], swap, MLT_HASH_LEN);
    }
    out->num_hashes = num;
    return last == 0 && mlt_frontier_check(out);
}

bool mlt_range_begin(struct mlt_range *r, uint64_t first, uint64_t end, uint64_t size,
                     const struct mlt_proof *first_proof) {
    *r = (struct mlt_range){.first = first, .end = end, .size = size, .first_proof = *first_proof};
    r->good = first < end && end <= size && size <= MLT_TREE_MAX && first_proof->num_hashes <= MLT_PROOF_MAX &&
              left_siblings(first, size, first_proof, &r->frontier);
    return r->good;
}

uint64_t mlt_range_next(const struct mlt_range *r) {
    return r->has_last ? r->end : r->frontier.size;
}

void mlt_range_add(struct mlt_range *r, unsigned level, const uint8_t hash[static MLT_HASH_LEN]) {
    const uint64_t next = mlt_range_next(r);
    const uint64_t width = level < 62 ? UINT64_C(1) << level : 0;
    const bool fits = width != 0 && next < r->end && width <= r->end - next && (next & (width - 1)) == 0;
    const bool first = next == r->first, last = next == r->end - 1;
    r->good = r->good && fits && (level == 0 || (!first && next + width < r->end));
    if (!r->good) {
        return;
    }
    if (first) {
        memcpy(r->first_leaf, hash, MLT_HASH_LEN);
        r->has_first = true;
    }
    if (last) {
        memcpy(r->last_leaf, hash, MLT_HASH_LEN);
        r->has_last = true;
    } else {
        (void)mlt_frontier_add_subtree(&r->frontier, level, hash, NULL);
    }
}

bool mlt_range_holds(const struct mlt_range *r, const struct mlt_proof *last_proof,
                     const uint8_t root[static MLT_HASH_LEN]) {
    struct mlt_frontier left;
    return r->good && r->has_first && r->has_last &&
           mlt_merkle_verify_inclusion(r->first, r->size, r->first_leaf, &r->first_proof, root) &&
           mlt_merkle_verify_inclusion(r->end - 1, r->size, r->last_leaf, last_proof, root) &&
           left_siblings(r->end - 1, r->size, last_proof, &left) && left.size == r->frontier.size &&
           left.num_hashes == r->frontier.num_hashes &&
           memcmp(left.hash, r->frontier.hash, left.num_hashes * MLT_HASH_LEN) == 0;
}

unsigned mlt_range_subtree(uint64_t at, uint64_t end) {
    unsigned level = 0;
    while (level < 61 && (at & ((UINT64_C(2) << level) - 1)) == 0 && (UINT64_C(2) << level) <= end - at) {
        level++;
    }
    return level;
}
