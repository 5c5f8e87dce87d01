#include "cli/duration.h"
#include "cli/json_text.h"
#include "server/api.h"

static const struct mlt_cli_option options[] = {
    {"allow", 'a', "RIGHTS", "append, read, approve, erase, mirror, admin, joined by commas (default: append).",
     "append read approve erase mirror admin"},
    {"kinds", 0, "PATTERNS", "Only these kinds of record, such as prediction,model.*", NULL},
    {"models", 0, "PATTERNS", "Only these models, such as credit*,fraud", NULL},
    {"datasets", 0, "PATTERNS", "Only these datasets.", NULL},
    {"payloads", 0, NULL, "May see payloads, not facts alone.", NULL},
    {"expires", 'e', "TIME", "After this long (90d, 12h), or at a date or RFC 3339 time (default: never).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail token create ci --allow append --models 'credit*' --expires 90d > ci.token", "a token for a pipeline"},
    {"mltrail token create auditor --allow read,mirror", "a token that reads facts and fetches entries"},
    {"mltrail token list", "which tokens there are"},
    {"mltrail token revoke ci", "end one"},
    {0},
};

static bool add_right(struct mlt_grant *grant, struct mlt_bytes word) {
    static const struct {
        const char *name;
        unsigned right;
    } rights[] = {{"append", MLT_MAY_APPEND}, {"read", MLT_MAY_READ},     {"approve", MLT_MAY_APPROVE},
                  {"erase", MLT_MAY_ERASE},   {"mirror", MLT_MAY_MIRROR}, {"admin", MLT_MAY_ADMIN}};
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        if (mlt_bytes_is(word, rights[i].name)) {
            grant->rights |= rights[i].right;
            return true;
        }
    }
    return false;
}

// next_word takes the next of a list joined by commas.
static bool next_word(const char **list, struct mlt_bytes *word) {
    if (!*list || !**list) {
        return false;
    }
    size_t len = strcspn(*list, ",");
    *word = mlt_bytes_of(*list, len);
    *list += len + ((*list)[len] == ',');
    return true;
}

// read_patterns fills MLT_GRANT_PATTERNS_MAX places of `width` bytes each.
static int read_patterns(struct mlt_cli *cli, const char *option, char *places, size_t width) {
    const char *list = mlt_cli_value(cli, option);
    struct mlt_bytes word;
    for (size_t i = 0; next_word(&list, &word); i++) {
        if (i == MLT_GRANT_PATTERNS_MAX || word.len == 0 || word.len >= width) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--%s takes at most %d patterns of 1 to %zu characters", option,
                                MLT_GRANT_PATTERNS_MAX, width - 1);
        }
        memcpy(places + i * width, word.ptr, word.len);
    }
    return 0;
}

static int read_grant(struct mlt_cli *cli, struct mlt_grant *grant) {
    const char *allow = mlt_cli_value(cli, "allow");
    struct mlt_bytes word;
    allow = allow ? allow : "append";
    while (next_word(&allow, &word)) {
        if (!add_right(grant, word)) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                                "there is no right \"%.*s\"; there are append, read, approve, erase, mirror and admin",
                                MLT_ARG(word));
        }
    }
    grant->payloads = mlt_cli_flag(cli, "payloads");
    int code = read_patterns(cli, "kinds", grant->kinds[0], sizeof grant->kinds[0]);
    code = code == 0 ? read_patterns(cli, "models", grant->models[0], sizeof grant->models[0]) : code;
    return code == 0 ? read_patterns(cli, "datasets", grant->datasets[0], sizeof grant->datasets[0]) : code;
}

static int read_expiry(struct mlt_cli *cli, int64_t *out) {
    const char *text = mlt_cli_value(cli, "expires");
    int64_t now = cli->env->now(cli->env);
    int64_t lasts;
    *out = 0;
    if (!text) {
        return 0;
    }
    if (mlt_duration_parse(&lasts, text) && lasts > 0 && lasts < INT64_MAX - now) {
        *out = now + lasts;
    } else if (!mlt_date_parse(out, mlt_str(text)) || *out <= now) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--expires %s is no time to come; write 90d, 12h, a date, or an RFC 3339 time", text);
    }
    return 0;
}

static int create(struct mlt_cli *cli, const char *state, const char *name) {
    struct mlt_grant grant = {0};
    int64_t expires;
    char token[64];
    struct mlt_error err = {0};
    int code = read_grant(cli, &grant);
    code = code == 0 ? read_expiry(cli, &expires) : code;
    if (code != 0) {
        return code;
    }
    if (mlt_token_make(cli->env, state, name, &grant, expires, token, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    if (cli->json) {
        struct mlt_buf out = {0};
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        mlt_jw_member(&w, "name", name);
        mlt_jw_member(&w, "token", token);
        mlt_jw_end_object(&w);
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
        mlt_buf_clear(&out);
    } else {
        mlt_cli_outf(cli, "%s\n", token);
        mlt_cli_note(cli, "the token is shown this once; only its hash is kept");
    }
    mlt_wipe(token, sizeof token);
    return 0;
}

static int list(struct mlt_cli *cli, const char *state) {
    static const struct mlt_column columns[] = {
        {"NAME", "name", 32},     {"RIGHTS", "rights", 60},     {"PAYLOADS", "payloads", 8}, {"KINDS", "kinds", 30},
        {"MODELS", "models", 30}, {"DATASETS", "datasets", 30}, {"EXPIRES", "expires", 30}};
    struct mlt_buf out = {0};
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    int code = 0;
    enum mlt_status status = mlt_token_list(cli->env, state, &out, &err);
    if (status == MLT_OK) {
        status = mlt_json_scan(&json, mlt_buf_bytes(&out), &err);
    }
    if (status != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else if (cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    } else {
        mlt_json_table(cli, &json, mlt_json_get(&json, 0, "items"), columns, sizeof columns / sizeof columns[0]);
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    return code;
}

static int revoke(struct mlt_cli *cli, const char *state, const char *name) {
    struct mlt_error err = {0};
    enum mlt_status status = mlt_token_revoke(cli->env, state, name, &err);
    if (status == MLT_NOTFOUND) {
        return mlt_cli_fail(cli, MLT_EXIT_FALSE, "there is no token \"%s\"; \"mltrail token list\" shows them", name);
    }
    if (status != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    mlt_cli_note(cli, "%s is revoked", name);
    return 0;
}

static int run(struct mlt_cli *cli) {
    const char *what = cli->args[0];
    const char *trail = mlt_cli_trail(cli);
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    if (mlt_cli_is_url(trail)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "tokens are made where the trail is; give --trail DIR instead of a URL");
    }
    const char *state = mlt_cli_state_of(cli, trail);
    if (strcmp(what, "create") == 0 && cli->num_args == 2) {
        return create(cli, state, cli->args[1]);
    }
    if (strcmp(what, "revoke") == 0 && cli->num_args == 2) {
        return revoke(cli, state, cli->args[1]);
    }
    if (strcmp(what, "list") == 0 && cli->num_args == 1) {
        return list(cli, state);
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE, "usage: mltrail token create NAME, token list, or token revoke NAME");
}

const struct mlt_cli_command mlt_cmd_token = {
    .name = "token",
    .args = "create NAME|list|revoke NAME",
    .summary = "make, list and revoke API tokens",
    .text =
        "Tokens let programs and people use the API from elsewhere. A running server sees a change within a second.",
    .words = "create list revoke",
    .min_args = 1,
    .max_args = 2,
    .options = options,
    .examples = examples,
    .run = run,
};
