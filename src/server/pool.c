// Builders and batches are kept from one request to the next: in the steady state nothing large is allocated.
#include <stdlib.h>

#include "server/api_state.h"

enum mlt_status mlt_pools_init(struct mlt_pools *p, struct mlt_error *err) {
    memset(p, 0, sizeof *p);
    int rc = pthread_mutex_init(&p->lock, NULL);
    return rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "make a lock");
}

static void append_free(struct mlt_append *a) {
    mlt_batch_clear(&a->batch);
    mlt_buf_clear(&a->problems);
    mlt_buf_clear(&a->record);
    free(a);
}

static void builder_free(struct mlt_spare_builder *b) {
    mlt_builder_free(b->builder);
    free(b);
}

void mlt_pools_clear(struct mlt_pools *p) {
    while (p->builders) {
        struct mlt_spare_builder *b = p->builders;
        p->builders = b->next;
        builder_free(b);
    }
    while (p->appends) {
        struct mlt_append *a = p->appends;
        p->appends = a->next;
        append_free(a);
    }
    pthread_mutex_destroy(&p->lock);
}

enum mlt_status mlt_pool_take_builder(struct mlt_api *api, struct mlt_spare_builder **out, struct mlt_error *err) {
    struct mlt_pools *p = &api->pools;
    pthread_mutex_lock(&p->lock);
    struct mlt_spare_builder *b = p->builders;
    if (b) {
        p->builders = b->next;
        p->num_builders--;
    }
    pthread_mutex_unlock(&p->lock);
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b) {
            return mlt_fail(err, MLT_NOMEM, "no memory for a record builder");
        }
        enum mlt_status status = mlt_builder_new(&b->builder, api->env, mlt_trail_keys(api->trail), err);
        if (status != MLT_OK) {
            free(b);
            return status;
        }
    }
    *out = b;
    return MLT_OK;
}

void mlt_pool_give_builder(struct mlt_api *api, struct mlt_spare_builder *b) {
    struct mlt_pools *p = &api->pools;
    pthread_mutex_lock(&p->lock);
    bool keep = p->num_builders < MLT_POOL_MAX;
    if (keep) {
        b->next = p->builders;
        p->builders = b;
        p->num_builders++;
    }
    pthread_mutex_unlock(&p->lock);
    if (!keep) {
        builder_free(b);
    }
}

struct mlt_append *mlt_pool_take_append(struct mlt_api *api) {
    struct mlt_pools *p = &api->pools;
    pthread_mutex_lock(&p->lock);
    struct mlt_append *a = p->appends;
    if (a) {
        p->appends = a->next;
        p->num_appends--;
    }
    pthread_mutex_unlock(&p->lock);
    if (!a) {
        a = calloc(1, sizeof *a);
    }
    if (a) {
        a->api = api;
    }
    return a;
}

void mlt_pool_give_append(struct mlt_append *a) {
    struct mlt_pools *p = &a->api->pools;
    bool small = a->batch.arena.used <= MLT_POOL_BATCH_BYTES_MAX;
    mlt_batch_reset(&a->batch);
    mlt_buf_reset(&a->problems);
    mlt_buf_reset(&a->record);
    a->num_records = a->num_lines = a->num_rejected = a->num_omitted = 0;
    a->num_items = 0;
    a->num_ignored = 0;
    a->intake = NULL;
    a->wants_proof = a->receipts_all = false;
    pthread_mutex_lock(&p->lock);
    bool keep = small && p->num_appends < MLT_POOL_MAX;
    if (keep) {
        a->next = p->appends;
        p->appends = a;
        p->num_appends++;
    }
    pthread_mutex_unlock(&p->lock);
    if (!keep) {
        append_free(a);
    }
}
