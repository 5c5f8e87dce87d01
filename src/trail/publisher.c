// The publisher replaces `checkpoint` when the tree has grown, at most once per interval. The head in <state> is synced
// before: nobody outside ever holds a checkpoint that this trail could forget.
#include <stdio.h>
#include <time.h>

#include "trail/trail_private.h"

enum mlt_status mlt_trail_publish(struct mlt_trail *t, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_head head;
    struct mlt_error own = {0};
    if (t->read_only) {
        return mlt_fail(err, MLT_DENIED, "%s is open for reading only", t->dir);
    }
    pthread_mutex_lock(&t->publish_mu);
    mlt_trail_head(t, &head);
    enum mlt_status st = mlt_store_failed(t->store, err);
    if (st) {
        pthread_mutex_unlock(&t->publish_mu);
        return st;
    }
    (void)snprintf(path, sizeof(path), "%s/checkpoint", t->dir);
    st = mlt_state_sync_head(&t->state, &own);
    if (st) {
        st = mlt_store_fail(t->store, &own); // the head's fate is unknown, as is the disk's
    } else {
        // A checkpoint that could not be replaced is only late: the old one is whole, the next interval tries again.
        st = mlt_env_replace_file(t->env, path, mlt_bytes_of(head.note, head.note_len), false, &own);
        st = st == MLT_IO ? mlt_store_fail(t->store, &own) : st;
    }
    if (st && err) {
        *err = own;
    }
    if (!st) {
        pthread_mutex_lock(&t->mu);
        t->published = true;
        t->published_size = head.size;
        pthread_mutex_unlock(&t->mu);
    }
    pthread_mutex_unlock(&t->publish_mu);
    return st;
}

static bool is_due(const struct mlt_trail *t) {
    return !t->published || t->published_size != t->head.size;
}

static void wait_interval(struct mlt_trail *t) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + t->publish_interval_ns % MLT_NS_PER_S;
    until.tv_sec += (time_t)(t->publish_interval_ns / MLT_NS_PER_S + ns / MLT_NS_PER_S);
    until.tv_nsec = (long)(ns % MLT_NS_PER_S);
    while (!t->stop_publisher && pthread_cond_timedwait(&t->changed, &t->mu, &until) == 0) {
    }
}

void *mlt_publisher_main(void *trail) {
    struct mlt_trail *t = trail;
    pthread_mutex_lock(&t->mu);
    while (!t->stop_publisher) {
        if (!is_due(t)) {
            pthread_cond_wait(&t->changed, &t->mu);
            continue;
        }
        wait_interval(t);
        if (!t->stop_publisher) {
            pthread_mutex_unlock(&t->mu);
            // A failed store has told `fatal`; anything else is tried again at the next interval.
            enum mlt_status st = mlt_trail_publish(t, NULL);
            pthread_mutex_lock(&t->mu);
            if (st == MLT_IO) {
                break;
            }
        }
    }
    pthread_mutex_unlock(&t->mu);
    return NULL;
}
