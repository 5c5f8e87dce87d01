// Segment commitments of the trail that is served (segment/segments.h): who makes them, and when.
#ifndef MLT_SERVER_SEGMENTING_H
#define MLT_SERVER_SEGMENTING_H

#include "segment/segments.h"
#include "server/api.h"

struct mlt_segmenting;
// mlt_segmenting_start keeps the segments of a trail; with opt->segments a thread of low priority commits to whole
// ones.
enum mlt_status mlt_segmenting_start(struct mlt_segmenting **out, struct mlt_api *api,
                                     const struct mlt_api_options *opt, struct mlt_error *err) MLT_MUST_USE;
void mlt_segmenting_stop(struct mlt_segmenting *g); // ends the thread and frees; NULL accepted

// mlt_segmenting_segments gives the segments, with all commitments that the log holds. Valid until the API is closed.
enum mlt_status mlt_segmenting_segments(struct mlt_segmenting *g, struct mlt_segments **out,
                                        struct mlt_error *err) MLT_MUST_USE;
uint64_t mlt_segmenting_covered(struct mlt_segmenting *g);

#endif
