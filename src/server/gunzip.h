// Bodies that come compressed (Content-Encoding: gzip): unpacked as they arrive, so that what is counted, bounded and
// kept is what the body says and not what its sender made of it.
#ifndef MLT_SERVER_GUNZIP_H
#define MLT_SERVER_GUNZIP_H

#include "base/bytes.h"

struct mlt_gunzip;
struct mlt_gunzip *mlt_gunzip_new(void);    // NULL: no memory
void mlt_gunzip_free(struct mlt_gunzip *z); // NULL accepted

// mlt_gunzip_feed unpacks `data` onto the end of `out`. MLT_LIMIT: `out`, or all that was fed, would become longer than
// `max`; MLT_INVALID: the data is no gzip; MLT_NOMEM. After a failure only mlt_gunzip_free may follow.
enum mlt_status mlt_gunzip_feed(struct mlt_gunzip *z, struct mlt_bytes data, size_t max, struct mlt_buf *out,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_gunzip_end: was that all of it? MLT_INVALID: the data ends in its midst.
enum mlt_status mlt_gunzip_end(const struct mlt_gunzip *z, struct mlt_error *err) MLT_MUST_USE;

#endif
