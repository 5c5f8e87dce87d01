// An anchor: a time-stamp token over a published checkpoint, kept as a record of its own (kind `anchor`).
//
// The entry holds all that a proof needs beside the authority's root: the checkpoint verbatim and the token. The token
// binds the checkpoint, the checkpoint binds the root of a tree, and that the trail has this root at this size is the
// caller's to check. Hence everything below `tree_size` existed at `gen_time`; and since the entry holds the token,
// what comes after the entry was logged after `gen_time`.
#ifndef MLT_RECORD_ANCHOR_H
#define MLT_RECORD_ANCHOR_H

#include "crypto/timestamp.h"
#include "record/json.h"

struct mlt_anchor {
    bool is_timestamp; // "anchor":"rfc3161"; else of a kind that this version does not know
    uint64_t tree_size;
    uint8_t root[MLT_HASH_LEN];
    struct mlt_bytes checkpoint; // verbatim; empty: not there (a spilled fact that was not put back)
    struct mlt_bytes token;      // DER; empty likewise
    uint8_t token_hash[MLT_HASH_LEN];
    struct mlt_bytes url;
    struct mlt_bytes roots; // digest of what the server checked the token with; empty: it did not
    struct mlt_timestamp says;
};

// mlt_anchor_put writes the members of an anchor (`kind` and `timestamp` are the caller's).
void mlt_anchor_put(struct mlt_json_writer *w, const struct mlt_anchor *anchor);

// mlt_anchor_read reads the facts of an anchor record. Slices are borrowed from the document or in `arena`.
//
// MLT_CORRUPT: a member is missing or not of the form that mlt_anchor_put gives it. MLT_NOMEM.
enum mlt_status mlt_anchor_read(struct mlt_anchor *out, struct mlt_arena *arena, const struct mlt_json *json,
                                mlt_json_at facts, struct mlt_error *err) MLT_MUST_USE;

// mlt_anchor_judge checks an anchor with all of its facts: the checkpoint is one of `origin` (NULL: any) with this size
// and root, the token is for it and says what the facts say, and (unless `roots` is NULL) the token verifies.
enum mlt_status mlt_anchor_judge(const struct mlt_anchor *anchor, const char *origin,
                                 const struct mlt_timestamp_roots *roots, struct mlt_timestamp_verdict *verdict,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
