// links: mlt_capture
// The wire format: fields lie in the message in order, and what is written is read again.
#include <assert.h>

#include "capture/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_cursor c = mlt_cursor_of(mlt_bytes_of(data, size));
    struct mlt_pb_field f;
    const uint8_t *at = data;
    while (mlt_pb_next(&c, &f)) {
        assert(f.number > 0 && c.at > at && c.at <= data + size);
        assert(f.wire != MLT_PB_BYTES || f.bytes.len <= (size_t)(c.at - at));
        at = c.at;
        struct mlt_buf again = {0};
        struct mlt_pb_field g;
        if (f.wire == MLT_PB_BYTES) {
            mlt_pb_put_bytes(&again, f.number, f.bytes);
        } else {
            mlt_pb_put_varint(&again, f.number, f.value);
        }
        struct mlt_cursor back = mlt_cursor_of(mlt_buf_bytes(&again));
        assert(mlt_pb_next(&back, &g) && g.number == f.number && g.value == f.value &&
               mlt_bytes_equal(g.bytes, f.bytes) && mlt_cursor_left(&back) == 0);
        mlt_buf_clear(&again);
    }
    assert(c.failed || c.at == data + size);
    return 0;
}
