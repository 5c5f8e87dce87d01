#include "cli/reconcile.h"

#include "cli/mlflow_source.h"

static const struct mlt_cli_option options[] = {
    {"from", 0, "TIME", "Requests: of this time on (RFC 3339, or a date).", NULL},
    {"to", 0, "TIME", "Requests: before this time.", NULL},
    {"endpoint", 0, "ENDPOINT", "Requests: of this deployment.endpoint alone, such as namespace/service.", NULL},
    {"limit", 'n', "N", "At most how many of a kind are listed (default: 1000); the counts are always whole.", NULL},
    MLT_MLFLOW_SOURCE_OPTIONS,
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail reconcile requests --from 2026-03-01 --to 2026-04-01", "what an inference logger lost in March"},
    {"mltrail reconcile requests --endpoint bank/credit --json", "of one service, for a program"},
    {"mltrail reconcile mlflow http://127.0.0.1:5000", "what the registry has and the trail has not, or otherwise"},
    {0},
};

static const struct mlt_reconcile subjects[] = {
    {"requests", 0, mlt_reconcile_requests},
    {"mlflow", 1, mlt_reconcile_mlflow},
};
#define NUM_SUBJECTS (sizeof subjects / sizeof subjects[0])

static int run(struct mlt_cli *cli) {
    const char *names[NUM_SUBJECTS + 1] = {0};
    for (size_t i = 0; i < NUM_SUBJECTS; i++) {
        const struct mlt_reconcile *s = &subjects[i];
        names[i] = s->name;
        if (strcmp(cli->args[0], s->name) == 0) {
            return cli->num_args - 1 != s->num_args
                       ? mlt_cli_fail(cli, MLT_EXIT_USAGE, "reconcile %s takes %d arguments, not %d", s->name,
                                      s->num_args, cli->num_args - 1)
                       : s->run(cli);
        }
    }
    return mlt_cli_unknown(cli, "subject", cli->args[0], names);
}

const struct mlt_cli_command mlt_cmd_reconcile = {
    .name = "reconcile",
    .args = "requests|mlflow [URL]",
    .summary = "find what is missing from the log or contradicts in it",
    .text =
        "Holds the log against what it should have. `requests` walks the predictions that inference loggers sent as "
        "requests and responses and lists the ids of requests without a response, of responses without a request, "
        "of halves that were sent with different bodies, and of halves that were sent again. `mlflow` reads the "
        "registry of "
        "an MLflow server: versions, stages, aliases and digests of models that the trail lacks or has otherwise, and "
        "webhooks that no recorded request answers to, or the other way round. Exits with 1 when "
        "something is missing or contradicts; what was merely sent again is told and is no fault.",
    .words = "requests mlflow",
    .min_args = 1,
    .max_args = 2,
    .options = options,
    .examples = examples,
    .run = run,
};
