#include "server/proving.h"

#include <stdlib.h>

#include "base/wait.h"
#include "server/append.h"

// An append that waits. The list is in order of arrival, so deadlines are in order as well.
struct waiting {
    struct mlt_append *append;
    struct mlt_receipt *receipts;
    struct mlt_head head;
    uint64_t needs; // size of the tree that covers all of it
    int64_t deadline;
    struct waiting *next;
};

struct mlt_proving {
    pthread_t thread;
    pthread_mutex_t mu; // of all below
    pthread_cond_t changed;
    bool ended, stop;
    struct waiting *first, *last;
    size_t num;
    uint64_t size; // proven
    struct mlt_buf note;
};

static uint64_t covers(const struct mlt_append *a, const struct mlt_receipt *receipts) {
    uint64_t size = 0;
    for (size_t i = 0; i < a->num_records; i++) {
        size = receipts[i].index + 1 > size ? receipts[i].index + 1 : size;
    }
    return size;
}

bool mlt_proving_wait(struct mlt_proving *p, struct mlt_append *a, const struct mlt_receipt *receipts,
                      const struct mlt_head *head) {
    struct waiting *w = a->num_records > 0 ? calloc(1, sizeof *w) : NULL;
    struct mlt_receipt *copy = w ? calloc(a->num_records, sizeof *copy) : NULL;
    if (!copy) {
        free(w);
        return false;
    }
    memcpy(copy, receipts, a->num_records * sizeof *copy);
    *w = (struct waiting){.append = a,
                          .receipts = copy,
                          .head = *head,
                          .needs = covers(a, receipts),
                          .deadline = mlt_wait_now() + MLT_PROVEN_TIMEOUT_S * MLT_NS_PER_S};
    pthread_mutex_lock(&p->mu);
    bool taken = !p->ended && p->num < MLT_PROVING_MAX;
    if (taken) {
        *(p->last ? &p->last->next : &p->first) = w;
        p->last = w;
        p->num++;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->mu);
    if (!taken) {
        free(copy);
        free(w);
    }
    return taken;
}

// take_ready unlinks what can be answered now, in order.
static struct waiting *take_ready(struct mlt_proving *p, int64_t now) {
    struct waiting *ready = NULL;
    struct waiting **end = &ready;
    struct waiting *last = NULL;
    for (struct waiting **at = &p->first; *at;) {
        struct waiting *w = *at;
        if (w->needs <= p->size || w->deadline <= now || p->ended) {
            *at = w->next;
            w->next = NULL;
            *end = w;
            end = &w->next;
            p->num--;
        } else {
            last = w;
            at = &w->next;
        }
    }
    p->last = last;
    return ready;
}

static void answer_all(struct waiting *ready, const struct mlt_proven *proven) {
    while (ready) {
        struct waiting *w = ready;
        ready = w->next;
        mlt_append_answer(w->append, w->receipts, &w->head, w->needs <= proven->size ? proven : NULL);
        free(w->receipts);
        free(w);
    }
}

static void *run(void *arg) {
    struct mlt_proving *p = arg;
    struct mlt_buf note = {0};
    pthread_mutex_lock(&p->mu);
    while (!p->stop || p->first) { // who still waits is answered first
        struct waiting *ready = take_ready(p, mlt_wait_now());
        if (!ready) {
            (void)mlt_wait_until(&p->changed, &p->mu, p->first ? p->first->deadline : INT64_MAX);
            continue;
        }
        mlt_buf_reset(&note);
        mlt_buf_put_bytes(&note, mlt_buf_bytes(&p->note));
        struct mlt_proven proven = {.size = note.failed ? 0 : p->size, .note = mlt_buf_bytes(&note)};
        pthread_mutex_unlock(&p->mu);
        answer_all(ready, &proven);
        pthread_mutex_lock(&p->mu);
    }
    pthread_mutex_unlock(&p->mu);
    mlt_buf_clear(&note);
    return NULL;
}

void mlt_proving_published(struct mlt_proving *p, uint64_t size, struct mlt_bytes note) {
    pthread_mutex_lock(&p->mu);
    mlt_buf_reset(&p->note);
    mlt_buf_put_bytes(&p->note, note);
    p->size = p->note.failed ? 0 : size;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mu);
}

enum mlt_status mlt_proving_start(struct mlt_proving **out, struct mlt_error *err) {
    struct mlt_proving *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) {
        return mlt_fail(err, MLT_NOMEM, "no memory for appends that wait for their proof");
    }
    (void)pthread_mutex_init(&p->mu, NULL);
    (void)mlt_wait_init(&p->changed);
    int rc = pthread_create(&p->thread, NULL, run, p);
    if (rc != 0) {
        pthread_mutex_destroy(&p->mu);
        pthread_cond_destroy(&p->changed);
        free(p);
        return mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    *out = p;
    return MLT_OK;
}

void mlt_proving_end(struct mlt_proving *p) {
    pthread_mutex_lock(&p->mu);
    p->ended = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mu);
}

void mlt_proving_stop(struct mlt_proving *p) {
    if (!p) {
        return;
    }
    pthread_mutex_lock(&p->mu);
    p->ended = true;
    p->stop = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mu);
    (void)pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->mu);
    pthread_cond_destroy(&p->changed);
    mlt_buf_clear(&p->note);
    free(p);
}
