// A policy (C2SP tlog-policy) from a file that the user names.
#ifndef MLT_CLI_POLICY_FILE_H
#define MLT_CLI_POLICY_FILE_H

#include "cli/cli.h"
#include "note/policy.h"

// mlt_cli_policy reads and parses `path`; the exit status after saying why not, 0 otherwise. The caller clears `*out`,
// whose text goes to `*text` (may be NULL).
int mlt_cli_policy(struct mlt_cli *cli, const char *path, struct mlt_policy *out, struct mlt_buf *text);

#endif
