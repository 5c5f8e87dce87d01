// The parts of `witness`.
#ifndef MLT_CLI_WITNESS_H
#define MLT_CLI_WITNESS_H

#include "cli/cli.h"

// witness_serve.c
int mlt_witness_serve(struct mlt_cli *cli, const char *dir);

#endif
