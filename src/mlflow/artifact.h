// The digest of a model, computed from its real files: from the file system, or downloaded through MLflow.
#ifndef MLT_MLFLOW_ARTIFACT_H
#define MLT_MLFLOW_ARTIFACT_H

#include "mlflow/manifest.h"
#include "mlflow/registry.h"

#define MLT_ARTIFACT_DEPTH_MAX 32 // directories in directories: a model has three

struct mlt_artifact_options {
    uint64_t max_bytes; // of one model
    bool local_files;   // file:// and plain paths are read from this machine
};

// mlt_artifact_location asks where the files of a version are; the text lives in `arena`.
enum mlt_status mlt_artifact_location(struct mlt_registry *r, struct mlt_bytes model, struct mlt_bytes version,
                                      struct mlt_arena *arena, struct mlt_bytes *out,
                                      struct mlt_error *err) MLT_MUST_USE;
// mlt_artifact_read hashes every file at `location`. MLT_INVALID: the text says why that place cannot be read from here
// (another scheme, a symbolic link, no file). MLT_LIMIT: more than was allowed.
enum mlt_status mlt_artifact_read(struct mlt_registry *r, struct mlt_bytes location,
                                  const struct mlt_artifact_options *opt, struct mlt_manifest *out,
                                  struct mlt_error *err) MLT_MUST_USE;

#endif
