#include "cli/import.h"

#include "cli/mlflow_source.h"

static const struct mlt_cli_option options[] = {
    MLT_MLFLOW_SOURCE_OPTIONS,
    {"experiment", 'e', "NAME", "The runs of this experiment alone; may be given several times.", NULL},
    {"dry-run", 0, NULL, "Read everything and say what would be appended.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail import mlflow http://127.0.0.1:5000", "runs, models, versions, stages and aliases of an MLflow server"},
    {"mltrail import mlflow https://mlflow.example.com --user audit --password-file pw --dry-run",
     "what that would append"},
    {0},
};

static const struct mlt_import formats[] = {
    {"mlflow", 1, 1, mlt_import_mlflow},
};
#define NUM_FORMATS (sizeof formats / sizeof formats[0])

static int run(struct mlt_cli *cli) {
    struct mlt_buf names = {0};
    for (size_t i = 0; i < NUM_FORMATS; i++) {
        const struct mlt_import *f = &formats[i];
        if (strcmp(cli->args[0], f->name) == 0) {
            mlt_buf_clear(&names);
            return cli->num_args - 1 < f->min_args || cli->num_args - 1 > f->max_args
                       ? mlt_cli_fail(cli, MLT_EXIT_USAGE, "import %s takes %d arguments, not %d", f->name, f->min_args,
                                      cli->num_args - 1)
                       : f->run(cli);
        }
        mlt_buf_printf(&names, "%s%s", i == 0 ? "" : ", ", f->name);
    }
    const char *all = mlt_buf_cstr(&names);
    int code =
        mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no format \"%s\"; there is %s", cli->args[0], all ? all : "none");
    mlt_buf_clear(&names);
    return code;
}

const struct mlt_cli_command mlt_cmd_import = {
    .name = "import",
    .args = "mlflow URL",
    .summary = "append from another system",
    .text = "Appends what another system has. `mlflow` reads an MLflow server over its API: runs that are over become "
            "training.run, versions model.version with digests of their files, stages and aliases transitions where "
            "the trail has them otherwise. Times are those that MLflow claims. Run again, it adds what is new.",
    .words = "mlflow",
    .min_args = 1,
    .max_args = 2,
    .options = options,
    .examples = examples,
    .run = run,
};
