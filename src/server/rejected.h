// Rejected input is kept, bounded, in control records of the same group (promise P3): one for each record that is kept.
#ifndef MLT_SERVER_REJECTED_H
#define MLT_SERVER_REJECTED_H

#include "server/api_state.h"

struct mlt_rejected {
    struct mlt_buf records; // the control records as JSON, one after the other
    size_t ends[MLT_REJECTED_REQUEST_MAX];
    size_t num_kept;
    size_t num_not_kept;
};
// mlt_rejected_add keeps the line within the bounds of the request and of its principal's window.
void mlt_rejected_add(struct mlt_rejected *r, struct mlt_call *call, struct mlt_bytes input,
                      const struct mlt_problem *problem);
// mlt_rejected_finish adds the control records to the batch, after the client's drafts, and frees `r`.
void mlt_rejected_finish(struct mlt_rejected *r, struct mlt_call *call, struct mlt_append *a,
                         struct mlt_builder *builder);

#endif
