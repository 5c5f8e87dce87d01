// The protobuf wire format, as far as reading needs it: fields of a message one after the other, nothing allocated,
// nothing believed. Groups, which were given up before there were HTTP exporters, are malformed here.
#ifndef MLT_CAPTURE_PROTOBUF_H
#define MLT_CAPTURE_PROTOBUF_H

#include "base/bytes.h"

enum mlt_pb_wire { MLT_PB_VARINT = 0, MLT_PB_FIXED64 = 1, MLT_PB_BYTES = 2, MLT_PB_FIXED32 = 5 };

struct mlt_pb_field {
    uint32_t number;
    enum mlt_pb_wire wire;
    uint64_t value;         // of a number
    struct mlt_bytes bytes; // of text, bytes or a message; borrowed
};

// mlt_pb_next reads the next field of a message. False: at its end, or malformed, which `c->failed` tells.
bool mlt_pb_next(struct mlt_cursor *c, struct mlt_pb_field *out);

// Writing, for the short answers that an exporter expects.
void mlt_pb_put_varint(struct mlt_buf *out, uint32_t number, uint64_t value);
void mlt_pb_put_bytes(struct mlt_buf *out, uint32_t number, struct mlt_bytes bytes);

#endif
