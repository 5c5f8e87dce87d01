// The API on the trail of segment_trail.h, for tests of what it does by itself.
#ifndef TEST_SEGMENT_API_H
#define TEST_SEGMENT_API_H

#include <time.h>

#include "segment_trail.h"
#include "server/api_state.h"

#define WAIT_S 20 // for a thread

// The API on the fixture's trail, which is closed meanwhile.
static inline struct mlt_api *open_api(struct fixture *f, struct mlt_api_options opt) {
    struct mlt_api *api = NULL;
    opt.trail = f->opt;
    mlt_segments_close(f->segments);
    f->segments = NULL;
    records_close(&f->records);
    OK(mlt_trail_close(f->trail, &f->err));
    OK(mlt_api_open(&api, f->env, &opt, &f->err));
    return api;
}

static inline void close_api(struct fixture *f, struct mlt_api *api) {
    OK(mlt_api_close(api, &f->err));
    OK(mlt_trail_open(&f->trail, f->env, &f->opt, &f->err));
    OK(mlt_trail_start(f->trail, NULL, &f->err));
    records_open(&f->records, f->env, mlt_trail_keys(f->trail));
}

// How many control entries say `what`, and which is the last.
static inline uint64_t count_control(struct fixture *f, struct mlt_api *api, const char *what, uint64_t *last) {
    struct mlt_head head;
    struct mlt_source src;
    struct mlt_term term;
    const struct mlt_bytes value = mlt_str(what);
    uint64_t found[1] = {0};
    uint64_t total = 0;
    size_t num = 0;
    bool more;
    mlt_trail_head(mlt_api_trail(api), &head);
    OK(mlt_index_source(api->index, head.size, false, &src, &f->err));
    mlt_term_make(&term, src.index_key, MLT_DIM_CONTROL, &value, 1);
    OK(src.find(src.ctx, &term, 1, UINT64_MAX, true, 1, found, &num, &total, &more, &f->err));
    mlt_index_source_clear(&src);
    *last = found[0];
    return total;
}

// Waits for the first control entry that says `what`, and gives its text, in the fixture's arena.
static inline const char *await_control(struct fixture *f, struct mlt_api *api, const char *what) {
    struct mlt_bytes bytes;
    uint64_t last = 0;
    for (int i = 0; count_control(f, api, what, &last) == 0; i++) {
        assert_in_range(i, 0, WAIT_S * 100);
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    OK(mlt_trail_entry(mlt_api_trail(api), last, &f->arena, &bytes, &f->err));
    const char *text = mlt_arena_cstr(&f->arena, bytes);
    assert_non_null(text);
    return text;
}

#endif
