// The kinds of record and their members (design section 7), as data: one table drives validation, the split into
// facts and payload, the `+` findings and the documentation.
#ifndef MLT_RECORD_KIND_H
#define MLT_RECORD_KIND_H

#include "record/json.h"

enum mlt_kind {
    MLT_KIND_PREDICTION,
    MLT_KIND_DATASET_VERSION,
    MLT_KIND_TRAINING_RUN,
    MLT_KIND_MODEL_VERSION,
    MLT_KIND_APPROVAL,
    MLT_KIND_TRANSITION,
    MLT_KIND_ACCESS,
    MLT_KIND_DECISION,
    MLT_KIND_OVERSIGHT,
    MLT_KIND_EXPLANATION,
    MLT_KIND_NOTICE,
    MLT_KIND_OUTCOME,
    MLT_KIND_CORRECTION,
    MLT_KIND_CAPTURE,
    MLT_KIND_TALLY,
    MLT_KIND_BATCH,
    // Only the server writes these.
    MLT_KIND_CONTROL,
    MLT_KIND_ALERT,
    MLT_KIND_EXPORT,
    MLT_KIND_ERASURE,
    MLT_KIND_HOLD,
    MLT_KIND_ANCHOR,
    MLT_KIND_CUSTOM, // begins with "x-"
    MLT_NUM_KINDS,
};

enum mlt_member_flags {
    MLT_M_REQUIRED = 1, // `*`: without it the record is rejected
    MLT_M_EVIDENCE = 2, // `+`: its absence is recorded and is a finding
    MLT_M_PAYLOAD = 4,  // sealed; everything else in the table is a fact
};

enum mlt_member_type {
    MLT_T_ANY,
    MLT_T_STRING,
    MLT_T_TIME,
    MLT_T_NUMBER,
    MLT_T_COUNT /* non-negative integer */,
    MLT_T_BOOL,
    MLT_T_OBJECT,
    MLT_T_ARRAY,
    MLT_T_STRINGS /* array of strings */,
    MLT_T_DIGEST,
    MLT_T_ENUM,
    MLT_T_OBJECTS /* array of objects by `members` */,
    MLT_T_STRUCT /* object by `members` */,
    MLT_T_DATE_OR_TIME_OR_NULL,
    MLT_T_STRING_OR_OBJECT,
};

struct mlt_member {
    const char *name;
    enum mlt_member_type type;
    unsigned flags;
    const char *const *values;        // MLT_T_ENUM: NULL-terminated
    const struct mlt_member *members; // MLT_T_OBJECTS, MLT_T_STRUCT: terminated by a NULL name; others are accepted
    const char *about;                // what it says, for docs/RECORDS.md
};

struct mlt_kind_info {
    enum mlt_kind kind;
    const char *name; // "prediction", "dataset.version", …; "x-" for MLT_KIND_CUSTOM
    bool server_only;
    const struct mlt_member *members; // terminated by a NULL name
    const char *about;
};

#define MLT_KIND_MEMBERS_MAX 64 // of one kind's table: what has been seen of a record is a bit each

const struct mlt_kind_info *mlt_kind_info(enum mlt_kind kind);
// mlt_kind_find returns NULL for an unknown name; any name that begins with "x-" and is not only that is
// MLT_KIND_CUSTOM.
const struct mlt_kind_info *mlt_kind_find(struct mlt_bytes name);
const struct mlt_member *mlt_kind_member(const struct mlt_kind_info *kind,
                                         struct mlt_bytes name); // NULL: not in the table

#endif
