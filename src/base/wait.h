// Waiting for a condition until a time on the monotonic clock. A condition that is left with the default, the wall
// clock, waits for hours when that clock is set back.
#ifndef MLT_BASE_WAIT_H
#define MLT_BASE_WAIT_H

#include <pthread.h>

#include "base/time.h"

int64_t mlt_wait_now(void);               // monotonic ns
bool mlt_wait_init(pthread_cond_t *cond); // false: no memory

// mlt_wait_until waits once, with `mu` held, until `cond` is signalled, `until_ns` is reached (INT64_MAX: never) or
// without a reason, as conditions do: whoever waits looks again. False: the time is up.
bool mlt_wait_until(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t until_ns);

#endif
