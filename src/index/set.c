#include "index/set.h"

#include <assert.h>
#include <stdlib.h>

static enum mlt_status no_memory(struct mlt_error *err) {
    return mlt_fail(err, MLT_NOMEM, "index: out of memory");
}

void mlt_set_clear(struct mlt_set *set) {
    for (size_t i = 0; i < set->num_parts; i++) {
        if (set->parts[i].bitmap != NULL) {
            roaring_bitmap_free(set->parts[i].bitmap);
        }
    }
    free(set->parts);
    *set = (struct mlt_set){0};
}

void mlt_set_scans_clear(struct mlt_set_scans *scans) {
    mlt_run_scan_free(scans->names);
    mlt_run_scan_free(scans->lists);
    *scans = (struct mlt_set_scans){0};
}

// Takes over `part->bitmap`, also when it fails.
static bool push(struct mlt_set *set, const struct mlt_part *part) {
    if (set->num_parts == set->cap) {
        size_t cap = set->cap == 0 ? 8 : set->cap * 2;
        struct mlt_part *parts = realloc(set->parts, cap * sizeof(*parts));
        if (parts == NULL) {
            if (part->bitmap != NULL) {
                roaring_bitmap_free(part->bitmap);
            }
            return false;
        }
        set->parts = parts;
        set->cap = cap;
    }
    assert(set->parts != NULL);
    set->parts[set->num_parts++] = *part;
    return true;
}

// Adds one entry of a name: to the last part when it is of the same segment and term.
static bool push_entry(struct mlt_set *set, const struct mlt_term *term, uint64_t entry) {
    uint64_t segment = entry >> MLT_SEGMENT_BITS;
    uint32_t offset = (uint32_t)(entry & (MLT_SEGMENT_ENTRIES - 1));
    struct mlt_part *last = set->num_parts == 0 ? NULL : &set->parts[set->num_parts - 1];
    if (last == NULL || last->segment != segment || last->term != term || last->last > offset) {
        struct mlt_part part = {term, entry, segment, 0, offset, roaring_bitmap_create()};
        if (part.bitmap == NULL || !push(set, &part)) {
            return false;
        }
        last = &set->parts[set->num_parts - 1];
    }
    roaring_bitmap_add(last->bitmap, offset);
    last->count++;
    last->last = offset;
    return true;
}

static uint32_t end_in_segment(uint64_t segment, uint64_t size) {
    uint64_t base = segment << MLT_SEGMENT_BITS;
    return size <= base                         ? 0
           : size - base >= MLT_SEGMENT_ENTRIES ? (uint32_t)MLT_SEGMENT_ENTRIES
                                                : (uint32_t)(size - base);
}

static bool add_list(struct mlt_set *set, const struct mlt_delta *d, const struct mlt_term *term, uint64_t size) {
    const struct mlt_list *list = mlt_postings_find(&d->postings, term);
    if (list == NULL) {
        return true;
    }
    uint64_t segment = d->first >> MLT_SEGMENT_BITS;
    struct mlt_part part = {term, d->first, segment, 0, 0, mlt_list_bitmap(list, end_in_segment(segment, size))};
    if (part.bitmap == NULL) {
        return false;
    }
    part.count = (uint32_t)roaring_bitmap_get_cardinality(part.bitmap);
    if (part.count == 0) {
        roaring_bitmap_free(part.bitmap);
        return true;
    }
    part.last = roaring_bitmap_maximum(part.bitmap);
    return push(set, &part);
}

bool mlt_set_add_memory(struct mlt_set *set, const struct mlt_lookup *lk, const struct mlt_term *term, uint64_t size) {
    bool ok = true;
    for (size_t i = 0; i < lk->num_deltas && ok && lk->deltas[i]->first < size; i++) {
        const struct mlt_delta *d = lk->deltas[i];
        if (!mlt_dim_is_name(term->dim)) {
            ok = add_list(set, d, term, size);
            continue;
        }
        const struct mlt_name_row *row = mlt_names_first(&d->names, term);
        for (; row != NULL && row->entry < size && ok; row = mlt_names_next(&d->names, row)) {
            ok = push_entry(set, term, row->entry);
        }
    }
    return ok;
}

static enum mlt_status ready(struct mlt_run_scan **scan, struct mlt_lookup *lk, enum mlt_run_family family,
                             struct mlt_error *err) {
    return *scan != NULL ? MLT_OK : mlt_run_scan_new(scan, lk->runs, family, err);
}

static enum mlt_status add_name_files(struct mlt_set *set, struct mlt_run_scan *scan, const struct mlt_term *term,
                                      uint64_t end, struct mlt_error *err) {
    uint64_t entry;
    struct mlt_bytes value;
    mlt_run_scan_seek(scan, term);
    for (; mlt_run_scan_at(scan, &entry, &value) && entry < end; mlt_run_scan_next(scan)) {
        if (!push_entry(set, term, entry)) {
            return no_memory(err);
        }
    }
    return mlt_run_scan_status(scan, err);
}

static enum mlt_status add_list_files(struct mlt_set *set, struct mlt_run_scan *scan, const struct mlt_term *term,
                                      uint64_t end, struct mlt_error *err) {
    struct mlt_part part = {.term = term};
    struct mlt_bytes value;
    mlt_run_scan_seek(scan, term);
    for (; mlt_run_scan_at(scan, &part.first, &value) && part.first < end; mlt_run_scan_next(scan)) {
        enum mlt_status status = mlt_list_read(value, &part.count, &part.last, &part.bitmap, err);
        if (status != MLT_OK) {
            return status;
        }
        part.segment = part.first >> MLT_SEGMENT_BITS;
        if (!push(set, &part)) {
            return no_memory(err);
        }
    }
    return mlt_run_scan_status(scan, err);
}

enum mlt_status mlt_set_add_files(struct mlt_set *set, struct mlt_lookup *lk, struct mlt_set_scans *scans,
                                  const struct mlt_term *term, uint64_t size, uint64_t watermark,
                                  struct mlt_error *err) {
    uint64_t end = size < watermark ? size : watermark;
    if (lk->runs == NULL || end == 0) {
        return MLT_OK;
    }
    if (mlt_dim_is_name(term->dim)) {
        enum mlt_status status = ready(&scans->names, lk, MLT_RUN_NAMES, err);
        return status != MLT_OK ? status : add_name_files(set, scans->names, term, end, err);
    }
    enum mlt_status status = ready(&scans->lists, lk, MLT_RUN_LISTS, err);
    return status != MLT_OK ? status : add_list_files(set, scans->lists, term, end, err);
}

static int by_segment(const void *a, const void *b) {
    const struct mlt_part *x = a;
    const struct mlt_part *y = b;
    return x->segment != y->segment ? (x->segment < y->segment ? -1 : 1)
                                    : (x->first > y->first) - (x->first < y->first);
}

void mlt_set_sort(struct mlt_set *set) {
    if (set->num_parts > 1) {
        qsort(set->parts, set->num_parts, sizeof(*set->parts), by_segment);
    }
}

static enum mlt_status load(struct mlt_lookup *lk, struct mlt_part *part, struct mlt_error *err) {
    return part->bitmap != NULL ? MLT_OK
                                : mlt_list_load(lk->runs, part->term, part->first, part->count, &part->bitmap, err);
}

enum mlt_status mlt_part_count(struct mlt_lookup *lk, struct mlt_part *part, uint64_t size, uint64_t *out,
                               struct mlt_error *err) {
    uint32_t end = end_in_segment(part->segment, size);
    *out = part->count;
    if (part->last < end) {
        return MLT_OK;
    }
    *out = 0;
    if (end == 0) {
        return MLT_OK;
    }
    enum mlt_status status = load(lk, part, err);
    if (status == MLT_OK) {
        *out = roaring_bitmap_rank(part->bitmap, end - 1);
    }
    return status;
}

// The first part of a segment, or where it would be.
static size_t part_at(const struct mlt_set *set, uint64_t segment) {
    size_t lo = 0;
    size_t hi = set->num_parts;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (set->parts[mid].segment < segment) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

enum mlt_status mlt_set_segment(struct mlt_lookup *lk, struct mlt_set *set, uint64_t segment, uint64_t size,
                                roaring_bitmap_t **out, struct mlt_error *err) {
    roaring_bitmap_t *sum = NULL;
    for (size_t i = part_at(set, segment); i < set->num_parts && set->parts[i].segment == segment; i++) {
        struct mlt_part *part = &set->parts[i];
        enum mlt_status status = load(lk, part, err);
        if (status != MLT_OK) {
            if (sum != NULL) {
                roaring_bitmap_free(sum);
            }
            return status;
        }
        // A segment is asked for once: the part's bitmap is given away rather than copied.
        if (sum == NULL) {
            sum = part->bitmap;
        } else {
            roaring_bitmap_or_inplace(sum, part->bitmap);
            roaring_bitmap_free(part->bitmap);
        }
        part->bitmap = NULL;
    }
    if (sum == NULL) {
        sum = roaring_bitmap_create();
    }
    if (sum == NULL) {
        return no_memory(err);
    }
    uint32_t end = end_in_segment(segment, size);
    if (end < MLT_SEGMENT_ENTRIES) {
        roaring_bitmap_remove_range(sum, end, MLT_SEGMENT_ENTRIES);
    }
    *out = sum;
    return MLT_OK;
}
