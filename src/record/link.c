#include "record/link.h"

const uint8_t mlt_link_key[MLT_INDEX_KEY_LEN] = "mltrail/v1 link";

void mlt_link_make(struct mlt_link *out, enum mlt_dim dim, const struct mlt_bytes *values, size_t num_values) {
    mlt_term_hash(out->hash, mlt_link_key, dim, values, num_values);
}

void mlt_link_leaf_encode(uint8_t out[static MLT_LINK_LEAF_LEN], const struct mlt_link_leaf *leaf) {
    memcpy(out, leaf->link.hash, MLT_LINK_LEN);
    mlt_store_u64be(out + MLT_LINK_LEN, leaf->entry);
}

void mlt_link_leaf_decode(struct mlt_link_leaf *out, const uint8_t bytes[static MLT_LINK_LEAF_LEN]) {
    memcpy(out->link.hash, bytes, MLT_LINK_LEN);
    out->entry = mlt_load_u64be(bytes + MLT_LINK_LEN);
}

int mlt_link_leaf_compare(const struct mlt_link_leaf *a, const struct mlt_link_leaf *b) {
    int order = memcmp(a->link.hash, b->link.hash, MLT_LINK_LEN);
    return order != 0 ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

static bool included(const struct mlt_segment *s, const struct mlt_link_witness *w) {
    uint8_t bytes[MLT_LINK_LEAF_LEN];
    uint8_t hash[MLT_HASH_LEN];
    if (w->leaf.entry < s->first || w->leaf.entry >= s->end) {
        return false;
    }
    mlt_link_leaf_encode(bytes, &w->leaf);
    mlt_merkle_leaf(hash, mlt_bytes_of(bytes, sizeof(bytes)));
    return mlt_merkle_verify_inclusion(w->at, s->num_leaves, hash, &w->proof, s->root);
}

// The neighbours stand right beside the run, on the other side of the link.
static const char *check_neighbours(const struct mlt_segment *s, const struct mlt_link *link,
                                    const struct mlt_link_proof *p) {
    if (p->at > s->num_leaves || p->count > s->num_leaves - p->at) {
        return "it counts more leaves than the segment has";
    }
    if (p->has_before != (p->at > 0) || p->has_after != (p->at + p->count < s->num_leaves)) {
        return "a neighbour is missing, or there is one beyond the end of the tree";
    }
    if (p->has_before) {
        if (p->before.at != p->at - 1 || !included(s, &p->before)) {
            return "the leaf before is not in the segment's tree at its place";
        }
        if (memcmp(p->before.leaf.link.hash, link->hash, MLT_LINK_LEN) >= 0) {
            return "the leaf before does not come before the link";
        }
    }
    if (p->has_after) {
        if (p->after.at != p->at + p->count || !included(s, &p->after)) {
            return "the leaf after is not in the segment's tree at its place";
        }
        if (memcmp(p->after.leaf.link.hash, link->hash, MLT_LINK_LEN) <= 0) {
            return "the leaf after does not come after the link";
        }
    }
    return NULL;
}

static const char *check_shown(const struct mlt_segment *s, const struct mlt_link *link,
                               const struct mlt_link_proof *p) {
    // Leaves of one link are in the order of their entries. Were an older one shown in place of the newest, it would
    // pass for what is in force.
    if (p->num_shown > 0 && p->shown[0].at != p->at + p->count - p->num_shown) {
        return "the leaves that are shown are not the newest of the run";
    }
    for (size_t i = 0; i < p->num_shown; i++) {
        const struct mlt_link_witness *w = &p->shown[i];
        if (w->at < p->at || w->at >= p->at + p->count || (i > 0 && w->at <= p->shown[i - 1].at)) {
            return "a leaf that is shown is not within the run";
        }
        if (memcmp(w->leaf.link.hash, link->hash, MLT_LINK_LEN) != 0) {
            return "a leaf that is shown has another link";
        }
        if (!included(s, w)) {
            return "a leaf that is shown is not in the segment's tree at its place";
        }
        if (i > 0 && w->leaf.entry <= p->shown[i - 1].leaf.entry) {
            return "leaves that are shown do not ascend";
        }
    }
    return NULL;
}

bool mlt_link_proof_verify(const struct mlt_segment *segment, const struct mlt_link *link,
                           const struct mlt_link_proof *proof, const char **why) {
    const char *wrong = "the segment is empty of entries";
    if (segment->first < segment->end) {
        wrong = check_neighbours(segment, link, proof);
    }
    if (!wrong) {
        wrong = check_shown(segment, link, proof);
    }
    if (why) {
        *why = wrong;
    }
    return wrong == NULL;
}
