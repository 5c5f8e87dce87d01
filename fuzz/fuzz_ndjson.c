// links: mlt_server mlt_base_posix
// Lines of a batch: they lie in the body in order, hold no line end, and their numbers rise.
#include <assert.h>

#include "server/ndjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_ndjson in = mlt_ndjson_of(mlt_bytes_of(data, size));
    struct mlt_bytes line;
    const uint8_t *at = data;
    uint32_t number = 0;
    while (mlt_ndjson_next(&in, &line)) {
        assert(line.len > 0 && line.ptr >= at && line.ptr + line.len <= data + size);
        assert(!memchr(line.ptr, '\n', line.len));
        assert(in.line > number);
        at = line.ptr + line.len;
        number = in.line;
    }
    assert(in.rest.len == 0);
    return 0;
}
