#include "cli/cli.h"

static const struct mlt_cli_option options[] = {{0}};
static const struct mlt_cli_example examples[] = {{"mltrail version", "which version this is"}, {0}};

static int run(struct mlt_cli *cli) {
    if (cli->json) {
        mlt_cli_out_json(cli, mlt_str("{\"name\":\"mltrail\",\"version\":\"" MLT_CLI_VERSION "\"}"));
    } else {
        mlt_cli_outf(cli, "mltrail %s\n", MLT_CLI_VERSION);
    }
    return MLT_EXIT_TRUE;
}

const struct mlt_cli_command mlt_cmd_version = {
    .name = "version",
    .args = "",
    .summary = "print the version",
    .text = "Prints the name and version of the program.",
    .options = options,
    .examples = examples,
    .run = run,
};
