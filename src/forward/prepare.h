// From a record as a producer wrote it to a frame of a spool: checked against its kind's table, white space removed,
// and numbered where it has no number of its own.
#ifndef MLT_FORWARD_PREPARE_H
#define MLT_FORWARD_PREPARE_H

#include "record/validate.h"
#include "spool/writer.h"

// One thread at a time.
struct mlt_preparer {
    struct mlt_json json;
    struct mlt_arena scratch;
    struct mlt_buf text;
    struct mlt_member_ref refs[MLT_RECORD_MEMBERS_MAX];
};
void mlt_preparer_clear(struct mlt_preparer *p);

// mlt_prepare_check scans and validates. MLT_INVALID, MLT_LIMIT: the problem says what is wrong.
enum mlt_status mlt_prepare_check(struct mlt_preparer *p, struct mlt_bytes record, struct mlt_problem *problem,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_prepare_node gives the serving node that the record names; {NULL, 0}: none.
struct mlt_bytes mlt_prepare_node(struct mlt_preparer *p);
// mlt_prepare_item makes a frame of the record that was checked last; it borrows from the preparer.
//
// A prediction without `stream` and `sequence`, and of this node or of none, gets the next number of the stream. A
// record that nothing but an event_id could identify gets one, of stream and frame.
enum mlt_status mlt_prepare_item(struct mlt_preparer *p, struct mlt_spool_item *out, const char *node,
                                 const char *stream, struct mlt_error *err) MLT_MUST_USE;

#endif
