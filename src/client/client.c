// Opening and closing a client, and what is asked of it as a whole.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/public_status.h"
#include "base/wait.h"
#include "base_posix/env_posix.h"
#include "client/private.h"

#define MS ((int64_t)1000000)
#define FULL_WAIT_MS 10000 // long enough for a restart of the server
#define RECEIPT_WAIT_MS 30000
#define LINGER_MS 20 // a batch of a busy process, and no delay that anybody sees
#define TOKEN_FILE_MAX 4096

// -- errors -----------------------------------------------------------------------------------------------------------

const char *mltrail_client_version(void) {
    return MLT_VERSION;
}

const char *mltrail_client_status_name(enum mltrail_status status) {
    return mlt_public_status_name(status);
}

static enum mltrail_status public_status(enum mlt_status status) {
    switch (status) {
    case MLT_OK:
        return MLTRAIL_OK;
    case MLT_INVALID:
    case MLT_CONFLICT:
        return MLTRAIL_INVALID;
    case MLT_LIMIT:
        return MLTRAIL_LIMIT;
    case MLT_NOMEM:
        return MLTRAIL_NOMEM;
    case MLT_NOSPACE:
        return MLTRAIL_NOSPACE;
    case MLT_INTERNAL:
        return MLTRAIL_INTERNAL;
    default:
        return MLTRAIL_IO;
    }
}

enum mltrail_status mlt_client_say(struct mltrail_error *out, enum mltrail_status status, const char *fmt, ...) {
    if (out) {
        va_list args;
        va_start(args, fmt);
        out->status = status;
        (void)vsnprintf(out->text, sizeof out->text, fmt, args);
        va_end(args);
    }
    return status;
}

enum mltrail_status mlt_client_fail(struct mltrail_error *out, enum mlt_status status, const struct mlt_error *err) {
    return mlt_client_say(out, public_status(status), "%s", status == MLT_OK ? "" : err->text);
}

// -- options ----------------------------------------------------------------------------------------------------------

static bool copy(struct mltrail_client *c, size_t i, const char **text) {
    c->texts[i] = *text ? strdup(*text) : NULL;
    bool whole = !*text || c->texts[i];
    *text = c->texts[i];
    return whole;
}

static enum mlt_status read_token(struct mltrail_client *c, struct mlt_error *err) {
    struct mlt_buf token = {0};
    if (c->opt.token || !c->opt.token_file) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_env_read_file(c->env, c->opt.token_file, TOKEN_FILE_MAX, &token, err);
    if (status == MLT_OK) {
        while (token.len > 0 && (token.data[token.len - 1] == '\n' || token.data[token.len - 1] == '\r')) {
            token.len--;
        }
        const char *text = mlt_buf_cstr(&token);
        free(c->texts[1]);
        c->texts[1] = text ? strdup(text) : NULL;
        c->opt.token = c->texts[1];
        status = c->texts[1] ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for a client");
    }
    mlt_buf_clear(&token);
    return status;
}

static enum mlt_status take_options(struct mltrail_client *c, const struct mltrail_client_options *options,
                                    struct mlt_error *err) {
    char host[MLT_SPOOL_NODE_LEN] = "";
    struct mltrail_client_options *o = &c->opt;
    *o = *options;
    if (!o->url || !o->url[0]) {
        return mlt_fail(err, MLT_INVALID, "no url is given; http://127.0.0.1:8470 for instance would be right");
    }
    if (o->mode != MLTRAIL_FIRE && (!o->spool_dir || !o->spool_dir[0])) {
        return mlt_fail(err, MLT_INVALID,
                        "no spool_dir is given; give a directory on a local disk, or mode MLTRAIL_FIRE");
    }
    if (o->mode > MLTRAIL_FIRE || o->on_full > MLTRAIL_DROP) {
        return mlt_fail(err, MLT_INVALID, "mode and on_full are what their enumerations have");
    }
    if (!o->serving_node || !o->serving_node[0]) {
        (void)gethostname(host, sizeof host - 1);
        o->serving_node = host;
    }
    o->sync_ms = o->sync_ms ? o->sync_ms : MLT_COURIER_SYNC_MS_DEFAULT;
    o->full_wait_ms = o->full_wait_ms ? o->full_wait_ms : FULL_WAIT_MS;
    o->wait_ms = o->wait_ms ? o->wait_ms : RECEIPT_WAIT_MS;
    bool whole = copy(c, 0, &o->url) && copy(c, 1, &o->token) && copy(c, 2, &o->token_file) && copy(c, 3, &o->cacert) &&
                 copy(c, 4, &o->spool_dir) && copy(c, 5, &o->serving_node);
    return whole ? read_token(c, err) : mlt_fail(err, MLT_NOMEM, "no memory for a client");
}

// -- receipts ---------------------------------------------------------------------------------------------------------

static void fill_receipt(struct mltrail_receipt *r, const struct mlt_settled *s) {
    r->in_log = s->has_receipt;
    r->duplicate = s->duplicate;
    r->index = s->index;
    r->tree_size = s->tree_size;
    memcpy(r->leaf, s->leaf, sizeof r->leaf);
    if (!mlt_text_copy(r->checkpoint, sizeof r->checkpoint, s->checkpoint)) {
        r->checkpoint[0] = '\0';
    }
}

// Called by the courier's thread.
static void settled(void *arg, const struct mlt_settled *s) {
    struct mltrail_client *c = arg;
    pthread_mutex_lock(&c->lock);
    for (struct mlt_client_waiter *w = c->waiters; w; w = w->next) {
        if (w->frame != s->frame) {
            continue;
        }
        w->settled = true;
        if (!s->accepted) {
            w->status = MLTRAIL_REJECTED;
            (void)snprintf(w->text, sizeof w->text, "the server refused the record: %.*s",
                           (int)(s->problem.len < 900 ? s->problem.len : 900), (const char *)s->problem.ptr);
        } else if (w->receipt) {
            fill_receipt(w->receipt, s);
        }
        pthread_cond_broadcast(&c->settled);
    }
    pthread_mutex_unlock(&c->lock);
}

// -- open -------------------------------------------------------------------------------------------------------------

static enum mlt_status open_stream(struct mltrail_client *c, struct mlt_error *err) {
    if (c->opt.mode == MLTRAIL_FIRE) {
        return mlt_memory_new(&c->memory, c->env, c->opt.serving_node, c->opt.spool_max, err);
    }
    const struct mlt_spool_options spool = {
        .dir = c->opt.spool_dir, .serving_node = c->opt.serving_node, .bytes_max = c->opt.spool_max};
    return mlt_spool_writer_open(&c->writer, c->env, &spool, err);
}

static enum mlt_status open_courier(struct mltrail_client *c, struct mlt_error *err) {
    const bool sync = c->opt.mode == MLTRAIL_SYNC;
    const struct mlt_courier_options opt = {
        .link = {.url = c->opt.url,
                 .token = c->opt.token,
                 .cacert = c->opt.cacert,
                 .user_agent = "mltrail-client/" MLT_VERSION},
        .dirs = &c->opt.spool_dir,
        .num_dirs = c->opt.mode == MLTRAIL_FIRE || c->opt.no_adoption ? 0 : 1,
        .sync_ms = c->opt.mode == MLTRAIL_FIRE || c->opt.sync_each ? 0 : c->opt.sync_ms,
        .linger_ms = sync ? 0 : LINGER_MS,
        .receipts = sync,
        .settled = sync ? settled : NULL,
        .arg = c,
    };
    return mlt_courier_new(&c->courier, c->env, &opt, err);
}

enum mlt_status mlt_client_begin(struct mltrail_client *c, struct mlt_error *err) {
    if (c->courier) {
        return MLT_OK;
    }
    enum mlt_status status = open_stream(c, err);
    status = status == MLT_OK ? open_courier(c, err) : status;
    if (status == MLT_OK) {
        status = c->writer ? mlt_courier_add(c->courier, c->writer, err)
                           : mlt_courier_add_memory(c->courier, c->memory, err);
    }
    if (status != MLT_OK) {
        (void)mlt_courier_stop(c->courier, 0);
        if (c->writer) {
            mlt_spool_writer_remove(c->writer); // nothing is in it
        }
        mlt_memory_free(c->memory);
        c->courier = NULL;
        c->writer = NULL;
        c->memory = NULL;
    }
    return status;
}

static void free_client(struct mltrail_client *c) {
    while (c->spares) {
        struct mlt_client_spare *next = c->spares->next;
        mlt_preparer_clear(&c->spares->preparer);
        free(c->spares);
        c->spares = next;
    }
    for (size_t i = 0; i < sizeof c->texts / sizeof *c->texts; i++) {
        free(c->texts[i]);
    }
    pthread_cond_destroy(&c->settled);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum mltrail_status mltrail_client_open(struct mltrail_client **out, const struct mltrail_client_options *options,
                                        struct mltrail_error *err) {
    struct mlt_error why = {0};
    *out = NULL;
    struct mltrail_client *c = calloc(1, sizeof *c);
    if (!c || pthread_mutex_init(&c->lock, NULL) != 0 || !mlt_wait_init(&c->settled)) {
        free(c);
        return mlt_client_say(err, MLTRAIL_NOMEM, "no memory for a client");
    }
    c->env = mlt_env_posix();
    enum mlt_status status = take_options(c, options, &why);
    status = status == MLT_OK ? mlt_client_begin(c, &why) : status;
    if (status == MLT_OK && !mlt_client_list(c)) {
        (void)mlt_courier_stop(c->courier, 0);
        status = mlt_fail(&why, MLT_NOMEM, "no memory for a client");
    }
    if (status != MLT_OK) {
        free_client(c);
        return mlt_client_fail(err, status, &why);
    }
    *out = c;
    return mlt_client_fail(err, MLT_OK, &why);
}

// -- the whole --------------------------------------------------------------------------------------------------------

static int64_t in_ms(uint32_t ms) {
    return mlt_wait_now() + (int64_t)ms * MS;
}

enum mltrail_status mltrail_client_flush(struct mltrail_client *client, uint32_t timeout_ms,
                                         struct mltrail_error *err) {
    pthread_mutex_lock(&client->lock);
    struct mlt_courier *courier = client->courier;
    pthread_mutex_unlock(&client->lock);
    if (!courier || mlt_courier_flush(courier, in_ms(timeout_ms))) {
        return mlt_client_say(err, MLTRAIL_OK, "%s", "");
    }
    struct mlt_courier_stats stats;
    mlt_courier_stats(courier, &stats);
    return mlt_client_say(err, MLTRAIL_TIMEOUT, "%llu records are not at the server after %lu ms%s%s",
                          (unsigned long long)stats.pending, (unsigned long)timeout_ms, stats.error[0] ? ": " : "",
                          stats.error);
}

enum mltrail_status mltrail_client_close(struct mltrail_client *client, uint32_t timeout_ms,
                                         struct mltrail_error *err) {
    struct mlt_error why = {0};
    if (!client) {
        return mlt_client_say(err, MLTRAIL_OK, "%s", "");
    }
    mlt_client_unlist(client);
    enum mlt_status status = client->writer   ? mlt_spool_writer_end(client->writer, &why)
                             : client->memory ? mlt_memory_end(client->memory, &why)
                                              : MLT_OK;
    uint64_t left = mlt_courier_stop(client->courier, in_ms(timeout_ms));
    enum mltrail_status result = mlt_client_fail(err, status, &why);
    if (status == MLT_OK && left > 0 && client->opt.mode == MLTRAIL_FIRE) {
        result = mlt_client_say(err, MLTRAIL_TIMEOUT, "%llu records are lost: the server did not take them in time",
                                (unsigned long long)left);
    } else if (status == MLT_OK && left > 0) {
        result = mlt_client_say(err, MLTRAIL_TIMEOUT,
                                "%llu records stay in %s; whoever opens it next sends them, mltrail agent --adopt too",
                                (unsigned long long)left, client->opt.spool_dir);
    }
    free_client(client);
    return result;
}

void mltrail_client_get_stats(struct mltrail_client *client, struct mltrail_client_stats *out) {
    struct mlt_courier_stats s = {.up = true};
    pthread_mutex_lock(&client->lock);
    if (client->courier) {
        mlt_courier_stats(client->courier, &s);
    }
    *out = (struct mltrail_client_stats){.logged = client->logged,
                                         .sent = s.sent,
                                         .rejected = s.rejected,
                                         .lost = s.lost,
                                         .damaged = s.damaged,
                                         .adopted = s.adopted,
                                         .pending = s.pending,
                                         .bytes = s.bytes,
                                         .oldest_ms = (uint64_t)(s.oldest_ns / MS),
                                         .failures = s.failures,
                                         .up = s.up};
    memcpy(out->error, s.error, sizeof out->error);
    pthread_mutex_unlock(&client->lock);
}

const char *mltrail_client_stream(struct mltrail_client *client) {
    pthread_mutex_lock(&client->lock);
    const char *stream = client->writer   ? mlt_spool_writer_stream(client->writer)
                         : client->memory ? mlt_memory_stream(client->memory)
                                          : "";
    pthread_mutex_unlock(&client->lock);
    return stream;
}
