#include <inttypes.h>

#include "cli/json_text.h"
#include "cli/resolve.h"
#include "cli/transport.h"

static const struct mlt_cli_option options[] = {{0}};
static const struct mlt_cli_example examples[] = {
    {"mltrail show 17", "the entry with index 17"},
    {"mltrail show req-8f2c", "the predictions with this request id"},
    {"mltrail show prediction:17", "the same where the id could be taken for an index"},
    {0},
};

static int show(struct mlt_cli *cli, uint64_t index) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_buf out = {0};
    const char *path = mlt_arena_printf(&cli->arena, "/v1/records/%" PRIu64, index);
    int code = mlt_cli_get(cli, path, NULL, &reply);
    if (code == 0 && cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&reply.body));
    } else if (code == 0) {
        code = mlt_cli_scan(cli, &json, mlt_buf_bytes(&reply.body));
        if (code == 0) {
            mlt_json_outline(&out, &json, 0, 0);
            mlt_cli_out(cli, mlt_buf_bytes(&out));
        }
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    mlt_reply_clear(&reply);
    return code;
}

static int run(struct mlt_cli *cli) {
    uint64_t indexes[MLT_RESOLVE_MAX];
    size_t num;
    int code = mlt_cli_resolve(cli, cli->args[0], indexes, &num);
    for (size_t i = 0; code == 0 && i < num; i++) {
        if (i > 0 && !cli->json) {
            mlt_cli_out(cli, mlt_str("\n"));
        }
        code = show(cli, indexes[i]);
    }
    return code;
}

const struct mlt_cli_command mlt_cmd_show = {
    .name = "show",
    .args = "INDEX|ID",
    .summary = "show one record",
    .text = "Shows an entry with its payload, by index or by the request id of a prediction. With --json one object is "
            "printed for each entry.",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
