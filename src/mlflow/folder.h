// A model's files on this machine, as a manifest.
#ifndef MLT_MLFLOW_FOLDER_H
#define MLT_MLFLOW_FOLDER_H

#include "mlflow/manifest.h"

#define MLT_FOLDER_DEPTH_MAX 256 // folders within folders: each holds an open directory

struct stat;

struct mlt_folder_options {
    const char *const *ignored; // relative paths that count for nothing
    size_t num_ignored;
    const struct stat *own; // a file that counts for nothing, wherever it lies; NULL: none
    const char *advice;     // behind what is wrong with a file that could be left out; NULL: none
    void (*progress)(void *arg, uint64_t done, uint64_t total); // bytes; NULL: nobody looks
    void *progress_arg;
};

// mlt_folder_read adds each file of `top` with its digest; where `top` is a file itself, that one as ".". MLT_INVALID:
// it holds no file, or a symbolic link, a socket and the like, or a name that a manifest cannot hold. MLT_CONFLICT: a
// file changed meanwhile. MLT_LIMIT: see mlt_manifest_add; so many bytes are not read first.
enum mlt_status mlt_folder_read(const char *top, const struct mlt_folder_options *opt, struct mlt_manifest *out,
                                struct mlt_error *err) MLT_MUST_USE;

#endif
