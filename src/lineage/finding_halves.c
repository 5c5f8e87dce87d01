// Halves: a request without its response, and a response without its request.
#include "lineage/finding.h"
#include "lineage/halves.h"

static bool lacks(const struct mlt_walk *w, const struct mlt_node *prediction, enum mlt_half half) {
    const struct mlt_node_list *list = &w->story->predictions;
    if (mlt_node_has_half(prediction, half)) {
        return false;
    }
    for (size_t i = 0; i < list->num; i++) {
        if (mlt_halves_covers(w, list->nodes[i], prediction, half)) {
            return false;
        }
    }
    return true;
}

// Rows come by the hundred from one message: one finding for all of them.
static enum mlt_status check_half(struct mlt_walk *w, enum mlt_half half, enum mlt_finding_id id, const char *what) {
    const struct mlt_node_list *list = &w->story->predictions;
    const struct mlt_node *first = NULL;
    struct mlt_grounds g = {0};
    size_t num = 0;
    for (size_t i = 0; i < list->num; i++) {
        if (lacks(w, list->nodes[i], half)) {
            mlt_grounds_add_node(&g, list->nodes[i]);
            first = first == NULL ? list->nodes[i] : first;
            num++;
        }
    }
    if (num == 0) {
        return MLT_OK;
    }
    return num == 1 ? mlt_finding_add(w, id, &g, "%s %s", mlt_node_label(w, first), what)
                    : mlt_finding_add(w, id, &g, "%zu predictions of this request, the first of them %s: each %s", num,
                                      mlt_node_label(w, first), what);
}

enum mlt_status mlt_check_halves(struct mlt_walk *w) {
    enum mlt_status status =
        check_half(w, MLT_HALF_RESPONSE, MLT_F_PREDICTION_UNANSWERED, "has the request and no response");
    return status != MLT_OK
               ? status
               : check_half(w, MLT_HALF_REQUEST, MLT_F_PREDICTION_UNASKED, "has the response and no request");
}
