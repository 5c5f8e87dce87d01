// An approval on its way into the trail: what was asked of the trail, the record, what is signed.
#ifndef MLT_CLI_APPROVE_H
#define MLT_CLI_APPROVE_H

#include "cli/cli.h"
#include "crypto/sshsig.h"

struct mlt_approving {
    struct mlt_cli *cli;
    const char *origin;    // of the trail, as its checkpoint says
    struct mlt_buf record; // the approval as JSON, without statement and signature
    struct mlt_buf statement;
    struct mlt_buf signature; // empty: not signed
    bool may_read;            // the trail let us read: it may be asked more without being refused, which is recorded
    const char *approver, *reference, *model, *version, *verdict;
    char fingerprint[MLT_SSH_FINGERPRINT_LEN + 1]; // of the key that signed
};
void mlt_approving_clear(struct mlt_approving *a);

// approve_record.c. Each returns 0, or the exit status after saying what is wrong.
int mlt_approve_ask_origin(struct mlt_approving *a);
int mlt_approve_from_options(struct mlt_approving *a);
// mlt_approve_from_statement makes the record that a statement, signed elsewhere, speaks of.
int mlt_approve_from_statement(struct mlt_approving *a);

// approve_signature.c
int mlt_approve_sign(struct mlt_approving *a, const char *key_file);
// mlt_approve_check verifies the signature over the statement, whoever made it, and notes what the trail will find.
int mlt_approve_check(struct mlt_approving *a);

#endif
