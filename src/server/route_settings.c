// Settings that answers depend on: each change is a control record, in force from its entry on (promise P7).
#include "server/api_state.h"

#define SETTING_VALUE_MAX 8192 // it stays within the entry

static bool strings_check(const struct mlt_json *json, mlt_json_at at) {
    if (!mlt_json_is(json, at, MLT_JSON_ARRAY) || mlt_json_first(json, at) == MLT_JSON_NONE) {
        return false;
    }
    for (mlt_json_at e = mlt_json_first(json, at); e != MLT_JSON_NONE; e = mlt_json_next(json, at, e)) {
        if (!mlt_json_is(json, e, MLT_JSON_STRING)) {
            return false;
        }
    }
    return true;
}

static const struct setting {
    const char *name;
    bool (*check)(const struct mlt_json *json, mlt_json_at at);
    const char *right;   // what would be right
    const char *initial; // JSON, until somebody sets it
} settings[] = {
    {"production_stages", strings_check, "an array of at least one stage or @alias, as [\"production\",\"@champion\"]",
     "[\"production\",\"Production\",\"prod\",\"@champion\",\"champion\"]"},
};
#define NUM_SETTINGS (sizeof settings / sizeof settings[0])

// The newest control record for a setting; `*entry` is UINT64_MAX when there is none.
static enum mlt_status find_setting(struct mlt_call *call, const char *name, uint64_t *entry, struct mlt_error *err) {
    struct mlt_term term;
    struct mlt_bytes value = mlt_str(name);
    size_t num = 0;
    bool more;
    const struct mlt_source *src = &call->source;
    mlt_term_make(&term, src->index_key, MLT_DIM_SETTING, &value, 1);
    *entry = UINT64_MAX;
    return src->find(src->ctx, &term, 1, UINT64_MAX, true, 1, entry, &num, NULL, &more, err);
}

static void put_member(struct mlt_json_writer *w, const struct mlt_entry *e, const char *name) {
    mlt_json_at at = mlt_json_get(&e->json, e->facts, name);
    if (at == MLT_JSON_NONE) {
        mlt_jw_member(w, name, NULL);
    } else {
        mlt_jw_member_raw(w, name, mlt_json_raw(&e->json, at));
    }
}

static enum mlt_status write_setting(struct mlt_call *call, struct mlt_json_writer *w, const struct setting *s,
                                     uint64_t *entry, struct mlt_error *err) {
    struct mlt_entry e = {0};
    struct mlt_bytes bytes;
    enum mlt_status status = find_setting(call, s->name, entry, err);
    bool is_set = status == MLT_OK && *entry != UINT64_MAX;
    if (is_set) {
        status = call->source.entry(call->source.ctx, *entry, &call->arena, &bytes, err);
    }
    if (is_set && status == MLT_OK) {
        status = mlt_entry_parse(&e, &call->arena, bytes, err);
    }
    if (status == MLT_OK) {
        mlt_jw_object(w);
        mlt_jw_member(w, "name", s->name);
        if (is_set) {
            put_member(w, &e, "value");
            mlt_jw_member_u64(w, "entry", *entry);
            put_member(w, &e, "set_by");
            put_member(w, &e, "reason");
            put_member(w, &e, "timestamp");
        } else {
            mlt_jw_member_raw(w, "value", mlt_str(s->initial));
            mlt_jw_member(w, "entry", NULL);
        }
        mlt_jw_end_object(w);
    }
    mlt_entry_clear(&e);
    return status;
}

void mlt_handle_settings(struct mlt_call *call) {
    if (!mlt_call_source(call)) {
        return;
    }
    uint64_t entries[NUM_SETTINGS];
    size_t num = 0;
    struct mlt_error err = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &call->res->body);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "items");
    mlt_jw_array(&w);
    for (size_t i = 0; i < NUM_SETTINGS; i++) {
        enum mlt_status status = write_setting(call, &w, &settings[i], &entries[num], &err);
        if (status != MLT_OK) {
            mlt_call_fail(call, status, &err);
            return;
        }
        num += entries[num] != UINT64_MAX;
    }
    mlt_jw_end_array(&w);
    mlt_jw_member_u64(&w, "tree_size", call->source.size);
    mlt_jw_end_object(&w);
    if (mlt_call_answer_json(call)) {
        struct mlt_read read = {.action = "read",
                                .resource_type = "config",
                                .resource_id = mlt_str("settings"),
                                .entries = entries,
                                .num_entries = num,
                                .count = num};
        mlt_call_record(call, &read);
    }
}

static const struct setting *known(struct mlt_bytes name) {
    for (size_t i = 0; i < NUM_SETTINGS; i++) {
        if (mlt_bytes_is(name, settings[i].name)) {
            return &settings[i];
        }
    }
    return NULL;
}

// Checks the body; NULL: answered.
static const struct setting *check_body(struct mlt_call *call, const struct mlt_json *json) {
    struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, 0, "name"), &call->arena);
    mlt_json_at value = mlt_json_get(json, 0, "value");
    const struct setting *s = known(name);
    if (!s) {
        mlt_answer_problem(call->res, 422, "unknown-setting", "/name", "there is no such setting; there is \"%s\"",
                           settings[0].name);
        return NULL;
    }
    if (!s->check(json, value) || mlt_json_raw(json, value).len > SETTING_VALUE_MAX) {
        mlt_answer_problem(call->res, 422, "wrong-type", "/value", "\"%s\" must be %s, of at most %d bytes", s->name,
                           s->right, SETTING_VALUE_MAX);
        return NULL;
    }
    mlt_json_at reason = mlt_json_get(json, 0, "reason");
    if (!mlt_json_is(json, reason, MLT_JSON_STRING) || mlt_json_string(json, reason, &call->arena).len == 0) {
        mlt_answer_problem(call->res, 422, "missing-member", "/reason", "say in \"reason\" why the setting changes");
        return NULL;
    }
    return s;
}

static void set(struct mlt_call *call, const struct mlt_json *json) {
    const struct setting *s = check_body(call, json);
    if (!s) {
        return;
    }
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    struct mlt_error err = {0};
    mlt_own_begin(&w, &text, call->api, "control");
    mlt_jw_member(&w, "control", "setting");
    mlt_jw_member(&w, "name", s->name);
    mlt_jw_member_raw(&w, "value", mlt_json_raw(json, mlt_json_get(json, 0, "value")));
    mlt_jw_member_raw(&w, "reason", mlt_json_raw(json, mlt_json_get(json, 0, "reason")));
    mlt_jw_member(&w, "set_by", call->req->principal->name);
    mlt_jw_end_object(&w);
    enum mlt_status status = text.failed ? mlt_fail(&err, MLT_NOMEM, "no memory for a setting")
                                         : mlt_own_append(call->api, mlt_buf_bytes(&text), &err);
    mlt_buf_clear(&text);
    uint64_t entry = UINT64_MAX;
    if (status == MLT_OK && mlt_call_source(call)) {
        mlt_jw_init(&w, &call->res->body);
        status = write_setting(call, &w, s, &entry, &err);
        mlt_call_answer_json(call);
    }
    if (status != MLT_OK) {
        mlt_call_fail(call, status, &err);
    }
}

void mlt_handle_set(struct mlt_call *call) {
    if (strncmp(call->req->content_type, MLT_TYPE_JSON, strlen(MLT_TYPE_JSON)) != 0) {
        mlt_answer_problem(call->res, 415, "unsupported-media-type", NULL, "send application/json");
        return;
    }
    if (call->api->read_only) {
        mlt_answer_problem(call->res, 409, "read-only", NULL, "the trail is open for reading only");
        return;
    }
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_json_scan(&json, call->req->body, &err);
    if (status != MLT_OK || !mlt_json_is(&json, 0, MLT_JSON_OBJECT)) {
        mlt_answer_problem(call->res, 422, "not-json", json.error_pointer, "%s",
                           status != MLT_OK ? err.text : "send one object {\"name\":…,\"value\":…,\"reason\":…}");
    } else {
        set(call, &json);
    }
    mlt_json_clear(&json);
}
