// The PIN of a PKCS#11 token: from the file that the URI names (pin-source), from $MLTRAIL_PIN_FILE, from $MLTRAIL_PIN,
// or asked on the terminal. Never from the command line, which everybody on the machine can read.
#ifndef MLT_CLI_PIN_H
#define MLT_CLI_PIN_H

#include "cli/cli.h"
#include "hsm/hsm.h"

const struct mlt_pin_source *mlt_cli_pin(struct mlt_cli *cli); // lives as long as the command

#endif
