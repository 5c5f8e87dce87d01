// Verification of proofs, step by step as RFC 9162 sections 2.1.3.2 and 2.1.4.2 write it (`fn`, `sn` and the
// shifts are theirs), so that the two can be read side by side. RFC 6962 has the same trees and no algorithm.
#include "merkle/merkle.h"

// One climb: `fn` is the node's index at the present height, `sn` that of the last node.
struct climb {
    uint64_t fn;
    uint64_t sn;
};

// True when the next hash of the path is a left sibling. Nodes without a sibling on the way up are skipped.
static bool climb_takes_left(struct climb *c) {
    if ((c->fn & 1) == 0 && c->fn != c->sn) {
        return false;
    }
    while ((c->fn & 1) == 0 && c->fn != 0) {
        c->fn >>= 1;
        c->sn >>= 1;
    }
    return true;
}

static void climb_step(struct climb *c) {
    c->fn >>= 1;
    c->sn >>= 1;
}

bool mlt_merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[static MLT_HASH_LEN],
                                 const struct mlt_proof *proof, const uint8_t root[static MLT_HASH_LEN]) {
    if (index >= size || proof->num_hashes > MLT_PROOF_MAX) {
        return false;
    }
    struct climb c = {index, size - 1};
    uint8_t r[MLT_HASH_LEN];
    memcpy(r, leaf, MLT_HASH_LEN);
    for (size_t i = 0; i < proof->num_hashes; i++) {
        const uint8_t *p = proof->hash[i];
        if (c.sn == 0) {
            return false; // more hashes than the path has steps
        }
        if (climb_takes_left(&c)) {
            mlt_merkle_node(r, p, r);
        } else {
            mlt_merkle_node(r, r, p);
        }
        climb_step(&c);
    }
    return c.sn == 0 && mlt_memeql(r, root, MLT_HASH_LEN);
}

// The climb proper, from the hash that both trees share up to both roots.
static bool climb_consistency(struct climb c, const uint8_t *start, const uint8_t (*path)[MLT_HASH_LEN],
                              size_t path_len, const uint8_t *root1, const uint8_t *root2) {
    uint8_t fr[MLT_HASH_LEN];
    uint8_t sr[MLT_HASH_LEN];
    memcpy(fr, start, MLT_HASH_LEN);
    memcpy(sr, start, MLT_HASH_LEN);
    for (size_t i = 0; i < path_len; i++) {
        if (c.sn == 0) {
            return false;
        }
        if (climb_takes_left(&c)) {
            mlt_merkle_node(fr, path[i], fr);
            mlt_merkle_node(sr, path[i], sr);
        } else {
            mlt_merkle_node(sr, sr, path[i]);
        }
        climb_step(&c);
    }
    return c.sn == 0 && mlt_memeql(fr, root1, MLT_HASH_LEN) && mlt_memeql(sr, root2, MLT_HASH_LEN);
}

bool mlt_merkle_verify_consistency(uint64_t size1, uint64_t size2, const struct mlt_proof *proof,
                                   const uint8_t root1[static MLT_HASH_LEN], const uint8_t root2[static MLT_HASH_LEN]) {
    if (size1 == 0 || size1 > size2 || proof->num_hashes > MLT_PROOF_MAX) {
        return false;
    }
    if (size1 == size2) {
        return proof->num_hashes == 0 && mlt_memeql(root1, root2, MLT_HASH_LEN);
    }
    struct climb c = {size1 - 1, size2 - 1};
    while (c.fn & 1) {
        climb_step(&c);
    }
    // A first tree that is itself a subtree of the second needs no first hash: it is the old root.
    if ((size1 & (size1 - 1)) == 0) {
        return climb_consistency(c, root1, (const uint8_t(*)[MLT_HASH_LEN])proof->hash, proof->num_hashes, root1,
                                 root2);
    }
    if (proof->num_hashes == 0) {
        return false;
    }
    return climb_consistency(c, proof->hash[0], (const uint8_t(*)[MLT_HASH_LEN])proof->hash + 1, proof->num_hashes - 1,
                             root1, root2);
}

static size_t climb_len(struct climb c) {
    size_t len = 0;
    while (c.sn != 0) {
        (void)climb_takes_left(&c);
        climb_step(&c);
        len++;
    }
    return len;
}

size_t mlt_merkle_inclusion_len(uint64_t index, uint64_t size) {
    return index < size ? climb_len((struct climb){index, size - 1}) : 0;
}

size_t mlt_merkle_consistency_len(uint64_t size1, uint64_t size2) {
    if (size1 == 0 || size1 >= size2) {
        return 0;
    }
    struct climb c = {size1 - 1, size2 - 1};
    while (c.fn & 1) {
        climb_step(&c);
    }
    return climb_len(c) + ((size1 & (size1 - 1)) != 0);
}
