// Entries seen long ago are not read again in every round; a few of their bundles are, chosen anew each time, and held
// against the root that is signed now. Whoever changes an old entry does not know when he is found out.
#include <inttypes.h>
#include <stdio.h>

#include "monitor/monitor_private.h"

#define IN_TILE MLT_TILE_HEIGHT // hashes of a path that lie within the first tile

struct sample {
    struct mlt_mirror_hashes hashes;
    struct mlt_hash_source src;
    uint64_t number; // of the bundle
    uint8_t leaf[MLT_TILE_WIDTH][MLT_HASH_LEN];
    struct mlt_proof served; // path of the bundle's first entry
};

// The leaf hashes of a bundle; false: it cannot be taken apart.
static bool hash_bundle(struct sample *s, struct mlt_bytes bundle) {
    struct mlt_cursor c = mlt_cursor_of(bundle);
    for (size_t i = 0; i < MLT_TILE_WIDTH && !c.failed; i++) {
        struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        if (!c.failed) {
            mlt_merkle_leaf(s->leaf[i], entry);
        }
    }
    return !c.failed && mlt_cursor_left(&c) == 0;
}

// The siblings of entry 0 within the tile: the roots over leaves 1, 2 to 3, 4 to 7 and so on.
static void path_in_tile(const struct sample *s, struct mlt_proof *out) {
    for (unsigned height = 0; height < IN_TILE; height++) {
        struct mlt_frontier f = {0};
        uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
        for (size_t i = (size_t)1 << height; i < (size_t)2 << height; i++) {
            (void)mlt_frontier_add(&f, s->leaf[i], roots);
        }
        mlt_frontier_root(&f, out->hash[height]);
    }
}

static bool leads_to_root(const struct mlt_monitor *m, const struct sample *s, const uint8_t leaf[static MLT_HASH_LEN],
                          const struct mlt_proof *path) {
    return path->num_hashes >= IN_TILE &&
           mlt_merkle_verify_inclusion(s->number * MLT_TILE_WIDTH, m->head.size, leaf, path, m->head.root);
}

static enum mlt_status tell(struct mlt_monitor *m, const struct sample *s, enum mlt_alarm_kind kind,
                            struct mlt_error *err) {
    const struct mlt_tile_id id = {.entries = kind == MLT_ALARM_ENTRIES, .number = s->number, .width = MLT_TILE_WIDTH};
    struct mlt_alarm alarm = {.kind = kind, .has_index = true, .index = s->number * MLT_TILE_WIDTH};
    mlt_tile_path_format(alarm.path, &id);
    alarm.bytes = kind == MLT_ALARM_ENTRIES ? mlt_buf_bytes(&m->mirror.bundle) : (struct mlt_bytes){0};
    return mlt_monitor_alarm(m, &alarm, err, "%s, read again, is no longer what the tree was signed over", alarm.path);
}

// Whose fault is it? Where the served hashes lead to the signed root, they are right and the entries are not.
static enum mlt_status judge(struct mlt_monitor *m, const struct sample *s, bool framed, struct mlt_error *err) {
    struct mlt_proof own = s->served;
    uint8_t stored[MLT_HASH_LEN];
    path_in_tile(s, &own);
    bool entries_good = framed && leads_to_root(m, s, s->leaf[0], &own);
    if (entries_good) {
        bool tile_good = memcmp(own.hash, s->served.hash, IN_TILE * sizeof own.hash[0]) == 0;
        return tile_good ? MLT_OK : tell(m, s, MLT_ALARM_TILE, err);
    }
    enum mlt_status st = s->src.read(s->src.ctx, 0, s->number * MLT_TILE_WIDTH, 1, stored, err);
    bool tiles_good = !st && leads_to_root(m, s, stored, &s->served);
    return st ? st : tell(m, s, tiles_good ? MLT_ALARM_ENTRIES : MLT_ALARM_TILE, err);
}

static enum mlt_status read_again(struct mlt_monitor *m, struct sample *s, struct mlt_error *err) {
    const struct mlt_tile_id id = {.entries = true, .number = s->number, .width = MLT_TILE_WIDTH};
    const struct mlt_mirror_fetch *fetch = &m->opt.fetch;
    char path[MLT_TILE_PATH_MAX];
    mlt_tile_path_format(path, &id);
    enum mlt_status st = fetch->get(fetch->ctx, path, MLT_BUNDLE_LEN_MAX, &m->mirror.bundle, err);
    st = st ? mlt_context(err, st, "%s", path)
            : mlt_merkle_prove_inclusion(&s->src, s->number * MLT_TILE_WIDTH, m->head.size, &s->served, err);
    return st ? st : judge(m, s, hash_bundle(s, mlt_buf_bytes(&m->mirror.bundle)), err);
}

enum mlt_status mlt_monitor_read_again(struct mlt_monitor *m, struct mlt_error *err) {
    struct sample s = {.hashes = {.fetch = m->opt.fetch, .size = m->head.size}};
    uint64_t num = m->state.head.size / MLT_TILE_WIDTH; // those of this round were just read
    enum mlt_status st = MLT_OK;
    s.src = mlt_mirror_hash_source(&s.hashes);
    for (unsigned i = 0; i < m->opt.num_again && num > 0 && !st; i++) {
        uint64_t chance;
        st = m->opt.env->random(m->opt.env, &chance, sizeof chance, err);
        s.number = chance % num; // the bias is of no use to anybody
        st = st ? st : read_again(m, &s, err);
    }
    mlt_buf_clear(&s.hashes.tile);
    return st;
}
