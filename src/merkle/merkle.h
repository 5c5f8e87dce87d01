// The Merkle tree of RFC 6962 with SHA-256: hashes, proofs, tiles. Pure functions, no I/O.
//
// Sizes are numbers of leaves, indexes are 0-based. Proofs are arrays of 32-byte hashes in RFC 6962 order.
#ifndef MLT_MERKLE_MERKLE_H
#define MLT_MERKLE_MERKLE_H

#include "crypto/sha256.h"

#define MLT_PROOF_MAX 64  // a path in a tree of up to 2^63 leaves, and the consistency proof's extra hash
#define MLT_TILE_HEIGHT 8 // tlog-tiles
#define MLT_TILE_WIDTH 256
#define MLT_TILE_LEVELS 8 // levels 0..7 hold trees of up to 2^63 leaves
#define MLT_TREE_MAX (UINT64_C(1) << 62)

struct mlt_proof {
    uint8_t hash[MLT_PROOF_MAX][MLT_HASH_LEN];
    size_t num_hashes;
};

void mlt_merkle_leaf(uint8_t out[static MLT_HASH_LEN], struct mlt_bytes entry); // H(00 || entry)
void mlt_merkle_node(uint8_t out[static MLT_HASH_LEN], const uint8_t left[static MLT_HASH_LEN],
                     const uint8_t right[static MLT_HASH_LEN]); // H(01 || left || right)
void mlt_merkle_empty(uint8_t out[static MLT_HASH_LEN]);        // H("")

// mlt_merkle_leaf_at is mlt_merkle_leaf for an entry in the caller's own buffer: the byte before it is borrowed for the
// prefix and given back, so that a long entry is hashed in one go.
void mlt_merkle_leaf_at(uint8_t out[static MLT_HASH_LEN], uint8_t *entry, size_t entry_len);
// mlt_merkle_tile_root gives the root of a full tile, MLT_TILE_WIDTH hashes one after the other.
void mlt_merkle_tile_root(uint8_t out[static MLT_HASH_LEN], const uint8_t *hashes);

// The compact range of [0, size): one hash per set bit of size, largest subtree first.
struct mlt_frontier {
    uint64_t size;
    uint8_t hash[64][MLT_HASH_LEN];
    size_t num_hashes; // == popcount(size)
};
bool mlt_frontier_check(const struct mlt_frontier *f);
// mlt_frontier_add appends a leaf hash. For each tile that this completes, at level l = 1, 2, …, its 32-byte root (the
// next hash of tile level l) is written to tile_roots[l-1]; returns how many (0 unless size becomes a multiple of 256).
// `tile_roots` has MLT_TILE_LEVELS places; NULL: not wanted.
size_t mlt_frontier_add(struct mlt_frontier *f, const uint8_t leaf[static MLT_HASH_LEN],
                        uint8_t (*tile_roots)[MLT_HASH_LEN]);
// mlt_frontier_add_subtree appends 2^level leaves by the root over them; size must be a multiple of 2^level. The rest
// is as for mlt_frontier_add, and for a full tile (level MLT_TILE_HEIGHT) tile_roots[0] is `root` itself.
size_t mlt_frontier_add_subtree(struct mlt_frontier *f, unsigned level, const uint8_t root[static MLT_HASH_LEN],
                                uint8_t (*tile_roots)[MLT_HASH_LEN]);
void mlt_frontier_root(const struct mlt_frontier *f, uint8_t out[static MLT_HASH_LEN]);

// Verdicts: true only when the proof holds. A consistency proof from size 0 never holds (nothing is proved).
bool mlt_merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[static MLT_HASH_LEN],
                                 const struct mlt_proof *proof, const uint8_t root[static MLT_HASH_LEN]);
bool mlt_merkle_verify_consistency(uint64_t size1, uint64_t size2, const struct mlt_proof *proof,
                                   const uint8_t root1[static MLT_HASH_LEN], const uint8_t root2[static MLT_HASH_LEN]);

// mlt_merkle_inclusion_len and mlt_merkle_consistency_len say how many hashes such a proof has; 0 where there is none.
size_t mlt_merkle_inclusion_len(uint64_t index, uint64_t size);
size_t mlt_merkle_consistency_len(uint64_t size1, uint64_t size2);

// That a run of entries is whole: entries first … end-1 of a tree of `size` are exactly those whose leaf hashes were
// added. The inclusion proof of the first one holds the subtrees to the left of the run, that of the last one those to
// the left of itself: the first ones and the leaves in between must make up the second ones. Nothing new on the wire,
// and memory for one path whatever the length.
struct mlt_range {
    uint64_t first, end, size;
    struct mlt_frontier frontier; // of [0, next)
    uint8_t first_leaf[MLT_HASH_LEN], last_leaf[MLT_HASH_LEN];
    struct mlt_proof first_proof;
    bool has_first; // its own hash was added, not one of a subtree that it is in
    bool has_last;
    bool good;
};
// mlt_range_begin: false when first < end <= size does not hold or the proof has not the hashes that it must have.
bool mlt_range_begin(struct mlt_range *r, uint64_t first, uint64_t end, uint64_t size,
                     const struct mlt_proof *first_proof);
// mlt_range_add takes the next hash: of a leaf (level 0), or of the subtree of 2^level leaves for entries that are not
// shown. Subtrees begin at multiples of their size and end before the last entry; the first and the last one are
// leaves.
void mlt_range_add(struct mlt_range *r, unsigned level, const uint8_t hash[static MLT_HASH_LEN]);
// mlt_range_next is the index that the next hash is for.
uint64_t mlt_range_next(const struct mlt_range *r);
// mlt_range_holds is the verdict, after the last one was added.
bool mlt_range_holds(const struct mlt_range *r, const struct mlt_proof *last_proof,
                     const uint8_t root[static MLT_HASH_LEN]);
// mlt_range_subtree gives the level of the largest subtree that begins at `at` and ends at or before `end`.
unsigned mlt_range_subtree(uint64_t at, uint64_t end);

// Where hashes come from when proofs are made: `count` consecutive hashes of tile level `level` starting at `first`
// (level 0: leaf hashes; level l: roots of full tiles of level l-1). Thread-safe as its implementation is.
struct mlt_hash_source {
    void *ctx;
    enum mlt_status (*read)(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                            struct mlt_error *err);
};
enum mlt_status mlt_merkle_root(const struct mlt_hash_source *src, uint64_t size, uint8_t out[static MLT_HASH_LEN],
                                struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_merkle_frontier(const struct mlt_hash_source *src, uint64_t size, struct mlt_frontier *out,
                                    struct mlt_error *err) MLT_MUST_USE;
// mlt_merkle_subtree gives the root of the subtree of 2^level leaves that begins at leaf `first`, a multiple of
// 2^level.
enum mlt_status mlt_merkle_subtree(const struct mlt_hash_source *src, uint64_t first, unsigned level,
                                   uint8_t out[static MLT_HASH_LEN], struct mlt_error *err) MLT_MUST_USE;
// MLT_INVALID: index >= size, or size1 > size2 or size1 == 0.
enum mlt_status mlt_merkle_prove_inclusion(const struct mlt_hash_source *src, uint64_t index, uint64_t size,
                                           struct mlt_proof *out, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_merkle_prove_consistency(const struct mlt_hash_source *src, uint64_t size1, uint64_t size2,
                                             struct mlt_proof *out, struct mlt_error *err) MLT_MUST_USE;

// Tile paths (tlog-tiles): "tile/<L>/<N>[.p/<W>]" and "tile/entries/<N>[.p/<W>]".
struct mlt_tile_id {
    bool entries;   // a bundle of entries; level is 0
    unsigned level; // 0..63
    uint64_t number;
    unsigned width; // 1..256; 256 is a full tile
};
#define MLT_TILE_PATH_MAX 64
bool mlt_tile_path_parse(struct mlt_tile_id *out, struct mlt_bytes path); // without a leading slash
void mlt_tile_path_format(char out[static MLT_TILE_PATH_MAX], const struct mlt_tile_id *id);
// mlt_tile_width says how many hashes tile `number` of `level` has in a tree of `size` leaves: 0..256.
unsigned mlt_tile_width(uint64_t size, unsigned level, uint64_t number);

#endif
