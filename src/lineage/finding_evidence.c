// Evidence: members that are not there, payloads that are gone, records that contradict or correct each other.
#include <inttypes.h>

#include "lineage/finding.h"
#include "lineage/halves.h"

// Members whose absence has a finding of its own, or that something else stands in for.
static bool told_elsewhere(const struct mlt_node *node, const char *member) {
    if (node->kind == MLT_KIND_PREDICTION) {
        return strcmp(member, "model_version") == 0 ||
               (strcmp(member, "prediction") == 0 && !mlt_node_has_half(node, MLT_HALF_RESPONSE)) ||
               (strcmp(member, "feature_values") == 0 && !mlt_node_has_half(node, MLT_HALF_REQUEST));
    }
    if (strcmp(member, "request_ids") == 0) {
        return mlt_value_given(mlt_node_get(node, "request_id"));
    }
    if (node->kind == MLT_KIND_DATASET_VERSION) {
        return strcmp(member, "exclusions") == 0 ||
               (strcmp(member, "sources") == 0 && mlt_value_first(mlt_node_get(node, "inputs")) != MLT_JSON_NONE);
    }
    return false;
}

// A source without a date range, and a name without its version that leads nowhere, have findings of their own.
static bool part_told_elsewhere(const char *member) {
    return strcmp(member, "date_range") == 0 || strcmp(member, "version") == 0 || strcmp(member, "model_version") == 0;
}

// Adds the `+` members that the objects of a list lack, "sources[1].table". NULL: out of memory.
static const char *absent_in_list(const struct mlt_walk *w, const struct mlt_member *list, struct mlt_value v,
                                  const char *names) {
    size_t i = 0;
    for (mlt_json_at at = mlt_value_first(v); at != MLT_JSON_NONE; at = mlt_json_next(v.json, v.at, at), i++) {
        for (const struct mlt_member *m = list->members; m->name != NULL; m++) {
            if ((m->flags & MLT_M_EVIDENCE) == 0 || part_told_elsewhere(m->name) ||
                mlt_value_given(mlt_value_get(mlt_value_at(v, at), m->name))) {
                continue;
            }
            names = mlt_arena_printf(w->arena, "%s%s%s[%zu].%s", names, names[0] != '\0' ? ", " : "", list->name, i,
                                     m->name);
            if (names == NULL) {
                return NULL;
            }
        }
    }
    return names;
}

// A list that states nothing by being empty; an empty list of exclusions or transformations says that there were none.
static bool says_nothing(const struct mlt_node *node, struct mlt_value v, const char *member) {
    return node->kind == MLT_KIND_TRAINING_RUN && strcmp(member, "datasets") == 0 &&
           mlt_value_first(v) == MLT_JSON_NONE;
}

// The names of `+` members that the node lacks, "a, b"; empty when none. NULL: out of memory.
static const char *absent_members(const struct mlt_walk *w, const struct mlt_node *node) {
    const struct mlt_kind_info *kind = node->parts[0].entry.kind;
    const char *names = "";
    for (const struct mlt_member *m = kind != NULL ? kind->members : NULL; m != NULL && m->name != NULL; m++) {
        if ((m->flags & MLT_M_EVIDENCE) == 0) {
            continue;
        }
        struct mlt_value v = mlt_node_get(node, m->name);
        bool absent =
            mlt_value_given(v) ? says_nothing(node, v, m->name) : v.json != NULL || v.payload == MLT_PAYLOAD_NONE;
        if (absent && !told_elsewhere(node, m->name)) {
            names = mlt_arena_printf(w->arena, "%s%s%s", names, names[0] != '\0' ? ", " : "", m->name);
        } else if (!absent && m->type == MLT_T_OBJECTS) {
            names = absent_in_list(w, m, v, names);
        }
        if (names == NULL) {
            return NULL;
        }
    }
    return names;
}

static enum mlt_status check_members(struct mlt_walk *w, const struct mlt_node *node) {
    struct mlt_grounds g = {0};
    const char *names = absent_members(w, node);
    if (names == NULL) {
        return mlt_node_no_memory(w);
    }
    if (names[0] == '\0') {
        return MLT_OK;
    }
    mlt_grounds_add_node(&g, node);
    return mlt_finding_add(w, MLT_F_EVIDENCE_MISSING, &g, "%s lacks %s", mlt_node_label(w, node), names);
}

// Accesses come by the hundred from the same source: one finding for all of them.
static enum mlt_status check_accesses(struct mlt_walk *w) {
    const struct mlt_node_list *list = &w->story->access;
    struct mlt_grounds g = {0};
    size_t num = 0;
    const char *example = "";
    for (size_t i = 0; i < list->num; i++) {
        const char *names = absent_members(w, list->nodes[i]);
        if (names == NULL) {
            return mlt_node_no_memory(w);
        }
        if (names[0] != '\0') {
            example = num++ == 0 ? names : example;
            mlt_grounds_add_node(&g, list->nodes[i]);
        }
    }
    return num == 0 ? MLT_OK
                    : mlt_finding_add(w, MLT_F_EVIDENCE_MISSING, &g, "%zu accesses lack members; the first lacks %s",
                                      num, example);
}

static enum mlt_status check_payload(struct mlt_walk *w, const struct mlt_node *node, const struct mlt_part *part) {
    struct mlt_grounds g = {0};
    mlt_grounds_add(&g, part->index);
    switch (part->payload_state) {
    case MLT_PAYLOAD_MISSING:
        return mlt_finding_add(w, MLT_F_PAYLOAD_MISSING, &g, "the payload of %s is gone and no erasure is recorded",
                               mlt_node_label(w, node));
    case MLT_PAYLOAD_ERASED:
        return mlt_finding_add(w, MLT_F_PAYLOAD_ERASED, &g, "the payload of %s was erased", mlt_node_label(w, node));
    case MLT_PAYLOAD_OPEN:
    case MLT_PAYLOAD_NONE:
    case MLT_PAYLOAD_WITHHELD:
    case MLT_PAYLOAD_PARTLY:
    case MLT_PAYLOAD_MASKED:
        break;
    }
    return MLT_OK;
}

static enum mlt_status check_parts(struct mlt_walk *w, const struct mlt_node *node) {
    struct mlt_grounds conflicts = {0}, corrections = {0};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        status = check_payload(w, node, part);
        if (part->relation == MLT_REL_CONFLICTS) {
            mlt_grounds_add(&conflicts, part->index);
        } else if (part->relation == MLT_REL_CORRECTS) {
            mlt_grounds_add(&corrections, part->index);
        }
    }
    if (status == MLT_OK && conflicts.num > 0) {
        uint64_t first = conflicts.entries[0];
        mlt_grounds_add_node(&conflicts, node);
        status = mlt_finding_add(w, MLT_F_CONFLICTING_RECORDS, &conflicts, "%s is contradicted by entry %" PRIu64,
                                 mlt_node_label(w, node), first);
    }
    if (status == MLT_OK && corrections.num > 0) {
        uint64_t first = corrections.entries[0];
        mlt_grounds_add_node(&corrections, node);
        status = mlt_finding_add(w, MLT_F_RECORD_CORRECTED, &corrections, "%s is corrected by entry %" PRIu64,
                                 mlt_node_label(w, node), first);
    }
    return status;
}

enum mlt_status mlt_check_evidence(struct mlt_walk *w) {
    const struct mlt_story *s = w->story;
    const struct mlt_node_list *lists[] = {&s->predictions, &s->model_versions, &s->training_runs, &s->dataset_versions,
                                           &s->approvals,   &s->transitions,    &s->related};
    enum mlt_status status = MLT_OK;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (size_t i = 0; status == MLT_OK && i < lists[l]->num; i++) {
            status = check_members(w, lists[l]->nodes[i]);
            status = status == MLT_OK ? check_parts(w, lists[l]->nodes[i]) : status;
        }
    }
    return status == MLT_OK ? check_accesses(w) : status;
}
