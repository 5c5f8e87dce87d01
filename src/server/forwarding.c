#include "server/forwarding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/wait.h"
#include "net/post.h"
#include "server/api_state.h"
#include "server/metric.h"

#define SEND_TIMEOUT_MS 10000
#define TRIES_MAX 6                          // of one event: with the pauses between them about a quarter of a minute
#define PAUSE_FIRST_NS (MLT_NS_PER_S / 4)    // doubled each time
#define ANSWER_MAX ((size_t)1024 * 1024)     // nobody reads it
#define TELL_INTERVAL_NS (60 * MLT_NS_PER_S) // losses are recorded together
#define DRAIN_NS (5 * MLT_NS_PER_S)          // for what is queued when the server ends
#define HEADERS_MAX 64                       // that go along; senders use a dozen

// One event: its headers as C strings one after the other, the first its content type, then the body.
struct event {
    struct event *next;
    size_t num_headers, headers_len, body_len;
    char bytes[];
};

struct target {
    struct mlt_forwarding *fw;
    char *url;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; // of what follows
    pthread_cond_t wake;
    struct event *first, *last;
    size_t num, bytes;
    bool stop;
    uint64_t num_full; // dropped by those who put events, not yet taken over by the thread
    // The thread's own.
    uint64_t lost; // not yet recorded
    int64_t lost_since, told_at;
    char why[256];
    atomic_bool stopped; // ends an exchange under way
    atomic_uint_fast64_t num_sent, num_dropped, num_queued;
};

struct mlt_forwarding {
    struct mlt_api *api;
    struct target list[MLT_FORWARDING_MAX];
    size_t num;
    const char *cacert;
};

// --- the queue ---

struct copying {
    struct mlt_buf headers;
    size_t num;
};

static void put_header(struct copying *c, const char *name, const char *value) {
    mlt_buf_printf(&c->headers, "%s%s%s", name, name[0] != '\0' ? ": " : "", value);
    mlt_buf_put_u8(&c->headers, '\0');
    c->num++;
}

static void take_header(void *arg, const char *name, const char *value) {
    struct copying *c = arg;
    const bool goes_on =
        strncasecmp(name, "ce-", 3) == 0 || strcasecmp(name, "traceparent") == 0 || strcasecmp(name, "tracestate") == 0;
    if (goes_on && c->num < HEADERS_MAX) {
        put_header(c, name, value);
    }
}

static struct event *make_event(const struct copying *c, struct mlt_bytes body) {
    struct event *e = malloc(sizeof(*e) + c->headers.len + body.len);
    if (e) {
        *e = (struct event){.num_headers = c->num, .headers_len = c->headers.len, .body_len = body.len};
        memcpy(e->bytes, c->headers.data, c->headers.len);
        if (body.len > 0) {
            memcpy(e->bytes + c->headers.len, body.ptr, body.len);
        }
    }
    return e;
}

static void queue(struct target *t, const struct copying *c, struct mlt_bytes body) {
    pthread_mutex_lock(&t->lock);
    const size_t len = c->headers.len + body.len;
    struct event *e =
        t->num < MLT_FORWARD_QUEUE_MAX && len <= MLT_FORWARD_QUEUE_BYTES_MAX - t->bytes ? make_event(c, body) : NULL;
    if (e) {
        *(t->last ? &t->last->next : &t->first) = e;
        t->last = e;
        t->num++;
        t->bytes += len;
        atomic_store(&t->num_queued, t->num);
    } else {
        t->num_full++;
        atomic_fetch_add(&t->num_dropped, 1);
    }
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void mlt_forwarding_put(struct mlt_forwarding *fw, const struct mlt_request *req) {
    struct copying c = {0};
    if (!fw) {
        return;
    }
    put_header(&c, "", req->content_type && req->content_type[0] ? req->content_type : "application/octet-stream");
    if (req->each_header) {
        req->each_header(req->header_arg, take_header, &c);
    }
    for (size_t i = 0; i < fw->num && !c.headers.failed; i++) {
        queue(&fw->list[i], &c, req->body);
    }
    mlt_buf_clear(&c.headers);
}

// --- losses ---

static void lose(struct target *t, uint64_t num, const char *why) {
    if (num == 0) {
        return;
    }
    if (t->lost == 0) {
        t->lost_since = t->fw->api->env->now(t->fw->api->env);
    }
    t->lost += num;
    (void)snprintf(t->why, sizeof(t->why), "%s", why);
}

static void tell_lost(struct target *t) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    struct mlt_error err = {0};
    char since[MLT_TIME_TEXT_LEN + 1];
    if (t->lost == 0) {
        return;
    }
    mlt_time_format(since, t->lost_since);
    mlt_own_begin(&w, &text, t->fw->api, "control");
    mlt_jw_member(&w, "control", "forward-lost");
    mlt_jw_member(&w, "name", t->url);
    mlt_jw_member(&w, "reason", t->why);
    mlt_jw_member(&w, "from", since);
    mlt_jw_member_u64(&w, "count", t->lost);
    t->told_at = mlt_wait_now();
    if (mlt_own_end(&w, &text, t->fw->api, NULL, &err) == MLT_OK) {
        t->lost = 0;
    } else {
        (void)fprintf(stderr, "mltrail: forward: a loss cannot be recorded: err=\"%s\"\n", err.text);
    }
}

// --- sending ---

enum sent { SENT, SENT_AGAIN, SENT_REFUSED };

static enum sent send_once(struct target *t, struct mlt_net_session *session, const struct event *e, int64_t timeout_ms,
                           bool may_stop, char *why, size_t cap) {
    const char *headers[HEADERS_MAX];
    const char *at = e->bytes;
    for (size_t i = 0; i < e->num_headers; i++) {
        headers[i] = at;
        at += strlen(at) + 1;
    }
    const struct mlt_net_options opt = {.url = t->url,
                                        .content_type = headers[0],
                                        .headers = headers + 1,
                                        .num_headers = e->num_headers - 1,
                                        .body = mlt_bytes_of(e->bytes + e->headers_len, e->body_len),
                                        .timeout_ms = timeout_ms,
                                        .max_response = ANSWER_MAX,
                                        .allow_http = true,
                                        .cacert = t->fw->cacert,
                                        .stopped = may_stop ? &t->stopped : NULL,
                                        .session = session};
    struct mlt_buf answer = {0};
    struct mlt_error err = {0};
    char type[MLT_NET_TYPE_LEN];
    int status = 0;
    const enum mlt_status done = mlt_net_post(&opt, &status, &answer, type, &err);
    mlt_buf_clear(&answer);
    if (done != MLT_OK && done != MLT_LIMIT) {
        (void)snprintf(why, cap, "%.*s", (int)cap - 1, err.text);
        return SENT_AGAIN;
    }
    if (done == MLT_LIMIT || (status >= 200 && status < 300)) {
        return SENT;
    }
    (void)snprintf(why, cap, "it answers with status %d", status);
    return status == 408 || status == 429 || status >= 500 ? SENT_AGAIN : SENT_REFUSED;
}

// Waits until there is something to send, or losses to tell of. NULL: neither, and the end has come.
static struct event *next_event(struct target *t, bool *stop) {
    pthread_mutex_lock(&t->lock);
    const int64_t until = t->lost > 0 ? t->told_at + TELL_INTERVAL_NS : INT64_MAX;
    while (!t->first && !t->stop && t->num_full == 0 && mlt_wait_until(&t->wake, &t->lock, until)) {
    }
    struct event *e = t->first;
    if (e) {
        t->first = e->next;
        t->last = t->first ? t->last : NULL;
        t->num--;
        t->bytes -= e->headers_len + e->body_len;
        atomic_store(&t->num_queued, t->num);
    }
    *stop = t->stop;
    lose(t, t->num_full, "its queue is full");
    t->num_full = 0;
    pthread_mutex_unlock(&t->lock);
    return e;
}

static void pause_for(struct target *t, int64_t ns) {
    const int64_t until = mlt_wait_now() + ns;
    pthread_mutex_lock(&t->lock);
    while (!t->stop && mlt_wait_until(&t->wake, &t->lock, until)) {
    }
    pthread_mutex_unlock(&t->lock);
}

// One event with its tries; from the stop on there is one, within what is left until `deadline`.
static void send_event(struct target *t, struct mlt_net_session *session, const struct event *e, int64_t *deadline) {
    char why[256] = "the server ended before it could be sent";
    enum sent sent = SENT_AGAIN;
    int64_t pause = PAUSE_FIRST_NS;
    for (int tries = 0; sent == SENT_AGAIN && tries < TRIES_MAX; tries++, pause *= 2) {
        const bool stopping = atomic_load(&t->stopped);
        if (stopping && *deadline == 0) {
            *deadline = mlt_wait_now() + DRAIN_NS;
        }
        const int64_t left_ms = stopping ? (*deadline - mlt_wait_now()) / 1000000 : SEND_TIMEOUT_MS;
        if (left_ms <= 0) {
            break;
        }
        sent = send_once(t, session, e, left_ms, !stopping, why, sizeof(why));
        if (sent == SENT_AGAIN && stopping) {
            break;
        }
        if (sent == SENT_AGAIN && tries + 1 < TRIES_MAX) {
            pause_for(t, pause);
        }
    }
    if (sent == SENT) {
        atomic_fetch_add(&t->num_sent, 1);
    } else {
        atomic_fetch_add(&t->num_dropped, 1);
        lose(t, 1, why);
    }
}

static void *run(void *arg) {
    struct target *t = arg;
    struct mlt_net_session *session = mlt_net_session_new(); // NULL: a connection for each event
    int64_t deadline = 0;
    bool stop = false;
    for (;;) {
        struct event *e = next_event(t, &stop);
        if (e) {
            send_event(t, session, e, &deadline);
            free(e);
        }
        if (!e && stop) {
            break;
        }
        if (t->lost > 0 && (t->told_at == 0 || mlt_wait_now() - t->told_at >= TELL_INTERVAL_NS)) {
            tell_lost(t);
        }
    }
    tell_lost(t);
    mlt_net_session_free(session);
    return NULL;
}

// --- beginning and end ---

enum mlt_status mlt_forwarding_check(const struct mlt_forwarding_options *opt, struct mlt_error *err) {
    if (opt->num_urls > MLT_FORWARDING_MAX) {
        return mlt_fail(err, MLT_INVALID, "there are %zu URLs; at most %d can be forwarded to", opt->num_urls,
                        MLT_FORWARDING_MAX);
    }
    for (size_t i = 0; i < opt->num_urls; i++) {
        enum mlt_status status = mlt_net_url_check_plain(opt->urls[i], err);
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

static enum mlt_status start_target(struct mlt_forwarding *fw, const char *url, struct mlt_error *err) {
    struct target *t = &fw->list[fw->num];
    t->fw = fw;
    t->url = strdup(url);
    bool locks = t->url && pthread_mutex_init(&t->lock, NULL) == 0;
    if (!locks || !mlt_wait_init(&t->wake)) {
        if (locks) {
            pthread_mutex_destroy(&t->lock);
        }
        free(t->url);
        return mlt_fail(err, MLT_NOMEM, "no memory to forward events");
    }
    fw->num++;
    const int rc = pthread_create(&t->thread, NULL, run, t);
    t->running = rc == 0;
    return rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "start a thread");
}

enum mlt_status mlt_forwarding_start(struct mlt_forwarding **out, struct mlt_api *api,
                                     const struct mlt_forwarding_options *opt, struct mlt_error *err) {
    *out = NULL;
    enum mlt_status status = mlt_forwarding_check(opt, err);
    if (status == MLT_OK && api->raw) {
        status = mlt_fail(err, MLT_INVALID, "a raw trail takes no CloudEvents, so there is nothing to forward");
    }
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_forwarding *fw = calloc(1, sizeof(*fw));
    if (!fw) {
        return mlt_fail(err, MLT_NOMEM, "no memory to forward events");
    }
    fw->api = api;
    fw->cacert = opt->cacert;
    for (size_t i = 0; status == MLT_OK && i < opt->num_urls; i++) {
        status = start_target(fw, opt->urls[i], err);
    }
    if (status != MLT_OK) {
        mlt_forwarding_stop(fw);
        return status;
    }
    *out = fw;
    return MLT_OK;
}

void mlt_forwarding_stop(struct mlt_forwarding *fw) {
    for (size_t i = 0; fw && i < fw->num; i++) { // all at once: each takes its seconds
        struct target *t = &fw->list[i];
        atomic_store(&t->stopped, true);
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->lock);
    }
    for (size_t i = 0; fw && i < fw->num; i++) {
        struct target *t = &fw->list[i];
        if (t->running) {
            pthread_join(t->thread, NULL);
        }
        pthread_mutex_destroy(&t->lock);
        pthread_cond_destroy(&t->wake);
        free(t->url);
    }
    free(fw);
}

// --- metrics ---

static void put_metric(struct mlt_forwarding *fw, struct mlt_buf *out, const char *name, const char *type,
                       const char *help, uint64_t (*value)(struct target *t)) {
    mlt_buf_printf(out, "# HELP mltrail_%s %s\n# TYPE mltrail_%s %s\n", name, help, name, type);
    for (size_t i = 0; i < fw->num; i++) {
        mlt_buf_printf(out, "mltrail_%s{target=", name);
        mlt_metric_label(out, mlt_str(fw->list[i].url));
        mlt_buf_printf(out, "} %" PRIu64 "\n", value(&fw->list[i]));
    }
}

static uint64_t sent_of(struct target *t) {
    return atomic_load(&t->num_sent);
}
static uint64_t dropped_of(struct target *t) {
    return atomic_load(&t->num_dropped);
}
static uint64_t queued_of(struct target *t) {
    return atomic_load(&t->num_queued);
}

void mlt_forwarding_metrics(struct mlt_forwarding *fw, struct mlt_buf *out) {
    if (fw) {
        put_metric(fw, out, "forwarded_total", "counter", "CloudEvents that a target took.", sent_of);
        put_metric(fw, out, "forward_dropped_total", "counter", "CloudEvents that a target did not get.", dropped_of);
        put_metric(fw, out, "forward_queued", "gauge", "CloudEvents that wait for a target.", queued_of);
    }
}
