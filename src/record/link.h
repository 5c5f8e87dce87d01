// Links: what an entry is and what it refers to, as hashes that anybody can compute. A segment of the log commits to
// all links of its entries in one sorted Merkle tree, so that a dossier can prove which entries have a link, and that
// no other entry of the segment has it (docs/FORMAT.md, "Segment commitments").
//
//   link = SHA-256(MLT_LINK_KEY || u8 dimension || for each value: u32be length || bytes)
//
// It is the hash of a term (record/term.h) under a key that everybody knows, hence only over facts and never over what
// a payload says.
#ifndef MLT_RECORD_LINK_H
#define MLT_RECORD_LINK_H

#include "merkle/merkle.h"
#include "record/term.h"

#define MLT_LINK_LEN MLT_HASH_LEN
// "mltrail/v1 link", then zeros.
extern const uint8_t mlt_link_key[MLT_INDEX_KEY_LEN];

struct mlt_link {
    uint8_t hash[MLT_LINK_LEN];
};
void mlt_link_make(struct mlt_link *out, enum mlt_dim dim, const struct mlt_bytes *values, size_t num_values);

// One leaf of a segment's tree: `entry` has `link`. Its 40 bytes are link || u64be entry.
struct mlt_link_leaf {
    struct mlt_link link;
    uint64_t entry;
};
#define MLT_LINK_LEAF_LEN (MLT_LINK_LEN + 8)
void mlt_link_leaf_encode(uint8_t out[static MLT_LINK_LEAF_LEN], const struct mlt_link_leaf *leaf);
void mlt_link_leaf_decode(struct mlt_link_leaf *out, const uint8_t bytes[static MLT_LINK_LEAF_LEN]);
// mlt_link_leaf_compare orders by link, then by entry: the order of leaves in the tree; no two are equal.
int mlt_link_leaf_compare(const struct mlt_link_leaf *a, const struct mlt_link_leaf *b);

// What a `control` entry with "control":"segment" says: the links of entries first … end-1 are `num_leaves` leaves
// whose RFC 6962 tree has `root`.
struct mlt_segment {
    uint64_t first, end;
    uint64_t num_leaves;
    uint8_t root[MLT_HASH_LEN];
};

// A proof of all leaves of one segment that have one link. `before` and `after` are the leaves next to them, absent at
// the ends of the tree; each leaf comes with its inclusion proof. With none between two neighbours, there is none.
struct mlt_link_witness {
    uint64_t at; // position in the tree
    struct mlt_link_leaf leaf;
    struct mlt_proof proof;
};
struct mlt_link_proof {
    uint64_t at;    // position of the first leaf with the link, or where it would be
    uint64_t count; // leaves with the link
    bool has_before, has_after;
    struct mlt_link_witness before, after;
    // Those of the `count` that are shown, in order: all of them, or of more than MLT_LINK_SHOWN_MAX the newest.
    const struct mlt_link_witness *shown;
    size_t num_shown;
};
#define MLT_LINK_SHOWN_MAX 4096 // leaves shown of one link in one segment: beyond, nobody reads them one by one
// mlt_link_proof_verify is a verdict: exactly `count` leaves of the segment have the link, and those that are shown are
// the newest of them. `*why` (may be NULL) gets a fixed phrase when false. It rests on the segment's tree being sorted
// and complete, which everyone who has the entries can recompute (verify, monitor).
bool mlt_link_proof_verify(const struct mlt_segment *segment, const struct mlt_link *link,
                           const struct mlt_link_proof *proof, const char **why);

#endif
