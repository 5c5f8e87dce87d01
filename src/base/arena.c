// The arena: blocks in a list, the newest first; an allocation larger than a block gets one of its own size.
#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

// Room of an ordinary block: one request's small texts fit in a few, and an idle arena costs little.
#define ARENA_BLOCK_LEN ((size_t)16 * 1024)
#define ARENA_ALIGN alignof(max_align_t)

struct mlt_arena_block {
    struct mlt_arena_block *next;
    size_t len;
    size_t cap;
    alignas(max_align_t) uint8_t data[];
};

static struct mlt_arena_block *arena_grow(struct mlt_arena *arena, size_t len) {
    size_t cap = len > ARENA_BLOCK_LEN ? len : ARENA_BLOCK_LEN;
    struct mlt_arena_block *block = malloc(sizeof(*block) + cap);
    if (!block) {
        return NULL;
    }
    block->len = 0;
    block->cap = cap;
    // A block of its own goes behind the newest, whose room is then not lost.
    if (cap > ARENA_BLOCK_LEN && arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *mlt_arena_take(struct mlt_arena *arena, size_t len) {
    if (len > SIZE_MAX / 2) {
        return NULL;
    }
    // A request for nothing still gets an address of its own, so that NULL always means "no memory".
    size_t rounded = (len + !len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct mlt_arena_block *block = arena->blocks;
    if (!block || block->cap - block->len < rounded) {
        block = arena_grow(arena, rounded);
        if (!block) {
            return NULL;
        }
    }
    assert(block->cap - block->len >= rounded);
    void *taken = block->data + block->len;
    block->len += rounded;
    arena->used += rounded;
    return taken;
}

void *mlt_arena_zero(struct mlt_arena *arena, size_t len) {
    void *taken = mlt_arena_take(arena, len);
    if (taken) {
        memset(taken, 0, len);
    }
    return taken;
}

struct mlt_bytes mlt_arena_copy(struct mlt_arena *arena, struct mlt_bytes b) {
    uint8_t *taken = mlt_arena_take(arena, b.len);
    if (!taken) {
        return (struct mlt_bytes){NULL, 0};
    }
    if (b.len > 0) {
        memcpy(taken, b.ptr, b.len);
    }
    return (struct mlt_bytes){taken, b.len};
}

char *mlt_arena_cstr(struct mlt_arena *arena, struct mlt_bytes b) {
    char *taken = b.len < SIZE_MAX ? mlt_arena_take(arena, b.len + 1) : NULL;
    if (taken) {
        if (b.len > 0) {
            memcpy(taken, b.ptr, b.len);
        }
        taken[b.len] = '\0';
    }
    return taken;
}

char *mlt_arena_printf(struct mlt_arena *arena, const char *fmt, ...) {
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *taken = len < 0 ? NULL : mlt_arena_take(arena, (size_t)len + 1);
    if (taken) {
        (void)vsnprintf(taken, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return taken;
}

// Which block may stay: one large request must not pin its memory for the life of a connection.
static bool is_ordinary(const struct mlt_arena_block *block) {
    return block->cap == ARENA_BLOCK_LEN;
}

void mlt_arena_reset(struct mlt_arena *arena) {
    struct mlt_arena_block *kept = NULL;
    struct mlt_arena_block *next;
    for (struct mlt_arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        if (!kept && is_ordinary(block)) {
            kept = block;
        } else {
            free(block);
        }
    }
    if (kept) {
        kept->next = NULL;
        kept->len = 0;
    }
    arena->blocks = kept;
    arena->used = 0;
}

void mlt_arena_clear(struct mlt_arena *arena) {
    struct mlt_arena_block *block = arena->blocks;
    while (block) {
        struct mlt_arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct mlt_arena){0};
}
