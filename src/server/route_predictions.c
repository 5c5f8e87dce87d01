// Predictions by request_id, and their dossier.
#include <stdio.h>

#include "dossier/dossier.h"
#include "lineage/lineage.h"
#include "server/api_state.h"
#include "server/grant.h"
#include "server/witnessing.h"

// A dossier shows every kind on the way: a grant that leaves one out does not cover it.
static bool may_see_chain(struct mlt_call *call) {
    static const char *const chain[] = {"prediction", "model.version", "training.run", "dataset.version",
                                        "approval",   "transition",    "access"};
    for (size_t i = 0; i < sizeof chain / sizeof chain[0]; i++) {
        if (!mlt_grant_covers_kind(&call->req->principal->grant, mlt_str(chain[i]))) {
            char missing[64];
            (void)snprintf(missing, sizeof missing, "kind \"%s\", which a dossier shows", chain[i]);
            mlt_call_refuse(call, missing);
            return false;
        }
    }
    return true;
}

// What a path names: the predictions under one term, of one row where it says so.
struct asked {
    struct mlt_term terms[2];
    bool has_row;
    uint64_t row;
    uint64_t entries[MLT_AUDIT_ENTRIES_MAX]; // the first of them
    size_t num;
};

static enum mlt_status find_under(struct mlt_call *call, struct asked *a, enum mlt_dim dim,
                                  const struct mlt_bytes *values, size_t num_values, struct mlt_error *err) {
    const struct mlt_source *src = &call->source;
    const struct mlt_bytes kind = mlt_str("prediction");
    bool more;
    mlt_term_make(&a->terms[0], src->index_key, dim, values, num_values);
    mlt_term_make(&a->terms[1], src->index_key, MLT_DIM_KIND, &kind, 1);
    return src->find(src->ctx, a->terms, 2, 0, false, MLT_AUDIT_ENTRIES_MAX, a->entries, &a->num, NULL, &more, err);
}

// By its request_id, else by the id that pairs its halves.
static enum mlt_status find_named(struct mlt_call *call, struct asked *a, struct mlt_bytes id, struct mlt_error *err) {
    const struct mlt_bytes pair[] = {mlt_str("prediction"), id};
    const enum mlt_status status = find_under(call, a, MLT_DIM_REQUEST, &id, 1, err);
    return status == MLT_OK && a->num == 0 ? find_under(call, a, MLT_DIM_EVENT, pair, 2, err) : status;
}

// As the lineage walk understands it (lineage.h, mlt_story_tell).
static enum mlt_status find_asked(struct mlt_call *call, struct asked *a, struct mlt_error *err) {
    const struct mlt_bytes text = call->path.segments[0];
    struct mlt_bytes id;
    *a = (struct asked){0};
    enum mlt_status status = find_named(call, a, text, err);
    if (status == MLT_OK && a->num == 0 && mlt_request_row(text, &id, &a->row)) {
        a->has_row = true;
        status = find_named(call, a, id, err);
    }
    return status;
}

// Whether any of the request's predictions is of the row that is asked for.
static enum mlt_status find_row(struct mlt_call *call, const struct asked *a, bool *found, struct mlt_error *err) {
    uint64_t page[MLT_AUDIT_ENTRIES_MAX], from = 0;
    const struct mlt_source *src = &call->source;
    enum mlt_status status = MLT_OK;
    *found = !a->has_row;
    for (bool more = true; status == MLT_OK && !*found && more;) {
        size_t num = 0;
        status = src->find(src->ctx, a->terms, 2, from, false, MLT_AUDIT_ENTRIES_MAX, page, &num, NULL, &more, err);
        for (size_t i = 0; status == MLT_OK && !*found && i < num; i++) {
            struct mlt_arena arena = {0};
            struct mlt_entry e = {0};
            struct mlt_bytes bytes;
            status = src->entry(src->ctx, page[i], &arena, &bytes, err);
            status = status ? status : mlt_entry_parse(&e, &arena, bytes, err);
            *found = status == MLT_OK && mlt_entry_in_row(&e, a->row);
            mlt_entry_clear(&e);
            mlt_arena_clear(&arena);
            from = page[i] + 1;
        }
    }
    return status;
}

static void no_prediction(struct mlt_call *call) {
    mlt_answer_problem(call->res, 404, "not-found", NULL, "no prediction has this request_id in the first %llu entries",
                       (unsigned long long)call->source.size);
}

// The answer's resource is the request, so that who looked at a row is found by the request too.
static struct mlt_bytes resource_of(const struct mlt_call *call, const struct asked *a) {
    struct mlt_bytes id = call->path.segments[0];
    uint64_t row;
    if (a->has_row) {
        (void)mlt_request_row(call->path.segments[0], &id, &row);
    }
    return id;
}

void mlt_handle_predictions(struct mlt_call *call) {
    struct asked a;
    struct mlt_error err = {0};
    if (!mlt_call_source(call)) {
        return;
    }
    bool has_row = false;
    enum mlt_status status = find_asked(call, &a, &err);
    status = status == MLT_OK ? find_row(call, &a, &has_row, &err) : status;
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    if (a.num == 0 || !has_row) {
        no_prediction(call);
        return;
    }
    struct mlt_item_filter f = {.has_row = a.has_row, .row = a.row};
    struct mlt_read read = {.action = "read", .resource_type = "prediction_log", .resource_id = resource_of(call, &a)};
    mlt_answer_page(call, a.terms, 2, &f, &read);
}

// One entry against the patterns of the grant. `*pair`: of a half, what pairs it with the other one.
static enum mlt_status check_entry(struct mlt_call *call, uint64_t index, bool *ok, char why[static 256],
                                   struct mlt_bytes *pair, struct mlt_error *err) {
    struct mlt_entry e = {0};
    struct mlt_bytes bytes;
    *pair = (struct mlt_bytes){0};
    enum mlt_status status = call->source.entry(call->source.ctx, index, &call->arena, &bytes, err);
    status = status ? status : mlt_entry_parse(&e, &call->arena, bytes, err);
    if (status == MLT_OK) {
        const struct mlt_json *json = &e.json;
        *ok = mlt_grant_covers_facts(&call->req->principal->grant, e.kind_name, json, e.facts, why);
        const mlt_json_at id = mlt_json_get(json, e.facts, "event_id");
        if (mlt_json_get(json, e.facts, "half") != MLT_JSON_NONE) {
            *pair = mlt_arena_copy(&call->arena,
                                   mlt_json_string(json,
                                                   id != MLT_JSON_NONE ? id : mlt_json_get(json, e.facts, "request_id"),
                                                   &call->arena));
        }
    }
    mlt_entry_clear(&e);
    return status;
}

// The other halves are shown too, and may be under another name.
static enum mlt_status check_halves(struct mlt_call *call, struct mlt_bytes pair, bool *ok, char why[static 256],
                                    struct mlt_error *err) {
    const struct mlt_bytes event[] = {mlt_str("prediction"), pair};
    enum mlt_status status = MLT_OK;
    for (int by_event = 0; status == MLT_OK && *ok && by_event < 2; by_event++) {
        struct asked other = {0};
        struct mlt_bytes ignored;
        status = by_event ? find_under(call, &other, MLT_DIM_EVENT, event, 2, err)
                          : find_under(call, &other, MLT_DIM_REQUEST, &pair, 1, err);
        for (size_t i = 0; status == MLT_OK && *ok && i < other.num; i++) {
            status = check_entry(call, other.entries[i], ok, why, &ignored, err);
        }
    }
    return status;
}

// Grants for models are checked on what was predicted with.
static bool models_covered(struct mlt_call *call, const uint64_t *entries, size_t num, struct mlt_error *err) {
    struct mlt_bytes done = {0};
    enum mlt_status status = MLT_OK;
    bool ok = true;
    char why[256];
    for (size_t i = 0; i < num && ok && status == MLT_OK && mlt_grant_has_patterns(&call->req->principal->grant); i++) {
        struct mlt_bytes pair;
        status = check_entry(call, entries[i], &ok, why, &pair, err);
        if (status == MLT_OK && ok && pair.len > 0 && !mlt_bytes_equal(pair, done)) {
            status = check_halves(call, pair, &ok, why, err);
            done = pair;
        }
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, err);
    } else if (!ok) {
        mlt_call_refuse(call, why);
    }
    return ok && status == MLT_OK;
}

static enum mlt_status make_dossier(struct mlt_call *call, struct mlt_bytes request_id, struct mlt_shown *shown,
                                    struct mlt_error *err) {
    struct mlt_head head;
    struct mlt_buf json = {0};
    struct mlt_buf *out = &call->res->body;
    enum mlt_status status = mlt_trail_sign_at(call->api->trail, call->source.size, &head, err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_dossier_context ctx = {.build = MLT_BUILD,
                                      .vkey = mlt_trail_vkey(call->api->trail),
                                      .checkpoint = mlt_bytes_of(head.note, head.note_len),
                                      .assurance = mlt_witnessing_assurance(call)};
    bool text = mlt_call_is(call, "format", "text");
    bool html = mlt_call_is(call, "format", "html");
    status = mlt_dossier_json(&call->source, &ctx, request_id, &json, err);
    status = status ? status : mlt_shown_by(shown, mlt_buf_bytes(&json), err);
    if (status == MLT_OK && text) {
        status = mlt_dossier_text(mlt_buf_bytes(&json), false, 0, out, err);
    } else if (status == MLT_OK && html) {
        status = mlt_dossier_html(mlt_buf_bytes(&json), out, err);
    } else if (status == MLT_OK) {
        mlt_buf_put_bytes(out, mlt_buf_bytes(&json));
    }
    mlt_buf_clear(&json);
    return status;
}

// The dossier is made as of a size before the record that it was read.
void mlt_handle_dossier(struct mlt_call *call) {
    if (!may_see_chain(call) || !mlt_call_source(call)) {
        return;
    }
    struct mlt_bytes request_id = call->path.segments[0];
    struct asked a;
    struct mlt_shown shown = {0};
    struct mlt_error err = {0};
    enum mlt_status status = find_asked(call, &a, &err);
    if (status == MLT_OK && a.num == 0) {
        no_prediction(call);
        return;
    }
    if (status == MLT_OK && !models_covered(call, a.entries, a.num, &err)) {
        return;
    }
    if (status == MLT_OK && mlt_call_is(call, "format", "bundle")) {
        mlt_answer_bundle(call, request_id);
        return;
    }
    if (status == MLT_OK) {
        status = make_dossier(call, request_id, &shown, &err);
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
        return;
    }
    if (!mlt_call_answer_json(call)) {
        return;
    }
    call->res->content_type = mlt_call_is(call, "format", "text")   ? MLT_TYPE_TEXT
                              : mlt_call_is(call, "format", "html") ? MLT_TYPE_HTML
                                                                    : MLT_TYPE_JSON;
    struct mlt_read read = {.action = "read",
                            .resource_type = "prediction_log",
                            .resource_id = resource_of(call, &a),
                            .entries = shown.entries,
                            .num_entries = shown.num_entries,
                            .count = shown.count};
    mlt_call_record(call, &read);
}
