#include "index/names.h"

#include <stdlib.h>

#define FIRST_ROWS 64u

void mlt_names_clear(struct mlt_names *n) {
    mlt_termmap_clear(&n->map);
    free(n->heads);
    free(n->tails);
    free(n->rows);
    *n = (struct mlt_names){0};
}

void mlt_names_reset(struct mlt_names *n) {
    mlt_termmap_reset(&n->map);
    n->num_rows = 0;
}

static bool room(struct mlt_names *n) {
    if (n->num_rows == n->cap_rows) {
        uint32_t cap = n->cap_rows == 0 ? FIRST_ROWS : n->cap_rows * 2;
        struct mlt_name_row *rows = realloc(n->rows, cap * sizeof(*rows));
        if (rows == NULL) {
            return false;
        }
        n->rows = rows;
        n->cap_rows = cap;
    }
    if (n->cap_terms < n->map.num_terms + 1) {
        uint32_t cap = n->cap_terms == 0 ? FIRST_ROWS : n->cap_terms * 2;
        uint32_t *heads = realloc(n->heads, cap * sizeof(*heads));
        if (heads == NULL) {
            return false;
        }
        n->heads = heads;
        uint32_t *tails = realloc(n->tails, cap * sizeof(*tails));
        if (tails == NULL) {
            return false;
        }
        n->tails = tails;
        n->cap_terms = cap;
    }
    return true;
}

bool mlt_names_add(struct mlt_names *n, const struct mlt_term *name, uint64_t entry, bool identity, uint64_t owner,
                   const uint8_t content[static MLT_CONTENT_LEN]) {
    if (!room(n)) {
        return false;
    }
    uint32_t before = n->map.num_terms;
    uint32_t id = mlt_termmap_add(&n->map, name);
    if (id == MLT_TERMMAP_NONE) {
        return false;
    }
    struct mlt_name_row *row = NULL;
    if (id < before && n->rows[n->tails[id]].entry == entry) {
        row = &n->rows[n->tails[id]];
        if (!identity) {
            return true;
        }
    } else {
        row = &n->rows[n->num_rows];
        row->entry = entry;
        row->next = MLT_TERMMAP_NONE;
        if (id < before) {
            n->rows[n->tails[id]].next = n->num_rows;
        } else {
            n->heads[id] = n->num_rows;
        }
        n->tails[id] = n->num_rows++;
    }
    row->identity = identity;
    row->owner = owner;
    memcpy(row->content, content, MLT_CONTENT_LEN);
    return true;
}

const struct mlt_name_row *mlt_names_first(const struct mlt_names *n, const struct mlt_term *name) {
    uint32_t id = mlt_termmap_find(&n->map, name);
    return id == MLT_TERMMAP_NONE ? NULL : &n->rows[n->heads[id]];
}

const struct mlt_name_row *mlt_names_next(const struct mlt_names *n, const struct mlt_name_row *row) {
    return row->next == MLT_TERMMAP_NONE ? NULL : &n->rows[row->next];
}

enum mlt_status mlt_names_write(const struct mlt_names *n, struct mlt_run_writer *w, struct mlt_error *err) {
    uint32_t *ids = mlt_termmap_sorted(&n->map);
    if (ids == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory sorting %u names", n->map.num_terms);
    }
    enum mlt_status status = MLT_OK;
    for (uint32_t i = 0; i < n->map.num_terms && status == MLT_OK; i++) {
        const struct mlt_name_row *row = &n->rows[n->heads[ids[i]]];
        for (; row != NULL && status == MLT_OK; row = mlt_names_next(n, row)) {
            uint8_t key[MLT_RUN_KEY_LEN];
            uint8_t value[MLT_NAME_VALUE_LEN];
            mlt_run_key(key, &n->map.terms[ids[i]], row->entry);
            mlt_store_u64be(value, row->owner);
            memcpy(value + 8, row->content, MLT_CONTENT_LEN);
            status = mlt_run_put(w, key, mlt_bytes_of(value, row->identity ? sizeof(value) : 0), err);
        }
    }
    free(ids);
    return status;
}
