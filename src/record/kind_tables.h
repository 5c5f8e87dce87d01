// The member tables behind kind.c, split by who writes the records; one line a member.
#ifndef MLT_RECORD_KIND_TABLES_H
#define MLT_RECORD_KIND_TABLES_H

#include "record/kind.h"

#define REQ MLT_M_REQUIRED
#define EVI MLT_M_EVIDENCE
#define PAY MLT_M_PAYLOAD

// A member of one type; one of an enumeration; one whose objects have a table of their own.
#define MEMBER(name, type, flags, about)                                                                               \
    { name, MLT_T_##type, flags, NULL, NULL, about }
#define MEMBER_ENUM(name, flags, values, about)                                                                        \
    { name, MLT_T_ENUM, flags, values, NULL, about }
#define MEMBER_OF(name, type, flags, members, about)                                                                   \
    { name, MLT_T_##type, flags, NULL, members, about }
#define MEMBERS_END                                                                                                    \
    { NULL, MLT_T_ANY, 0, NULL, NULL, NULL }

// What every kind may carry, beside `kind`.
#define MEMBER_TIMESTAMP MEMBER("timestamp", TIME, 0, "when it happened, as the producer claims")
#define MEMBERS_COMMON                                                                                                 \
    MEMBER("event_id", STRING, 0, "the producer's own identifier of this record; makes a retry recognisable"),         \
        MEMBER("private", OBJECT, PAY, "whatever else is personal or confidential")

// Of the mission.
extern const struct mlt_member mlt_members_prediction[], mlt_members_dataset_version[], mlt_members_training_run[],
    mlt_members_model_version[], mlt_members_approval[], mlt_members_transition[], mlt_members_access[];
// Around it.
extern const struct mlt_member mlt_members_decision[], mlt_members_oversight[], mlt_members_explanation[],
    mlt_members_notice[], mlt_members_outcome[], mlt_members_correction[], mlt_members_tally[], mlt_members_batch[];
// Of other systems.
extern const struct mlt_member mlt_members_capture[];
// Of the server alone, and of the user.
extern const struct mlt_member mlt_members_control[], mlt_members_alert[], mlt_members_export[], mlt_members_erasure[],
    mlt_members_hold[], mlt_members_anchor[], mlt_members_custom[];

#endif
