#include "mlflow/outbox.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "base/wait.h"
#include "record/json.h"

#define ROUTE "/v1/mlflow/exchanges"
#define TALLY_ROOM 4096                    // kept free, so that a full spool can still say so
#define DISK_KEPT (UINT64_C(64) << 20)     // free on the disk, for the ends of what has begun; others write there too
#define TALLY_EVERY_NS (10 * MLT_NS_PER_S) // while exchanges go on being lost
#define FINISH_NS MLT_NS_PER_S             // an empty stream is removed, even when the time is up

struct mlt_outbox {
    struct mlt_env *env;
    struct mlt_outbox_options opt;
    struct mlt_courier *courier;
    struct mlt_spool_writer *writer; // the courier frees it
    atomic_ullong sent, refused;

    pthread_mutex_t lock; // guards all that follows
    uint64_t made, lost;
    uint64_t lost_told; // in a tally
    int64_t told_at;    // monotonic; 0: never
};

// -- what was lost ----------------------------------------------------------------------------------------------------

static void say(struct mlt_outbox *b, const char *text) {
    if (b->opt.event) {
        b->opt.event(b->opt.event_arg, &(struct mlt_courier_event){MLT_COURIER_TROUBLE, b->opt.dir,
                                                                   mlt_spool_writer_stream(b->writer), text});
    }
}

// A count of the stream's exchanges since its start, as a stream of predictions has one.
static void write_tally(struct mlt_outbox *b, struct mlt_buf *out) {
    const char *stream = mlt_spool_writer_stream(b->writer);
    char now[MLT_TIME_TEXT_LEN + 1], event_id[MLT_SPOOL_STREAM_LEN + 32];
    struct mlt_json_writer w;
    mlt_time_format(now, b->env->now(b->env));
    (void)snprintf(event_id, sizeof event_id, "%s-lost-%" PRIu64, stream, b->lost);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "tally");
    mlt_jw_member(&w, "event_id", event_id);
    mlt_jw_member(&w, "timestamp", now);
    mlt_jw_member(&w, "source", b->opt.name);
    mlt_jw_member(&w, "counted", "access");
    mlt_jw_name(&w, "scope");
    mlt_jw_object(&w);
    mlt_jw_member(&w, "serving_node", b->opt.name);
    mlt_jw_member(&w, "stream", stream);
    mlt_jw_end_object(&w);
    mlt_jw_member(&w, "from", mlt_spool_writer_started(b->writer));
    mlt_jw_member(&w, "to", now);
    mlt_jw_member_u64(&w, "count", b->made);
    mlt_jw_member_u64(&w, "lost", b->lost);
    mlt_jw_end_object(&w);
}

// With the lock held.
static enum mlt_status put_tally(struct mlt_outbox *b, struct mlt_error *err) {
    struct mlt_buf tally = {0};
    struct mlt_spool_put put;
    write_tally(b, &tally);
    const struct mlt_spool_item item = {.type = MLT_FRAME_RECORD, .before = mlt_buf_bytes(&tally)};
    enum mlt_status status = tally.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a tally")
                                          : mlt_spool_writer_put(b->writer, &item, &put, err);
    mlt_buf_clear(&tally);
    b->lost_told = status == MLT_OK ? b->lost : b->lost_told;
    return status;
}

// With the lock held: the log and the trail are told of losses, the first at once, later ones now and then.
static void tell_lost(struct mlt_outbox *b, const char *why, bool last) {
    int64_t now = mlt_wait_now();
    if (b->lost == b->lost_told || (!last && b->told_at != 0 && now - b->told_at < TALLY_EVERY_NS)) {
        return;
    }
    struct mlt_error err = {0};
    char text[MLT_ERROR_TEXT_LEN + 64];
    enum mlt_status status = put_tally(b, &err);
    (void)snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64 " exchanges are lost so far%s%s", b->lost, b->made,
                   why ? ": " : "", why ? why : "");
    say(b, text);
    b->told_at = now;
    if (status != MLT_OK && last) {
        (void)snprintf(text, sizeof text, "the trail does not hear of %" PRIu64 " of them: %s", b->lost - b->lost_told,
                       err.text);
        say(b, text);
    }
}

// -- putting ----------------------------------------------------------------------------------------------------------

static uint64_t bytes_max(const struct mlt_outbox *b) {
    return b->opt.bytes_max > 0 ? b->opt.bytes_max : MLT_SPOOL_BYTES_DEFAULT;
}

static bool disk_is_full(struct mlt_outbox *b) {
    uint64_t room = 0, kept = bytes_max(b) / 2;
    return b->env->free_space(b->env, b->opt.dir, &room, NULL) != MLT_OK ||
           room < (kept < DISK_KEPT ? kept : DISK_KEPT);
}

// A disk that failed is seen to work again when it takes the tally of what was lost.
static bool owes_tally(struct mlt_outbox *b) {
    pthread_mutex_lock(&b->lock);
    bool owes = b->lost != b->lost_told && put_tally(b, NULL) != MLT_OK;
    pthread_mutex_unlock(&b->lock);
    return owes;
}

bool mlt_outbox_is_full(struct mlt_outbox *b) {
    return mlt_spool_writer_bytes(b->writer) >= bytes_max(b) / 2 || disk_is_full(b) || owes_tally(b);
}

static enum mlt_status put_request(struct mlt_outbox *b, struct mlt_bytes line, struct mlt_error *err) {
    const struct mlt_frame_request request = {
        .method = "POST", .path = ROUTE, .content_type = "application/x-ndjson", .body = line};
    struct mlt_buf body = {0};
    struct mlt_spool_put put;
    mlt_frame_request_put(&body, &request);
    const struct mlt_spool_item item = {.type = MLT_FRAME_REQUEST, .before = mlt_buf_bytes(&body)};
    enum mlt_status status = MLT_OK;
    if (body.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for an exchange");
    } else if (!mlt_spool_writer_room(b->writer, body.len + TALLY_ROOM, 2)) {
        status =
            mlt_fail(err, MLT_NOSPACE, "the trail takes none, and the spool has its %" PRIu64 " bytes", bytes_max(b));
    } else {
        status = mlt_spool_writer_put(b->writer, &item, &put, err);
    }
    mlt_buf_clear(&body);
    return status;
}

bool mlt_outbox_put(struct mlt_outbox *b, struct mlt_bytes line) {
    struct mlt_error err = {0};
    pthread_mutex_lock(&b->lock);
    enum mlt_status status = put_request(b, line, &err);
    b->made++;
    b->lost += status != MLT_OK;
    tell_lost(b, status == MLT_OK ? NULL : err.text, false);
    pthread_mutex_unlock(&b->lock);
    mlt_courier_nudge(b->courier);
    return status == MLT_OK;
}

// -- open and close ---------------------------------------------------------------------------------------------------

static void settled(void *arg, const struct mlt_settled *s) {
    struct mlt_outbox *b = arg;
    if (s->type == MLT_FRAME_REQUEST) {
        atomic_fetch_add(s->accepted ? &b->sent : &b->refused, 1);
    }
}

// The courier has one argument for both.
static void event(void *arg, const struct mlt_courier_event *e) {
    struct mlt_outbox *b = arg;
    if (b->opt.event) {
        b->opt.event(b->opt.event_arg, e);
    }
}

static enum mlt_status open_stream(struct mlt_outbox *b, struct mlt_error *err) {
    const struct mlt_courier_options courier = {.link = b->opt.link,
                                                .dirs = &b->opt.dir,
                                                .num_dirs = 1,
                                                .sync_ms = MLT_COURIER_SYNC_MS_DEFAULT,
                                                .settled = settled,
                                                .event = event,
                                                .arg = b};
    const struct mlt_spool_options spool = {
        .dir = b->opt.dir, .serving_node = b->opt.name, .bytes_max = b->opt.bytes_max};
    enum mlt_status status = mlt_spool_writer_open(&b->writer, b->env, &spool, err);
    status = status == MLT_OK ? mlt_courier_new(&b->courier, b->env, &courier, err) : status;
    if (status == MLT_OK) {
        status = mlt_courier_add(b->courier, b->writer, err);
    }
    if (status != MLT_OK && b->writer) {
        mlt_spool_writer_remove(b->writer); // nothing is in it
    }
    return status;
}

enum mlt_status mlt_outbox_open(struct mlt_outbox **out, struct mlt_env *env, const struct mlt_outbox_options *opt,
                                struct mlt_error *err) {
    *out = NULL;
    struct mlt_outbox *b = calloc(1, sizeof *b);
    if (!b || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return mlt_fail(err, MLT_NOMEM, "no memory for an outbox");
    }
    b->env = env;
    b->opt = *opt;
    enum mlt_status status = open_stream(b, err);
    if (status != MLT_OK) {
        (void)mlt_courier_stop(b->courier, 0);
        pthread_mutex_destroy(&b->lock);
        free(b);
        return status;
    }
    *out = b;
    return MLT_OK;
}

void mlt_outbox_close(struct mlt_outbox *b, int64_t until_ns, struct mlt_outbox_counts *counts) {
    struct mlt_error err = {0};
    if (!b) {
        return;
    }
    pthread_mutex_lock(&b->lock);
    tell_lost(b, NULL, true);
    pthread_mutex_unlock(&b->lock);
    if (mlt_spool_writer_end(b->writer, &err) != MLT_OK) {
        say(b, err.text);
    }
    mlt_courier_nudge(b->courier);
    int64_t least = mlt_wait_now() + FINISH_NS;
    (void)mlt_courier_stop(b->courier, until_ns > least ? until_ns : least);
    uint64_t kept = b->made - b->lost, settled_by_now = atomic_load(&b->sent) + atomic_load(&b->refused);
    if (counts) {
        *counts = (struct mlt_outbox_counts){.sent = atomic_load(&b->sent),
                                             .refused = atomic_load(&b->refused),
                                             .lost = b->lost,
                                             .waiting = kept - settled_by_now};
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}
