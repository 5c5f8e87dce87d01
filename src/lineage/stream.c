// Completeness of a serving stream: gaps, repeats, and a tail that is missing against its tallies.
//
// A stream's sequence numbers begin at 0 or 1 and are contiguous. Its tallies carry the cumulative count; the final one
// closes it. Runs of consecutive numbers come from the source, so that ten million predictions cost as much as ten.
#include <inttypes.h>
#include <stdlib.h>

#include "lineage/finding.h"

#define RUNS_MAX 65536   // of one stream; a stream in more pieces is checked as far as this and says so
#define TALLIES_MAX 1000 // of one stream, newest
#define GAPS_MAX 100     // findings of one stream; the last says how many more there are
#define COMPLETIONS_MAX                                                                                                \
    64 // overlapping runs of one record that are looked into, whether they complete an earlier record

struct coverage {
    struct mlt_stream_run *runs; // by first sequence number
    size_t num;
    uint64_t lowest, highest, covered; // covered: different numbers seen
};

static int compare_runs(const void *a, const void *b) {
    const struct mlt_stream_run *x = a, *y = b;
    if (x->first_sequence != y->first_sequence) {
        return x->first_sequence < y->first_sequence ? -1 : 1;
    }
    return x->first_entry < y->first_entry ? -1 : x->first_entry > y->first_entry;
}

// A record that completes or corroborates an earlier one has the same number; that is no repeat.
static enum mlt_status completes(const struct mlt_walk *w, const struct mlt_stream_run *run, bool *out) {
    struct mlt_node *node;
    struct mlt_term term;
    uint64_t found[16];
    size_t num = 0;
    bool more = false;
    *out = false;
    enum mlt_status status = mlt_node_load(w, run->first_entry, &node);
    if (status != MLT_OK) {
        return status;
    }
    struct mlt_bytes request = mlt_node_string(node, "request_id", w->arena);
    struct mlt_value sequence = mlt_node_get(node, "sequence");
    mlt_source_term(w->src, &term, MLT_DIM_REQUEST, &request, 1);
    status = w->src->find(w->src->ctx, &term, 1, 0, false, 16, found, &num, NULL, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num && found[i] < run->first_entry; i++) {
        struct mlt_node *earlier;
        status = mlt_node_load(w, found[i], &earlier);
        if (status == MLT_OK && earlier->kind == MLT_KIND_PREDICTION) {
            struct mlt_value other = mlt_node_get(earlier, "sequence");
            *out = *out || (other.json != NULL && sequence.json != NULL &&
                            mlt_json_equal(sequence.json, sequence.at, other.json, other.at));
        }
    }
    return status;
}

static enum mlt_status gap(struct mlt_walk *w, uint64_t from, uint64_t to, const struct mlt_stream_run *before,
                           const struct mlt_stream_run *after, size_t *told) {
    struct mlt_grounds g = {0};
    w->story->gaps += to - from;
    if ((*told)++ >= GAPS_MAX) {
        return MLT_OK;
    }
    mlt_grounds_add_node(&g, w->story->served);
    if (before != NULL) {
        mlt_grounds_add(&g, before->last_entry);
    }
    mlt_grounds_add(&g, after->first_entry);
    return mlt_finding_add(w, MLT_F_STREAM_GAP, &g,
                           "sequence numbers %" PRIu64 " to %" PRIu64 " are missing (%" PRIu64 " predictions)", from,
                           to - 1, to - from);
}

static enum mlt_status repeat(struct mlt_walk *w, const struct mlt_stream_run *run, uint64_t overlap, size_t *looked,
                              size_t *told) {
    struct mlt_grounds g = {0};
    bool same = false;
    enum mlt_status status = MLT_OK;
    if ((*looked)++ < COMPLETIONS_MAX) {
        status = completes(w, run, &same);
    }
    if (status != MLT_OK || same) {
        return status;
    }
    w->story->repeats += overlap;
    if ((*told)++ >= GAPS_MAX) {
        return MLT_OK;
    }
    mlt_grounds_add(&g, run->first_entry);
    mlt_grounds_add(&g, run->last_entry);
    return mlt_finding_add(w, MLT_F_STREAM_REPEAT, &g,
                           "%" PRIu64 " sequence numbers from %" PRIu64 " on were used before", overlap,
                           run->first_sequence);
}

static enum mlt_status check_runs(struct mlt_walk *w, struct coverage *c) {
    enum mlt_status status = MLT_OK;
    size_t gaps_told = 0, repeats_told = 0, looked = 0;
    uint64_t next = 0; // the number after all that were seen
    if (c->num > 1) {
        qsort(c->runs, c->num, sizeof(c->runs[0]), compare_runs);
    }
    c->lowest = c->runs[0].first_sequence;
    if (c->lowest > 1) {
        status = gap(w, 1, c->lowest, NULL, &c->runs[0], &gaps_told);
    }
    for (size_t i = 0; status == MLT_OK && i < c->num; i++) {
        const struct mlt_stream_run *run = &c->runs[i];
        uint64_t end = run->first_sequence + run->count;
        if (i > 0 && run->first_sequence > next) {
            status = gap(w, next, run->first_sequence, &c->runs[i - 1], run, &gaps_told);
        } else if (i > 0 && run->first_sequence < next) {
            status = repeat(w, run, (end < next ? end : next) - run->first_sequence, &looked, &repeats_told);
        }
        uint64_t fresh = run->first_sequence > next || i == 0 ? run->first_sequence : next;
        c->covered += end > fresh ? end - fresh : 0;
        next = end > next ? end : next;
    }
    c->highest = next - 1;
    return status;
}

// The tally with the highest count, and the final one.
static enum mlt_status load_tallies(struct mlt_walk *w, const struct mlt_term *tallies, const struct mlt_node **highest,
                                    const struct mlt_node **final) {
    uint64_t found[TALLIES_MAX], count, most = 0;
    size_t num = 0;
    bool more = false;
    enum mlt_status status =
        w->src->find(w->src->ctx, tallies, 1, UINT64_MAX, true, TALLIES_MAX, found, &num, NULL, &more, w->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        struct mlt_node *tally;
        status = mlt_node_load(w, found[i], &tally);
        if (status != MLT_OK || !mlt_bytes_is(mlt_node_string(tally, "counted", w->arena), "prediction")) {
            continue;
        }
        struct mlt_value value = mlt_node_get(tally, "count"), is_final = mlt_node_get(tally, "final");
        if (value.json == NULL || !mlt_json_u64(value.json, value.at, &count)) {
            continue;
        }
        if (*highest == NULL || count > most) {
            *highest = tally;
            most = count;
        }
        if (*final == NULL && is_final.json != NULL && mlt_json_is(is_final.json, is_final.at, MLT_JSON_TRUE)) {
            *final = tally;
        }
    }
    return status;
}

static uint64_t count_of(const struct mlt_node *tally) {
    struct mlt_value value = mlt_node_get(tally, "count");
    uint64_t count = 0;
    return value.json != NULL && mlt_json_u64(value.json, value.at, &count) ? count : 0;
}

static enum mlt_status check_tallies(struct mlt_walk *w, const struct mlt_term *tallies, const struct coverage *c) {
    const struct mlt_node *highest = NULL, *final = NULL;
    struct mlt_grounds g = {0};
    enum mlt_status status = load_tallies(w, tallies, &highest, &final);
    if (status != MLT_OK) {
        return status;
    }
    // Numbers below the first seen count as a gap, not as tail: what is missing at the end is what the gaps leave over.
    uint64_t first = c->lowest < 1 ? c->lowest : 1;
    uint64_t reached = c->highest + 1 - first;
    mlt_grounds_add_node(&g, w->story->served);
    mlt_grounds_add_node(&g, final != NULL ? final : highest);
    if (highest != NULL && count_of(highest) > reached) {
        mlt_grounds_add_node(&g, highest);
        uint64_t missing = count_of(highest) - reached;
        w->story->gaps += missing;
        status = mlt_finding_add(w, MLT_F_STREAM_TAIL_MISSING, &g,
                                 "a tally counts %" PRIu64 " predictions, the last one here is number %" PRIu64
                                 ": %" PRIu64 " are missing at the end",
                                 count_of(highest), c->highest, missing);
    }
    if (status == MLT_OK && final != NULL && count_of(final) < reached) {
        status = mlt_finding_add(w, MLT_F_STREAM_BEYOND_FINAL, &g,
                                 "the final tally counts %" PRIu64 " predictions, the numbers here reach to %" PRIu64,
                                 count_of(final), c->highest);
    }
    if (status == MLT_OK && final == NULL) {
        status = mlt_finding_add(w, MLT_F_STREAM_OPEN, &g,
                                 "the stream has no final tally; its last number here is %" PRIu64, c->highest);
    }
    return status;
}

static enum mlt_status unchecked(struct mlt_walk *w, const char *why) {
    struct mlt_grounds g = {0};
    mlt_grounds_add_node(&g, w->story->served);
    return mlt_finding_add(w, MLT_F_STREAM_UNCHECKED, &g, "%s %s", mlt_node_label(w, w->story->served), why);
}

enum mlt_status mlt_check_stream(struct mlt_walk *w) {
    struct mlt_story *story = w->story;
    struct mlt_term term;
    struct coverage c = {0};
    if (story->served == NULL) {
        return MLT_OK;
    }
    struct mlt_bytes node = mlt_node_string(story->served, "serving_node", w->arena);
    if (node.ptr == NULL || !mlt_value_given(mlt_node_get(story->served, "sequence"))) {
        return unchecked(w, "has no sequence number in a stream of a serving node");
    }
    struct mlt_bytes stream = mlt_node_string(story->served, "stream", w->arena);
    mlt_walk_term(w, &term, MLT_DIM_STREAM, node, stream);
    struct mlt_stream_run first[16];
    size_t num = 0;
    enum mlt_status status = w->src->stream(w->src->ctx, &term, first, 16, &num, w->err);
    if (status != MLT_OK) {
        return status;
    }
    if (num == 0) {
        return unchecked(w, "is in no stream that can be read here");
    }
    c.num = num < RUNS_MAX ? num : RUNS_MAX;
    c.runs = mlt_arena_take(w->arena, c.num * sizeof(*c.runs));
    if (c.runs == NULL) {
        return mlt_node_no_memory(w);
    }
    status = w->src->stream(w->src->ctx, &term, c.runs, c.num, &num, w->err);
    if (status == MLT_OK && num > c.num) {
        status = unchecked(w, "is in a stream of too many pieces to be checked to its end");
    }
    story->stream_checked = num <= c.num;
    story->runs = c.runs;
    story->num_runs = c.num;
    status = status == MLT_OK ? check_runs(w, &c) : status;
    mlt_walk_term(w, &term, MLT_DIM_TALLIES, node, stream);
    return status == MLT_OK && story->stream_checked ? check_tallies(w, &term, &c) : status;
}
