#include "forward/parcel.h"

#include <stdio.h>
#include <stdlib.h>

#include "forward/answer.h"
#include "record/json.h"

#define FIRST_ITEMS 64
#define KEPT_BODY_MAX ((size_t)8 * 1024 * 1024)
#define SHOWN_MAX 200 // of an answer that is no problem document

// -- putting together -------------------------------------------------------------------------------------------------

void mlt_parcel_reset(struct mlt_parcel *p) {
    if (p->body.cap > KEPT_BODY_MAX) {
        mlt_buf_clear(&p->body);
    }
    mlt_buf_reset(&p->body);
    p->num = p->num_done = 0;
    p->failed = false;
}

void mlt_parcel_clear(struct mlt_parcel *p) {
    mlt_buf_clear(&p->body);
    free(p->items);
    *p = (struct mlt_parcel){0};
}

static bool reserve_item(struct mlt_parcel *p) {
    if (p->num < p->cap) {
        return true;
    }
    size_t cap = p->cap ? 2 * p->cap : FIRST_ITEMS;
    struct mlt_parcel_item *more = realloc(p->items, cap * sizeof *more);
    if (!more) {
        return false;
    }
    p->items = more;
    p->cap = cap;
    return true;
}

bool mlt_parcel_take(void *parcel, const struct mlt_frame *f) {
    struct mlt_parcel *p = parcel;
    if (p->num > 0 && (p->type != MLT_FRAME_RECORD || f->type != MLT_FRAME_RECORD || p->num == MLT_PARCEL_RECORDS_MAX ||
                       p->body.len + f->body.len > MLT_PARCEL_BYTES_MAX)) {
        return false;
    }
    size_t at = p->body.len;
    bool taken = reserve_item(p) && mlt_buf_reserve(&p->body, f->body.len + 1);
    if (!taken) {
        p->failed = true;
        return false;
    }
    mlt_buf_put_bytes(&p->body, f->body);
    if (f->type == MLT_FRAME_RECORD) {
        mlt_buf_put_u8(&p->body, '\n');
    }
    p->type = f->type;
    p->items[p->num++] = (struct mlt_parcel_item){at, f->body.len, f->number};
    return true;
}

// -- the answer -------------------------------------------------------------------------------------------------------

static struct mlt_settled settled_of(const struct mlt_parcel *p, size_t item, int status) {
    const struct mlt_parcel_item *i = &p->items[item];
    return (struct mlt_settled){
        .frame = i->frame, .type = p->type, .body = mlt_bytes_of(p->body.data + i->at, i->len), .status = status};
}

static enum mlt_status later(struct mlt_deliver *d, const struct mlt_link_answer *a, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    struct mlt_bytes detail = {0};
    d->retry_after_s = a->retry_after_s;
    if (mlt_json_scan(&json, mlt_buf_bytes(&a->body), NULL) == MLT_OK) {
        detail = mlt_json_string(&json, mlt_json_get(&json, 0, "detail"), &arena);
    }
    detail = detail.len > SHOWN_MAX ? mlt_bytes_of(detail.ptr, SHOWN_MAX) : detail;
    enum mlt_status status =
        mlt_fail(err, a->status == 401 || a->status == 403 ? MLT_DENIED : MLT_IO, "%s answers %d%s%.*s",
                 mlt_link_shown(d->link), a->status, detail.len > 0 ? ": " : "", MLT_ARG(detail));
    mlt_arena_clear(&arena);
    mlt_json_clear(&json);
    return status;
}

static void tell_refused(struct mlt_deliver *d, const struct mlt_parcel *p, size_t item,
                         const struct mlt_link_answer *a) {
    struct mlt_json json = {0};
    struct mlt_buf problem = {0};
    struct mlt_settled s = settled_of(p, item, a->status);
    if (mlt_json_scan(&json, mlt_buf_bytes(&a->body), NULL) == MLT_OK) {
        mlt_json_minify(&json, 0, &problem);
    } else {
        struct mlt_json_writer w;
        size_t len = a->body.len < SHOWN_MAX ? a->body.len : SHOWN_MAX;
        mlt_jw_init(&w, &problem);
        mlt_jw_string(&w, mlt_bytes_of(a->body.data, len));
    }
    s.problem = problem.failed ? (struct mlt_bytes){0} : mlt_buf_bytes(&problem);
    d->settled(d->arg, &s);
    mlt_buf_clear(&problem);
    mlt_json_clear(&json);
}

// The lines of a batch that the answer speaks of, by their place in the parcel.
struct lines {
    mlt_json_at *problem, *receipt; // MLT_JSON_NONE: none
};

static bool note_lines(const struct mlt_json *json, const char *name, mlt_json_at *out, size_t num) {
    mlt_json_at list = mlt_json_get(json, 0, name);
    for (size_t i = 0; i < num; i++) {
        out[i] = MLT_JSON_NONE;
    }
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        uint64_t line;
        if (!mlt_json_u64(json, mlt_json_get(json, n, "line"), &line) || line == 0 || line > num) {
            return false; // an answer to something else
        }
        out[line - 1] = n;
    }
    return true;
}

static void take_receipt(struct mlt_settled *s, const struct mlt_json *json, mlt_json_at receipt,
                         struct mlt_arena *arena) {
    struct mlt_bytes leaf = mlt_json_string(json, mlt_json_get(json, receipt, "leaf"), arena);
    if (receipt == MLT_JSON_NONE || !mlt_text_copy(s->leaf, sizeof s->leaf, leaf) ||
        !mlt_json_u64(json, mlt_json_get(json, receipt, "index"), &s->index) ||
        !mlt_json_u64(json, mlt_json_get(json, 0, "tree_size"), &s->tree_size)) {
        return;
    }
    s->duplicate = mlt_json_is(json, mlt_json_get(json, receipt, "duplicate"), MLT_JSON_TRUE);
    s->checkpoint = mlt_json_string(json, mlt_json_get(json, 0, "checkpoint"), arena);
    s->has_receipt = true;
}

static void tell_each(struct mlt_deliver *d, struct mlt_parcel *p, size_t end, int status, const struct mlt_json *json,
                      const struct lines *l, struct mlt_arena *arena) {
    size_t begin = p->num_done;
    for (size_t i = begin; i < end; i++) {
        struct mlt_settled s = settled_of(p, i, status);
        struct mlt_buf problem = {0};
        mlt_json_at at = l->problem[i - begin];
        s.accepted = at == MLT_JSON_NONE;
        if (s.accepted) {
            take_receipt(&s, json, l->receipt[i - begin], arena);
        } else {
            mlt_json_minify(json, at, &problem);
            s.problem = problem.failed ? (struct mlt_bytes){0} : mlt_buf_bytes(&problem);
        }
        d->settled(d->arg, &s);
        mlt_buf_clear(&problem);
    }
    p->num_done = end;
}

// MLT_INVALID: not an answer to a batch of this many lines.
static enum mlt_status read_batch(struct mlt_deliver *d, struct mlt_parcel *p, size_t end,
                                  const struct mlt_link_answer *a, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    size_t num = end - p->num_done;
    uint64_t rejected = 0;
    struct lines l = {malloc(num * sizeof(mlt_json_at)), malloc(num * sizeof(mlt_json_at))};
    enum mlt_status status = l.problem && l.receipt ? mlt_json_scan(&json, mlt_buf_bytes(&a->body), err)
                                                    : mlt_fail(err, MLT_NOMEM, "out of memory");
    if (status == MLT_OK) {
        bool good = mlt_json_u64(&json, mlt_json_get(&json, 0, "rejected"), &rejected) &&
                    note_lines(&json, "problems", l.problem, num) && note_lines(&json, "receipts", l.receipt, num);
        uint64_t told = 0;
        for (size_t i = 0; good && i < num; i++) {
            told += l.problem[i] != MLT_JSON_NONE;
        }
        status = good && told == rejected
                     ? MLT_OK
                     : mlt_fail(err, MLT_INVALID, "%s answers %d with something else than receipts",
                                mlt_link_shown(d->link), a->status);
    }
    if (status == MLT_OK) {
        tell_each(d, p, end, a->status, &json, &l, &arena);
    }
    free(l.problem);
    free(l.receipt);
    mlt_arena_clear(&arena);
    mlt_json_clear(&json);
    return status;
}

// -- sending ----------------------------------------------------------------------------------------------------------

// The records up to `end`. A batch that is refused as a whole is sent in halves, until the one that is wrong is alone.
static enum mlt_status send_records(struct mlt_deliver *d, struct mlt_parcel *p, size_t end, struct mlt_link_answer *a,
                                    struct mlt_error *err) {
    while (p->num_done < end) {
        size_t from = p->items[p->num_done].at;
        size_t to = p->items[end - 1].at + p->items[end - 1].len + 1;
        const struct mlt_link_message msg = {.method = "POST",
                                             .path = d->receipts ? "/v1/records?receipts=all" : "/v1/records",
                                             .content_type = "application/x-ndjson",
                                             .body = mlt_bytes_of(p->body.data + from, to - from)};
        enum mlt_status status = mlt_link_send(d->link, &msg, a, err);
        if (status != MLT_OK) {
            return status;
        }
        enum mlt_answer answer = mlt_answer_judge(a->status, true);
        if (answer == MLT_ANSWER_TAKEN) {
            status = read_batch(d, p, end, a, err);
            if (status == MLT_OK) {
                continue;
            }
            if (status == MLT_NOMEM || a->status != 422) {
                return status;
            }
            answer = MLT_ANSWER_REFUSED; // a problem with the whole: sent again it would be the same
        }
        if (answer == MLT_ANSWER_LATER) {
            return later(d, a, err);
        }
        if (end - p->num_done == 1) {
            tell_refused(d, p, p->num_done++, a);
            continue;
        }
        status = send_records(d, p, p->num_done + (end - p->num_done) / 2, a, err);
        if (status != MLT_OK) {
            return status;
        }
    }
    return MLT_OK;
}

static enum mlt_status send_request(struct mlt_deliver *d, struct mlt_parcel *p, struct mlt_link_answer *a,
                                    struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_frame_request req;
    enum mlt_status status = mlt_frame_request_read(&req, &arena, mlt_buf_bytes(&p->body), err);
    if (status == MLT_INVALID) { // it will never be another: kept with what is wrong with it
        mlt_buf_reset(&a->body);
        mlt_buf_put_str(&a->body, err ? err->text : "not a request");
        a->status = 0;
        tell_refused(d, p, p->num_done++, a);
        mlt_arena_clear(&arena);
        return MLT_OK;
    }
    const struct mlt_link_message msg = {.method = req.method,
                                         .path = req.path,
                                         .content_type = req.content_type,
                                         .headers = req.headers,
                                         .num_headers = req.num_headers,
                                         .body = req.body};
    status = status == MLT_OK ? mlt_link_send(d->link, &msg, a, err) : status;
    mlt_arena_clear(&arena);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_settled s = settled_of(p, 0, a->status);
    switch (mlt_answer_judge(a->status, false)) {
    case MLT_ANSWER_LATER:
        return later(d, a, err);
    case MLT_ANSWER_REFUSED:
        tell_refused(d, p, p->num_done++, a);
        return MLT_OK;
    case MLT_ANSWER_TAKEN:
        break;
    }
    s.accepted = true;
    p->num_done++;
    d->settled(d->arg, &s);
    return MLT_OK;
}

enum mlt_status mlt_deliver(struct mlt_deliver *d, struct mlt_parcel *p, struct mlt_error *err) {
    struct mlt_link_answer a = {0};
    d->retry_after_s = 0;
    enum mlt_status status = MLT_OK;
    if (p->num_done < p->num) {
        status = p->type == MLT_FRAME_RECORD ? send_records(d, p, p->num, &a, err) : send_request(d, p, &a, err);
    }
    mlt_link_answer_clear(&a);
    return status;
}
