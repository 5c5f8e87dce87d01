// The agent's streams: one for each service and serving node, so that numbers are contiguous for whoever counts them.
#include <stdio.h>
#include <stdlib.h>

#include "agent/private.h"
#include "base/wait.h"
#include "base_posix/peer_posix.h"

#define IDLE_NS (600 * MLT_NS_PER_S) // a service that says nothing for so long has ended, or begins a new stream
#define EVICT_NS (10 * MLT_NS_PER_S) // when there are too many, one that was used a moment ago stays

void mlt_agent_key(char out[static MLT_AGENT_KEY_LEN], const struct mlt_service_request *req) {
    const char *named = req->header(req->header_arg, "X-Mltrail-Stream");
    uid_t uid;
    pid_t pid;
    if (named && named[0]) {
        (void)snprintf(out, MLT_AGENT_KEY_LEN, "named %.*s", MLT_AGENT_KEY_LEN - 8, named);
    } else if (mlt_peer_process(req->fd, &uid, &pid) && pid > 0) {
        (void)snprintf(out, MLT_AGENT_KEY_LEN, "process %ld of user %lu", (long)pid, (unsigned long)uid);
    } else {
        (void)snprintf(out, MLT_AGENT_KEY_LEN, "network");
    }
}

// The writer is the courier's from here on, who sends the rest, the tally last, and removes it. One whose tally could
// not be written stays as it is; it is owed, and appended by whoever adopts the stream.
static void end_stream(struct mlt_agent *a, struct mlt_agent_stream *s) {
    struct mlt_error err = {0};
    if (mlt_spool_writer_end(s->writer, &err) != MLT_OK && a->opt.courier.event) {
        a->opt.courier.event(a->opt.courier.arg,
                             &(struct mlt_courier_event){MLT_COURIER_TROUBLE, a->opt.spool_dir,
                                                         mlt_spool_writer_stream(s->writer), err.text});
    }
    mlt_courier_nudge(a->courier);
    free(s);
}

// With the lock held: takes the stream out of the list that was unused the longest, and for `idle_ns` at least; NULL:
// there is none.
static struct mlt_agent_stream *take_idle(struct mlt_agent *a, int64_t idle_ns) {
    int64_t before = mlt_wait_now() - idle_ns;
    struct mlt_agent_stream **oldest = NULL;
    for (struct mlt_agent_stream **at = &a->streams; *at; at = &(*at)->next) {
        if ((*at)->users == 0 && (*at)->used_at <= before && (!oldest || (*at)->used_at < (*oldest)->used_at)) {
            oldest = at;
        }
    }
    struct mlt_agent_stream *s = oldest ? *oldest : NULL;
    if (s) {
        *oldest = s->next;
        a->num_streams--;
    }
    return s;
}

static enum mlt_status make_stream(struct mlt_agent *a, struct mlt_agent_stream **out, const char *key,
                                   const char *node, struct mlt_error *err) {
    struct mlt_agent_stream *s = calloc(1, sizeof *s);
    if (!s) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a stream");
    }
    (void)snprintf(s->key, sizeof s->key, "%s", key);
    (void)snprintf(s->node, sizeof s->node, "%s", node);
    const struct mlt_spool_options opt = {.dir = a->opt.spool_dir, .serving_node = node, .bytes_max = a->opt.bytes_max};
    enum mlt_status status = mlt_spool_writer_open(&s->writer, a->env, &opt, err);
    if (status == MLT_OK) {
        status = mlt_courier_add(a->courier, s->writer, err);
        if (status != MLT_OK) {
            mlt_spool_writer_remove(s->writer); // nothing is in it
        }
    }
    if (status != MLT_OK) {
        free(s);
        return status;
    }
    s->next = a->streams;
    a->streams = s;
    a->num_streams++;
    *out = s;
    if (a->opt.courier.event) {
        a->opt.courier.event(a->opt.courier.arg,
                             &(struct mlt_courier_event){MLT_COURIER_BEGUN, a->opt.spool_dir,
                                                         mlt_spool_writer_stream(s->writer), s->key});
    }
    return MLT_OK;
}

static struct mlt_agent_stream *find_stream(struct mlt_agent *a, const char *key, const char *node) {
    for (struct mlt_agent_stream *s = a->streams; s; s = s->next) {
        if (strcmp(s->key, key) == 0 && strcmp(s->node, node) == 0) {
            return s;
        }
    }
    return NULL;
}

enum mlt_status mlt_agent_take(struct mlt_agent *a, struct mlt_agent_stream **out, const char *key, const char *node,
                               struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    pthread_mutex_lock(&a->lock);
    struct mlt_agent_stream *ended = NULL;
    struct mlt_agent_stream *s = find_stream(a, key, node);
    if (!s) {
        ended = take_idle(a, a->num_streams < MLT_AGENT_STREAMS_MAX ? IDLE_NS : EVICT_NS);
        status = a->num_streams < MLT_AGENT_STREAMS_MAX
                     ? make_stream(a, &s, key, node, err)
                     : mlt_fail(err, MLT_BUSY, "%d streams are in use", MLT_AGENT_STREAMS_MAX);
    }
    if (s) {
        s->users++;
        s->used_at = mlt_wait_now();
    }
    pthread_mutex_unlock(&a->lock);
    if (ended) {
        end_stream(a, ended);
    }
    *out = s;
    return status;
}

void mlt_agent_give(struct mlt_agent *a, struct mlt_agent_stream *s) {
    pthread_mutex_lock(&a->lock);
    s->users--;
    pthread_mutex_unlock(&a->lock);
}

void mlt_agent_end_streams(struct mlt_agent *a) {
    while (a->streams) {
        struct mlt_agent_stream *s = a->streams;
        a->streams = s->next;
        a->num_streams--;
        end_stream(a, s);
    }
}
