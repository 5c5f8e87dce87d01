#include "lineage/halves.h"

static bool part_has_half(const struct mlt_part *part, enum mlt_half half) {
    return part->relation != MLT_REL_CORRECTS && (part->half == half || !mlt_half_is_side(part->half));
}

bool mlt_node_has_half(const struct mlt_node *prediction, enum mlt_half half) {
    for (size_t i = 0; i < prediction->num_parts; i++) {
        if (part_has_half(&prediction->parts[i], half)) {
            return true;
        }
    }
    return false;
}

struct mlt_bytes mlt_halves_pair_id(const struct mlt_node *prediction, struct mlt_arena *arena) {
    struct mlt_bytes id = mlt_node_string(prediction, "event_id", arena);
    return id.len > 0 ? id : mlt_node_string(prediction, "request_id", arena);
}

static bool same_deployment(const struct mlt_node *a, const struct mlt_node *b) {
    struct mlt_value x = mlt_node_get(a, "deployment"), y = mlt_node_get(b, "deployment");
    return x.json == NULL || y.json == NULL || mlt_json_equal(x.json, x.at, y.json, y.at);
}

bool mlt_halves_paired(const struct mlt_walk *w, const struct mlt_node *a, const struct mlt_node *b) {
    return same_deployment(a, b) && mlt_bytes_equal(mlt_halves_pair_id(a, w->arena), mlt_halves_pair_id(b, w->arena));
}

// The half is by whoever logged the prediction: an id is no password.
static bool has_half_by(const struct mlt_node *other, struct mlt_bytes principal, enum mlt_half half) {
    for (size_t i = 0; i < other->num_parts; i++) {
        const struct mlt_part *part = &other->parts[i];
        if (part_has_half(part, half) && mlt_bytes_equal(part->entry.principal, principal)) {
            return true;
        }
    }
    return false;
}

bool mlt_halves_covers(const struct mlt_walk *w, const struct mlt_node *other, const struct mlt_node *prediction,
                       enum mlt_half half) {
    return other != prediction && has_half_by(other, prediction->parts[0].entry.principal, half) &&
           !(other->has_row && prediction->has_row) && mlt_halves_paired(w, other, prediction);
}
