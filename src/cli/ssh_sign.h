// Signing by the user's own ssh-keygen: agents, passphrases and hardware keys work as they do elsewhere, and no private
// key passes through this program.
#ifndef MLT_CLI_SSH_SIGN_H
#define MLT_CLI_SSH_SIGN_H

#include "cli/cli.h"

// mlt_ssh_sign runs "ssh-keygen -Y sign" with the key file (private, or public with the private half in an agent) and
// appends the armoured signature to `out`. It may ask the user on the terminal. MLT_NOTFOUND: there is no ssh-keygen.
// MLT_DENIED: it made no signature, and has said why on standard error.
enum mlt_status mlt_ssh_sign(struct mlt_buf *out, const char *key_file, const char *name_space,
                             struct mlt_bytes message, struct mlt_error *err) MLT_MUST_USE;

#endif
