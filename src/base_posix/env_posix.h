// The system implementation of struct mlt_env.
#ifndef MLT_BASE_POSIX_ENV_POSIX_H
#define MLT_BASE_POSIX_ENV_POSIX_H

#include "base/env.h"

// mlt_env_posix returns the process's one environment over the operating system; never freed.
struct mlt_env *mlt_env_posix(void);

#endif
