// Logging one record: check, number, put, and in MLTRAIL_SYNC wait for the receipt.
#include <stdio.h>
#include <stdlib.h>

#include "base/wait.h"
#include "client/private.h"

#define MS ((int64_t)1000000)
#define LOOK_NS (100 * MS) // a disk may get space without a word to us

struct logging {
    struct mltrail_client *c;
    struct mlt_client_spare *spare;
    struct mlt_spool_item item;
    struct mlt_spool_put put;
    struct mltrail_receipt *receipt;
    struct mlt_error err;
};

// -- preparers, one a thread ------------------------------------------------------------------------------------------

static struct mlt_client_spare *take_spare(struct mltrail_client *c) {
    struct mlt_client_spare *spare = c->spares;
    if (spare) {
        c->spares = spare->next;
        c->num_spares--;
    }
    return spare ? spare : calloc(1, sizeof *spare);
}

static void give_spare(struct mltrail_client *c, struct mlt_client_spare *spare) {
    pthread_mutex_lock(&c->lock);
    bool keep = c->num_spares < MLT_CLIENT_SPARE_MAX;
    if (keep) {
        spare->next = c->spares;
        c->spares = spare;
        c->num_spares++;
    }
    pthread_mutex_unlock(&c->lock);
    if (!keep) {
        mlt_preparer_clear(&spare->preparer);
        free(spare);
    }
}

// -- putting ----------------------------------------------------------------------------------------------------------

static enum mlt_status put_once(struct logging *l) {
    struct mltrail_client *c = l->c;
    return c->memory ? mlt_memory_put(c->memory, &l->item, &l->put, &l->err)
                     : mlt_spool_writer_put(c->writer, &l->item, &l->put, &l->err);
}

// A prediction that was made and is not logged: its number is taken, so that this shows.
static void drop(struct logging *l) {
    struct mltrail_client *c = l->c;
    if (l->item.number == MLT_SPOOL_SEQUENCE) {
        l->put.sequence = c->memory ? mlt_memory_drop(c->memory) : mlt_spool_writer_drop(c->writer);
    }
}

static bool may_wait(const struct logging *l, enum mlt_status status, int64_t until) {
    return status == MLT_NOSPACE && l->c->writer && l->c->opt.on_full == MLTRAIL_BLOCK && mlt_wait_now() < until;
}

// With the lock held, which is given up while there is no space.
static enum mlt_status put(struct logging *l) {
    struct mltrail_client *c = l->c;
    int64_t until = mlt_wait_now() + (int64_t)c->opt.full_wait_ms * MS;
    enum mlt_status status = put_once(l);
    while (may_wait(l, status, until)) {
        struct mlt_courier *courier = c->courier;
        int64_t look = mlt_wait_now() + LOOK_NS;
        pthread_mutex_unlock(&c->lock);
        mlt_courier_nudge(courier);
        (void)mlt_courier_space(courier, look < until ? look : until);
        pthread_mutex_lock(&c->lock);
        status = put_once(l);
    }
    if (status == MLT_NOSPACE || status == MLT_IO) {
        drop(l);
        status = status == MLT_NOSPACE && (c->memory || c->opt.on_full == MLTRAIL_DROP) ? MLT_OK : status;
    } else if (status == MLT_OK) {
        c->logged++;
    }
    return status;
}

// -- waiting for the receipt ------------------------------------------------------------------------------------------

static void leave(struct mltrail_client *c, struct mlt_client_waiter *waiter) {
    struct mlt_client_waiter **at = &c->waiters;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
}

// With the lock held.
static enum mltrail_status await(struct logging *l, struct mlt_client_waiter *w, struct mltrail_error *err) {
    struct mltrail_client *c = l->c;
    int64_t until = mlt_wait_now() + (int64_t)c->opt.wait_ms * MS;
    bool in_time = true;
    while (!w->settled && in_time) {
        in_time = mlt_wait_until(&c->settled, &c->lock, until);
    }
    leave(c, w);
    if (!w->settled) {
        return mlt_client_say(err, MLTRAIL_TIMEOUT,
                              "the record is in the spool; the server gave no receipt within %lu ms",
                              (unsigned long)c->opt.wait_ms);
    }
    return mlt_client_say(err, w->status, "%s", w->text);
}

// -- the call ---------------------------------------------------------------------------------------------------------

static enum mlt_status begin(struct logging *l, const char **stream) {
    struct mltrail_client *c = l->c;
    pthread_mutex_lock(&c->lock);
    enum mlt_status status = mlt_client_begin(c, &l->err);
    *stream = status != MLT_OK ? NULL : c->memory ? mlt_memory_stream(c->memory) : mlt_spool_writer_stream(c->writer);
    l->spare = status == MLT_OK ? take_spare(c) : NULL;
    pthread_mutex_unlock(&c->lock);
    return status == MLT_OK && !l->spare ? mlt_fail(&l->err, MLT_NOMEM, "no memory for a record") : status;
}

static enum mlt_status prepare(struct logging *l, struct mlt_bytes record, const char *stream) {
    struct mlt_problem problem;
    struct mlt_preparer *p = &l->spare->preparer;
    enum mlt_status status = mlt_prepare_check(p, record, &problem, &l->err);
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        return mlt_fail(&l->err, status, "%s%s%s", problem.pointer, problem.pointer[0] ? ": " : "", problem.detail);
    }
    return status == MLT_OK ? mlt_prepare_item(p, &l->item, l->c->opt.serving_node, stream, &l->err) : status;
}

static void begin_receipt(struct mltrail_receipt *r, const struct logging *l, const char *stream) {
    if (r) {
        (void)snprintf(r->stream, sizeof r->stream, "%s", stream);
        r->frame = l->put.frame;
        r->sequence = l->put.sequence;
    }
}

static enum mltrail_status put_and_await(struct logging *l, const char *stream, struct mltrail_error *err) {
    struct mltrail_client *c = l->c;
    struct mlt_client_waiter waiter = {.receipt = l->receipt};
    pthread_mutex_lock(&c->lock);
    enum mlt_status status = put(l);
    begin_receipt(l->receipt, l, stream);
    bool waits = status == MLT_OK && c->opt.mode == MLTRAIL_SYNC && l->put.frame > 0;
    if (waits) {
        waiter.frame = l->put.frame;
        waiter.next = c->waiters;
        c->waiters = &waiter;
    }
    struct mlt_courier *courier = c->courier;
    struct mlt_spool_writer *writer = c->writer;
    pthread_mutex_unlock(&c->lock);
    mlt_courier_nudge(courier);
    if (status == MLT_OK && writer && c->opt.sync_each) {
        status = mlt_spool_writer_sync(writer, &l->err);
    }
    if (!waits) {
        return mlt_client_fail(err, status, &l->err);
    }
    pthread_mutex_lock(&c->lock);
    enum mltrail_status result = await(l, &waiter, err);
    pthread_mutex_unlock(&c->lock);
    return result;
}

enum mltrail_status mltrail_client_log(struct mltrail_client *client, struct mltrail_receipt *receipt,
                                       const void *record, size_t record_len, struct mltrail_error *err) {
    struct logging l = {.c = client, .receipt = receipt};
    const char *stream;
    if (receipt) {
        memset(receipt, 0, sizeof *receipt);
    }
    enum mlt_status status = begin(&l, &stream);
    if (status != MLT_OK) {
        return mlt_client_fail(err, status, &l.err);
    }
    status = prepare(&l, mlt_bytes_of(record, record_len), stream);
    enum mltrail_status result =
        status == MLT_OK ? put_and_await(&l, stream, err) : mlt_client_fail(err, status, &l.err);
    give_spare(client, l.spare);
    return result;
}

// -- a prediction by its members --------------------------------------------------------------------------------------

static void put_text(struct mlt_json_writer *w, const char *name, const char *value) {
    if (value) {
        mlt_jw_member(w, name, value);
    }
}

static void put_json(struct mlt_json_writer *w, const char *name, const char *value) {
    if (value) {
        mlt_jw_member_raw(w, name, mlt_str(value));
    }
}

static bool make_request_id(struct mltrail_client *c, char out[static 33], struct mlt_error *err) {
    uint8_t random[16];
    if (c->env->random(c->env, random, sizeof random, err) != MLT_OK) {
        return false;
    }
    mlt_hex_encode(out, mlt_bytes_of(random, sizeof random));
    return true;
}

static void put_members(struct mlt_buf *out, const char *members) {
    struct mlt_bytes text = mlt_str(members);
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0])) {
        text = mlt_bytes_of(text.ptr + 1, text.len - 1);
    }
    if (text.len > 0 && text.ptr[0] == '{') {
        struct mlt_bytes rest = mlt_bytes_of(text.ptr + 1, text.len - 1);
        size_t space = 0;
        while (space < rest.len && strchr(" \t\r\n", rest.ptr[space])) {
            space++;
        }
        out->len--; // the brace that closes the record: the members' own one does
        if (space < rest.len && rest.ptr[space] != '}') {
            mlt_buf_put_u8(out, ',');
        }
        mlt_buf_put_bytes(out, rest);
    } else { // not an object: said by whoever scans the record
        mlt_buf_put_bytes(out, text);
    }
}

static void write_prediction(struct mlt_buf *out, const struct mltrail_prediction *p, const char *request_id,
                             const char *timestamp) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "prediction");
    mlt_jw_member(&w, "request_id", request_id);
    mlt_jw_member(&w, "timestamp", timestamp);
    put_text(&w, "model", p->model);
    put_text(&w, "model_version", p->model_version);
    put_text(&w, "model_artifact_hash", p->model_artifact_hash);
    put_json(&w, "feature_values", p->feature_values);
    put_json(&w, "prediction", p->prediction);
    put_json(&w, "deployment", p->deployment);
    put_text(&w, "subject", p->subject);
    mlt_jw_end_object(&w);
    if (p->members && !out->failed) {
        put_members(out, p->members);
    }
}

enum mltrail_status mltrail_client_log_prediction(struct mltrail_client *client, struct mltrail_receipt *receipt,
                                                  const struct mltrail_prediction *prediction,
                                                  struct mltrail_error *err) {
    struct mlt_buf record = {0};
    struct mlt_error why = {0};
    char request_id[33];
    char now[MLT_TIME_TEXT_LEN + 1];
    if (!prediction->request_id && !make_request_id(client, request_id, &why)) {
        return mlt_client_fail(err, MLT_IO, &why);
    }
    mlt_time_format(now, client->env->now(client->env));
    write_prediction(&record, prediction, prediction->request_id ? prediction->request_id : request_id,
                     prediction->timestamp ? prediction->timestamp : now);
    enum mltrail_status status = record.failed ? mlt_client_say(err, MLTRAIL_NOMEM, "no memory for a record")
                                               : mltrail_client_log(client, receipt, record.data, record.len, err);
    mlt_buf_clear(&record);
    return status;
}
