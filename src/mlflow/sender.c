#include "mlflow/sender.h"

#include <pthread.h>
#include <stdlib.h>

#include "forward/answer.h"
#include "record/json.h"

#define ROUTE "/v1/mlflow/exchanges"
#define CLIENTS_MAX 64 // kept for who waits; more connections are made and closed again
#define SHOWN_MAX 300  // of an answer

struct mlt_sender {
    struct mlt_client_options trail;
    pthread_mutex_t lock; // of all that follows
    struct mlt_sender_counts counts;
    struct mlt_client *idle[CLIENTS_MAX];
    size_t num_idle;
};

// -- one request ------------------------------------------------------------------------------------------------------

static uint64_t number(const struct mlt_json *json, const char *name) {
    uint64_t out = 0;
    (void)mlt_json_u64(json, mlt_json_get(json, 0, name), &out);
    return out;
}

// What the trail did not take for good is kept there, in control records; here it is counted.
static enum mlt_status judge(int status, struct mlt_bytes answer, uint64_t *rejected, struct mlt_error *err) {
    struct mlt_json json = {0};
    bool understood = mlt_json_scan(&json, answer, NULL) == MLT_OK;
    *rejected = understood ? number(&json, "rejected") : 0;
    mlt_json_clear(&json);
    enum mlt_answer means = mlt_answer_judge(status, true);
    if (means == MLT_ANSWER_TAKEN && (understood || status != 422)) {
        return MLT_OK;
    }
    bool later = means == MLT_ANSWER_LATER;
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

// -- clients ----------------------------------------------------------------------------------------------------------

static struct mlt_client *take_client(struct mlt_sender *s, struct mlt_error *err) {
    struct mlt_client *client = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->num_idle > 0) {
        client = s->idle[--s->num_idle];
    }
    pthread_mutex_unlock(&s->lock);
    if (!client && mlt_client_open(&client, &s->trail, err) != MLT_OK) {
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

// -- open and close ---------------------------------------------------------------------------------------------------

enum mlt_status mlt_sender_open(struct mlt_sender **out, const struct mlt_client_options *trail,
                                struct mlt_error *err) {
    struct mlt_sender *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    s->trail = *trail;
    *out = s;
    return MLT_OK;
}

void mlt_sender_close(struct mlt_sender *s, struct mlt_sender_counts *counts) {
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->num_idle; i++) {
        mlt_client_close(s->idle[i]);
    }
    if (counts) {
        *counts = s->counts;
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}
