// Validation of one submitted record against its kind's table.
#ifndef MLT_RECORD_VALIDATE_H
#define MLT_RECORD_VALIDATE_H

#include "record/draft.h"

#define MLT_RECORD_MEMBERS_MAX 512 // top-level members of one record; a record is flat and made by people
#define MLT_NAME_MAX 1024          // bytes of a string that names something: it is hashed, shown, and put into URLs

// One top-level member of a record, wherever it was read from.
struct mlt_member_ref {
    struct mlt_bytes name; // unescaped
    const struct mlt_json *json;
    mlt_json_at at;
    const struct mlt_member *info; // NULL: not in the table
    bool payload;
};
struct mlt_members {
    const struct mlt_kind_info *kind;
    struct mlt_bytes kind_name;
    struct mlt_member_ref *refs;
    size_t num;
};
// mlt_members_find gives NULL when absent or null-valued (a null member says no more than an absent one).
const struct mlt_member_ref *mlt_members_find(const struct mlt_members *m, const char *name);

// mlt_record_validate finds the kind, checks every member, and fills `out`, whose refs have room for
// MLT_RECORD_MEMBERS_MAX. `own`: kinds that only the server writes are allowed.
enum mlt_status mlt_record_validate(struct mlt_members *out, const struct mlt_json *json, const char *default_kind,
                                    bool own, struct mlt_arena *scratch, struct mlt_problem *problem) MLT_MUST_USE;

// mlt_problem_set fills a problem and returns `status`.
enum mlt_status mlt_problem_set(struct mlt_problem *p, enum mlt_status status, const char *code, const char *pointer,
                                const char *fmt, ...) MLT_PRINTF(5, 6);

#endif
