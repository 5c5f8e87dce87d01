// Anchoring: has the published checkpoint stamped by time-stamping authorities (RFC 3161), on a schedule and on demand,
// and records each token (kind `anchor`). What an authority does not answer is tried again with growing pauses; an
// interval that passed without success is recorded once (`control`, `anchor-failed`).
#ifndef MLT_SERVER_ANCHORING_H
#define MLT_SERVER_ANCHORING_H

#include "server/api.h"

#define MLT_ANCHORING_MAX 8 // authorities of one trail; two or three are prudence, more is noise in the log
#define MLT_ANCHORING_INTERVAL_DEFAULT (3600 * MLT_NS_PER_S)
#define MLT_ANCHORING_INTERVAL_MIN MLT_NS_PER_S

struct mlt_anchoring;

// mlt_anchoring_check says whether these options can be used: URLs, their number, interval, roots that parse.
enum mlt_status mlt_anchoring_check(struct mlt_env *env, const struct mlt_anchoring_options *opt,
                                    struct mlt_error *err) MLT_MUST_USE;

// mlt_anchoring_start begins; the API must be open and take records. With `opt->interval_ns` 0 it asks on demand only.
enum mlt_status mlt_anchoring_start(struct mlt_anchoring **out, struct mlt_api *api,
                                    const struct mlt_anchoring_options *opt, struct mlt_error *err) MLT_MUST_USE;
// mlt_anchoring_interrupt gives up an exchange under way and begins no other; NULL accepted.
void mlt_anchoring_interrupt(struct mlt_anchoring *an);
void mlt_anchoring_stop(struct mlt_anchoring *an); // waits for an exchange under way, about a second; NULL accepted

// What became of one question.
struct mlt_anchored {
    const char *url; // lives as long as `an`
    bool done;
    uint64_t entry; // of the anchor, when done
    uint64_t tree_size;
    struct mlt_error problem; // when not
};
// mlt_anchoring_now publishes and asks every authority, one after the other; `out` has MLT_ANCHORING_MAX places.
// Blocks for as long as they take to answer, at most half a minute each.
size_t mlt_anchoring_now(struct mlt_anchoring *an, struct mlt_anchored *out);

void mlt_anchoring_metrics(struct mlt_anchoring *an, struct mlt_buf *out); // NULL `an`: nothing

#endif
