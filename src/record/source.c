#include "record/source.h"

void mlt_source_term(const struct mlt_source *src, struct mlt_term *out, enum mlt_dim dim,
                     const struct mlt_bytes *values, size_t num_values) {
    mlt_term_make(out, src->index_key, dim, values, num_values);
    if (src->watch) {
        src->watch(src->watch_ctx, out, values, num_values);
    }
}
