// Every event of the story in log order. The order of the log is proof, the times that clients wrote are claims; an
// event that claims to have happened in another order, or after it was recorded, is marked.
#include <stdlib.h>

#include "dossier/dossier_write.h"

struct event {
    const struct mlt_node *node;
    const struct mlt_part *part;
    size_t order; // as gathered: decides between two events of one entry
};

static int by_index(const void *a, const void *b) {
    const struct event *x = a, *y = b;
    if (x->part->index != y->part->index) {
        return x->part->index < y->part->index ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static const char *actor_member(enum mlt_kind kind) {
    switch (kind) {
    case MLT_KIND_PREDICTION:
        return "serving_node";
    case MLT_KIND_DATASET_VERSION:
        return "created_by";
    case MLT_KIND_TRAINING_RUN:
        return "triggered_by";
    case MLT_KIND_MODEL_VERSION:
        return "registered_by";
    case MLT_KIND_APPROVAL:
        return "approver";
    case MLT_KIND_TRANSITION:
        return "performed_by";
    case MLT_KIND_ACCESS:
        return "principal";
    case MLT_KIND_DECISION:
        return "decider";
    case MLT_KIND_OVERSIGHT:
        return "reviewer";
    case MLT_KIND_CORRECTION:
        return "corrected_by";
    default:
        return NULL;
    }
}

static const char *or_unknown(const char *text) {
    return text ? text : "(not recorded)";
}

static const char *member_text(const struct mlt_node *node, const char *name, struct mlt_arena *arena) {
    return or_unknown(mlt_node_text(node, name, arena));
}

static const char *resource_text(const struct mlt_node *node, struct mlt_arena *arena) {
    const struct mlt_json *json;
    mlt_json_at at;
    if (!mlt_node_member(node, mlt_str("resource"), &json, &at)) {
        return "(not recorded)";
    }
    const struct mlt_bytes type = mlt_json_string(json, mlt_json_get(json, at, "type"), arena);
    const struct mlt_bytes id = mlt_json_string(json, mlt_json_get(json, at, "id"), arena);
    return mlt_arena_printf(arena, "%.*s %.*s", MLT_ARG(type), MLT_ARG(id));
}

// One line that says what happened.
static const char *describe(const struct mlt_node *n, struct mlt_arena *arena) {
    switch (n->kind) {
    case MLT_KIND_PREDICTION:
        return mlt_arena_printf(arena, "prediction by %s %s", member_text(n, "model", arena),
                                member_text(n, "model_version", arena));
    case MLT_KIND_DATASET_VERSION:
        return mlt_arena_printf(arena, "dataset %s %s", member_text(n, "dataset", arena),
                                member_text(n, "version", arena));
    case MLT_KIND_TRAINING_RUN:
        return mlt_arena_printf(arena, "training job %s", member_text(n, "training_job_id", arena));
    case MLT_KIND_MODEL_VERSION:
        return mlt_arena_printf(arena, "model %s %s registered", member_text(n, "model", arena),
                                member_text(n, "model_version", arena));
    case MLT_KIND_APPROVAL:
        return mlt_arena_printf(arena, "%s: %s %s (reference %s)", member_text(n, "verdict", arena),
                                member_text(n, "model", arena), member_text(n, "model_version", arena),
                                member_text(n, "approval_reference", arena));
    case MLT_KIND_TRANSITION:
        return mlt_arena_printf(arena, "%s %s moved from %s to %s", member_text(n, "model", arena),
                                member_text(n, "model_version", arena), member_text(n, "from_stage", arena),
                                member_text(n, "to_stage", arena));
    case MLT_KIND_ACCESS:
        return mlt_arena_printf(arena, "%s of %s", member_text(n, "action", arena), resource_text(n, arena));
    default:
        return mlt_arena_printf(arena, "%.*s", MLT_ARG(n->parts[0].entry.kind_name));
    }
}

// A correction is an event of its own: `own` is its node, while `e` has the one that it corrects.
static void put_event(struct mlt_dossier_writer *d, const struct event *e, const struct mlt_node *own,
                      const char *disagreement) {
    const bool corrects = e->part->relation == MLT_REL_CORRECTS;
    const char *member = corrects ? "corrected_by" : actor_member(e->node->kind);
    const struct mlt_node *actor = corrects ? own : e->node;
    const char *relation = e->part->relation == MLT_REL_COMPLETES      ? " (more about it)"
                           : e->part->relation == MLT_REL_CONFLICTS    ? " (contradicted)"
                           : e->part->relation == MLT_REL_CORROBORATES ? " (said again by another producer)"
                                                                       : "";
    const char *what = describe(e->node, d->arena);
    if (corrects && what) {
        what = mlt_arena_printf(d->arena, "correction of entry %llu: %s", (unsigned long long)e->node->entry, what);
    }
    mlt_jw_object(&d->w);
    mlt_jw_member_u64(&d->w, "entry", e->part->index);
    mlt_jw_member_bytes(&d->w, "kind", e->part->entry.kind_name);
    mlt_jw_member(&d->w, "what", what ? mlt_arena_printf(d->arena, "%s%s", what, relation) : NULL);
    mlt_dossier_put_time(&d->w, "time", e->part->entry.has_time, e->part->entry.time);
    mlt_dossier_put_time(&d->w, "recorded", true, e->part->entry.received);
    mlt_jw_member(&d->w, "actor", member && actor ? mlt_node_text(actor, member, d->arena) : NULL);
    mlt_jw_member_bytes(&d->w, "producer", e->part->entry.principal);
    mlt_jw_member(&d->w, "disagreement", disagreement);
    mlt_jw_end_object(&d->w);
}

static size_t gather(const struct mlt_story *story, struct event *out) {
    const struct mlt_node_list *lists[] = {&story->predictions,      &story->model_versions, &story->training_runs,
                                           &story->dataset_versions, &story->approvals,      &story->transitions,
                                           &story->related,          &story->access};
    size_t num = 0;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (size_t i = 0; i < lists[l]->num; i++) {
            const struct mlt_node *node = lists[l]->nodes[i];
            for (size_t p = 0; p < node->num_parts; p++) {
                if (out) {
                    out[num] = (struct event){node, &node->parts[p], num};
                }
                num++;
            }
        }
    }
    return num;
}

void mlt_dossier_put_timeline(struct mlt_dossier_writer *d, const struct mlt_story *story) {
    size_t num = gather(story, NULL);
    struct event *events = num ? mlt_arena_take(d->arena, num * sizeof(*events)) : NULL;
    if (num && !events) {
        d->w.out->failed = true;
        num = 0;
    }
    if (num) {
        gather(story, events);
        qsort(events, num, sizeof(*events), by_index);
    }
    mlt_jw_name(&d->w, "timeline");
    mlt_jw_array(&d->w);
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < num; i++) {
        if (i > 0 && events[i].part->index == events[i - 1].part->index) {
            continue; // a correction stands in two lists
        }
        const struct mlt_entry *entry = &events[i].part->entry;
        const char *disagreement = NULL;
        if (entry->has_time && entry->time > entry->received) {
            disagreement = "claimed-after-recorded";
        } else if (entry->has_time && entry->time < latest) {
            disagreement = "claimed-before-an-earlier-entry";
        }
        const bool twice = i + 1 < num && events[i + 1].part->index == events[i].part->index;
        put_event(d, &events[i], twice ? events[i + 1].node : NULL, disagreement);
        if (entry->has_time && entry->time > latest) {
            latest = entry->time;
        }
    }
    mlt_jw_end_array(&d->w);
}
