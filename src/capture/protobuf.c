#include "capture/protobuf.h"

#define FIELD_NUMBER_MAX ((UINT32_C(1) << 29) - 1)
#define VARINT_BYTES_MAX 10 // 64 bits, seven a byte

static uint64_t varint(struct mlt_cursor *c) {
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        uint8_t b = mlt_cursor_u8(c);
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            c->failed = c->failed || (i == VARINT_BYTES_MAX - 1 && b > 1); // more than 64 bits
            return v;
        }
    }
    c->failed = true;
    return 0;
}

static uint64_t fixed(struct mlt_cursor *c, size_t len) {
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        v |= (uint64_t)mlt_cursor_u8(c) << (8 * i);
    }
    return v;
}

bool mlt_pb_next(struct mlt_cursor *c, struct mlt_pb_field *out) {
    *out = (struct mlt_pb_field){0};
    if (mlt_cursor_left(c) == 0) {
        return false;
    }
    uint64_t key = varint(c);
    uint64_t number = key >> 3;
    out->number = (uint32_t)number;
    out->wire = (enum mlt_pb_wire)(key & 7);
    switch (out->wire) {
    case MLT_PB_VARINT:
        out->value = varint(c);
        break;
    case MLT_PB_FIXED64:
        out->value = fixed(c, 8);
        break;
    case MLT_PB_FIXED32:
        out->value = fixed(c, 4);
        break;
    case MLT_PB_BYTES: {
        uint64_t len = varint(c);
        if (len > mlt_cursor_left(c)) {
            c->failed = true;
        } else {
            out->bytes = mlt_cursor_take(c, (size_t)len);
        }
        break;
    }
    default:
        c->failed = true;
    }
    c->failed = c->failed || number == 0 || number > FIELD_NUMBER_MAX;
    return !c->failed;
}

static void put_number(struct mlt_buf *out, uint64_t v) {
    while (v >= 0x80) {
        mlt_buf_put_u8(out, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    mlt_buf_put_u8(out, (uint8_t)v);
}

void mlt_pb_put_varint(struct mlt_buf *out, uint32_t number, uint64_t value) {
    put_number(out, (uint64_t)number << 3 | MLT_PB_VARINT);
    put_number(out, value);
}

void mlt_pb_put_bytes(struct mlt_buf *out, uint32_t number, struct mlt_bytes bytes) {
    put_number(out, (uint64_t)number << 3 | MLT_PB_BYTES);
    put_number(out, bytes.len);
    mlt_buf_put_bytes(out, bytes);
}
