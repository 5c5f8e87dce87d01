// Text forms of bytes and numbers, canonical only, and the check for well-formed UTF-8.
#include "base/bytes.h"

static const char HEX_DIGITS[] = "0123456789abcdef";
static const char BASE64_DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void mlt_hex_encode(char *out, struct mlt_bytes b) {
    for (size_t i = 0; i < b.len; i++) {
        out[2 * i] = HEX_DIGITS[b.ptr[i] >> 4];
        out[2 * i + 1] = HEX_DIGITS[b.ptr[i] & 15];
    }
    out[2 * b.len] = '\0';
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

bool mlt_hex_decode(uint8_t *out, size_t out_len, struct mlt_bytes text) {
    if (text.len % 2 != 0 || text.len / 2 != out_len) {
        return false;
    }
    for (size_t i = 0; i < out_len; i++) {
        int high = hex_value(text.ptr[2 * i]);
        int low = hex_value(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool mlt_percent_byte(uint8_t *out, struct mlt_bytes text, size_t at) {
    if (text.len < 3 || at > text.len - 3 || text.ptr[at] != '%') {
        return false;
    }
    uint8_t digits[2];
    for (size_t i = 0; i < sizeof(digits); i++) {
        uint8_t c = text.ptr[at + 1 + i];
        digits[i] = c >= 'A' && c <= 'F' ? (uint8_t)(c | 0x20) : c;
    }
    return mlt_hex_decode(out, 1, mlt_bytes_of(digits, sizeof(digits)));
}

size_t mlt_base64_encoded_len(size_t len) {
    return len / 3 * 4 + (len % 3 != 0 ? 4 : 0);
}

void mlt_base64_encode(char *out, struct mlt_bytes b) {
    size_t i = 0;
    for (; b.len - i >= 3; i += 3) {
        uint32_t v = (uint32_t)b.ptr[i] << 16 | (uint32_t)b.ptr[i + 1] << 8 | b.ptr[i + 2];
        *out++ = BASE64_DIGITS[v >> 18];
        *out++ = BASE64_DIGITS[v >> 12 & 63];
        *out++ = BASE64_DIGITS[v >> 6 & 63];
        *out++ = BASE64_DIGITS[v & 63];
    }
    if (b.len - i > 0) {
        bool two = b.len - i == 2;
        uint32_t v = (uint32_t)b.ptr[i] << 16 | (two ? (uint32_t)b.ptr[i + 1] << 8 : 0);
        *out++ = BASE64_DIGITS[v >> 18];
        *out++ = BASE64_DIGITS[v >> 12 & 63];
        *out++ = (char)(two ? BASE64_DIGITS[v >> 6 & 63] : '=');
        *out++ = '=';
    }
    *out = '\0';
}

// By character: the digit plus one, zero: no digit. A table, since commitments are decoded once per payload member.
static const uint8_t BASE64_VALUES[256] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  63, 0,  0,  0,  64, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 0,  0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,  0,  0,  0,  0,  0,  27, 28, 29, 30, 31, 32, 33,
    34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0,  0,  0,  0,  0,
};

static int base64_value(uint8_t c) {
    return (int)BASE64_VALUES[c] - 1;
}

// One group of four characters, of which the last `num_pads` are '='. The bits that padding leaves over must be zero,
// or two texts would stand for the same bytes.
static bool base64_group(uint8_t *out, const uint8_t in[static 4], size_t num_pads) {
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < 4 - num_pads ? base64_value(in[i]) : 0;
        if (digit < 0) {
            return false;
        }
        v = v << 6 | (uint32_t)digit;
    }
    if ((num_pads == 1 && (v & 0xff) != 0) || (num_pads == 2 && (v & 0xffff) != 0)) {
        return false;
    }
    for (size_t i = 0; i < 3 - num_pads; i++) {
        out[i] = (uint8_t)(v >> (16 - 8 * i));
    }
    return true;
}

bool mlt_base64_decode(uint8_t *out, size_t cap, size_t *out_len, struct mlt_bytes text) {
    *out_len = 0;
    if (text.len % 4 != 0) {
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    size_t num_pads = 0;
    if (text.ptr[text.len - 1] == '=') {
        num_pads = text.ptr[text.len - 2] == '=' ? 2 : 1;
    }
    size_t len = text.len / 4 * 3 - num_pads;
    if (len > cap) {
        return false;
    }
    for (size_t at = 0; at < text.len; at += 4) {
        bool last = text.len - at == 4;
        if (!base64_group(out + at / 4 * 3, text.ptr + at, last ? num_pads : 0)) {
            return false;
        }
    }
    *out_len = len;
    return true;
}

bool mlt_decimal_decode(uint64_t *out, struct mlt_bytes text) {
    *out = 0;
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0')) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.ptr[i] - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

static bool in_range(uint8_t b, uint8_t low, uint8_t high) {
    return b >= low && b <= high;
}

// The length of the well-formed sequence at `p` (`left` >= 1 bytes), 0 if there is none: Unicode 15 table 3-7.
static size_t utf8_sequence(const uint8_t *p, size_t left) {
    uint8_t lead = p[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t len = in_range(lead, 0xc2, 0xdf) ? 2 : in_range(lead, 0xe0, 0xef) ? 3 : in_range(lead, 0xf0, 0xf4) ? 4 : 0;
    if (len == 0 || left < len) {
        return 0;
    }
    // Only the second byte is ever restricted further: no overlong forms, no surrogates, nothing over U+10FFFF.
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (!in_range(p[1], low, high)) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (!in_range(p[i], 0x80, 0xbf)) {
            return 0;
        }
    }
    return len;
}

bool mlt_utf8_valid(struct mlt_bytes b) {
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    size_t at = 0;
    while (at < b.len) {
        // Eight at a time while it is ASCII, which nearly all of it is.
        if (b.len - at >= sizeof(high_bits) && (mlt_load_u64be(b.ptr + at) & high_bits) == 0) {
            at += sizeof(high_bits);
            continue;
        }
        size_t len = utf8_sequence(b.ptr + at, b.len - at);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

bool mlt_text_copy(char *out, size_t cap, struct mlt_bytes text) {
    if (text.len >= cap || (text.len > 0 && memchr(text.ptr, '\0', text.len))) {
        return false;
    }
    if (text.len > 0) {
        memcpy(out, text.ptr, text.len);
    }
    out[text.len] = '\0';
    return true;
}
