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

// Members that say which submission it was, not what is recorded.
static bool of_submission(struct mlt_bytes name) {
    return mlt_bytes_is(name, "kind") || mlt_bytes_is(name, "event_id") || mlt_bytes_is(name, "timestamp");
}

// Adds the members that the node has from this part alone, "a, b"; those that no table names, as one word. NULL: out of
// memory.
static const char *added_by(const struct mlt_walk *w, const struct mlt_node *node, const struct mlt_part *part,
                            const char *names) {
    const struct mlt_json *documents[] = {&part->facts, &part->payload, &part->entry.json};
    const mlt_json_at objects[] = {0, 0, part->entry.payload}; // the last names what is sealed
    bool others = false;
    for (size_t d = 0; d < sizeof(documents) / sizeof(documents[0]); d++) {
        const struct mlt_json *json = documents[d];
        mlt_json_at at =
            json->num_tokens > 0 && objects[d] != MLT_JSON_NONE ? mlt_json_first(json, objects[d]) : MLT_JSON_NONE;
        for (; at != MLT_JSON_NONE; at = mlt_json_next(json, objects[d], at)) {
            const struct mlt_bytes name = mlt_json_string(json, at, w->arena);
            const char *member = mlt_arena_cstr(w->arena, name);
            if (member == NULL) {
                return NULL;
            }
            const struct mlt_value v = mlt_node_get(node, member);
            if (of_submission(name) || v.entry != part->index || (d == 2 && v.payload == MLT_PAYLOAD_OPEN)) {
                continue;
            }
            if (part->entry.kind == NULL || mlt_kind_member(part->entry.kind, name) == NULL) {
                others = true;
                continue;
            }
            names = mlt_arena_printf(w->arena, "%s%s%s", names, names[0] != '\0' ? ", " : "", member);
            if (names == NULL) {
                return NULL;
            }
        }
    }
    return !others ? names : mlt_arena_printf(w->arena, "%s%sothers", names, names[0] != '\0' ? ", " : "");
}

// Whoever knows the names of a thing can send a record of it: what only another producer says is told apart.
static enum mlt_status check_producers(struct mlt_walk *w, const struct mlt_node *node) {
    const struct mlt_part *first = &node->parts[0];
    struct mlt_grounds g = {0};
    enum mlt_status status = MLT_OK;
    for (size_t i = 1; status == MLT_OK && i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        if (part->relation == MLT_REL_CONFLICTS || part->relation == MLT_REL_CORRECTS ||
            mlt_bytes_equal(part->entry.principal, first->entry.principal)) {
            continue;
        }
        const char *names = added_by(w, node, part, "");
        if (names == NULL) {
            return mlt_node_no_memory(w);
        }
        if (names[0] != '\0') {
            g = (struct mlt_grounds){0};
            mlt_grounds_add_node(&g, node);
            mlt_grounds_add(&g, part->index);
            status = mlt_finding_add(w, MLT_F_MEMBERS_BY_ANOTHER, &g,
                                     "%s has from another producer, by entry %" PRIu64 ": %s", mlt_node_label(w, node),
                                     part->index, names);
        }
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
            status = status == MLT_OK ? check_producers(w, lists[l]->nodes[i]) : status;
        }
    }
    return status == MLT_OK ? check_accesses(w) : status;
}
