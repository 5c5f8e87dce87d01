#include "record/statement.h"

#define FIRST_LINE "mltrail approval v1"
#define ORIGIN 0

const char *const mlt_statement_names[MLT_STATEMENT_MEMBERS] = {
    "origin", "approval_reference", "model",  "model_version", "model_artifact_hash", "verdict", "approver",
    "role",   "timestamp",          "reason", "expires_at",    "conditions",          "evidence"};

// Those without which it is no approval, as strings.
static bool required(size_t i) {
    static const char *const names[] = {"origin",  "approval_reference", "model",    "model_version",
                                        "verdict", "approver",           "timestamp"};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        if (strcmp(mlt_statement_names[i], names[n]) == 0) {
            return true;
        }
    }
    return false;
}

static bool given(const struct mlt_json *json, mlt_json_at at) {
    return json && at != MLT_JSON_NONE && json->num_tokens > 0 && !mlt_json_is(json, at, MLT_JSON_NULL);
}

// One line: strings in the writer's spelling, everything else with its bytes kept.
static void put_line(struct mlt_buf *out, const char *name, const struct mlt_json *json, mlt_json_at at) {
    mlt_buf_put_str(out, name);
    mlt_buf_put_str(out, ": ");
    if (mlt_json_is(json, at, MLT_JSON_STRING)) {
        struct mlt_arena scratch = {0};
        struct mlt_json_writer w;
        struct mlt_bytes text = mlt_json_string(json, at, &scratch);
        mlt_jw_init(&w, out);
        mlt_jw_string(&w, text);
        out->failed = out->failed || !text.ptr;
        mlt_arena_clear(&scratch);
    } else {
        mlt_json_minify(json, at, out);
    }
    mlt_buf_put_u8(out, '\n');
}

static enum mlt_status check_member(size_t i, const struct mlt_json *json, mlt_json_at at, struct mlt_error *err) {
    bool string = mlt_json_is(json, at, MLT_JSON_STRING);
    if (required(i) && !(given(json, at) && string)) {
        return mlt_fail(err, MLT_INVALID, "an approval names its %s, as a string", mlt_statement_names[i]);
    }
    return MLT_OK;
}

enum mlt_status mlt_statement_write(struct mlt_buf *out, struct mlt_bytes origin, const struct mlt_json *approval,
                                    mlt_json_at at, struct mlt_error *err) {
    size_t before = out->len;
    struct mlt_json_writer w;
    mlt_buf_put_str(out, FIRST_LINE "\norigin: ");
    mlt_jw_init(&w, out);
    mlt_jw_string(&w, origin);
    mlt_buf_put_u8(out, '\n');
    for (size_t i = ORIGIN + 1; i < MLT_STATEMENT_MEMBERS; i++) {
        mlt_json_at member = mlt_json_get(approval, at, mlt_statement_names[i]);
        enum mlt_status status = check_member(i, approval, member, err);
        if (status != MLT_OK) {
            return status;
        }
        if (given(approval, member)) {
            put_line(out, mlt_statement_names[i], approval, member);
        }
    }
    if (out->failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a statement");
    }
    return out->len - before <= MLT_STATEMENT_MAX
               ? MLT_OK
               : mlt_fail(err, MLT_LIMIT, "a statement has at most %d bytes", MLT_STATEMENT_MAX);
}

// Is `line` (without its end) the one line for this value?
static enum mlt_status read_value(struct mlt_json *value, const char *name, struct mlt_bytes line,
                                  struct mlt_error *err) {
    size_t head = strlen(name) + 2;
    enum mlt_status status = mlt_json_scan(value, mlt_bytes_of(line.ptr + head, line.len - head), err);
    if (status != MLT_OK) {
        return mlt_context(err, status, "%s", name);
    }
    struct mlt_buf again = {0};
    put_line(&again, name, value, 0);
    bool same = !again.failed && again.len == line.len + 1 && memcmp(again.data, line.ptr, line.len) == 0;
    status = again.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a statement")
             : !same || mlt_json_is(value, 0, MLT_JSON_NULL)
                 ? mlt_fail(err, MLT_INVALID, "%s is not written as a statement writes it", name)
                 : MLT_OK;
    mlt_buf_clear(&again);
    return status;
}

static bool begins_with(struct mlt_bytes line, const char *name) {
    size_t len = strlen(name);
    return line.len >= len + 2 && memcmp(line.ptr, name, len) == 0 && memcmp(line.ptr + len, ": ", 2) == 0;
}

enum mlt_status mlt_statement_read(struct mlt_statement *out, struct mlt_bytes text, struct mlt_arena *arena,
                                   struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(text);
    *out = (struct mlt_statement){0};
    if (text.len > MLT_STATEMENT_MAX) {
        return mlt_fail(err, MLT_INVALID, "a statement has at most %d bytes", MLT_STATEMENT_MAX);
    }
    if (!mlt_bytes_is(mlt_cursor_line(&c), FIRST_LINE)) {
        return mlt_fail(err, MLT_INVALID, "a statement begins with the line \"" FIRST_LINE "\"");
    }
    enum mlt_status status = MLT_OK;
    struct mlt_bytes line = mlt_cursor_line(&c);
    for (size_t i = 0; status == MLT_OK && i < MLT_STATEMENT_MEMBERS; i++) {
        struct mlt_json *value = &out->values[i];
        if (!c.failed && begins_with(line, mlt_statement_names[i])) {
            status = read_value(value, mlt_statement_names[i], line, err);
            line = mlt_cursor_line(&c);
        }
        status = status == MLT_OK ? check_member(i, value, value->num_tokens > 0 ? 0 : MLT_JSON_NONE, err) : status;
    }
    if (status == MLT_OK && (!c.failed || c.at != c.end)) {
        status = mlt_fail(err, MLT_INVALID,
                          "there is a line that no statement has, a line out of order, or no line "
                          "end behind the last one");
    }
    if (status == MLT_OK) {
        out->origin = mlt_json_string(&out->values[ORIGIN], 0, arena);
        status = out->origin.ptr ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for a statement");
    }
    return status;
}

void mlt_statement_clear(struct mlt_statement *statement) {
    for (size_t i = 0; i < MLT_STATEMENT_MEMBERS; i++) {
        mlt_json_clear(&statement->values[i]);
    }
}

bool mlt_statement_agrees(const struct mlt_statement *statement, size_t i, const struct mlt_json *json,
                          mlt_json_at at) {
    const struct mlt_json *value = &statement->values[i];
    if (value->num_tokens == 0 || !given(json, at)) {
        return value->num_tokens == 0 && !given(json, at);
    }
    return mlt_json_equal(value, 0, json, at);
}
