#include "server/metric.h"

void mlt_metric_label(struct mlt_buf *out, struct mlt_bytes value) {
    mlt_buf_put_u8(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = value.ptr[i];
        if (c == '"' || c == '\\' || c == '\n') {
            mlt_buf_put_u8(out, '\\');
        }
        mlt_buf_put_u8(out, c == '\n' ? 'n' : c);
    }
    mlt_buf_put_u8(out, '"');
}
