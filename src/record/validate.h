// Validation of one submitted record against its kind's table.
#ifndef MLT_RECORD_VALIDATE_H
#define MLT_RECORD_VALIDATE_H

#include "record/members.h"

// mlt_record_validate finds the kind, checks every member, fills `out` and says of each member whether it is payload.
// `default_kind` (NULL: none) stands in for an absent `kind`; `own`: kinds that only the server writes are allowed.
// MLT_INVALID or MLT_LIMIT: the problem is filled.
enum mlt_status mlt_record_validate(struct mlt_members *out, const struct mlt_json *json, const char *default_kind,
                                    bool own, struct mlt_arena *scratch, struct mlt_problem *problem) MLT_MUST_USE;

#endif
