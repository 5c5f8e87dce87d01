// The runs of a message, together with what the log has of them. Nothing is remembered from one message to the next: a
// restart in the middle of a run changes nothing.
#include <stdlib.h>

#include "base/time.h"
#include "capture/openlineage_run.h"

#define VERSIONS_LOOKED_AT 256 // newest ones of a dataset: one that was made earlier is rarely what a run began with

// An event of this message, as its capture record has it.
struct fresh {
    struct mlt_bytes run, event;
    size_t order;
};

// A version that a run of this message made: not in the log yet.
struct made {
    struct mlt_bytes dataset, version;
    int64_t time;
};

struct deriving {
    struct mlt_capture *out;
    const struct mlt_source *src;
    struct mlt_bytes producer;
    struct mlt_arena arena; // of this message
    struct fresh *fresh;    // by run
    size_t num_fresh;
    struct made *made;
    size_t num_made, cap_made;
    // Of one run.
    struct mlt_bytes *events;
    size_t num_events, bytes;
    struct mlt_error *err;
};

static enum mlt_status no_memory(struct deriving *d) {
    return mlt_fail(d->err, MLT_NOMEM, "no memory to put a run together");
}

// --- this message ---

static int by_run(const void *x, const void *y) {
    const struct fresh *a = x, *b = y;
    int run = mlt_bytes_compare(a->run, b->run);
    return run != 0 ? run : (a->order > b->order) - (a->order < b->order);
}

// Lines of records, one after the other; the last byte is a line's end.
static bool next_line(struct mlt_bytes *rest, struct mlt_bytes *line) {
    const uint8_t *end = rest->ptr && rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (!end) {
        return false;
    }
    *line = mlt_bytes_of(rest->ptr, (size_t)(end - rest->ptr));
    *rest = mlt_bytes_of(end + 1, rest->len - line->len - 1);
    return true;
}

static struct mlt_bytes copied_text(struct deriving *d, const struct mlt_json *json, mlt_json_at at, const char *name) {
    return mlt_arena_copy(&d->arena, mlt_json_string(json, mlt_json_get(json, at, name), &d->arena));
}

// The event of a capture record, if it is one of a run.
static bool read_fresh(struct deriving *d, struct fresh *out, struct mlt_bytes line) {
    struct mlt_json json = {0};
    enum mlt_status status = mlt_json_scan(&json, line, NULL);
    bool is = status == MLT_OK;
    d->arena.failed = d->arena.failed || status == MLT_NOMEM;
    mlt_json_at message = is ? mlt_json_get(&json, 0, "message") : MLT_JSON_NONE;
    mlt_json_at run = mlt_json_get(&json, message, "run");
    is = mlt_json_is(&json, run, MLT_JSON_OBJECT);
    if (is) {
        out->run = copied_text(d, &json, run, "runId");
        out->event = mlt_json_raw(&json, message);
    }
    mlt_json_clear(&json);
    return is;
}

static enum mlt_status read_message(struct deriving *d) {
    struct mlt_bytes rest = mlt_arena_copy(&d->arena, mlt_buf_bytes(&d->out->lines)); // more will be put after them
    struct mlt_bytes line;
    d->fresh = mlt_arena_zero(&d->arena, (d->out->num_records + 1) * sizeof *d->fresh);
    if (!d->fresh || (!rest.ptr && d->out->lines.len > 0)) {
        return no_memory(d);
    }
    while (d->num_fresh < d->out->num_records && next_line(&rest, &line)) {
        if (read_fresh(d, &d->fresh[d->num_fresh], line)) {
            d->fresh[d->num_fresh].order = d->num_fresh;
            d->num_fresh++;
        }
    }
    qsort(d->fresh, d->num_fresh, sizeof *d->fresh, by_run);
    return MLT_OK;
}

// --- the log ---

static void add_event(struct deriving *d, struct mlt_bytes event) {
    if (d->num_events < 2 * MLT_OPENLINEAGE_EVENTS_MAX && event.len <= MLT_OPENLINEAGE_EVENTS_BYTES_MAX - d->bytes) {
        d->events[d->num_events++] = event;
        d->bytes += event.len;
    }
}

// The message of a capture record. What was erased, or is no JSON, is no part of the run any more.
static enum mlt_status read_logged(struct deriving *d, uint64_t index, struct mlt_arena *arena) {
    struct mlt_bytes bytes, plain = {0};
    struct mlt_entry entry = {0};
    struct mlt_json payload = {0};
    enum mlt_payload_state state = MLT_PAYLOAD_NONE;
    enum mlt_status status = d->src->entry(d->src->ctx, index, arena, &bytes, d->err);
    status = status == MLT_OK ? mlt_entry_parse(&entry, arena, bytes, d->err) : status;
    status = status == MLT_OK ? d->src->payload(d->src->ctx, index, &entry, arena, &state, &plain, d->err) : status;
    if (status == MLT_OK && state == MLT_PAYLOAD_OPEN) {
        status = mlt_json_scan(&payload, plain, d->err);
    }
    if (status == MLT_OK && state == MLT_PAYLOAD_OPEN) {
        mlt_json_at message = mlt_json_get(&payload, 0, "message");
        if (mlt_json_is(&payload, message, MLT_JSON_OBJECT)) {
            add_event(d, mlt_json_raw(&payload, message));
        }
    }
    mlt_json_clear(&payload);
    mlt_entry_clear(&entry);
    return status;
}

static void term_of(struct deriving *d, struct mlt_term *out, enum mlt_dim dim, struct mlt_bytes a,
                    struct mlt_bytes b) {
    struct mlt_bytes values[] = {a, b};
    mlt_source_term(d->src, out, dim, values, b.ptr ? 2 : 1);
}

// The events of a run in the log: the first ones, and if there are more than are taken, the last ones too.
static enum mlt_status read_log(struct deriving *d, struct mlt_bytes run, struct mlt_arena *arena) {
    struct mlt_term terms[2];
    uint64_t *found = mlt_arena_take(arena, MLT_OPENLINEAGE_EVENTS_MAX * sizeof *found);
    size_t num = 0;
    bool more = false;
    if (!found) {
        return no_memory(d);
    }
    term_of(d, &terms[0], MLT_DIM_CORRELATION, mlt_str(MLT_OPENLINEAGE), run);
    term_of(d, &terms[1], MLT_DIM_PRODUCER, d->producer, (struct mlt_bytes){0});
    enum mlt_status status =
        d->src->find(d->src->ctx, terms, 2, 0, false, MLT_OPENLINEAGE_EVENTS_MAX, found, &num, NULL, &more, d->err);
    size_t half = more ? num / 2 : num;
    for (size_t i = 0; status == MLT_OK && i < half; i++) {
        status = read_logged(d, found[i], arena);
    }
    if (status != MLT_OK || !more) {
        return status;
    }
    status = d->src->find(d->src->ctx, terms, 2, UINT64_MAX, true, num - half, found, &num, NULL, &more, d->err);
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        status = read_logged(d, found[i], arena);
    }
    return status;
}

// --- datasets that the trail knows ---

// The last one that was made by then is the one: a later one is what others read.
static void take_version(struct mlt_openlineage_known *out, struct mlt_bytes version, struct mlt_bytes but,
                         int64_t time, int64_t by) {
    if (but.len > 0 && mlt_bytes_equal(version, but)) {
        return;
    }
    out->dataset = true;
    if (time <= by && out->version.len == 0) {
        out->version = version;
    }
}

static enum mlt_status look_at_version(struct deriving *d, struct mlt_arena *arena, uint64_t index,
                                       struct mlt_bytes but, int64_t by, struct mlt_openlineage_known *out) {
    struct mlt_bytes bytes;
    struct mlt_entry entry = {0};
    enum mlt_status status = d->src->entry(d->src->ctx, index, arena, &bytes, d->err);
    status = status == MLT_OK ? mlt_entry_parse(&entry, arena, bytes, d->err) : status;
    if (status == MLT_OK) {
        struct mlt_bytes version =
            mlt_json_string(&entry.json, mlt_json_get(&entry.json, entry.facts, "version"), arena);
        take_version(out, version, but, entry.has_time ? entry.time : entry.received, by);
    }
    mlt_entry_clear(&entry);
    return status;
}

static enum mlt_status find_dataset(void *ctx, struct mlt_bytes dataset, struct mlt_bytes but, int64_t by,
                                    struct mlt_arena *arena, struct mlt_openlineage_known *out, struct mlt_error *err) {
    struct deriving *d = ctx;
    struct mlt_term term;
    uint64_t found[VERSIONS_LOOKED_AT];
    size_t num = 0;
    bool more = false;
    *out = (struct mlt_openlineage_known){0};
    for (size_t i = d->num_made; i-- > 0;) {
        if (mlt_bytes_equal(d->made[i].dataset, dataset)) {
            take_version(out, d->made[i].version, but, d->made[i].time, by);
        }
    }
    term_of(d, &term, MLT_DIM_DATASET, dataset, (struct mlt_bytes){0});
    enum mlt_status status =
        d->src->find(d->src->ctx, &term, 1, UINT64_MAX, true, VERSIONS_LOOKED_AT, found, &num, NULL, &more, err);
    for (size_t i = 0; status == MLT_OK && i < num && out->version.len == 0; i++) {
        status = look_at_version(d, arena, found[i], but, by, out);
    }
    return status;
}

// --- run by run ---

// What the run that was told just now made, for the runs after it.
static enum mlt_status remember_made(struct deriving *d, size_t from) {
    struct mlt_bytes rest = mlt_bytes_of(d->out->lines.data + from, d->out->lines.len - from);
    struct mlt_bytes line;
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && next_line(&rest, &line)) {
        struct mlt_json json = {0};
        struct made one = {0};
        status = mlt_json_scan(&json, line, d->err);
        if (status == MLT_OK) {
            one.dataset = copied_text(d, &json, 0, "dataset");
            one.version = copied_text(d, &json, 0, "version");
        }
        if (status == MLT_OK && one.dataset.len > 0 &&
            mlt_time_parse(&one.time, copied_text(d, &json, 0, "timestamp"))) {
            if (d->num_made == d->cap_made) {
                size_t cap = d->cap_made > 0 ? 2 * d->cap_made : 16;
                struct made *grown = realloc(d->made, cap * sizeof *grown);
                status = grown ? MLT_OK : no_memory(d);
                d->made = grown ? grown : d->made;
                d->cap_made = grown ? cap : d->cap_made;
            }
            if (status == MLT_OK) {
                d->made[d->num_made++] = one;
            }
        }
        mlt_json_clear(&json);
    }
    return status;
}

// Events are kept in any case: a log that cannot be read in one place must not refuse what comes after. That a run was
// not told is told.
static enum mlt_status note_failure(struct deriving *d, const struct fresh *fresh, enum mlt_status status) {
    if (status == MLT_OK || status == MLT_NOMEM) {
        return status;
    }
    struct mlt_bytes raw = mlt_arena_copy(&d->out->arena, fresh->event); // ours ends with this message
    return mlt_capture_reject(d->out, 1, raw, "run-not-told", "", "what is recorded of this run could not be read: %s",
                              d->err ? d->err->text : "") == MLT_NOMEM
               ? no_memory(d)
               : MLT_OK;
}

static enum mlt_status derive_run(struct deriving *d, const struct fresh *fresh, size_t num) {
    const struct mlt_openlineage_log log = {d, find_dataset};
    struct mlt_arena arena = {0}; // of this run
    size_t before = d->out->lines.len;
    d->num_events = 0;
    d->bytes = 0;
    d->events = mlt_arena_take(&arena, 2 * MLT_OPENLINEAGE_EVENTS_MAX * sizeof *d->events);
    enum mlt_status status = d->events ? read_log(d, fresh->run, &arena) : no_memory(d);
    for (size_t i = 0; i < num && status == MLT_OK; i++) {
        add_event(d, fresh[i].event);
    }
    status = status == MLT_OK ? mlt_openlineage_tell(d->out, d->events, d->num_events, &log, d->err) : status;
    status = status == MLT_OK ? remember_made(d, before) : status;
    status = status == MLT_OK && (arena.failed || d->arena.failed) ? no_memory(d) : status;
    mlt_arena_clear(&arena);
    return note_failure(d, fresh, status);
}

struct span {
    size_t at, num, order;
};

static int by_order(const void *x, const void *y) {
    const struct span *a = x, *b = y;
    return (a->order > b->order) - (a->order < b->order);
}

// Runs in the order of their first events: a batch has what was made before what it went into.
static enum mlt_status derive_all(struct deriving *d) {
    struct span *runs = mlt_arena_take(&d->arena, (d->num_fresh + 1) * sizeof *runs);
    size_t num = 0;
    if (!runs) {
        return no_memory(d);
    }
    for (size_t i = 0; i < d->num_fresh; i++) {
        if (i == 0 || !mlt_bytes_equal(d->fresh[i - 1].run, d->fresh[i].run)) {
            runs[num++] = (struct span){.at = i, .order = d->fresh[i].order};
        }
        runs[num - 1].num++;
    }
    qsort(runs, num, sizeof *runs, by_order);
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; status == MLT_OK && i < num; i++) {
        status = derive_run(d, &d->fresh[runs[i].at], runs[i].num);
    }
    return status;
}

enum mlt_status mlt_openlineage_derive(struct mlt_capture *out, const struct mlt_source *src, struct mlt_bytes producer,
                                       struct mlt_error *err) {
    struct deriving d = {.out = out, .src = src, .producer = producer, .err = err};
    enum mlt_status status = read_message(&d);
    status = status == MLT_OK ? derive_all(&d) : status;
    free(d.made);
    mlt_arena_clear(&d.arena);
    return status;
}
