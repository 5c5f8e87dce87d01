// POST /api/v1/lineage, /api/v1/lineage/batch: what an OpenLineage client sends, answered as it expects. It sends again
// after 503 and gives up after 4xx.
#include "capture/openlineage.h"
#include "server/intake.h"

static enum mlt_status derive(struct mlt_call *call, const struct mlt_source *src, const struct mlt_foreign *msg,
                              struct mlt_capture *capture, struct mlt_error *err) {
    (void)msg;
    return mlt_openlineage_derive(capture, src, mlt_str(call->req->principal->name), err);
}

static bool is_event_problem(struct mlt_bytes code) {
    return mlt_bytes_is(code, MLT_OPENLINEAGE_BAD_EVENT);
}

// One event: kept, or refused as a whole. That a record which follows from it was not taken (a grant that does not
// cover its kind) is in the trail; the event is there, and sending it again would change nothing.
static void answer_event(const struct mlt_intake_outcome *o, struct mlt_response *res) {
    if (o->accepted + o->duplicates == 0 && o->problem) {
        bool bad_event = is_event_problem(mlt_str(o->problem->code));
        mlt_answer_problem(res, bad_event ? 422 : 400, o->problem->code, o->problem->pointer, "%s", o->problem->detail);
        return;
    }
    struct mlt_json_writer w;
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "status", "success");
    mlt_jw_member_u64(&w, "records", o->accepted);
    mlt_jw_member_u64(&w, "duplicates", o->duplicates);
    mlt_jw_member_u64(&w, "tree_size", o->head->size);
    mlt_jw_end_object(&w);
    res->content_type = MLT_TYPE_JSON;
    res->status = 200;
}

static void put_failed_event(struct mlt_json_writer *w, const struct mlt_json *problems, mlt_json_at at, uint64_t line,
                             struct mlt_arena *arena) {
    struct mlt_bytes detail = mlt_json_string(problems, mlt_json_get(problems, at, "detail"), arena);
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "index", line - 1);
    mlt_jw_member_bytes(w, "reason", detail);
    mlt_jw_member_bool(w, "retriable", false);
    mlt_jw_end_object(w);
}

// The events that were refused, and how many: problems of other codes are of records, not of events; those of so many
// that they are not listed any more are of events.
static uint64_t put_failed_events(struct mlt_json_writer *w, struct mlt_bytes text, uint64_t num_rejected) {
    struct mlt_json problems = {0};
    struct mlt_arena arena = {0};
    uint64_t num = 0, line;
    mlt_jw_array(w);
    if (mlt_json_scan(&problems, text, NULL) == MLT_OK) {
        num = num_rejected > problems.tape[0].count ? num_rejected - problems.tape[0].count : 0;
        for (mlt_json_at n = mlt_json_first(&problems, 0); n != MLT_JSON_NONE; n = mlt_json_next(&problems, 0, n)) {
            if (is_event_problem(mlt_json_string(&problems, mlt_json_get(&problems, n, "code"), &arena)) &&
                mlt_json_u64(&problems, mlt_json_get(&problems, n, "line"), &line) && line > 0) {
                put_failed_event(w, &problems, n, line, &arena);
                num++;
            }
        }
    }
    mlt_jw_end_array(w);
    mlt_json_clear(&problems);
    mlt_arena_clear(&arena);
    return num;
}

static void put_summary(struct mlt_json_writer *w, uint64_t received, uint64_t failed) {
    mlt_jw_name(w, "summary");
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "received", received);
    mlt_jw_member_u64(w, "successful", received - failed);
    mlt_jw_member_u64(w, "failed", failed);
    mlt_jw_member_u64(w, "retriable", 0);
    mlt_jw_member_u64(w, "non_retriable", failed);
    mlt_jw_end_object(w);
}

static void answer_batch(const struct mlt_intake_outcome *o, struct mlt_response *res) {
    if (o->items == 0 && o->problem) {
        mlt_answer_problem(res, 400, o->problem->code, o->problem->pointer, "%s", o->problem->detail);
        return;
    }
    struct mlt_buf failed_events = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &failed_events);
    uint64_t failed = put_failed_events(&w, o->problems, o->rejected);
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "status", failed > 0 ? "partial_success" : "success");
    put_summary(&w, o->items, failed < o->items ? failed : o->items);
    mlt_jw_member_raw(&w, "failed_events", mlt_buf_bytes(&failed_events));
    mlt_jw_end_object(&w);
    res->body.failed = res->body.failed || failed_events.failed;
    mlt_buf_clear(&failed_events);
    res->content_type = MLT_TYPE_JSON;
    res->status = 200;
}

void mlt_handle_openlineage(struct mlt_call *call) {
    static const struct mlt_intake intake = {
        .format = MLT_OPENLINEAGE, .translate = mlt_openlineage_event, .derive = derive, .answer = answer_event};
    mlt_intake_handle(call, &intake);
}

void mlt_handle_openlineage_batch(struct mlt_call *call) {
    static const struct mlt_intake intake = {
        .format = MLT_OPENLINEAGE, .translate = mlt_openlineage_batch, .derive = derive, .answer = answer_batch};
    mlt_intake_handle(call, &intake);
}
