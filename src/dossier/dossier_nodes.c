// Records as the dossier shows them: every member of the kind's table, null where nothing was recorded, and after them
// whatever else the record said.
#include "dossier/dossier_write.h"
#include "dossier/view.h"

// A record's member of a name that the dossier itself gives to a node (view.h) is shown with "recorded_" in front
// (again, when it already begins so), so that no two members can share a name.
static const char own_prefix[] = "recorded_";

static bool is_own_name(struct mlt_bytes name) {
    const size_t prefix_len = sizeof(own_prefix) - 1;
    while (name.len > prefix_len && memcmp(name.ptr, own_prefix, prefix_len) == 0) {
        name.ptr += prefix_len;
        name.len -= prefix_len;
    }
    return mlt_view_is_envelope(name);
}

static void put_name(struct mlt_dossier_writer *d, struct mlt_bytes name) {
    if (!is_own_name(name)) {
        mlt_jw_name_bytes(&d->w, name);
        return;
    }
    char *prefixed = mlt_arena_printf(d->arena, "%s%.*s", own_prefix, MLT_ARG(name));
    mlt_jw_name(&d->w, prefixed ? prefixed : own_prefix);
}

void mlt_dossier_put_time(struct mlt_json_writer *w, const char *name, bool has_time, int64_t time) {
    char text[MLT_TIME_TEXT_LEN + 1];
    if (has_time) {
        mlt_time_format(text, time);
    }
    mlt_jw_member(w, name, has_time ? text : NULL);
}

static bool part_member(const struct mlt_part *part, struct mlt_bytes name, const struct mlt_json **json,
                        mlt_json_at *at) {
    const struct mlt_json *docs[] = {&part->facts, part->payload_state == MLT_PAYLOAD_OPEN ? &part->payload : NULL};
    for (size_t i = 0; i < 2; i++) {
        if (docs[i] && docs[i]->num_tokens > 0) {
            const mlt_json_at found = mlt_json_get_bytes(docs[i], 0, name);
            if (found != MLT_JSON_NONE) {
                *json = docs[i];
                *at = found;
                return true;
            }
        }
    }
    return false;
}

// Why a part cannot show a member that it holds a commitment to; NULL: it holds none, or shows it.
static const char *closed_reason(const struct mlt_part *part, struct mlt_bytes name) {
    switch (mlt_part_withholds(part, name)) {
    case MLT_PAYLOAD_NONE:
    case MLT_PAYLOAD_OPEN:
        return NULL;
    case MLT_PAYLOAD_ERASED:
        return "erased";
    case MLT_PAYLOAD_MISSING:
        return "missing";
    case MLT_PAYLOAD_MASKED:
        return "masked";
    default:
        return "not-granted";
    }
}

bool mlt_node_member(const struct mlt_node *node, struct mlt_bytes name, const struct mlt_json **json,
                     mlt_json_at *at) {
    for (size_t i = 0; i < node->num_parts; i++) {
        if (node->parts[i].relation != MLT_REL_CORRECTS && part_member(&node->parts[i], name, json, at)) {
            return true;
        }
    }
    return false;
}

const char *mlt_node_text(const struct mlt_node *node, const char *name, struct mlt_arena *arena) {
    const struct mlt_json *json;
    mlt_json_at at;
    if (!mlt_node_member(node, mlt_str(name), &json, &at) || !mlt_json_is(json, at, MLT_JSON_STRING)) {
        return NULL;
    }
    return mlt_arena_cstr(arena, mlt_json_string(json, at, arena));
}

const char *mlt_approver_assurance(const struct mlt_node *approval, struct mlt_arena *arena) {
    const char *approver = mlt_node_text(approval, "approver", arena);
    if (mlt_node_signed(approval)) {
        return "signed";
    }
    return approver && mlt_node_submitted_by(approval, mlt_str(approver)) ? "submitted" : "claimed";
}

// The part that holds a commitment to a member and cannot show it.
static const struct mlt_part *closed_part(const struct mlt_node *node, struct mlt_bytes name) {
    for (size_t i = 0; i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        if (part->relation != MLT_REL_CORRECTS && closed_reason(part, name)) {
            return part;
        }
    }
    return NULL;
}

const char *mlt_node_withheld(const struct mlt_node *node, struct mlt_bytes name) {
    const struct mlt_part *part = closed_part(node, name);
    return part ? closed_reason(part, name) : NULL;
}

static void put_withheld(struct mlt_dossier_writer *d, const struct mlt_part *part, struct mlt_bytes name) {
    const mlt_json_at commitment = mlt_json_get_bytes(&part->entry.json, part->entry.payload, name);
    mlt_jw_object(&d->w);
    mlt_jw_member(&d->w, "withheld", closed_reason(part, name));
    mlt_jw_name(&d->w, "commitment");
    mlt_jw_value(&d->w, &part->entry.json, commitment);
    mlt_jw_end_object(&d->w);
}

static void put_table_members(struct mlt_dossier_writer *d, const struct mlt_node *node,
                              const struct mlt_kind_info *kind) {
    for (const struct mlt_member *m = kind ? kind->members : NULL; m && m->name; m++) {
        const struct mlt_json *json;
        mlt_json_at at;
        const struct mlt_bytes name = mlt_str(m->name);
        put_name(d, name);
        if (mlt_node_member(node, name, &json, &at)) {
            mlt_jw_value(&d->w, json, at);
            continue;
        }
        const struct mlt_part *closed = closed_part(node, name);
        if (closed) {
            put_withheld(d, closed, name);
        } else {
            mlt_jw_null(&d->w);
        }
    }
}

// Whether a part before `before` already showed a member of this name, open or closed.
static bool shown_earlier(const struct mlt_node *node, size_t before, struct mlt_bytes name) {
    for (size_t i = 0; i < before; i++) {
        const struct mlt_part *part = &node->parts[i];
        const struct mlt_json *json;
        mlt_json_at at;
        if (part->relation == MLT_REL_CORRECTS) {
            continue;
        }
        if (part_member(part, name, &json, &at) || closed_reason(part, name)) {
            return true;
        }
    }
    return false;
}

static void put_other_members(struct mlt_dossier_writer *d, const struct mlt_node *node,
                              const struct mlt_kind_info *kind, size_t part_idx) {
    const struct mlt_part *part = &node->parts[part_idx];
    const struct mlt_json *docs[] = {&part->facts, &part->payload, &part->entry.json};
    const mlt_json_at roots[] = {
        part->facts.num_tokens ? 0 : MLT_JSON_NONE,
        part->payload_state == MLT_PAYLOAD_OPEN && part->payload.num_tokens ? 0 : MLT_JSON_NONE, part->entry.payload};
    for (size_t i = 0; i < 3; i++) {
        if (roots[i] == MLT_JSON_NONE) {
            continue;
        }
        for (mlt_json_at n = mlt_json_first(docs[i], roots[i]); n != MLT_JSON_NONE;
             n = mlt_json_next(docs[i], roots[i], n)) {
            const struct mlt_bytes name = mlt_json_string(docs[i], n, d->arena);
            // The facts come first: a payload member of the same name cannot exist, since names are unique in a record.
            if ((kind && mlt_kind_member(kind, name)) || shown_earlier(node, part_idx, name) ||
                (i > 0 && roots[0] != MLT_JSON_NONE && mlt_json_get_bytes(docs[0], 0, name) != MLT_JSON_NONE)) {
                continue;
            }
            if (i < 2) {
                put_name(d, name);
                mlt_jw_value(&d->w, docs[i], n + 1);
            } else if (closed_reason(part, name)) {
                put_name(d, name);
                put_withheld(d, part, name);
            }
        }
    }
}

static void put_producer(struct mlt_json_writer *w, const struct mlt_entry *entry) {
    mlt_jw_name(w, "producer");
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "principal", entry->principal);
    mlt_jw_member_bytes(w, "assurance", entry->assurance);
    mlt_jw_end_object(w);
}

static const char *relation_name(enum mlt_relation relation) {
    static const char *const names[] = {
        [MLT_REL_FIRST] = "first",         [MLT_REL_COMPLETES] = "completes",
        [MLT_REL_CONFLICTS] = "conflicts", [MLT_REL_CORROBORATES] = "corroborates",
        [MLT_REL_CORRECTS] = "corrects",
    };
    return names[relation];
}

// The members in which a part says something else than what is shown for the node.
static void put_differences(struct mlt_dossier_writer *d, const struct mlt_node *node, const struct mlt_part *part) {
    const struct mlt_json *docs[] = {&part->facts, part->payload_state == MLT_PAYLOAD_OPEN ? &part->payload : NULL};
    mlt_jw_name(&d->w, "differs");
    mlt_jw_object(&d->w);
    for (size_t i = 0; i < 2; i++) {
        if (!docs[i] || docs[i]->num_tokens == 0) {
            continue;
        }
        for (mlt_json_at n = mlt_json_first(docs[i], 0); n != MLT_JSON_NONE; n = mlt_json_next(docs[i], 0, n)) {
            const struct mlt_bytes name = mlt_json_string(docs[i], n, d->arena);
            const struct mlt_json *json;
            mlt_json_at at;
            const bool same = part->relation != MLT_REL_CORRECTS && mlt_node_member(node, name, &json, &at) &&
                              mlt_json_equal(json, at, docs[i], n + 1);
            if (!same) {
                mlt_jw_name_bytes(&d->w, name);
                mlt_jw_value(&d->w, docs[i], n + 1);
            }
        }
    }
    mlt_jw_end_object(&d->w);
}

static void put_other_entries(struct mlt_dossier_writer *d, const struct mlt_node *node) {
    mlt_jw_name(&d->w, "other_entries");
    mlt_jw_array(&d->w);
    for (size_t i = 1; i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        mlt_jw_object(&d->w);
        mlt_jw_member_u64(&d->w, "entry", part->index);
        mlt_jw_member(&d->w, "relation", relation_name(part->relation));
        mlt_dossier_put_time(&d->w, "time", part->entry.has_time, part->entry.time);
        mlt_dossier_put_time(&d->w, "received", true, part->entry.received);
        put_producer(&d->w, &part->entry);
        put_differences(d, node, part);
        mlt_jw_end_object(&d->w);
    }
    mlt_jw_end_array(&d->w);
}

// What the trail itself could tell about a prediction that does not name its version.
static void put_resolved(struct mlt_dossier_writer *d, const struct mlt_story *story, const struct mlt_node *node) {
    const struct mlt_resolution *r = mlt_story_resolution(story, node);
    struct mlt_json_writer *w = &d->w;
    mlt_jw_name(w, "resolved");
    if (!r) {
        mlt_jw_null(w);
        return;
    }
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "model", r->model);
    mlt_jw_member_bytes(w, "model_version", r->model_version);
    mlt_jw_member_u64(w, "from_entry", r->entry);
    if (r->artifact.json) {
        mlt_jw_name(w, "model_artifact_hash");
        mlt_jw_value(&d->w, r->artifact.json, r->artifact.at);
        mlt_jw_member_u64(w, "artifact_from_entry", r->artifact.entry);
    }
    mlt_jw_end_object(w);
}

// How it is known that the approver approved, and what became of each signature.
static void put_approver(struct mlt_dossier_writer *d, const struct mlt_node *node) {
    struct mlt_json_writer *w = &d->w;
    mlt_jw_member(w, "approver_assurance", mlt_approver_assurance(node, d->arena));
    mlt_jw_name(w, "signature_checks");
    mlt_jw_array(w);
    for (size_t i = 0; i < node->num_signatures; i++) {
        const struct mlt_signature_check *check = &node->signatures[i];
        mlt_jw_object(w);
        mlt_jw_member_u64(w, "entry", check->entry);
        mlt_jw_member(w, "verdict", mlt_signature_verdict_name(check->verdict));
        if (check->why) {
            mlt_jw_member(w, "why", check->why);
        }
        mlt_jw_member(w, "key", check->fingerprint[0] ? check->fingerprint : NULL);
        mlt_jw_name(w, "allowed_signers");
        if (check->setting != UINT64_MAX) {
            mlt_jw_u64(w, check->setting);
        } else {
            mlt_jw_null(w);
        }
        mlt_jw_end_object(w);
    }
    mlt_jw_end_array(w);
}

enum mlt_served_mark { MLT_SERVED_NO_MEMBER, MLT_SERVED_FALSE, MLT_SERVED_TRUE, MLT_SERVED_UNKNOWN };

static void put_node(struct mlt_dossier_writer *d, const struct mlt_node *node, enum mlt_served_mark served,
                     const struct mlt_story *story) {
    const struct mlt_entry *entry = &node->parts[0].entry;
    struct mlt_json_writer *w = &d->w;
    mlt_jw_object(w);
    mlt_jw_member_bytes(w, "kind", entry->kind_name);
    mlt_jw_member_u64(w, "entry", node->entry);
    mlt_jw_name(w, "entries");
    mlt_jw_array(w);
    for (size_t i = 0; i < node->num_parts; i++) {
        mlt_jw_u64(w, node->parts[i].index);
    }
    mlt_jw_end_array(w);
    if (served == MLT_SERVED_UNKNOWN) {
        mlt_jw_member(w, "served", NULL);
    } else if (served != MLT_SERVED_NO_MEMBER) {
        mlt_jw_member_bool(w, "served", served == MLT_SERVED_TRUE);
    }
    if (story) {
        put_resolved(d, story, node);
    }
    mlt_jw_member_bytes(w, "id", entry->id);
    mlt_dossier_put_time(w, "time", entry->has_time, entry->time);
    mlt_dossier_put_time(w, "received", true, entry->received);
    put_producer(w, entry);
    if (node->kind == MLT_KIND_APPROVAL) {
        put_approver(d, node);
    }
    put_table_members(d, node, entry->kind);
    for (size_t i = 0; i < node->num_parts; i++) {
        if (node->parts[i].relation != MLT_REL_CORRECTS) {
            put_other_members(d, node, entry->kind, i);
        }
    }
    put_other_entries(d, node);
    mlt_jw_end_object(w);
}

void mlt_dossier_put_list(struct mlt_dossier_writer *d, const char *name, const struct mlt_node_list *list) {
    mlt_jw_name(&d->w, name);
    mlt_jw_array(&d->w);
    for (size_t i = 0; i < list->num; i++) {
        put_node(d, list->nodes[i], MLT_SERVED_NO_MEMBER, NULL);
    }
    mlt_jw_end_array(&d->w);
}

void mlt_dossier_put_predictions(struct mlt_dossier_writer *d, const struct mlt_story *story) {
    mlt_jw_name(&d->w, "predictions");
    mlt_jw_array(&d->w);
    for (size_t i = 0; i < story->predictions.num; i++) {
        const struct mlt_node *node = story->predictions.nodes[i];
        enum mlt_served_mark mark = MLT_SERVED_UNKNOWN;
        if (story->served) {
            mark = node == story->served ? MLT_SERVED_TRUE : MLT_SERVED_FALSE;
        }
        put_node(d, node, mark, story);
    }
    mlt_jw_end_array(&d->w);
}
