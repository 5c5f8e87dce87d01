// POST /v1/records: each record is checked as the server checks it, so that what is wrong with it is said to whoever
// wrote it, numbered where it has no number, and on disk before the answer.
#include <stdlib.h>

#include "agent/private.h"
#include "record/problem.h"

#define TYPE_JSON "application/json"
#define TYPE_NDJSON "application/x-ndjson"
#define NUMBERED_LEN 512 // at most so much is added to a record: a node, a stream and a number

struct taking {
    struct mlt_agent *a;
    struct mlt_agent_spare *spare;
    const char *key;
    bool durable;
    struct mlt_buf problems; // JSON array, its bracket open
    struct mlt_problem first_problem;
    uint64_t accepted, rejected, dropped;
    char stream[MLT_SPOOL_STREAM_LEN]; // of the last record
    struct mlt_spool_put first, last;
    struct mlt_agent_stream *held; // from one record to the next
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

// The stream of the record's serving node, or of the agent's own.
static enum mlt_status hold_stream(struct taking *t, struct mlt_bytes own_node) {
    char node[MLT_SPOOL_NODE_LEN];
    if (own_node.len == 0 || !mlt_text_copy(node, sizeof node, own_node)) {
        (void)mlt_text_copy(node, sizeof node, mlt_str(t->a->opt.serving_node));
    }
    if (t->held && strcmp(t->held->node, node) == 0) {
        return MLT_OK;
    }
    if (t->held) {
        mlt_agent_give(t->a, t->held);
    }
    return mlt_agent_take(t->a, &t->held, t->key, node, &t->err);
}

static enum mlt_status put_record(struct taking *t) {
    struct mlt_preparer *p = &t->spare->preparer;
    struct mlt_spool_item item;
    struct mlt_agent_stream *s = t->held;
    enum mlt_status status = mlt_prepare_item(p, &item, s->node, mlt_spool_writer_stream(s->writer), &t->err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_spool_put put = {0};
    pthread_mutex_lock(&s->lock);
    status = mlt_agent_put(t->a, s, &item, &put, &t->err);
    if (status == MLT_NOSPACE && t->a->opt.on_full == MLT_AGENT_DROP) {
        put.sequence = item.number == MLT_SPOOL_SEQUENCE ? mlt_spool_writer_drop(s->writer) : 0;
        t->dropped++;
        atomic_fetch_add(&t->a->dropped, 1);
        status = MLT_OK;
    }
    pthread_mutex_unlock(&s->lock);
    if (status == MLT_OK) {
        t->first = t->accepted++ == 0 ? put : t->first;
        t->last = put;
        memcpy(t->stream, mlt_spool_writer_stream(s->writer), strlen(mlt_spool_writer_stream(s->writer)) + 1);
    }
    return status;
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
    status = status == MLT_OK ? hold_stream(t, mlt_prepare_node(p)) : status;
    return status == MLT_OK ? put_record(t) : status;
}

// -- a request --------------------------------------------------------------------------------------------------------

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

static size_t count_lines(struct mlt_bytes body) {
    struct mlt_bytes line;
    size_t num = 0;
    while (next_line(&body, &line)) {
        num += line.len > 0;
    }
    return num;
}

// Taken whole or not at all, as far as space decides: numbers that a repetition would take again are not to be given.
static enum mlt_status make_room(struct taking *t, struct mlt_bytes body, size_t num) {
    if (num > MLT_AGENT_LINES_MAX) {
        return mlt_fail(&t->err, MLT_LIMIT, "%zu records in one request; at most %d are taken, send them in parts", num,
                        MLT_AGENT_LINES_MAX);
    }
    enum mlt_status status = hold_stream(t, (struct mlt_bytes){0});
    if (status != MLT_OK || t->a->opt.on_full == MLT_AGENT_DROP) {
        return status;
    }
    pthread_mutex_lock(&t->held->lock);
    status = mlt_agent_room(t->a, t->held, body.len + num * (uint64_t)NUMBERED_LEN, num, &t->err);
    pthread_mutex_unlock(&t->held->lock);
    return status;
}

static enum mlt_status take_all(struct taking *t, struct mlt_bytes body, bool ndjson) {
    struct mlt_bytes rest = body, line;
    uint32_t number = 0;
    enum mlt_status status = make_room(t, body, ndjson ? count_lines(body) : 1);
    if (!ndjson) {
        return status == MLT_OK ? take_line(t, body, 1) : status;
    }
    while (status == MLT_OK && next_line(&rest, &line)) {
        number++;
        status = line.len > 0 ? take_line(t, line, number) : MLT_OK;
    }
    return status;
}

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
    enum mlt_status status =
        t.spare ? take_all(&t, req->body, ndjson) : mlt_fail(&t.err, MLT_NOMEM, "no memory for a record");
    mlt_courier_nudge(a->courier);
    if (status == MLT_OK && t.held && mlt_agent_wants(req, "durable=1")) {
        status = mlt_spool_writer_sync(t.held->writer, &t.err);
    }
    if (status == MLT_OK) {
        answer(&t, ndjson, out);
    } else {
        mlt_agent_fail(out, status, &t.err);
    }
    if (t.held) {
        mlt_agent_give(a, t.held);
    }
    if (t.spare) {
        give_spare(a, t.spare);
    }
    mlt_buf_clear(&t.problems);
}
