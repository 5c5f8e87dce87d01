// Nodes: entries read back, put together into logical records.
#ifndef MLT_LINEAGE_NODE_H
#define MLT_LINEAGE_NODE_H

#include "lineage/lineage.h"
#include "note/allowed_signers.h"

// The allowed signers in force, read once for a story (mlt_walk_signers).
struct mlt_signers {
    bool loaded;
    uint64_t entry;  // of the setting; UINT64_MAX: never set
    const char *why; // what is wrong with it; NULL: nothing
    struct mlt_allowed_signers list;
};

// One walk: what it reads from, where it puts things, and the story that it tells.
struct mlt_walk {
    const struct mlt_source *src;
    struct mlt_arena *arena;
    struct mlt_story *story;
    struct mlt_error *err;
    bool cut; // a limit ended the walk: what is not here may yet be in the trail
    bool signatures_checked;
    struct mlt_signers signers;
};

enum mlt_status mlt_node_no_memory(const struct mlt_walk *w);

// mlt_list_add appends to a list whose room doubles with the powers of two: lists need no capacity of their own.
bool mlt_list_add(struct mlt_arena *arena, struct mlt_node_list *list, struct mlt_node *node);
// mlt_list_sort orders by first entry and numbers the nodes.
void mlt_list_sort(struct mlt_node_list *list);

// mlt_node_load reads one entry as a node of a single part. Its tapes live until mlt_story_clear.
enum mlt_status mlt_node_load(const struct mlt_walk *w, uint64_t index, struct mlt_node **out) MLT_MUST_USE;
// mlt_node_join adds `part_of`'s only part to `node` and decides how it relates to what is there.
enum mlt_status mlt_node_join(const struct mlt_walk *w, struct mlt_node *node, struct mlt_node *part_of) MLT_MUST_USE;
// mlt_node_agrees: no member that both have differs.
bool mlt_node_agrees(const struct mlt_node *node, const struct mlt_part *part);
// mlt_node_find_one gives the node of all entries under `term` of `kind`; NULL when there is none.
enum mlt_status mlt_node_find_one(const struct mlt_walk *w, const struct mlt_term *term, enum mlt_kind kind,
                                  struct mlt_node **out) MLT_MUST_USE;
// mlt_node_attach_corrections adds the corrections of the node's entries as parts and as nodes of story->related.
enum mlt_status mlt_node_attach_corrections(const struct mlt_walk *w, struct mlt_node *node) MLT_MUST_USE;

static inline bool mlt_value_given(struct mlt_value v) {
    return v.json != NULL && !mlt_json_is(v.json, v.at, MLT_JSON_NULL);
}
// A member of a member.
static inline struct mlt_value mlt_value_get(struct mlt_value v, const char *name) {
    struct mlt_value out = v;
    out.at = v.json != NULL ? mlt_json_get(v.json, v.at, name) : MLT_JSON_NONE;
    if (out.at == MLT_JSON_NONE) {
        out.json = NULL;
    }
    return out;
}
struct mlt_bytes mlt_value_string(struct mlt_value v, struct mlt_arena *arena); // {NULL,0}: absent or no string
// Elements of an array, or an empty iteration for anything else.
static inline mlt_json_at mlt_value_first(struct mlt_value v) {
    return v.json != NULL && mlt_json_is(v.json, v.at, MLT_JSON_ARRAY) ? mlt_json_first(v.json, v.at) : MLT_JSON_NONE;
}
static inline struct mlt_value mlt_value_at(struct mlt_value container, mlt_json_at at) {
    container.at = at;
    return container;
}
enum mlt_digest_match mlt_value_compare_digest(struct mlt_value a, struct mlt_value b); // not comparable when absent

// The claimed time of the node's first entry; false when it has none.
static inline bool mlt_node_time(const struct mlt_node *node, int64_t *out) {
    *out = node->parts[0].entry.time;
    return node->parts[0].entry.has_time;
}

#endif
