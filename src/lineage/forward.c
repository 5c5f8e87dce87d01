// What depends on something: per kind the exact count and one page of entries.
//
// The versions, runs and datasets in between are found first (there are few, and they are bounded); predictions, the
// many, are only counted and paged through.
#include <stdlib.h>

#include "lineage/graph.h"

#define FORWARD_NODES_MAX 10000 // datasets, runs and versions in between; more end the walk with "complete": false
#define PAGE_MAX 1000           // entries of one kind in one answer
#define STEP_MAX 1000           // entries under one name in one step of the closure

// Names met on the way forward.
struct names {
    struct mlt_bytes a, b;
};
struct name_list {
    struct names *names;
    size_t num;
};

struct forward {
    struct mlt_walk walk;
    struct name_list datasets, jobs, versions;
    bool capped;
};

static enum mlt_status add_name(struct forward *f, struct name_list *list, struct mlt_bytes a, struct mlt_bytes b) {
    if (a.ptr == NULL) {
        return MLT_OK;
    }
    for (size_t i = 0; i < list->num; i++) {
        if (mlt_bytes_equal(list->names[i].a, a) && mlt_bytes_equal(list->names[i].b, b)) {
            return MLT_OK;
        }
    }
    if (list->num >= FORWARD_NODES_MAX) {
        f->capped = true;
        return MLT_OK;
    }
    if ((list->num & (list->num - 1)) == 0) {
        struct names *names = mlt_arena_take(f->walk.arena, (list->num == 0 ? 1 : list->num * 2) * sizeof(*names));
        if (names == NULL) {
            return mlt_node_no_memory(&f->walk);
        }
        if (list->num > 0) {
            memcpy(names, list->names, list->num * sizeof(*names));
        }
        list->names = names;
    }
    list->names[list->num++] = (struct names){a, b};
    return MLT_OK;
}

// What one entry on the way adds to the names.
static enum mlt_status add_names_of(struct forward *f, const struct mlt_node *node) {
    struct mlt_arena *arena = f->walk.arena;
    switch (node->kind) {
    case MLT_KIND_DATASET_VERSION:
        return add_name(f, &f->datasets, mlt_node_string(node, "dataset", arena),
                        mlt_node_string(node, "version", arena));
    case MLT_KIND_TRAINING_RUN:
        return add_name(f, &f->jobs, mlt_node_string(node, "training_job_id", arena), (struct mlt_bytes){0});
    case MLT_KIND_MODEL_VERSION:
    case MLT_KIND_APPROVAL:
    case MLT_KIND_TRANSITION:
        return add_name(f, &f->versions, mlt_node_string(node, "model", arena),
                        mlt_node_string(node, "model_version", arena));
    default:
        return MLT_OK;
    }
}

static void make_term(const struct forward *f, struct mlt_term *out, enum mlt_dim dim, const struct names *names) {
    const struct mlt_bytes values[2] = {names->a, names->b};
    bool single = dim == MLT_DIM_JOB || dim == MLT_DIM_USES_JOB || dim == MLT_DIM_APPROVAL || dim == MLT_DIM_REQUEST ||
                  dim == MLT_DIM_NODE;
    mlt_source_term(f->walk.src, out, dim, values, single ? 1 : 2);
}

// All entries under one term add their names.
static enum mlt_status follow(struct forward *f, enum mlt_dim dim, const struct names *names) {
    struct mlt_term term;
    uint64_t found[STEP_MAX], from = 0;
    bool more = true;
    enum mlt_status status = MLT_OK;
    make_term(f, &term, dim, names);
    while (status == MLT_OK && more && !f->capped) {
        size_t num = 0;
        more = false;
        status =
            f->walk.src->find(f->walk.src->ctx, &term, 1, from, false, STEP_MAX, found, &num, NULL, &more, f->walk.err);
        for (size_t i = 0; status == MLT_OK && i < num; i++) {
            struct mlt_node *node;
            status = mlt_node_load(&f->walk, found[i], &node);
            status = status == MLT_OK ? add_names_of(f, node) : status;
            from = found[i] + 1;
        }
        more = more && num > 0;
    }
    return status;
}

// The closure: datasets made from datasets, runs that used them, versions that came from those, versions made of
// versions. Lists grow while they are walked.
static enum mlt_status close_over(struct forward *f) {
    size_t d = 0, j = 0, v = 0;
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && (d < f->datasets.num || j < f->jobs.num || v < f->versions.num)) {
        if (d < f->datasets.num) {
            status = follow(f, MLT_DIM_USES_DATASET, &(struct names){f->datasets.names[d].a, f->datasets.names[d].b});
            d++;
        } else if (j < f->jobs.num) {
            status = follow(f, MLT_DIM_USES_JOB, &(struct names){f->jobs.names[j].a, f->jobs.names[j].b});
            j++;
        } else {
            status = follow(f, MLT_DIM_USES_COMPONENT, &(struct names){f->versions.names[v].a, f->versions.names[v].b});
            v++;
        }
    }
    return status;
}

// One kind of dependant: entries of `kind` (NULL: any) under `dim` for each of the names.
struct dependant {
    const char *kind, *via;
    enum mlt_dim dim;
    const struct name_list *names;
};

static int compare_entries(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// Keeps the lowest `limit` different entries of both.
static size_t merge(uint64_t *page, size_t num, const uint64_t *found, size_t num_found, size_t limit) {
    memcpy(page + num, found, num_found * sizeof(*found));
    num += num_found;
    qsort(page, num, sizeof(*page), compare_entries);
    size_t kept = 0;
    for (size_t i = 0; i < num && kept < limit; i++) {
        if (kept == 0 || page[kept - 1] != page[i]) {
            page[kept++] = page[i];
        }
    }
    return kept;
}

static enum mlt_status write_page(struct forward *f, struct mlt_json_writer *w, const uint64_t *page, size_t num) {
    enum mlt_status status = MLT_OK;
    mlt_jw_name(w, "items");
    mlt_jw_array(w);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct mlt_node *node;
        status = mlt_node_load(&f->walk, page[i], &node);
        if (status == MLT_OK) {
            mlt_graph_node(&f->walk, w, node);
        }
    }
    mlt_jw_end_array(w);
    return status;
}

// Whether one entry may have the terms of two names: a run uses several datasets, a prediction comes from one version.
static bool may_overlap(const struct dependant *d) {
    return d->names->num > 1 && (d->dim == MLT_DIM_USES_DATASET || d->dim == MLT_DIM_USES_COMPONENT);
}

static enum mlt_status write_dependant(struct forward *f, const struct dependant *d, uint64_t from, size_t limit,
                                       struct mlt_json_writer *w) {
    struct mlt_term terms[2];
    struct mlt_bytes kind = mlt_str(d->kind);
    uint64_t count = 0;
    size_t num = 0;
    uint64_t *page = mlt_arena_take(f->walk.arena, 2 * (limit + 1) * sizeof(*page));
    uint64_t *found = mlt_arena_take(f->walk.arena, (limit + 1) * sizeof(*found));
    enum mlt_status status = MLT_OK;
    if (page == NULL || found == NULL) {
        return mlt_node_no_memory(&f->walk);
    }
    mlt_source_term(f->walk.src, &terms[1], MLT_DIM_KIND, &kind, 1);
    for (size_t i = 0; status == MLT_OK && i < d->names->num; i++) {
        uint64_t total = 0;
        size_t num_found = 0;
        bool more = false;
        make_term(f, &terms[0], d->dim, &d->names->names[i]);
        status = f->walk.src->find(f->walk.src->ctx, terms, 2, from, false, limit + 1, found, &num_found, &total, &more,
                                   f->walk.err);
        count += total;
        (void)more; // the page holds one more than asked for, which tells as well
        num = status == MLT_OK ? merge(page, num, found, num_found, limit + 1) : num;
    }
    if (status != MLT_OK || count == 0) {
        return status;
    }
    bool whole = from == 0 && num <= limit; // the merged list is all there is, each entry once
    count = whole ? num : count;
    mlt_jw_object(w);
    mlt_jw_member(w, "kind", d->kind);
    mlt_jw_member(w, "via", d->via);
    mlt_jw_member_u64(w, "count", count);
    mlt_jw_member_bool(w, "exact", whole || !may_overlap(d));
    status = write_page(f, w, page, num < limit ? num : limit);
    mlt_jw_name(w, "next");
    if (num > limit) {
        mlt_jw_u64(w, page[limit]);
    } else {
        mlt_jw_null(w);
    }
    mlt_jw_end_object(w);
    return status;
}

// A list of names that holds the reference alone.
static enum mlt_status start(struct forward *f, const struct mlt_ref *ref, struct name_list *own) {
    enum mlt_status status = add_name(f, own, ref->a, ref->b);
    if (status != MLT_OK || own->num == 0) {
        return status;
    }
    switch (ref->type) {
    case MLT_REF_MODEL_VERSION:
        return add_name(f, &f->versions, ref->a, ref->b);
    case MLT_REF_DATASET_VERSION:
        return add_name(f, &f->datasets, ref->a, ref->b);
    case MLT_REF_JOB:
        return add_name(f, &f->jobs, ref->a, (struct mlt_bytes){0});
    case MLT_REF_APPROVAL:
        return follow(f, MLT_DIM_APPROVAL, &own->names[0]);
    case MLT_REF_TABLE:
        return follow(f, MLT_DIM_TABLE, &own->names[0]);
    case MLT_REF_PREDICTION:
    case MLT_REF_NODE:
    case MLT_REF_ENTRY:
        break;
    }
    return MLT_OK;
}

static enum mlt_status write_dependants(struct forward *f, const struct mlt_ref *ref, const struct name_list *own,
                                        uint64_t from, size_t limit, struct mlt_json_writer *w) {
    const struct dependant of_prediction[] = {
        {"decision", "request_ids", MLT_DIM_REQUEST, own},   {"oversight", "request_ids", MLT_DIM_REQUEST, own},
        {"explanation", "request_id", MLT_DIM_REQUEST, own}, {"notice", "request_ids", MLT_DIM_REQUEST, own},
        {"outcome", "request_id", MLT_DIM_REQUEST, own},
    };
    const struct dependant of_node[] = {{"prediction", "serving_node", MLT_DIM_NODE, own}};
    const struct dependant of_table[] = {{"dataset.version", "source table", MLT_DIM_TABLE, own}};
    const struct dependant of_approval[] = {{"approval", "approval_reference", MLT_DIM_APPROVAL, own},
                                            {"transition", "approval_reference", MLT_DIM_APPROVAL, own}};
    const struct dependant chain[] = {
        {"dataset.version", "input dataset", MLT_DIM_USES_DATASET, &f->datasets},
        {"training.run", "training data", MLT_DIM_USES_DATASET, &f->datasets},
        {"training.run", "base model", MLT_DIM_USES_COMPONENT, &f->versions},
        {"model.version", "training run", MLT_DIM_USES_JOB, &f->jobs},
        {"model.version", "component", MLT_DIM_USES_COMPONENT, &f->versions},
        {"approval", "model version", MLT_DIM_APPROVES, &f->versions},
        {"transition", "model version", MLT_DIM_MOVES, &f->versions},
        {"prediction", "model version", MLT_DIM_PREDICTED_BY, &f->versions},
    };
    struct {
        bool applies;
        const struct dependant *list;
        size_t num;
    } groups[] = {
        {ref->type == MLT_REF_PREDICTION, of_prediction, sizeof(of_prediction) / sizeof(of_prediction[0])},
        {ref->type == MLT_REF_NODE, of_node, 1},
        {ref->type == MLT_REF_TABLE, of_table, 1},
        {ref->type == MLT_REF_APPROVAL, of_approval, 2},
        {true, chain, sizeof(chain) / sizeof(chain[0])},
    };
    enum mlt_status status = MLT_OK;
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (size_t i = 0; groups[g].applies && status == MLT_OK && i < groups[g].num; i++) {
            // An approval depends on no other of its version; the two lists would count it twice.
            bool twice = ref->type == MLT_REF_APPROVAL && groups[g].list == chain && i >= 5 && i <= 6;
            status = twice ? MLT_OK : write_dependant(f, &groups[g].list[i], from, limit, w);
        }
    }
    return status;
}

enum mlt_status mlt_forward_json(const struct mlt_source *src, const struct mlt_ref *ref, uint64_t from, size_t limit,
                                 struct mlt_json_writer *w, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct forward f = {0};
    struct name_list own = {0};
    struct mlt_ref of;
    struct mlt_node *node;
    enum mlt_status status = mlt_walk_begin(&f.walk, src, &arena, err);
    if (status != MLT_OK) {
        goto out;
    }
    limit = limit < PAGE_MAX ? limit : PAGE_MAX;
    status = mlt_graph_ref_of(&f.walk, ref, &of, &node);
    status = status == MLT_OK ? start(&f, &of, &own) : status;
    status = status == MLT_OK ? close_over(&f) : status;
    if (status != MLT_OK) {
        goto out;
    }
    mlt_jw_object(w);
    mlt_jw_name(w, "ref");
    mlt_graph_ref(w, ref);
    mlt_jw_name(w, "depends");
    mlt_jw_array(w);
    status = write_dependants(&f, &of, &own, from, limit, w);
    mlt_jw_end_array(w);
    mlt_jw_member_bool(w, "complete", !f.capped);
    mlt_jw_member_u64(w, "tree_size", src->size);
    mlt_jw_end_object(w);
    if (status == MLT_OK && w->out->failed) {
        status = mlt_node_no_memory(&f.walk);
    }
out:
    mlt_story_clear(f.walk.story);
    mlt_arena_clear(&arena);
    return status;
}
