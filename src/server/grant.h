// Grants: what a principal may do, and the text form in which they are kept.
#ifndef MLT_SERVER_GRANT_H
#define MLT_SERVER_GRANT_H

#include "record/kind.h"
#include "server/api.h"

// Names of rights, as in files and messages: "append", "read", …
const char *mlt_right_name(enum mlt_right right);

bool mlt_grant_covers_kind(const struct mlt_grant *grant, struct mlt_bytes kind);
bool mlt_grant_covers_model(const struct mlt_grant *grant, struct mlt_bytes model);
bool mlt_grant_covers_dataset(const struct mlt_grant *grant, struct mlt_bytes dataset);
bool mlt_grant_has_patterns(const struct mlt_grant *grant); // of any sort: the names in a record matter

// mlt_grant_covers_facts looks at the kind and at every model and dataset that `facts` names (a submitted record or the
// facts of an entry). `why` (may be NULL) gets what is not covered.
bool mlt_grant_covers_facts(const struct mlt_grant *grant, struct mlt_bytes kind, const struct mlt_json *json,
                            mlt_json_at facts, char why[static 256]);

// mlt_grant_write puts the members rights, payloads, kinds, models, datasets into an open object.
void mlt_grant_write(const struct mlt_grant *grant, struct mlt_json_writer *w);
// mlt_grant_read is its opposite. MLT_INVALID: a right that there is not, too many patterns, one that is too long.
enum mlt_status mlt_grant_read(struct mlt_grant *out, const struct mlt_json *json, mlt_json_at object,
                               struct mlt_error *err) MLT_MUST_USE;

#endif
