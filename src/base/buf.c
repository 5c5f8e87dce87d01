// The growable buffer, the one writer through which all encoding goes.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

// The first allocation: most texts fit, and growth by doubling starts from something useful.
#define BUF_FIRST_CAP 256

void mlt_buf_clear(struct mlt_buf *buf) {
    if (buf) {
        free(buf->data);
        *buf = (struct mlt_buf){0};
    }
}

void mlt_buf_reset(struct mlt_buf *buf) {
    buf->len = 0;
    buf->failed = false;
}

bool mlt_buf_reserve(struct mlt_buf *buf, size_t more) {
    assert(buf->len <= buf->cap);
    if (buf->failed) {
        return false;
    }
    if (more <= buf->cap - buf->len) {
        return true;
    }
    if (more > SIZE_MAX / 2 - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAP;
    while (cap < buf->len + more) {
        cap *= 2; // cannot overflow: len + more is at most SIZE_MAX / 2
    }
    uint8_t *data = realloc(buf->data, cap);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void mlt_buf_put(struct mlt_buf *buf, const void *ptr, size_t len) {
    if (len > 0 && mlt_buf_reserve(buf, len)) {
        memcpy(buf->data + buf->len, ptr, len);
        buf->len += len;
    }
}

void mlt_buf_put_bytes(struct mlt_buf *buf, struct mlt_bytes b) {
    mlt_buf_put(buf, b.ptr, b.len);
}

void mlt_buf_put_str(struct mlt_buf *buf, const char *s) {
    mlt_buf_put_bytes(buf, mlt_str(s));
}

void mlt_buf_put_u8(struct mlt_buf *buf, uint8_t v) {
    mlt_buf_put(buf, &v, 1);
}

void mlt_buf_put_u16be(struct mlt_buf *buf, uint16_t v) {
    uint8_t b[2];
    mlt_store_u16be(b, v);
    mlt_buf_put(buf, b, sizeof(b));
}

void mlt_buf_put_u32be(struct mlt_buf *buf, uint32_t v) {
    uint8_t b[4];
    mlt_store_u32be(b, v);
    mlt_buf_put(buf, b, sizeof(b));
}

void mlt_buf_put_u64be(struct mlt_buf *buf, uint64_t v) {
    uint8_t b[8];
    mlt_store_u64be(b, v);
    mlt_buf_put(buf, b, sizeof(b));
}

void mlt_buf_printf(struct mlt_buf *buf, const char *fmt, ...) {
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
    } else if (mlt_buf_reserve(buf, (size_t)len + 1)) {
        (void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void mlt_buf_put_u64_decimal(struct mlt_buf *buf, uint64_t v) {
    uint8_t digits[20]; // 2^64 - 1 has 20
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    mlt_buf_put(buf, digits + at, sizeof(digits) - at);
}

void mlt_buf_put_hex(struct mlt_buf *buf, struct mlt_bytes b) {
    if (b.len > SIZE_MAX / 4) {
        buf->failed = true;
    } else if (mlt_buf_reserve(buf, 2 * b.len + 1)) {
        mlt_hex_encode((char *)buf->data + buf->len, b);
        buf->len += 2 * b.len;
    }
}

void mlt_buf_put_base64(struct mlt_buf *buf, struct mlt_bytes b) {
    if (b.len > SIZE_MAX / 4) {
        buf->failed = true;
    } else if (mlt_buf_reserve(buf, mlt_base64_encoded_len(b.len) + 1)) {
        mlt_base64_encode((char *)buf->data + buf->len, b);
        buf->len += mlt_base64_encoded_len(b.len);
    }
}

const char *mlt_buf_cstr(struct mlt_buf *buf) {
    if (!mlt_buf_reserve(buf, 1)) {
        return NULL;
    }
    buf->data[buf->len] = '\0';
    return (const char *)buf->data;
}
