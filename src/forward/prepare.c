#include "forward/prepare.h"

#include <stdio.h>

#include "record/problem.h"

#define KEPT_TOKENS_MAX (1u << 16) // one huge record must not pin its tape
#define KEPT_TEXT_MAX ((size_t)1 << 20)

void mlt_preparer_clear(struct mlt_preparer *p) {
    mlt_json_clear(&p->json);
    mlt_arena_clear(&p->scratch);
    mlt_buf_clear(&p->text);
}

static void release_excess(struct mlt_preparer *p) {
    if (p->json.cap > KEPT_TOKENS_MAX || p->json.slots_cap > KEPT_TOKENS_MAX) {
        mlt_json_clear(&p->json);
    }
    if (p->text.cap > KEPT_TEXT_MAX) {
        mlt_buf_clear(&p->text);
    }
}

enum mlt_status mlt_prepare_check(struct mlt_preparer *p, struct mlt_bytes record, struct mlt_problem *problem,
                                  struct mlt_error *err) {
    struct mlt_members members = {.refs = p->refs};
    struct mlt_error why = {0};
    release_excess(p);
    mlt_arena_reset(&p->scratch);
    problem->code[0] = problem->pointer[0] = problem->detail[0] = '\0';
    if (record.len > MLT_RECORD_MAX) {
        return mlt_problem_set(problem, MLT_LIMIT, "record-too-large", "",
                               "a record of %zu bytes; at most %d are taken", record.len, MLT_RECORD_MAX);
    }
    enum mlt_status status = mlt_json_scan(&p->json, record, &why);
    if (status == MLT_INVALID || status == MLT_LIMIT) {
        return mlt_problem_set(problem, status, p->json.error_code, p->json.error_pointer, "%.500s", why.text);
    }
    status = status == MLT_OK ? mlt_record_validate(&members, &p->json, NULL, false, &p->scratch, problem) : status;
    return status == MLT_NOMEM ? mlt_fail(err, MLT_NOMEM, "no memory to check a record") : status;
}

static struct mlt_bytes text_of(struct mlt_preparer *p, const char *name) {
    return mlt_json_string(&p->json, mlt_json_get(&p->json, 0, name), &p->scratch);
}

struct mlt_bytes mlt_prepare_node(struct mlt_preparer *p) {
    return text_of(p, "serving_node");
}

static bool has(const struct mlt_preparer *p, const char *name) {
    return mlt_json_get(&p->json, 0, name) != MLT_JSON_NONE;
}

// Those that the server knows by other members than event_id (docs/FORMAT.md, "Terms and identity").
static bool has_name_of_its_own(enum mlt_kind kind) {
    return kind == MLT_KIND_PREDICTION || kind == MLT_KIND_DATASET_VERSION || kind == MLT_KIND_MODEL_VERSION ||
           kind == MLT_KIND_TRAINING_RUN || kind == MLT_KIND_APPROVAL;
}

static void put_string(struct mlt_buf *out, const char *text) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_string(&w, mlt_str(text));
}

// The closing brace makes way for more members. The object has at least `kind`.
static void number_prediction(struct mlt_preparer *p, struct mlt_spool_item *out, const char *node,
                              const char *stream) {
    p->text.len--;
    if (!has(p, "serving_node")) {
        mlt_buf_put_str(&p->text, ",\"serving_node\":");
        put_string(&p->text, node);
    }
    mlt_buf_put_str(&p->text, ",\"stream\":");
    put_string(&p->text, stream);
    mlt_buf_put_str(&p->text, ",\"sequence\":");
    out->number = MLT_SPOOL_SEQUENCE;
    out->after = mlt_str("}");
}

static void identify(struct mlt_preparer *p, struct mlt_spool_item *out, const char *stream) {
    p->text.len--;
    mlt_buf_printf(&p->text, ",\"event_id\":\"%s-", stream);
    out->number = MLT_SPOOL_FRAME_NUMBER;
    out->after = mlt_str("\"}");
}

enum mlt_status mlt_prepare_item(struct mlt_preparer *p, struct mlt_spool_item *out, const char *node,
                                 const char *stream, struct mlt_error *err) {
    const struct mlt_kind_info *kind = mlt_kind_find(text_of(p, "kind"));
    struct mlt_bytes own_node = mlt_prepare_node(p);
    *out = (struct mlt_spool_item){.type = MLT_FRAME_RECORD};
    mlt_buf_reset(&p->text);
    mlt_json_minify(&p->json, 0, &p->text);
    if (!kind || p->text.failed || p->text.len < 2) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a record");
    }
    if (kind->kind == MLT_KIND_PREDICTION && !has(p, "stream") && !has(p, "sequence") &&
        (!has(p, "serving_node") || mlt_bytes_is(own_node, node))) {
        number_prediction(p, out, node, stream);
    } else if (!has_name_of_its_own(kind->kind) && !has(p, "event_id")) {
        identify(p, out, stream);
    }
    out->before = mlt_buf_bytes(&p->text);
    return p->text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a record") : MLT_OK;
}
