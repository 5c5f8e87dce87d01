// Entries read back: details in their places, payload where it may be seen, and what belongs together put together.
#include <assert.h>
#include <stdlib.h>

#include "lineage/node.h"

#define PARTS_MAX 256 // entries under one identity; more come from a source gone wild and stay out of the node

// Tapes are heap memory of scanned documents; the story remembers each so that it can free them all.
struct mlt_story_tape {
    struct mlt_story_tape *next;
    struct mlt_json json;
};

enum mlt_status mlt_node_no_memory(const struct mlt_walk *w) {
    return mlt_fail(w->err, MLT_NOMEM, "out of memory while walking the lineage");
}

static bool remember_tape(const struct mlt_walk *w, struct mlt_json *json) {
    struct mlt_story_tape *tape = mlt_arena_zero(w->arena, sizeof(*tape));
    if (tape == NULL) {
        mlt_json_clear(json);
        return false;
    }
    tape->json = *json;
    tape->next = w->story->tapes;
    w->story->tapes = tape;
    return true;
}

void mlt_story_clear(struct mlt_story *story) {
    if (story == NULL) {
        return;
    }
    for (struct mlt_story_tape *tape = story->tapes; tape != NULL; tape = tape->next) {
        mlt_json_clear(&tape->json);
    }
    story->tapes = NULL;
}

bool mlt_list_add(struct mlt_arena *arena, struct mlt_node_list *list, struct mlt_node *node) {
    if ((list->num & (list->num - 1)) == 0) {
        size_t cap = list->num == 0 ? 1 : list->num * 2;
        struct mlt_node **nodes = mlt_arena_take(arena, cap * sizeof(struct mlt_node *));
        if (nodes == NULL) {
            return false;
        }
        if (list->num > 0) {
            memcpy(nodes, list->nodes, list->num * sizeof(struct mlt_node *));
        }
        list->nodes = nodes;
    }
    list->nodes[list->num++] = node;
    return true;
}

static int compare_nodes(const void *a, const void *b) {
    const struct mlt_node *x = *(struct mlt_node *const *)a, *y = *(struct mlt_node *const *)b;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

void mlt_list_sort(struct mlt_node_list *list) {
    if (list->num > 1) {
        qsort(list->nodes, list->num, sizeof(struct mlt_node *), compare_nodes);
    }
    for (size_t i = 0; i < list->num; i++) {
        list->nodes[i]->number = i;
    }
    if (list->total < list->num) {
        list->total = list->num;
    }
}

static enum mlt_status scan_remembered(const struct mlt_walk *w, struct mlt_json *json, struct mlt_bytes text) {
    enum mlt_status status = mlt_json_scan(json, text, w->err);
    return remember_tape(w, json) ? status : mlt_node_no_memory(w);
}

// A payload of which some members are masked is open with the members that are here.
static enum mlt_status load_partly(const struct mlt_walk *w, struct mlt_part *part, struct mlt_bytes plain) {
    struct mlt_json both = {0};
    enum mlt_status status = mlt_json_scan(&both, plain, w->err);
    struct mlt_bytes members = mlt_json_raw(&both, mlt_json_get(&both, 0, "members"));
    struct mlt_bytes masked = mlt_json_raw(&both, mlt_json_get(&both, 0, "masked"));
    mlt_json_clear(&both);
    if (status == MLT_OK) {
        status = scan_remembered(w, &part->payload, members);
    }
    if (status == MLT_OK) {
        status = scan_remembered(w, &part->masked, masked);
    }
    part->payload_state = MLT_PAYLOAD_OPEN;
    return status;
}

static enum mlt_status load_payload(const struct mlt_walk *w, struct mlt_part *part) {
    part->payload_state = MLT_PAYLOAD_NONE;
    if (part->entry.payload == MLT_JSON_NONE) {
        return MLT_OK;
    }
    struct mlt_bytes plain = {0};
    enum mlt_status status =
        w->src->payload(w->src->ctx, part->index, &part->entry, w->arena, &part->payload_state, &plain, w->err);
    if (status == MLT_OK && part->payload_state == MLT_PAYLOAD_PARTLY) {
        return load_partly(w, part, plain);
    }
    if (status != MLT_OK || part->payload_state != MLT_PAYLOAD_OPEN) {
        return status;
    }
    return scan_remembered(w, &part->payload, plain);
}

static enum mlt_status load_part(const struct mlt_walk *w, uint64_t index, struct mlt_part *part) {
    struct mlt_bytes bytes = {0}, facts = {0};
    enum mlt_status status = w->src->entry(w->src->ctx, index, w->arena, &bytes, w->err);
    if (status != MLT_OK) {
        return status;
    }
    part->index = index;
    status = mlt_entry_parse(&part->entry, w->arena, bytes, w->err);
    if (!remember_tape(w, &part->entry.json)) {
        return mlt_node_no_memory(w);
    }
    if (status != MLT_OK) {
        return status;
    }
    const struct mlt_detail_source details = {w->src->ctx, w->src->detail, false};
    status = mlt_entry_facts(&part->entry, &details, w->arena, &facts, w->err);
    if (status != MLT_OK) {
        return status;
    }
    status = mlt_json_scan(&part->facts, facts, w->err);
    if (!remember_tape(w, &part->facts)) {
        return mlt_node_no_memory(w);
    }
    return status != MLT_OK ? status : load_payload(w, part);
}

static enum mlt_half half_of(const struct mlt_node *node, struct mlt_arena *arena) {
    struct mlt_bytes half = mlt_node_string(node, "half", arena);
    return mlt_bytes_is(half, "request")    ? MLT_HALF_REQUEST
           : mlt_bytes_is(half, "response") ? MLT_HALF_RESPONSE
           : mlt_bytes_is(half, "event")    ? MLT_HALF_EVENT
                                            : MLT_HALF_NONE;
}

enum mlt_status mlt_node_load(const struct mlt_walk *w, uint64_t index, struct mlt_node **out) {
    struct mlt_node *node = mlt_arena_zero(w->arena, sizeof(*node));
    struct mlt_part *part = mlt_arena_zero(w->arena, sizeof(*part));
    if (node == NULL || part == NULL) {
        return mlt_node_no_memory(w);
    }
    enum mlt_status status = load_part(w, index, part);
    if (status != MLT_OK) {
        return mlt_context(w->err, status, "entry %llu", (unsigned long long)index);
    }
    // An entry of a later version has a kind that we do not know; it is kept as a custom one.
    node->kind = part->entry.kind != NULL ? part->entry.kind->kind : MLT_KIND_CUSTOM;
    node->entry = index;
    node->parts = part;
    node->num_parts = 1;
    if (node->kind == MLT_KIND_PREDICTION) {
        part->half = half_of(node, w->arena);
        node->has_row = mlt_json_u64(&part->facts, mlt_json_get(&part->facts, 0, "row"), &node->row);
    }
    *out = node;
    return MLT_OK;
}

// Members that say something about the submission and not about the thing recorded.
static bool about_submission(struct mlt_bytes name) {
    return mlt_bytes_is(name, "event_id") || mlt_bytes_is(name, "kind") || mlt_bytes_is(name, "timestamp");
}

// Members that are each half's own: two halves of one prediction differ in them. A server may give its response an id
// of its own (halves.h).
static bool about_half(struct mlt_bytes name) {
    return mlt_bytes_is(name, "half") || mlt_bytes_is(name, "message_digest") || mlt_bytes_is(name, "request_id");
}

// Digests differ only where an algorithm that both have differs (record/digest.h).
static bool values_agree(const struct mlt_kind_info *kind, struct mlt_bytes name, const struct mlt_json *a,
                         mlt_json_at a_at, const struct mlt_json *b, mlt_json_at b_at) {
    const struct mlt_member *member = kind != NULL ? mlt_kind_member(kind, name) : NULL;
    return mlt_json_equal(a, a_at, b, b_at) || (member != NULL && member->type == MLT_T_DIGEST &&
                                                mlt_digest_compare(a, a_at, b, b_at) != MLT_DIGEST_DIFFERENT);
}

static bool documents_agree(const struct mlt_kind_info *kind, const struct mlt_json *a, const struct mlt_json *b,
                            bool other_half) {
    if (a->num_tokens == 0 || b->num_tokens == 0) {
        return true;
    }
    for (mlt_json_at at = mlt_json_first(a, 0); at != MLT_JSON_NONE; at = mlt_json_next(a, 0, at)) {
        struct mlt_arena scratch = {0};
        struct mlt_bytes name = mlt_json_string(a, at, &scratch);
        bool submission = about_submission(name) || (other_half && about_half(name));
        mlt_json_at other = mlt_json_get_bytes(b, 0, name);
        bool agree = submission || other == MLT_JSON_NONE || values_agree(kind, name, a, at + 1, b, other);
        mlt_arena_clear(&scratch);
        if (!agree) {
            return false;
        }
    }
    return true;
}

static bool same_producer(const struct mlt_part *a, const struct mlt_part *b) {
    return mlt_bytes_equal(a->entry.principal, b->entry.principal);
}

// For kinds that happen at a moment the time is part of what is recorded. Two producers never read one clock. Halves
// are told apart by what they say: a request comes before its response, an event is told after what it tells of, and a
// message that was logged twice is the same.
static bool times_agree(const struct mlt_part *a, const struct mlt_part *b) {
    if (a->half == MLT_HALF_EVENT || b->half == MLT_HALF_EVENT ||
        (a->half != MLT_HALF_NONE && b->half != MLT_HALF_NONE)) {
        return true;
    }
    const struct mlt_member *member =
        a->entry.kind != NULL ? mlt_kind_member(a->entry.kind, mlt_str("timestamp")) : NULL;
    bool required = member != NULL && (member->flags & MLT_M_REQUIRED) != 0;
    return !required || !same_producer(a, b) || !a->entry.has_time || !b->entry.has_time ||
           a->entry.time == b->entry.time;
}

bool mlt_node_agrees(const struct mlt_node *node, const struct mlt_part *part) {
    for (size_t i = 0; i < node->num_parts; i++) {
        const struct mlt_part *earlier = &node->parts[i];
        bool other_half = earlier->half != part->half;
        if (earlier->relation != MLT_REL_CORRECTS && earlier->relation != MLT_REL_CONFLICTS &&
            (!documents_agree(part->entry.kind, &earlier->facts, &part->facts, other_half) ||
             !documents_agree(part->entry.kind, &earlier->payload, &part->payload, other_half) ||
             !times_agree(earlier, part))) {
            return false;
        }
    }
    return true;
}

static enum mlt_status add_part(const struct mlt_walk *w, struct mlt_node *node, const struct mlt_part *part,
                                enum mlt_relation relation) {
    struct mlt_part *parts = mlt_arena_take(w->arena, (node->num_parts + 1) * sizeof(*parts));
    if (parts == NULL) {
        return mlt_node_no_memory(w);
    }
    memcpy(parts, node->parts, node->num_parts * sizeof(*parts));
    parts[node->num_parts] = *part;
    parts[node->num_parts].relation = relation;
    node->parts = parts;
    node->num_parts++;
    return MLT_OK;
}

enum mlt_status mlt_node_join(const struct mlt_walk *w, struct mlt_node *node, struct mlt_node *part_of) {
    assert(part_of->num_parts == 1 && part_of->entry > node->entry);
    if (node->num_parts >= PARTS_MAX) {
        return MLT_OK;
    }
    const struct mlt_part *part = &part_of->parts[0];
    enum mlt_relation relation = MLT_REL_CORROBORATES;
    if (!mlt_node_agrees(node, part)) {
        relation = MLT_REL_CONFLICTS;
    } else {
        for (size_t i = 0; i < node->num_parts; i++) {
            if (same_producer(&node->parts[i], part)) {
                relation = MLT_REL_COMPLETES;
            }
        }
    }
    return add_part(w, node, part, relation);
}

enum mlt_status mlt_node_find_one(const struct mlt_walk *w, const struct mlt_term *term, enum mlt_kind kind,
                                  struct mlt_node **out) {
    uint64_t found[PARTS_MAX];
    size_t num = 0;
    bool more = false;
    *out = NULL;
    enum mlt_status status = w->src->find(w->src->ctx, term, 1, 0, false, PARTS_MAX, found, &num, NULL, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct mlt_node *node;
        status = mlt_node_load(w, found[i], &node);
        if (status != MLT_OK || node->kind != kind) {
            continue;
        }
        if (*out == NULL) {
            *out = node;
        } else {
            status = mlt_node_join(w, *out, node);
        }
    }
    return status;
}

static bool is_masked(const struct mlt_json *masked, struct mlt_bytes name) {
    struct mlt_arena scratch = {0};
    bool found = false;
    for (mlt_json_at at = masked->num_tokens > 0 ? mlt_json_first(masked, 0) : MLT_JSON_NONE;
         at != MLT_JSON_NONE && !found; at = mlt_json_next(masked, 0, at)) {
        found = mlt_bytes_equal(mlt_json_string(masked, at, &scratch), name);
    }
    mlt_arena_clear(&scratch);
    return found;
}

enum mlt_payload_state mlt_part_withholds(const struct mlt_part *part, struct mlt_bytes name) {
    if (mlt_json_get_bytes(&part->entry.json, part->entry.payload, name) == MLT_JSON_NONE) {
        return MLT_PAYLOAD_NONE;
    }
    return part->payload_state == MLT_PAYLOAD_OPEN && is_masked(&part->masked, name) ? MLT_PAYLOAD_MASKED
                                                                                     : part->payload_state;
}

struct mlt_value mlt_node_get(const struct mlt_node *node, const char *member) {
    struct mlt_value out = {.at = MLT_JSON_NONE, .entry = node->entry, .payload = MLT_PAYLOAD_NONE};
    for (size_t i = 0; i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        if (part->relation == MLT_REL_CORRECTS) {
            continue;
        }
        const struct mlt_json *documents[] = {&part->facts, &part->payload};
        for (size_t d = 0; d < 2; d++) {
            mlt_json_at at = documents[d]->num_tokens > 0 ? mlt_json_get(documents[d], 0, member) : MLT_JSON_NONE;
            if (at != MLT_JSON_NONE) {
                return (struct mlt_value){documents[d], at, part->index, MLT_PAYLOAD_OPEN};
            }
        }
        enum mlt_payload_state withheld = mlt_part_withholds(part, mlt_str(member));
        if (out.payload == MLT_PAYLOAD_NONE && withheld != MLT_PAYLOAD_OPEN && withheld != MLT_PAYLOAD_NONE) {
            out.payload = withheld;
            out.entry = part->index;
        }
    }
    return out;
}

struct mlt_bytes mlt_value_string(struct mlt_value v, struct mlt_arena *arena) {
    if (v.json == NULL || !mlt_json_is(v.json, v.at, MLT_JSON_STRING)) {
        return (struct mlt_bytes){0};
    }
    return mlt_json_string(v.json, v.at, arena);
}

struct mlt_bytes mlt_node_string(const struct mlt_node *node, const char *member, struct mlt_arena *arena) {
    return mlt_value_string(mlt_node_get(node, member), arena);
}

struct mlt_bytes mlt_node_raw(const struct mlt_node *node, const char *member) {
    struct mlt_value v = mlt_node_get(node, member);
    return v.json != NULL ? mlt_json_raw(v.json, v.at) : (struct mlt_bytes){0};
}

enum mlt_digest_match mlt_value_compare_digest(struct mlt_value a, struct mlt_value b) {
    if (!mlt_value_given(a) || !mlt_value_given(b)) {
        return MLT_DIGEST_NOT_COMPARABLE;
    }
    return mlt_digest_compare(a.json, a.at, b.json, b.at);
}
