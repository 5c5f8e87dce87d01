#include "cli/json_text.h"
#include "cli/transport.h"

static const struct mlt_cli_option options[] = {
    {"forward", 'F', NULL, "What depends on it, instead of what is behind it.", NULL},
    {"limit", 'n', "N", "At most N items of each kind (with --forward).", NULL},
    {"cursor", 0, "CURSOR", "Go on where \"next\" of an earlier answer says.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail lineage model:credit/7", "everything behind a model version"},
    {"mltrail lineage dataset:loans/2026-10 --forward", "what would be affected if this dataset were wrong"},
    {0},
};

static void put_item(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at item, const char *const *members) {
    for (; *members; members++) {
        mlt_json_at value = mlt_json_path(json, item, *members);
        if (value != MLT_JSON_NONE) {
            mlt_buf_put_str(out, "  ");
            mlt_json_show(out, json, value);
        }
    }
    mlt_buf_put_u8(out, '\n');
}

static void put_list(struct mlt_buf *out, const struct mlt_json *json, const char *name, const char *const *members) {
    mlt_json_at list = mlt_json_get(json, 0, name);
    if (mlt_json_first(json, list) == MLT_JSON_NONE) {
        return;
    }
    mlt_buf_printf(out, "\n%s\n", name);
    for (mlt_json_at n = mlt_json_first(json, list); n != MLT_JSON_NONE; n = mlt_json_next(json, list, n)) {
        put_item(out, json, n, members);
    }
}

static void put_forward(struct mlt_buf *out, const struct mlt_json *json) {
    static const char *const item[] = {"index|entry", "ref|id|label", "model", "model_version|version", "time", NULL};
    mlt_json_at depends = mlt_json_get(json, 0, "depends");
    if (mlt_json_first(json, depends) == MLT_JSON_NONE) {
        mlt_buf_put_str(out, "\nno record depends on it, or none has this name\n");
    }
    for (mlt_json_at n = mlt_json_first(json, depends); n != MLT_JSON_NONE; n = mlt_json_next(json, depends, n)) {
        mlt_buf_put_u8(out, '\n');
        mlt_json_show(out, json, mlt_json_get(json, n, "count"));
        mlt_buf_put_str(out, "  ");
        mlt_json_show(out, json, mlt_json_get(json, n, "kind"));
        mlt_buf_put_str(out, "  via ");
        mlt_json_show(out, json, mlt_json_get(json, n, "via"));
        mlt_buf_put_u8(out, '\n');
        mlt_json_at items = mlt_json_get(json, n, "items");
        for (mlt_json_at i = mlt_json_first(json, items); i != MLT_JSON_NONE; i = mlt_json_next(json, items, i)) {
            mlt_buf_put_str(out, "  ");
            if (mlt_json_is(json, i, MLT_JSON_OBJECT)) {
                put_item(out, json, i, item);
            } else {
                mlt_json_show(out, json, i);
                mlt_buf_put_u8(out, '\n');
            }
        }
    }
}

// A part of a name as it is typed: only a slash in the last part, and a percent sign, are written otherwise.
static void put_part(struct mlt_buf *out, struct mlt_bytes part, bool last) {
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] == '%' || (last && part.ptr[i] == '/')) {
            mlt_buf_printf(out, "%%%02X", (unsigned)part.ptr[i]);
        } else {
            mlt_buf_put_u8(out, part.ptr[i]);
        }
    }
}

// The reference as it is written: its type and the parts of its name.
static void put_ref(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at ref) {
    const char *separator = ":";
    struct mlt_buf part = {0};
    mlt_json_show(out, json, mlt_json_get(json, ref, "type"));
    for (mlt_json_at at = mlt_json_first(json, ref); at != MLT_JSON_NONE; at = mlt_json_next(json, ref, at)) {
        if (at + 1 != mlt_json_get(json, ref, "type")) {
            mlt_buf_reset(&part);
            mlt_json_show(&part, json, at + 1);
            mlt_buf_put_str(out, separator);
            put_part(out, mlt_buf_bytes(&part), separator[0] == '/');
            separator = "/";
        }
    }
    mlt_buf_clear(&part);
    mlt_buf_put_u8(out, '\n');
}

static int print(struct mlt_cli *cli, struct mlt_bytes answer) {
    static const char *const node[] = {"entry|index", "kind|type", "ref|id|label", "time", NULL};
    static const char *const edge[] = {"from", "how", "to", NULL};
    static const char *const finding[] = {"severity", "code", "condition", NULL};
    struct mlt_json json = {0};
    struct mlt_buf out = {0};
    int code = mlt_cli_scan(cli, &json, answer);
    if (code != 0) {
        return code;
    }
    put_ref(&out, &json, mlt_json_get(&json, 0, "ref"));
    if (mlt_json_get(&json, 0, "depends") != MLT_JSON_NONE) {
        put_forward(&out, &json);
    } else {
        put_list(&out, &json, "nodes", node);
        put_list(&out, &json, "edges", edge);
        put_list(&out, &json, "findings", finding);
    }
    mlt_cli_out(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
    mlt_json_clear(&json);
    return 0;
}

static int run(struct mlt_cli *cli) {
    struct mlt_buf path = {0};
    struct mlt_buf query = {0};
    struct mlt_reply reply = {0};
    uint64_t limit;
    if (!mlt_cli_number(cli, "limit", &limit)) {
        return MLT_EXIT_USAGE;
    }
    mlt_buf_put_str(&path, "/v1/lineage");
    mlt_path_add(&path, mlt_str(cli->args[0]));
    mlt_query_add(&query, "direction", mlt_cli_flag(cli, "forward") ? "forward" : "backward");
    mlt_query_add(&query, "limit", mlt_cli_value(cli, "limit"));
    mlt_query_add(&query, "cursor", mlt_cli_value(cli, "cursor"));
    int code = mlt_cli_get(cli, mlt_buf_cstr(&path), mlt_buf_cstr(&query), &reply);
    if (code == 0 && cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&reply.body));
    } else if (code == 0) {
        code = print(cli, mlt_buf_bytes(&reply.body));
    }
    mlt_reply_clear(&reply);
    mlt_buf_clear(&path);
    mlt_buf_clear(&query);
    return code;
}

const struct mlt_cli_command mlt_cmd_lineage = {
    .name = "lineage",
    .args = "REF",
    .summary = "print what is behind something, or what depends on it",
    .text = "REF is prediction:ID, model:NAME/VERSION, dataset:NAME/VERSION, job:ID, approval:REFERENCE, "
            "table:SYSTEM/TABLE, node:NAME or entry:INDEX; the last slash separates: one behind it, as in the "
            "path of a file, is written %2F, and others as they are. A percent sign in a name is written %25.",
    .words = "prediction: model: dataset: job: approval: table: node: entry:",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
