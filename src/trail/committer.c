// The committer: one thread that turns queued batches into groups.
#include <assert.h>
#include <stdlib.h>

#include "trail/trail_private.h"

// A group under way: the jobs in it, and what is to be said to them.
struct group {
    struct mlt_job *jobs;
    uint64_t first; // index of its first entry
    size_t num_new;
    int64_t received;
    struct mlt_head head;
};

void mlt_job_free(struct mlt_job *job) {
    if (job) {
        free(job->receipts);
        free(job);
    }
}

// Takes batches in the order in which they came, until a group is full.
static struct mlt_job *take_jobs(struct mlt_trail *t) {
    uint64_t max = mlt_store_group_max(t->store);
    uint64_t bytes = 0;
    struct mlt_job *last = NULL;
    max = max < MLT_GROUP_BYTES_MAX ? max : MLT_GROUP_BYTES_MAX;
    for (struct mlt_job *job = t->first_job; job && (!last || bytes + job->bytes <= max); job = job->next) {
        bytes += job->bytes;
        last = job;
    }
    struct mlt_job *jobs = t->first_job;
    t->first_job = last->next;
    if (!t->first_job) {
        t->last_job = NULL;
    }
    t->queued_bytes -= bytes;
    last->next = NULL;
    return jobs;
}

// `received` never goes back: order in the log and times in it must not contradict each other.
static int64_t stamp_time(struct mlt_trail *t) {
    int64_t now = t->env->now(t->env);
    if (now < t->last_received) {
        if (t->clock_step) {
            t->clock_step(t->clock_step_arg, t->last_received, now);
        }
        now = t->last_received;
    }
    return now;
}

static enum mlt_status reserve_drafts(struct mlt_trail *t, size_t need, struct mlt_error *err) {
    if (need <= t->group_cap) {
        return MLT_OK;
    }
    size_t cap = t->group_cap ? t->group_cap : 1024;
    while (cap < need) {
        cap *= 2;
    }
    const struct mlt_draft **grown = realloc(t->group_drafts, cap * sizeof(struct mlt_draft *));
    if (!grown) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a group of %zu entries", need);
    }
    t->group_drafts = grown;
    t->group_cap = cap;
    return MLT_OK;
}

static enum mlt_status place_draft(struct mlt_trail *t, struct group *g, struct mlt_draft *draft,
                                   struct mlt_receipt *receipt, const char *received_text, struct mlt_error *err) {
    receipt->added = MLT_ADDED_NEW;
    receipt->index = g->first + g->num_new;
    enum mlt_status st = MLT_OK;
    if (t->has_admission) {
        uint64_t first = receipt->index;
        st = t->admission.admit(t->admission.ctx, draft, receipt->index, &receipt->added, &first, err);
        receipt->index = first;
    }
    if (st || receipt->added == MLT_ADDED_DUPLICATE) {
        return st;
    }
    if (!t->meta.raw) {
        assert(draft->received_off + MLT_TIME_TEXT_LEN <= draft->entry_len);
        memcpy(draft->entry + draft->received_off, received_text, MLT_TIME_TEXT_LEN);
    }
    st = reserve_drafts(t, g->num_new + 1, err);
    st = st ? st : mlt_store_add(t->store, draft, receipt->leaf, err);
    if (!st) {
        t->group_drafts[g->num_new++] = draft;
    }
    return st;
}

static enum mlt_status place_all(struct mlt_trail *t, struct group *g, struct mlt_error *err) {
    char received_text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(received_text, g->received);
    mlt_store_begin(t->store);
    for (struct mlt_job *job = g->jobs; job; job = job->next) {
        for (size_t i = 0; i < job->batch->num_drafts; i++) {
            enum mlt_status st = place_draft(t, g, &job->batch->drafts[i], &job->receipts[i], received_text, err);
            if (st) {
                return st;
            }
        }
    }
    return MLT_OK;
}

static enum mlt_status fatal(struct mlt_trail *t, struct mlt_error *err, const struct mlt_error *why) {
    if (err != why) {
        *err = *why;
    }
    enum mlt_status st = mlt_store_fail(t->store, why);
    err->status = st;
    return st;
}

// From durable to acknowledgeable: signed, in <state>, readable, known to the index.
static enum mlt_status follow_up(struct mlt_trail *t, struct group *g, const struct mlt_watermark *after,
                                 struct mlt_error *err) {
    enum mlt_status st = mlt_trail_sign(t, &g->head, after->size, after->root, g->received, err);
    st = st ? st : mlt_state_put_head(&t->state, &g->head, err);
    st = st ? st : mlt_store_apply(t->store, err);
    if (!st && t->has_admission && t->admission.added) {
        st = t->admission.added(t->admission.ctx, t->group_drafts, g->num_new, g->first, err);
    }
    return st ? fatal(t, err, err) : MLT_OK;
}

// A duplicate's receipt names the first entry; its leaf hash is read now that the group is readable.
static enum mlt_status fill_duplicates(struct mlt_trail *t, struct group *g, struct mlt_error *err) {
    struct mlt_hash_source src = mlt_trail_hashes(t);
    enum mlt_status st = MLT_OK;
    for (struct mlt_job *job = g->jobs; job && !st; job = job->next) {
        for (size_t i = 0; i < job->batch->num_drafts && !st; i++) {
            struct mlt_receipt *r = &job->receipts[i];
            if (r->added == MLT_ADDED_DUPLICATE) {
                st = src.read(src.ctx, 0, r->index, 1, r->leaf, err);
            }
        }
    }
    return st;
}

static enum mlt_status commit_group(struct mlt_trail *t, struct group *g, struct mlt_error *err) {
    struct mlt_watermark after;
    mlt_store_mark(t->store, &after);
    g->first = after.size;
    g->received = stamp_time(t);
    enum mlt_status st = mlt_store_failed(t->store, err);
    st = st ? st : place_all(t, g, err);
    if (!st && g->num_new > 0) {
        st = mlt_store_commit(t->store, g->received, &after, err);
        if (!st) {
            t->last_received = g->received;
            return follow_up(t, g, &after, err);
        }
    }
    if (!st) {
        mlt_trail_head(t, &g->head); // duplicates only: the last head covers them
        return MLT_OK;
    }
    if (t->has_admission && t->admission.dropped) {
        t->admission.dropped(t->admission.ctx, g->first);
    }
    return st;
}

static void acknowledge(struct mlt_trail *t, struct group *g, enum mlt_status st, const struct mlt_error *err) {
    int64_t now = t->env->monotonic(t->env);
    pthread_mutex_lock(&t->mu);
    if (!st && g->num_new > 0) {
        t->head = g->head;
        t->num_groups++;
        t->last_group_ns = now - g->jobs->queued;
        pthread_cond_signal(&t->changed);
    }
    pthread_mutex_unlock(&t->mu);
    while (g->jobs) {
        struct mlt_job *job = g->jobs;
        g->jobs = job->next;
        if (st) {
            job->done(job->arg, job->batch, st, NULL, NULL, err);
        } else {
            job->done(job->arg, job->batch, MLT_OK, job->receipts, &g->head, NULL);
        }
        mlt_job_free(job);
    }
}

void *mlt_committer_main(void *trail) {
    struct mlt_trail *t = trail;
    for (;;) {
        pthread_mutex_lock(&t->mu);
        while (!t->first_job && !t->stop_committer) {
            pthread_cond_wait(&t->work, &t->mu);
        }
        if (!t->first_job) {
            pthread_mutex_unlock(&t->mu);
            return NULL;
        }
        struct group g = {.jobs = take_jobs(t)};
        pthread_mutex_unlock(&t->mu);
        struct mlt_error err = {0};
        pthread_mutex_lock(&t->commit_mu);
        enum mlt_status st = commit_group(t, &g, &err);
        // The group stands by now: not being able to read our own hashes is the end, not a refusal of the batch.
        if (!st && fill_duplicates(t, &g, &err)) {
            st = fatal(t, &err, &err);
        }
        pthread_mutex_unlock(&t->commit_mu);
        acknowledge(t, &g, st, &err);
    }
}

static enum mlt_status check_batch(struct mlt_trail *t, const struct mlt_batch *batch, uint64_t *bytes,
                                   struct mlt_error *err) {
    *bytes = 0;
    if (batch->num_drafts == 0 || batch->num_drafts > MLT_GROUP_COUNT_MAX) {
        return mlt_fail(err, MLT_INVALID, "a batch of %zu records; 1 to %u would be right", batch->num_drafts,
                        MLT_GROUP_COUNT_MAX);
    }
    for (size_t i = 0; i < batch->num_drafts; i++) {
        if (batch->drafts[i].entry_len > MLT_ENTRY_MAX) {
            return mlt_fail(err, MLT_LIMIT, "record %zu of the batch has an entry of %zu bytes; at most %d are allowed",
                            i + 1, batch->drafts[i].entry_len, MLT_ENTRY_MAX);
        }
        *bytes += mlt_group_draft_len(&batch->drafts[i]);
    }
    if (*bytes > mlt_store_group_max(t->store)) {
        return mlt_fail(err, MLT_LIMIT, "a batch of %llu bytes; at most %llu fit into one group of this trail",
                        (unsigned long long)*bytes, (unsigned long long)mlt_store_group_max(t->store));
    }
    return MLT_OK;
}

static enum mlt_status enqueue(struct mlt_trail *t, struct mlt_job *job, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    pthread_mutex_lock(&t->mu);
    if (!t->accepting) {
        st = mlt_fail(err, MLT_DENIED, "%s is not open for writing", t->dir);
    } else if (t->first_job && t->queued_bytes + job->bytes > MLT_QUEUE_BYTES_MAX) {
        st = mlt_fail(err, MLT_BUSY, "%llu MiB are waiting to be written; try again later",
                      (unsigned long long)(t->queued_bytes >> 20));
    } else {
        if (t->last_job) {
            t->last_job->next = job;
        } else {
            t->first_job = job;
        }
        t->last_job = job;
        t->queued_bytes += job->bytes;
        pthread_cond_signal(&t->work);
    }
    pthread_mutex_unlock(&t->mu);
    return st;
}

enum mlt_status mlt_trail_append(struct mlt_trail *t, struct mlt_batch *batch, bool uses_reserve, mlt_append_done done,
                                 void *arg, struct mlt_error *err) {
    uint64_t bytes;
    uint64_t free_bytes;
    enum mlt_status st = mlt_store_failed(t->store, err);
    st = st ? st : check_batch(t, batch, &bytes, err);
    if (!st && !uses_reserve) {
        st = mlt_store_space(t->store, &free_bytes, err);
    }
    if (st) {
        return st;
    }
    struct mlt_job *job = calloc(1, sizeof(*job));
    if (job) {
        job->receipts = calloc(batch->num_drafts, sizeof(*job->receipts));
    }
    if (!job || !job->receipts) {
        mlt_job_free(job);
        return mlt_fail(err, MLT_NOMEM, "no memory to queue a batch of %zu records", batch->num_drafts);
    }
    job->batch = batch;
    job->done = done;
    job->arg = arg;
    job->bytes = bytes;
    job->queued = t->env->monotonic(t->env);
    st = enqueue(t, job, err);
    if (st) {
        mlt_job_free(job);
    }
    return st;
}

struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool done;
    enum mlt_status status;
    struct mlt_receipt *receipts;
    struct mlt_head *head;
    struct mlt_error *err;
};

static void wake_waiter(void *arg, struct mlt_batch *batch, enum mlt_status status, const struct mlt_receipt *receipts,
                        const struct mlt_head *head, const struct mlt_error *err) {
    struct waiter *w = arg;
    pthread_mutex_lock(&w->mu);
    w->status = status;
    if (!status) {
        memcpy(w->receipts, receipts, batch->num_drafts * sizeof(*receipts));
        if (w->head) {
            *w->head = *head;
        }
    } else if (w->err) {
        *w->err = *err;
    }
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mu);
}

enum mlt_status mlt_trail_append_wait(struct mlt_trail *t, struct mlt_batch *batch, bool uses_reserve,
                                      struct mlt_receipt *receipts, struct mlt_head *head, struct mlt_error *err) {
    struct waiter w = {.mu = PTHREAD_MUTEX_INITIALIZER,
                       .cond = PTHREAD_COND_INITIALIZER,
                       .receipts = receipts,
                       .head = head,
                       .err = err};
    enum mlt_status st = mlt_trail_append(t, batch, uses_reserve, wake_waiter, &w, err);
    if (st) {
        return st;
    }
    pthread_mutex_lock(&w.mu);
    while (!w.done) {
        pthread_cond_wait(&w.cond, &w.mu);
    }
    pthread_mutex_unlock(&w.mu);
    pthread_mutex_destroy(&w.mu);
    pthread_cond_destroy(&w.cond);
    return w.status;
}
