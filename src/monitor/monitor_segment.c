// What the log commits to about segments of itself: the links of all entries of a range, sorted, as a Merkle tree
// (record/link.h). The links of entries that no commitment covers yet are kept; when one comes, its root is computed again.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/monitor_private.h"
#include "record/link.h"

// Links that wait for a commitment: those of some hundred thousand entries. A log that commits more rarely, or never, is
// not followed beyond: they are let go, and the commitment over them counts as not checked.
#define LINKS_LEN_MAX ((size_t)2097152 * MLT_LINK_LEAF_LEN)

struct mlt_monitor_segments {
    struct mlt_buf leaves; // encoded, in order of their entries
};

static void links_path(const struct mlt_monitor *m, uint64_t round, char out[static MLT_MONITOR_PATH_MAX]) {
    (void)snprintf(out, MLT_MONITOR_PATH_MAX, "%s/links-%" PRIu64, m->opt.state_dir, round);
}

enum mlt_status mlt_monitor_segments_revert(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf *leaves = &m->segments->leaves;
    mlt_buf_reset(leaves);
    if (m->state.links_round == 0) {
        return MLT_OK;
    }
    links_path(m, m->state.links_round, path);
    enum mlt_status st = mlt_env_read_file(m->opt.env, path, LINKS_LEN_MAX, leaves, err);
    if (!st && leaves->len % MLT_LINK_LEAF_LEN != 0) {
        st = mlt_fail(err, MLT_CORRUPT, "%s is no file of links", path);
    }
    return st;
}

enum mlt_status mlt_monitor_segments_open(struct mlt_monitor *m, struct mlt_error *err) {
    m->segments = calloc(1, sizeof *m->segments);
    return m->segments ? mlt_monitor_segments_revert(m, err) : mlt_fail(err, MLT_NOMEM, "no memory for a monitor");
}

void mlt_monitor_segments_close(struct mlt_monitor *m) {
    if (m->segments) {
        mlt_buf_clear(&m->segments->leaves);
        free(m->segments);
    }
}

enum mlt_status mlt_monitor_segments_save(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    if (m->round->num_new == 0) {
        return MLT_OK;
    }
    m->next.links_round = m->next.round;
    links_path(m, m->next.round, path);
    return mlt_env_replace_file(m->opt.env, path, mlt_buf_bytes(&m->segments->leaves), true, err);
}

void mlt_monitor_segments_saved(struct mlt_monitor *m) {
    char path[MLT_MONITOR_PATH_MAX];
    if (m->state.links_round == 0 || m->state.links_round == m->next.links_round) {
        return;
    }
    links_path(m, m->state.links_round, path);
    (void)m->opt.env->unlink(m->opt.env, path, NULL); // of the round before; one that stays is in nobody's way
}

static uint64_t entry_at(const struct mlt_buf *leaves, size_t at) {
    return mlt_load_u64be(leaves->data + at + MLT_LINK_LEN);
}

// Encoded leaves in order are leaves in order: link, then entry, both from the most significant byte on.
static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, MLT_LINK_LEAF_LEN);
}

static void root_of(uint8_t *leaves, size_t num, uint8_t root[static MLT_HASH_LEN]) {
    struct mlt_frontier f = {0};
    if (num > 0) {
        qsort(leaves, num, MLT_LINK_LEAF_LEN, by_bytes);
    }
    for (size_t i = 0; i < num; i++) {
        uint8_t hash[MLT_HASH_LEN];
        uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
        mlt_merkle_leaf(hash, mlt_bytes_of(leaves + i * MLT_LINK_LEAF_LEN, MLT_LINK_LEAF_LEN));
        (void)mlt_frontier_add(&f, hash, roots);
    }
    mlt_frontier_root(&f, root);
}

// Forgets the links of entries below `end`.
static void drop_below(struct mlt_buf *leaves, uint64_t end) {
    size_t at = 0;
    while (at < leaves->len && entry_at(leaves, at) < end) {
        at += MLT_LINK_LEAF_LEN;
    }
    leaves->len -= at;
    if (leaves->len > 0) {
        memmove(leaves->data, leaves->data + at, leaves->len);
    }
}

MLT_PRINTF(4, 5)
static enum mlt_status wrong(struct mlt_monitor *m, uint64_t index, struct mlt_error *err, const char *fmt, ...) {
    struct mlt_alarm alarm = {.kind = MLT_ALARM_SEGMENT, .has_index = true, .index = index};
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return mlt_monitor_alarm(m, &alarm, err, "the segment that entry %" PRIu64 " commits to: %s", index, text);
}

static enum mlt_status recompute(struct mlt_monitor *m, uint64_t index, const struct mlt_segment *s,
                                 struct mlt_error *err) {
    struct mlt_buf *leaves = &m->segments->leaves;
    uint8_t root[MLT_HASH_LEN];
    size_t begin = 0;
    while (begin < leaves->len && entry_at(leaves, begin) < s->first) {
        begin += MLT_LINK_LEAF_LEN;
    }
    size_t end = begin;
    while (end < leaves->len && entry_at(leaves, end) < s->end) {
        end += MLT_LINK_LEAF_LEN;
    }
    size_t num = (end - begin) / MLT_LINK_LEAF_LEN;
    // Sorted where they lie, and dropped right after.
    root_of(num > 0 ? leaves->data + begin : NULL, num, root);
    leaves->len -= end;
    if (leaves->len > 0) {
        memmove(leaves->data, leaves->data + end, leaves->len);
    }
    if (num != s->num_leaves || memcmp(root, s->root, sizeof root) != 0) {
        return wrong(m, index, err,
                     "entries %" PRIu64 " to %" PRIu64 " have %zu links and not the root that it says for %" PRIu64,
                     s->first, s->end - 1, num, s->num_leaves);
    }
    m->round->num_segments++;
    m->next.segments++;
    return MLT_OK;
}

static enum mlt_status check_segment(struct mlt_monitor *m, uint64_t index, const struct mlt_segment *s,
                                     struct mlt_error *err) {
    if (s->first >= s->end || s->end > index) {
        return wrong(m, index, err, "%" PRIu64 " to %" PRIu64 " is no range of entries before it", s->first, s->end);
    }
    if (m->next.segment_end > 0 && s->first != m->next.segment_end) {
        enum mlt_status st = wrong(m, index, err, "it begins at %" PRIu64 ", the one before ended at %" PRIu64,
                                   s->first, m->next.segment_end);
        if (st) {
            return st;
        }
    }
    m->next.segment_end = s->end;
    if (s->first < m->next.links_from) {
        m->round->num_unchecked++;
        drop_below(&m->segments->leaves, s->end);
        return MLT_OK;
    }
    return recompute(m, index, s, err);
}

static bool is_segment(const struct mlt_entry *e) {
    return e->kind && e->kind->kind == MLT_KIND_CONTROL &&
           mlt_bytes_is(mlt_json_raw(&e->json, mlt_json_get(&e->json, e->facts, "control")), "\"segment\"");
}

static enum mlt_status read_segment(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                    struct mlt_error *err) {
    struct mlt_segment s;
    const struct mlt_json *j = &e->json;
    if (!mlt_json_u64(j, mlt_json_get(j, e->facts, "first"), &s.first) ||
        !mlt_json_u64(j, mlt_json_get(j, e->facts, "end"), &s.end) ||
        !mlt_json_u64(j, mlt_json_get(j, e->facts, "links"), &s.num_leaves) ||
        !mlt_hex_decode(s.root, sizeof s.root,
                        mlt_json_string(j, mlt_json_get(j, e->facts, "root"), &m->arena))) {
        return wrong(m, index, err, "it does not say first, end, links and root");
    }
    return check_segment(m, index, &s, err);
}

enum mlt_status mlt_monitor_read_links(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                       struct mlt_error *err) {
    struct mlt_link links[MLT_TERMS_MAX];
    struct mlt_buf *leaves = &m->segments->leaves;
    size_t num = 0;
    enum mlt_status st = is_segment(e) ? read_segment(m, index, e, err) : MLT_OK;
    st = st ? st : mlt_entry_links(e, &m->arena, links, &num, err);
    if (st) {
        return st;
    }
    if (leaves->len + num * MLT_LINK_LEAF_LEN > LINKS_LEN_MAX) {
        mlt_buf_reset(leaves);
        m->next.links_from = index;
    }
    for (size_t i = 0; i < num; i++) {
        uint8_t bytes[MLT_LINK_LEAF_LEN];
        const struct mlt_link_leaf leaf = {.link = links[i], .entry = index};
        mlt_link_leaf_encode(bytes, &leaf);
        mlt_buf_put(leaves, bytes, sizeof bytes);
    }
    return leaves->failed ? mlt_fail(err, MLT_NOMEM, "no memory for links") : MLT_OK;
}
