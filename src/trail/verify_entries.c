// The walk over all entries: bytes against leaf hashes, leaf hashes against tiles, tiles against the root; beside them
// the entry index, the payload index and the slots. A bundle of 256 entries at a time, which is also a tile.
#include <stdlib.h>

#include "trail/verify_private.h"

// How much of a file is read at once; several bundles.
#define WINDOW ((size_t)1 << 20)
#define PROGRESS_STEP 65536 // entries between two calls of `progress`

// A window over a file, read in big steps.
struct window {
    enum mlt_files_id id;
    uint64_t off;
    struct mlt_buf bytes;
};

// Gives `len` bytes at `off`, or as many as the file has.
static enum mlt_status window_at(struct window *w, const struct mlt_verify *v, uint64_t off, size_t len,
                                 struct mlt_bytes *out, struct mlt_error *err) {
    if (off < w->off || off - w->off > w->bytes.len || w->bytes.len - (size_t)(off - w->off) < len) {
        size_t want = len > WINDOW ? len : WINDOW;
        size_t got = 0;
        mlt_buf_reset(&w->bytes);
        if (!mlt_buf_reserve(&w->bytes, want)) {
            return mlt_fail(err, MLT_NOMEM, "no memory to read %zu bytes", want);
        }
        enum mlt_status st = v->env->read(v->env, v->files.file[w->id], w->bytes.data, want, off, &got, err);
        if (st) {
            return st;
        }
        w->bytes.len = got;
        w->off = off;
    }
    size_t at = (size_t)(off - w->off);
    size_t left = w->bytes.len - at;
    *out = mlt_bytes_of(w->bytes.data + at, left < len ? left : len);
    return MLT_OK;
}

struct walk {
    struct mlt_verify *v;
    struct window file[MLT_NUM_FILES];
    uint64_t at;                       // where the next bundle begins in entries.dat, going by the lengths
    uint64_t payload_end;              // where the payloads of the entries so far end
    struct mlt_frontier computed;      // from the entries themselves
    uint64_t suspects[MLT_TILE_WIDTH]; // entries of the last, partial tile whose leaf hash differs
    size_t num_suspects;
    bool stop; // entries.dat cannot be followed any further
};

struct bundle {
    uint64_t first;
    size_t count;
    struct mlt_bytes entries;
    struct mlt_bytes leaves;
    struct mlt_bytes slots;
    struct mlt_bytes ends; // of payloads, u32 each
    uint64_t base;
    uint8_t computed[MLT_TILE_WIDTH][MLT_HASH_LEN];
    uint16_t length[MLT_TILE_WIDTH];
};

// The index offset of a bundle is what the lengths before it add up to; where the two differ, one of them is wrong.
static enum mlt_status bundle_start(struct walk *w, uint64_t number, struct mlt_error *err) {
    struct mlt_bytes raw;
    enum mlt_status st = window_at(&w->file[MLT_FILE_ENTRIES_INDEX], w->v, number * 8, 8, &raw, err);
    if (st) {
        return st;
    }
    if (raw.len < 8 || mlt_load_u64be(raw.ptr) != w->at) {
        mlt_verify_fault(w->v, MLT_VERIFY_FILE, mlt_files_name(MLT_FILE_ENTRIES_INDEX), number * MLT_FILES_BUNDLE,
                         "bundle %llu begins at %llu, the index says otherwise (FORMAT.md, entries.idx)",
                         (unsigned long long)number, (unsigned long long)w->at);
    }
    return MLT_OK;
}

// Where the bundle ends as the index has it; UINT64_MAX when the index does not say.
static enum mlt_status indexed_end(struct walk *w, uint64_t number, bool last, uint64_t *out, struct mlt_error *err) {
    struct mlt_bytes raw;
    *out = UINT64_MAX;
    if (last) {
        *out = w->v->report->live ? UINT64_MAX : w->v->mark.entries_len;
        return MLT_OK;
    }
    enum mlt_status st = window_at(&w->file[MLT_FILE_ENTRIES_INDEX], w->v, (number + 1) * 8, 8, &raw, err);
    if (!st && raw.len == 8) {
        *out = mlt_load_u64be(raw.ptr);
    }
    return st;
}

// Follows the lengths of one bundle. `*end` is where they lead, 0 when beyond the file.
static enum mlt_status load_entries(struct walk *w, struct bundle *b, uint64_t *end, struct mlt_error *err) {
    size_t len = 0;
    size_t want = (size_t)128 << 10;
    *end = 0;
    for (size_t i = 0; i < b->count; i++) {
        for (;;) {
            enum mlt_status st = window_at(&w->file[MLT_FILE_ENTRIES], w->v, w->at, want, &b->entries, err);
            if (st) {
                return st;
            }
            size_t left = b->entries.len - (len < b->entries.len ? len : b->entries.len);
            if (left >= 2 && left - 2 >= mlt_load_u16be(b->entries.ptr + len)) {
                break;
            }
            if (b->entries.len < want) {
                b->count = i; // the file ends here
                return MLT_OK;
            }
            want *= 2;
        }
        b->length[i] = mlt_load_u16be(b->entries.ptr + len);
        len += 2 + (size_t)b->length[i];
    }
    b->entries.len = len;
    *end = w->at + len;
    return MLT_OK;
}

static enum mlt_status load_rest(struct walk *w, struct bundle *b, struct mlt_error *err) {
    uint64_t block = b->first / MLT_FILES_BUNDLE * MLT_FILES_BLOCK_LEN;
    struct mlt_bytes raw;
    enum mlt_status st =
        window_at(&w->file[MLT_FILE_HASH], w->v, b->first * MLT_HASH_LEN, b->count * MLT_HASH_LEN, &b->leaves, err);
    st = st ? st
            : window_at(&w->file[MLT_FILE_SLOTS], w->v, b->first * MLT_WRAPPED_LEN, b->count * MLT_WRAPPED_LEN,
                        &b->slots, err);
    st = st ? st : window_at(&w->file[MLT_FILE_PAYLOADS_INDEX], w->v, block, 8 + 4 * b->count, &raw, err);
    if (st) {
        return st;
    }
    if (raw.len < 8 + 4 * b->count || b->slots.len < b->count * MLT_WRAPPED_LEN ||
        b->leaves.len < b->count * MLT_HASH_LEN) {
        // Too short a file was reported by its length; what is left of it cannot be walked.
        mlt_verify_fault(w->v, MLT_VERIFY_FILE,
                         raw.len < 8 + 4 * b->count                  ? "payloads/index"
                         : b->slots.len < b->count * MLT_WRAPPED_LEN ? "slots"
                                                                     : "hash/0",
                         b->first, "ends before the entries do (FORMAT.md, Files of a trail)");
        w->stop = true;
        return MLT_OK;
    }
    b->base = mlt_load_u64be(raw.ptr);
    b->ends = mlt_bytes_of(raw.ptr + 8, 4 * b->count);
    return MLT_OK;
}

static void fault_entry(struct walk *w, uint64_t index) {
    mlt_verify_fault(w->v, MLT_VERIFY_ENTRY, "entries.dat", index,
                     "entry %llu is not what was signed: its leaf hash differs (FORMAT.md, entries.dat)",
                     (unsigned long long)index);
}

static void fault_hash(struct walk *w, unsigned level, uint64_t position) {
    uint64_t first = position << (MLT_TILE_HEIGHT * level);
    mlt_verify_fault(w->v, MLT_VERIFY_TILE, mlt_files_name(MLT_FILE_HASH + level), first,
                     "hash %llu of level %u (tile %llu) is not that of the entries below it (FORMAT.md, hash)",
                     (unsigned long long)position, level, (unsigned long long)(position / MLT_TILE_WIDTH));
}

static void tile_root(uint8_t out[static MLT_HASH_LEN], const uint8_t *leaves) {
    struct mlt_frontier f = {0};
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    for (size_t i = 0; i < MLT_TILE_WIDTH; i++) {
        (void)mlt_frontier_add(&f, leaves + i * MLT_HASH_LEN, roots);
    }
    mlt_frontier_root(&f, out);
}

// Which of the two is wrong, entry or stored leaf hash? The stored hash of the level above decides for a full tile, the
// signed root for the last one.
static enum mlt_status judge_leaves(struct walk *w, struct bundle *b, struct mlt_error *err) {
    size_t differs[MLT_TILE_WIDTH];
    size_t num = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (memcmp(b->computed[i], b->leaves.ptr + i * MLT_HASH_LEN, MLT_HASH_LEN) != 0) {
            differs[num++] = i;
        }
    }
    if (num == 0) {
        return MLT_OK;
    }
    if (b->count < MLT_TILE_WIDTH) {
        for (size_t i = 0; i < num; i++) {
            w->suspects[w->num_suspects++] = b->first + differs[i];
        }
        return MLT_OK;
    }
    uint8_t root[MLT_HASH_LEN];
    struct mlt_bytes above;
    uint64_t tile = b->first / MLT_TILE_WIDTH;
    enum mlt_status st = window_at(&w->file[MLT_FILE_HASH + 1], w->v, tile * MLT_HASH_LEN, MLT_HASH_LEN, &above, err);
    tile_root(root, b->computed[0]);
    bool entries_good = above.len == MLT_HASH_LEN && memcmp(root, above.ptr, MLT_HASH_LEN) == 0;
    for (size_t i = 0; i < num && !st; i++) {
        if (entries_good) {
            fault_hash(w, 0, b->first + differs[i]);
        } else {
            fault_entry(w, b->first + differs[i]);
        }
    }
    return st;
}

static enum mlt_status check_upper(struct walk *w, unsigned level, const uint8_t hash[static MLT_HASH_LEN],
                                   struct mlt_error *err) {
    struct mlt_bytes stored;
    uint64_t position = (w->computed.size >> (MLT_TILE_HEIGHT * level)) - 1;
    enum mlt_status st =
        window_at(&w->file[MLT_FILE_HASH + level], w->v, position * MLT_HASH_LEN, MLT_HASH_LEN, &stored, err);
    if (!st && (stored.len < MLT_HASH_LEN || memcmp(stored.ptr, hash, MLT_HASH_LEN) != 0)) {
        fault_hash(w, level, position);
    }
    return st;
}

static enum mlt_status grow(struct walk *w, struct bundle *b, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (size_t i = 0; i < b->count && !st; i++) {
        uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
        size_t num = mlt_frontier_add(&w->computed, b->computed[i], roots);
        for (unsigned level = 1; level <= num && level < MLT_TILE_LEVELS && !st; level++) {
            st = check_upper(w, level, roots[level - 1], err);
        }
    }
    return st;
}

static enum mlt_status check_payload(struct walk *w, struct bundle *b, size_t i, struct mlt_bytes entry,
                                     uint32_t *begin, struct mlt_error *err) {
    uint64_t index = b->first + i;
    uint32_t end = mlt_load_u32be(b->ends.ptr + 4 * i);
    struct mlt_bytes sealed = {0};
    if (end < *begin || end - *begin > MLT_PAYLOAD_MAX + MLT_SEAL_TAG_LEN || b->base + end > w->v->mark.payloads_len) {
        mlt_verify_fault(w->v, MLT_VERIFY_PAYLOAD, "payloads/index", index,
                         "the payload of entry %llu lies at %u to %u of its block (FORMAT.md, payloads/index)",
                         (unsigned long long)index, *begin, end);
        *begin = end;
        return MLT_OK;
    }
    enum mlt_status st = MLT_OK;
    uint32_t len = end - *begin;
    if (len > 0) {
        st = window_at(&w->file[MLT_FILE_PAYLOADS], w->v, b->base + *begin, len, &sealed, err);
        if (!st && sealed.len < len) {
            mlt_verify_fault(w->v, MLT_VERIFY_PAYLOAD, "payloads/data", index,
                             "the payload of entry %llu runs beyond the file (FORMAT.md, payloads/data)",
                             (unsigned long long)index);
            sealed.len = 0;
        }
    }
    *begin = end;
    return st ? st : mlt_verify_record(w->v, index, entry, b->slots.ptr + i * MLT_WRAPPED_LEN, sealed, err);
}

static enum mlt_status check_payloads(struct walk *w, struct bundle *b, struct mlt_error *err) {
    uint32_t begin = 0;
    size_t at = 0;
    enum mlt_status st = MLT_OK;
    if (b->base != w->payload_end) {
        mlt_verify_fault(
            w->v, MLT_VERIFY_PAYLOAD, "payloads/index", b->first,
            "the payloads of the block begin at %llu, those before end at %llu (FORMAT.md, payloads/index)",
            (unsigned long long)b->base, (unsigned long long)w->payload_end);
        b->base = w->payload_end;
    }
    for (size_t i = 0; i < b->count && !st; i++) {
        struct mlt_bytes entry = mlt_bytes_of(b->entries.ptr + at + 2, b->length[i]);
        at += 2 + (size_t)b->length[i];
        st = check_payload(w, b, i, entry, &begin, err);
    }
    w->payload_end = b->base + begin;
    return st;
}

// A length that was changed leads astray until the next bundle, which the index finds again.
static void resume(struct walk *w, struct bundle *b, uint64_t expected, uint64_t led_to) {
    size_t first_wrong = 0;
    while (first_wrong < b->count &&
           memcmp(b->computed[first_wrong], b->leaves.ptr + first_wrong * MLT_HASH_LEN, MLT_HASH_LEN) == 0) {
        first_wrong++;
    }
    uint64_t at = b->first + first_wrong;
    mlt_verify_fault(w->v, MLT_VERIFY_ENTRY, "entries.dat", at,
                     "entry %llu has another length than was written: its bundle ends at %llu instead of %llu "
                     "(FORMAT.md, entries.dat)",
                     (unsigned long long)at, (unsigned long long)led_to, (unsigned long long)expected);
}

// What was stored stands in for what cannot be read, so that the rest of the tree is still checked.
static enum mlt_status stand_in(struct walk *w, struct bundle *b, struct mlt_error *err) {
    struct mlt_bytes stored;
    struct mlt_bytes ends;
    uint64_t block = b->first / MLT_FILES_BUNDLE * MLT_FILES_BLOCK_LEN;
    size_t len = b->count * MLT_HASH_LEN;
    enum mlt_status st = window_at(&w->file[MLT_FILE_HASH], w->v, b->first * MLT_HASH_LEN, len, &stored, err);
    if (st || stored.len < len) {
        w->stop = true;
        return st;
    }
    memcpy(b->computed[0], stored.ptr, len);
    st = window_at(&w->file[MLT_FILE_PAYLOADS_INDEX], w->v, block, 8 + 4 * b->count, &ends, err);
    if (!st && ends.len == 8 + 4 * b->count) {
        w->payload_end = mlt_load_u64be(ends.ptr) + mlt_load_u32be(ends.ptr + 4 + 4 * b->count);
    }
    return st ? st : grow(w, b, err);
}

static enum mlt_status walk_bundle(struct walk *w, struct bundle *b, struct mlt_error *err) {
    uint64_t led_to;
    uint64_t expected;
    uint64_t number = b->first / MLT_FILES_BUNDLE;
    size_t count = b->count;
    bool last = b->first + b->count == w->v->mark.size;
    enum mlt_status st = bundle_start(w, number, err);
    st = st ? st : indexed_end(w, number, last, &expected, err);
    st = st ? st : load_entries(w, b, &led_to, err);
    st = st ? st : load_rest(w, b, err);
    if (st || w->stop) {
        return st;
    }
    size_t at = 0;
    for (size_t i = 0; i < b->count; i++) {
        mlt_merkle_leaf(b->computed[i], mlt_bytes_of(b->entries.ptr + at + 2, b->length[i]));
        at += 2 + (size_t)b->length[i];
    }
    bool framed = b->count == count && (expected == UINT64_MAX || led_to == expected);
    if (!framed) {
        // Lengths, or the index? If every leaf fits, it is the index, and the next bundle reports it.
        bool fits = b->count == count && memcmp(b->computed[0], b->leaves.ptr, count * MLT_HASH_LEN) == 0;
        if (!fits) {
            resume(w, b, expected, led_to);
            w->stop = expected == UINT64_MAX || expected <= w->at;
            b->count = count;
            w->at = expected;
            return stand_in(w, b, err);
        }
    }
    w->at = led_to;
    st = judge_leaves(w, b, err);
    st = st ? st : grow(w, b, err);
    w->v->report->entries += b->count;
    return st ? st : check_payloads(w, b, err);
}

// The whole tree has been walked: does it have the root that the journal has, and whose fault is the last tile?
static void judge_root(struct walk *w) {
    uint8_t root[MLT_HASH_LEN];
    struct mlt_verify *v = w->v;
    mlt_frontier_root(&w->computed, root);
    memcpy(v->report->root, root, MLT_HASH_LEN);
    bool entries_good = memcmp(root, v->mark.root, MLT_HASH_LEN) == 0;
    for (size_t i = 0; i < w->num_suspects; i++) {
        if (entries_good) {
            fault_hash(w, 0, w->suspects[i]);
        } else {
            fault_entry(w, w->suspects[i]);
        }
    }
    if (!entries_good && v->report->num_faults == 0) {
        mlt_verify_fault(v, MLT_VERIFY_JOURNAL, "journal/groups", UINT64_MAX,
                         "the entries do not give the root that the journal has at size %llu (FORMAT.md, journal)",
                         (unsigned long long)v->mark.size);
    }
}

enum mlt_status mlt_verify_entries(struct mlt_verify *v, struct mlt_error *err) {
    struct walk *w = calloc(1, sizeof(*w));
    struct bundle *b = calloc(1, sizeof(*b));
    enum mlt_status st = w && b ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory to verify");
    for (unsigned id = 0; id < MLT_NUM_FILES && w; id++) {
        w->file[id].id = id;
    }
    uint64_t size = v->mark.size;
    for (uint64_t first = 0; first < size && !st && !w->stop; first += MLT_FILES_BUNDLE) {
        w->v = v;
        b->first = first;
        b->count = size - first < MLT_FILES_BUNDLE ? (size_t)(size - first) : MLT_FILES_BUNDLE;
        st = walk_bundle(w, b, err);
        if (v->opt->progress && first % PROGRESS_STEP == 0) {
            v->opt->progress(v->opt->progress_arg, first, size);
        }
    }
    if (!st && !w->stop) {
        w->v = v;
        judge_root(w);
        if (!v->report->live && w->payload_end != v->mark.payloads_len) {
            mlt_verify_fault(v, MLT_VERIFY_PAYLOAD, "payloads/index", UINT64_MAX,
                             "the payloads end at %llu, the journal says %llu (FORMAT.md, payloads/index)",
                             (unsigned long long)w->payload_end, (unsigned long long)v->mark.payloads_len);
        }
    }
    for (unsigned id = 0; id < MLT_NUM_FILES && w; id++) {
        mlt_buf_clear(&w->file[id].bytes);
    }
    free(w);
    free(b);
    return st;
}
