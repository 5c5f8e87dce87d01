#include <inttypes.h>

#include "cli/json_text.h"
#include "cli/resolve.h"
#include "cli/transport.h"

static const struct mlt_cli_option options[] = {
    {"output", 'o', "FILE", "Write to FILE instead of standard output.", "<file>"},
    {"entry", 'e', "FILE", "Write the exact bytes of the entry to FILE, for \"verify --entry\".", "<file>"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail prove 17 -o 17.tlog-proof", "a proof that entry 17 is in the log, checkable without the trail"},
    {"mltrail prove 17 -o 17.tlog-proof --entry 17.entry", "what \"mltrail verify 17.tlog-proof\" asks for"},
    {"mltrail prove req-8f2c --json", "the parts of the proof, for programs"},
    {0},
};

// save_entry writes the entry as it is in the log: what the proof is about, byte for byte.
static int save_entry(struct mlt_cli *cli, uint64_t index, const char *file) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    struct mlt_bytes entry = {0};
    const char *path = mlt_arena_printf(&cli->arena, "/v1/records/%" PRIu64, index);
    int code = mlt_cli_get(cli, path, NULL, &reply);
    if (code == 0 && mlt_json_scan(&json, mlt_buf_bytes(&reply.body), NULL) == MLT_OK) {
        entry = mlt_json_raw(&json, mlt_json_get(&json, 0, "entry"));
    }
    if (code == 0) {
        code = entry.len > 0 ? mlt_cli_out_to(cli, file, entry)
                             : mlt_cli_fail(cli, MLT_EXIT_FAILED, "the answer holds no entry");
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return code;
}

static int prove(struct mlt_cli *cli, uint64_t index) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    const char *path = mlt_arena_printf(&cli->arena, "/v1/records/%" PRIu64 "/proof", index);
    const char *file = mlt_cli_value(cli, "output");
    int code = mlt_cli_get(cli, path, NULL, &reply);
    if (code != 0) {
        mlt_reply_clear(&reply);
        return code;
    }
    struct mlt_bytes text = mlt_buf_bytes(&reply.body);
    if (!cli->json) {
        text = mlt_json_scan(&json, text, NULL) == MLT_OK
                   ? mlt_json_string(&json, mlt_json_get(&json, 0, "tlog_proof"), &cli->arena)
                   : mlt_bytes_of(NULL, 0);
    }
    if (text.len == 0) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "the answer holds no proof");
    } else if (file && strcmp(file, "-") != 0) {
        code = mlt_cli_out_to(cli, file, text);
    } else if (cli->json) {
        mlt_cli_out_json(cli, text);
    } else {
        mlt_cli_out_text(cli, text);
    }
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return code;
}

static int run(struct mlt_cli *cli) {
    uint64_t indexes[MLT_RESOLVE_MAX];
    size_t num;
    int code = mlt_cli_resolve(cli, cli->args[0], indexes, &num);
    if (code == 0 && num > 1) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "%zu predictions have the request id \"%s\", the first is entry %" PRIu64
                            "; give the index of one",
                            num, cli->args[0], indexes[0]);
    }
    const char *entry_file = mlt_cli_value(cli, "entry");
    if (code == 0 && entry_file) {
        code = save_entry(cli, indexes[0], entry_file);
    }
    return code == 0 ? prove(cli, indexes[0]) : code;
}

const struct mlt_cli_command mlt_cmd_prove = {
    .name = "prove",
    .args = "INDEX|ID",
    .summary = "make an offline proof for one entry",
    .text = "Prints a C2SP tlog-proof: the inclusion proof of the entry with the checkpoint that it leads to.",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
