// A manifest that somebody else made: a Model Signing signature (a Sigstore bundle), its statement, a model.version
// record, or a list of {"name", "digest"}.
#ifndef MLT_CLI_DIGEST_MANIFEST_H
#define MLT_CLI_DIGEST_MANIFEST_H

#include "cli/cli.h"
#include "record/json.h"

struct mlt_digest_manifest {
    struct mlt_buf text, statement; // the file; what its envelope holds
    struct mlt_json json;           // of whichever has the list
    mlt_json_at resources;          // the list
    mlt_json_at ignored;            // paths that it leaves out; MLT_JSON_NONE: none
    struct mlt_bytes root;          // OMS root in hexadecimal; empty: it states none
};
// Zero-initialised before. `text` must stay as long as the manifest does; further text is the arena's.
enum mlt_status mlt_digest_manifest_parse(struct mlt_digest_manifest *m, struct mlt_bytes text, struct mlt_arena *arena,
                                          struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_digest_manifest_read(struct mlt_cli *cli, struct mlt_digest_manifest *m, const char *file,
                                         struct mlt_error *err) MLT_MUST_USE;
void mlt_digest_manifest_clear(struct mlt_digest_manifest *m);

#endif
