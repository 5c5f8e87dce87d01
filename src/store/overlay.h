// An environment over another one that keeps what is written in memory: recovery runs over it unchanged, and nothing
// on disk is touched. For verification and for reading copies. Lock, rename and directories are refused.
#ifndef MLT_STORE_OVERLAY_H
#define MLT_STORE_OVERLAY_H

#include "base/env.h"

// MLT_NOMEM. The base must outlive it.
enum mlt_status mlt_overlay_new(struct mlt_env **out, struct mlt_env *base, struct mlt_error *err) MLT_MUST_USE;
void mlt_overlay_free(struct mlt_env *overlay); // after all its files are closed

#endif
