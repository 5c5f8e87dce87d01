// Asking before something that cannot be taken back.
#ifndef MLT_CLI_CONFIRM_H
#define MLT_CLI_CONFIRM_H

#include "cli/cli.h"

// mlt_cli_confirm shows `what` and asks, unless --yes was given. 0: go on. Otherwise the exit status, said why: 2
// without a terminal to ask on, 1 after a no.
int mlt_cli_confirm(struct mlt_cli *cli, const char *what);

#endif
