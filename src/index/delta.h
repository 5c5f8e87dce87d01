// The look-ups of a stretch of entries in memory, and how they get into the files.
#ifndef MLT_INDEX_DELTA_H
#define MLT_INDEX_DELTA_H

#include "index/lookup.h"

struct mlt_delta *mlt_delta_new(uint64_t first); // NULL when memory is out
void mlt_delta_free(struct mlt_delta *d);
void mlt_delta_reset(struct mlt_delta *d, uint64_t first);                              // empty, memory kept
bool mlt_delta_add(struct mlt_delta *d, const struct mlt_draft *draft, uint64_t entry); // false: memory is out
bool mlt_delta_is_full(const struct mlt_delta *d);
enum mlt_status mlt_delta_write(const struct mlt_delta *d, struct mlt_runs *runs, struct mlt_error *err) MLT_MUST_USE;

#endif
