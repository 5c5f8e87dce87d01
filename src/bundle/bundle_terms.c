#include "bundle/bundle_parts.h"

struct seen_term {
    struct mlt_term term;
    struct mlt_bundle_term made_of;
};

void mlt_bundle_terms_add(struct mlt_bundle_terms *t, const struct mlt_term *term, const struct mlt_bytes *values,
                          size_t num_values) {
    struct seen_term seen = {.term = *term, .made_of = {.dim = term->dim, .num_values = num_values}};
    if (num_values > MLT_BUNDLE_VALUES_MAX) {
        t->failed = true;
        return;
    }
    for (size_t i = 0; i < num_values; i++) {
        seen.made_of.values[i] = mlt_arena_copy(t->arena, values[i]);
        t->failed = t->failed || (values[i].len > 0 && !seen.made_of.values[i].ptr);
    }
    mlt_buf_put(&t->seen, &seen, sizeof(seen));
    t->failed = t->failed || t->seen.failed;
}

// The newest first: a term is asked by right after it was made.
bool mlt_bundle_terms_find(const struct mlt_bundle_terms *t, const struct mlt_term *term, struct mlt_bundle_term *out) {
    const struct seen_term *seen = (const void *)t->seen.data;
    for (size_t i = t->seen.len / sizeof(*seen); i > 0; i--) {
        if (seen[i - 1].term.dim == term->dim && memcmp(seen[i - 1].term.hash, term->hash, MLT_TERM_LEN) == 0) {
            *out = seen[i - 1].made_of;
            return true;
        }
    }
    return false;
}
