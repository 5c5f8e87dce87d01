// A stretch of entries in which everything is as it should be. Nothing is reported from here and nothing is judged: at
// the first difference the stretch is not clean, and verify_entries.c finds out what it is.
//
// A bundle of 256 entries lies where entries.idx says and its lengths fill that place exactly. In the pass over the
// tree its leaf hashes are those of hash/0; in the pass over records its payloads follow each other without a gap and
// every record is good in the eyes of mlt_verify_record.
#include <stdlib.h>

#include "trail/verify_private.h"

#define BUNDLE_LEN_MAX ((uint64_t)MLT_FILES_BUNDLE * (2 + UINT16_MAX)) // lengths are u16

struct mlt_slicer {
    struct mlt_verify own; // with a report of its own: whatever lands there makes the slice unclean
    struct mlt_verify_report *report;
    struct mlt_windows windows;
    uint16_t length[MLT_FILES_BUNDLE];
    uint8_t computed[MLT_TILE_WIDTH][MLT_HASH_LEN];
};

struct bundle {
    uint64_t number;
    size_t count;
    uint64_t begin, end;
    struct mlt_bytes entries;
};

enum mlt_status mlt_slicer_new(struct mlt_slicer **out, const struct mlt_verify *v, struct mlt_error *err) {
    struct mlt_slicer *s = calloc(1, sizeof(*s));
    *out = NULL;
    if (s) {
        s->report = calloc(1, sizeof(*s->report));
    }
    if (!s || !s->report) {
        free(s);
        return mlt_fail(err, MLT_NOMEM, "no memory to verify");
    }
    // Constant from here on: the files, the mark, the options. The rest is this thread's own.
    s->own = (struct mlt_verify){.base = v->base,
                                 .env = v->env,
                                 .opt = v->opt,
                                 .report = s->report,
                                 .raw = v->raw,
                                 .files = v->files,
                                 .mark = v->mark};
    s->own.files.scratch = (struct mlt_buf){0};
    memcpy(s->own.dir, v->dir, sizeof(s->own.dir));
    s->report->live = v->report->live;
    mlt_windows_init(&s->windows);
    enum mlt_status st = v->sealer ? mlt_record_keys_sealer(&s->own.sealer, &v->keys, err) : MLT_OK;
    if (st) {
        mlt_slicer_free(s);
        return st;
    }
    *out = s;
    return MLT_OK;
}

void mlt_slicer_free(struct mlt_slicer *s) {
    if (s) {
        mlt_windows_clear(&s->windows);
        mlt_verify_clear_scratch(&s->own);
        free(s->report);
        free(s);
    }
}

static enum mlt_status window(struct mlt_slicer *s, enum mlt_files_id id, uint64_t off, size_t len,
                              struct mlt_bytes *out, struct mlt_error *err) {
    return mlt_window_at(&s->windows, &s->own, id, off, len, out, err);
}

// Where the bundle begins and ends. The last one of a trail that is being written has no end in the index: it is
// followed by its lengths, as far as they may lead.
static enum mlt_status place(struct mlt_slicer *s, struct bundle *b, bool last, bool *clean, struct mlt_error *err) {
    struct mlt_bytes raw;
    size_t want = last ? 8 : 16;
    enum mlt_status st = window(s, MLT_FILE_ENTRIES_INDEX, b->number * 8, want, &raw, err);
    if (st || raw.len < want) {
        *clean = false;
        return st;
    }
    b->begin = mlt_load_u64be(raw.ptr);
    bool open_end = last && s->report->live;
    b->end = !last ? mlt_load_u64be(raw.ptr + 8) : open_end ? b->begin + BUNDLE_LEN_MAX : s->own.mark.entries_len;
    if (b->begin > MLT_FILES_LEN_MAX || b->end < b->begin || b->end - b->begin > BUNDLE_LEN_MAX) {
        *clean = false;
        return MLT_OK;
    }
    st = window(s, MLT_FILE_ENTRIES, b->begin, (size_t)(b->end - b->begin), &b->entries, err);
    *clean = !st && (open_end || b->entries.len == b->end - b->begin);
    return st;
}

// The lengths fill the bundle's place exactly.
static bool frame(struct mlt_slicer *s, struct bundle *b, bool open_end) {
    size_t at = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->entries.len - at < 2) {
            return false;
        }
        size_t len = mlt_load_u16be(b->entries.ptr + at);
        if (b->entries.len - at - 2 < len) {
            return false;
        }
        s->length[i] = (uint16_t)len;
        at += 2 + len;
    }
    if (open_end) {
        b->entries.len = at;
        b->end = b->begin + at;
    }
    return at == b->entries.len;
}

static enum mlt_status check_tree(struct mlt_slicer *s, struct mlt_slice *slice, struct bundle *b, bool *clean,
                                  struct mlt_error *err) {
    struct mlt_bytes stored;
    uint8_t *at = mlt_window_bytes(&s->windows, MLT_FILE_ENTRIES, b->entries);
    for (size_t i = 0; i < b->count; i++) {
        mlt_merkle_leaf_at(s->computed[i], at + 2, s->length[i]);
        at += 2 + (size_t)s->length[i];
    }
    size_t len = b->count * MLT_HASH_LEN;
    enum mlt_status st = window(s, MLT_FILE_HASH, b->number * MLT_TILE_WIDTH * MLT_HASH_LEN, len, &stored, err);
    *clean = !st && stored.len == len && memcmp(stored.ptr, s->computed, len) == 0;
    if (*clean && b->count == MLT_TILE_WIDTH) {
        mlt_merkle_tile_root(slice->root[slice->num_roots++], s->computed[0]);
    } else if (*clean) {
        memcpy(slice->leaf, s->computed, len);
        slice->num_leaves = b->count;
    }
    return st;
}

static enum mlt_status check_record(struct mlt_slicer *s, uint64_t index, struct mlt_bytes entry,
                                    const uint8_t slot[static MLT_WRAPPED_LEN], uint64_t off, uint32_t len, bool *clean,
                                    struct mlt_error *err) {
    struct mlt_bytes sealed = {0};
    enum mlt_status st = len > 0 ? window(s, MLT_FILE_PAYLOADS, off, len, &sealed, err) : MLT_OK;
    *clean = !st && sealed.len == len;
    return *clean ? mlt_verify_record(&s->own, index, entry, slot, sealed, err) : st;
}

static enum mlt_status check_records(struct mlt_slicer *s, struct mlt_slice *slice, struct bundle *b, bool *clean,
                                     struct mlt_error *err) {
    struct mlt_bytes block;
    struct mlt_bytes slots;
    uint64_t first = b->number * MLT_FILES_BUNDLE;
    size_t block_len = 8 + 4 * b->count;
    enum mlt_status st = window(s, MLT_FILE_PAYLOADS_INDEX, b->number * MLT_FILES_BLOCK_LEN, block_len, &block, err);
    st = st ? st : window(s, MLT_FILE_SLOTS, first * MLT_WRAPPED_LEN, b->count * MLT_WRAPPED_LEN, &slots, err);
    if (st || block.len < block_len || slots.len < b->count * MLT_WRAPPED_LEN) {
        *clean = false;
        return st;
    }
    uint64_t base = mlt_load_u64be(block.ptr);
    *clean = base == slice->payload_end && base <= MLT_FILES_LEN_MAX;
    uint32_t begin = 0;
    const uint8_t *at = b->entries.ptr;
    for (size_t i = 0; i < b->count && *clean && !st; i++) {
        uint32_t end = mlt_load_u32be(block.ptr + 8 + 4 * i);
        *clean =
            end >= begin && end - begin <= MLT_PAYLOAD_MAX + MLT_SEAL_TAG_LEN && base + end <= s->own.mark.payloads_len;
        if (*clean) {
            st = check_record(s, first + i, mlt_bytes_of(at + 2, s->length[i]), slots.ptr + i * MLT_WRAPPED_LEN,
                              base + begin, end - begin, clean, err);
            *clean = *clean && s->report->num_faults == 0;
        }
        at += 2 + (size_t)s->length[i];
        begin = end;
    }
    slice->payload_end = base + begin;
    return st;
}

// The first bundle says where its payloads begin; whether that is where those before end is for the walk to say.
static enum mlt_status first_payload(struct mlt_slicer *s, struct mlt_slice *slice, bool *clean,
                                     struct mlt_error *err) {
    struct mlt_bytes raw;
    enum mlt_status st =
        window(s, MLT_FILE_PAYLOADS_INDEX, slice->first / MLT_FILES_BUNDLE * MLT_FILES_BLOCK_LEN, 8, &raw, err);
    *clean = !st && raw.len == 8;
    slice->payload_begin = slice->payload_end = *clean ? mlt_load_u64be(raw.ptr) : 0;
    return st;
}

static enum mlt_status check_bundle(struct mlt_slicer *s, struct mlt_slice *slice, uint64_t first, bool *clean,
                                    struct mlt_error *err) {
    uint64_t left = slice->first + slice->count - first;
    struct bundle b = {.number = first / MLT_FILES_BUNDLE,
                       .count = left < MLT_FILES_BUNDLE ? (size_t)left : MLT_FILES_BUNDLE};
    bool last = first + b.count == s->own.mark.size;
    enum mlt_status st = place(s, &b, last, clean, err);
    if (st || !*clean) {
        return st;
    }
    if (!frame(s, &b, last && s->report->live) || (first > slice->first && b.begin != slice->end)) {
        *clean = false;
        return MLT_OK;
    }
    slice->begin = first == slice->first ? b.begin : slice->begin;
    slice->end = b.end;
    return slice->pass == MLT_PASS_TREE ? check_tree(s, slice, &b, clean, err)
                                        : check_records(s, slice, &b, clean, err);
}

enum mlt_status mlt_slicer_check(struct mlt_slicer *s, struct mlt_slice *slice, struct mlt_error *err) {
    struct mlt_verify_report *r = s->report;
    bool clean = true;
    uint64_t read_before = s->windows.bytes_read;
    slice->num_roots = slice->num_leaves = 0;
    mlt_buf_reset(&slice->erased_indexes);
    mlt_buf_reset(&slice->erasures);
    mlt_buf_reset(&s->own.erased);
    mlt_buf_reset(&s->own.erasures);
    r->num_faults = r->payloads = r->erased = r->details = 0;
    enum mlt_status st = slice->pass == MLT_PASS_RECORDS ? first_payload(s, slice, &clean, err) : MLT_OK;
    for (uint64_t first = slice->first; first < slice->first + slice->count && clean && !st;
         first += MLT_FILES_BUNDLE) {
        st = check_bundle(s, slice, first, &clean, err);
    }
    slice->clean = clean && !st;
    slice->payloads = r->payloads;
    slice->erased = r->erased;
    slice->details = r->details;
    slice->bytes_read = s->windows.bytes_read - read_before;
    mlt_buf_put_bytes(&slice->erased_indexes, mlt_buf_bytes(&s->own.erased));
    mlt_buf_put_bytes(&slice->erasures, mlt_buf_bytes(&s->own.erasures));
    if (!st && (slice->erased_indexes.failed || slice->erasures.failed)) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for erasures");
    }
    return st;
}
