// Byte slices, growable buffers, the bounds-checked cursor through which all decoding goes, and arenas.
#ifndef MLT_BASE_BYTES_H
#define MLT_BASE_BYTES_H

#include <string.h>

#include "base/status.h"

// A borrowed slice. `ptr` may be NULL only when `len` is 0.
struct mlt_bytes {
    const uint8_t *ptr;
    size_t len;
};

static inline struct mlt_bytes mlt_bytes_of(const void *ptr, size_t len) {
    return (struct mlt_bytes){ptr, len};
}
// mlt_str borrows a C string without its terminator.
static inline struct mlt_bytes mlt_str(const char *s) {
    return (struct mlt_bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}
static inline bool mlt_bytes_equal(struct mlt_bytes a, struct mlt_bytes b) {
    return a.len == b.len && (a.len == 0 || (a.ptr && b.ptr && memcmp(a.ptr, b.ptr, a.len) == 0));
}
// mlt_bytes_compare orders bytewise, a prefix before the longer one; <0, 0, >0.
int mlt_bytes_compare(struct mlt_bytes a, struct mlt_bytes b);
static inline bool mlt_bytes_is(struct mlt_bytes a, const char *s) {
    return mlt_bytes_equal(a, mlt_str(s));
}
// mlt_bytes_all: is every byte `value`? The first one decides nearly always.
static inline bool mlt_bytes_all(struct mlt_bytes b, uint8_t value) {
    return b.len == 0 || (b.ptr[0] == value && memcmp(b.ptr, b.ptr + 1, b.len - 1) == 0);
}
// For printf("%.*s", MLT_ARG(b)).
#define MLT_ARG(b) (int)(b).len, (const char *)(b).ptr

// A growable buffer that owns its memory. Zero-initialised is a valid empty buffer.
// A failed allocation sets `failed`, which sticks: later puts do nothing. Check once at the end.
struct mlt_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed;
};

void mlt_buf_clear(struct mlt_buf *buf); // frees; NULL and zero accepted
void mlt_buf_reset(struct mlt_buf *buf); // len = 0, keeps the memory, clears `failed`
bool mlt_buf_reserve(struct mlt_buf *buf, size_t more);
void mlt_buf_put(struct mlt_buf *buf, const void *ptr, size_t len);
void mlt_buf_put_bytes(struct mlt_buf *buf, struct mlt_bytes b);
void mlt_buf_put_str(struct mlt_buf *buf, const char *s);
void mlt_buf_put_u8(struct mlt_buf *buf, uint8_t v);
void mlt_buf_put_u16be(struct mlt_buf *buf, uint16_t v);
void mlt_buf_put_u32be(struct mlt_buf *buf, uint32_t v);
void mlt_buf_put_u64be(struct mlt_buf *buf, uint64_t v);
void mlt_buf_printf(struct mlt_buf *buf, const char *fmt, ...) MLT_PRINTF(2, 3);
void mlt_buf_put_u64_decimal(struct mlt_buf *buf, uint64_t v);
void mlt_buf_put_hex(struct mlt_buf *buf, struct mlt_bytes b);
void mlt_buf_put_base64(struct mlt_buf *buf, struct mlt_bytes b);
static inline struct mlt_bytes mlt_buf_bytes(const struct mlt_buf *buf) {
    return (struct mlt_bytes){buf->data, buf->len};
}
// mlt_buf_cstr appends a terminator without counting it and returns the text; NULL if the buffer failed.
const char *mlt_buf_cstr(struct mlt_buf *buf);

// The cursor advances or fails; once it failed it stays failed and gives zeros.
struct mlt_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};
struct mlt_cursor mlt_cursor_of(struct mlt_bytes b);
static inline size_t mlt_cursor_left(const struct mlt_cursor *c) {
    return c->failed ? 0 : (size_t)(c->end - c->at);
}
static inline uint8_t mlt_cursor_u8(struct mlt_cursor *c) { // inline: times are read a byte at a time
    if (c->failed || c->at == c->end) {
        c->failed = true;
        return 0;
    }
    return *c->at++;
}
uint16_t mlt_cursor_u16be(struct mlt_cursor *c);
uint32_t mlt_cursor_u32be(struct mlt_cursor *c);
uint64_t mlt_cursor_u64be(struct mlt_cursor *c);
struct mlt_bytes mlt_cursor_take(struct mlt_cursor *c, size_t len);
bool mlt_cursor_copy(struct mlt_cursor *c, void *out, size_t len);
// mlt_cursor_line takes up to the next '\n' (not included, but consumed). Fails when there is none.
struct mlt_bytes mlt_cursor_line(struct mlt_cursor *c);

// Fixed-width integers in and out of memory, big-endian.
static inline void mlt_store_u16be(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void mlt_store_u32be(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
static inline void mlt_store_u64be(uint8_t *p, uint64_t v) {
    mlt_store_u32be(p, (uint32_t)(v >> 32));
    mlt_store_u32be(p + 4, (uint32_t)v);
}
static inline uint16_t mlt_load_u16be(const uint8_t *p) {
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}
static inline uint32_t mlt_load_u32be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t mlt_load_u64be(const uint8_t *p) {
    return (uint64_t)mlt_load_u32be(p) << 32 | mlt_load_u32be(p + 4);
}

// Text forms. Decoders accept exactly the canonical form (base64: standard alphabet, padded, no stray bits; hex: lower
// case).
void mlt_hex_encode(char *out, struct mlt_bytes b);                       // writes 2*len characters and a terminator
bool mlt_hex_decode(uint8_t *out, size_t out_len, struct mlt_bytes text); // text.len must be 2*out_len
size_t mlt_base64_encoded_len(size_t len);
void mlt_base64_encode(char *out, struct mlt_bytes b); // encoded_len characters and a terminator
// mlt_base64_decode writes at most `cap` bytes; false when malformed or too long.
bool mlt_base64_decode(uint8_t *out, size_t cap, size_t *out_len, struct mlt_bytes text);
// mlt_text_copy makes a C string; false when `text` does not fit or has a NUL in it.
bool mlt_text_copy(char *out, size_t cap, struct mlt_bytes text);
// mlt_decimal_decode accepts "0" or digits without a leading zero, up to UINT64_MAX.
bool mlt_decimal_decode(uint64_t *out, struct mlt_bytes text);
// mlt_percent_byte: `text` has a percent sign and two hexadecimal digits, of either case, at `at`; the byte they stand
// for.
bool mlt_percent_byte(uint8_t *out, struct mlt_bytes text, size_t at);
// mlt_utf8_valid accepts exactly the well-formed sequences of Unicode table 3-7 (no surrogates, no overlongs).
bool mlt_utf8_valid(struct mlt_bytes b);

// An arena: many small allocations, freed together. Zero-initialised is a valid empty arena.
// Returns NULL when memory is out. Memory is aligned for any type and not cleared unless said.
struct mlt_arena {
    struct mlt_arena_block *blocks;
    size_t used;                   // bytes handed out, for limits
    struct mlt_arena_block *spare; // empty blocks that mlt_arena_recycle kept
    bool failed;                   // something was not given, since the last reset: for who checks once at the end
};
void *mlt_arena_take(struct mlt_arena *arena, size_t len);
void *mlt_arena_zero(struct mlt_arena *arena, size_t len);
struct mlt_bytes mlt_arena_copy(struct mlt_arena *arena, struct mlt_bytes b); // ptr NULL and len 0 when memory is out
char *mlt_arena_cstr(struct mlt_arena *arena, struct mlt_bytes b);
char *mlt_arena_printf(struct mlt_arena *arena, const char *fmt, ...) MLT_PRINTF(2, 3);
void mlt_arena_reset(struct mlt_arena *arena); // keeps one block
// mlt_arena_recycle is reset for an arena that is filled again at once: it keeps blocks of up to `keep` bytes together.
void mlt_arena_recycle(struct mlt_arena *arena, size_t keep);
void mlt_arena_clear(struct mlt_arena *arena); // frees all

#endif
