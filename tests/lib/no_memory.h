// Memory that runs out at a chosen allocation. Included once in a program, which links with
// -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc.
#ifndef MLT_TESTS_LIB_NO_MEMORY_H
#define MLT_TESTS_LIB_NO_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__real_aligned_alloc(size_t align, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);

static atomic_long no_memory_countdown; // 0 and below: no allocation fails
static atomic_bool no_memory_happened;

// no_memory_at makes the nth allocation from now fail, of any thread.
static inline void no_memory_at(long n) {
    atomic_store(&no_memory_happened, false);
    atomic_store(&no_memory_countdown, n);
}

// no_memory_end lets all succeed again, and says whether one did fail.
static inline bool no_memory_end(void) {
    atomic_store(&no_memory_countdown, 0);
    return atomic_load(&no_memory_happened);
}

static bool fails(void) {
    if (atomic_load(&no_memory_countdown) <= 0 || atomic_fetch_sub(&no_memory_countdown, 1) != 1) {
        return false;
    }
    atomic_store(&no_memory_happened, true);
    return true;
}

void *__wrap_malloc(size_t len) {
    return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len) {
    return fails() ? NULL : __real_calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len) {
    return fails() ? NULL : __real_realloc(p, len);
}

void *__wrap_aligned_alloc(size_t align, size_t len) {
    return fails() ? NULL : __real_aligned_alloc(align, len);
}

#endif
