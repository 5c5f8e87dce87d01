// The publisher replaces `checkpoint` when the tree has grown, at most once per interval. The head in <state> is synced
// before: nobody outside ever holds a checkpoint that this trail could forget. With a `cosign`, others sign beside it
// before it is published, and again from time to time though nothing changed, so that their times stay fresh.
#include <stdio.h>

#include "base/wait.h"
#include "trail/trail_private.h"

static enum mlt_status sync_head(struct mlt_trail *t, struct mlt_error *err) {
    struct mlt_error own = {0};
    enum mlt_status st = mlt_store_failed(t->store, err);
    if (!st && mlt_state_sync_head(&t->state, &own)) {
        st = mlt_store_fail(t->store, &own); // the head's fate is unknown, as is the disk's
        if (err) {
            *err = own;
        }
    }
    return st;
}

static enum mlt_status gather(struct mlt_trail *t, const struct mlt_head *head, struct mlt_buf *note,
                              struct mlt_cosigned *cosigned, struct mlt_error *err) {
    if (!t->cosign) {
        mlt_buf_put(note, head->note, head->note_len);
        return note->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a checkpoint") : MLT_OK;
    }
    struct mlt_hash_source hashes = mlt_trail_hashes(t);
    return t->cosign(t->cosign_arg, head, &hashes, note, cosigned, err);
}

static enum mlt_status replace_checkpoint(struct mlt_trail *t, struct mlt_bytes note, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_error own = {0};
    (void)snprintf(path, sizeof(path), "%s/checkpoint", t->dir);
    // A checkpoint that could not be replaced is only late: the old one is whole, the next interval tries again.
    enum mlt_status st = mlt_env_replace_file(t->env, path, note, false, &own);
    st = st == MLT_IO ? mlt_store_fail(t->store, &own) : st;
    if (st && err) {
        *err = own;
    }
    return st;
}

static void remember(struct mlt_trail *t, uint64_t size, struct mlt_bytes note, const struct mlt_cosigned *cosigned) {
    pthread_mutex_lock(&t->mu);
    t->published = true;
    t->published_size = size;
    t->again_at = cosigned->again_ns > 0 ? mlt_wait_now() + cosigned->again_ns : INT64_MAX;
    pthread_mutex_unlock(&t->mu);
    if (t->published_cb) {
        t->published_cb(t->published_arg, size, note, cosigned);
    }
}

static enum mlt_status publish(struct mlt_trail *t, struct mlt_error *err) {
    struct mlt_head head;
    struct mlt_buf note = {0};
    struct mlt_cosigned cosigned = {0};
    mlt_trail_head(t, &head);
    if (t->is_forked) {
        return mlt_fail(err, MLT_CONFLICT, "this log has been rolled back or forked; nothing is published");
    }
    enum mlt_status st = sync_head(t, err);
    // The point of no return: the head is durable in <state>, and from here on others may hold it. A crash before the
    // checkpoint is replaced leaves an older one, which this head extends.
    st = st ? st : gather(t, &head, &note, &cosigned, err);
    st = st ? st : replace_checkpoint(t, mlt_buf_bytes(&note), err);
    t->is_forked = t->is_forked || (st == MLT_CONFLICT && t->cosign);
    if (!st) {
        remember(t, head.size, mlt_buf_bytes(&note), &cosigned);
    }
    mlt_buf_clear(&note);
    return st;
}

enum mlt_status mlt_trail_publish(struct mlt_trail *t, struct mlt_error *err) {
    struct mlt_error own = {0};
    if (t->read_only) {
        return mlt_fail(err, MLT_DENIED, "%s is open for reading only", t->dir);
    }
    pthread_mutex_lock(&t->publish_mu);
    bool was_forked = t->is_forked;
    enum mlt_status st = publish(t, &own);
    bool is_forked = t->is_forked;
    pthread_mutex_unlock(&t->publish_mu);
    if (is_forked && !was_forked) {
        t->forked(t->forked_arg, &own);
    }
    if (st && err) {
        *err = own;
    }
    return st;
}

static bool is_due(const struct mlt_trail *t) {
    return !t->published || t->published_size != t->head.size || t->again_at <= mlt_wait_now();
}

static void wait_until(struct mlt_trail *t, int64_t until_ns) {
    while (!t->stop_publisher && mlt_wait_until(&t->changed, &t->mu, until_ns)) {
    }
}

void *mlt_publisher_main(void *trail) {
    struct mlt_trail *t = trail;
    pthread_mutex_lock(&t->mu);
    while (!t->stop_publisher) {
        if (!is_due(t)) {
            (void)mlt_wait_until(&t->changed, &t->mu, t->again_at); // something changed, or it is time again
            continue;
        }
        wait_until(t, mlt_wait_now() + t->publish_interval_ns);
        if (!t->stop_publisher) {
            pthread_mutex_unlock(&t->mu);
            // A failed store has told `fatal`, a fork `forked`; anything else is tried again at the next interval.
            enum mlt_status st = mlt_trail_publish(t, NULL);
            pthread_mutex_lock(&t->mu);
            if (st == MLT_IO || st == MLT_CONFLICT) {
                break;
            }
        }
    }
    pthread_mutex_unlock(&t->mu);
    return NULL;
}
