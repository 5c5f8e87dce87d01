// Digests as records carry them: `sha256:<hex>`, or an object of digests by algorithm.
#ifndef MLT_RECORD_DIGEST_H
#define MLT_RECORD_DIGEST_H

#include "crypto/sha256.h"
#include "record/json.h"

enum mlt_digest_match {
    MLT_DIGEST_SAME,           // at least one common algorithm, and all common ones agree
    MLT_DIGEST_DIFFERENT,      // a common algorithm differs
    MLT_DIGEST_NOT_COMPARABLE, // no common algorithm, or one of them is absent or no digest
};
enum mlt_digest_match mlt_digest_compare(const struct mlt_json *a, mlt_json_at a_at, const struct mlt_json *b,
                                         mlt_json_at b_at);

// mlt_digest_put writes the member `name` with `sha256:<hex>` of a hash.
void mlt_digest_put(struct mlt_json_writer *w, const char *name, const uint8_t hash[static MLT_HASH_LEN]);

#endif
