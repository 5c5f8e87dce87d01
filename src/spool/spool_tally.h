// The tally of a stream, by its writer or by whoever adopted it.
#ifndef MLT_SPOOL_SPOOL_TALLY_H
#define MLT_SPOOL_SPOOL_TALLY_H

#include "spool/spool_file.h"

struct mlt_spool_tally {
    const char *stream, *serving_node, *from, *to;
    uint64_t count, lost;
    bool recovered;
};
// mlt_spool_tally_put writes the final tally as a record.
void mlt_spool_tally_put(struct mlt_buf *out, const struct mlt_spool_tally *t);

#endif
