// The files in tests/vectors/timestamp.
#ifndef MLT_TESTS_LIB_TIMESTAMP_VECTORS_H
#define MLT_TESTS_LIB_TIMESTAMP_VECTORS_H

#include <stdio.h>

#include "crypto/timestamp.h"
#include "lib/vectors.h"

static inline void timestamp_vector(struct mlt_buf *out, const char *name) {
    char relative[128], path[1024];
    (void)snprintf(relative, sizeof relative, "tests/vectors/timestamp/%s", name);
    test_source_path(path, sizeof path, relative);
    assert_true(test_read_file(path, out));
}

static inline struct mlt_timestamp_roots *timestamp_vector_roots(const char *name) {
    struct mlt_buf pem = {0};
    struct mlt_timestamp_roots *roots = NULL;
    timestamp_vector(&pem, name);
    assert_int_equal(mlt_timestamp_roots_new(&roots, mlt_buf_bytes(&pem), NULL), MLT_OK);
    assert_int_equal(mlt_timestamp_roots_count(roots), 1);
    mlt_buf_clear(&pem);
    return roots;
}

#endif
