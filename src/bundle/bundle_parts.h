// What maker and verifier share: the members of a bundle and their forms. Each has its writer and its reader in one
// file.
#ifndef MLT_BUNDLE_BUNDLE_PARTS_H
#define MLT_BUNDLE_BUNDLE_PARTS_H

#include "bundle/bundle.h"

#define MLT_BUNDLE_FORMAT "mltrail/v1 evidence bundle"
#define MLT_BUNDLE_VALUES_MAX 4                 // of a term: a deployment has the most
#define MLT_BUNDLE_TERMS_MAX 2                  // of one look-up
#define MLT_BUNDLE_NAME_LEN 96                  // room for the longest of our member names
#define MLT_BUNDLE_LISTED_MAX MLT_FIND_PAGE_MAX // entries of one answer

// A member while the archive is made or read.
struct mlt_bundle_member {
    const char *name;
    struct mlt_bytes data;
    bool used; // reading: something asked for it
};

// manifest.json and manifest.sha256, of members in the order of their names; both leave themselves out, and the first
// the second.
struct mlt_bundle_sum {
    const char *name;
    uint64_t len;
    uint8_t hash[MLT_HASH_LEN];
};
void mlt_bundle_put_summed(struct mlt_buf *out, const struct mlt_bundle_sum *sums, size_t num, const char *format);
void mlt_bundle_put_sum(struct mlt_buf *out, const struct mlt_bundle_sum *sum);
bool mlt_bundle_put_manifest(struct mlt_buf *out, const struct mlt_bundle_member *members, size_t num,
                             const char *format);
void mlt_bundle_put_sums(struct mlt_buf *out, const struct mlt_bundle_member *members, size_t num);

// A term with what it was made of.
struct mlt_bundle_term {
    uint8_t dim;
    size_t num_values;
    struct mlt_bytes values[MLT_BUNDLE_VALUES_MAX];
};
bool mlt_bundle_term_equal(const struct mlt_bundle_term *a, const struct mlt_bundle_term *b);
void mlt_bundle_put_term(struct mlt_json_writer *w, const struct mlt_bundle_term *t); // "dimension" and "values"
bool mlt_bundle_get_term(struct mlt_bundle_term *out, const struct mlt_json *json, mlt_json_at at,
                         struct mlt_arena *arena);
// mlt_bundle_term_text is the term in words, for messages: `request_id "r-1"`.
const char *mlt_bundle_term_text(const struct mlt_bundle_term *t, struct mlt_arena *arena);

// The terms that a walk asks by are hashes; these remember what each was made of.
struct mlt_bundle_terms {
    struct mlt_arena *arena;
    struct mlt_buf seen; // to be cleared by the owner
    bool failed;         // memory is out, or a term has more values than any of ours
};
void mlt_bundle_terms_add(struct mlt_bundle_terms *t, const struct mlt_term *term, const struct mlt_bytes *values,
                          size_t num_values);
// mlt_bundle_terms_find: false, it was not added.
bool mlt_bundle_terms_find(const struct mlt_bundle_terms *t, const struct mlt_term *term, struct mlt_bundle_term *out);

// absence.json: segments, and for each link its proof in each of them.
struct mlt_bundle_link {
    struct mlt_bundle_term term;
    struct mlt_link link;
    struct mlt_link_proof *proofs; // one per segment
    bool whole;                    // all leaves are shown
    bool refuted;                  // one of them does not hold
};
struct mlt_bundle_absence {
    struct mlt_bundle_segment *segments; // when read, `segment` is of the control entry and not of this member
    size_t num_segments;
    struct mlt_bundle_link *links;
    size_t num_links;
    // Not in the member: what mlt_bundle_complete found out.
    const struct mlt_bundle_link *partial; // entries with links that are in no segment's tree
    struct mlt_link_leaf *further;         // those links, of the entries that were read whole; in order
    size_t num_further;
    uint64_t *whole; // the entries read whole, descending
    size_t num_whole;
    uint64_t num_open; // entries that may have further links still
};
void mlt_bundle_put_absence(struct mlt_buf *out, const struct mlt_bundle_absence *a);
// MLT_INVALID says what is wrong, with a JSON pointer.
enum mlt_status mlt_bundle_get_absence(struct mlt_bundle_absence *out, struct mlt_bytes text, struct mlt_arena *arena,
                                       struct mlt_error *err) MLT_MUST_USE;
// mlt_bundle_get_segment reads control entry `index`. MLT_CORRUPT: it commits to no segment.
enum mlt_status mlt_bundle_get_segment(struct mlt_segment *out, uint64_t index, struct mlt_bytes entry,
                                       struct mlt_arena *arena, struct mlt_error *err) MLT_MUST_USE;

// mlt_bundle_complete reads the entries below the source's size that have the link of MLT_DIM_PARTIAL, with their
// details, and collects their links from the whole facts. The newest come first, up to fixed limits; those beyond stay
// open. Maker and verifier do the same, each with its source: the maker's records what is read, hence it is in the
// bundle. MLT_NOTFOUND, MLT_CORRUPT: one within the limits is not here, or is damaged.
enum mlt_status mlt_bundle_complete(struct mlt_bundle_absence *a, const struct mlt_source *src, struct mlt_arena *arena,
                                    struct mlt_error *err) MLT_MUST_USE;
// mlt_bundle_is_open: entry `index` may have links that nothing here shows.
bool mlt_bundle_is_open(const struct mlt_bundle_absence *a, uint64_t index);

// mlt_bundle_question tells what `f` asks: a linked term alone, or with a kind (else empty). False: neither.
struct mlt_bundle_find;
bool mlt_bundle_question(const struct mlt_bundle_find *f, const struct mlt_bundle_term **linked,
                         struct mlt_bytes *kind);
// mlt_bundle_answer answers a look-up of one link from its proofs, as `find` of `src` would; with a kind it reads each
// entry that has the link. `*answered` false: the proofs do not show enough (of a link that very many entries have, the
// newest are shown). A status is that of reading.
enum mlt_status mlt_bundle_answer(const struct mlt_bundle_absence *a, const struct mlt_bundle_link *link,
                                  struct mlt_bytes kind, const struct mlt_source *src, struct mlt_bundle_find *f,
                                  bool *answered, struct mlt_error *err) MLT_MUST_USE;

// answers.json: what is asserted.
struct mlt_bundle_find {
    struct mlt_bundle_term terms[MLT_BUNDLE_TERMS_MAX];
    size_t num_terms;
    uint64_t from;
    bool descending;
    uint64_t limit;
    uint64_t *entries;
    size_t num_entries;
    uint64_t total;
    bool more;
    // Recording only.
    bool asserted; // cannot be proved
};
struct mlt_bundle_stream {
    struct mlt_bundle_term term;
    struct mlt_stream_run *runs;
    size_t num_runs;
};
// A proof that an earlier tree, one that was time-stamped, grew into that of the dossier. It proves itself.
struct mlt_bundle_growth {
    uint64_t size;
    struct mlt_proof proof;
};
struct mlt_bundle_answers {
    struct mlt_bundle_find *finds;
    size_t num_finds;
    struct mlt_bundle_stream *streams;
    size_t num_streams;
    struct mlt_bundle_growth *growths;
    size_t num_growths;
};
void mlt_bundle_put_answers(struct mlt_buf *out, const struct mlt_bundle_answers *a); // finds: those asserted
enum mlt_status mlt_bundle_get_answers(struct mlt_bundle_answers *out, struct mlt_bytes text, struct mlt_arena *arena,
                                       struct mlt_error *err) MLT_MUST_USE;

// payloads/N.json: the state of a payload, and of an open one the members that are shown, each with its salt.
struct mlt_bundle_payload_member {
    struct mlt_bytes as;   // the entry's name for it
    struct mlt_bytes name; // its own
    struct mlt_bytes value;
    uint8_t salt[MLT_HASH_LEN];
};
struct mlt_bundle_payload {
    enum mlt_payload_state state; // open, erased, withheld, missing
    struct mlt_bundle_payload_member *members;
    size_t num_members;
};
const char *mlt_bundle_state_name(enum mlt_payload_state state);
void mlt_bundle_put_payload(struct mlt_buf *out, const struct mlt_bundle_payload *p);
enum mlt_status mlt_bundle_get_payload(struct mlt_bundle_payload *out, struct mlt_bytes text, struct mlt_arena *arena,
                                       struct mlt_error *err) MLT_MUST_USE;
// mlt_bundle_check_payload holds the members against the entry's commitments. MLT_INVALID names the one that differs.
enum mlt_status mlt_bundle_check_payload(const struct mlt_bundle_payload *p, const struct mlt_entry *e,
                                         struct mlt_arena *arena, struct mlt_error *err) MLT_MUST_USE;
// mlt_bundle_disclose fills the chosen members of the open payload of entry `index` from its `plain` object, with
// salts.
enum mlt_status mlt_bundle_disclose(struct mlt_bundle_payload *out, const struct mlt_bundle_choice *choice,
                                    uint64_t index, const struct mlt_entry *e, const struct mlt_json *plain,
                                    const uint8_t secret[static MLT_SECRET_LEN], struct mlt_arena *arena,
                                    struct mlt_error *err) MLT_MUST_USE;
// mlt_bundle_plain is what a source's `payload` gives: the whole object, or the part with the names masked.
enum mlt_status mlt_bundle_plain(const struct mlt_bundle_payload *p, const struct mlt_entry *e, struct mlt_arena *arena,
                                 enum mlt_payload_state *state, struct mlt_bytes *plain,
                                 struct mlt_error *err) MLT_MUST_USE;

// consistency.json
struct mlt_bundle_consistency {
    uint64_t from, to;
    struct mlt_proof proof;
};
void mlt_bundle_put_consistency(struct mlt_buf *out, const struct mlt_bundle_consistency *c);
enum mlt_status mlt_bundle_get_consistency(struct mlt_bundle_consistency *out, struct mlt_bytes text,
                                           struct mlt_error *err) MLT_MUST_USE;

// Arrays of hashes as they stand in all of these.
void mlt_bundle_put_proof(struct mlt_json_writer *w, const struct mlt_proof *proof);
bool mlt_bundle_get_proof(struct mlt_proof *out, const struct mlt_json *json, mlt_json_at at);
bool mlt_bundle_get_hash(uint8_t out[static MLT_HASH_LEN], const struct mlt_json *json, mlt_json_at at);

// mlt_bundle_difference gives the JSON pointer of the first difference of two documents; NULL: they are equal.
// `but_wording`: the sentences in which a build words what it found may differ.
const char *mlt_bundle_difference(const struct mlt_json *a, const struct mlt_json *b, bool but_wording,
                                  struct mlt_arena *arena);

extern const char mlt_bundle_how_to[]; // VERIFY.txt

#endif
