// A source that remembers what it was asked: around the real one while a dossier is made.
#ifndef MLT_BUNDLE_BUNDLE_RECORD_H
#define MLT_BUNDLE_BUNDLE_RECORD_H

#include "bundle/bundle_parts.h"

struct mlt_bundle_seen_entry {
    uint64_t index;
    struct mlt_bytes bytes;
};
struct mlt_bundle_seen_detail {
    uint8_t hash[MLT_HASH_LEN];
    struct mlt_bytes bytes;
};
struct mlt_bundle_seen_payload {
    uint64_t index;
    struct mlt_bundle_payload payload;
};

// Vectors of the structures above; each thing may be in them more than once until mlt_bundle_recorder_settle.
struct mlt_bundle_recorder {
    const struct mlt_source *inner;
    const struct mlt_bundle_request *req;
    struct mlt_arena arena;
    struct mlt_buf entries, details, payloads, finds, streams, growths;
    struct mlt_bundle_terms terms;
    bool failed; // memory is out, or a term was asked by that nobody announced
    struct mlt_source src;
};
void mlt_bundle_recorder_init(struct mlt_bundle_recorder *r, const struct mlt_bundle_request *req);
void mlt_bundle_recorder_clear(struct mlt_bundle_recorder *r);
void mlt_bundle_recorder_add_entry(struct mlt_bundle_recorder *r, uint64_t index, struct mlt_bytes bytes);
// mlt_bundle_recorder_settle sorts and leaves each thing once. MLT_NOMEM, MLT_INTERNAL.
enum mlt_status mlt_bundle_recorder_settle(struct mlt_bundle_recorder *r, struct mlt_error *err) MLT_MUST_USE;

#define MLT_BUNDLE_VECTOR_LEN(buf, type) ((buf).len / sizeof(type))

#endif
