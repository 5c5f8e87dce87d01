// Workers: requests that may wait for the disk or the log leave the connection's thread.
#include <errno.h>

#include "server/server_state.h"

static struct mlt_exchange *take(struct mlt_work *work) {
    pthread_mutex_lock(&work->lock);
    while (!work->first && !work->stop) {
        pthread_cond_wait(&work->ready, &work->lock);
    }
    struct mlt_exchange *ex = work->first;
    if (ex) {
        work->first = ex->next;
        work->last = work->first ? work->last : NULL;
        work->num--;
    }
    pthread_mutex_unlock(&work->lock);
    return ex;
}

static void *run(void *arg) {
    struct mlt_server *s = arg;
    struct mlt_exchange *ex;
    while ((ex = take(&s->work)) != NULL) {
        if (atomic_load(&s->stopping)) {
            mlt_answer_problem(&ex->res, 503, "stopping", NULL, "the server is stopping; ask again when it is back");
        } else {
            struct mlt_request req = mlt_exchange_request(ex);
            mlt_api_handle(s->api, &req, &ex->res);
        }
        mlt_exchange_finish(ex);
    }
    return NULL;
}

enum mlt_status mlt_work_start(struct mlt_server *s, struct mlt_error *err) {
    if (pthread_mutex_init(&s->work.lock, NULL) != 0 || pthread_cond_init(&s->work.ready, NULL) != 0) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    for (size_t i = 0; i < MLT_WORKERS; i++) {
        int rc = pthread_create(&s->work.threads[i], NULL, run, s);
        if (rc != 0) {
            return mlt_fail_errno(err, rc, NULL, "start a worker");
        }
        s->work.num_threads++;
    }
    return MLT_OK;
}

void mlt_work_stop(struct mlt_server *s) {
    pthread_mutex_lock(&s->work.lock);
    s->work.stop = true;
    pthread_cond_broadcast(&s->work.ready);
    pthread_mutex_unlock(&s->work.lock);
    for (size_t i = 0; i < s->work.num_threads; i++) {
        pthread_join(s->work.threads[i], NULL);
    }
    s->work.num_threads = 0;
    pthread_mutex_destroy(&s->work.lock);
    pthread_cond_destroy(&s->work.ready);
}

bool mlt_work_submit(struct mlt_server *s, struct mlt_exchange *ex) {
    struct mlt_work *work = &s->work;
    pthread_mutex_lock(&work->lock);
    bool room = work->num < MLT_WORK_QUEUE_MAX && !work->stop;
    if (room) {
        ex->next = NULL;
        if (work->last) {
            work->last->next = ex;
        } else {
            work->first = ex;
        }
        work->last = ex;
        work->num++;
        pthread_cond_signal(&work->ready);
    }
    pthread_mutex_unlock(&work->lock);
    return room;
}
