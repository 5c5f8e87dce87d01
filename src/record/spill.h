// Facts that are too long for an entry leave it, largest first, and are bound to it by their hashes.
#ifndef MLT_RECORD_SPILL_H
#define MLT_RECORD_SPILL_H

#include "record/members.h"

// mlt_spill_choose sets `spilled[i]` for each fact m->refs[i] that has to leave, so that the rest stays within
// MLT_FACTS_INLINE_MAX, and counts them. MLT_LIMIT: more than MLT_DETAILS_MAX would leave; the problem is filled.
enum mlt_status mlt_spill_choose(const struct mlt_members *m, bool *spilled, size_t *num_spilled,
                                 struct mlt_problem *problem) MLT_MUST_USE;

// mlt_spill_detail copies a fact that leaves into `arena` and hashes it.
enum mlt_status mlt_spill_detail(struct mlt_detail *out, struct mlt_arena *arena, const struct mlt_member_ref *ref,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
