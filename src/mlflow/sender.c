#include "mlflow/sender.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"
#include "record/json.h"

#define ROUTE "/v1/mlflow/exchanges"
#define CLIENTS_MAX 64            // kept for who waits; more connections are made and closed again
#define RETRY_MIN_NS MLT_NS_PER_S // doubled with every failure
#define RETRY_MAX_NS (30 * MLT_NS_PER_S)
#define LAST_PAUSE_NS (MLT_NS_PER_S / 5)
#define ENTRY_OVERHEAD 64 // of the queue, beyond the line
#define SHOWN_MAX 300     // of an answer

struct entry {
    struct entry *next;
    size_t len;
    uint8_t text[];
};

struct mlt_sender {
    struct mlt_sender_options opt;
    pthread_t thread;
    pthread_mutex_t lock; // of all that follows
    pthread_cond_t wake;
    struct entry *first, **last;
    size_t bytes;
    bool stopping;
    int64_t stop_by; // monotonic
    struct mlt_sender_counts counts;
    struct mlt_client *idle[CLIENTS_MAX];
    size_t num_idle;
    bool silent; // the trail did not take the last batch
};

static void say(struct mlt_sender *s, const char *line) {
    if (s->opt.log) {
        s->opt.log(s->opt.log_arg, line);
    } else {
        (void)fprintf(stderr, "mltrail: %s\n", line);
    }
}

// -- one request ------------------------------------------------------------------------------------------------------

static uint64_t number(const struct mlt_json *json, const char *name) {
    uint64_t out = 0;
    (void)mlt_json_u64(json, mlt_json_get(json, 0, name), &out);
    return out;
}

// The token, the address or the server are what is wrong, not the exchange: somebody will repair that.
static bool speaks_of_us(int status) {
    static const int those[] = {401, 403, 404, 405, 407, 408, 409, 421, 425, 426, 429};
    for (size_t i = 0; i < sizeof those / sizeof those[0]; i++) {
        if (status == those[i]) {
            return true;
        }
    }
    return status < 400 || status >= 500;
}

// What the trail did not take for good is kept there, in control records; here it is counted.
static enum mlt_status judge(int status, struct mlt_bytes answer, uint64_t *rejected, struct mlt_error *err) {
    struct mlt_json json = {0};
    bool understood = mlt_json_scan(&json, answer, NULL) == MLT_OK;
    *rejected = understood ? number(&json, "rejected") : 0;
    mlt_json_clear(&json);
    if ((status >= 200 && status < 300) || (status == 422 && understood)) {
        return MLT_OK;
    }
    bool later = speaks_of_us(status);
    return mlt_fail(err, later ? MLT_IO : MLT_INVALID, "the trail %s %d: %.*s",
                    later ? "answers" : "refuses the exchange with", status,
                    answer.len > SHOWN_MAX ? SHOWN_MAX : (int)answer.len, (const char *)answer.ptr);
}

static enum mlt_status post(struct mlt_client *client, struct mlt_bytes body, uint64_t *rejected,
                            struct mlt_error *err) {
    const struct mlt_client_call call = {
        .method = "POST", .target = ROUTE, .content_type = "application/x-ndjson", .body = body};
    struct mlt_buf answer = {0};
    int http = 0;
    *rejected = 0;
    enum mlt_status status = mlt_client_send(client, &call, &http, &answer, err);
    status = status == MLT_OK ? judge(http, mlt_buf_bytes(&answer), rejected, err) : status;
    mlt_buf_clear(&answer);
    return status;
}

// -- at once ----------------------------------------------------------------------------------------------------------

static struct mlt_client *take_client(struct mlt_sender *s, struct mlt_error *err) {
    struct mlt_client *client = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->num_idle > 0) {
        client = s->idle[--s->num_idle];
    }
    pthread_mutex_unlock(&s->lock);
    if (!client && mlt_client_open(&client, &s->opt.trail, err) != MLT_OK) {
        return NULL;
    }
    return client;
}

static void give_client(struct mlt_sender *s, struct mlt_client *client) {
    pthread_mutex_lock(&s->lock);
    bool kept = s->num_idle < CLIENTS_MAX;
    if (kept) {
        s->idle[s->num_idle++] = client;
    }
    pthread_mutex_unlock(&s->lock);
    if (!kept) {
        mlt_client_close(client);
    }
}

enum mlt_status mlt_sender_now(struct mlt_sender *s, struct mlt_bytes line, struct mlt_error *err) {
    uint64_t rejected = 0;
    struct mlt_client *client = take_client(s, err);
    if (!client) {
        return MLT_NOMEM;
    }
    enum mlt_status status = post(client, line, &rejected, err);
    give_client(s, client);
    if (status == MLT_OK && rejected > 0) {
        status = mlt_fail(err, MLT_INVALID, "the trail does not take the exchange");
    }
    pthread_mutex_lock(&s->lock);
    s->counts.sent += status == MLT_OK ? 1u : 0u;
    s->counts.refused += status == MLT_INVALID ? 1u : 0u;
    pthread_mutex_unlock(&s->lock);
    return status;
}

// -- from the queue ---------------------------------------------------------------------------------------------------

static size_t queue_max(const struct mlt_sender *s) {
    return s->opt.queue_max > 0 ? s->opt.queue_max : MLT_SENDER_QUEUE_MAX;
}

bool mlt_sender_is_full(struct mlt_sender *s) {
    pthread_mutex_lock(&s->lock);
    bool full = s->bytes >= queue_max(s) / 2; // what has begun must still find room
    pthread_mutex_unlock(&s->lock);
    return full;
}

bool mlt_sender_put(struct mlt_sender *s, struct mlt_bytes line) {
    struct entry *e = malloc(sizeof *e + line.len);
    size_t cost = line.len + ENTRY_OVERHEAD;
    pthread_mutex_lock(&s->lock);
    bool fits = e && s->bytes + cost <= queue_max(s);
    if (fits) {
        e->next = NULL;
        e->len = line.len;
        memcpy(e->text, line.ptr, line.len);
        *s->last = e;
        s->last = &e->next;
        s->bytes += cost;
        pthread_cond_signal(&s->wake);
    } else {
        s->counts.lost++;
    }
    pthread_mutex_unlock(&s->lock);
    if (!fits) {
        free(e);
        say(s, "an exchange is lost: the trail takes none, and the queue is full");
    }
    return fits;
}

// fill copies what fits into one request, at most `most`; the entries stay queued until they are taken.
static size_t fill(struct mlt_sender *s, size_t most, struct mlt_buf *body) {
    size_t num = 0;
    mlt_buf_reset(body);
    for (const struct entry *e = s->first; e && num < most && (num == 0 || body->len + e->len < MLT_SENDER_BATCH_MAX);
         e = e->next) {
        mlt_buf_put(body, e->text, e->len);
        mlt_buf_put_u8(body, '\n');
        num++;
    }
    return num;
}

static void drop(struct mlt_sender *s, size_t num) {
    for (; num > 0 && s->first; num--) {
        struct entry *e = s->first;
        s->first = e->next;
        s->bytes -= e->len + ENTRY_OVERHEAD;
        free(e);
    }
    if (!s->first) {
        s->last = &s->first;
    }
}

static void tell_change(struct mlt_sender *s, bool silent, const struct mlt_error *err) {
    char line[MLT_ERROR_TEXT_LEN + 64];
    if (silent != s->silent) {
        (void)snprintf(line, sizeof line, silent ? "exchanges wait: %s" : "the trail takes exchanges again%s",
                       silent ? err->text : "");
        say(s, line);
    }
    s->silent = silent;
}

// What became of a batch of `num`: false, it has to be sent again.
static bool settle(struct mlt_sender *s, enum mlt_status status, size_t num, uint64_t rejected,
                   const struct mlt_error *err) {
    if (status != MLT_OK && status != MLT_INVALID) {
        tell_change(s, true, err);
        return false;
    }
    if (status == MLT_INVALID) {
        say(s, err->text);
    }
    tell_change(s, false, err);
    pthread_mutex_lock(&s->lock);
    uint64_t refused = status == MLT_INVALID ? num : rejected < num ? rejected : num;
    s->counts.refused += refused;
    s->counts.sent += num - refused;
    drop(s, num);
    pthread_mutex_unlock(&s->lock);
    return true;
}

// With the lock held: waits for work, or for the end of the pause after a failure. False: it is over.
static bool wait_for_work(struct mlt_sender *s, int64_t pause_ns) {
    int64_t until = pause_ns > 0 ? mlt_wait_now() + pause_ns : INT64_MAX;
    if (s->stopping && pause_ns > 0) { // the last tries follow each other faster, but not without a pause
        (void)mlt_wait_until(&s->wake, &s->lock, mlt_wait_now() + LAST_PAUSE_NS);
    }
    while (!s->stopping && (pause_ns > 0 || !s->first)) {
        if (!mlt_wait_until(&s->wake, &s->lock, until)) {
            break;
        }
    }
    return s->first && (!s->stopping || mlt_wait_now() < s->stop_by);
}

static void *send_all(void *arg) {
    struct mlt_sender *s = arg;
    struct mlt_client *client = NULL;
    struct mlt_buf body = {0};
    int64_t pause_ns = 0;
    size_t most = SIZE_MAX; // exchanges of a request
    for (;;) {
        struct mlt_error err = {0};
        uint64_t rejected = 0;
        pthread_mutex_lock(&s->lock);
        bool more = wait_for_work(s, pause_ns);
        bool over = s->stopping && !more;
        size_t num = more ? fill(s, most, &body) : 0;
        pthread_mutex_unlock(&s->lock);
        if (over) {
            break;
        }
        if (num == 0) {
            pause_ns = 0;
            continue;
        }
        enum mlt_status status = client ? MLT_OK : mlt_client_open(&client, &s->opt.trail, &err);
        status = status != MLT_OK ? status
                 : body.failed    ? mlt_fail(&err, MLT_NOMEM, "out of memory")
                                  : post(client, mlt_buf_bytes(&body), &rejected, &err);
        if (status == MLT_INVALID && num > 1) {
            most = num / 2; // the one that is wrong is to be alone
            pause_ns = 0;
        } else if (settle(s, status, num, rejected, &err)) {
            most = most > SIZE_MAX / 2 ? SIZE_MAX : 2 * most;
            pause_ns = 0;
        } else {
            pause_ns = pause_ns == 0 ? RETRY_MIN_NS : pause_ns < RETRY_MAX_NS / 2 ? 2 * pause_ns : RETRY_MAX_NS;
        }
    }
    mlt_client_close(client);
    mlt_buf_clear(&body);
    return NULL;
}

// -- start and stop ---------------------------------------------------------------------------------------------------

enum mlt_status mlt_sender_start(struct mlt_sender **out, const struct mlt_sender_options *opt, struct mlt_error *err) {
    struct mlt_sender *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    s->opt = *opt;
    s->last = &s->first;
    bool waits = mlt_wait_init(&s->wake);
    int rc = waits ? pthread_create(&s->thread, NULL, send_all, s) : ENOMEM;
    if (rc != 0) {
        if (waits) {
            pthread_cond_destroy(&s->wake);
        }
        pthread_mutex_destroy(&s->lock);
        free(s);
        return mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    *out = s;
    return MLT_OK;
}

void mlt_sender_stop(struct mlt_sender *s, struct mlt_sender_counts *counts) {
    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    s->stop_by = mlt_wait_now() + MLT_SENDER_STOP_S * MLT_NS_PER_S;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    while (s->first) {
        s->counts.lost++;
        drop(s, 1);
    }
    for (size_t i = 0; i < s->num_idle; i++) {
        mlt_client_close(s->idle[i]);
    }
    if (counts) {
        *counts = s->counts;
    }
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
