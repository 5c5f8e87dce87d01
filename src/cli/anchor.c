#include "cli/anchor.h"

#include "cli/list.h"

static const struct mlt_cli_option options[] = {
    {"tsa", 0, "URLS", "Time-stamping authorities to ask (with now, on a directory that nobody serves).", NULL},
    {"roots", 0, "FILE", "PEM file of the certificates that are trusted to stamp time (with now and verify).",
     "<file>"},
    {"output", 'o', "DIR", "Where to write the files (with save; default: here).", "<dir>"},
    {"limit", 'n', "N", "At most N anchors (with list; default: 50).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail anchor now --trail trail --tsa https://tsa.example.com/", "have the checkpoint stamped now"},
    {"mltrail anchor now", "the same by the authorities of a running server"},
    {"mltrail anchor list", "which anchors there are, newest first"},
    {"mltrail anchor verify --roots tsa-root.pem", "check every token and every tree, without asking the authority"},
    {"mltrail anchor save 4711 -o evidence", "write a checkpoint and its token as files for \"openssl ts -verify\""},
    {0},
};

// -- now --------------------------------------------------------------------------------------------------------------

static void print_anchored(struct mlt_cli *cli, const struct mlt_json *json, mlt_json_at items) {
    static const struct mlt_column columns[] = {
        {"ENTRY", "entry", 20}, {"SIZE", "anchored_size", 20}, {"URL", "url", 60}, {"PROBLEM", "problem", 200}};
    mlt_json_table(cli, json, items, columns, sizeof columns / sizeof columns[0]);
}

static bool all_done(const struct mlt_json *json, mlt_json_at items) {
    bool done = mlt_json_first(json, items) != MLT_JSON_NONE;
    for (mlt_json_at at = mlt_json_first(json, items); at != MLT_JSON_NONE; at = mlt_json_next(json, items, at)) {
        uint64_t entry;
        done = done && mlt_json_u64(json, mlt_json_get(json, at, "entry"), &entry);
    }
    return done;
}

static int now(struct mlt_cli *cli) {
    const struct mlt_call call = {.method = "POST", .path = "/v1/anchors"};
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    const char *trail = mlt_cli_trail(cli);
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    if (mlt_cli_value(cli, "tsa") && (mlt_cli_is_url(trail) || mlt_transport_served(trail))) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "%s is being served, and the server asks its own authorities; leave "
                            "--tsa out, or give it to \"mltrail serve\"",
                            trail);
    }
    struct mlt_anchoring_options authorities = {0};
    int code = mlt_anchor_authorities(cli, "roots", &authorities); // checked here, where it can be explained
    code = code == 0 ? mlt_cli_send(cli, &call, &reply) : code;
    code = code == 0 ? mlt_cli_scan(cli, &json, mlt_buf_bytes(&reply.body)) : code;
    if (code == 0) {
        mlt_json_at items = mlt_json_get(&json, 0, "items");
        if (cli->json) {
            mlt_cli_out_json(cli, mlt_buf_bytes(&reply.body));
        } else {
            print_anchored(cli, &json, items);
        }
        code = all_done(&json, items) ? MLT_EXIT_TRUE : MLT_EXIT_FAILED;
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return code;
}

// -- list -------------------------------------------------------------------------------------------------------------

static int list(struct mlt_cli *cli) {
    static const struct mlt_column columns[] = {
        {"ENTRY", "index", 20},
        {"SIZE", "entry/facts/tree_size", 20},
        {"TIME", "entry/facts/gen_time", 30},
        {"AUTHORITY", "entry/facts/authority", 60},
        {"CHECKED WITH", "entry/facts/roots", 20},
    };
    struct mlt_buf query = {0};
    mlt_query_add(&query, "kind", "anchor");
    int code = mlt_cli_list(cli, "/v1/records", &query, columns, sizeof columns / sizeof columns[0]);
    mlt_buf_clear(&query);
    return code;
}

// -- save -------------------------------------------------------------------------------------------------------------

static int write_file(struct mlt_cli *cli, uint64_t entry, const char *suffix, struct mlt_bytes content) {
    const char *dir = mlt_cli_value(cli, "output");
    const char *path = mlt_arena_printf(&cli->arena, "%s/%llu.%s", dir ? dir : ".", (unsigned long long)entry, suffix);
    if (!path) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    int code = mlt_cli_out_to(cli, path, content);
    if (code == 0) {
        mlt_cli_outf(cli, "%s\n", path);
    }
    return code;
}

static int save(struct mlt_cli *cli, const char *entry) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_buf path = {0};
    struct mlt_anchor_item item = {0};
    mlt_buf_put_str(&path, "/v1/records");
    mlt_path_add(&path, mlt_str(entry));
    int code = mlt_cli_get(cli, mlt_buf_cstr(&path), NULL, &reply);
    code = code == 0 ? mlt_cli_scan(cli, &json, mlt_buf_bytes(&reply.body)) : code;
    if (code == 0) {
        mlt_anchor_item_read(&item, &cli->arena, &json, 0);
        if (item.problem.status != MLT_OK || item.anchor.token.len == 0 || item.anchor.checkpoint.len == 0) {
            code = mlt_cli_fail(cli, MLT_EXIT_FALSE,
                                "entry %s is no anchor with a token; \"mltrail anchor list\" shows them", entry);
        }
    }
    code = code == 0 ? write_file(cli, item.entry, "checkpoint", item.anchor.checkpoint) : code;
    code = code == 0 ? write_file(cli, item.entry, "tst", item.anchor.token) : code;
    mlt_anchor_item_clear(&item);
    mlt_buf_clear(&path);
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return code;
}

static int run(struct mlt_cli *cli) {
    const char *what = cli->args[0];
    if (strcmp(what, "now") == 0 && cli->num_args == 1) {
        return now(cli);
    }
    if (strcmp(what, "list") == 0 && cli->num_args == 1) {
        return list(cli);
    }
    if (strcmp(what, "verify") == 0 && cli->num_args == 1) {
        return mlt_anchor_verify(cli);
    }
    if (strcmp(what, "save") == 0 && cli->num_args == 2) {
        return save(cli, cli->args[1]);
    }
    return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                        "usage: mltrail anchor now, anchor list, anchor verify, or anchor save ENTRY");
}

const struct mlt_cli_command mlt_cmd_anchor = {
    .name = "anchor",
    .args = "now|list|verify|save ENTRY",
    .summary = "have the trail time-stamped, and check that it was",
    .text =
        "An anchor is the token of a time-stamping authority (RFC 3161) over a checkpoint. What the checkpoint covers "
        "existed at that time; what was logged after the anchor did not exist in the log before. \"mltrail serve "
        "--tsa URL\" makes anchors on a schedule.",
    .words = "now list verify save",
    .min_args = 1,
    .max_args = 2,
    .options = options,
    .examples = examples,
    .run = run,
};
