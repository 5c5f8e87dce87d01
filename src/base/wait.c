#include "base/wait.h"

#include <time.h>

int64_t mlt_wait_now(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * MLT_NS_PER_S + ts.tv_nsec;
}

bool mlt_wait_init(pthread_cond_t *cond) {
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    bool good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return good;
}

bool mlt_wait_until(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t until_ns) {
    if (until_ns == INT64_MAX) {
        return pthread_cond_wait(cond, mu) == 0;
    }
    const struct timespec ts = {.tv_sec = (time_t)(until_ns / MLT_NS_PER_S),
                                .tv_nsec = (long)(until_ns % MLT_NS_PER_S)};
    return pthread_cond_timedwait(cond, mu, &ts) == 0;
}
