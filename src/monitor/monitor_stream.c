// Sequence numbers of serving streams. The log's order is not the stream's: a number passed over may still come. A gap
// is told when it has stayed open into a later round.
#include <inttypes.h>

#include "monitor/monitor_private.h"
#include "record/link.h"

static struct mlt_monitor_stream *streams_of(struct mlt_monitor *m, size_t *num) {
    *num = m->next.streams.len / sizeof(struct mlt_monitor_stream);
    return (void *)m->next.streams.data;
}

// Where the stream with this hash is, or belongs.
static size_t find(struct mlt_monitor *m, const uint8_t hash[static MLT_HASH_LEN], bool *found) {
    size_t num;
    const struct mlt_monitor_stream *s = streams_of(m, &num);
    size_t low = 0;
    size_t high = num;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(s[middle].hash, hash, MLT_HASH_LEN) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low < num && memcmp(s[low].hash, hash, MLT_HASH_LEN) == 0;
    return low;
}

// A stream begins at 0 or 1; NULL: no room, it is not followed.
static struct mlt_monitor_stream *stream_of(struct mlt_monitor *m, const uint8_t hash[static MLT_HASH_LEN],
                                            uint64_t sequence) {
    bool found;
    size_t num;
    size_t at = find(m, hash, &found);
    struct mlt_monitor_stream fresh = {.next = sequence < 1 ? 0 : 1};
    if (!found) {
        (void)streams_of(m, &num);
        if (num >= MLT_MONITOR_STREAMS_MAX) {
            return NULL;
        }
        memcpy(fresh.hash, hash, sizeof fresh.hash);
        mlt_buf_put(&m->next.streams, &fresh, sizeof fresh);
        if (m->next.streams.failed) {
            return NULL;
        }
        struct mlt_monitor_stream *s = streams_of(m, &num);
        memmove(s + at + 1, s + at, (num - 1 - at) * sizeof *s);
        s[at] = fresh;
    }
    return streams_of(m, &num) + at;
}

static void open_gap(struct mlt_monitor_stream *s, uint64_t from, uint64_t to, uint64_t entry, uint64_t round) {
    if (s->num_gaps == MLT_MONITOR_GAPS_MAX) {
        s->gap[s->num_gaps - 1].to = to;
        return;
    }
    s->gap[s->num_gaps++] = (struct mlt_monitor_gap){.from = from, .to = to, .entry = entry, .round = round};
}

// A number that came late closes its gap, or splits it.
static void fill_gap(struct mlt_monitor_stream *s, uint64_t sequence) {
    for (size_t i = 0; i < s->num_gaps; i++) {
        struct mlt_monitor_gap *g = &s->gap[i];
        if (sequence < g->from || sequence >= g->to) {
            continue;
        }
        if (sequence == g->from) {
            g->from++;
        } else if (sequence == g->to - 1) {
            g->to--;
        } else if (s->num_gaps < MLT_MONITOR_GAPS_MAX) {
            struct mlt_monitor_gap rest = *g;
            rest.from = sequence + 1;
            g->to = sequence;
            s->gap[s->num_gaps++] = rest;
        }
        if (g->from == g->to) {
            s->num_gaps--;
            memmove(g, g + 1, (s->num_gaps - i) * sizeof *g);
        }
        return;
    }
}

enum mlt_status mlt_monitor_read_sequence(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                          struct mlt_error *err) {
    struct mlt_link link;
    uint64_t sequence;
    struct mlt_bytes values[] = {mlt_json_string(&e->json, mlt_json_get(&e->json, e->facts, "serving_node"), &m->arena),
                                 mlt_json_string(&e->json, mlt_json_get(&e->json, e->facts, "stream"), &m->arena)};
    if (!values[0].ptr || !mlt_json_u64(&e->json, mlt_json_get(&e->json, e->facts, "sequence"), &sequence) ||
        sequence == UINT64_MAX) {
        return MLT_OK;
    }
    mlt_link_make(&link, MLT_DIM_STREAM, values, 2);
    struct mlt_monitor_stream *s = stream_of(m, link.hash, sequence);
    if (!s) {
        return m->next.streams.failed ? mlt_fail(err, MLT_NOMEM, "no memory for streams") : MLT_OK;
    }
    if (sequence < s->next) {
        fill_gap(s, sequence);
        return MLT_OK;
    }
    if (sequence > s->next) {
        open_gap(s, s->next, sequence, index, m->next.round);
    }
    s->next = sequence + 1;
    return MLT_OK;
}

static enum mlt_status tell_gap(struct mlt_monitor *m, struct mlt_monitor_gap *g, struct mlt_error *err) {
    struct mlt_alarm alarm = {.kind = MLT_ALARM_FINDING, .has_index = true, .index = g->entry};
    g->told = true;
    return mlt_monitor_alarm(m, &alarm, err,
                             "stream-gap: sequence numbers %" PRIu64 " to %" PRIu64 " are missing (%" PRIu64
                             " predictions) before entry %" PRIu64,
                             g->from, g->to - 1, g->to - g->from, g->entry);
}

enum mlt_status mlt_monitor_tell_gaps(struct mlt_monitor *m, struct mlt_error *err) {
    size_t num;
    enum mlt_status st = MLT_OK;
    struct mlt_monitor_stream *s = streams_of(m, &num);
    for (size_t i = 0; i < num && !st; i++) {
        for (size_t g = 0; g < s[i].num_gaps && !st; g++) {
            if (!s[i].gap[g].told && s[i].gap[g].round < m->next.round) {
                st = tell_gap(m, &s[i].gap[g], err);
            }
        }
    }
    return st;
}
