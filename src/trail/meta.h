// trail.json: what a trail says about itself.
//
//   {"format":1,"origin":TEXT,"created":TIME,"raw":BOOL,"public":BOOL,"keys":[VKEY,…],"signature":BASE64}
//
// The signature is Ed25519 by the first key over "mltrail/v1 trail.json\n" || the same text without its last member.
// No tree head starts with that line, so that neither can stand in for the other.
#ifndef MLT_TRAIL_META_H
#define MLT_TRAIL_META_H

#include "base/time.h"
#include "note/note.h"

#define MLT_META_FORMAT 1
#define MLT_META_LEN_MAX 65536 // keys are some hundred bytes each
#define MLT_META_KEYS_MAX 16   // a key per rotation

struct mlt_meta {
    char origin[MLT_NOTE_NAME_MAX + 1];
    int64_t created;
    bool raw;
    bool public_entries;
    struct mlt_vkey keys[MLT_META_KEYS_MAX];
    size_t num_keys;
    uint8_t signature[MLT_ED25519_SIG_LEN];
};
void mlt_meta_format(struct mlt_buf *out, const struct mlt_meta *m);
enum mlt_status mlt_meta_sign(struct mlt_meta *m, const struct mlt_signer *signer, struct mlt_error *err) MLT_MUST_USE;
// mlt_meta_verify is a verdict: `text` is exactly what was signed by `key`, byte for byte.
bool mlt_meta_verify(const struct mlt_meta *m, struct mlt_bytes text, const struct mlt_vkey *key);
// mlt_meta_parse: MLT_INVALID with the member and what would be right; every key is named as the origin.
enum mlt_status mlt_meta_parse(struct mlt_meta *out, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;

#endif
