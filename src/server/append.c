#include "server/append.h"

#include <assert.h>
#include <stdio.h>

#include "record/problem.h"
#include "server/grant.h"
#include "server/ndjson.h"
#include "server/proving.h"

// --- building ---

static void problem_from(struct mlt_problem *p, uint32_t line, const char *code, const char *detail) {
    *p = (struct mlt_problem){.line = line};
    (void)snprintf(p->code, sizeof p->code, "%s", code);
    (void)snprintf(p->detail, sizeof p->detail, "%s", detail);
}

static void tell(struct mlt_append *a, const struct mlt_problem *p) {
    if (a->num_rejected == 0) {
        a->first_problem = *p;
    }
    a->num_rejected++;
    if (a->num_rejected > MLT_PROBLEMS_MAX) {
        a->num_omitted++;
        return;
    }
    mlt_problem_append(&a->problems, p);
}

// A grant for kinds alone is decided by the draft; one that names models or datasets, or a kind that is a user's own,
// needs to look into the record.
static bool granted(const struct mlt_call *call, const struct mlt_draft *draft, struct mlt_bytes record,
                    struct mlt_problem *problem) {
    const struct mlt_grant *grant = &call->req->principal->grant;
    if (draft->kind == MLT_KIND_APPROVAL && !(grant->rights & MLT_MAY_APPROVE)) {
        problem_from(problem, draft->line, "not-granted",
                     "an approval needs the grant \"approve\", which this principal has not");
        return false;
    }
    if (draft->kind != MLT_KIND_APPROVAL && !(grant->rights & MLT_MAY_APPEND)) {
        problem_from(problem, draft->line, "not-granted", "this principal may record approvals only");
        return false;
    }
    if (!mlt_grant_has_patterns(grant)) {
        return true;
    }
    struct mlt_bytes kind = mlt_str(mlt_kind_info(draft->kind)->name);
    bool names_matter = grant->models[0][0] || grant->datasets[0][0] || draft->kind == MLT_KIND_CUSTOM;
    char why[256];
    bool ok;
    if (names_matter) {
        struct mlt_json json = {0};
        struct mlt_arena arena = {0};
        ok = mlt_json_scan(&json, record, NULL) == MLT_OK;
        if (ok && draft->kind == MLT_KIND_CUSTOM) {
            kind = mlt_json_string(&json, mlt_json_get(&json, 0, "kind"), &arena);
        }
        (void)snprintf(why, sizeof why, "this record");
        ok = ok && mlt_grant_covers_facts(grant, kind, &json, 0, why);
        mlt_arena_clear(&arena);
        mlt_json_clear(&json);
    } else {
        ok = mlt_grant_covers_kind(grant, kind);
        (void)snprintf(why, sizeof why, "kind \"%.*s\"", MLT_ARG(kind));
    }
    if (!ok) {
        char detail[400];
        (void)snprintf(detail, sizeof detail, "the grant does not cover %s", why);
        problem_from(problem, draft->line, "not-granted", detail);
    }
    return ok;
}

void mlt_append_reject(struct mlt_appending *b, struct mlt_bytes input, const struct mlt_problem *problem) {
    tell(b->a, problem);
    mlt_rejected_add(&b->rejected, b->call, input, problem);
}

enum mlt_status mlt_append_line(struct mlt_appending *b, struct mlt_bytes line, uint32_t number,
                                struct mlt_error *err) {
    struct mlt_problem problem;
    struct mlt_append *a = b->a;
    a->num_lines++;
    enum mlt_status status =
        mlt_builder_add(b->spare->builder, &a->batch, &b->producer, line, NULL, number, &problem, err);
    if (status == MLT_OK && !granted(b->call, &a->batch.drafts[a->batch.num_drafts - 1], line, &problem)) {
        a->batch.num_drafts--;
        mlt_api_refused(b->call->api, b->call->req);
        status = MLT_DENIED;
    }
    if (status == MLT_INVALID || status == MLT_LIMIT || status == MLT_DENIED) {
        mlt_append_reject(b, line, &problem);
        return MLT_OK;
    }
    return status;
}

enum mlt_status mlt_append_lines(struct mlt_appending *b, struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_ndjson lines = mlt_ndjson_of(text);
    struct mlt_bytes line;
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && mlt_ndjson_next(&lines, &line)) {
        status = mlt_append_line(b, line, lines.line, err);
    }
    return status;
}

// --- its way ---

bool mlt_append_open(struct mlt_appending *b, struct mlt_call *call, mlt_append_answerer *answer) {
    struct mlt_error err = {0};
    *b = (struct mlt_appending){.call = call};
    if ((call->req->principal->grant.rights & (MLT_MAY_APPEND | MLT_MAY_APPROVE)) == 0) {
        return mlt_call_granted(call, MLT_MAY_APPEND);
    }
    if (call->api->read_only) {
        mlt_answer_problem(call->res, 409, "read-only", NULL, "the trail is open for reading only");
        return false;
    }
    b->a = mlt_pool_take_append(call->api);
    if (!b->a) {
        mlt_call_fail(call, mlt_fail(&err, MLT_NOMEM, "no memory for the batch"), &err);
        return false;
    }
    enum mlt_status status = mlt_pool_take_builder(call->api, &b->spare, &err);
    if (status != MLT_OK) {
        mlt_pool_give_append(b->a);
        mlt_call_fail(call, status, &err);
        return false;
    }
    b->a->answer = answer;
    memcpy(b->producer.principal, call->req->principal->name, sizeof b->producer.principal);
    memcpy(b->producer.assurance, call->req->principal->assurance, sizeof b->producer.assurance);
    return true;
}

static void finish_append(struct mlt_append *a, struct mlt_response *res) {
    void (*done)(void *, struct mlt_response *) = a->done;
    void *done_arg = a->done_arg;
    mlt_pool_give_append(a);
    done(done_arg, res);
}

static void answer(struct mlt_append *a, struct mlt_response *res, const struct mlt_receipt *receipts,
                   const struct mlt_head *head) {
    struct mlt_totals t = mlt_append_totals(a, receipts);
    res->content_type = MLT_TYPE_JSON;
    a->answer(a, res, receipts, head);
    atomic_fetch_add(&a->api->metrics.accepted, t.accepted);
    atomic_fetch_add(&a->api->metrics.duplicates, t.duplicates);
    atomic_fetch_add(&a->api->metrics.rejected, a->num_rejected);
    if (res->body.failed || a->problems.failed) {
        mlt_answer_problem(res, 503, "no-memory", NULL,
                           "no memory for the receipt; the records are durable, and sending them "
                           "again returns it");
    }
}

void mlt_append_answer(struct mlt_append *a, const struct mlt_receipt *receipts, const struct mlt_head *head,
                       const struct mlt_proven *proven) {
    struct mlt_response res = {.status = 500, .content_type = MLT_TYPE_JSON};
    a->proven = proven;
    answer(a, &res, receipts, head);
    a->proven = NULL;
    finish_append(a, &res);
}

// Clients of other systems send again after 503, and few after 507.
static void answer_failure(const struct mlt_append *a, struct mlt_response *res, enum mlt_status status,
                           const struct mlt_error *err) {
    mlt_answer_status(res, status, err);
    if (a->intake && status == MLT_NOSPACE) {
        mlt_answer_problem(res, 503, mlt_status_name(status), NULL, "%s", err->text);
    }
}

static void appended(void *arg, struct mlt_batch *batch, enum mlt_status status, const struct mlt_receipt *receipts,
                     const struct mlt_head *head, const struct mlt_error *err) {
    (void)batch;
    struct mlt_append *a = arg;
    struct mlt_response res = {.status = 500, .content_type = MLT_TYPE_JSON};
    struct mlt_head now;
    if (status == MLT_OK && a->wants_proof && a->num_records > 0 &&
        mlt_proving_wait(a->api->proving, a, receipts, head)) {
        return;
    }
    if (status != MLT_OK && a->num_records == 0) {
        // Only the record of what was rejected could not be kept; the client is told what was wrong all the same.
        mlt_trail_head(a->api->trail, &now);
        answer(a, &res, receipts, &now);
    } else if (status != MLT_OK) {
        answer_failure(a, &res, status, err);
    } else {
        answer(a, &res, receipts, head);
    }
    finish_append(a, &res);
}

// Starts the batch. True: `done` will be called. False: call->res is the answer.
static bool start(struct mlt_call *call, struct mlt_append *a, enum mlt_status status, struct mlt_error *err) {
    if (status == MLT_OK && a->batch.num_drafts > 0) {
        bool own_only = a->num_records == 0;
        status = mlt_trail_append(call->api->trail, &a->batch, own_only, appended, a, err);
        if (status == MLT_OK) {
            return true;
        }
        if (own_only) {
            status = MLT_OK;
        }
    }
    if (status != MLT_OK) {
        answer_failure(a, call->res, status, err);
    } else {
        struct mlt_head head;
        mlt_trail_head(call->api->trail, &head);
        answer(a, call->res, NULL, &head);
    }
    mlt_pool_give_append(a);
    return false;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool done;
    struct mlt_response res;
};

static void wake(void *arg, struct mlt_response *res) {
    struct waiting *w = arg;
    pthread_mutex_lock(&w->lock);
    w->res = *res;
    w->done = true;
    pthread_cond_signal(&w->ready);
    pthread_mutex_unlock(&w->lock);
}

static void start_and_wait(struct mlt_call *call, struct mlt_append *a, enum mlt_status status, struct mlt_error *err) {
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};
    a->done = wake;
    a->done_arg = &w;
    if (start(call, a, status, err)) {
        pthread_mutex_lock(&w.lock);
        while (!w.done) {
            pthread_cond_wait(&w.ready, &w.lock);
        }
        pthread_mutex_unlock(&w.lock);
        mlt_response_clear(call->res);
        *call->res = w.res;
    }
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.ready);
}

void mlt_append_close(struct mlt_appending *b, enum mlt_status status, struct mlt_error *err) {
    struct mlt_call *call = b->call;
    struct mlt_append *a = b->a;
    a->num_records = a->batch.num_drafts;
    mlt_rejected_finish(&b->rejected, call, a, b->spare->builder);
    mlt_pool_give_builder(call->api, b->spare);
    if (!call->done) {
        start_and_wait(call, a, status, err);
        return;
    }
    a->done = call->done;
    a->done_arg = call->done_arg;
    call->started = start(call, a, status, err);
}

struct mlt_totals mlt_append_totals(const struct mlt_append *a, const struct mlt_receipt *receipts) {
    struct mlt_totals t = {.first = UINT64_MAX};
    for (size_t i = 0; i < a->num_records; i++) {
        assert(receipts); // drafts that were appended have them
        if (receipts[i].added == MLT_ADDED_DUPLICATE) {
            t.duplicates++;
            continue;
        }
        t.accepted++;
        t.first = receipts[i].index < t.first ? receipts[i].index : t.first;
        t.last = receipts[i].index > t.last ? receipts[i].index : t.last;
    }
    return t;
}
