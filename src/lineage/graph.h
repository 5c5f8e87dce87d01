// What the forward and the backward answer have in common: references and nodes as JSON.
#ifndef MLT_LINEAGE_GRAPH_H
#define MLT_LINEAGE_GRAPH_H

#include "lineage/finding.h"

// mlt_graph_ref writes {"type":…, and its parts by their names}.
void mlt_graph_ref(struct mlt_json_writer *w, const struct mlt_ref *ref);
// mlt_graph_node writes what identifies a node: entry, kind, id, claimed and received time, and its naming members.
void mlt_graph_node(const struct mlt_walk *walk, struct mlt_json_writer *w, const struct mlt_node *node);
// mlt_graph_ref_of turns an entry's reference into that of what the entry records. MLT_NOTFOUND: no such entry.
enum mlt_status mlt_graph_ref_of(struct mlt_walk *walk, const struct mlt_ref *ref, struct mlt_ref *out,
                                 struct mlt_node **node) MLT_MUST_USE;

#endif
