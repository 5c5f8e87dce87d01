// The parts of `import`: foreign formats, a row of one table and a file each.
#ifndef MLT_CLI_IMPORT_H
#define MLT_CLI_IMPORT_H

#include "cli/cli.h"

// A format of `mltrail import FORMAT …`. Its options are among those of the command (import.c).
struct mlt_import {
    const char *name;
    int min_args, max_args;          // after the name
    int (*run)(struct mlt_cli *cli); // cli->args[0] is the name
};
int mlt_import_mlflow(struct mlt_cli *cli); // import_mlflow.c

#endif
