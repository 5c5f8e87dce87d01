// Checking one value against what its kind's table says of the member.
#ifndef MLT_RECORD_CHECK_H
#define MLT_RECORD_CHECK_H

#include "record/draft.h"

struct mlt_check {
    const struct mlt_json *json;
    struct mlt_arena *scratch; // for strings that have to be unescaped
    struct mlt_problem *problem;
    int64_t *time; // the instant of the last time that was found good
};

// Where a value stands, from the inside out; becomes a JSON pointer only when something is wrong with it.
struct mlt_place {
    const struct mlt_place *parent; // NULL: a member of the record
    struct mlt_bytes name;          // of the member; {NULL, 0}: an element
    size_t index;
};

// mlt_check_value: MLT_INVALID or MLT_LIMIT with the problem filled when the value is not what the table asks for.
enum mlt_status mlt_check_value(const struct mlt_check *c, mlt_json_at at, const struct mlt_member *m,
                                const struct mlt_place *where) MLT_MUST_USE;

#endif
