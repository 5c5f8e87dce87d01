// Slices in order, checked ahead of the one who asks for them by as many threads as were wanted; by the caller when
// none were.
#include <pthread.h>
#include <stdlib.h>

#include "trail/verify_private.h"

#define RING 64        // places: slices that are being checked or wait to be asked for
#define THREADS_MAX 32 // at least two places a thread, so that none waits for the one who asks

struct place {
    bool done;              // under mu
    struct mlt_slice slice; // of the thread that took it; once done, of the one who asks
    enum mlt_status status;
    struct mlt_error err;
};

struct mlt_ahead {
    const struct mlt_verify *v; // constant while threads run
    enum mlt_verify_pass pass;
    struct mlt_slicer *own; // of the caller: no threads
    unsigned num_threads;
    pthread_t thread[THREADS_MAX];
    pthread_mutex_t mu;
    pthread_cond_t taken_or_done;
    pthread_cond_t freed;
    // Under mu.
    uint64_t next_first;             // of the next slice to take
    uint64_t taken, given, returned; // places taken by threads, given to the one who asks, done with
    bool stop;
    size_t num_places;
    struct place place[RING];
};

struct worker {
    struct mlt_ahead *ahead;
    struct mlt_slicer *slicer;
};

static uint64_t slice_at(const struct mlt_ahead *a, struct mlt_slice *slice, uint64_t first) {
    const uint64_t len = MLT_SLICE_BUNDLES * MLT_FILES_BUNDLE;
    uint64_t left = a->v->mark.size - first;
    slice->pass = a->pass;
    slice->first = first;
    slice->count = left < len ? left : len;
    return first + slice->count;
}

// The next slice to check; NULL: there is none, or it is time to stop.
static struct place *take(struct mlt_ahead *a) {
    struct place *p = NULL;
    pthread_mutex_lock(&a->mu);
    while (!a->stop && a->next_first < a->v->mark.size && a->taken - a->returned >= a->num_places) {
        pthread_cond_wait(&a->freed, &a->mu);
    }
    if (!a->stop && a->next_first < a->v->mark.size) {
        p = &a->place[a->taken++ % a->num_places];
        p->done = false;
        a->next_first = slice_at(a, &p->slice, a->next_first);
    }
    pthread_mutex_unlock(&a->mu);
    return p;
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct mlt_ahead *a = w->ahead;
    for (struct place *p = take(a); p; p = take(a)) {
        p->status = mlt_slicer_check(w->slicer, &p->slice, &p->err);
        pthread_mutex_lock(&a->mu);
        p->done = true;
        pthread_cond_signal(&a->taken_or_done);
        pthread_mutex_unlock(&a->mu);
    }
    mlt_slicer_free(w->slicer);
    free(w);
    return NULL;
}

static enum mlt_status add_thread(struct mlt_ahead *a, struct mlt_error *err) {
    struct worker *w = calloc(1, sizeof(*w));
    enum mlt_status st = w ? mlt_slicer_new(&w->slicer, a->v, err) : mlt_fail(err, MLT_NOMEM, "no memory to verify");
    if (!st) {
        w->ahead = a;
        int failed = pthread_create(&a->thread[a->num_threads], NULL, work, w);
        st = failed ? mlt_fail_errno(err, failed, NULL, "start a thread") : MLT_OK;
        a->num_threads += failed ? 0 : 1;
    }
    if (st && w) {
        mlt_slicer_free(w->slicer);
        free(w);
    }
    return st;
}

enum mlt_status mlt_ahead_start(struct mlt_ahead **out, const struct mlt_verify *v, enum mlt_verify_pass pass,
                                uint64_t first, struct mlt_error *err) {
    struct mlt_ahead *a = calloc(1, sizeof(*a));
    *out = NULL;
    if (!a) {
        return mlt_fail(err, MLT_NOMEM, "no memory to verify");
    }
    a->v = v;
    a->pass = pass;
    a->next_first = first;
    a->num_places = v->opt->threads > 0 ? RING : 1;
    (void)pthread_mutex_init(&a->mu, NULL);
    (void)pthread_cond_init(&a->taken_or_done, NULL);
    (void)pthread_cond_init(&a->freed, NULL);
    unsigned wanted = v->opt->threads < THREADS_MAX ? v->opt->threads : THREADS_MAX;
    enum mlt_status st = wanted == 0 ? mlt_slicer_new(&a->own, v, err) : MLT_OK;
    while (!st && a->num_threads < wanted) {
        st = add_thread(a, err);
    }
    if (st) {
        mlt_ahead_stop(a);
        return st;
    }
    *out = a;
    return MLT_OK;
}

// Nobody works ahead: the slice is checked now.
static enum mlt_status check_now(struct mlt_ahead *a, const struct mlt_slice **out, struct mlt_error *err) {
    struct place *p = &a->place[0];
    if (a->next_first >= a->v->mark.size) {
        return MLT_OK;
    }
    a->next_first = slice_at(a, &p->slice, a->next_first);
    enum mlt_status st = mlt_slicer_check(a->own, &p->slice, err);
    *out = st ? NULL : &p->slice;
    return st;
}

// The place given before is free from now on.
static void give_back(struct mlt_ahead *a) {
    if (a->returned < a->given) {
        a->returned++;
        pthread_cond_signal(&a->freed);
    }
}

enum mlt_status mlt_ahead_next(struct mlt_ahead *a, const struct mlt_slice **out, struct mlt_error *err) {
    *out = NULL;
    if (a->num_threads == 0) {
        return check_now(a, out, err);
    }
    struct place *p = NULL;
    pthread_mutex_lock(&a->mu);
    give_back(a);
    if (a->given < a->taken || a->next_first < a->v->mark.size) {
        p = &a->place[a->given % a->num_places];
        while (!(a->given < a->taken && p->done)) {
            pthread_cond_wait(&a->taken_or_done, &a->mu);
        }
        a->given++;
    }
    pthread_mutex_unlock(&a->mu);
    if (!p) {
        return MLT_OK;
    }
    if (p->status) {
        if (err) {
            *err = p->err;
        }
        return p->status;
    }
    *out = &p->slice;
    return MLT_OK;
}

void mlt_ahead_stop(struct mlt_ahead *a) {
    if (!a) {
        return;
    }
    pthread_mutex_lock(&a->mu);
    a->stop = true;
    pthread_cond_broadcast(&a->freed);
    pthread_mutex_unlock(&a->mu);
    for (unsigned i = 0; i < a->num_threads; i++) {
        (void)pthread_join(a->thread[i], NULL);
    }
    for (size_t i = 0; i < RING; i++) {
        mlt_buf_clear(&a->place[i].slice.erased_indexes);
        mlt_buf_clear(&a->place[i].slice.erasures);
    }
    mlt_slicer_free(a->own);
    (void)pthread_cond_destroy(&a->freed);
    (void)pthread_cond_destroy(&a->taken_or_done);
    (void)pthread_mutex_destroy(&a->mu);
    free(a);
}
