// mltrail/verify.h: check what a transparency log claims, from text and bytes alone.
//
// The library opens no file and no socket, keeps no global state and prints nothing. It knows signed checkpoints,
// cosignatures, policies and offline proofs as C2SP specifies them (signed-note, tlog-checkpoint, tlog-cosignature,
// tlog-policy, tlog-proof), Merkle proofs as RFC 6962 and RFC 9162 do, and the payload commitments of mltrail
// (docs/FORMAT.md, "Sealed payloads").
//
// Conventions (docs/api-conventions.md has the reasons):
//
//   * The returned status says whether the question could be answered; the answer is in `*verdict`. A function that
//     does not return MLTRAIL_OK leaves a verdict that does not hold, so that looking at `verdict.holds` alone is safe.
//   * Outputs are written first, with what means "nothing", and filled only when the verdict holds.
//   * Pointers are borrowed for the call; nothing that is passed in is kept. A pair (pointer, length) may be (NULL, 0).
//     Outputs do not overlap with inputs.
//   * `err` belongs to the caller and may be NULL.
//   * `new` gives memory that `free` takes back; `free` accepts NULL. Everything else is of fixed size.
//   * Functions of one object may be called from several threads as long as the object is const in the signature.
#ifndef MLTRAIL_VERIFY_H
#define MLTRAIL_VERIFY_H

#include <mltrail/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MLTRAIL_HASH_LEN 32      // SHA-256
#define MLTRAIL_PROOF_MAX 64     // hashes of one proof: no tree needs more
#define MLTRAIL_ORIGIN_MAX 255   // bytes of an origin, which is also a key's name
#define MLTRAIL_KEY_TEXT_MAX 310 // "name+hash+base64" with its terminator
#define MLTRAIL_WITNESSES_MAX 64 // of one policy
#define MLTRAIL_NAME_MAX 65535   // bytes of a payload member's name
#define MLTRAIL_WHY_LEN 256

// ---- status: could it be checked? ----

// Functions of this library return MLTRAIL_OK, MLTRAIL_INVALID, MLTRAIL_LIMIT, MLTRAIL_NOMEM or MLTRAIL_INTERNAL.

// ---- verdict: is it true? ----

// The reason is the first rung that failed, in the order of each function's ladder. Numbers are never reused.
enum mltrail_reason {
    MLTRAIL_UNCHECKED = 0, // could not be checked
    MLTRAIL_HOLDS = 1,

    MLTRAIL_NO_LOG_KEY = 10,      // the trust names no log
    MLTRAIL_OTHER_ORIGIN = 11,    // the trust names other logs
    MLTRAIL_BAD_SIGNATURE = 12,   // a signature under the log's key does not verify
    MLTRAIL_UNSIGNED = 13,        // no signature by the log
    MLTRAIL_BAD_COSIGNATURE = 14, // a signature under the key of a witness does not verify
    MLTRAIL_NO_QUORUM = 15,       // not enough witnesses cosigned

    MLTRAIL_INDEX_BEYOND_TREE = 20,
    MLTRAIL_PROOF_LENGTH = 21, // not as many hashes as a proof for these sizes has
    MLTRAIL_OTHER_ROOT = 22,   // the proof leads elsewhere: another entry, place or tree

    MLTRAIL_EMPTY_TREE = 30,     // nothing follows from a tree of size 0
    MLTRAIL_SHRUNK = 31,         // the tree that should be the later one is smaller
    MLTRAIL_SPLIT_VIEW = 32,     // two roots for one size
    MLTRAIL_NOT_CONSISTENT = 33, // the proof does not lead from the first root to the second

    MLTRAIL_OTHER_COMMITMENT = 40, // name, salt or value are not those that were committed to

    MLTRAIL_OTHER_KEY = 50, // the change of keys is between others
};

struct mltrail_verdict {
    bool holds; // reason == MLTRAIL_HOLDS
    enum mltrail_reason reason;
    char why[MLTRAIL_WHY_LEN]; // one sentence without a full stop; empty when it holds
};

// mltrail_verify_version returns the version of the library, e.g. "0.1.0". The text is static.
MLTRAIL_API const char *mltrail_verify_version(void);

// mltrail_status_name returns a stable word for a status: "ok", "invalid", "limit", "no-memory", "internal", "io",
// "no-space", "timeout", "rejected"; "unknown" for other numbers.
MLTRAIL_API const char *mltrail_status_name(enum mltrail_status status);

// mltrail_reason_name returns a stable word for a reason, e.g. "holds", "no-quorum"; "unknown" for other numbers.
MLTRAIL_API const char *mltrail_reason_name(enum mltrail_reason reason);

// ---- trust: whose word counts ----

// What the verifier trusts: log keys, witness keys, a quorum. Immutable, so threads may share one. It must come from
// outside the thing that is verified; a key that a proof brings along proves nothing.
struct mltrail_trust;

// mltrail_trust_new_key trusts one log by its key alone, and asks for no witness.
//
// `vkey` is a verifier key (C2SP signed-note): "origin+hash+base64", without a newline.
MLTRAIL_API enum mltrail_status mltrail_trust_new_key(struct mltrail_trust **out, const char *vkey, size_t vkey_len,
                                                      struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_trust_new_policy trusts what a policy file says (C2SP tlog-policy).
//
// `log_vkey` (NULL: none) is one more log key, for policies that name no log. MLTRAIL_INVALID: the text names the line
// of the policy and what would be right.
MLTRAIL_API enum mltrail_status mltrail_trust_new_policy(struct mltrail_trust **out, const char *policy,
                                                         size_t policy_len, const char *log_vkey, size_t log_vkey_len,
                                                         struct mltrail_error *err) MLTRAIL_MUST_USE;

MLTRAIL_API void mltrail_trust_free(struct mltrail_trust *trust);

// mltrail_trust_num_witnesses returns how many witnesses the policy has: 0..MLTRAIL_WITNESSES_MAX.
MLTRAIL_API size_t mltrail_trust_num_witnesses(const struct mltrail_trust *trust);

// mltrail_trust_witness_name returns the key name of witness `idx` in the order of the policy, NULL beyond the last.
// Valid until the trust is freed.
MLTRAIL_API const char *mltrail_trust_witness_name(const struct mltrail_trust *trust, size_t idx);

// mltrail_trust_check returns whether the object is whole; false means that memory was overwritten.
MLTRAIL_API bool mltrail_trust_check(const struct mltrail_trust *trust);

// ---- keys that are replaced ----

// A change of a trail's key, as mltrail signs it (docs/FORMAT.md, "Keys"). All zero when the verdict does not hold.
struct mltrail_key_change {
    char old_key[MLTRAIL_KEY_TEXT_MAX];
    char new_key[MLTRAIL_KEY_TEXT_MAX];
    uint64_t size; // the tree that the old key signed last
    uint8_t root[MLTRAIL_HASH_LEN];
    uint64_t kept; // the tree that the new key goes on with: `size`, unless entries were lost and the origin is another
    uint8_t kept_root[MLTRAIL_HASH_LEN];
};

// mltrail_verify_key_change judges a statement that one key followed another: a signed note with the signatures of
// both, as `links` of a trail's trail.json and the `statement` of its control entry have it. Whoever trusts `vkey`, one
// of the two, may trust the other one as well: the new key from `kept` on, the old one up to there. Changes are
// followed one after the other.
//
// Ladder: OTHER_KEY, BAD_SIGNATURE. A tree by the new key still has to be consistent with the one that is named here.
//
// MLTRAIL_INVALID, MLTRAIL_LIMIT: no statement of this form, or no verifier key.
MLTRAIL_API enum mltrail_status mltrail_verify_key_change(struct mltrail_verdict *verdict,
                                                          struct mltrail_key_change *out, const char *vkey,
                                                          size_t vkey_len, const void *statement, size_t statement_len,
                                                          struct mltrail_error *err) MLTRAIL_MUST_USE;

// ---- checkpoints ----

// A checkpoint that was verified. All zero when the verdict does not hold.
struct mltrail_checkpoint {
    char origin[MLTRAIL_ORIGIN_MAX + 1];
    uint64_t size; // entries
    uint8_t root[MLTRAIL_HASH_LEN];
    char log_key[MLTRAIL_KEY_TEXT_MAX];         // the verifier key that signed it
    size_t num_witnesses;                       // n, as the policy has
    size_t num_cosigned;                        // k of them
    bool cosigned[MLTRAIL_WITNESSES_MAX];       // who, in the order of the policy
    int64_t cosigned_at[MLTRAIL_WITNESSES_MAX]; // when, in seconds since 1970, as the witness says
    int64_t earliest;                           // of these times; both 0 when num_cosigned is 0
    int64_t latest;
};

// mltrail_verify_checkpoint judges a signed checkpoint.
//
// Ladder: NO_LOG_KEY, OTHER_ORIGIN, BAD_SIGNATURE, UNSIGNED, BAD_COSIGNATURE, NO_QUORUM. Signatures by keys that the
// trust does not name are passed over. Whether the times of witnesses are recent enough is for the caller to say.
//
// MLTRAIL_INVALID, MLTRAIL_LIMIT: not a signed checkpoint.
MLTRAIL_API enum mltrail_status mltrail_verify_checkpoint(struct mltrail_verdict *verdict,
                                                          struct mltrail_checkpoint *out,
                                                          const struct mltrail_trust *trust, const void *note,
                                                          size_t note_len, struct mltrail_error *err) MLTRAIL_MUST_USE;

// ---- proofs ----

// mltrail_verify_tlog_proof judges an offline proof (C2SP tlog-proof): `entry` is in the log that the proof's
// checkpoint signs. This is the whole check of a .tlog-proof file; `entry` are the exact bytes of the entry.
//
// `*index` (0-based) and `*checkpoint` (may be NULL both) are set when it holds. Ladder: that of the checkpoint, then
// that of mltrail_verify_inclusion. The proof's `extra` line is not authenticated and not looked at.
MLTRAIL_API enum mltrail_status mltrail_verify_tlog_proof(struct mltrail_verdict *verdict, uint64_t *index,
                                                          struct mltrail_checkpoint *checkpoint,
                                                          const struct mltrail_trust *trust, const void *proof,
                                                          size_t proof_len, const void *entry, size_t entry_len,
                                                          struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_leaf_hash gives the leaf hash of an entry: SHA-256 of 0x00 and its bytes (RFC 9162 section 2.1.1).
MLTRAIL_API void mltrail_leaf_hash(uint8_t out[MLTRAIL_HASH_LEN], const void *entry, size_t entry_len);

// mltrail_verify_inclusion judges whether the leaf `leaf` stands at `index` (0-based) in the tree of `size` leaves with
// that root. `hashes` are `num_hashes` times 32 bytes, the leaf's sibling first. Size and root must come from a
// checkpoint that was verified.
//
// Ladder: INDEX_BEYOND_TREE, PROOF_LENGTH, OTHER_ROOT (RFC 9162 section 2.1.3.2). Always MLTRAIL_OK.
MLTRAIL_API enum mltrail_status mltrail_verify_inclusion(struct mltrail_verdict *verdict, uint64_t index, uint64_t size,
                                                         const uint8_t root[MLTRAIL_HASH_LEN],
                                                         const uint8_t leaf[MLTRAIL_HASH_LEN], const uint8_t *hashes,
                                                         size_t num_hashes, struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_verify_consistency judges whether the first tree is the beginning of the second: nothing of it was changed,
// removed or put elsewhere. Sizes and roots must come from checkpoints that were verified.
//
// Ladder: EMPTY_TREE, SHRUNK, SPLIT_VIEW, PROOF_LENGTH, NOT_CONSISTENT (RFC 9162 section 2.1.4.2). Equal sizes with
// equal roots and no hashes hold. Always MLTRAIL_OK.
MLTRAIL_API enum mltrail_status mltrail_verify_consistency(struct mltrail_verdict *verdict, uint64_t size1,
                                                           const uint8_t root1[MLTRAIL_HASH_LEN], uint64_t size2,
                                                           const uint8_t root2[MLTRAIL_HASH_LEN], const uint8_t *hashes,
                                                           size_t num_hashes,
                                                           struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_verify_commitment judges a payload member that was disclosed: `commitment` is what the entry has under
// "payload" for it, and name, salt and value are those that it was made of. `value` are the bytes of the member as it
// was submitted, JSON text with its quotes.
//
// Ladder: OTHER_COMMITMENT. MLTRAIL_LIMIT: `name` is over MLTRAIL_NAME_MAX bytes.
MLTRAIL_API enum mltrail_status mltrail_verify_commitment(struct mltrail_verdict *verdict,
                                                          const uint8_t commitment[MLTRAIL_HASH_LEN],
                                                          const uint8_t salt[MLTRAIL_HASH_LEN], const void *name,
                                                          size_t name_len, const void *value, size_t value_len,
                                                          struct mltrail_error *err) MLTRAIL_MUST_USE;

// ---- trees: for those who hold all entries ----

// A tree that entries are added to, one after the other; it keeps 64 hashes at most. One thread at a time.
struct mltrail_tree;

MLTRAIL_API enum mltrail_status mltrail_tree_new(struct mltrail_tree **out, struct mltrail_error *err) MLTRAIL_MUST_USE;
MLTRAIL_API void mltrail_tree_free(struct mltrail_tree *tree);

// mltrail_tree_add appends an entry. MLTRAIL_LIMIT: the tree has 2^62 entries.
MLTRAIL_API enum mltrail_status mltrail_tree_add(struct mltrail_tree *tree, const void *entry, size_t entry_len,
                                                 struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_tree_add_bundle appends the entries of a bundle as logs serve them (C2SP tlog-tiles, "Log entries"): each a
// big-endian u16 length and that many bytes.
//
// `*num_entries` is how many were appended, 0 unless MLTRAIL_OK. MLTRAIL_INVALID: the bundle ends within an entry.
// MLTRAIL_LIMIT: as mltrail_tree_add. Nothing is appended then.
MLTRAIL_API enum mltrail_status mltrail_tree_add_bundle(struct mltrail_tree *tree, size_t *num_entries,
                                                        const void *bundle, size_t bundle_len,
                                                        struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_tree_size returns how many entries were added.
MLTRAIL_API uint64_t mltrail_tree_size(const struct mltrail_tree *tree);

// mltrail_tree_root gives the root over all entries so far, to be compared with that of a checkpoint of this size. That
// of the empty tree is SHA-256 of nothing.
MLTRAIL_API void mltrail_tree_root(const struct mltrail_tree *tree, uint8_t out[MLTRAIL_HASH_LEN]);

// mltrail_tree_check returns whether the object is whole; false means that memory was overwritten.
MLTRAIL_API bool mltrail_tree_check(const struct mltrail_tree *tree);

#ifdef __cplusplus
}
#endif

#endif
