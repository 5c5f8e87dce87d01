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

// The digest of the message that a half came in; json NULL: it does not say.
static struct mlt_value digest_of(const struct mlt_node *prediction, enum mlt_half half) {
    for (size_t i = 0; i < prediction->num_parts; i++) {
        const struct mlt_part *part = &prediction->parts[i];
        mlt_json_at at = part->half == half && part->relation != MLT_REL_CONFLICTS
                             ? mlt_json_get(&part->facts, 0, "message_digest")
                             : MLT_JSON_NONE;
        if (at != MLT_JSON_NONE) {
            return (struct mlt_value){&part->facts, at, part->index, MLT_PAYLOAD_OPEN};
        }
    }
    return (struct mlt_value){.at = MLT_JSON_NONE};
}

// Rows of one half come in one message. A message of other rows under the same id contradicts it, and is no
// contradiction of any one row.
static enum mlt_status check_messages(struct mlt_walk *w, enum mlt_half half, const char *what) {
    const struct mlt_node_list *list = &w->story->predictions;
    struct mlt_grounds g = {0};
    const struct mlt_node *example = NULL;
    for (size_t i = 1; i < list->num; i++) {
        struct mlt_value mine = digest_of(list->nodes[i], half);
        for (size_t n = 0; mine.json != NULL && n < i; n++) {
            struct mlt_value first = digest_of(list->nodes[n], half);
            if (first.json == NULL || !mlt_halves_paired(w, list->nodes[n], list->nodes[i])) {
                continue;
            }
            if (!mlt_json_equal(first.json, first.at, mine.json, mine.at)) {
                mlt_grounds_add(&g, first.entry);
                mlt_grounds_add(&g, mine.entry);
                example = example == NULL ? list->nodes[i] : example;
            }
            break;
        }
    }
    return example == NULL ? MLT_OK
                           : mlt_finding_add(w, MLT_F_CONFLICTING_RECORDS, &g,
                                             "the %s of %s came in another message than that of other rows of its "
                                             "request",
                                             what, mlt_node_label(w, example));
}

enum mlt_status mlt_check_halves(struct mlt_walk *w) {
    enum mlt_status status =
        check_half(w, MLT_HALF_RESPONSE, MLT_F_PREDICTION_UNANSWERED, "has the request and no response");
    status = status != MLT_OK
                 ? status
                 : check_half(w, MLT_HALF_REQUEST, MLT_F_PREDICTION_UNASKED, "has the response and no request");
    status = status != MLT_OK ? status : check_messages(w, MLT_HALF_REQUEST, "request");
    return status != MLT_OK ? status : check_messages(w, MLT_HALF_RESPONSE, "response");
}
