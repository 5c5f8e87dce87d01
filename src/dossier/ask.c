// The questions that can be asked, and the shape of every answer.
#include "dossier/ask.h"

#include <stdarg.h>
#include <stdio.h>

const struct mlt_question mlt_questions[] = {
    {"PRD-01", "Which model version made this prediction on this date?", "request-id,at"},
    {"TRN-02", "What data was this model trained on?", "model,model-version,request-id"},
    {"APR-01", "Who approved this model for production?", "model,model-version,request-id,at"},
};
const size_t mlt_num_questions = sizeof(mlt_questions) / sizeof(mlt_questions[0]);

static const struct {
    void (*find)(struct mlt_answer *a);
    void (*data)(struct mlt_answer *a, struct mlt_dossier_writer *d);
    bool about_request;
} answers[] = {
    {mlt_answer_prediction, mlt_answer_prediction_data, true},
    {mlt_answer_training, mlt_answer_training_data, false},
    {mlt_answer_approval, mlt_answer_approval_data, false},
};
_Static_assert(sizeof(answers) / sizeof(answers[0]) == sizeof(mlt_questions) / sizeof(mlt_questions[0]),
               "every question has its answer");

void mlt_answer_missing(struct mlt_answer *a, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (a->num_missing < MLT_ASK_MISSING_MAX) {
        a->missing[a->num_missing++] = mlt_arena_cstr(a->arena, mlt_str(text));
    }
}

const char *mlt_answer_value(struct mlt_answer *a, const struct mlt_node *node, const char *member) {
    const struct mlt_json *json;
    mlt_json_at at;
    if (!node || !mlt_node_member(node, mlt_str(member), &json, &at) || mlt_json_is(json, at, MLT_JSON_NULL)) {
        return NULL;
    }
    const struct mlt_bytes text =
        mlt_json_is(json, at, MLT_JSON_STRING) ? mlt_json_string(json, at, a->arena) : mlt_json_raw(json, at);
    return mlt_arena_cstr(a->arena, text);
}

void mlt_answer_say(struct mlt_answer *a, const char *before, const struct mlt_node *node, const char *member,
                    const char *after) {
    const char *text = mlt_answer_value(a, node, member);
    mlt_buf_put_str(&a->text, before);
    mlt_buf_put_str(&a->text, text ? text : "(not recorded)");
    mlt_buf_put_str(&a->text, after);
}

bool mlt_answer_is(const struct mlt_answer *a, const struct mlt_node *node, const char *member, struct mlt_bytes text) {
    const char *value = mlt_node_text(node, member, a->arena);
    return value && mlt_bytes_equal(mlt_str(value), text);
}

bool mlt_answer_about(const struct mlt_answer *a, const struct mlt_node *node) {
    return mlt_answer_is(a, node, "model", a->model) && mlt_answer_is(a, node, "model_version", a->version);
}

bool mlt_answer_by_then(const struct mlt_answer *a, const struct mlt_node *node) {
    return !a->ask->has_at || !node->parts[0].entry.has_time || node->parts[0].entry.time <= a->ask->at;
}

const struct mlt_node *mlt_answer_version(const struct mlt_answer *a) {
    for (size_t i = 0; i < a->story->model_versions.num; i++) {
        if (mlt_answer_about(a, a->story->model_versions.nodes[i])) {
            return a->story->model_versions.nodes[i];
        }
    }
    return NULL;
}

// The served prediction's version, named or resolved by the trail: what is answered of it rests on that prediction too,
// and so what was found about it is told.
static void take_version(struct mlt_answer *a) {
    const struct mlt_node *served = a->story ? a->story->served : NULL;
    if (!served) {
        return;
    }
    const struct mlt_resolution *r = mlt_story_resolution(a->story, served);
    mlt_proof_set_add_node(&a->basis, served);
    a->model = r ? r->model : mlt_str(mlt_node_text(served, "model", a->arena));
    a->version = r ? r->model_version : mlt_str(mlt_node_text(served, "model_version", a->arena));
}

static enum mlt_status check_parameters(const struct mlt_ask *ask, bool about_request, struct mlt_error *err) {
    if (about_request && ask->request_id.len == 0) {
        return mlt_fail(err, MLT_INVALID, "this question needs the request_id of the prediction (--request-id)");
    }
    if (ask->model_version.len > 0 && ask->model.len == 0 && ask->request_id.len == 0) {
        return mlt_fail(err, MLT_INVALID, "a model version is unique only within its model: name that too (--model)");
    }
    if (ask->request_id.len == 0 && ask->model.len == 0) {
        return mlt_fail(
            err, MLT_INVALID,
            "this question needs a model (--model) and should have its version (--model-version; without it "
            "the one in production is meant), or the request_id of a prediction that it made (--request-id)");
    }
    return MLT_OK;
}

static enum mlt_status tell_request(struct mlt_answer *a, struct mlt_error *err) {
    const enum mlt_status status = mlt_story_tell(a->src, a->ask->request_id, a->arena, &a->story, err);
    if (status == MLT_NOTFOUND) {
        mlt_buf_printf(&a->text, "No prediction with request_id %.*s is among the %llu entries of the log.",
                       MLT_ARG(a->ask->request_id), (unsigned long long)a->src->size);
        mlt_answer_missing(a, "prediction %.*s", MLT_ARG(a->ask->request_id));
    } else if (!status) {
        take_version(a);
    }
    return status;
}

static enum mlt_status tell_version(struct mlt_answer *a, struct mlt_error *err) {
    uint64_t moved_by = UINT64_MAX;
    a->model = a->ask->model;
    a->version = a->ask->model_version;
    if (a->version.len == 0) {
        const enum mlt_status status = mlt_production_find(a->src, a->model, a->ask->has_at ? &a->ask->at : NULL,
                                                           a->arena, &a->version, &moved_by, err);
        if (status) {
            return status;
        }
        if (a->version.len == 0) {
            mlt_buf_printf(&a->text, "No version of model %.*s is recorded to have been moved to production%s.",
                           MLT_ARG(a->model), a->ask->has_at ? " by then" : "");
            mlt_answer_missing(a, "transition of model %.*s to production", MLT_ARG(a->model));
            return MLT_NOTFOUND;
        }
        mlt_buf_printf(&a->text, "Version %.*s is the one that was last moved to production (entry %llu). ",
                       MLT_ARG(a->version), (unsigned long long)moved_by);
        mlt_proof_set_add(&a->basis, moved_by, (struct mlt_bytes){0});
    }
    const enum mlt_status status = mlt_story_tell_version(a->src, a->model, a->version, a->arena, &a->story, err);
    if (status == MLT_NOTFOUND) {
        mlt_buf_printf(
            &a->text,
            "No registration, approval or transition of model %.*s version %.*s is among the %llu entries of the "
            "log.",
            MLT_ARG(a->model), MLT_ARG(a->version), (unsigned long long)a->src->size);
        mlt_answer_missing(a, "model.version %.*s %.*s", MLT_ARG(a->model), MLT_ARG(a->version));
    }
    return status;
}

// What the answer will be looked up in. A record that is not there is an answer, not an error.
static enum mlt_status tell(struct mlt_answer *a, bool about_request, struct mlt_error *err) {
    enum mlt_status status = check_parameters(a->ask, about_request, err);
    if (status) {
        return status;
    }
    status = about_request || a->ask->model.len == 0 ? tell_request(a, err) : tell_version(a, err);
    if (status == MLT_NOTFOUND) {
        a->story = NULL;
        mlt_error_clear(err);
        return MLT_OK;
    }
    return status;
}

static void put_bytes_or_null(struct mlt_json_writer *w, const char *name, struct mlt_bytes text) {
    mlt_jw_name(w, name);
    if (text.len) {
        mlt_jw_string(w, text);
    } else {
        mlt_jw_null(w);
    }
}

static void put_question(struct mlt_json_writer *w, const struct mlt_question *q, const struct mlt_ask *ask) {
    mlt_jw_name(w, "question");
    mlt_jw_object(w);
    mlt_jw_member(w, "id", q->id);
    mlt_jw_member(w, "text", q->text);
    put_bytes_or_null(w, "request_id", ask->request_id);
    put_bytes_or_null(w, "model", ask->model);
    put_bytes_or_null(w, "model_version", ask->model_version);
    mlt_dossier_put_time(w, "at", ask->has_at, ask->at);
    mlt_jw_end_object(w);
}

static enum mlt_status write_answer(struct mlt_answer *a, struct mlt_dossier_writer *d, const struct mlt_question *q,
                                    const struct mlt_dossier_context *ctx, struct mlt_error *err) {
    struct mlt_json_writer *w = &d->w;
    static const struct mlt_story nothing;
    const size_t which = (size_t)(q - mlt_questions);
    if (a->story) {
        answers[which].find(a);
    }
    mlt_jw_object(w);
    put_question(w, q, a->ask);
    mlt_jw_member_bool(w, "answered", a->answered);
    mlt_jw_member_bytes(w, "answer", mlt_buf_bytes(&a->text));
    mlt_jw_name(w, "data");
    mlt_jw_object(w);
    put_bytes_or_null(w, "model", a->model);
    put_bytes_or_null(w, "model_version", a->version);
    if (a->story) {
        answers[which].data(a, d);
    }
    mlt_jw_end_object(w);
    mlt_jw_name(w, "missing");
    mlt_jw_array(w);
    for (size_t i = 0; i < a->num_missing; i++) {
        mlt_jw_cstr(w, a->missing[i]);
    }
    mlt_jw_end_array(w);
    mlt_proof_set_sort(&a->basis);
    mlt_dossier_put_findings(d, a->story ? a->story : &nothing, &a->basis);
    mlt_proof_set_add_concerned(&a->basis, a->story ? a->story : &nothing, a->src->size);
    mlt_proof_set_sort(&a->basis);
    mlt_jw_name(w, "entries");
    mlt_jw_array(w);
    for (size_t i = 0; i < a->basis.num; i++) {
        mlt_jw_u64(w, a->basis.items[i].index);
    }
    mlt_jw_end_array(w);
    const enum mlt_status status = mlt_dossier_put_integrity(d, a->src, ctx, &a->basis, err);
    if (status) {
        return status;
    }
    mlt_jw_name(w, "generated");
    mlt_jw_object(w);
    mlt_jw_member(w, "build", ctx->build);
    mlt_jw_member(w, "question", q->id);
    mlt_jw_member_u64(w, "tree_size", a->src->size);
    mlt_jw_end_object(w);
    mlt_jw_end_object(w);
    return MLT_OK;
}

static char lower(uint8_t c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool same_letters(const char *a, const char *b) {
    while (*a && lower((uint8_t)*a) == lower((uint8_t)*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

// By its id in any case, or word for word.
static const struct mlt_question *find_question(const char *id) {
    for (size_t i = 0; i < mlt_num_questions; i++) {
        if (same_letters(mlt_questions[i].id, id) || same_letters(mlt_questions[i].text, id)) {
            return &mlt_questions[i];
        }
    }
    return NULL;
}

enum mlt_status mlt_ask_json(const struct mlt_source *src, const struct mlt_dossier_context *ctx, const char *id,
                             const struct mlt_ask *ask, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_answer a = {.src = src, .ask = ask, .arena = &arena, .basis = {.arena = &arena}};
    struct mlt_dossier_writer d = {.arena = &arena};
    const size_t start = out->len;
    const struct mlt_question *q = find_question(id);
    enum mlt_status status;
    if (!q) {
        return mlt_fail(err, MLT_NOTFOUND, "there is no question \"%.100s\"; the first is %s, \"%s\"", id,
                        mlt_questions[0].id, mlt_questions[0].text);
    }
    status = tell(&a, answers[q - mlt_questions].about_request, err);
    if (status) {
        status = mlt_context(err, status, "%s", q->id);
        goto out;
    }
    mlt_jw_init(&d.w, out);
    status = write_answer(&a, &d, q, ctx, err);
    if (!status && (out->failed || a.text.failed)) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the answer");
    }
out:
    if (status && out->len > start) {
        out->len = start;
    }
    mlt_story_clear(a.story);
    mlt_buf_clear(&a.text);
    mlt_arena_clear(&arena);
    return status;
}
