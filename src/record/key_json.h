// The chain of keys as members of a JSON object: in trail.json and in <state>/signing.key.
//
//   "keys":[VKEY,…]      the one in use first, 1 to 32
//   "links":[NOTE,…]     how each but the oldest replaced the one after it, one fewer; absent while there is one key
#ifndef MLT_RECORD_KEY_JSON_H
#define MLT_RECORD_KEY_JSON_H

#include "note/chain.h"
#include "record/json.h"

void mlt_key_json_put(struct mlt_json_writer *w, const struct mlt_key_chain *chain);
// mlt_key_json_get: MLT_INVALID with the member and what would be right. Signatures are not verified.
enum mlt_status mlt_key_json_get(struct mlt_key_chain *chain, const struct mlt_json *json, struct mlt_arena *arena,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
