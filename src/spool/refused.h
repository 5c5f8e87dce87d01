// What the server refused for good is kept in the spool's rejected.ndjson, one object a line.
#ifndef MLT_SPOOL_REFUSED_H
#define MLT_SPOOL_REFUSED_H

#include "spool/frame.h"
#include "spool/spool_file.h"

#define MLT_REFUSED_FILE_MAX ((uint64_t)256 * 1024 * 1024) // a producer that is wrong all day must not fill the disk

struct mlt_refused {
    const char *stream;
    uint64_t frame;
    enum mlt_frame_type type;
    int status;               // of the answer; 0: there was none, it was found to be wrong here
    struct mlt_bytes problem; // a JSON value: the server's problem, or a string
    struct mlt_bytes body;    // of the frame
};
// mlt_refused_put adds a line to `out`.
void mlt_refused_put(struct mlt_buf *out, struct mlt_env *env, const struct mlt_refused *r);
// mlt_refused_keep appends lines to DIR/rejected.ndjson, durably, beside other processes. MLT_NOSPACE: it is as long as
// it may be.
enum mlt_status mlt_refused_keep(struct mlt_env *env, const char *dir, struct mlt_bytes lines,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
