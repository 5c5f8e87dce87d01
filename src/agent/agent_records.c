// POST /v1/records: each record is checked as the server checks it, so that what is wrong with it is said to whoever
// wrote it, numbered where it has no number, and on disk before the answer.
#include <stdlib.h>

#include "agent/private.h"
#include "record/problem.h"

#define TYPE_JSON "application/json"
#define TYPE_NDJSON "application/x-ndjson"
#define FIRST_ITEMS 16

// What of a request goes into one stream.
struct batch {
    struct batch *next;
    struct mlt_agent_stream *stream; // held
    struct mlt_spool_item *items;    // their bytes are in the request's arena
    uint32_t *lines;                 // of the request
    size_t num, cap;
    uint64_t len;
};

struct taking {
    struct mlt_agent *a;
    struct mlt_agent_spare *spare;
    const char *key;
    struct mlt_arena arena;
    struct batch *batches;   // in the order of their first records
    struct mlt_buf problems; // JSON array, its bracket open
    struct mlt_problem first_problem;
    uint64_t accepted, rejected, dropped;
    const char *stream; // that was put into last, and the first and last frame of it
    struct mlt_spool_put first, last;
    struct mlt_error err;
};

// -- preparers --------------------------------------------------------------------------------------------------------

static struct mlt_agent_spare *take_spare(struct mlt_agent *a) {
    pthread_mutex_lock(&a->lock);
    struct mlt_agent_spare *spare = a->spares;
    a->spares = spare ? spare->next : NULL;
    pthread_mutex_unlock(&a->lock);
    return spare ? spare : calloc(1, sizeof *spare);
}

// There are never more than the service has threads.
static void give_spare(struct mlt_agent *a, struct mlt_agent_spare *spare) {
    pthread_mutex_lock(&a->lock);
    spare->next = a->spares;
    a->spares = spare;
    pthread_mutex_unlock(&a->lock);
}

// -- one record -------------------------------------------------------------------------------------------------------

static void reject(struct taking *t, const struct mlt_problem *p) {
    if (t->rejected++ == 0) {
        t->first_problem = *p;
    }
    mlt_problem_append(&t->problems, p);
    atomic_fetch_add(&t->a->refused, 1);
}

// The batch of the record's serving node, or of the agent's own.
static enum mlt_status find_batch(struct taking *t, struct mlt_bytes own_node, struct batch **out) {
    char node[MLT_SPOOL_NODE_LEN];
    struct batch **at = &t->batches;
    if (own_node.len == 0 || !mlt_text_copy(node, sizeof node, own_node)) {
        (void)mlt_text_copy(node, sizeof node, mlt_str(t->a->opt.serving_node));
    }
    while (*at && strcmp((*at)->stream->node, node) != 0) {
        at = &(*at)->next;
    }
    if (!*at) {
        struct batch *b = calloc(1, sizeof *b);
        if (!b) {
            return mlt_fail(&t->err, MLT_NOMEM, "no memory for a record");
        }
        enum mlt_status status = mlt_agent_take(t->a, &b->stream, t->key, node, &t->err);
        if (status != MLT_OK) {
            free(b);
            return status;
        }
        *at = b;
    }
    *out = *at;
    return MLT_OK;
}

static bool reserve_item(struct batch *b) {
    if (b->num < b->cap) {
        return true;
    }
    size_t cap = b->cap ? 2 * b->cap : FIRST_ITEMS;
    struct mlt_spool_item *items = realloc(b->items, cap * sizeof *items);
    b->items = items ? items : b->items;
    uint32_t *lines = items ? realloc(b->lines, cap * sizeof *lines) : NULL;
    b->lines = lines ? lines : b->lines;
    b->cap = lines ? cap : b->cap;
    return lines != NULL;
}

static enum mlt_status add_record(struct taking *t, struct batch *b, uint32_t line) {
    struct mlt_spool_item item;
    enum mlt_status status = mlt_prepare_item(&t->spare->preparer, &item, b->stream->node,
                                              mlt_spool_writer_stream(b->stream->writer), &t->err);
    if (status != MLT_OK) {
        return status;
    }
    item.before = mlt_arena_copy(&t->arena, item.before); // `after` is a literal
    if (!item.before.ptr || !reserve_item(b)) {
        return mlt_fail(&t->err, MLT_NOMEM, "no memory for a record");
    }
    b->items[b->num] = item;
    b->lines[b->num++] = line;
    b->len += item.before.len + item.after.len;
    return MLT_OK;
}

static enum mlt_status take_line(struct taking *t, struct mlt_bytes line, uint32_t number) {
    struct mlt_problem problem = {.line = number};
    struct mlt_preparer *p = &t->spare->preparer;
    enum mlt_status status = mlt_prepare_check(p, line, &problem, &t->err);
    problem.line = number;
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        reject(t, &problem);
        return MLT_OK;
    }
    struct batch *b = NULL;
    status = status == MLT_OK ? find_batch(t, mlt_prepare_node(p), &b) : status;
    return status == MLT_OK ? add_record(t, b, number) : status;
}

// -- lines ------------------------------------------------------------------------------------------------------------

static bool next_line(struct mlt_bytes *rest, struct mlt_bytes *line) {
    if (rest->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    *line = mlt_bytes_of(rest->ptr, len);
    *rest = mlt_bytes_of(rest->ptr + len + (end != NULL), rest->len - len - (end != NULL));
    while (line->len > 0 && strchr(" \t\r", line->ptr[line->len - 1])) {
        line->len--;
    }
    return true;
}

static enum mlt_status take_lines(struct taking *t, struct mlt_bytes rest) {
    struct mlt_bytes line;
    enum mlt_status status = MLT_OK;
    size_t num = 0;
    for (uint32_t number = 1; status == MLT_OK && next_line(&rest, &line); number++) {
        if (line.len == 0) {
            continue;
        }
        if (++num > MLT_AGENT_LINES_MAX) {
            return mlt_fail(&t->err, MLT_LIMIT, "more than %d records in one request; send them in parts",
                            MLT_AGENT_LINES_MAX);
        }
        status = take_line(t, line, number);
    }
    return status;
}

// -- putting ----------------------------------------------------------------------------------------------------------

static void note_put(struct taking *t, const struct batch *b, const struct mlt_spool_put *put, size_t num) {
    const char *stream = mlt_spool_writer_stream(b->stream->writer);
    if (t->stream != stream) {
        t->stream = stream;
        t->first = *put;
    }
    t->last = *put;
    t->last.frame += put->frame > 0 ? num - 1 : 0;
    t->accepted += num;
}

// What has no space is dropped, and the numbers of its predictions are taken.
static enum mlt_status put_or_drop(struct taking *t, const struct batch *b) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < b->num; i++) {
        struct mlt_spool_put put;
        status = mlt_agent_put(t->a, b->stream, &b->items[i], 1, &put, &t->err);
        if (status == MLT_NOSPACE) {
            bool numbered = b->items[i].number == MLT_SPOOL_SEQUENCE;
            put.sequence = numbered ? mlt_spool_writer_drop(b->stream->writer) : 0;
            t->dropped++;
            atomic_fetch_add(&t->a->dropped, 1);
            status = MLT_OK;
        }
        if (status == MLT_OK) {
            note_put(t, b, &put, 1);
        }
    }
    return status;
}

static enum mlt_status put_batch(struct taking *t, const struct batch *b) {
    struct mlt_spool_put put;
    enum mlt_status status = mlt_agent_put(t->a, b->stream, b->items, b->num, &put, &t->err);
    if (status == MLT_NOSPACE && t->a->opt.on_full == MLT_AGENT_DROP) {
        return put_or_drop(t, b);
    }
    if (status == MLT_OK) {
        note_put(t, b, &put, b->num);
    }
    return status;
}

// Taken whole or not at all, or a repetition would give records numbers once more: room is there for all before any is
// put, and what goes into one stream is put at once. Only when the disk fails between two streams a part is taken; then
// the others are refused by their lines.
static enum mlt_status put_all(struct taking *t) {
    enum mlt_status status = MLT_OK;
    for (const struct batch *b = t->batches; b && t->a->opt.on_full != MLT_AGENT_DROP; b = b->next) {
        status = mlt_agent_room(t->a, b->stream, b->len, b->num, &t->err);
        if (status != MLT_OK) {
            return status;
        }
    }
    for (const struct batch *b = t->batches; b; b = b->next) {
        uint64_t before = t->accepted;
        status = put_batch(t, b);
        if (status != MLT_OK && t->accepted == 0) {
            return status;
        }
        for (size_t i = (size_t)(t->accepted - before); i < b->num; i++) {
            struct mlt_problem problem = {.line = b->lines[i]};
            (void)mlt_problem_set(&problem, status, mlt_status_name(status), "", "%s", t->err.text);
            reject(t, &problem);
        }
    }
    return MLT_OK;
}

static enum mlt_status sync_all(struct taking *t) {
    enum mlt_status status = MLT_OK;
    for (const struct batch *b = t->batches; b && status == MLT_OK; b = b->next) {
        status = mlt_spool_writer_sync(b->stream->writer, &t->err);
    }
    return status;
}

static void clear(struct taking *t) {
    while (t->batches) {
        struct batch *b = t->batches;
        t->batches = b->next;
        mlt_agent_give(t->a, b->stream);
        free(b->items);
        free(b->lines);
        free(b);
    }
    if (t->spare) {
        give_spare(t->a, t->spare);
    }
    mlt_arena_clear(&t->arena);
    mlt_buf_clear(&t->problems);
}

// -- a request --------------------------------------------------------------------------------------------------------

static void answer(struct taking *t, bool ndjson, struct mlt_service_answer *out) {
    struct mlt_json_writer w;
    if (!ndjson && t->rejected > 0) {
        const struct mlt_problem *p = &t->first_problem;
        mlt_agent_problem(out, 422, p->code, p->pointer, "%s", p->detail);
        return;
    }
    out->status = t->accepted == 0 && t->rejected > 0 ? 422 : 202;
    out->content_type = TYPE_JSON;
    mlt_jw_init(&w, &out->body);
    mlt_jw_object(&w);
    if (t->accepted > 0) {
        mlt_jw_member(&w, "stream", t->stream);
    }
    if (ndjson) {
        mlt_jw_member_u64(&w, "accepted", t->accepted);
        mlt_jw_member_u64(&w, "rejected", t->rejected);
        if (t->accepted > 0) {
            mlt_jw_member_u64(&w, "first_frame", t->first.frame);
            mlt_jw_member_u64(&w, "last_frame", t->last.frame);
        }
        if (t->problems.len > 0) {
            mlt_buf_put_u8(&t->problems, ']');
        }
        mlt_jw_member_raw(&w, "problems", t->problems.len > 0 ? mlt_buf_bytes(&t->problems) : mlt_str("[]"));
    } else {
        mlt_jw_member_u64(&w, "frame", t->last.frame);
        if (t->last.sequence > 0) {
            mlt_jw_member_u64(&w, "sequence", t->last.sequence);
        }
    }
    if (t->dropped > 0) {
        mlt_jw_member_u64(&w, "dropped", t->dropped);
    }
    mlt_jw_end_object(&w);
}

// A CloudEvent is the server's to take apart.
static bool is_cloudevent(const struct mlt_service_request *req, const char *type) {
    return req->header(req->header_arg, "ce-specversion") ||
           (type && (strncmp(type, "application/cloudevents", 23) == 0));
}

void mlt_agent_records(struct mlt_agent *a, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    const char *type = req->header(req->header_arg, "Content-Type");
    char key[MLT_AGENT_KEY_LEN];
    bool ndjson = mlt_agent_media_is(type, TYPE_NDJSON);
    if (is_cloudevent(req, type)) {
        mlt_agent_request(a, req, out);
        return;
    }
    if ((!ndjson && !mlt_agent_media_is(type, TYPE_JSON)) || req->header(req->header_arg, "Content-Encoding")) {
        mlt_agent_problem(out, 415, "unsupported-media-type", NULL,
                          "send " TYPE_JSON " (one record) or " TYPE_NDJSON
                          " (one per line), not compressed: the agent is on this machine");
        return;
    }
    mlt_agent_key(key, req);
    struct taking t = {.a = a, .key = key, .spare = take_spare(a)};
    enum mlt_status status = !t.spare ? mlt_fail(&t.err, MLT_NOMEM, "no memory for a record")
                             : ndjson ? take_lines(&t, req->body)
                                      : take_line(&t, req->body, 1);
    status = status == MLT_OK ? put_all(&t) : status;
    mlt_courier_nudge(a->courier);
    if (status == MLT_OK && mlt_agent_wants(req, "durable=1")) {
        status = sync_all(&t);
    }
    if (status == MLT_OK) {
        answer(&t, ndjson, out);
    } else {
        mlt_agent_fail(out, status, &t.err);
    }
    clear(&t);
}
