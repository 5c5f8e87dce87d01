// What a record can be found by and what makes it the same record again (docs/FORMAT.md, "Terms and identity"): the
// same function at the first time and when the index is rebuilt.
#ifndef MLT_RECORD_IDENTITY_H
#define MLT_RECORD_IDENTITY_H

#include "record/entry.h"
#include "record/members.h"

struct mlt_identity_input {
    const struct mlt_members *members; // facts and payload
    struct mlt_bytes id;               // of the entry
    struct mlt_bytes principal;        // of the producer
    const uint8_t *index_key;          // MLT_INDEX_KEY_LEN
    struct mlt_buf *text;              // scratch of the content hash
    struct mlt_term_cache *cache;      // NULL: none
    bool payload_known;                // false: erased or sealed to us, the content is 0
    const struct mlt_entry *entry;     // whose details are not among the members; NULL: all are
};
// Fills name, owner, content, terms, stream, sequence and event time. Terms go to `arena`, scratch strings to
// `scratch`.
enum mlt_status mlt_identify(struct mlt_draft *out, struct mlt_arena *arena, struct mlt_arena *scratch,
                             const struct mlt_identity_input *in, struct mlt_error *err) MLT_MUST_USE;

// mlt_identify_links gives the links of the same record (members and id of `in` count): returns how many there are.
// `*partial`: it may have further ones, of a member that was spilled or beyond MLT_TERMS_MAX.
size_t mlt_identify_links(struct mlt_link out[static MLT_TERMS_MAX], bool *partial, struct mlt_arena *scratch,
                          const struct mlt_identity_input *in);

#endif
