#include "server/segmenting.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/wait.h"
#include "record/segment.h"
#include "server/api_state.h"

#define LOOK_S 1      // how often the size is looked at
#define TROUBLE_S 60  // after a failure: a full disk or damage is not better in a second
#define BACKGROUND 10 // niceness: whoever appends goes first

struct mlt_segmenting {
    struct mlt_api *api;
    struct mlt_segments *segments;
    bool running;
    pthread_t thread;
    pthread_mutex_t lock; // of what follows
    pthread_cond_t wake;
    bool stop;
    bool learned;
};

static enum mlt_status commit(void *ctx, const struct mlt_segment *segment, uint64_t *entry, struct mlt_error *err) {
    struct mlt_segmenting *g = ctx;
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, g->api, "control");
    mlt_segment_write(&w, segment);
    return mlt_own_end(&w, &text, g->api, entry, err);
}

// One page of the commitments that the index knows, from entry `*from` on.
static enum mlt_status learn_page(struct mlt_segmenting *g, const struct mlt_source *src, uint64_t *found,
                                  uint64_t *from, bool *more, struct mlt_error *err) {
    struct mlt_term term;
    const struct mlt_bytes value = mlt_str("segment");
    size_t num = 0;
    mlt_term_make(&term, src->index_key, MLT_DIM_CONTROL, &value, 1);
    enum mlt_status status =
        src->find(src->ctx, &term, 1, *from, false, MLT_FIND_PAGE_MAX, found, &num, NULL, more, err);
    struct mlt_arena arena = {0};
    for (size_t i = 0; i < num && status == MLT_OK; i++) {
        struct mlt_bytes bytes;
        struct mlt_error ignored;
        status = mlt_trail_entry(g->api->trail, found[i], &arena, &bytes, err);
        if (status == MLT_OK) {
            // One that does not read is no commitment: verify reports it, and nothing can be proved by it.
            enum mlt_status learned = mlt_segments_learn(g->segments, found[i], bytes, &ignored);
            status = learned == MLT_NOMEM ? mlt_fail(err, learned, "%s", ignored.text) : MLT_OK;
        }
        mlt_arena_reset(&arena);
    }
    mlt_arena_clear(&arena);
    *more = *more && num > 0;
    *from = num > 0 ? found[num - 1] + 1 : *from;
    return status;
}

static enum mlt_status learn(struct mlt_segmenting *g, struct mlt_error *err) {
    struct mlt_head head;
    struct mlt_source src;
    uint64_t from = 0;
    bool more = true;
    mlt_trail_head(g->api->trail, &head);
    uint64_t *found = malloc(MLT_FIND_PAGE_MAX * sizeof(*found));
    if (!found) {
        return mlt_fail(err, MLT_NOMEM, "no memory to look for segments");
    }
    enum mlt_status status = mlt_index_source(g->api->index, head.size, false, &src, err);
    if (status == MLT_OK) {
        while (more && status == MLT_OK) {
            status = learn_page(g, &src, found, &from, &more, err);
        }
        mlt_index_source_clear(&src);
    }
    free(found);
    return status;
}

enum mlt_status mlt_segmenting_segments(struct mlt_segmenting *g, struct mlt_segments **out, struct mlt_error *err) {
    *out = g->segments;
    pthread_mutex_lock(&g->lock);
    enum mlt_status status = g->learned ? MLT_OK : learn(g, err);
    g->learned = status == MLT_OK;
    pthread_mutex_unlock(&g->lock);
    return status;
}

uint64_t mlt_segmenting_covered(struct mlt_segmenting *g) {
    return mlt_segments_covered(g->segments);
}

// What the entries do not agree with is recorded: whoever reads the log learns of it, not the operator alone. False: it
// could not be, as on a full disk.
static bool record_damage(struct mlt_segmenting *g, const struct mlt_error *found) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, g->api, "control");
    mlt_jw_member(&w, "control", "damage");
    mlt_jw_member(&w, "name", "links");
    mlt_jw_member(&w, "value", found->text);
    struct mlt_error ignored;
    return mlt_own_end(&w, &text, g->api, NULL, &ignored) == MLT_OK;
}

// One piece of work; says how long to wait before the next.
static int work(struct mlt_segmenting *g, struct mlt_error *last_damage) {
    struct mlt_segments *segments;
    struct mlt_error err = {0};
    bool more = false;
    enum mlt_status status = mlt_segmenting_segments(g, &segments, &err);
    if (status == MLT_OK) {
        status = mlt_segments_step(segments, &more, &err);
    }
    if (status == MLT_CORRUPT && strcmp(err.text, last_damage->text) != 0 && record_damage(g, &err)) {
        *last_damage = err;
    }
    if (status == MLT_OK || status == MLT_BUSY) {
        return status == MLT_OK && more ? 0 : LOOK_S;
    }
    return TROUBLE_S;
}

static void *run(void *arg) {
    struct mlt_segmenting *g = arg;
    struct mlt_error last_damage = {0};
    (void)setpriority(PRIO_PROCESS, 0, BACKGROUND); // of this thread; elsewhere it may stay as it was
    pthread_mutex_lock(&g->lock);
    while (!g->stop) {
        pthread_mutex_unlock(&g->lock);
        int wait = work(g, &last_damage);
        pthread_mutex_lock(&g->lock);
        const int64_t until = mlt_wait_now() + wait * MLT_NS_PER_S;
        while (wait > 0 && !g->stop && mlt_wait_until(&g->wake, &g->lock, until)) {
        }
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

enum mlt_status mlt_segmenting_start(struct mlt_segmenting **out, struct mlt_api *api,
                                     const struct mlt_api_options *opt, struct mlt_error *err) {
    *out = NULL;
    struct mlt_segmenting *g = calloc(1, sizeof(*g));
    if (!g) {
        return mlt_fail(err, MLT_NOMEM, "no memory for segments");
    }
    g->api = api;
    const struct mlt_segments_options options = {
        .trail = api->trail, .entries = opt->segment_entries, .commit = api->read_only ? NULL : commit, .ctx = g};
    enum mlt_status status = mlt_segments_open(&g->segments, &options, err);
    if (status != MLT_OK) {
        free(g);
        return status;
    }
    if (pthread_mutex_init(&g->lock, NULL) != 0 || !mlt_wait_init(&g->wake)) {
        mlt_segments_close(g->segments);
        free(g);
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    *out = g;
    if (opt->segments && !api->read_only) {
        int rc = pthread_create(&g->thread, NULL, run, g);
        g->running = rc == 0;
        status = rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    return status;
}

void mlt_segmenting_stop(struct mlt_segmenting *g) {
    if (!g) {
        return;
    }
    if (g->running) {
        pthread_mutex_lock(&g->lock);
        g->stop = true;
        pthread_cond_signal(&g->wake);
        pthread_mutex_unlock(&g->lock);
        mlt_segments_stop(g->segments);
        pthread_join(g->thread, NULL);
    }
    mlt_segments_close(g->segments);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
