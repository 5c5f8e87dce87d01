// POST /v1/traces and /v1/logs: OTLP over HTTP. The answer is an Export…ServiceResponse in the encoding of the request;
// what was not taken stands in its partial success, and a message that cannot be read at all is answered with a Status.
#include <stdio.h>
#include <string.h>

#include "capture/otlp.h"
#include "capture/protobuf.h"
#include "server/intake.h"

#define STATUS_INVALID_ARGUMENT 3 // of google.rpc.Code

static void answer_unreadable(const struct mlt_intake_outcome *o, struct mlt_response *res, bool protobuf) {
    res->status = 400;
    if (protobuf) {
        mlt_pb_put_varint(&res->body, 1, STATUS_INVALID_ARGUMENT);
        mlt_pb_put_bytes(&res->body, 2, mlt_str(o->problem->detail));
        return;
    }
    struct mlt_json_writer w;
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "code", STATUS_INVALID_ARGUMENT);
    mlt_jw_member(&w, "message", o->problem->detail);
    mlt_jw_end_object(&w);
}

// What the sender may want to know: what was rejected and why, and what is none of our business.
static void describe(char *out, size_t cap, const struct mlt_intake_outcome *o, const char *things) {
    size_t used = 0;
    out[0] = '\0';
    if (o->problem) {
        used = (size_t)snprintf(out, cap, "the first of %llu rejected: %.300s (%s at \"%.100s\")",
                                (unsigned long long)o->rejected, o->problem->detail, o->problem->code,
                                o->problem->pointer);
    }
    if (o->ignored > 0 && used < cap) {
        (void)snprintf(out + used, cap - used,
                       "%s%llu %s are no calls to a model (gen_ai.request.model) and are not kept", used ? "; " : "",
                       (unsigned long long)o->ignored, things);
    }
}

static void put_partial_protobuf(struct mlt_response *res, uint64_t rejected, const char *message) {
    struct mlt_buf partial = {0};
    if (rejected > 0) {
        mlt_pb_put_varint(&partial, 1, rejected);
    }
    mlt_pb_put_bytes(&partial, 2, mlt_str(message));
    mlt_pb_put_bytes(&res->body, 1, mlt_buf_bytes(&partial));
    res->body.failed = res->body.failed || partial.failed;
    mlt_buf_clear(&partial);
}

static void put_partial_json(struct mlt_json_writer *w, const char *count_name, uint64_t rejected,
                             const char *message) {
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)rejected);
    mlt_jw_name(w, "partialSuccess");
    mlt_jw_object(w);
    mlt_jw_member(w, count_name, digits); // 64-bit numbers are strings in this encoding
    mlt_jw_member(w, "errorMessage", message);
    mlt_jw_end_object(w);
}

static void answer(const struct mlt_intake_outcome *o, struct mlt_response *res, const char *things,
                   const char *count_name) {
    bool protobuf = mlt_otlp_is_protobuf(o->content_type);
    char message[512];
    struct mlt_json_writer w;
    res->status = 200;
    res->content_type = protobuf ? MLT_OTLP_PROTOBUF : MLT_TYPE_JSON;
    if (o->problem && (strcmp(o->problem->code, "not-protobuf") == 0 || strcmp(o->problem->code, "not-json") == 0)) {
        answer_unreadable(o, res, protobuf);
        return;
    }
    describe(message, sizeof message, o, things);
    if (protobuf) {
        if (message[0]) {
            put_partial_protobuf(res, o->rejected, message);
        }
        return;
    }
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    if (message[0]) {
        put_partial_json(&w, count_name, o->rejected, message);
    }
    mlt_jw_end_object(&w);
}

static void answer_traces(const struct mlt_intake_outcome *o, struct mlt_response *res) {
    answer(o, res, "spans", "rejectedSpans");
}

static void answer_logs(const struct mlt_intake_outcome *o, struct mlt_response *res) {
    answer(o, res, "log records", "rejectedLogRecords");
}

static const struct mlt_intake TRACES = {
    .format = "otlp-traces", .translate = mlt_capture_otlp_traces, .answer = answer_traces};
static const struct mlt_intake LOGS = {
    .format = "otlp-logs", .translate = mlt_capture_otlp_logs, .answer = answer_logs};

static void handle(struct mlt_call *call, const struct mlt_intake *how) {
    const char *type = call->req->content_type;
    size_t len = strlen(MLT_TYPE_JSON);
    bool json = strncmp(type, MLT_TYPE_JSON, len) == 0 && (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
    if (!json && !mlt_otlp_is_protobuf(type)) {
        mlt_answer_problem(call->res, 415, "unsupported-media-type", NULL,
                           "Content-Type is \"%.100s\"; OTLP comes as application/x-protobuf or application/json",
                           type);
        return;
    }
    mlt_intake_handle(call, how);
}

void mlt_handle_otlp_traces(struct mlt_call *call) {
    handle(call, &TRACES);
}

void mlt_handle_otlp_logs(struct mlt_call *call) {
    handle(call, &LOGS);
}
