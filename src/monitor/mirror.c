#include "monitor/mirror.h"

#include <stdio.h>

void mlt_mirror_clear(struct mlt_mirror *m) {
    mlt_buf_clear(&m->bundle);
    mlt_buf_clear(&m->tile);
}

MLT_PRINTF(6, 7)
static void fault(struct mlt_mirror *m, enum mlt_mirror_fault what, const char *path, bool has_index, uint64_t index,
                  const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (m->watch.fault) {
        m->watch.fault(m->watch.ctx, what, path, has_index, index, text);
    }
}

static enum mlt_status keep(struct mlt_mirror *m, const char *path, struct mlt_bytes bytes, struct mlt_error *err) {
    return m->watch.keep ? m->watch.keep(m->watch.ctx, path, bytes, err) : MLT_OK;
}

// A tile that was partial may be gone once it is full (tlog-tiles, "Partial tiles"): then the full one begins with it.
static enum mlt_status fetch_tile(const struct mlt_mirror_fetch *fetch, const struct mlt_tile_id *id, size_t max,
                                  char path[static MLT_TILE_PATH_MAX], struct mlt_buf *out, bool *whole,
                                  struct mlt_error *err) {
    mlt_tile_path_format(path, id);
    enum mlt_status st = fetch->get(fetch->ctx, path, max, out, err);
    *whole = id->width == MLT_TILE_WIDTH;
    if (st == MLT_NOTFOUND && !*whole) {
        const struct mlt_tile_id full = {
            .entries = id->entries, .level = id->level, .number = id->number, .width = MLT_TILE_WIDTH};
        mlt_tile_path_format(path, &full);
        st = fetch->get(fetch->ctx, path, max, out, err);
        *whole = true;
    }
    return st ? mlt_context(err, st, "%s", path) : st;
}

// Compares the served hashes of one tile with those that follow from the entries.
static enum mlt_status check_tile(struct mlt_mirror *m, unsigned level, uint64_t number, unsigned width,
                                  struct mlt_error *err) {
    const struct mlt_tile_id id = {.level = level, .number = number, .width = width};
    char path[MLT_TILE_PATH_MAX];
    bool whole;
    size_t len = (size_t)width * MLT_HASH_LEN;
    enum mlt_status st = fetch_tile(&m->fetch, &id, MLT_TILE_LEN_MAX, path, &m->tile, &whole, err);
    if (st) {
        return st;
    }
    if (m->tile.len != (whole ? MLT_TILE_LEN_MAX : len)) {
        fault(m, MLT_MIRROR_TILE, path, false, 0, "has %zu bytes instead of %zu (tlog-tiles)", m->tile.len,
              whole ? MLT_TILE_LEN_MAX : len);
        return MLT_OK;
    }
    for (unsigned i = 0; i < width; i++) {
        if (memcmp(m->tile.data + (size_t)i * MLT_HASH_LEN, m->tree.row[level][i], MLT_HASH_LEN) != 0) {
            fault(m, MLT_MIRROR_TILE, path, level == 0, number * MLT_TILE_WIDTH + i,
                  "hash %u is not the one that follows from the entries (RFC 6962 section 2.1)", i);
            return MLT_OK;
        }
    }
    mlt_tile_path_format(path, &id);
    return keep(m, path, mlt_bytes_of(m->tile.data, len), err);
}

// `position` of the hash in its level.
static enum mlt_status put_hash(struct mlt_mirror *m, unsigned level, uint64_t position,
                                const uint8_t hash[static MLT_HASH_LEN], struct mlt_error *err) {
    memcpy(m->tree.row[level][position % MLT_TILE_WIDTH], hash, MLT_HASH_LEN);
    bool full = position % MLT_TILE_WIDTH == MLT_TILE_WIDTH - 1;
    return full ? check_tile(m, level, position / MLT_TILE_WIDTH, MLT_TILE_WIDTH, err) : MLT_OK;
}

static enum mlt_status add_leaf(struct mlt_mirror *m, struct mlt_bytes entry, struct mlt_error *err) {
    uint8_t leaf[MLT_HASH_LEN];
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    uint64_t index = m->tree.frontier.size;
    mlt_merkle_leaf(leaf, entry);
    size_t num = mlt_frontier_add(&m->tree.frontier, leaf, roots);
    enum mlt_status st = put_hash(m, 0, index, leaf, err);
    for (unsigned level = 1; !st && level <= num && level < MLT_TILE_LEVELS; level++) {
        st = put_hash(m, level, index >> (MLT_TILE_HEIGHT * level), roots[level - 1], err);
    }
    return !st && m->watch.entry ? m->watch.entry(m->watch.ctx, index, entry, err) : st;
}

// An entry that was seen before, when its bundle was shorter.
static void compare_leaf(struct mlt_mirror *m, const char *path, uint64_t index, struct mlt_bytes entry) {
    uint8_t leaf[MLT_HASH_LEN];
    mlt_merkle_leaf(leaf, entry);
    if (memcmp(leaf, m->tree.row[0][index % MLT_TILE_WIDTH], MLT_HASH_LEN) != 0) {
        fault(m, MLT_MIRROR_CHANGED, path, true, index,
              "the entry is not the one that was served before: its leaf hash differs");
    }
}

// Adds the entries of a bundle that are new. `at` is where it was read up to.
static enum mlt_status add_bundle(struct mlt_mirror *m, const struct mlt_tile_id *id, const char *path,
                                  struct mlt_bytes bundle, size_t *at, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(bundle);
    uint64_t first = id->number * MLT_TILE_WIDTH;
    enum mlt_status st = MLT_OK;
    for (unsigned i = 0; i < id->width && !st; i++) {
        struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        if (c.failed) {
            fault(m, MLT_MIRROR_BUNDLE, path, true, first + i,
                  "the bundle ends before this entry (tlog-tiles: u16 length and bytes, %u times)", id->width);
            m->broken = true;
            return MLT_OK;
        }
        if (first + i < m->tree.frontier.size) {
            compare_leaf(m, path, first + i, entry);
        } else {
            st = add_leaf(m, entry, err);
        }
    }
    *at = bundle.len - mlt_cursor_left(&c);
    return st;
}

static enum mlt_status read_bundle(struct mlt_mirror *m, uint64_t number, struct mlt_error *err) {
    const struct mlt_tile_id id = {.entries = true, .number = number, .width = mlt_tile_width(m->size, 0, number)};
    char path[MLT_TILE_PATH_MAX];
    bool whole;
    size_t end = 0;
    enum mlt_status st = fetch_tile(&m->fetch, &id, MLT_BUNDLE_LEN_MAX, path, &m->bundle, &whole, err);
    st = st ? st : add_bundle(m, &id, path, mlt_buf_bytes(&m->bundle), &end, err);
    if (st || m->broken) {
        return st;
    }
    if (end < m->bundle.len && whole == (id.width == MLT_TILE_WIDTH)) {
        fault(m, MLT_MIRROR_BUNDLE, path, false, 0, "%zu bytes follow the last entry", m->bundle.len - end);
    }
    mlt_tile_path_format(path, &id);
    return keep(m, path, mlt_bytes_of(m->bundle.data, end), err);
}

static enum mlt_status check_partial_tiles(struct mlt_mirror *m, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (unsigned level = 0; !st && level < MLT_TILE_LEVELS; level++) {
        uint64_t filled = m->size >> (MLT_TILE_HEIGHT * level);
        unsigned width = (unsigned)(filled % MLT_TILE_WIDTH);
        if (width > 0) {
            st = check_tile(m, level, filled / MLT_TILE_WIDTH, width, err);
        }
    }
    return st;
}

enum mlt_status mlt_mirror_grow(struct mlt_mirror *m, uint64_t size, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    if (size > MLT_TREE_MAX || size < m->tree.frontier.size) {
        return mlt_fail(err, MLT_INVALID, "a tree of %llu entries cannot grow to %llu",
                        (unsigned long long)m->tree.frontier.size, (unsigned long long)size);
    }
    m->size = size;
    m->broken = false;
    while (!st && !m->broken && m->tree.frontier.size < size) {
        st = read_bundle(m, m->tree.frontier.size / MLT_TILE_WIDTH, err);
        if (!st && m->watch.step) {
            st = m->watch.step(m->watch.ctx, m->tree.frontier.size, size, err);
        }
    }
    return st || m->broken ? st : check_partial_tiles(m, err);
}

static enum mlt_status read_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    struct mlt_mirror_hashes *h = ctx;
    enum mlt_status st = MLT_OK;
    while (count > 0 && !st) {
        uint64_t number = first / MLT_TILE_WIDTH;
        size_t at = (size_t)(first % MLT_TILE_WIDTH);
        const struct mlt_tile_id id = {
            .level = level, .number = number, .width = mlt_tile_width(h->size, level, number)};
        size_t num = MLT_TILE_WIDTH - at < count ? MLT_TILE_WIDTH - at : count;
        char path[MLT_TILE_PATH_MAX];
        bool whole;
        if (id.width < at + num) {
            return mlt_fail(err, MLT_INVALID, "a tree of %llu entries has no such tile", (unsigned long long)h->size);
        }
        st = fetch_tile(&h->fetch, &id, MLT_TILE_LEN_MAX, path, &h->tile, &whole, err);
        if (!st && h->tile.len < (at + num) * MLT_HASH_LEN) {
            st = mlt_fail(err, MLT_CORRUPT, "%s has %zu bytes, too few (tlog-tiles)", path, h->tile.len);
        }
        if (!st) {
            memcpy(out, h->tile.data + at * MLT_HASH_LEN, num * MLT_HASH_LEN);
        }
        out += num * MLT_HASH_LEN;
        first += num;
        count -= num;
    }
    return st;
}

struct mlt_hash_source mlt_mirror_hash_source(struct mlt_mirror_hashes *h) {
    return (struct mlt_hash_source){h, read_hashes};
}
