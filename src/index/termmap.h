// A table of terms in memory: gives each distinct term a number, 0, 1, 2, … in the order in which it came.
#ifndef MLT_INDEX_TERMMAP_H
#define MLT_INDEX_TERMMAP_H

#include "record/term.h"

#define MLT_TERMMAP_NONE UINT32_MAX

// Zero-initialised is a valid empty map.
struct mlt_termmap {
    struct mlt_term *terms;
    uint32_t num_terms;
    uint32_t cap;
    uint64_t *slots; // 32 bits of the hash || number + 1; 0 is free; a power of two, at most half of them in use
    uint32_t num_slots;
};

void mlt_termmap_clear(struct mlt_termmap *m); // frees
void mlt_termmap_reset(struct mlt_termmap *m); // forgets the terms, keeps the memory
uint32_t mlt_termmap_find(const struct mlt_termmap *m, const struct mlt_term *term); // MLT_TERMMAP_NONE when absent
// mlt_termmap_add finds or adds; MLT_TERMMAP_NONE when memory is out, and then nothing changed.
uint32_t mlt_termmap_add(struct mlt_termmap *m, const struct mlt_term *term);
// mlt_termmap_sorted returns the numbers in the order of their terms (hash, then dimension); the caller frees it.
// NULL when memory is out.
uint32_t *mlt_termmap_sorted(const struct mlt_termmap *m);
size_t mlt_termmap_memory(const struct mlt_termmap *m);

#endif
