// What a `control` entry says when it commits to the links of a segment (record/link.h): facts
//
//   "control":"segment","first":F,"end":E,"links":N,"root":64 hexadecimal digits
#ifndef MLT_RECORD_SEGMENT_H
#define MLT_RECORD_SEGMENT_H

#include "record/entry.h"

// mlt_segment_may_be says, from the first bytes of an entry, whether it is worth parsing to look for a commitment. An
// entry has its members in one order, so that nothing else is one.
bool mlt_segment_may_be(struct mlt_bytes entry);
// mlt_segment_is says whether the entry means to be a commitment, whatever it holds.
bool mlt_segment_is(const struct mlt_entry *entry);
// mlt_segment_read reads it; `index` is the entry's own. MLT_CORRUPT: no commitment that such an entry can make.
enum mlt_status mlt_segment_read(struct mlt_segment *out, const struct mlt_entry *entry, uint64_t index,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_segment_write puts the members into the object that is being written.
void mlt_segment_write(struct mlt_json_writer *w, const struct mlt_segment *segment);

#endif
