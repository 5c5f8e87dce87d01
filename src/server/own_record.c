// Records that the server writes itself: who is looked up under "mltrail".
#include "server/api_state.h"

static const struct mlt_producer server_itself = {.principal = "mltrail", .assurance = "local"};

void mlt_own_begin(struct mlt_json_writer *w, struct mlt_buf *out, struct mlt_api *api, const char *kind) {
    char now[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(now, api->env->now(api->env));
    mlt_buf_reset(out);
    mlt_jw_init(w, out);
    mlt_jw_object(w);
    mlt_jw_member(w, "kind", kind);
    mlt_jw_member(w, "timestamp", now);
}

enum mlt_status mlt_own_add(struct mlt_api *api, struct mlt_batch *batch, struct mlt_builder *builder,
                            struct mlt_bytes record, struct mlt_error *err) {
    (void)api;
    struct mlt_problem problem;
    enum mlt_status status = mlt_builder_add_own(builder, batch, &server_itself, record, &problem, err);
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        return mlt_fail(err, MLT_INTERNAL, "a record of our own was rejected: %s (%s) at \"%s\"", problem.detail,
                        problem.code, problem.pointer);
    }
    return status;
}

static enum mlt_status append(struct mlt_api *api, struct mlt_bytes record, uint64_t *index, struct mlt_error *err) {
    struct mlt_spare_builder *b;
    struct mlt_append *a = mlt_pool_take_append(api);
    if (!a) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a record of our own");
    }
    enum mlt_status status = mlt_pool_take_builder(api, &b, err);
    if (status == MLT_OK) {
        status = mlt_own_add(api, &a->batch, b->builder, record, err);
        mlt_pool_give_builder(api, b);
    }
    if (status == MLT_OK) {
        struct mlt_receipt receipt;
        struct mlt_head head;
        status = mlt_trail_append_wait(api->trail, &a->batch, true, &receipt, &head, err);
        if (status == MLT_OK && index) {
            *index = receipt.index;
        }
    }
    mlt_pool_give_append(a);
    return status;
}

enum mlt_status mlt_own_end(struct mlt_json_writer *w, struct mlt_buf *text, struct mlt_api *api, uint64_t *index,
                            struct mlt_error *err) {
    mlt_jw_end_object(w);
    enum mlt_status status = text->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a record of our own")
                                          : append(api, mlt_buf_bytes(text), index, err);
    mlt_buf_clear(text);
    return status;
}

enum mlt_status mlt_own_event(struct mlt_api *api, const char *event, struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, api, "control");
    mlt_jw_member(&w, "control", event);
    mlt_jw_member(&w, "value", MLT_BUILD);
    return mlt_own_end(&w, &text, api, NULL, err);
}
