// Which entry is meant: an index, or the request id of a prediction.
#ifndef MLT_CLI_RESOLVE_H
#define MLT_CLI_RESOLVE_H

#include "cli/cli.h"

#define MLT_RESOLVE_MAX 1000 // predictions of one request

// mlt_cli_resolve gives the indexes of what `text` names: "17", "entry:17", "REQUEST_ID", "prediction:REQUEST_ID".
// 0, or the exit status after saying why.
int mlt_cli_resolve(struct mlt_cli *cli, const char *text, uint64_t out[static MLT_RESOLVE_MAX], size_t *num);

#endif
