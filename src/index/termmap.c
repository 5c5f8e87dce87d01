#include "index/termmap.h"

#include <stdlib.h>

#define FIRST_TERMS 64u
#define TERMS_MAX (1u << 30) // numbers stay below MLT_TERMMAP_NONE; memory ends long before

static bool same(const struct mlt_term *a, const struct mlt_term *b) {
    return memcmp(a->hash, b->hash, MLT_TERM_LEN) == 0 && a->dim == b->dim;
}

// The hash is keyed and uniform already. The dimension goes in because one value may stand under several.
static uint32_t slot_of(const struct mlt_termmap *m, const struct mlt_term *term) {
    uint32_t h;
    memcpy(&h, term->hash + 4, sizeof(h));
    return (h + term->dim * 0x9e3779b1u) & (m->num_slots - 1);
}

// What stands in the slot of a term: most others in the way are told apart without a look at `terms`.
static uint64_t slot_value(const struct mlt_term *term, uint32_t number) {
    uint32_t tag;
    memcpy(&tag, term->hash + 8, sizeof(tag));
    return (uint64_t)tag << 32 | (number + 1);
}

static uint32_t slot_number(uint64_t slot) {
    return (uint32_t)slot - 1;
}

void mlt_termmap_clear(struct mlt_termmap *m) {
    free(m->terms);
    free(m->slots);
    *m = (struct mlt_termmap){0};
}

void mlt_termmap_reset(struct mlt_termmap *m) {
    m->num_terms = 0;
    if (m->num_slots > 0) {
        memset(m->slots, 0, m->num_slots * sizeof(*m->slots));
    }
}

uint32_t mlt_termmap_find(const struct mlt_termmap *m, const struct mlt_term *term) {
    if (m->num_terms == 0) {
        return MLT_TERMMAP_NONE;
    }
    uint64_t tag = slot_value(term, 0) >> 32;
    for (uint32_t s = slot_of(m, term);; s = (s + 1) & (m->num_slots - 1)) {
        uint64_t slot = m->slots[s];
        if (slot == 0) {
            return MLT_TERMMAP_NONE;
        }
        if (slot >> 32 == tag && same(&m->terms[slot_number(slot)], term)) {
            return slot_number(slot);
        }
    }
}

static void occupy(struct mlt_termmap *m, uint32_t number) {
    uint32_t s = slot_of(m, &m->terms[number]);
    while (m->slots[s] != 0) {
        s = (s + 1) & (m->num_slots - 1);
    }
    m->slots[s] = slot_value(&m->terms[number], number);
}

static bool grow(struct mlt_termmap *m) {
    uint32_t cap = m->cap == 0 ? FIRST_TERMS : m->cap * 2;
    if (cap > TERMS_MAX) {
        return false;
    }
    struct mlt_term *terms = realloc(m->terms, cap * sizeof(*terms));
    if (terms == NULL) {
        return false;
    }
    m->terms = terms;
    uint64_t *slots = calloc((size_t)cap * 2, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    free(m->slots);
    m->slots = slots;
    m->num_slots = cap * 2;
    m->cap = cap;
    for (uint32_t i = 0; i < m->num_terms; i++) {
        occupy(m, i);
    }
    return true;
}

uint32_t mlt_termmap_add(struct mlt_termmap *m, const struct mlt_term *term) {
    uint32_t number = mlt_termmap_find(m, term);
    if (number != MLT_TERMMAP_NONE) {
        return number;
    }
    if (m->num_terms == m->cap && !grow(m)) {
        return MLT_TERMMAP_NONE;
    }
    number = m->num_terms++;
    m->terms[number] = *term;
    occupy(m, number);
    return number;
}

static int compare(const struct mlt_term *a, const struct mlt_term *b) {
    int c = memcmp(a->hash, b->hash, MLT_TERM_LEN);
    return c != 0 ? c : (int)a->dim - (int)b->dim;
}

// Heap sort within a bucket: buckets hold about sixteen terms, since hashes are uniform, and no input makes it slow.
static void sift(const struct mlt_term *terms, uint32_t *ids, size_t start, size_t n) {
    for (size_t root = start; 2 * root + 1 < n;) {
        size_t child = 2 * root + 1;
        if (child + 1 < n && compare(&terms[ids[child]], &terms[ids[child + 1]]) < 0) {
            child++;
        }
        if (compare(&terms[ids[root]], &terms[ids[child]]) >= 0) {
            return;
        }
        uint32_t id = ids[root];
        ids[root] = ids[child];
        ids[child] = id;
        root = child;
    }
}

static void heap_sort(const struct mlt_term *terms, uint32_t *ids, size_t n) {
    for (size_t i = n / 2; i-- > 0;) {
        sift(terms, ids, i, n);
    }
    for (size_t end = n; end-- > 1;) {
        uint32_t id = ids[0];
        ids[0] = ids[end];
        ids[end] = id;
        sift(terms, ids, 0, end);
    }
}

#define BUCKETS 65536u

uint32_t *mlt_termmap_sorted(const struct mlt_termmap *m) {
    uint32_t *ids = malloc((m->num_terms + 1) * sizeof(*ids));
    uint32_t *start = calloc(BUCKETS + 1, sizeof(*start));
    if (ids == NULL || start == NULL) {
        free(ids);
        free(start);
        return NULL;
    }
    for (uint32_t i = 0; i < m->num_terms; i++) {
        start[mlt_load_u16be(m->terms[i].hash) + 1u]++;
    }
    for (uint32_t b = 0; b < BUCKETS; b++) {
        start[b + 1] += start[b];
    }
    for (uint32_t i = 0; i < m->num_terms; i++) {
        ids[start[mlt_load_u16be(m->terms[i].hash)]++] = i;
    }
    // start[b] is now the end of bucket b.
    for (uint32_t b = 0, first = 0; b < BUCKETS; first = start[b++]) {
        heap_sort(m->terms, ids + first, start[b] - first);
    }
    free(start);
    return ids;
}

size_t mlt_termmap_memory(const struct mlt_termmap *m) {
    return m->num_terms * sizeof(*m->terms) + (size_t)m->num_terms * 2 * sizeof(*m->slots);
}
