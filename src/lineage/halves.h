// Halves: what goes into a model and what comes out of it, recorded apart by sources that send them apart (inference
// loggers). Either may come first, and either may never come. An event tells of both, and has a time of its own like
// them.
#ifndef MLT_LINEAGE_HALVES_H
#define MLT_LINEAGE_HALVES_H

#include "lineage/walk.h"

// mlt_half_is_side: what went in or what came out, without the other.
static inline bool mlt_half_is_side(enum mlt_half half) {
    return half == MLT_HALF_REQUEST || half == MLT_HALF_RESPONSE;
}
// mlt_node_has_half: one of the prediction's records is this half. A record that is no half has both.
bool mlt_node_has_half(const struct mlt_node *prediction, enum mlt_half half);
// mlt_halves_pair_id is what both halves have in common: the id that the logger gave them (event_id), else the
// request_id.
struct mlt_bytes mlt_halves_pair_id(const struct mlt_node *prediction, struct mlt_arena *arena);
// mlt_halves_paired: two predictions are rows of one request at one deployment.
bool mlt_halves_paired(const struct mlt_walk *w, const struct mlt_node *a, const struct mlt_node *b);
// mlt_halves_covers: `other` stands for the half that `prediction` lacks. A request that was not split into rows is
// that of each row of its response, and the other way round. What another producer logged stands for nothing.
bool mlt_halves_covers(const struct mlt_walk *w, const struct mlt_node *other, const struct mlt_node *prediction,
                       enum mlt_half half);

#endif
