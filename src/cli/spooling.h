// What commands that keep a spool share.
#ifndef MLT_CLI_SPOOLING_H
#define MLT_CLI_SPOOLING_H

#include "cli/cli.h"
#include "forward/courier.h"

struct mlt_spool_log {
    struct mlt_cli *cli;
    // Of the courier's thread.
    int64_t refused_told;
    uint64_t refused_silent;
};
// mlt_spool_log_tell is the courier's `event`, and writes a line of the log for each; `arg` is a struct mlt_spool_log.
void mlt_spool_log_tell(void *arg, const struct mlt_courier_event *e);

// mlt_cli_spool_bytes reads --max-bytes; not given, `*out` stays. The exit status, 0 when it is fine.
int mlt_cli_spool_bytes(struct mlt_cli *cli, uint64_t *out);

#endif
