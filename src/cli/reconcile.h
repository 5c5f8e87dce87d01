// The parts of `reconcile`: what the log can be held against, a row of one table and a file each.
#ifndef MLT_CLI_RECONCILE_H
#define MLT_CLI_RECONCILE_H

#include "cli/cli.h"

// A subject of `mltrail reconcile SUBJECT …`. Its options are among those of the command (reconcile.c).
struct mlt_reconcile {
    const char *name;
    int num_args;                    // after the name
    int (*run)(struct mlt_cli *cli); // cli->args[0] is the name
};
int mlt_reconcile_requests(struct mlt_cli *cli); // reconcile_requests.c
int mlt_reconcile_mlflow(struct mlt_cli *cli);   // reconcile_mlflow.c

#endif
