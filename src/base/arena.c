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

static struct mlt_arena_block *new_block(struct mlt_arena *arena, size_t cap) {
    struct mlt_arena_block *block = arena->spare;
    if (cap == ARENA_BLOCK_LEN && block) {
        arena->spare = block->next;
        return block;
    }
    return malloc(sizeof(*block) + cap);
}

static struct mlt_arena_block *arena_grow(struct mlt_arena *arena, size_t len) {
    size_t cap = len > ARENA_BLOCK_LEN ? len : ARENA_BLOCK_LEN;
    struct mlt_arena_block *block = new_block(arena, cap);
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
        arena->failed = true;
        return NULL;
    }
    // A request for nothing still gets an address of its own, so that NULL always means "no memory".
    size_t rounded = (len + !len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct mlt_arena_block *block = arena->blocks;
    if (!block || block->cap - block->len < rounded) {
        block = arena_grow(arena, rounded);
        if (!block) {
            arena->failed = true;
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
    char *taken = mlt_arena_take(arena, b.len < SIZE_MAX ? b.len + 1 : SIZE_MAX);
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

static void free_blocks(struct mlt_arena_block *block) {
    while (block) {
        struct mlt_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

// Moves ordinary blocks from `from` to `*kept` while there is room, and frees the others.
static void keep_blocks(struct mlt_arena_block **kept, size_t *room, struct mlt_arena_block *from) {
    while (from) {
        struct mlt_arena_block *next = from->next;
        if (is_ordinary(from) && from->cap <= *room) {
            *room -= from->cap;
            from->len = 0;
            from->next = *kept;
            *kept = from;
        } else {
            free(from);
        }
        from = next;
    }
}

void mlt_arena_recycle(struct mlt_arena *arena, size_t keep) {
    struct mlt_arena_block *kept = NULL;
    keep_blocks(&kept, &keep, arena->spare);
    keep_blocks(&kept, &keep, arena->blocks);
    *arena = (struct mlt_arena){.spare = kept};
}

void mlt_arena_reset(struct mlt_arena *arena) {
    mlt_arena_recycle(arena, ARENA_BLOCK_LEN);
    *arena = (struct mlt_arena){.blocks = arena->spare}; // one block, or none
}

void mlt_arena_clear(struct mlt_arena *arena) {
    free_blocks(arena->blocks);
    free_blocks(arena->spare);
    *arena = (struct mlt_arena){0};
}
