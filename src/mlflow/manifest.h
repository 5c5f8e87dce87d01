// The files of a model, as a digest: what OpenSSF Model Signing computes (its root does not cover names) and in-toto's
// dirHash (which does).
#ifndef MLT_MLFLOW_MANIFEST_H
#define MLT_MLFLOW_MANIFEST_H

#include "crypto/sha256.h"
#include "record/json.h"

#define MLT_MANIFEST_FILES_MAX 100000 // of one model; more is no model
#define MLT_MANIFEST_SHOWN_MAX 1000   // files that a record lists; of more, the digests alone

struct mlt_manifest_file {
    struct mlt_bytes path; // relative, with slashes
    uint8_t sha256[MLT_HASH_LEN];
    uint64_t size;
};

// Zero-initialised is a valid empty one.
struct mlt_manifest {
    struct mlt_manifest_file *files;
    size_t num, cap;
    uint64_t bytes;
    struct mlt_arena arena; // the paths
};
// mlt_manifest_add: MLT_LIMIT: too many files. The path is copied.
enum mlt_status mlt_manifest_add(struct mlt_manifest *m, struct mlt_bytes path, const uint8_t sha256[MLT_HASH_LEN],
                                 uint64_t size, struct mlt_error *err) MLT_MUST_USE;
void mlt_manifest_clear(struct mlt_manifest *m);

// mlt_manifest_put_hash writes {"oms":…,"dirHash":…}; there must be a file. Sorts the files.
void mlt_manifest_put_hash(struct mlt_manifest *m, struct mlt_json_writer *w);
// mlt_manifest_put_files writes [{"name","algorithm","digest"}] in the order of Model Signing.
void mlt_manifest_put_files(struct mlt_manifest *m, struct mlt_json_writer *w);

#endif
