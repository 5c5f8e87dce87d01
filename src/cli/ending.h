// What commands that serve until they are told to end share.
#ifndef MLT_CLI_ENDING_H
#define MLT_CLI_ENDING_H

#include <signal.h>

#include "cli/cli.h"

// mlt_cli_hold_ending keeps SIGTERM and SIGINT for sigwait and its like, here and in every thread that starts later.
void mlt_cli_hold_ending(sigset_t *ending);
// Where something is served; `listen` NULL: at its socket alone, which is `socket`, or <dir>/sock.
struct mlt_cli_place {
    const char *what, *dir; // as in "serving", "trail"
    const char *scheme, *listen, *socket;
    unsigned port;
};
// mlt_cli_serve_until says where in a line, writes --port-file, and returns when one of the signals has come: the exit
// status.
int mlt_cli_serve_until(struct mlt_cli *cli, const sigset_t *ending, const struct mlt_cli_place *at);

#endif
