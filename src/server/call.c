// What handlers ask of their request, and how they answer.
#include "server/api_state.h"

struct mlt_bytes mlt_call_text(const struct mlt_call *call, const char *name) {
    const struct mlt_query_param *p = mlt_query_find(&call->query, name);
    return p ? p->value : mlt_bytes_of(NULL, 0);
}

bool mlt_call_has(const struct mlt_call *call, const char *name) {
    return mlt_query_find(&call->query, name) != NULL;
}

uint64_t mlt_call_count(const struct mlt_call *call, const char *name, uint64_t absent) {
    uint64_t value;
    const struct mlt_query_param *p = mlt_query_find(&call->query, name);
    return p && mlt_decimal_decode(&value, p->value) ? value : absent;
}

bool mlt_call_time(const struct mlt_call *call, const char *name, int64_t *out) {
    const struct mlt_query_param *p = mlt_query_find(&call->query, name);
    char text[64];
    if (!p || p->value.len >= sizeof text || p->value.len < 10) {
        return false;
    }
    memcpy(text, p->value.ptr, p->value.len);
    if (text[p->value.len - 6] == ' ') {
        text[p->value.len - 6] = '+'; // form encoding made the zone's plus a space
    }
    return mlt_date_parse(out, mlt_bytes_of(text, p->value.len));
}

bool mlt_call_is(const struct mlt_call *call, const char *name, const char *value) {
    return mlt_bytes_is(mlt_call_text(call, name), value);
}

void mlt_call_fail(struct mlt_call *call, enum mlt_status status, const struct mlt_error *err) {
    mlt_answer_status(call->res, status, err);
}

bool mlt_call_source(struct mlt_call *call) {
    struct mlt_head head;
    struct mlt_error err = {0};
    mlt_trail_head(call->api->trail, &head);
    uint64_t size = mlt_call_count(call, "at_size", head.size);
    if (size > head.size) {
        mlt_answer_problem(call->res, 400, "bad-parameter", NULL,
                           "\"at_size\" is %llu, but the trail has %llu entries; take at most that",
                           (unsigned long long)size, (unsigned long long)head.size);
        return false;
    }
    bool payloads = call->req->principal && call->req->principal->grant.payloads;
    enum mlt_status status = mlt_index_source(call->api->index, size, payloads, &call->source, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return false;
    }
    call->has_source = true;
    return true;
}

bool mlt_call_record(struct mlt_call *call, const struct mlt_read *read) {
    if (call->api->read_only) {
        return true; // a copy on a read-only medium has nowhere to record: docs/THREATS.md says so
    }
    struct mlt_error err = {0};
    enum mlt_status status = mlt_audit_read(call->api, call->req, read, &err);
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return false;
    }
    return true;
}

bool mlt_call_answer_json(struct mlt_call *call) {
    if (call->res->body.failed) {
        struct mlt_error err = {0};
        mlt_call_fail(call, mlt_fail(&err, MLT_NOMEM, "no memory for the answer"), &err);
        return false;
    }
    call->res->status = call->route->success;
    call->res->content_type = call->route->media;
    return true;
}
