// The files of a model and their digests.
//
// dirHash   SHA-256 over the lines "<hex>  <path>\n", paths in byte order (in-toto, Go's h1): all files. Binds names.
// OMS root  SHA-256 over the raw digests of the files, paths ordered component by component as pathlib does, without
//           .git, .github, .gitattributes and .gitignore at the top (OpenSSF Model Signing). Binds the order, not the
//           names.
#ifndef MLT_MLFLOW_MANIFEST_H
#define MLT_MLFLOW_MANIFEST_H

#include "crypto/sha256.h"
#include "record/json.h"

#define MLT_MANIFEST_FILES_MAX 100000 // of one model of a registry; more is no model
#define MLT_MANIFEST_SHOWN_MAX 1000   // files that a record lists; of more, the digests alone

struct mlt_manifest_file {
    struct mlt_bytes path; // relative, with '/'; "." for a model that is a single file; terminated
    uint8_t sha256[MLT_HASH_LEN];
    uint64_t size;
    bool in_oms; // not one of what Model Signing leaves out
};

// Zero-initialised is a valid empty one.
struct mlt_manifest {
    size_t files_max;   // 0: MLT_MANIFEST_FILES_MAX
    uint64_t bytes_max; // 0: any number
    struct mlt_manifest_file *files;
    size_t num, cap;
    uint64_t bytes;
    struct mlt_arena arena; // the paths
};
// mlt_manifest_add copies the path. MLT_LIMIT: too many files or bytes. MLT_INVALID: a name that is no UTF-8 or has a
// line break.
enum mlt_status mlt_manifest_add(struct mlt_manifest *m, struct mlt_bytes path, const uint8_t sha256[MLT_HASH_LEN],
                                 uint64_t size, struct mlt_error *err) MLT_MUST_USE;
// mlt_manifest_room: MLT_LIMIT when a file of this size is too many bytes.
enum mlt_status mlt_manifest_room(const struct mlt_manifest *m, uint64_t size, struct mlt_error *err) MLT_MUST_USE;
void mlt_manifest_clear(struct mlt_manifest *m);

bool mlt_manifest_is_under(struct mlt_bytes path, struct mlt_bytes folder); // or is it
bool mlt_manifest_in_oms(struct mlt_bytes path);                            // false: Model Signing leaves it out

void mlt_manifest_sort_by_name(struct mlt_manifest *m); // in byte order
// mlt_manifest_roots leaves the files in the order of Model Signing.
enum mlt_status mlt_manifest_roots(struct mlt_manifest *m, uint8_t oms[static MLT_HASH_LEN],
                                   uint8_t dir_hash[static MLT_HASH_LEN], struct mlt_error *err) MLT_MUST_USE;
// mlt_manifest_put_hash writes {"oms":…,"dirHash":…}; there must be a file. The order is as above.
void mlt_manifest_put_hash(struct mlt_manifest *m, struct mlt_json_writer *w);
// mlt_manifest_put_files writes [{"name","algorithm","digest"}] as they stand, of what Model Signing does not leave
// out.
void mlt_manifest_put_files(const struct mlt_manifest *m, bool sizes, struct mlt_json_writer *w);

#endif
