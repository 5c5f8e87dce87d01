// Two passes. The first finds the commitments and sees whether they fit together. The second goes through the entries
// that they cover, from one beginning or end of a segment to the next, and keeps the links of each such stretch as a
// sorted run. Where a segment ends, its runs are merged: their root must be the committed one.
#include "segment/verify.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/segment.h"
#include "segment/run.h"
#include "segment/segments.h"

#define CHUNK_ENTRIES 1024
#define SLICE_ENTRIES 65536 // of one thread at a time
#define SCRATCH_KEEP ((size_t)256 * 1024)
#define FAULT_TEXT_MAX 400

struct verifier {
    const struct mlt_segment_verify_options *opt;
    struct mlt_committed *list; // pass 1: in log order; pass 2: by end, then the shortest
    size_t num, cap;
    struct mlt_segment *cover; // what the commitments so far cover, the largest segments
    size_t num_cover, cap_cover;
    bool irregular; // some commitment did not fit: then any may overlap any
    struct mlt_buf bundle;
    struct mlt_arena scratch;
    // Pass 2.
    size_t next;           // of the list: those before it are done
    uint64_t *cuts;        // every beginning and end of a segment, ascending
    uint64_t *least_first; // for each of the list: where the first of it and those after it begins
    struct mlt_run *runs;  // of consecutive entries, but for stretches that nobody committed to
    size_t num_runs, cap_runs;
    size_t leaves_max;
    size_t in_memory;       // leaves of runs
    uint64_t num_put_aside; // makes their names differ
};

static void fault(struct verifier *v, uint64_t entry, const char *fmt, ...) MLT_PRINTF(3, 4);
static void fault(struct verifier *v, uint64_t entry, const char *fmt, ...) {
    char text[FAULT_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    v->opt->fault(v->opt->ctx, entry, text);
    v->irregular = true;
}

// Makes room for one more of `size` bytes each.
static enum mlt_status grow(void **array, size_t num, size_t *cap, size_t size, struct mlt_error *err) {
    if (num < *cap) {
        return MLT_OK;
    }
    size_t wanted = *cap ? 2 * *cap : 64;
    void *grown = realloc(*array, wanted * size);
    if (!grown) {
        return mlt_fail(err, MLT_NOMEM, "no memory to verify segments");
    }
    *array = grown;
    *cap = wanted;
    return MLT_OK;
}

// --- pass 1: which commitments there are, and whether they fit together ---

// The cover's segment that begins at `first`, num_cover when `first` is where the cover ends; SIZE_MAX: none.
static size_t cover_at(const struct verifier *v, uint64_t first) {
    uint64_t end = v->num_cover ? v->cover[v->num_cover - 1].end : 0;
    if (first >= end) {
        return first == end ? v->num_cover : SIZE_MAX;
    }
    size_t low = 0;
    size_t high = v->num_cover;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->cover[middle].first < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return v->cover[low].first == first ? low : SIZE_MAX;
}

// A commitment goes on where the cover ends, or begins where a segment of it begins and ends where one ends or beyond:
// then what counts at a size is always a partition.
static enum mlt_status extend_cover(struct verifier *v, const struct mlt_committed *c, struct mlt_error *err) {
    const struct mlt_segment *s = &c->segment;
    uint64_t covered = v->num_cover ? v->cover[v->num_cover - 1].end : 0;
    size_t from = cover_at(v, s->first);
    size_t to = s->end >= covered ? v->num_cover : cover_at(v, s->end);
    if (s->first > covered) {
        fault(
            v, c->entry,
            "nothing commits to the links of entries %llu to %llu, which come before this segment (FORMAT.md, Segment "
            "commitments)",
            (unsigned long long)covered, (unsigned long long)(s->first - 1));
        return MLT_OK;
    }
    if (from == SIZE_MAX || to == SIZE_MAX) {
        fault(v, c->entry, "segment %llu-%llu cuts through an earlier one (FORMAT.md, Segment commitments)",
              (unsigned long long)s->first, (unsigned long long)s->end);
        return MLT_OK;
    }
    enum mlt_status status = grow((void **)&v->cover, v->num_cover, &v->cap_cover, sizeof(*v->cover), err);
    if (status == MLT_OK && (to > from + 1 || to == from || s->end > v->cover[from].end)) {
        memmove(&v->cover[from + 1], &v->cover[to], (v->num_cover - to) * sizeof(*v->cover));
        v->num_cover = v->num_cover - (to - from) + 1;
        v->cover[from] = *s;
    }
    return status;
}

static enum mlt_status find_commitment(struct verifier *v, uint64_t index, struct mlt_bytes bytes,
                                       struct mlt_error *err) {
    struct mlt_entry e;
    struct mlt_committed c = {.entry = index};
    struct mlt_error why = {0};
    if (!mlt_segment_may_be(bytes)) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_entry_parse(&e, &v->scratch, bytes, &why);
    if (status != MLT_OK) {
        return status == MLT_CORRUPT ? MLT_OK : mlt_fail(err, status, "%s", why.text); // verify has said so
    }
    if (mlt_segment_is(&e)) {
        status = grow((void **)&v->list, v->num, &v->cap, sizeof(*v->list), err);
        if (status == MLT_OK && mlt_segment_read(&c.segment, &e, index, &why) != MLT_OK) {
            fault(v, index, "%s", why.text);
        } else if (status == MLT_OK) {
            v->list[v->num++] = c;
            status = extend_cover(v, &c, err);
        }
    }
    mlt_entry_clear(&e);
    return status;
}

static enum mlt_status find_commitments(struct verifier *v, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    uint64_t end = v->opt->size;
    for (uint64_t at = 0; at < end && status == MLT_OK;) {
        size_t count = end - at < CHUNK_ENTRIES ? (size_t)(end - at) : CHUNK_ENTRIES;
        mlt_buf_reset(&v->bundle);
        status = v->opt->entries(v->opt->ctx, at, count, &v->bundle, err);
        struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&v->bundle));
        for (size_t i = 0; i < count && status == MLT_OK; i++, at++) {
            struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
            status = c.failed ? mlt_fail(err, MLT_CORRUPT, "entry %llu is cut", (unsigned long long)at)
                              : find_commitment(v, at, entry, err);
        }
        mlt_arena_recycle(&v->scratch, SCRATCH_KEEP);
    }
    return status;
}

// --- pass 2: what their roots must be ---

static int by_end(const void *a, const void *b) {
    const struct mlt_committed *x = a;
    const struct mlt_committed *y = b;
    if (x->segment.end != y->segment.end) {
        return x->segment.end < y->segment.end ? -1 : 1;
    }
    return (x->segment.first < y->segment.first) - (x->segment.first > y->segment.first);
}

static enum mlt_status put_aside(struct verifier *v, struct mlt_run *run, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 64];
    uint64_t unique;
    struct mlt_env *env = v->opt->env;
    enum mlt_status status = env->random(env, &unique, sizeof(unique), err);
    (void)snprintf(path, sizeof(path), "%.*s/mltrail-links-%016llx-%llu", MLT_PATH_MAX,
                   v->opt->scratch ? v->opt->scratch : "/tmp", (unsigned long long)unique,
                   (unsigned long long)v->num_put_aside++);
    return status ? status : mlt_run_put_aside(run, env, path, err);
}

// Takes the sorted leaves as the run of entries first … end-1, the newest one.
static enum mlt_status push_run(struct verifier *v, uint64_t first, uint64_t end, struct mlt_link_leaves *leaves,
                                struct mlt_error *err) {
    enum mlt_status status = grow((void **)&v->runs, v->num_runs, &v->cap_runs, sizeof(*v->runs), err);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_run *run = &v->runs[v->num_runs++];
    *run = (struct mlt_run){.first = first, .end = end, .num_leaves = leaves->num, .leaves = *leaves};
    *leaves = (struct mlt_link_leaves){0};
    v->in_memory += run->leaves.num;
    if (v->in_memory > v->leaves_max) {
        v->in_memory -= run->leaves.num;
        status = put_aside(v, run, err);
    }
    return status;
}

// A stretch of entries whose links one thread gathers.
struct slice {
    const struct mlt_segment_verify_options *opt;
    uint64_t first, end;
    uint64_t reached; // `end`, or less when there were too many links
    size_t leaves_max;
    struct mlt_link_leaves leaves; // sorted
    enum mlt_status status;
    struct mlt_error err;
    pthread_t thread;
    bool running;
};

static enum mlt_status gather_slice(struct slice *s, struct mlt_buf *bundle, struct mlt_arena *scratch) {
    enum mlt_status status = MLT_OK;
    while (s->reached < s->end && s->leaves.num < s->leaves_max && status == MLT_OK) {
        size_t count = s->end - s->reached < CHUNK_ENTRIES ? (size_t)(s->end - s->reached) : CHUNK_ENTRIES;
        mlt_buf_reset(bundle);
        status = s->opt->entries(s->opt->ctx, s->reached, count, bundle, &s->err);
        struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(bundle));
        for (size_t i = 0; i < count && status == MLT_OK; i++, s->reached++) {
            struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
            status = c.failed ? mlt_fail(&s->err, MLT_CORRUPT, "entry %llu is cut", (unsigned long long)s->reached)
                              : mlt_link_leaves_add(&s->leaves, s->reached, entry, scratch, &s->err);
        }
        mlt_arena_recycle(scratch, SCRATCH_KEEP);
    }
    mlt_link_leaves_sort(&s->leaves);
    return status;
}

static void *run_slice(void *arg) {
    struct slice *s = arg;
    struct mlt_buf bundle = {0};
    struct mlt_arena scratch = {0};
    s->status = gather_slice(s, &bundle, &scratch);
    mlt_buf_clear(&bundle);
    mlt_arena_clear(&scratch);
    return NULL;
}

static void run_slices(struct slice *slices, size_t num) {
    for (size_t i = 1; i < num; i++) {
        slices[i].running = pthread_create(&slices[i].thread, NULL, run_slice, &slices[i]) == 0;
    }
    for (size_t i = 0; i < num; i++) {
        if (!slices[i].running) {
            run_slice(&slices[i]); // the first, and those that got no thread
        }
    }
    for (size_t i = 1; i < num; i++) {
        if (slices[i].running) {
            pthread_join(slices[i].thread, NULL);
        }
    }
}

// As many slices as there are threads, side by side; `*at` is how far they came without a gap.
static enum mlt_status gather_some(struct verifier *v, uint64_t *at, uint64_t end, struct mlt_error *err) {
    struct slice slices[MLT_SEGMENT_VERIFY_THREADS_MAX + 1] = {0};
    size_t num_threads =
        v->opt->threads < MLT_SEGMENT_VERIFY_THREADS_MAX ? v->opt->threads : MLT_SEGMENT_VERIFY_THREADS_MAX;
    uint64_t len = (end - *at) / (num_threads + 1) + 1;
    len = len < SLICE_ENTRIES ? len : SLICE_ENTRIES;
    size_t num = 0;
    uint64_t first = *at;
    for (; num <= num_threads && first < end; num++) {
        uint64_t stop = end - first < len ? end : first + len;
        slices[num] = (struct slice){.opt = v->opt,
                                     .first = first,
                                     .end = stop,
                                     .reached = first,
                                     .leaves_max = v->leaves_max / (num_threads + 1) + 1};
        first = stop;
    }
    run_slices(slices, num);
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; i < num && status == MLT_OK && slices[i].first == *at; i++) {
        status = slices[i].status;
        if (status != MLT_OK) {
            *err = slices[i].err;
        } else {
            *at = slices[i].reached;
            status = push_run(v, slices[i].first, slices[i].reached, &slices[i].leaves, err);
        }
    }
    for (size_t i = 0; i < num; i++) {
        mlt_link_leaves_clear(&slices[i].leaves);
    }
    return status;
}

static enum mlt_status gather(struct verifier *v, uint64_t first, uint64_t end, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    for (uint64_t at = first; at < end && status == MLT_OK;) {
        status = gather_some(v, &at, end, err);
    }
    return status;
}

static void drop_runs(struct verifier *v, size_t from, size_t to) {
    if (from == to) {
        return;
    }
    for (size_t i = from; i < to; i++) {
        v->in_memory -= v->runs[i].leaves.num;
        mlt_run_clear(&v->runs[i]);
    }
    if (v->num_runs > to) { // there may be no array at all
        memmove(&v->runs[from], &v->runs[to], (v->num_runs - to) * sizeof(*v->runs));
    }
    v->num_runs -= to - from;
}

// Merges runs from `from` on: their root, and their leaves when `out` is not NULL.
static enum mlt_status merge_runs(struct verifier *v, size_t from, struct mlt_link_hasher *hasher,
                                  struct mlt_link_leaves *out, struct mlt_error *err) {
    uint8_t tile_roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    size_t num = v->num_runs - from;
    struct mlt_merge merge = {0};
    struct mlt_stream *streams = calloc(num + 1, sizeof(*streams));
    enum mlt_status status = streams ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory to merge links");
    for (size_t i = 0; i < num && status == MLT_OK; i++) {
        status = mlt_run_stream(&v->runs[from + i], &streams[i], err);
    }
    status = status ? status : mlt_merge_init(&merge, streams, num, err);
    const struct mlt_stream *source = streams;
    while (status == MLT_OK && source) {
        struct mlt_link_leaf leaf;
        status = mlt_merge_next(&merge, &leaf, &source, err);
        if (status != MLT_OK || !source) {
            break;
        }
        if (mlt_link_hasher_add(hasher, &leaf, tile_roots) < 0) {
            status = mlt_fail(err, MLT_CORRUPT, "links put aside did not come back as they were");
        } else if (out) {
            out->leaf[out->num++] = leaf;
        }
    }
    mlt_merge_clear(&merge);
    for (size_t i = 0; streams && i < num; i++) {
        mlt_stream_clear(&streams[i]);
    }
    free(streams);
    return status;
}

static enum mlt_status check_root(struct verifier *v, const struct mlt_committed *c, struct mlt_error *err) {
    const struct mlt_segment *s = &c->segment;
    struct mlt_link_hasher hasher;
    struct mlt_link_leaves merged = {0};
    uint8_t root[MLT_HASH_LEN];
    uint64_t total = 0;
    size_t from = v->num_runs;
    while (from > 0 && v->runs[from - 1].first >= s->first) {
        total += v->runs[--from].num_leaves;
    }
    // The next seal goes on from what this one had: one run instead of many, if there is memory for it and no other
    // commitment may begin in between.
    if (v->num_runs - from > 1 && total <= v->leaves_max && !v->irregular) {
        merged.leaf = malloc((total + 1) * sizeof(*merged.leaf)); // without it the runs stay as they are
        merged.cap = total + 1;
    }
    mlt_link_hasher_init(&hasher);
    enum mlt_status status = merge_runs(v, from, &hasher, merged.leaf ? &merged : NULL, err);
    if (status == MLT_OK && merged.leaf) {
        drop_runs(v, from, v->num_runs);
        status = push_run(v, s->first, s->end, &merged, err);
    }
    mlt_link_leaves_clear(&merged);
    if (status != MLT_OK) {
        return status;
    }
    mlt_link_hasher_root(&hasher, root);
    if (total != s->num_leaves) {
        fault(v, c->entry,
              "entries %llu to %llu have %llu links, the commitment says %llu (FORMAT.md, Segment commitments)",
              (unsigned long long)s->first, (unsigned long long)(s->end - 1), (unsigned long long)total,
              (unsigned long long)s->num_leaves);
    } else if (memcmp(root, s->root, sizeof(root)) != 0) {
        fault(v, c->entry,
              "the links of entries %llu to %llu are others than the commitment says (FORMAT.md, Segment commitments)",
              (unsigned long long)s->first, (unsigned long long)(s->end - 1));
    }
    return MLT_OK;
}

static int by_value(const void *a, const void *b) {
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static enum mlt_status plan(struct verifier *v, struct mlt_error *err) {
    qsort(v->list, v->num, sizeof(*v->list), by_end);
    v->cuts = calloc(2 * v->num, sizeof(*v->cuts));
    v->least_first = calloc(v->num, sizeof(*v->least_first));
    if (!v->cuts || !v->least_first) {
        return mlt_fail(err, MLT_NOMEM, "no memory to verify %zu segments", v->num);
    }
    uint64_t least = UINT64_MAX;
    for (size_t i = v->num; i-- > 0;) {
        const struct mlt_segment *s = &v->list[i].segment;
        least = s->first < least ? s->first : least;
        v->least_first[i] = least;
        v->cuts[2 * i] = s->first;
        v->cuts[2 * i + 1] = s->end;
    }
    qsort(v->cuts, 2 * v->num, sizeof(*v->cuts), by_value);
    return MLT_OK;
}

static void drop_unneeded(struct verifier *v) {
    size_t unneeded = 0;
    while (unneeded < v->num_runs && v->runs[unneeded].first < v->least_first[v->next]) {
        unneeded++;
    }
    drop_runs(v, 0, unneeded);
}

static enum mlt_status check_roots(struct verifier *v, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    uint64_t at = v->cuts[0];
    for (size_t i = 1; i < 2 * v->num && status == MLT_OK; i++) {
        drop_unneeded(v);
        if (v->cuts[i] > at && v->least_first[v->next] <= at) { // else nobody committed to this stretch
            status = gather(v, at, v->cuts[i], err);
        }
        at = v->cuts[i];
        while (v->next < v->num && v->list[v->next].segment.end == at && status == MLT_OK) {
            status = check_root(v, &v->list[v->next++], err);
        }
        if (v->next == v->num) {
            break;
        }
    }
    return status;
}

static void clear(struct verifier *v) {
    drop_runs(v, 0, v->num_runs);
    free(v->runs);
    free(v->list);
    free(v->cover);
    free(v->cuts);
    free(v->least_first);
    mlt_buf_clear(&v->bundle);
    mlt_arena_clear(&v->scratch);
}

enum mlt_status mlt_segment_verify(const struct mlt_segment_verify_options *opt, struct mlt_segment_verify_report *out,
                                   struct mlt_error *err) {
    struct verifier v = {.opt = opt, .leaves_max = opt->leaves_max ? opt->leaves_max : MLT_SEGMENT_VERIFY_LEAVES_MAX};
    enum mlt_status status = find_commitments(&v, err);
    out->commitments = v.num;
    out->covered = v.num_cover ? v.cover[v.num_cover - 1].end : 0;
    if (status == MLT_OK && v.num > 0) {
        status = plan(&v, err);
        status = status ? status : check_roots(&v, err);
    }
    clear(&v);
    return status;
}

static enum mlt_status view_entries(void *ctx, uint64_t first, size_t count, struct mlt_buf *out,
                                    struct mlt_error *err) {
    const struct mlt_verify_view *view = ctx;
    return view->entries(view->ctx, first, count, out, err);
}

static void view_fault(void *ctx, uint64_t entry, const char *text) {
    const struct mlt_verify_view *view = ctx;
    view->fault(view->ctx, MLT_VERIFY_COMMITMENT, entry, text);
}

enum mlt_status mlt_segment_verify_further(void *arg, const struct mlt_verify_view *view, struct mlt_error *err) {
    struct mlt_segment_further *f = arg;
    struct mlt_verify_view copy = *view;
    const struct mlt_segment_verify_options opt = {.size = view->size,
                                                   .entries = view_entries,
                                                   .fault = view_fault,
                                                   .ctx = &copy,
                                                   .env = f->env,
                                                   .scratch = f->scratch,
                                                   .leaves_max = f->leaves_max,
                                                   .threads = f->threads};
    return mlt_segment_verify(&opt, &f->report, err);
}
