// Tile coordinates and their paths (C2SP tlog-tiles, "Merkle Tree" and "Log Entries").
#include <assert.h>
#include <stdio.h>

#include "merkle/merkle.h"

#define TILE_LEVEL_MAX 63 // what the format allows; trees of 2^62 leaves reach level 7

unsigned mlt_tile_width(uint64_t size, unsigned level, uint64_t number) {
    uint64_t num_hashes = level < MLT_TILE_LEVELS ? size >> (MLT_TILE_HEIGHT * level) : 0;
    uint64_t num_full = num_hashes / MLT_TILE_WIDTH;
    if (number < num_full) {
        return MLT_TILE_WIDTH;
    }
    return number == num_full ? (unsigned)(num_hashes % MLT_TILE_WIDTH) : 0;
}

static bool skip_prefix(struct mlt_bytes *text, const char *prefix) {
    size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->ptr, prefix, len) != 0) {
        return false;
    }
    text->ptr += len;
    text->len -= len;
    return true;
}

// Takes a canonical decimal number of at most `max` from the front.
static bool take_decimal(struct mlt_bytes *text, uint64_t max, unsigned *out) {
    size_t len = 0;
    while (len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9') {
        len++;
    }
    uint64_t v;
    if (!mlt_decimal_decode(&v, mlt_bytes_of(text->ptr, len)) || v > max) {
        return false;
    }
    *out = (unsigned)v;
    text->ptr += len;
    text->len -= len;
    return true;
}

// Takes "x001/x234/067": groups of three digits, all but the last marked with an x, the first not zero when marked.
static bool take_number(struct mlt_bytes *text, uint64_t *out) {
    uint64_t v = 0;
    for (bool first = true;; first = false) {
        bool more = skip_prefix(text, "x");
        if (text->len < 3) {
            return false;
        }
        unsigned group = 0;
        for (size_t i = 0; i < 3; i++) {
            unsigned digit = (unsigned)text->ptr[i] - '0';
            if (digit > 9) {
                return false;
            }
            group = group * 10 + digit;
        }
        if ((first && more && group == 0) || v > (UINT64_MAX - group) / 1000) {
            return false;
        }
        v = v * 1000 + group;
        text->ptr += 3;
        text->len -= 3;
        if (!more) {
            *out = v;
            return true;
        }
        if (!skip_prefix(text, "/")) {
            return false;
        }
    }
}

bool mlt_tile_path_parse(struct mlt_tile_id *out, struct mlt_bytes path) {
    struct mlt_tile_id id = {.width = MLT_TILE_WIDTH};
    if (!skip_prefix(&path, "tile/")) {
        return false;
    }
    id.entries = skip_prefix(&path, "entries/");
    if (!id.entries && (!take_decimal(&path, TILE_LEVEL_MAX, &id.level) || !skip_prefix(&path, "/"))) {
        return false;
    }
    if (!take_number(&path, &id.number)) {
        return false;
    }
    if (skip_prefix(&path, ".p/") && (!take_decimal(&path, MLT_TILE_WIDTH - 1, &id.width) || id.width == 0)) {
        return false;
    }
    if (path.len > 0) {
        return false;
    }
    *out = id;
    return true;
}

void mlt_tile_path_format(char out[static MLT_TILE_PATH_MAX], const struct mlt_tile_id *id) {
    assert(id->width >= 1 && id->width <= MLT_TILE_WIDTH && id->level <= TILE_LEVEL_MAX);
    // The longest, "tile/entries/" with 2^64 - 1 and ".p/255", has 53 characters.
    char *end = out + MLT_TILE_PATH_MAX;
    char *at = out;
    if (id->entries) {
        at += snprintf(at, (size_t)(end - at), "tile/entries/");
    } else {
        at += snprintf(at, (size_t)(end - at), "tile/%u/", id->level);
    }
    uint64_t unit = 1;
    while (id->number / unit >= 1000) {
        unit *= 1000; // at most 10^18
    }
    for (; unit > 1; unit /= 1000) {
        at += snprintf(at, (size_t)(end - at), "x%03u/", (unsigned)(id->number / unit % 1000));
    }
    at += snprintf(at, (size_t)(end - at), "%03u", (unsigned)(id->number % 1000));
    if (id->width < MLT_TILE_WIDTH) {
        (void)snprintf(at, (size_t)(end - at), ".p/%u", id->width);
    }
}
