#include "capture/openlineage_run.h"

#include <stdlib.h>

#include "base/time.h"
#include "record/members.h"

static const char *const EVENT_TYPES[] = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"};

bool mlt_openlineage_type_known(struct mlt_bytes event_type) {
    for (size_t i = 0; i < sizeof EVENT_TYPES / sizeof EVENT_TYPES[0]; i++) {
        if (mlt_bytes_is(event_type, EVENT_TYPES[i])) {
            return true;
        }
    }
    return false;
}

struct mlt_bytes mlt_openlineage_full_name(struct mlt_arena *arena, struct mlt_bytes ns, struct mlt_bytes name) {
    bool joined = ns.len == 0 || ns.ptr[ns.len - 1] == '/' || (name.len > 0 && name.ptr[0] == '/');
    uint8_t *full = mlt_arena_take(arena, ns.len + name.len + 1);
    if (!full) {
        return (struct mlt_bytes){0};
    }
    memcpy(full, ns.ptr ? ns.ptr : full, ns.len);
    memcpy(full + ns.len, "/", joined ? 0 : 1);
    memcpy(full + ns.len + !joined, name.ptr ? name.ptr : full, name.len);
    return mlt_bytes_of(full, ns.len + name.len + !joined);
}

// --- values ---

struct mlt_openlineage_value mlt_openlineage_get(struct mlt_openlineage_value v, const char *name) {
    mlt_json_at at = v.json ? mlt_json_get(v.json, v.at, name) : MLT_JSON_NONE;
    if (at == MLT_JSON_NONE || mlt_json_is(v.json, at, MLT_JSON_NULL)) {
        return (struct mlt_openlineage_value){0};
    }
    return (struct mlt_openlineage_value){v.json, at};
}

struct mlt_bytes mlt_openlineage_text(struct mlt_openlineage_value v, const char *name, struct mlt_arena *arena) {
    struct mlt_openlineage_value member = name ? mlt_openlineage_get(v, name) : v;
    return member.json ? mlt_json_string(member.json, member.at, arena) : (struct mlt_bytes){0};
}

bool mlt_openlineage_count(struct mlt_openlineage_value v, const char *name, uint64_t *out) {
    struct mlt_openlineage_value member = mlt_openlineage_get(v, name);
    return member.json && mlt_json_u64(member.json, member.at, out);
}

mlt_json_at mlt_openlineage_first(struct mlt_openlineage_value v) {
    return v.json ? mlt_json_first(v.json, v.at) : MLT_JSON_NONE;
}

mlt_json_at mlt_openlineage_next(struct mlt_openlineage_value v, mlt_json_at at) {
    return mlt_json_next(v.json, v.at, at);
}

static struct mlt_openlineage_value whole(const struct mlt_openlineage_event *e) {
    return (struct mlt_openlineage_value){&e->json, 0};
}

// --- facets ---

static bool deleted(struct mlt_openlineage_value facet) {
    struct mlt_openlineage_value flag = mlt_openlineage_get(facet, "_deleted");
    return flag.json && mlt_json_is(flag.json, flag.at, MLT_JSON_TRUE);
}

// The latest word on a facet of `event[member]`.
static struct mlt_openlineage_value latest(const struct mlt_openlineage_run *run, const char *member,
                                           const char *facet) {
    for (size_t i = run->num_events; i-- > 0;) {
        struct mlt_openlineage_value holder = mlt_openlineage_get(whole(&run->events[i]), member);
        struct mlt_openlineage_value found = mlt_openlineage_get(mlt_openlineage_get(holder, "facets"), facet);
        if (found.json) {
            return deleted(found) ? (struct mlt_openlineage_value){0} : found;
        }
    }
    return (struct mlt_openlineage_value){0};
}

struct mlt_openlineage_value mlt_openlineage_run_facet(const struct mlt_openlineage_run *run, const char *facet) {
    return latest(run, "run", facet);
}

struct mlt_openlineage_value mlt_openlineage_job_facet(const struct mlt_openlineage_run *run, const char *facet) {
    return latest(run, "job", facet);
}

// Clients add tags of their own to each event: a tag is not taken back by an event that has others.
struct mlt_bytes mlt_openlineage_tag(const struct mlt_openlineage_run *run, const char *key) {
    for (size_t i = run->num_events; i-- > 0;) {
        struct mlt_openlineage_value facets =
            mlt_openlineage_get(mlt_openlineage_get(whole(&run->events[i]), "run"), "facets");
        struct mlt_openlineage_value tags = mlt_openlineage_get(mlt_openlineage_get(facets, "tags"), "tags");
        for (mlt_json_at at = mlt_openlineage_first(tags); at != MLT_JSON_NONE; at = mlt_openlineage_next(tags, at)) {
            struct mlt_openlineage_value one = mlt_openlineage_of(tags, at);
            if (mlt_bytes_is(mlt_openlineage_text(one, "key", run->arena), key)) {
                return mlt_openlineage_text(one, "value", run->arena);
            }
        }
    }
    return (struct mlt_bytes){0};
}

static const char *list_of(enum mlt_openlineage_side side) {
    return side == MLT_OPENLINEAGE_INPUT ? "inputs" : "outputs";
}

struct mlt_openlineage_value mlt_openlineage_dataset_facet(const struct mlt_openlineage_dataset *dataset,
                                                           const char *facet) {
    const char *own = dataset->side == MLT_OPENLINEAGE_INPUT ? "inputFacets" : "outputFacets";
    for (size_t i = dataset->num_mentions; i-- > 0;) {
        struct mlt_openlineage_value v = dataset->mentions[i].value;
        struct mlt_openlineage_value found = mlt_openlineage_get(mlt_openlineage_get(v, own), facet);
        found = found.json ? found : mlt_openlineage_get(mlt_openlineage_get(v, "facets"), facet);
        if (found.json) {
            return deleted(found) ? (struct mlt_openlineage_value){0} : found;
        }
    }
    return (struct mlt_openlineage_value){0};
}

// --- reading ---

static enum mlt_openlineage_rank rank_of(struct mlt_bytes type) {
    if (mlt_bytes_is(type, "START")) {
        return MLT_OPENLINEAGE_START;
    }
    return mlt_bytes_is(type, "COMPLETE") || mlt_bytes_is(type, "ABORT") || mlt_bytes_is(type, "FAIL")
               ? MLT_OPENLINEAGE_END
               : MLT_OPENLINEAGE_BETWEEN;
}

static int by_time(const void *x, const void *y) {
    const struct mlt_openlineage_event *a = x, *b = y;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return a->rank != b->rank ? (int)a->rank - (int)b->rank : mlt_bytes_compare(a->raw, b->raw);
}

bool mlt_openlineage_names(struct mlt_bytes ns, struct mlt_bytes name) {
    return ns.len > 0 && name.len > 0 && ns.len + name.len < MLT_OPENLINEAGE_NAME_MAX;
}

// False: it is no event that was ever accepted.
static bool read_event(struct mlt_openlineage_event *e, struct mlt_bytes raw, struct mlt_arena *arena) {
    *e = (struct mlt_openlineage_event){.raw = raw};
    enum mlt_status status = mlt_json_scan(&e->json, raw, NULL);
    if (status != MLT_OK) {
        arena->failed = arena->failed || status == MLT_NOMEM;
        return false;
    }
    struct mlt_openlineage_value job = mlt_openlineage_get(whole(e), "job");
    struct mlt_bytes run = mlt_openlineage_text(mlt_openlineage_get(whole(e), "run"), "runId", arena);
    e->type = mlt_openlineage_text(whole(e), "eventType", arena);
    e->time_text = mlt_openlineage_text(whole(e), "eventTime", arena);
    e->rank = rank_of(e->type);
    return mlt_time_parse(&e->time, e->time_text) && run.len > 0 && run.len <= MLT_NAME_MAX &&
           mlt_openlineage_names(mlt_openlineage_text(job, "namespace", arena),
                                 mlt_openlineage_text(job, "name", arena));
}

static int by_name(const void *x, const void *y) {
    const struct mlt_openlineage_mention *a = x, *b = y;
    int ns = mlt_bytes_compare(a->ns, b->ns);
    int order = ns != 0 ? ns : mlt_bytes_compare(a->name, b->name);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static size_t count_mentions(const struct mlt_openlineage_run *run, enum mlt_openlineage_side side) {
    size_t num = 0;
    for (size_t i = 0; i < run->num_events; i++) {
        struct mlt_openlineage_value list = mlt_openlineage_get(whole(&run->events[i]), list_of(side));
        num += list.json ? list.json->tape[list.at].count : 0;
    }
    return num;
}

// Every time that a dataset of one side is named, those of one dataset together.
static size_t find_mentions(struct mlt_openlineage_mention *out, size_t max, const struct mlt_openlineage_run *run,
                            enum mlt_openlineage_side side) {
    size_t num = 0;
    for (size_t i = 0; i < run->num_events; i++) {
        struct mlt_openlineage_value list = mlt_openlineage_get(whole(&run->events[i]), list_of(side));
        for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE && num < max;
             at = mlt_openlineage_next(list, at)) {
            struct mlt_openlineage_mention m = {.value = mlt_openlineage_of(list, at), .order = num};
            m.ns = mlt_openlineage_text(m.value, "namespace", run->arena);
            m.name = mlt_openlineage_text(m.value, "name", run->arena);
            if (mlt_openlineage_names(m.ns, m.name)) {
                out[num++] = m;
            }
        }
    }
    qsort(out, num, sizeof *out, by_name);
    return num;
}

static bool same_name(const struct mlt_openlineage_mention *a, const struct mlt_openlineage_mention *b) {
    return mlt_bytes_equal(a->ns, b->ns) && mlt_bytes_equal(a->name, b->name);
}

// Every dataset of one side, once. NULL: no memory.
static struct mlt_openlineage_dataset *collect(const struct mlt_openlineage_run *run, enum mlt_openlineage_side side,
                                               size_t *out_num) {
    size_t max = count_mentions(run, side);
    struct mlt_openlineage_mention *mentions = mlt_arena_zero(run->arena, (max + 1) * sizeof *mentions);
    struct mlt_openlineage_dataset *all = mlt_arena_zero(run->arena, (max + 1) * sizeof *all);
    *out_num = 0;
    if (!mentions || !all) {
        return NULL;
    }
    size_t num = find_mentions(mentions, max, run, side);
    for (size_t i = 0; i < num; i++) {
        if (i == 0 || !same_name(&mentions[i - 1], &mentions[i])) {
            struct mlt_openlineage_dataset *d = &all[(*out_num)++];
            *d = (struct mlt_openlineage_dataset){side, mentions[i].ns, mentions[i].name, {0}, &mentions[i], 0};
            d->full = mlt_openlineage_full_name(run->arena, d->ns, d->name);
        }
        all[*out_num - 1].num_mentions++;
    }
    return all;
}

static void name_job(struct mlt_openlineage_run *run) {
    for (size_t i = run->num_events; i-- > 0 && run->job_name.len == 0;) {
        struct mlt_openlineage_value job = mlt_openlineage_get(whole(&run->events[i]), "job");
        run->job_ns = mlt_openlineage_text(job, "namespace", run->arena);
        run->job_name = mlt_openlineage_text(job, "name", run->arena);
        run->id = mlt_openlineage_text(mlt_openlineage_get(whole(&run->events[i]), "run"), "runId", run->arena);
    }
    run->job = mlt_openlineage_full_name(run->arena, run->job_ns, run->job_name);
}

enum mlt_status mlt_openlineage_run_read(struct mlt_openlineage_run *run, struct mlt_arena *arena,
                                         const struct mlt_bytes *events, size_t num_events, struct mlt_error *err) {
    *run = (struct mlt_openlineage_run){.arena = arena};
    run->events = mlt_arena_zero(arena, (num_events + 1) * sizeof *run->events);
    if (!run->events) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu events", num_events);
    }
    for (size_t i = 0; i < num_events; i++) {
        if (read_event(&run->events[run->num_events], events[i], arena)) {
            run->num_events++;
        } else {
            mlt_json_clear(&run->events[run->num_events].json);
        }
    }
    qsort(run->events, run->num_events, sizeof *run->events, by_time);
    for (size_t i = 0; i < run->num_events; i++) {
        const struct mlt_openlineage_event *e = &run->events[i];
        run->end = e->rank == MLT_OPENLINEAGE_END ? e : run->end;
        run->start = e->rank == MLT_OPENLINEAGE_START && !run->start ? e : run->start;
    }
    name_job(run);
    run->inputs = collect(run, MLT_OPENLINEAGE_INPUT, &run->num_inputs);
    run->outputs = collect(run, MLT_OPENLINEAGE_OUTPUT, &run->num_outputs);
    return run->inputs && run->outputs ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for the datasets of a run");
}

void mlt_openlineage_run_clear(struct mlt_openlineage_run *run) {
    for (size_t i = 0; i < run->num_events; i++) {
        mlt_json_clear(&run->events[i].json);
    }
    run->num_events = 0;
}
