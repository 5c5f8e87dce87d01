// Reading entries back: the JSON object that the log stores for a record (docs/FORMAT.md, "Entries").
//
//   {"v":1,"kind":K,"id":I,"time":T|null,"received":R,"producer":{"principal":P,"assurance":A},"facts":{…},
//    "details":{name:{"sha256":hex,"length":n},…},"payload":{name:base64 commitment,…}}
//
// in this order, without white space outside the facts; `details` and `payload` only when not empty.
// A payload member that is not in the kind's table appears as "~1", "~2", … : its name is inside the commitment.
#ifndef MLT_RECORD_ENTRY_H
#define MLT_RECORD_ENTRY_H

#include "record/draft.h"
#include "record/link.h"

struct mlt_entry {
    struct mlt_json json;             // the scanned entry; owns the tape, borrows the bytes
    const struct mlt_kind_info *kind; // NULL: a kind of a later version
    struct mlt_bytes kind_name;
    struct mlt_bytes id;
    struct mlt_bytes time_text; // empty: null
    bool has_time;
    int64_t time;     // claimed
    int64_t received; // the server's clock
    struct mlt_bytes principal;
    struct mlt_bytes assurance;
    mlt_json_at facts;   // always an object
    mlt_json_at details; // MLT_JSON_NONE when absent
    mlt_json_at payload; // MLT_JSON_NONE when absent
};
// mlt_entry_parse: MLT_CORRUPT when the bytes are no entry of this format. `bytes` must live as long as `out`;
// unescaped strings go to `arena`.
enum mlt_status mlt_entry_parse(struct mlt_entry *out, struct mlt_arena *arena, struct mlt_bytes bytes,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_entry_parse_again does the same in an entry that is zero or was parsed before, whose memory it uses again; after
// an error it is still to be cleared.
enum mlt_status mlt_entry_parse_again(struct mlt_entry *out, struct mlt_arena *arena, struct mlt_bytes bytes,
                                      struct mlt_error *err) MLT_MUST_USE;
void mlt_entry_clear(struct mlt_entry *e);

// Where details come from: the bytes with this SHA-256, in `arena`. MLT_NOTFOUND, MLT_CORRUPT: gone or damaged.
struct mlt_detail_source {
    void *ctx;
    enum mlt_status (*read)(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                            struct mlt_bytes *bytes, struct mlt_error *err);
    bool pass_over; // leave out a detail that is gone or damaged, rather than fail
};
// mlt_entry_facts gives the facts as one JSON object, the spilled members back in it: those in the entry as they stand,
// then each detail under its name. In `arena`, or borrowed from the entry when nothing was spilled.
enum mlt_status mlt_entry_facts(const struct mlt_entry *e, const struct mlt_detail_source *details,
                                struct mlt_arena *arena, struct mlt_bytes *out, struct mlt_error *err) MLT_MUST_USE;

// mlt_entry_open_payload unseals: `plain` (in `arena`) is the JSON object of all payload members. Each commitment of
// the entry is recomputed; MLT_CORRUPT names the member that differs, or says that the seal is broken.
enum mlt_status mlt_entry_open_payload(const struct mlt_entry *e, struct mlt_sealer *sealer,
                                       const uint8_t wrapped[static MLT_WRAPPED_LEN], struct mlt_bytes sealed,
                                       struct mlt_arena *arena, struct mlt_bytes *plain,
                                       struct mlt_error *err) MLT_MUST_USE;

// mlt_entry_open_with does the same with a secret that was unwrapped before; `scratch` is used again from one call to
// the next and left to the caller.
enum mlt_status mlt_entry_open_with(const struct mlt_entry *e, struct mlt_sealer *sealer,
                                    const uint8_t secret[static MLT_SECRET_LEN], struct mlt_bytes sealed,
                                    struct mlt_json *scratch, struct mlt_arena *arena, struct mlt_bytes *plain,
                                    struct mlt_error *err) MLT_MUST_USE;

// mlt_entry_redraft fills the look-up parts of a draft (identity, terms, stream, times) from an entry read back, with
// its details already put in place of the spilled facts by the caller's `facts` document and its payload object
// (`payload` NULL: erased or sealed to us; terms and content that need it are left out, and an erased record's identity
// has content 0). Used to rebuild the index: the result is the same as at the first time.
enum mlt_status mlt_entry_redraft(struct mlt_draft *out, struct mlt_arena *arena, const struct mlt_entry *e,
                                  const struct mlt_json *facts, const struct mlt_json *payload,
                                  const struct mlt_record_keys *keys, struct mlt_error *err) MLT_MUST_USE;

// mlt_entry_links gives the links of an entry from the entry alone. A member that was spilled into a detail gives none,
// nor does what goes beyond MLT_TERMS_MAX: an entry that lacks links for that has the link of MLT_DIM_PARTIAL, and
// whoever proves that no entry refers to a thing looks at those that have it.
enum mlt_status mlt_entry_links(const struct mlt_entry *e, struct mlt_arena *arena,
                                struct mlt_link out[static MLT_TERMS_MAX], size_t *num,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_entry_whole_links gives them from the whole facts (mlt_entry_facts). `*all` is false when there are more than
// MLT_TERMS_MAX.
enum mlt_status mlt_entry_whole_links(const struct mlt_entry *e, const struct mlt_json *facts, struct mlt_arena *arena,
                                      struct mlt_link out[static MLT_TERMS_MAX], size_t *num, bool *all,
                                      struct mlt_error *err) MLT_MUST_USE;

#endif
