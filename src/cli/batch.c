#include "cli/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dossier/visible.h"

#define BUSY_TRIES 10 // the server is asked again while its queue is full
#define BUSY_WAIT_NS 500000000L

uint64_t mlt_batch_number(const struct mlt_json *json, mlt_json_at at, const char *name) {
    uint64_t out = 0;
    (void)mlt_json_u64(json, mlt_json_get(json, at, name), &out);
    return out;
}

static int post(struct mlt_cli *cli, const struct mlt_call *call, struct mlt_reply *reply) {
    struct mlt_error err = {0};
    for (int i = 0; i < BUSY_TRIES; i++) {
        if (mlt_transport_send(cli->transport, call, reply, &err) != MLT_OK) {
            return mlt_cli_fail_error(cli, &err);
        }
        if (reply->status != 503 && reply->status != 429) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = BUSY_WAIT_NS}, NULL);
    }
    return 0;
}

int mlt_batch_send(struct mlt_cli *cli, struct mlt_bytes lines, const char *query, struct mlt_progress *progress,
                   struct mlt_batch_answer *out) {
    const struct mlt_call call = {
        .method = "POST", .path = "/v1/records", .query = query, .content_type = "application/x-ndjson", .body = lines};
    int code = post(cli, &call, &out->reply);
    // 422 (every line was rejected) is the same document.
    bool understood = code == 0 &&
                      (out->reply.status == 422 || (out->reply.status >= 200 && out->reply.status < 300)) &&
                      mlt_json_scan(&out->json, mlt_buf_bytes(&out->reply.body), NULL) == MLT_OK &&
                      mlt_json_get(&out->json, 0, "problems") != MLT_JSON_NONE;
    if (!understood) {
        mlt_progress_end(progress);
        return code ? code : mlt_cli_explain(cli, &out->reply);
    }
    out->accepted = mlt_batch_number(&out->json, 0, "accepted");
    out->duplicates = mlt_batch_number(&out->json, 0, "duplicates");
    out->rejected = mlt_batch_number(&out->json, 0, "rejected");
    return 0;
}

void mlt_batch_each_problem(const struct mlt_batch_answer *a, mlt_batch_problem *each, void *arg) {
    struct mlt_arena arena = {0};
    const struct mlt_json *json = &a->json;
    mlt_json_at list = mlt_json_get(json, 0, "problems");
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        each(arg, mlt_batch_number(json, n, "line"), mlt_json_string(json, mlt_json_get(json, n, "pointer"), &arena),
             mlt_json_string(json, mlt_json_get(json, n, "detail"), &arena));
    }
    mlt_arena_clear(&arena);
}

void mlt_batch_answer_clear(struct mlt_batch_answer *a) {
    mlt_json_clear(&a->json);
    mlt_reply_clear(&a->reply);
}

void mlt_batch_tell(struct mlt_progress *progress, const char *source, const char *what, uint64_t number,
                    struct mlt_bytes pointer, struct mlt_bytes detail) {
    struct mlt_buf out = {0};
    mlt_progress_end(progress);
    if (source) {
        mlt_visible_put(&out, mlt_str(source), MLT_VISIBLE_PLAIN);
        mlt_buf_put_str(&out, ": ");
    }
    mlt_buf_printf(&out, "%s %" PRIu64 ": ", what, number);
    if (pointer.len > 0) {
        mlt_visible_put(&out, pointer, MLT_VISIBLE_PLAIN);
        mlt_buf_put_str(&out, ": ");
    }
    mlt_visible_put(&out, detail, MLT_VISIBLE_PLAIN);
    mlt_buf_put_u8(&out, '\n');
    (void)fwrite(out.data, 1, out.len, stderr);
    mlt_buf_clear(&out);
}
