// A bundle being verified: its members, what they say, and what was wrong with them.
#ifndef MLT_BUNDLE_BUNDLE_READ_H
#define MLT_BUNDLE_BUNDLE_READ_H

#include "bundle/bundle_parts.h"

struct mlt_bundle_read_entry {
    uint64_t index;
    struct mlt_bytes bytes;
    bool proved; // in the tree of the checkpoint
    bool used;   // the dossier, or what proves it, rests on it
    bool has_payload_member;
    struct mlt_bundle_payload payload;
    bool has_proof_then; // the dossier's proof, at its own size
    struct mlt_proof proof_then;
};

struct mlt_bundle_reading {
    struct mlt_arena *arena;
    struct mlt_bundle_report *report;
    struct mlt_error *err;
    const char *own_build;
    struct mlt_archive archive;
    struct mlt_bundle_member *members; // by name
    size_t num_members;
    struct mlt_bundle_read_entry *entries; // by index
    size_t num_entries;
    struct mlt_checkpoint head; // of the archive's checkpoint
    struct mlt_bytes checkpoint;
    const struct mlt_key_chain *keys; // that lead to the one that signed; NULL: trail.json tells of none
    // Of dossier.json:
    struct mlt_json dossier;
    struct mlt_bytes request_id;
    struct mlt_bytes note_then; // the checkpoint at the dossier's size
    struct mlt_checkpoint then;
    uint64_t policy; // the entry of the witness policy that the dossier names; UINT64_MAX: none
    struct mlt_bundle_absence absence;
    struct mlt_bundle_answers answers;
    struct mlt_bundle_terms terms; // that the walk asks by
};

// bundle_report.c
// mlt_bundle_fault notes that `where` is not as it must be.
void mlt_bundle_fault(struct mlt_bundle_reading *r, const char *where, const char *fmt, ...) MLT_PRINTF(3, 4);
void mlt_bundle_assert(struct mlt_bundle_reading *r, const char *fmt, ...) MLT_PRINTF(2, 3);

// mlt_bundle_blame makes a fault of a status that the bundle's bytes brought about, and gives MLT_OK; another one is
// the machine's, and is given back.
enum mlt_status mlt_bundle_blame(struct mlt_bundle_reading *r, const char *where, enum mlt_status status);
void mlt_bundle_copy_text(char *out, size_t cap, struct mlt_bytes text);

// bundle_members.c
enum mlt_status mlt_bundle_read_members(struct mlt_bundle_reading *r, struct mlt_bytes zip) MLT_MUST_USE;
enum mlt_status mlt_bundle_check_manifests(struct mlt_bundle_reading *r) MLT_MUST_USE;
// mlt_bundle_member_find gives a member and counts it as asked for; NULL: there is none.
struct mlt_bundle_member *mlt_bundle_member_find(struct mlt_bundle_reading *r, const char *name);
struct mlt_bundle_member *mlt_bundle_member_need(struct mlt_bundle_reading *r, const char *name); // NULL is a fault
// mlt_bundle_check_form: what was read, written again into `again` (cleared here), gives the same bytes.
void mlt_bundle_check_form(struct mlt_bundle_reading *r, const struct mlt_bundle_member *m, struct mlt_buf *again);

// bundle_signer.c: sets `checkpoint` and, when it is signed, `head`.
enum mlt_status mlt_bundle_check_trail(struct mlt_bundle_reading *r, const struct mlt_vkey *key) MLT_MUST_USE;

// bundle_entries.c
enum mlt_status mlt_bundle_read_entries(struct mlt_bundle_reading *r) MLT_MUST_USE;
void mlt_bundle_check_details(struct mlt_bundle_reading *r);
void mlt_bundle_read_proofs_then(struct mlt_bundle_reading *r);
struct mlt_bundle_read_entry *mlt_bundle_entry_find(struct mlt_bundle_reading *r, uint64_t index); // NULL: none

// bundle_absent.c
enum mlt_status mlt_bundle_check_absence(struct mlt_bundle_reading *r) MLT_MUST_USE;
enum mlt_status mlt_bundle_read_answers(struct mlt_bundle_reading *r) MLT_MUST_USE;

// bundle_anchors.c
enum mlt_status mlt_bundle_check_anchors(struct mlt_bundle_reading *r) MLT_MUST_USE;

// mlt_bundle_read_source is a source over what was proved, as of the dossier's size. Valid as long as `r`.
struct mlt_source mlt_bundle_read_source(struct mlt_bundle_reading *r);

#endif
