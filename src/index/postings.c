#include "index/postings.h"

#include <stdlib.h>

#define FIRST_LISTS 64u
#define BITMAP_BASE_BYTES 160 // of an almost empty bitmap, with what malloc adds
#define POSTING_BYTES 2       // in an array container; full containers take less

static void free_bitmaps(struct mlt_postings *p) {
    for (uint32_t i = 0; i < p->map.num_terms; i++) {
        if (p->lists[i].bitmap != NULL) {
            roaring_bitmap_free(p->lists[i].bitmap);
        }
    }
    p->bitmap_bytes = 0;
}

void mlt_postings_clear(struct mlt_postings *p) {
    free_bitmaps(p);
    mlt_termmap_clear(&p->map);
    free(p->lists);
    *p = (struct mlt_postings){0};
}

void mlt_postings_reset(struct mlt_postings *p) {
    free_bitmaps(p);
    mlt_termmap_reset(&p->map);
}

static bool room(struct mlt_postings *p) {
    if (p->cap > p->map.num_terms) {
        return true;
    }
    uint32_t cap = p->cap == 0 ? FIRST_LISTS : p->cap * 2;
    struct mlt_list *lists = realloc(p->lists, cap * sizeof(*lists));
    if (lists == NULL) {
        return false;
    }
    p->lists = lists;
    p->cap = cap;
    return true;
}

bool mlt_postings_add(struct mlt_postings *p, const struct mlt_term *term, uint32_t offset) {
    if (!room(p)) {
        return false;
    }
    uint32_t before = p->map.num_terms;
    uint32_t id = mlt_termmap_add(&p->map, term);
    if (id == MLT_TERMMAP_NONE) {
        return false;
    }
    struct mlt_list *list = &p->lists[id];
    if (id == before) {
        *list = (struct mlt_list){0};
    } else if (list->last == offset) {
        return true;
    }
    if (list->count == MLT_LIST_SMALL) {
        list->bitmap = roaring_bitmap_of_ptr(MLT_LIST_SMALL, list->small);
        if (list->bitmap == NULL) {
            return false;
        }
        p->bitmap_bytes += BITMAP_BASE_BYTES;
    }
    if (list->bitmap != NULL) {
        roaring_bitmap_add(list->bitmap, offset);
        p->bitmap_bytes += POSTING_BYTES;
    } else {
        list->small[list->count] = offset;
    }
    list->count++;
    list->last = offset;
    return true;
}

const struct mlt_list *mlt_postings_find(const struct mlt_postings *p, const struct mlt_term *term) {
    uint32_t id = mlt_termmap_find(&p->map, term);
    return id == MLT_TERMMAP_NONE ? NULL : &p->lists[id];
}

size_t mlt_postings_memory(const struct mlt_postings *p) {
    return mlt_termmap_memory(&p->map) + p->map.num_terms * sizeof(*p->lists) + p->bitmap_bytes;
}

roaring_bitmap_t *mlt_list_bitmap(const struct mlt_list *list, uint32_t end) {
    roaring_bitmap_t *b = NULL;
    if (list->bitmap == NULL) {
        b = roaring_bitmap_of_ptr(list->count, list->small);
    } else {
        b = roaring_bitmap_copy(list->bitmap);
    }
    if (b != NULL && list->last >= end) {
        roaring_bitmap_remove_range(b, end, (uint64_t)list->last + 1);
    }
    return b;
}

// ---- files ----

static enum mlt_status write_bitmap(const struct mlt_list *list, const uint8_t *key, struct mlt_run_writer *w,
                                    struct mlt_buf *scratch, struct mlt_error *err) {
    // Of a copy: readers still look at the list, and optimizing replaces its containers.
    roaring_bitmap_t *copy = roaring_bitmap_copy(list->bitmap);
    if (copy == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    roaring_bitmap_run_optimize(copy);
    size_t len = roaring_bitmap_portable_size_in_bytes(copy);
    mlt_buf_reset(scratch);
    enum mlt_status status = MLT_OK;
    if (mlt_buf_reserve(scratch, len)) {
        len = roaring_bitmap_portable_serialize(copy, (char *)scratch->data);
        status = mlt_run_put(w, key, mlt_bytes_of(scratch->data, len), err);
    } else {
        status = mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    roaring_bitmap_free(copy);
    return status;
}

static enum mlt_status write_list(const struct mlt_list *list, const uint8_t *key, struct mlt_run_writer *lists,
                                  struct mlt_run_writer *bitmaps, struct mlt_buf *scratch, struct mlt_error *err) {
    uint8_t value[8 + 4 * MLT_LIST_INLINE_MAX];
    uint32_t offsets[MLT_LIST_INLINE_MAX];
    mlt_store_u32be(value, list->count);
    mlt_store_u32be(value + 4, list->last);
    if (list->count > MLT_LIST_INLINE_MAX) {
        enum mlt_status status = write_bitmap(list, key, bitmaps, scratch, err);
        return status != MLT_OK ? status : mlt_run_put(lists, key, mlt_bytes_of(value, 8), err);
    }
    if (list->bitmap != NULL) {
        roaring_bitmap_to_uint32_array(list->bitmap, offsets);
    } else {
        memcpy(offsets, list->small, list->count * sizeof(*offsets));
    }
    for (uint32_t i = 0; i < list->count; i++) {
        mlt_store_u32be(value + 8 + (size_t)4 * i, offsets[i]);
    }
    return mlt_run_put(lists, key, mlt_bytes_of(value, 8 + (size_t)4 * list->count), err);
}

enum mlt_status mlt_postings_write(const struct mlt_postings *p, uint64_t first, struct mlt_run_writer *lists,
                                   struct mlt_run_writer *bitmaps, struct mlt_error *err) {
    uint32_t *ids = mlt_termmap_sorted(&p->map);
    if (ids == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory sorting %u lists", p->map.num_terms);
    }
    struct mlt_buf scratch = {0};
    enum mlt_status status = MLT_OK;
    for (uint32_t i = 0; i < p->map.num_terms && status == MLT_OK; i++) {
        uint8_t key[MLT_RUN_KEY_LEN];
        mlt_run_key(key, &p->map.terms[ids[i]], first);
        status = write_list(&p->lists[ids[i]], key, lists, bitmaps, &scratch, err);
    }
    mlt_buf_clear(&scratch);
    free(ids);
    return status;
}

enum mlt_status mlt_list_read(struct mlt_bytes value, uint32_t *count, uint32_t *last, roaring_bitmap_t **bitmap,
                              struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(value);
    *count = mlt_cursor_u32be(&c);
    *last = mlt_cursor_u32be(&c);
    *bitmap = NULL;
    bool inlined = *count <= MLT_LIST_INLINE_MAX;
    if (c.failed || *count == 0 || mlt_cursor_left(&c) != (inlined ? (size_t)4 * *count : 0)) {
        return mlt_fail(err, MLT_CORRUPT, "index: a posting list has %zu bytes, which is no length of one", value.len);
    }
    if (!inlined) {
        return MLT_OK;
    }
    uint32_t offsets[MLT_LIST_INLINE_MAX];
    for (uint32_t i = 0; i < *count; i++) {
        offsets[i] = mlt_cursor_u32be(&c);
    }
    *bitmap = roaring_bitmap_of_ptr(*count, offsets);
    return *bitmap != NULL ? MLT_OK : mlt_fail(err, MLT_NOMEM, "index: out of memory");
}

enum mlt_status mlt_list_load(struct mlt_runs *runs, const struct mlt_term *term, uint64_t first, uint32_t count,
                              roaring_bitmap_t **bitmap, struct mlt_error *err) {
    uint8_t key[MLT_RUN_KEY_LEN];
    struct mlt_buf value = {0};
    bool found;
    *bitmap = NULL;
    mlt_run_key(key, term, first);
    enum mlt_status status = mlt_runs_get(runs, MLT_RUN_BITMAPS, mlt_bytes_of(key, sizeof(key)), &value, &found, err);
    if (status == MLT_OK && found) {
        *bitmap = roaring_bitmap_portable_deserialize_safe((const char *)value.data, value.len);
    }
    mlt_buf_clear(&value);
    if (status == MLT_OK && (*bitmap == NULL || roaring_bitmap_get_cardinality(*bitmap) != count)) {
        if (*bitmap != NULL) {
            roaring_bitmap_free(*bitmap);
            *bitmap = NULL;
        }
        status = mlt_fail(err, MLT_CORRUPT, "index: the postings from entry %llu on do not read back as written",
                          (unsigned long long)first);
    }
    return status;
}
