// Evidence bundles: a dossier in one file with everything that it rests on, checked offline (docs/FORMAT.md, "Evidence
// bundle"). The maker records what the dossier's walk asks of its source; the verifier proves each answer and lets the
// same walk run over them again.
#ifndef MLT_BUNDLE_BUNDLE_H
#define MLT_BUNDLE_BUNDLE_H

#include "archive/archive.h"
#include "dossier/dossier.h"
#include "record/anchor.h"

// Bounds of a bundle, for maker and reader alike.
#define MLT_BUNDLE_BYTES_MAX ((uint64_t)256 << 20) // the file: it is held in memory, as its dossier is
#define MLT_BUNDLE_MEMBERS_MAX ((uint64_t)200000)  // three for each of the most entries that a story can show, and room
#define MLT_BUNDLE_MEMBER_MAX ((uint64_t)256 << 20) // a dossier of the longest lists is below a hundred MiB
#define MLT_BUNDLE_TOTAL_MAX ((uint64_t)1 << 30)
#define MLT_BUNDLE_RATIO_MAX 1200 // deflate reaches 1032 at best: beyond, a directory lies
extern const struct mlt_archive_limits mlt_bundle_limits;

// A segment commitment, and the control entry that says so.
struct mlt_bundle_segment {
    uint64_t entry;
    struct mlt_segment segment;
};
// Where proofs of link lists come from. `segments` cover [0, size of the dossier) without a gap, in order.
struct mlt_bundle_links {
    void *ctx;
    const struct mlt_bundle_segment *segments;
    size_t num_segments;
    enum mlt_status (*prove)(void *ctx, size_t segment, const struct mlt_link *link, struct mlt_arena *arena,
                             struct mlt_link_proof *out, struct mlt_error *err);
};

// Payload members to show: those in `only` (empty: all), less those in `not`. Comma-separated names, each for all
// records (`feature_values`) or of one entry (`17.feature_values`).
struct mlt_bundle_choice {
    struct mlt_bytes only, not ;
};
bool mlt_bundle_shows(const struct mlt_bundle_choice *choice, uint64_t index, struct mlt_bytes member);
// Whether `not` names the member, for all records or for any one: a correction must not tell what it should read.
bool mlt_bundle_masks_anywhere(const struct mlt_bundle_choice *choice, struct mlt_bytes member);

struct mlt_bundle_request {
    const struct mlt_source *src;          // as of the dossier's size
    const struct mlt_dossier_context *ctx; // its head at that size
    struct mlt_bytes request_id;
    struct mlt_bundle_choice choice;
    const struct mlt_source *now; // as of the checkpoint's size: entries after the dossier's, proofs
    struct mlt_hash_source hashes;
    struct mlt_bytes checkpoint;          // published, of now->size
    struct mlt_bytes trail_json;          // the trail's own description, verbatim
    const struct mlt_bundle_links *links; // NULL: none; then look-ups are asserted, and no verifier is content
    // secret gives the secret of a payload that `src` opens, for the salts of its members.
    enum mlt_status (*secret)(void *ctx, uint64_t index, uint8_t secret[static MLT_SECRET_LEN], struct mlt_error *err);
    void *secret_ctx;
};
// mlt_bundle_make appends the ZIP to `zip` and lists all entries in it, ascending, in `entries` (u64 each, host order).
// MLT_NOTFOUND: no such prediction. Same arguments give the same bytes.
enum mlt_status mlt_bundle_make(const struct mlt_bundle_request *req, struct mlt_buf *zip, struct mlt_buf *entries,
                                struct mlt_error *err) MLT_MUST_USE;

// The verifier's findings.
#define MLT_BUNDLE_FAULTS_MAX 64
#define MLT_BUNDLE_ASSERTED_MAX 64
struct mlt_bundle_fault {
    char where[160]; // member of the archive; "" for the archive
    char text[512];
};
// A time stamp in the bundle: consistent with the checkpoint that it stamps; who vouches for the authority is for the
// caller to ask (mlt_anchor_judge).
struct mlt_bundle_stamp {
    uint64_t entry;
    struct mlt_anchor anchor; // in the arena given to the verifier
};
struct mlt_bundle_report {
    bool verdict;
    bool signed_by_key; // by the key that the verifier was given; else by the one in trail.json
    bool same_build;
    char build[64]; // that made it
    char origin[MLT_NOTE_NAME_MAX + 1];
    struct mlt_vkey key; // that signed
    char request_id[256];
    uint64_t size, checkpoint_size; // of the dossier; of the checkpoint
    uint8_t root[MLT_HASH_LEN];     // of the checkpoint
    uint64_t entries, details, payloads, shown, masked, segments, links;
    struct mlt_bundle_stamp *stamps;
    size_t num_stamps;
    // The bounds that they set to when the served prediction was logged; empty: none.
    char not_before[MLT_TIME_TEXT_LEN + 1], not_after[MLT_TIME_TEXT_LEN + 1];
    struct mlt_bytes checkpoint; // in the arena given; for policies
    struct mlt_bytes dossier;    // the same
    char asserted[MLT_BUNDLE_ASSERTED_MAX][256];
    uint64_t num_asserted;
    struct mlt_bundle_fault faults[MLT_BUNDLE_FAULTS_MAX];
    uint64_t num_faults;
};
// mlt_bundle_small_member reads one member alone, unverified: whose key is to be looked for? False: there is none, or
// it is longer than `max`.
bool mlt_bundle_small_member(struct mlt_archive *archive, const char *name, uint64_t max, struct mlt_arena *arena,
                             struct mlt_bytes *out);
// mlt_bundle_verify checks `zip` from its first byte to its last. `key` (NULL: none) is trust from outside; without it
// the verdict is about consistency with the key in trail.json. Status says whether it could be checked: a bundle that
// is broken is a verdict of false.
enum mlt_status mlt_bundle_verify(struct mlt_bytes zip, const struct mlt_vkey *key, const char *build,
                                  struct mlt_arena *arena, struct mlt_bundle_report *out,
                                  struct mlt_error *err) MLT_MUST_USE;

#endif
