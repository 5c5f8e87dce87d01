// The record of an approval and its statement, from the command line and from the trail.
#include <pwd.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/approve.h"
#include "cli/transport.h"
#include "record/statement.h"

int mlt_approve_ask_origin(struct mlt_approving *a) {
    struct mlt_reply reply = {0};
    int code = mlt_cli_get(a->cli, "/checkpoint", NULL, &reply);
    if (code == 0) {
        struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&reply.body));
        struct mlt_bytes line = mlt_cursor_line(&c);
        a->origin = line.len > 0 ? mlt_arena_cstr(&a->cli->arena, line) : NULL;
        if (!a->origin) {
            code = mlt_cli_fail(a->cli, MLT_EXIT_FAILED, "the checkpoint of the trail does not name its origin");
        }
    }
    mlt_reply_clear(&reply);
    return code;
}

// The digest that the version is registered with, as raw JSON; empty: it has none.
static struct mlt_bytes registered_digest(struct mlt_approving *a, const struct mlt_json *json) {
    mlt_json_at list = mlt_json_get(json, 0, "model_versions");
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        struct mlt_bytes model = mlt_json_string(json, mlt_json_get(json, n, "model"), &a->cli->arena);
        struct mlt_bytes version = mlt_json_string(json, mlt_json_get(json, n, "model_version"), &a->cli->arena);
        mlt_json_at digest = mlt_json_get(json, n, "model_artifact_hash");
        if (mlt_bytes_is(model, a->model) && mlt_bytes_is(version, a->version) && digest != MLT_JSON_NONE &&
            !mlt_json_is(json, digest, MLT_JSON_NULL)) {
            return mlt_arena_copy(&a->cli->arena, mlt_json_raw(json, digest));
        }
    }
    return (struct mlt_bytes){0};
}

// What is approved is an artifact; unless told otherwise, the one that the trail has registered.
static int ask_digest(struct mlt_approving *a, struct mlt_bytes *digest) {
    struct mlt_cli *cli = a->cli;
    struct mlt_buf path = {0};
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    int code = 0;
    mlt_buf_put_str(&path, "/v1/models");
    mlt_path_add(&path, mlt_str(a->model));
    mlt_buf_put_str(&path, "/versions");
    mlt_path_add(&path, mlt_str(a->version));
    const struct mlt_call call = {.method = "GET", .path = mlt_buf_cstr(&path)};
    if (!call.path || mlt_transport_send(cli->transport, &call, &reply, &err) != MLT_OK) {
        code = call.path ? mlt_cli_fail_error(cli, &err) : mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    } else if (reply.status == 404) {
        code = mlt_cli_fail(cli, MLT_EXIT_FALSE,
                            "the trail knows no model %s with a version %s; give --artifact-hash to approve it all the "
                            "same",
                            a->model, a->version);
    } else if (reply.status == 403) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED,
                            "this token may not read what is registered for %s %s; give --artifact-hash", a->model,
                            a->version);
    } else if (reply.status != 200 || mlt_json_scan(&json, mlt_buf_bytes(&reply.body), &err) != MLT_OK) {
        code = mlt_cli_explain(cli, &reply);
    } else {
        a->may_read = true;
        *digest = registered_digest(a, &json);
        if (digest->len == 0) {
            mlt_cli_note(cli, "%s %s is registered without a digest: the approval names no artifact", a->model,
                         a->version);
        }
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    mlt_buf_clear(&path);
    return code;
}

// --artifact-hash is a digest, or an object of digests by algorithm.
static int given_digest(struct mlt_approving *a, const char *given, struct mlt_bytes *digest) {
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    int code = 0;
    if (given[0] == '{') {
        *digest = mlt_str(given);
        if (mlt_json_scan(&json, *digest, &err) != MLT_OK) {
            code = mlt_cli_fail(a->cli, MLT_EXIT_USAGE, "--artifact-hash: %s", err.text);
        }
    } else {
        struct mlt_buf text = {0};
        struct mlt_json_writer w;
        mlt_jw_init(&w, &text);
        mlt_jw_cstr(&w, given);
        *digest = mlt_arena_copy(&a->cli->arena, mlt_buf_bytes(&text));
        mlt_buf_clear(&text);
    }
    mlt_json_clear(&json);
    return code;
}

static const char *login_name(void) {
    const struct passwd *user = getpwuid(geteuid()); // NOLINT(concurrency-mt-unsafe): before any thread is started
    return user ? user->pw_name : NULL;
}

// An option that may be given several times, as an array of strings.
static void put_list(const struct mlt_cli *cli, struct mlt_json_writer *w, const char *member, const char *option) {
    size_t at = 0;
    const char *value = mlt_cli_next(cli, option, &at);
    if (!value) {
        return;
    }
    mlt_jw_name(w, member);
    mlt_jw_array(w);
    for (; value; value = mlt_cli_next(cli, option, &at)) {
        mlt_jw_cstr(w, value);
    }
    mlt_jw_end_array(w);
}

static void put_option(const struct mlt_cli *cli, struct mlt_json_writer *w, const char *member, const char *option) {
    const char *value = mlt_cli_value(cli, option);
    if (value && value[0]) {
        mlt_jw_member(w, member, value);
    }
}

static void write_record(struct mlt_approving *a, struct mlt_bytes digest) {
    char now[MLT_TIME_TEXT_LEN + 1];
    struct mlt_json_writer w;
    mlt_time_format(now, a->cli->env->now(a->cli->env));
    mlt_jw_init(&w, &a->record);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "approval");
    mlt_jw_member(&w, "approval_reference", a->reference);
    mlt_jw_member(&w, "model", a->model);
    mlt_jw_member(&w, "model_version", a->version);
    mlt_jw_member(&w, "verdict", a->verdict);
    mlt_jw_member(&w, "approver", a->approver);
    mlt_jw_member(&w, "timestamp", now);
    if (digest.len > 0) {
        mlt_jw_member_raw(&w, "model_artifact_hash", digest);
    }
    put_option(a->cli, &w, "reason", "reason");
    put_option(a->cli, &w, "role", "role");
    put_list(a->cli, &w, "conditions", "condition");
    put_list(a->cli, &w, "evidence", "evidence");
    put_option(a->cli, &w, "expires_at", "expires-at");
    mlt_jw_end_object(&w);
}

static int write_statement(struct mlt_approving *a) {
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    enum mlt_status status = a->record.failed ? mlt_fail(&err, MLT_NOMEM, "out of memory")
                                              : mlt_json_scan(&json, mlt_buf_bytes(&a->record), &err);
    if (status == MLT_OK) {
        status = mlt_statement_write(&a->statement, mlt_str(a->origin), &json, 0, &err);
    }
    mlt_json_clear(&json);
    return status == MLT_OK ? 0 : mlt_cli_fail_error(a->cli, &err);
}

static bool is_verdict(const char *word) {
    return strcmp(word, "approved") == 0 || strcmp(word, "rejected") == 0 || strcmp(word, "revoked") == 0;
}

// What the server would say after the approver has signed is said before.
static int check_options(struct mlt_approving *a) {
    const char *expires = mlt_cli_value(a->cli, "expires-at");
    int64_t time;
    if (!a->reference || !a->reference[0]) {
        return mlt_cli_fail(a->cli, MLT_EXIT_USAGE,
                            "give --reference REF, the name of the approval, by which transitions refer to it");
    }
    if (!a->verdict || !is_verdict(a->verdict)) {
        return mlt_cli_fail(a->cli, MLT_EXIT_USAGE, "--verdict is approved, rejected or revoked");
    }
    if (expires && !mlt_time_parse(&time, mlt_str(expires))) {
        return mlt_cli_fail(a->cli, MLT_EXIT_USAGE,
                            "--expires-at %s is no time; give one with its zone, as 2027-01-31T00:00:00Z", expires);
    }
    if (!a->approver || !a->approver[0]) {
        return mlt_cli_fail(a->cli, MLT_EXIT_USAGE, "give --approver NAME: this user has no login name");
    }
    return 0;
}

int mlt_approve_from_options(struct mlt_approving *a) {
    struct mlt_cli *cli = a->cli;
    struct mlt_bytes digest = {0};
    const char *given = mlt_cli_value(cli, "artifact-hash");
    const char *approver = mlt_cli_value(cli, "approver");
    a->model = cli->args[0];
    a->version = cli->args[1];
    a->reference = mlt_cli_value(cli, "reference");
    a->verdict = mlt_cli_value(cli, "verdict");
    a->approver = approver ? approver : login_name();
    a->approver = a->approver ? mlt_arena_cstr(&cli->arena, mlt_str(a->approver)) : NULL;
    int code = check_options(a);
    code = code == 0 ? mlt_approve_ask_origin(a) : code;
    if (code == 0) {
        code = given ? given_digest(a, given, &digest) : ask_digest(a, &digest);
    }
    if (code == 0) {
        write_record(a, digest);
        code = write_statement(a);
    }
    return code;
}

static const char *stated(struct mlt_approving *a, const struct mlt_statement *s, const char *name) {
    for (size_t i = 0; i < MLT_STATEMENT_MEMBERS; i++) {
        if (strcmp(mlt_statement_names[i], name) == 0) {
            return mlt_arena_cstr(&a->cli->arena, mlt_json_string(&s->values[i], 0, &a->cli->arena));
        }
    }
    return NULL;
}

int mlt_approve_from_statement(struct mlt_approving *a) {
    struct mlt_statement s;
    struct mlt_error err = {0};
    struct mlt_json_writer w;
    int code = 0;
    if (mlt_statement_read(&s, mlt_buf_bytes(&a->statement), &a->cli->arena, &err) != MLT_OK) {
        code = mlt_cli_fail(a->cli, MLT_EXIT_USAGE, "the file of --statement is none: %s", err.text);
    } else if (!mlt_bytes_is(s.origin, a->origin)) {
        code = mlt_cli_fail(a->cli, MLT_EXIT_FALSE, "the statement is for the trail \"%.*s\", and this one is \"%s\"",
                            MLT_ARG(s.origin), a->origin);
    } else {
        mlt_jw_init(&w, &a->record);
        mlt_jw_object(&w);
        mlt_jw_member(&w, "kind", "approval");
        for (size_t i = 1; i < MLT_STATEMENT_MEMBERS; i++) {
            if (s.values[i].num_tokens > 0) {
                mlt_jw_member_raw(&w, mlt_statement_names[i], mlt_json_raw(&s.values[i], 0));
            }
        }
        mlt_jw_end_object(&w);
        a->approver = stated(a, &s, "approver");
        a->reference = stated(a, &s, "approval_reference");
        a->model = stated(a, &s, "model");
        a->version = stated(a, &s, "model_version");
        a->verdict = stated(a, &s, "verdict");
    }
    mlt_statement_clear(&s);
    return code;
}
