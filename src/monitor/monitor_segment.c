// What the log commits to about segments of itself: the links of all entries of a range, sorted, as a Merkle tree
// (record/segment.h). Commitments overlap: a whole segment covers small ones, and a larger one sixteen of them. So the
// links of every entry are kept: those of the newest entries in memory, in order of their entries, all others in sorted
// runs under <state>/links, a file each. A commitment is computed again by merging the runs it covers, which then
// become one.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/monitor_private.h"
#include "record/segment.h"
#include "segment/stream.h"

#define PENDING_MAX ((size_t)1 << 20) // leaves in memory: 40 MiB; beyond, they become a run
#define PENDING_LEN_MAX ((PENDING_MAX + MLT_TERMS_MAX) * MLT_LINK_LEAF_LEN)
#define WRITE_LEN ((size_t)1 << 16)

struct mlt_monitor_segments {
    struct mlt_link_leaves pending; // of entries from next.pending_from on, in their order
};

// A run that is being written.
struct writer {
    struct mlt_env *env;
    struct mlt_file *file; // NULL: nothing is to be written
    struct mlt_buf buf;
    uint64_t off;
};

static void dir_path(const struct mlt_monitor *m, char out[static MLT_MONITOR_PATH_MAX]) {
    (void)snprintf(out, MLT_MONITOR_PATH_MAX, "%s/links", m->opt.state_dir);
}

static void run_path(const struct mlt_monitor *m, uint64_t id, char out[static MLT_MONITOR_PATH_MAX]) {
    (void)snprintf(out, MLT_MONITOR_PATH_MAX, "%s/links/%" PRIu64, m->opt.state_dir, id);
}

static void pending_path(const struct mlt_monitor *m, uint64_t round, char out[static MLT_MONITOR_PATH_MAX]) {
    (void)snprintf(out, MLT_MONITOR_PATH_MAX, "%s/links-%" PRIu64, m->opt.state_dir, round);
}

static struct mlt_monitor_run *runs_of(const struct mlt_monitor_state *s, size_t *num) {
    *num = s->runs.len / sizeof(struct mlt_monitor_run);
    return (void *)s->runs.data;
}

// --- files ---

static bool sweep_one(void *arg, const char *name) {
    const struct mlt_monitor *m = arg;
    char path[MLT_MONITOR_PATH_MAX];
    uint64_t id;
    size_t num;
    const struct mlt_monitor_run *runs = runs_of(&m->state, &num);
    if (!mlt_decimal_decode(&id, mlt_str(name))) {
        return true;
    }
    for (size_t i = 0; i < num; i++) {
        if (runs[i].id == id) {
            return true;
        }
    }
    run_path(m, id, path);
    (void)m->opt.env->unlink(m->opt.env, path, NULL);
    return true;
}

// Removes runs that no state knows: left by a crash, or by a round of which nothing is remembered; or merged into
// others.
static void sweep(struct mlt_monitor *m) {
    char path[MLT_MONITOR_PATH_MAX];
    dir_path(m, path);
    (void)m->opt.env->list(m->opt.env, path, sweep_one, m, NULL); // what stays is in nobody's way
}

static enum mlt_status load_pending(struct mlt_monitor *m, struct mlt_bytes file, struct mlt_error *err) {
    struct mlt_link_leaves *p = &m->segments->pending;
    size_t num = file.len / MLT_LINK_LEAF_LEN;
    mlt_link_leaves_clear(p);
    if (num == 0) {
        return MLT_OK;
    }
    p->leaf = calloc(num, sizeof *p->leaf);
    if (!p->leaf) {
        return mlt_fail(err, MLT_NOMEM, "no memory for links");
    }
    p->num = p->cap = num;
    for (size_t i = 0; i < num; i++) {
        mlt_link_leaf_decode(&p->leaf[i], file.ptr + i * MLT_LINK_LEAF_LEN);
    }
    return MLT_OK;
}

enum mlt_status mlt_monitor_segments_revert(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf file = {0};
    enum mlt_status st = MLT_OK;
    if (m->state.links_round > 0) {
        pending_path(m, m->state.links_round, path);
        st = mlt_env_read_file(m->opt.env, path, PENDING_LEN_MAX, &file, err);
        if (!st && file.len % MLT_LINK_LEAF_LEN != 0) {
            st = mlt_fail(err, MLT_CORRUPT, "%s is no file of links", path);
        }
    }
    st = st ? st : load_pending(m, mlt_buf_bytes(&file), err);
    mlt_buf_clear(&file);
    sweep(m);
    return st;
}

enum mlt_status mlt_monitor_segments_open(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    m->segments = calloc(1, sizeof *m->segments);
    if (!m->segments) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a monitor");
    }
    dir_path(m, path);
    enum mlt_status st = mlt_env_make_dir(m->opt.env, path, true, err);
    return st ? st : mlt_monitor_segments_revert(m, err);
}

void mlt_monitor_segments_close(struct mlt_monitor *m) {
    if (m->segments) {
        mlt_link_leaves_clear(&m->segments->pending);
        free(m->segments);
    }
}

enum mlt_status mlt_monitor_segments_save(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    const struct mlt_link_leaves *p = &m->segments->pending;
    struct mlt_buf file = {0};
    if (m->round->num_new == 0) {
        return MLT_OK;
    }
    for (size_t i = 0; i < p->num; i++) {
        uint8_t bytes[MLT_LINK_LEAF_LEN];
        mlt_link_leaf_encode(bytes, &p->leaf[i]);
        mlt_buf_put(&file, bytes, sizeof bytes);
    }
    m->next.links_round = m->next.round;
    pending_path(m, m->next.round, path);
    enum mlt_status st = file.failed ? mlt_fail(err, MLT_NOMEM, "no memory for links")
                                     : mlt_env_replace_file(m->opt.env, path, mlt_buf_bytes(&file), true, err);
    mlt_buf_clear(&file);
    return st;
}

void mlt_monitor_segments_saved(struct mlt_monitor *m, uint64_t round_before) {
    char path[MLT_MONITOR_PATH_MAX];
    if (round_before > 0 && round_before != m->state.links_round) {
        pending_path(m, round_before, path);
        (void)m->opt.env->unlink(m->opt.env, path, NULL);
    }
    sweep(m);
}

// --- runs ---

static enum mlt_status writer_open(struct writer *w, struct mlt_monitor *m, uint64_t id, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    run_path(m, id, path);
    *w = (struct writer){.env = m->opt.env};
    enum mlt_status st = w->env->open(w->env, &w->file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_PRIVATE, err);
    return st ? st : w->env->truncate(w->env, w->file, 0, err); // what a crash may have left under this name
}

static enum mlt_status writer_flush(struct writer *w, struct mlt_error *err) {
    enum mlt_status st = w->buf.failed ? mlt_fail(err, MLT_NOMEM, "no memory for links")
                                       : w->env->write(w->env, w->file, w->buf.data, w->buf.len, w->off, err);
    w->off += w->buf.len;
    mlt_buf_reset(&w->buf);
    return st;
}

static enum mlt_status writer_add(struct writer *w, const struct mlt_link_leaf *leaf, struct mlt_error *err) {
    uint8_t bytes[MLT_LINK_LEAF_LEN];
    if (!w->file) {
        return MLT_OK;
    }
    mlt_link_leaf_encode(bytes, leaf);
    mlt_buf_put(&w->buf, bytes, sizeof bytes);
    return w->buf.len < WRITE_LEN ? MLT_OK : writer_flush(w, err);
}

// Durable on return, its name too.
static enum mlt_status writer_close(struct writer *w, struct mlt_monitor *m, enum mlt_status st,
                                    struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    if (!w->file) {
        return st;
    }
    dir_path(m, path);
    st = st || w->buf.len == 0 ? st : writer_flush(w, err);
    st = st ? st : w->env->sync(w->env, w->file, err);
    st = st ? st : w->env->sync_dir(w->env, path, err);
    w->env->close(w->env, w->file);
    w->file = NULL;
    mlt_buf_clear(&w->buf);
    return st;
}

static enum mlt_status add_run(struct mlt_monitor *m, uint64_t first, uint64_t end, uint64_t num,
                               struct mlt_error *err) {
    const struct mlt_monitor_run run = {.id = m->next.next_run, .first = first, .end = end, .num = num};
    m->next.next_run++;
    mlt_buf_put(&m->next.runs, &run, sizeof run);
    return m->next.runs.failed ? mlt_fail(err, MLT_NOMEM, "no memory for links") : MLT_OK;
}

// What is in memory becomes a run. A log that never commits would make more and more of them: then they are let go.
static enum mlt_status spill(struct mlt_monitor *m, uint64_t index, struct mlt_error *err) {
    struct mlt_link_leaves *p = &m->segments->pending;
    struct writer w;
    size_t num_runs;
    (void)runs_of(&m->next, &num_runs);
    if (num_runs >= MLT_MONITOR_RUNS_MAX) {
        mlt_buf_reset(&m->next.runs);
        p->num = 0;
        m->next.links_from = m->next.pending_from = index;
        return MLT_OK;
    }
    mlt_link_leaves_sort(p);
    enum mlt_status st = writer_open(&w, m, m->next.next_run, err);
    for (size_t i = 0; i < p->num && !st; i++) {
        st = writer_add(&w, &p->leaf[i], err);
    }
    st = writer_close(&w, m, st, err);
    st = st ? st : add_run(m, m->next.pending_from, index, p->num, err);
    m->next.pending_from = index;
    p->num = 0;
    return st;
}

// --- a commitment ---

// What takes part in one: the runs that overlap it and the pending links in it.
struct parts {
    struct mlt_file *file[MLT_MONITOR_RUNS_MAX];
    struct mlt_stream stream[MLT_MONITOR_RUNS_MAX + 1];
    size_t num_files, num_streams;
    struct mlt_link_leaves pending;
    bool all_inside; // no run reaches beyond the segment: they can become one
};

static bool overlaps(const struct mlt_monitor_run *r, const struct mlt_segment *s) {
    return r->first < s->end && r->end > s->first;
}

static enum mlt_status open_run(struct mlt_monitor *m, struct parts *p, const struct mlt_monitor_run *r,
                                struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_env *env = m->opt.env;
    uint64_t len = 0;
    run_path(m, r->id, path);
    enum mlt_status st = env->open(env, &p->file[p->num_files], path, MLT_OPEN_READ, err);
    if (st) {
        return st;
    }
    st = env->size(env, p->file[p->num_files], &len, err);
    if (!st && len != r->num * MLT_LINK_LEAF_LEN) {
        st = mlt_fail(err, MLT_CORRUPT, "%s has %" PRIu64 " bytes; the state says otherwise", path, len);
    }
    st = st ? st : mlt_stream_of_file(&p->stream[p->num_streams], env, p->file[p->num_files], 0, r->num, err);
    p->num_files++;
    p->num_streams += st ? 0 : 1;
    return st;
}

static enum mlt_status gather_pending(struct mlt_monitor *m, struct parts *p, const struct mlt_segment *s,
                                      struct mlt_error *err) {
    const struct mlt_link_leaves *from = &m->segments->pending;
    if (from->num == 0) {
        return MLT_OK;
    }
    p->pending.leaf = calloc(from->num, sizeof *from->leaf);
    if (!p->pending.leaf) {
        return mlt_fail(err, MLT_NOMEM, "no memory for links");
    }
    for (size_t i = 0; i < from->num; i++) {
        if (from->leaf[i].entry >= s->first && from->leaf[i].entry < s->end) {
            p->pending.leaf[p->pending.num++] = from->leaf[i];
        }
    }
    p->pending.cap = from->num;
    mlt_link_leaves_sort(&p->pending);
    mlt_stream_of_memory(&p->stream[p->num_streams++], &p->pending);
    return MLT_OK;
}

static enum mlt_status open_parts(struct mlt_monitor *m, struct parts *p, const struct mlt_segment *s,
                                  struct mlt_error *err) {
    size_t num;
    const struct mlt_monitor_run *runs = runs_of(&m->next, &num);
    enum mlt_status st = MLT_OK;
    p->all_inside = true;
    for (size_t i = 0; i < num && !st; i++) {
        if (overlaps(&runs[i], s)) {
            p->all_inside = p->all_inside && runs[i].first >= s->first && runs[i].end <= s->end;
            st = open_run(m, p, &runs[i], err);
        }
    }
    return st ? st : gather_pending(m, p, s, err);
}

static void close_parts(struct mlt_monitor *m, struct parts *p) {
    for (size_t i = 0; i < p->num_streams; i++) {
        mlt_stream_clear(&p->stream[i]);
    }
    for (size_t i = 0; i < p->num_files; i++) {
        m->opt.env->close(m->opt.env, p->file[i]);
    }
    mlt_link_leaves_clear(&p->pending);
}

// Merges the leaves of the segment into `w` and hashes them.
static enum mlt_status merge(struct parts *p, const struct mlt_segment *s, struct writer *w, struct mlt_segment *out,
                             struct mlt_error *err) {
    struct mlt_merge merged;
    struct mlt_link_hasher hasher;
    struct mlt_link_leaf leaf;
    const struct mlt_stream *from;
    *out = (struct mlt_segment){.first = s->first, .end = s->end};
    mlt_link_hasher_init(&hasher);
    enum mlt_status st = mlt_merge_init(&merged, p->stream, p->num_streams, err);
    if (st) {
        return st;
    }
    while ((st = mlt_merge_next(&merged, &leaf, &from, err)) == MLT_OK && from) {
        uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
        if (leaf.entry < s->first || leaf.entry >= s->end) {
            continue;
        }
        if (mlt_link_hasher_add(&hasher, &leaf, roots) < 0) {
            st = mlt_fail(err, MLT_CORRUPT, "the links kept of entry %" PRIu64 " are not in order", leaf.entry);
            break;
        }
        out->num_leaves++;
        st = writer_add(w, &leaf, err);
        if (st) {
            break;
        }
    }
    mlt_merge_clear(&merged);
    mlt_link_hasher_root(&hasher, out->root);
    return st;
}

// The runs that were merged are one from now on, and what was pending is in it.
static enum mlt_status take_merged(struct mlt_monitor *m, const struct mlt_segment *s, struct mlt_error *err) {
    struct mlt_link_leaves *p = &m->segments->pending;
    size_t num;
    size_t kept = 0;
    struct mlt_monitor_run *runs = runs_of(&m->next, &num);
    for (size_t i = 0; i < num; i++) {
        if (!overlaps(&runs[i], s)) {
            runs[kept++] = runs[i];
        }
    }
    m->next.runs.len = kept * sizeof *runs;
    size_t left = 0;
    for (size_t i = 0; i < p->num; i++) {
        if (p->leaf[i].entry < s->first || p->leaf[i].entry >= s->end) {
            p->leaf[left++] = p->leaf[i];
        }
    }
    p->num = left;
    if (s->first <= m->next.pending_from && s->end > m->next.pending_from) {
        m->next.pending_from = s->end;
    }
    return add_run(m, s->first, s->end, s->num_leaves, err);
}

static enum mlt_status wrong(struct mlt_monitor *m, uint64_t index, struct mlt_error *err, const char *fmt, ...)
    MLT_PRINTF(4, 5);
static enum mlt_status wrong(struct mlt_monitor *m, uint64_t index, struct mlt_error *err, const char *fmt, ...) {
    struct mlt_alarm alarm = {.kind = MLT_ALARM_SEGMENT, .has_index = true, .index = index};
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return mlt_monitor_alarm(m, &alarm, err, "the segment that entry %" PRIu64 " commits to: %s", index, text);
}

static enum mlt_status recompute(struct mlt_monitor *m, uint64_t index, const struct mlt_segment *s,
                                 struct mlt_error *err) {
    struct parts *p = calloc(1, sizeof *p);
    struct writer w = {0};
    struct mlt_segment found = {0};
    if (!p) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a segment");
    }
    enum mlt_status st = open_parts(m, p, s, err);
    if (!st && p->all_inside) {
        st = writer_open(&w, m, m->next.next_run, err);
    }
    st = st ? st : merge(p, s, &w, &found, err);
    st = writer_close(&w, m, st, err);
    bool all_inside = p->all_inside;
    close_parts(m, p);
    free(p);
    if (st) {
        return st;
    }
    if (found.num_leaves != s->num_leaves || memcmp(found.root, s->root, sizeof found.root) != 0) {
        return wrong(m, index, err, "entries %" PRIu64 " to %" PRIu64 " have %" PRIu64 " links, it says %" PRIu64 "%s",
                     s->first, s->end - 1, found.num_leaves, s->num_leaves,
                     found.num_leaves == s->num_leaves ? " under another root" : "");
    }
    m->round->num_segments++;
    m->next.segments++;
    return all_inside ? take_merged(m, &found, err) : MLT_OK;
}

static enum mlt_status read_segment(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                    struct mlt_error *err) {
    struct mlt_segment s;
    struct mlt_error why = {0};
    enum mlt_status st = mlt_segment_read(&s, e, index, &why);
    if (st) {
        return wrong(m, index, err, "%s", why.text);
    }
    if (s.first > m->next.segment_end) {
        st = wrong(m, index, err, "it begins at %" PRIu64 ", what was committed to before ends at %" PRIu64, s.first,
                   m->next.segment_end);
    }
    m->next.segment_end = m->next.segment_end < s.end ? s.end : m->next.segment_end;
    if (!st && s.first < m->next.links_from) {
        m->round->num_unchecked++;
        return MLT_OK;
    }
    return st ? st : recompute(m, index, &s, err);
}

static enum mlt_status keep_links(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                  struct mlt_error *err) {
    struct mlt_link links[MLT_TERMS_MAX];
    struct mlt_link_leaves *p = &m->segments->pending;
    size_t num = 0;
    enum mlt_status st = p->num >= PENDING_MAX ? spill(m, index, err) : MLT_OK;
    st = st ? st : mlt_entry_links(e, &m->arena, links, &num, err);
    return st ? st : mlt_link_leaves_put(p, index, links, num, err);
}

enum mlt_status mlt_monitor_read_links(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                       struct mlt_error *err) {
    enum mlt_status st = mlt_segment_is(e) ? read_segment(m, index, e, err) : MLT_OK;
    return st ? st : keep_links(m, index, e, err);
}
