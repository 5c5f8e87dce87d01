// Findings as they are gathered: named, worded, put in order.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lineage/finding.h"

#define CONDITION_MAX 2048 // of one finding's text: names in records may be long

const char *mlt_severity_name(enum mlt_severity severity) {
    static const char *const names[] = {"info", "low", "medium", "high", "critical"};
    return names[severity];
}

void mlt_grounds_add(struct mlt_grounds *g, uint64_t entry) {
    for (size_t i = 0; i < g->num; i++) {
        if (g->entries[i] == entry) {
            return;
        }
    }
    if (g->num < MLT_FINDING_ENTRIES_MAX) {
        g->entries[g->num++] = entry;
    }
}

void mlt_grounds_add_node(struct mlt_grounds *g, const struct mlt_node *node) {
    if (node != NULL) {
        mlt_grounds_add(g, node->entry);
    }
}

static int compare_entries(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool room_for_one(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    size_t num = story->num_findings;
    if ((num & (num - 1)) != 0) {
        return true;
    }
    struct mlt_finding *findings = mlt_arena_take(w->arena, (num == 0 ? 1 : num * 2) * sizeof(*findings));
    if (findings == NULL) {
        return false;
    }
    if (num > 0) {
        memcpy(findings, story->findings, num * sizeof(*findings));
    }
    story->findings = findings;
    return true;
}

// Cut at a character's boundary: names are UTF-8, and so must the text be.
static void trim_utf8(char *text) {
    size_t len = strlen(text);
    while (len > 0 && !mlt_utf8_valid(mlt_bytes_of(text, len))) {
        text[--len] = '\0';
    }
}

MLT_PRINTF(5, 0)
static enum mlt_status add(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_grounds *grounds,
                           uint64_t resolved_by, const char *fmt, va_list args) {
    const struct mlt_finding_def *def = &mlt_finding_table[id];
    char text[CONDITION_MAX];
    struct mlt_grounds sorted = *grounds;
    (void)vsnprintf(text, sizeof(text), fmt, args);
    trim_utf8(text);
    qsort(sorted.entries, sorted.num, sizeof(sorted.entries[0]), compare_entries);
    struct mlt_finding f = {
        .code = def->code,
        .severity = def->severity,
        .criteria = def->criteria,
        .effect = def->effect,
        .action = def->action,
        .condition = mlt_arena_cstr(w->arena, mlt_str(text)),
        .entries = mlt_arena_take(w->arena, (sorted.num + 1) * sizeof(uint64_t)),
        .num_entries = sorted.num,
        .known_since = def->absence || sorted.num == 0 ? UINT64_MAX : sorted.entries[sorted.num - 1],
        .resolved_by = resolved_by,
    };
    if (f.condition == NULL || f.entries == NULL || !room_for_one(w)) {
        return mlt_node_no_memory(w);
    }
    memcpy(f.entries, sorted.entries, sorted.num * sizeof(uint64_t));
    w->story->findings[w->story->num_findings++] = f;
    return MLT_OK;
}

enum mlt_status mlt_finding_add(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_grounds *grounds,
                                const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    enum mlt_status status = add(w, id, grounds, UINT64_MAX, fmt, args);
    va_end(args);
    return status;
}

enum mlt_status mlt_finding_add_resolved(struct mlt_walk *w, enum mlt_finding_id id, const struct mlt_grounds *grounds,
                                         uint64_t resolved_by, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    enum mlt_status status = add(w, id, grounds, resolved_by, fmt, args);
    va_end(args);
    return status;
}

static int compare_findings(const void *a, const void *b) {
    const struct mlt_finding *x = a, *y = b;
    if (x->severity != y->severity) {
        return x->severity > y->severity ? -1 : 1;
    }
    int by_code = strcmp(x->code, y->code);
    if (by_code != 0) {
        return by_code;
    }
    for (size_t i = 0; i < x->num_entries && i < y->num_entries; i++) {
        if (x->entries[i] != y->entries[i]) {
            return x->entries[i] < y->entries[i] ? -1 : 1;
        }
    }
    if (x->num_entries != y->num_entries) {
        return x->num_entries < y->num_entries ? -1 : 1;
    }
    return strcmp(x->condition, y->condition);
}

void mlt_finding_sort(struct mlt_story *story) {
    if (story->num_findings > 1) {
        qsort(story->findings, story->num_findings, sizeof(story->findings[0]), compare_findings);
    }
}

const char *mlt_node_label(const struct mlt_walk *w, const struct mlt_node *node) {
    static const struct {
        enum mlt_kind kind;
        const char *name, *version;
    } labels[] = {
        {MLT_KIND_PREDICTION, "request_id", NULL},        {MLT_KIND_DATASET_VERSION, "dataset", "version"},
        {MLT_KIND_TRAINING_RUN, "training_job_id", NULL}, {MLT_KIND_MODEL_VERSION, "model", "model_version"},
        {MLT_KIND_APPROVAL, "approval_reference", NULL},  {MLT_KIND_TRANSITION, "model", "model_version"},
    };
    const char *label = NULL;
    struct mlt_bytes kind = node->parts[0].entry.kind_name;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (labels[i].kind == node->kind) {
            struct mlt_bytes name = mlt_node_string(node, labels[i].name, w->arena), version = {0};
            const char *between = labels[i].version != NULL ? "/" : "";
            if (labels[i].version != NULL) {
                version = mlt_node_string(node, labels[i].version, w->arena);
            } else if (node->has_row) {
                version = mlt_node_raw(node, "row");
                between = "#";
            }
            label = mlt_arena_printf(w->arena, "%.*s %.*s%s%.*s (entry %llu)", MLT_ARG(kind), MLT_ARG(name), between,
                                     MLT_ARG(version), (unsigned long long)node->entry);
        }
    }
    if (label == NULL) {
        label = mlt_arena_printf(w->arena, "%.*s (entry %llu)", MLT_ARG(kind), (unsigned long long)node->entry);
    }
    return label != NULL ? label : "a record";
}
