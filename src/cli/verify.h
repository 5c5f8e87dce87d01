// The parts of `verify`.
#ifndef MLT_CLI_VERIFY_H
#define MLT_CLI_VERIFY_H

#include "cli/cli.h"
#include "trail/verify.h"

// verify_key.c
// mlt_verify_key_given reads --key, a vkey or the file of one. False after saying what is wrong; `*have` is set
// otherwise.
bool mlt_verify_key_given(struct mlt_cli *cli, struct mlt_vkey *out, bool *have);

// known_trails.c: ~/.config/mltrail/known_trails, lines of "URL VKEY".
bool mlt_known_trail(struct mlt_cli *cli, const char *url, struct mlt_vkey *out);
// mlt_known_trail_ask asks on the terminal whether to trust the key and remembers it; false without a terminal or a
// yes.
bool mlt_known_trail_ask(struct mlt_cli *cli, const char *url, const struct mlt_vkey *key);

// verify_url.c: fetches checkpoint, tiles and entry bundles, and computes every hash again. `key` NULL: none from
// outside. 0, or the exit status after saying why it could not be checked. `*signer` gets "name+keyid" of the
// checkpoint.
int mlt_verify_url(struct mlt_cli *cli, const char *url, const struct mlt_vkey *key, struct mlt_verify_report *out,
                   char signer[static MLT_VKEY_TEXT_MAX]);

// mlt_verify_fault_add reports a fault of a mirrored trail.
void mlt_verify_fault_add(struct mlt_verify_report *r, enum mlt_verify_what what, const char *file, bool has_index,
                          uint64_t index, const char *fmt, ...) MLT_PRINTF(6, 7);

#endif
