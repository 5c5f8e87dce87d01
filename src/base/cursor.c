// The bounds-checked cursor, the one reader through which all decoding goes, and the order of slices.
#include "base/bytes.h"

int mlt_bytes_compare(struct mlt_bytes a, struct mlt_bytes b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

struct mlt_cursor mlt_cursor_of(struct mlt_bytes b) {
    // An empty slice may have no address; both ends are then NULL, which subtracts to zero but takes no offset.
    return (struct mlt_cursor){b.ptr, b.len > 0 ? b.ptr + b.len : b.ptr, false};
}

struct mlt_bytes mlt_cursor_take(struct mlt_cursor *c, size_t len) {
    if (len > mlt_cursor_left(c)) {
        c->failed = true;
    }
    if (c->failed) {
        return (struct mlt_bytes){NULL, 0};
    }
    struct mlt_bytes taken = {c->at, len};
    if (len > 0) {
        c->at += len;
    }
    return taken;
}

bool mlt_cursor_copy(struct mlt_cursor *c, void *out, size_t len) {
    struct mlt_bytes taken = mlt_cursor_take(c, len);
    if (len == 0) {
        return !c->failed;
    }
    if (c->failed) {
        memset(out, 0, len);
        return false;
    }
    memcpy(out, taken.ptr, len);
    return true;
}

uint16_t mlt_cursor_u16be(struct mlt_cursor *c) {
    uint8_t b[2];
    (void)mlt_cursor_copy(c, b, sizeof(b));
    return mlt_load_u16be(b);
}

uint32_t mlt_cursor_u32be(struct mlt_cursor *c) {
    uint8_t b[4];
    (void)mlt_cursor_copy(c, b, sizeof(b));
    return mlt_load_u32be(b);
}

uint64_t mlt_cursor_u64be(struct mlt_cursor *c) {
    uint8_t b[8];
    (void)mlt_cursor_copy(c, b, sizeof(b));
    return mlt_load_u64be(b);
}

struct mlt_bytes mlt_cursor_line(struct mlt_cursor *c) {
    size_t left = mlt_cursor_left(c);
    const uint8_t *end = left > 0 ? memchr(c->at, '\n', left) : NULL;
    if (!end) {
        c->failed = true;
        return (struct mlt_bytes){NULL, 0};
    }
    struct mlt_bytes line = {c->at, (size_t)(end - c->at)};
    c->at = end + 1;
    return line;
}
