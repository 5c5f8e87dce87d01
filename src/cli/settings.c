#include "cli/json_text.h"
#include "cli/transport.h"

#define VALUE_FILE_MAX (1024 * 1024) // the server says what its limit is; this one only bounds memory

static const struct mlt_cli_option options[] = {
    {"reason", 'r', "TEXT", "Why the setting changes; kept in the trail (with set).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail settings", "the settings in force"},
    {"mltrail settings set production_stages '[\"production\",\"canary\"]' --reason \"canaries decide too\"",
     "set one; the change is a record of its own"},
    {"mltrail settings set allowed_signers @allowed_signers --reason \"erin may approve\"",
     "whose signatures on approvals count, from a file"},
    {0},
};

static int list(struct mlt_cli *cli) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_buf out = {0};
    int code = mlt_cli_get(cli, "/v1/settings", NULL, &reply);
    if (code == 0 && cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&reply.body));
    } else if (code == 0 && (code = mlt_cli_scan(cli, &json, mlt_buf_bytes(&reply.body))) == 0) {
        mlt_json_at items = mlt_json_get(&json, 0, "items");
        static const struct mlt_column columns[] = {
            {"NAME", "name", 32}, {"VALUE", "value", 60}, {"SINCE", "entry|since", 20}, {"REASON", "reason", 40}};
        if (items != MLT_JSON_NONE) {
            mlt_json_table(cli, &json, items, columns, sizeof columns / sizeof columns[0]);
        } else {
            mlt_json_outline(&out, &json, 0, 0);
            mlt_cli_out(cli, mlt_buf_bytes(&out));
        }
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    mlt_reply_clear(&reply);
    return code;
}

// The value is JSON where it reads as JSON, else a string: people need not quote twice.
static void put_value(struct mlt_json_writer *w, struct mlt_bytes text) {
    struct mlt_json json = {0};
    if (mlt_json_scan(&json, text, NULL) == MLT_OK) {
        mlt_jw_raw(w, text);
    } else {
        mlt_jw_string(w, text);
    }
    mlt_json_clear(&json);
}

// The value as given, or the content of the file behind '@'.
static int read_value(struct mlt_cli *cli, const char *value, struct mlt_buf *out) {
    struct mlt_error err = {0};
    if (value[0] != '@') {
        mlt_buf_put_str(out, value);
        return 0;
    }
    if (mlt_env_read_file(cli->env, value + 1, VALUE_FILE_MAX, out, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot read the value from %s: %s", value + 1, err.text);
    }
    if (!mlt_utf8_valid(mlt_buf_bytes(out))) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s is no text in UTF-8", value + 1);
    }
    return 0;
}

static int set(struct mlt_cli *cli, const char *name, const char *given) {
    const char *reason = mlt_cli_value(cli, "reason");
    if (!reason || !reason[0]) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "a change needs --reason TEXT, which the trail keeps");
    }
    struct mlt_buf value = {0};
    int code = read_value(cli, given, &value);
    if (code != 0) {
        mlt_buf_clear(&value);
        return code;
    }
    struct mlt_buf body = {0};
    struct mlt_reply reply = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &body);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "name", name);
    mlt_jw_name(&w, "value");
    put_value(&w, mlt_buf_bytes(&value));
    mlt_buf_clear(&value);
    mlt_jw_member(&w, "reason", reason);
    mlt_jw_end_object(&w);
    const struct mlt_call call = {
        .method = "POST", .path = "/v1/settings", .content_type = "application/json", .body = mlt_buf_bytes(&body)};
    code = mlt_cli_send(cli, &call, &reply);
    if (code == 0 && cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&reply.body));
    } else if (code == 0) {
        mlt_cli_note(cli, "%s is set", name);
    }
    mlt_reply_clear(&reply);
    mlt_buf_clear(&body);
    return code;
}

static int run(struct mlt_cli *cli) {
    if (cli->num_args == 0) {
        return list(cli);
    }
    if (strcmp(cli->args[0], "set") == 0 && cli->num_args == 3) {
        return set(cli, cli->args[1], cli->args[2]);
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                        "usage: mltrail settings, or mltrail settings set NAME VALUE|@FILE --reason TEXT");
}

const struct mlt_cli_command mlt_cmd_settings = {
    .name = "settings",
    .args = "[set NAME VALUE|@FILE]",
    .summary = "show the settings in force, or set one",
    .text = "Findings and answers depend on settings, so each change is a record in the trail, in force from its entry "
            "on. VALUE is JSON, or else taken as a string; @FILE is the content of that file. The settings are "
            "production_stages, the stages and @aliases that count as production, and allowed_signers, a file as of "
            "ssh-keygen(1), ALLOWED SIGNERS, whose signatures on approvals count; its times are UTC.",
    .words = "set",
    .max_args = 3,
    .options = options,
    .examples = examples,
    .run = run,
};
