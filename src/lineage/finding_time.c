// Times: what a record claims against when it was received.
#include <inttypes.h>

#include "lineage/finding.h"

// Clocks that are kept by NTP differ by milliseconds; a second is out of order.
#define CLOCK_TOLERANCE_NS MLT_NS_PER_S
// A spool or a nightly export delivers within a day. What comes later is a claim about the past.
#define LONG_BEFORE_NS (MLT_NS_PER_S * 3600 * 24)

static enum mlt_status check_part(struct mlt_walk *w, const struct mlt_node *node, const struct mlt_part *part) {
    const struct mlt_entry *e = &part->entry;
    char claimed[MLT_TIME_TEXT_LEN + 1], received[MLT_TIME_TEXT_LEN + 1];
    struct mlt_grounds g = {0};
    if (!e->has_time) {
        return MLT_OK;
    }
    mlt_time_format(claimed, e->time);
    mlt_time_format(received, e->received);
    mlt_grounds_add(&g, part->index);
    // Both are within the years 1678 to 2261, and their difference may not be.
    if (e->time > e->received && (uint64_t)e->time - (uint64_t)e->received > CLOCK_TOLERANCE_NS) {
        return mlt_finding_add(w, MLT_F_EVENT_AFTER_RECEIPT, &g, "%s claims %s and was received at %s",
                               mlt_node_label(w, node), claimed, received);
    }
    if (e->received > e->time && (uint64_t)e->received - (uint64_t)e->time > LONG_BEFORE_NS) {
        return mlt_finding_add(w, MLT_F_EVENT_LONG_BEFORE_RECEIPT, &g, "%s claims %s and was received at %s",
                               mlt_node_label(w, node), claimed, received);
    }
    return MLT_OK;
}

enum mlt_status mlt_check_time(struct mlt_walk *w) {
    const struct mlt_story *s = w->story;
    const struct mlt_node_list *lists[] = {&s->predictions, &s->model_versions, &s->training_runs, &s->dataset_versions,
                                           &s->approvals,   &s->transitions,    &s->related};
    enum mlt_status status = MLT_OK;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (size_t i = 0; i < lists[l]->num; i++) {
            const struct mlt_node *node = lists[l]->nodes[i];
            for (size_t p = 0; status == MLT_OK && p < node->num_parts; p++) {
                status = check_part(w, node, &node->parts[p]);
            }
        }
    }
    return status;
}
