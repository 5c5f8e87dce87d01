#include "cli/transport.h"

static const struct mlt_cli_option options[] = {
    {"from", 0, "TIME", "Not before: a date or an RFC 3339 time.", NULL},
    {"to", 0, "TIME", "Before: a date or an RFC 3339 time.", NULL},
    {"kind", 'k', "KIND", "Records of this kind.",
     "prediction dataset.version training.run model.version approval transition access decision oversight explanation "
     "notice outcome correction tally control alert export erasure hold anchor"},
    {"model", 'm', "MODEL", "Records about this model.", NULL},
    {"format", 'f', "FORMAT", "ndjson: one entry a line (default).", "ndjson"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail export --from 2026-11-01 --to 2026-12-01 > november.ndjson", "the entries of a month"},
    {"mltrail export --kind transition --model credit", "the deployments of one model"},
    {0},
};

static int run(struct mlt_cli *cli) {
    const char *format = mlt_cli_value(cli, "format");
    if (format && strcmp(format, "ndjson") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no format \"%s\"; there is ndjson", format);
    }
    if (!mlt_cli_kind(cli)) {
        return MLT_EXIT_USAGE;
    }
    struct mlt_reply reply = {0};
    struct mlt_buf query = {0};
    char cursor[sizeof reply.next_cursor] = "";
    int code;
    do {
        mlt_buf_reset(&query);
        mlt_query_add(&query, "from", mlt_cli_value(cli, "from"));
        mlt_query_add(&query, "to", mlt_cli_value(cli, "to"));
        mlt_query_add(&query, "kind", mlt_cli_value(cli, "kind"));
        mlt_query_add(&query, "model", mlt_cli_value(cli, "model"));
        mlt_query_add(&query, "cursor", cursor[0] ? cursor : NULL);
        code = mlt_cli_get(cli, "/v1/export", query.len > 0 ? mlt_buf_cstr(&query) : NULL, &reply);
        if (code == 0) {
            if (cli->out_terminal && reply.body.len > 0) {
                mlt_cli_out_json(cli, mlt_buf_bytes(&reply.body));
            } else {
                mlt_cli_out(cli, mlt_buf_bytes(&reply.body));
            }
        }
        memcpy(cursor, reply.next_cursor, sizeof cursor);
    } while (code == 0 && cursor[0] && !cli->out_closed);
    mlt_reply_clear(&reply);
    mlt_buf_clear(&query);
    return code;
}

const struct mlt_cli_command mlt_cmd_export = {
    .name = "export",
    .args = "",
    .summary = "print entries, one a line",
    .text = "Prints the entries that satisfy every filter given, as JSON, one a line, in log order.",
    .options = options,
    .examples = examples,
    .run = run,
};
