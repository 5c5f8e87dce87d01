// Paths of requests: percent-encoded segments, decoded one by one after splitting, so that an encoded slash stays part
// of its name.
#ifndef MLT_SERVER_PATH_H
#define MLT_SERVER_PATH_H

#include "base/bytes.h"

#define MLT_PATH_SEGMENTS_MAX 8 // the deepest route has five; tiles take their rest as one

struct mlt_path {
    struct mlt_bytes segments[MLT_PATH_SEGMENTS_MAX]; // decoded values of the pattern's {names}, in order
    size_t num_segments;
};

// mlt_percent_decode gives the decoded text in `arena`; `plus` turns '+' into a space (queries). MLT_INVALID: a percent
// sign without two hexadecimal digits, or text that is not UTF-8 once decoded.
enum mlt_status mlt_percent_decode(struct mlt_bytes *out, struct mlt_bytes text, bool plus, struct mlt_arena *arena,
                                   struct mlt_error *err) MLT_MUST_USE;

// mlt_path_matches says whether `path` (as sent) has the shape of `pattern`: literal segments, {name} for one segment
// that is not empty, {name...} last for the rest. Nothing is decoded.
bool mlt_path_matches(const char *pattern, const char *path);

// mlt_path_decode gives the values of the pattern's names, for a path that matches it.
enum mlt_status mlt_path_decode(struct mlt_path *out, const char *pattern, const char *path, struct mlt_arena *arena,
                                struct mlt_error *err) MLT_MUST_USE;

#endif
