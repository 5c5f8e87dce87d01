// A ZIP writer that writes what it is told, right or wrong: stored members, in the order given.
#ifndef MLT_TESTS_LIB_RAWZIP_H
#define MLT_TESTS_LIB_RAWZIP_H

#include "base/bytes.h"

struct rawzip_member {
    const char *name;
    struct mlt_bytes data;
    uint16_t method, flags;
    uint32_t claimed_len;    // 0: the real one
    const char *local_name;  // NULL: the same
    struct mlt_bytes before; // bytes in front of the member
    struct mlt_bytes extra;  // extra field, in both places
    uint32_t attributes;
};

static inline void rawzip_u16(struct mlt_buf *out, unsigned v) {
    mlt_buf_put_u8(out, (uint8_t)v);
    mlt_buf_put_u8(out, (uint8_t)(v >> 8));
}
static inline void rawzip_u32(struct mlt_buf *out, uint32_t v) {
    rawzip_u16(out, v & 0xffff);
    rawzip_u16(out, v >> 16);
}
static inline uint32_t rawzip_crc(struct mlt_bytes b) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < b.len; i++) {
        crc ^= b.ptr[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}
static inline void rawzip_common(struct mlt_buf *out, const struct rawzip_member *m, const char *name) {
    rawzip_u16(out, 20);
    rawzip_u16(out, m->flags);
    rawzip_u16(out, m->method);
    rawzip_u32(out, 0x00210000);
    rawzip_u32(out, rawzip_crc(m->data));
    rawzip_u32(out, (uint32_t)m->data.len);
    rawzip_u32(out, m->claimed_len ? m->claimed_len : (uint32_t)m->data.len);
    rawzip_u16(out, (unsigned)strlen(name));
    rawzip_u16(out, (unsigned)m->extra.len);
}
static inline void rawzip_write(struct mlt_buf *out, const struct rawzip_member *members, size_t num,
                                const char *comment) {
    uint32_t at[64];
    const size_t start = out->len;
    for (size_t i = 0; i < num; i++) {
        const char *name = members[i].local_name ? members[i].local_name : members[i].name;
        mlt_buf_put_bytes(out, members[i].before);
        at[i] = (uint32_t)(out->len - start);
        mlt_buf_put_str(out, "PK\003\004");
        rawzip_common(out, &members[i], name);
        mlt_buf_put_str(out, name);
        mlt_buf_put_bytes(out, members[i].extra);
        mlt_buf_put_bytes(out, members[i].data);
    }
    const uint32_t directory = (uint32_t)(out->len - start);
    for (size_t i = 0; i < num; i++) {
        mlt_buf_put_str(out, "PK\001\002");
        rawzip_u16(out, 20);
        rawzip_common(out, &members[i], members[i].name);
        rawzip_u16(out, 0); // comment
        rawzip_u16(out, 0);
        rawzip_u16(out, 0);
        rawzip_u32(out, members[i].attributes);
        rawzip_u32(out, at[i]);
        mlt_buf_put_str(out, members[i].name);
        mlt_buf_put_bytes(out, members[i].extra);
    }
    const uint32_t length = (uint32_t)(out->len - start) - directory;
    mlt_buf_put_str(out, "PK\005\006");
    rawzip_u32(out, 0);
    rawzip_u16(out, (unsigned)num);
    rawzip_u16(out, (unsigned)num);
    rawzip_u32(out, length);
    rawzip_u32(out, directory);
    rawzip_u16(out, (unsigned)strlen(comment));
    mlt_buf_put_str(out, comment);
}

#endif
