// links: mlt_server mlt_base_posix
// Query strings and path segments: what decodes is UTF-8, is no longer than it was, and no name comes twice.
#include <assert.h>

#include "server/path.h"
#include "server/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_arena arena = {0};
    struct mlt_query query;
    struct mlt_bytes out;
    struct mlt_bytes text = mlt_bytes_of(data, size);
    if (mlt_query_parse(&query, text, &arena, NULL) == MLT_OK) {
        assert(query.num_params <= MLT_QUERY_PARAMS_MAX);
        for (size_t i = 0; i < query.num_params; i++) {
            assert(query.params[i].name.len > 0);
            assert(mlt_utf8_valid(query.params[i].name) && mlt_utf8_valid(query.params[i].value));
            for (size_t j = 0; j < i; j++) {
                assert(!mlt_bytes_equal(query.params[i].name, query.params[j].name));
            }
        }
    }
    if (mlt_percent_decode(&out, text, false, &arena, NULL) == MLT_OK) {
        assert(out.len <= size && mlt_utf8_valid(out));
    }
    mlt_arena_clear(&arena);
    return 0;
}
