// Settings that answers depend on: each change is a control record, in force from its entry on (promise P7).
#include "note/allowed_signers.h"
#include "server/api_state.h"

#define STAGES_MAX 8192 // bytes of JSON: nobody has hundreds of stages

// The checks of a value. The text of the error, where there is one, says what is wrong with it in particular.
typedef enum mlt_status setting_check(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena,
                                      struct mlt_error *err);

static enum mlt_status check_strings(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena,
                                     struct mlt_error *err) {
    (void)arena;
    (void)err;
    if (!mlt_json_is(json, at, MLT_JSON_ARRAY) || mlt_json_first(json, at) == MLT_JSON_NONE) {
        return MLT_INVALID;
    }
    for (mlt_json_at e = mlt_json_first(json, at); e != MLT_JSON_NONE; e = mlt_json_next(json, at, e)) {
        if (!mlt_json_is(json, e, MLT_JSON_STRING)) {
            return MLT_INVALID;
        }
    }
    return MLT_OK;
}

static enum mlt_status check_signers(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena,
                                     struct mlt_error *err) {
    struct mlt_allowed_signers signers;
    if (!mlt_json_is(json, at, MLT_JSON_STRING)) {
        return MLT_INVALID;
    }
    return mlt_allowed_signers_read(&signers, mlt_json_string(json, at, arena), arena, err);
}

static const struct setting {
    const char *name;
    setting_check *check;
    size_t max;          // bytes of JSON
    const char *right;   // what would be right
    const char *initial; // JSON, until somebody sets it
} settings[] = {
    {"production_stages", check_strings, STAGES_MAX,
     "an array of at least one stage or @alias, as [\"production\",\"@champion\"]",
     "[\"production\",\"Production\",\"prod\",\"@champion\",\"champion\"]"},
    {"allowed_signers", check_signers, MLT_ALLOWED_SIGNERS_TEXT_MAX,
     "a string, the text of an allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS)", "null"},
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

static void put_member(struct mlt_json_writer *w, const struct mlt_json *facts, const char *name) {
    mlt_json_at at = mlt_json_get(facts, 0, name);
    if (at == MLT_JSON_NONE) {
        mlt_jw_member(w, name, NULL);
    } else {
        mlt_jw_member_raw(w, name, mlt_json_raw(facts, at));
    }
}

// The facts of a setting's entry: a long value lies beside it.
static enum mlt_status read_facts(struct mlt_call *call, uint64_t index, struct mlt_json *facts,
                                  struct mlt_error *err) {
    const struct mlt_source *src = &call->source;
    const struct mlt_detail_source details = {src->ctx, src->detail, false};
    struct mlt_entry e = {0};
    struct mlt_bytes bytes, text;
    enum mlt_status status = src->entry(src->ctx, index, &call->arena, &bytes, err);
    if (status == MLT_OK) {
        status = mlt_entry_parse(&e, &call->arena, bytes, err);
    }
    if (status == MLT_OK) {
        status = mlt_entry_facts(&e, &details, &call->arena, &text, err);
    }
    if (status == MLT_OK) {
        status = mlt_json_scan(facts, text, err);
    }
    mlt_entry_clear(&e);
    return status;
}

static enum mlt_status write_setting(struct mlt_call *call, struct mlt_json_writer *w, const struct setting *s,
                                     uint64_t *entry, struct mlt_error *err) {
    struct mlt_json facts = {0};
    enum mlt_status status = find_setting(call, s->name, entry, err);
    bool is_set = status == MLT_OK && *entry != UINT64_MAX;
    if (is_set) {
        status = read_facts(call, *entry, &facts, err);
    }
    if (status == MLT_OK) {
        mlt_jw_object(w);
        mlt_jw_member(w, "name", s->name);
        if (is_set) {
            put_member(w, &facts, "value");
            mlt_jw_member_u64(w, "entry", *entry);
            put_member(w, &facts, "set_by");
            put_member(w, &facts, "reason");
            put_member(w, &facts, "timestamp");
        } else {
            mlt_jw_member_raw(w, "value", mlt_str(s->initial));
            mlt_jw_member(w, "entry", NULL);
        }
        mlt_jw_end_object(w);
    }
    mlt_json_clear(&facts);
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

static const char *setting_names(struct mlt_arena *arena) {
    const char *names = "";
    for (size_t i = 0; names && i < NUM_SETTINGS; i++) {
        names = mlt_arena_printf(arena, "%s%s\"%s\"", names, i > 0 ? ", " : "", settings[i].name);
    }
    return names ? names : "others";
}

// Checks the body; NULL: answered.
static const struct setting *check_body(struct mlt_call *call, const struct mlt_json *json) {
    struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, 0, "name"), &call->arena);
    mlt_json_at value = mlt_json_get(json, 0, "value");
    const struct setting *s = known(name);
    if (!s) {
        mlt_answer_problem(call->res, 422, "unknown-setting", "/name", "there is no such setting; there are %s",
                           setting_names(&call->arena));
        return NULL;
    }
    struct mlt_error err = {0};
    enum mlt_status status =
        mlt_json_raw(json, value).len > s->max ? MLT_LIMIT : s->check(json, value, &call->arena, &err);
    if (status == MLT_NOMEM) {
        mlt_call_fail(call, status, &err);
        return NULL;
    }
    if (status != MLT_OK) {
        mlt_answer_problem(call->res, 422, "wrong-type", "/value", "\"%s\" must be %s, of at most %zu bytes%s%s",
                           s->name, s->right, s->max, err.text[0] ? ": " : "", err.text);
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
    enum mlt_status status = mlt_own_end(&w, &text, call->api, NULL, &err);
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
