// Digests of a model on disk: OpenSSF Model Signing's root, dirHash, and the manifest that they are made from.
#ifndef MLT_CLI_DIGEST_H
#define MLT_CLI_DIGEST_H

#include <sys/types.h>

#include "cli/cli.h"
#include "crypto/sha256.h"
#include "record/json.h"

#define MLT_DIGEST_DEPTH_MAX 256        // folders within folders: each holds an open directory
#define MLT_DIGEST_FILES_MAX (1u << 24) // 16 M files: a gigabyte of names
#define MLT_DIGEST_IGNORED_MAX MLT_CLI_GIVEN_MAX

struct mlt_digest_file {
    struct mlt_bytes path; // relative, with '/'; "." when a single file was given; terminated
    uint64_t size;
    uint8_t sha256[MLT_HASH_LEN];
    bool in_oms; // not one of what Model Signing leaves out by default
};

// A model: zero-initialised but for `cli` and `top`. Memory is the arena's and `files`.
struct mlt_digest {
    struct mlt_cli *cli;
    const char *top;
    const char *ignored[MLT_DIGEST_IGNORED_MAX]; // relative paths that count for nothing
    size_t num_ignored;
    bool own_manifest; // the file with these numbers is the manifest, wherever it lies: it counts for nothing
    dev_t own_dev;
    ino_t own_ino;
    bool single; // a file, not a folder
    struct mlt_digest_file *files;
    size_t num_files, cap_files;
    uint64_t bytes;
    uint8_t oms[MLT_HASH_LEN], dir_hash[MLT_HASH_LEN];
};

// digest_tree.c
// mlt_digest_ignore adds a path that is left out; false when there are too many.
bool mlt_digest_ignore(struct mlt_digest *d, struct mlt_bytes path);
bool mlt_digest_in_oms(struct mlt_bytes path); // false: Model Signing leaves it out by default
// mlt_digest_walk finds the files. Symbolic links, sockets and the like, names that are no UTF-8 or hold a line break,
// and models without a file are MLT_INVALID.
enum mlt_status mlt_digest_walk(struct mlt_digest *d, struct mlt_error *err) MLT_MUST_USE;
// mlt_digest_hash reads them all and sets the digests. `files` are in the order of Model Signing afterwards.
// MLT_CONFLICT: a file changed meanwhile.
enum mlt_status mlt_digest_hash(struct mlt_digest *d, struct mlt_error *err) MLT_MUST_USE;
void mlt_digest_clear(struct mlt_digest *d);

// digest_manifest.c: a manifest that somebody else made: a Model Signing signature (a Sigstore bundle), its statement,
// a model.version record, or a list of {"name", "digest"}.
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
