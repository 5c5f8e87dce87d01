// The walk over all entries, in order: bytes against leaf hashes, leaf hashes against tiles, tiles against the root;
// then the payload index, the slots and what the entries bind. A bundle of 256 entries at a time, which is also a tile.
//
// Most of a trail is as it should be, and verify_slice.c says so of a stretch at a time. What it does not say so of is
// looked at here, bundle by bundle, to find out what is wrong and where.
#include <stdlib.h>

#include "trail/verify_private.h"

struct walk {
    struct mlt_verify *v;
    enum mlt_verify_pass pass;
    struct mlt_windows windows;
    uint64_t at;                       // where the next bundle begins in entries.dat, going by the lengths
    uint64_t payload_end;              // where the payloads of the entries so far end; records
    struct mlt_frontier computed;      // from the entries themselves; tree
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

static enum mlt_status window_at(struct walk *w, enum mlt_files_id id, uint64_t off, size_t len, struct mlt_bytes *out,
                                 struct mlt_error *err) {
    return mlt_window_at(&w->windows, w->v, id, off, len, out, err);
}

// How the bundles lie is told by the pass over the tree; the one over records meets the same again.
static bool tells(const struct walk *w) {
    return w->pass == MLT_PASS_TREE;
}

// The index offset of a bundle is what the lengths before it add up to; where the two differ, one of them is wrong.
static enum mlt_status bundle_start(struct walk *w, uint64_t number, struct mlt_error *err) {
    struct mlt_bytes raw;
    enum mlt_status st = window_at(w, MLT_FILE_ENTRIES_INDEX, number * 8, 8, &raw, err);
    if (st) {
        return st;
    }
    if (tells(w) && (raw.len < 8 || mlt_load_u64be(raw.ptr) != w->at)) {
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
    enum mlt_status st = window_at(w, MLT_FILE_ENTRIES_INDEX, (number + 1) * 8, 8, &raw, err);
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
            enum mlt_status st = window_at(w, MLT_FILE_ENTRIES, w->at, want, &b->entries, err);
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
    enum mlt_status st = window_at(w, MLT_FILE_HASH, b->first * MLT_HASH_LEN, b->count * MLT_HASH_LEN, &b->leaves, err);
    st = st ? st : window_at(w, MLT_FILE_SLOTS, b->first * MLT_WRAPPED_LEN, b->count * MLT_WRAPPED_LEN, &b->slots, err);
    st = st ? st : window_at(w, MLT_FILE_PAYLOADS_INDEX, block, 8 + 4 * b->count, &raw, err);
    if (st) {
        return st;
    }
    if (raw.len < 8 + 4 * b->count || b->slots.len < b->count * MLT_WRAPPED_LEN ||
        b->leaves.len < b->count * MLT_HASH_LEN) {
        // Too short a file was reported by its length; what is left of it cannot be walked.
        if (tells(w)) {
            mlt_verify_fault(w->v, MLT_VERIFY_FILE,
                             raw.len < 8 + 4 * b->count                  ? "payloads/index"
                             : b->slots.len < b->count * MLT_WRAPPED_LEN ? "slots"
                                                                         : "hash/0",
                             b->first, "ends before the entries do (FORMAT.md, Files of a trail)");
        }
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
    enum mlt_status st = window_at(w, MLT_FILE_HASH + 1, tile * MLT_HASH_LEN, MLT_HASH_LEN, &above, err);
    mlt_merkle_tile_root(root, b->computed[0]);
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
    enum mlt_status st = window_at(w, MLT_FILE_HASH + level, position * MLT_HASH_LEN, MLT_HASH_LEN, &stored, err);
    if (!st && (stored.len < MLT_HASH_LEN || memcmp(stored.ptr, hash, MLT_HASH_LEN) != 0)) {
        fault_hash(w, level, position);
    }
    return st;
}

static enum mlt_status check_uppers(struct walk *w, uint8_t roots[][MLT_HASH_LEN], size_t num, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (unsigned level = 1; level <= num && level < MLT_TILE_LEVELS && !st; level++) {
        st = check_upper(w, level, roots[level - 1], err);
    }
    return st;
}

// By leaves (level 0) or by whole tiles (MLT_TILE_HEIGHT).
static enum mlt_status grow(struct walk *w, unsigned level, const uint8_t hashes[][MLT_HASH_LEN], size_t count,
                            struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (size_t i = 0; i < count && !st; i++) {
        uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
        size_t num = mlt_frontier_add_subtree(&w->computed, level, hashes[i], roots);
        st = check_uppers(w, roots, num, err);
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
        st = window_at(w, MLT_FILE_PAYLOADS, b->base + *begin, len, &sealed, err);
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
static void tell_length(struct walk *w, struct bundle *b, uint64_t expected, uint64_t led_to) {
    size_t first_wrong = 0;
    while (first_wrong < b->count &&
           memcmp(b->computed[first_wrong], b->leaves.ptr + first_wrong * MLT_HASH_LEN, MLT_HASH_LEN) == 0) {
        first_wrong++;
    }
    uint64_t at = b->first + first_wrong;
    if (!tells(w)) {
        return;
    }
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
    enum mlt_status st = window_at(w, MLT_FILE_HASH, b->first * MLT_HASH_LEN, len, &stored, err);
    if (st || stored.len < len) {
        w->stop = true;
        return st;
    }
    memcpy(b->computed[0], stored.ptr, len);
    st = window_at(w, MLT_FILE_PAYLOADS_INDEX, block, 8 + 4 * b->count, &ends, err);
    if (!st && ends.len == 8 + 4 * b->count) {
        w->payload_end = mlt_load_u64be(ends.ptr) + mlt_load_u32be(ends.ptr + 4 + 4 * b->count);
    }
    return st || w->pass != MLT_PASS_TREE ? st : grow(w, 0, (const uint8_t(*)[MLT_HASH_LEN])b->computed, b->count, err);
}

static void hash_leaves(struct bundle *b) {
    size_t at = 0;
    for (size_t i = 0; i < b->count; i++) {
        mlt_merkle_leaf(b->computed[i], mlt_bytes_of(b->entries.ptr + at + 2, b->length[i]));
        at += 2 + (size_t)b->length[i];
    }
}

static enum mlt_status walk_framed(struct walk *w, struct bundle *b, struct mlt_error *err) {
    if (w->pass == MLT_PASS_RECORDS) {
        return check_payloads(w, b, err);
    }
    enum mlt_status st = judge_leaves(w, b, err);
    w->v->report->entries += b->count;
    return st ? st : grow(w, 0, (const uint8_t(*)[MLT_HASH_LEN])b->computed, b->count, err);
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
    bool framed = b->count == count && (expected == UINT64_MAX || led_to == expected);
    if (!framed || w->pass == MLT_PASS_TREE) {
        hash_leaves(b);
    }
    if (!framed) {
        // Lengths, or the index? If every leaf fits, it is the index, and the next bundle reports it.
        bool fits = b->count == count && memcmp(b->computed[0], b->leaves.ptr, count * MLT_HASH_LEN) == 0;
        if (!fits) {
            tell_length(w, b, expected, led_to);
            w->stop = expected == UINT64_MAX || expected <= w->at;
            b->count = count;
            w->at = expected;
            return stand_in(w, b, err);
        }
    }
    w->at = led_to;
    return walk_framed(w, b, err);
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

static enum mlt_status walk_slice(struct walk *w, struct bundle *b, const struct mlt_slice *slice,
                                  struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    uint64_t end = slice->first + slice->count;
    for (uint64_t first = slice->first; first < end && !st && !w->stop; first += MLT_FILES_BUNDLE) {
        b->first = first;
        b->count = end - first < MLT_FILES_BUNDLE ? (size_t)(end - first) : MLT_FILES_BUNDLE;
        st = walk_bundle(w, b, err);
    }
    return st;
}

// What a clean slice found is taken over as if the walk had found it.
static enum mlt_status adopt_tree(struct walk *w, const struct mlt_slice *slice, struct mlt_error *err) {
    enum mlt_status st = grow(w, MLT_TILE_HEIGHT, slice->root, slice->num_roots, err);
    st = st ? st : grow(w, 0, slice->leaf, slice->num_leaves, err);
    w->v->report->entries += slice->count;
    return st;
}

static enum mlt_status adopt_records(struct walk *w, const struct mlt_slice *slice, struct mlt_error *err) {
    struct mlt_verify *v = w->v;
    w->payload_end = slice->payload_end;
    v->report->payloads += slice->payloads;
    v->report->erased += slice->erased;
    v->report->details += slice->details;
    mlt_buf_put_bytes(&v->erased, mlt_buf_bytes(&slice->erased_indexes));
    mlt_buf_put_bytes(&v->erasures, mlt_buf_bytes(&slice->erasures));
    return v->erased.failed || v->erasures.failed ? mlt_fail(err, MLT_NOMEM, "no memory for erasures") : MLT_OK;
}

// A slice is good only where the ones before it end.
static bool fits_on(const struct walk *w, const struct mlt_slice *slice) {
    return slice->clean && slice->begin == w->at &&
           (w->pass == MLT_PASS_TREE || slice->payload_begin == w->payload_end);
}

static enum mlt_status take_slice(struct walk *w, struct bundle *b, const struct mlt_slice *slice,
                                  struct mlt_error *err) {
    w->v->report->bytes_read += slice->bytes_read;
    if (!fits_on(w, slice)) {
        return walk_slice(w, b, slice, err);
    }
    w->at = slice->end;
    return w->pass == MLT_PASS_TREE ? adopt_tree(w, slice, err) : adopt_records(w, slice, err);
}

static void tell_progress(const struct walk *w, uint64_t done) {
    const struct mlt_verify_options *opt = w->v->opt;
    if (opt->progress) {
        opt->progress(opt->progress_arg, w->pass == MLT_PASS_TREE ? "entries" : "payloads", done, w->v->mark.size);
    }
}

// Where the walk stands, for somebody who goes on from there: after whole tiles only.
static void note_place(struct walk *w, uint64_t done) {
    struct mlt_verify_state *s = w->v->state;
    if (!s || w->stop || done % MLT_TILE_WIDTH != 0) {
        return;
    }
    if (w->pass == MLT_PASS_TREE) {
        s->frontier = w->computed;
        s->at = w->at;
    } else {
        s->records = done;
        s->records_at = w->at;
        s->payload_end = w->payload_end;
    }
    mlt_verify_note_counts(w->v);
}

static enum mlt_status run_pass(struct walk *w, struct bundle *b, uint64_t first, struct mlt_error *err) {
    struct mlt_ahead *ahead = NULL;
    const struct mlt_slice *slice;
    enum mlt_status st = mlt_ahead_start(&ahead, w->v, w->pass, first, err);
    while (!st && !w->stop) {
        st = mlt_ahead_next(ahead, &slice, err);
        if (st || !slice) {
            break;
        }
        st = take_slice(w, b, slice, err);
        if (!st) {
            note_place(w, slice->first + slice->count);
            tell_progress(w, slice->first + slice->count);
        }
    }
    mlt_ahead_stop(ahead);
    w->v->report->bytes_read += w->windows.bytes_read;
    w->windows.bytes_read = 0;
    return st;
}

static enum mlt_status check_tree(struct walk *w, struct bundle *b, struct mlt_error *err) {
    struct mlt_verify *v = w->v;
    int64_t begin = v->base->monotonic(v->base);
    w->pass = MLT_PASS_TREE;
    if (v->state) {
        w->computed = v->state->frontier;
        w->at = v->state->at;
    }
    v->report->entries = v->report->resumed_at = w->computed.size;
    enum mlt_status st = run_pass(w, b, w->computed.size, err);
    if (!st && !w->stop) {
        judge_root(w);
    }
    v->report->entries_ns = v->base->monotonic(v->base) - begin;
    return st;
}

static enum mlt_status check_records(struct walk *w, struct bundle *b, struct mlt_error *err) {
    struct mlt_verify *v = w->v;
    int64_t begin = v->base->monotonic(v->base);
    w->pass = MLT_PASS_RECORDS;
    w->stop = false;
    w->at = v->state ? v->state->records_at : 0;
    w->payload_end = v->state ? v->state->payload_end : 0;
    enum mlt_status st = run_pass(w, b, v->state ? v->state->records : 0, err);
    if (!st && !w->stop && !v->report->live && w->payload_end != v->mark.payloads_len) {
        mlt_verify_fault(v, MLT_VERIFY_PAYLOAD, "payloads/index", UINT64_MAX,
                         "the payloads end at %llu, the journal says %llu (FORMAT.md, payloads/index)",
                         (unsigned long long)w->payload_end, (unsigned long long)v->mark.payloads_len);
    }
    v->report->records_ns = v->base->monotonic(v->base) - begin;
    return st;
}

enum mlt_status mlt_verify_entries(struct mlt_verify *v, struct mlt_error *err) {
    struct walk *w = calloc(1, sizeof(*w));
    struct bundle *b = calloc(1, sizeof(*b));
    enum mlt_status st = MLT_NOMEM;
    if (!w || !b) {
        (void)mlt_fail(err, st, "no memory to verify");
    } else {
        w->v = v;
        mlt_windows_init(&w->windows);
        st = check_tree(w, b, err);
        st = st ? st : check_records(w, b, err);
        mlt_windows_clear(&w->windows);
    }
    free(w);
    free(b);
    return st;
}
