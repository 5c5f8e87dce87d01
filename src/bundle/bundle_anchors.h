// Anchors in a bundle.
#ifndef MLT_BUNDLE_BUNDLE_ANCHORS_H
#define MLT_BUNDLE_BUNDLE_ANCHORS_H

#include "bundle/bundle.h"

// mlt_bundle_anchor_read reads an entry as an anchor with all of its facts. False: it is none, or one that this version
// does not know. Slices are of `entry` or in `arena`.
bool mlt_bundle_anchor_read(struct mlt_anchor *out, struct mlt_bytes entry, const struct mlt_detail_source *details,
                            struct mlt_arena *arena);

#endif
