// trail.json: what a trail says about itself.
//
//   {"format":1,"origin":TEXT,"created":TIME,"raw":BOOL,"public":BOOL,"keys":[VKEY,…],"links":[NOTE,…],
//    "signature":BASE64}
//
// `links` only when there is more than one key (key_json.h). The signature is Ed25519 by the first key over
// "mltrail/v1 trail.json\n" || the same text without its last member. No tree head starts with that line, so that
// neither can stand in for the other.
#ifndef MLT_TRAIL_META_H
#define MLT_TRAIL_META_H

#include "base/time.h"
#include "note/chain.h"

#define MLT_META_FORMAT 1
#define MLT_META_LEN_MAX (128 * 1024) // 32 keys with their links, of the longest names

struct mlt_meta {
    char origin[MLT_NOTE_NAME_MAX + 1]; // the name of the key in use
    int64_t created;
    bool raw;
    bool public_entries;
    struct mlt_key_chain chain;
    uint8_t signature[MLT_ED25519_SIG_LEN];
};
void mlt_meta_format(struct mlt_buf *out, const struct mlt_meta *m);
// mlt_meta_sign signs with the key in use.
enum mlt_status mlt_meta_sign(struct mlt_meta *m, const struct mlt_signer *signer, struct mlt_error *err) MLT_MUST_USE;
// mlt_meta_verify is a verdict: `text` is exactly what the first key signed, byte for byte, and whoever trusts `key` is
// led to that key.
bool mlt_meta_verify(const struct mlt_meta *m, struct mlt_bytes text, const struct mlt_vkey *key);
// mlt_meta_parse: MLT_INVALID with the member and what would be right; the key in use is named as the origin.
enum mlt_status mlt_meta_parse(struct mlt_meta *out, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;

#endif
