// What the monitor remembers, as one line of JSON:
//
//   {"monitor":1,"round":N,"checkpoint":TEXT,"size":N,"frontier":hex,"rows":[hex,…],"received":N,"grown":N,"segments":N,
//    "segment_end":N,"links_from":N,"links_round":N,
//    "governance":N,"pending_from":N,"next_run":N,"runs":[N,…],"streams":base64,"told":base64,"sha256":hex}
//
// `rows` are the partial tiles of each level; a stream is 32 bytes, u64 next, u8 gaps, and per gap u64 from, to, entry,
// round, u8 told. Written whole and put in place by renaming: a crash leaves the one or the other.
#include <stdlib.h>

#include "monitor/monitor_private.h"
#include "record/json_sum.h"

#define VERSION 1

void mlt_monitor_state_clear(struct mlt_monitor_state *s) {
    mlt_buf_clear(&s->note);
    mlt_buf_clear(&s->streams);
    mlt_buf_clear(&s->told);
    mlt_buf_clear(&s->runs);
    *s = (struct mlt_monitor_state){0};
}

static bool copy_buf(struct mlt_buf *to, const struct mlt_buf *from) {
    mlt_buf_reset(to);
    mlt_buf_put_bytes(to, mlt_buf_bytes(from));
    return !to->failed;
}

bool mlt_monitor_state_copy(struct mlt_monitor_state *to, const struct mlt_monitor_state *from) {
    struct mlt_buf note = to->note;
    struct mlt_buf streams = to->streams;
    struct mlt_buf told = to->told;
    struct mlt_buf runs = to->runs;
    *to = *from;
    to->note = note;
    to->streams = streams;
    to->told = told;
    to->runs = runs;
    return copy_buf(&to->note, &from->note) && copy_buf(&to->streams, &from->streams) &&
           copy_buf(&to->told, &from->told) && copy_buf(&to->runs, &from->runs);
}

static void put_streams(struct mlt_json_writer *w, const struct mlt_buf *streams) {
    struct mlt_buf bytes = {0};
    const struct mlt_monitor_stream *s = (const void *)streams->data;
    for (size_t i = 0; i < streams->len / sizeof *s; i++) {
        mlt_buf_put(&bytes, s[i].hash, sizeof s[i].hash);
        mlt_buf_put_u64be(&bytes, s[i].next);
        mlt_buf_put_u8(&bytes, (uint8_t)s[i].num_gaps);
        for (size_t g = 0; g < s[i].num_gaps; g++) {
            mlt_buf_put_u64be(&bytes, s[i].gap[g].from);
            mlt_buf_put_u64be(&bytes, s[i].gap[g].to);
            mlt_buf_put_u64be(&bytes, s[i].gap[g].entry);
            mlt_buf_put_u64be(&bytes, s[i].gap[g].round);
            mlt_buf_put_u8(&bytes, s[i].gap[g].told);
        }
    }
    mlt_jw_name(w, "streams");
    mlt_jw_base64(w, mlt_buf_bytes(&bytes));
    w->out->failed = w->out->failed || bytes.failed;
    mlt_buf_clear(&bytes);
}

static void put_runs(struct mlt_json_writer *w, const struct mlt_buf *runs) {
    const struct mlt_monitor_run *r = (const void *)runs->data;
    mlt_jw_name(w, "runs");
    mlt_jw_array(w);
    for (size_t i = 0; i < runs->len / sizeof *r; i++) {
        mlt_jw_u64(w, r[i].id);
        mlt_jw_u64(w, r[i].first);
        mlt_jw_u64(w, r[i].end);
        mlt_jw_u64(w, r[i].num);
    }
    mlt_jw_end_array(w);
}

static size_t row_len(const struct mlt_mirror_tree *t, unsigned level) {
    return (size_t)(t->frontier.size >> (MLT_TILE_HEIGHT * level)) % MLT_TILE_WIDTH * MLT_HASH_LEN;
}

void mlt_monitor_state_format(struct mlt_buf *out, const struct mlt_monitor_state *s) {
    struct mlt_json_writer w;
    mlt_buf_reset(out);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "monitor", VERSION);
    mlt_jw_member_u64(&w, "round", s->round);
    mlt_jw_member_bytes(&w, "checkpoint", mlt_buf_bytes(&s->note));
    mlt_jw_member_u64(&w, "size", s->tree.frontier.size);
    mlt_jw_name(&w, "frontier");
    mlt_jw_hex(&w, mlt_bytes_of(s->tree.frontier.hash, s->tree.frontier.num_hashes * MLT_HASH_LEN));
    mlt_jw_name(&w, "rows");
    mlt_jw_array(&w);
    for (unsigned level = 0; level < MLT_TILE_LEVELS; level++) {
        mlt_jw_hex(&w, mlt_bytes_of(s->tree.row[level], row_len(&s->tree, level)));
    }
    mlt_jw_end_array(&w);
    mlt_jw_member_u64(&w, "received", (uint64_t)s->received);
    mlt_jw_member_u64(&w, "grown", (uint64_t)s->grown);
    mlt_jw_member_u64(&w, "segments", s->segments);
    mlt_jw_member_u64(&w, "segment_end", s->segment_end);
    mlt_jw_member_u64(&w, "links_from", s->links_from);
    mlt_jw_member_u64(&w, "links_round", s->links_round);
    mlt_jw_member_u64(&w, "governance", s->governance);
    mlt_jw_member_u64(&w, "pending_from", s->pending_from);
    mlt_jw_member_u64(&w, "next_run", s->next_run);
    put_runs(&w, &s->runs);
    put_streams(&w, &s->streams);
    mlt_jw_name(&w, "told");
    mlt_jw_base64(&w, mlt_buf_bytes(&s->told));
    mlt_json_sum_end(&w);
}

struct reader {
    struct mlt_json json;
    struct mlt_arena arena;
    bool failed;
};

static uint64_t take_u64(struct reader *r, const char *name) {
    uint64_t v = 0;
    r->failed = !mlt_json_u64(&r->json, mlt_json_get(&r->json, 0, name), &v) || r->failed;
    return v;
}

static void take_hex(struct reader *r, mlt_json_at at, uint8_t *out, size_t len) {
    struct mlt_bytes text = mlt_json_string(&r->json, at, &r->arena);
    r->failed = r->failed || !text.ptr || !mlt_hex_decode(out, len, text);
}

static void take_base64(struct reader *r, const char *name, struct mlt_buf *out) {
    struct mlt_bytes text = mlt_json_string(&r->json, mlt_json_get(&r->json, 0, name), &r->arena);
    size_t len = 0;
    mlt_buf_reset(out);
    if (!text.ptr || !mlt_buf_reserve(out, text.len + 1) || !mlt_base64_decode(out->data, text.len, &len, text)) {
        r->failed = true;
        return;
    }
    out->len = len;
}

static void take_gap(struct mlt_cursor *c, struct mlt_monitor_gap *g) {
    g->from = mlt_cursor_u64be(c);
    g->to = mlt_cursor_u64be(c);
    g->entry = mlt_cursor_u64be(c);
    g->round = mlt_cursor_u64be(c);
    g->told = mlt_cursor_u8(c) != 0;
}

static void take_streams(struct reader *r, struct mlt_buf *out) {
    struct mlt_buf bytes = {0};
    uint8_t before[MLT_HASH_LEN] = {0};
    take_base64(r, "streams", &bytes);
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&bytes));
    for (size_t num = 0; !r->failed && mlt_cursor_left(&c) > 0; num++) {
        struct mlt_monitor_stream s = {0};
        (void)mlt_cursor_copy(&c, s.hash, sizeof s.hash);
        s.next = mlt_cursor_u64be(&c);
        s.num_gaps = mlt_cursor_u8(&c);
        r->failed = s.num_gaps > MLT_MONITOR_GAPS_MAX || num >= MLT_MONITOR_STREAMS_MAX ||
                    (num > 0 && memcmp(before, s.hash, sizeof before) >= 0);
        for (size_t g = 0; !r->failed && g < s.num_gaps; g++) {
            take_gap(&c, &s.gap[g]);
        }
        memcpy(before, s.hash, sizeof before);
        mlt_buf_put(out, &s, sizeof s);
        r->failed = r->failed || c.failed || out->failed;
    }
    mlt_buf_clear(&bytes);
}

static void take_runs(struct reader *r, struct mlt_buf *out) {
    mlt_json_at list = mlt_json_get(&r->json, 0, "runs");
    mlt_json_at at = mlt_json_first(&r->json, list);
    r->failed = r->failed || !mlt_json_is(&r->json, list, MLT_JSON_ARRAY);
    for (size_t num = 0; !r->failed && at != MLT_JSON_NONE; num++) {
        uint64_t v[4];
        for (size_t i = 0; i < 4; i++, at = mlt_json_next(&r->json, list, at)) {
            r->failed = !mlt_json_u64(&r->json, at, &v[i]) || r->failed;
        }
        const struct mlt_monitor_run run = {v[0], v[1], v[2], v[3]};
        r->failed = r->failed || num >= MLT_MONITOR_RUNS_MAX || run.first >= run.end ||
                    run.num > (run.end - run.first) * MLT_TERMS_MAX;
        mlt_buf_put(out, &run, sizeof run);
    }
    r->failed = r->failed || out->failed;
}

static void take_tree(struct reader *r, struct mlt_mirror_tree *t) {
    struct mlt_bytes hex = mlt_json_string(&r->json, mlt_json_get(&r->json, 0, "frontier"), &r->arena);
    mlt_json_at rows = mlt_json_get(&r->json, 0, "rows");
    t->frontier.size = take_u64(r, "size");
    t->frontier.num_hashes = hex.len / ((size_t)2 * MLT_HASH_LEN);
    if (r->failed || !hex.ptr || t->frontier.num_hashes > sizeof t->frontier.hash / MLT_HASH_LEN ||
        !mlt_frontier_check(&t->frontier) || !mlt_json_is(&r->json, rows, MLT_JSON_ARRAY)) {
        r->failed = true;
        return;
    }
    take_hex(r, mlt_json_get(&r->json, 0, "frontier"), t->frontier.hash[0], t->frontier.num_hashes * MLT_HASH_LEN);
    mlt_json_at at = mlt_json_first(&r->json, rows);
    for (unsigned level = 0; level < MLT_TILE_LEVELS; level++, at = mlt_json_next(&r->json, rows, at)) {
        take_hex(r, at, t->row[level][0], row_len(t, level));
    }
}

// The checkpoint was held against the key when it was remembered, and is again when the monitor opens.
static void take_head(struct reader *r, struct mlt_monitor_state *s) {
    struct mlt_note note;
    uint8_t root[MLT_HASH_LEN];
    struct mlt_bytes text = mlt_json_string(&r->json, mlt_json_get(&r->json, 0, "checkpoint"), &r->arena);
    mlt_buf_put_bytes(&s->note, text);
    r->failed = r->failed || !text.ptr || s->note.failed;
    if (r->failed || text.len == 0) {
        r->failed = r->failed || s->tree.frontier.size != 0;
        return;
    }
    mlt_frontier_root(&s->tree.frontier, root);
    r->failed = mlt_note_parse(&note, &r->arena, text, NULL) != MLT_OK ||
                mlt_checkpoint_parse(&s->head, note.text, NULL) != MLT_OK || s->head.size != s->tree.frontier.size ||
                memcmp(root, s->head.root, sizeof root) != 0;
}

enum mlt_status mlt_monitor_state_parse(struct mlt_monitor_state *out, struct mlt_bytes text, struct mlt_error *err) {
    struct reader r = {0};
    *out = (struct mlt_monitor_state){0};
    r.failed = !mlt_json_sum_scan(&r.json, text);
    if (!r.failed) {
        r.failed = take_u64(&r, "monitor") != VERSION;
        out->round = take_u64(&r, "round");
        out->received = (int64_t)take_u64(&r, "received");
        out->grown = (int64_t)take_u64(&r, "grown");
        out->segments = take_u64(&r, "segments");
        out->segment_end = take_u64(&r, "segment_end");
        out->links_from = take_u64(&r, "links_from");
        out->links_round = take_u64(&r, "links_round");
        out->governance = take_u64(&r, "governance");
        take_tree(&r, &out->tree);
        take_head(&r, out);
        out->pending_from = take_u64(&r, "pending_from");
        out->next_run = take_u64(&r, "next_run");
        take_runs(&r, &out->runs);
        take_streams(&r, &out->streams);
        take_base64(&r, "told", &out->told);
        r.failed = r.failed || out->told.len % MLT_HASH_LEN != 0;
    }
    mlt_json_clear(&r.json);
    mlt_arena_clear(&r.arena);
    if (r.failed) {
        mlt_monitor_state_clear(out);
        return mlt_fail(err, MLT_CORRUPT, "not the state of a monitor, or damaged");
    }
    return MLT_OK;
}
