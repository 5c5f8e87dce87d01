#include "index/index.h"

#include <stdio.h>
#include <stdlib.h>

#include "index/private.h"
#include "index/runs.h"

// ---- removing ----

struct removal {
    struct mlt_env *env;
    const char *dir;
    enum mlt_status status;
    struct mlt_error *err;
};

static bool remove_file(void *arg, const char *name) {
    struct removal *r = arg;
    char path[MLT_PATH_MAX + 256];
    (void)snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    r->status = r->env->unlink(r->env, path, r->err);
    if (r->status == MLT_NOTFOUND) {
        r->status = MLT_OK;
    }
    return r->status == MLT_OK;
}

// The directory stays, empty: that is an index of nothing.
static enum mlt_status remove_files(struct mlt_env *env, const char *dir, struct mlt_error *err) {
    struct removal r = {.env = env, .dir = dir, .status = MLT_OK, .err = err};
    enum mlt_status status = env->list(env, dir, remove_file, &r, err);
    if (status == MLT_NOTFOUND) {
        return MLT_OK;
    }
    status = status != MLT_OK ? status : r.status;
    return status == MLT_OK ? status : mlt_context(err, status, "remove the index in %s", dir);
}

static enum mlt_status index_dir(char out[static MLT_PATH_MAX], const char *trail_dir, struct mlt_error *err) {
    int n = snprintf(out, MLT_PATH_MAX, "%s/index", trail_dir);
    return n >= 0 && n < MLT_PATH_MAX ? MLT_OK
                                      : mlt_fail(err, MLT_LIMIT, "the path %s is too long; at most %d bytes are taken",
                                                 trail_dir, MLT_PATH_MAX - 7);
}

enum mlt_status mlt_index_destroy(struct mlt_env *env, const char *trail_dir, struct mlt_error *err) {
    char dir[MLT_PATH_MAX];
    enum mlt_status status = index_dir(dir, trail_dir, err);
    return status != MLT_OK ? status : remove_files(env, dir, err);
}

// ---- opening ----

static bool is_erased(void *arg, uint64_t entry) {
    struct mlt_index *ix = arg;
    struct mlt_arena arena = {0};
    struct mlt_bytes sealed;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    bool erased = false;
    enum mlt_status ignored = mlt_trail_sealed(ix->trail, entry, &arena, &sealed, wrapped, &erased, NULL);
    (void)ignored; // an entry whose payload cannot be read is not known to be erased
    mlt_arena_clear(&arena);
    return erased;
}

static enum mlt_status open_lookup(struct mlt_index *ix, uint64_t size, const struct mlt_index_options *opt,
                                   struct mlt_error *err) {
    const char *origin = mlt_trail_origin(ix->trail);
    enum mlt_status status = mlt_lookup_open(&ix->lookup, ix->dir, origin, size, opt->read_only, err);
    if (status != MLT_CORRUPT && status != MLT_NOTFOUND && !(status == MLT_IO && opt->read_only)) {
        return status;
    }
    // Nothing is lost: everything in there is in the log as well.
    if (opt->progress != NULL) {
        opt->progress(opt->progress_arg, 0, size);
    }
    if (opt->read_only) {
        return mlt_lookup_open(&ix->lookup, NULL, origin, size, true, err);
    }
    status = remove_files(ix->env, ix->dir, err);
    return status != MLT_OK ? status : mlt_lookup_open(&ix->lookup, ix->dir, origin, size, false, err);
}

static enum mlt_status make_dir(struct mlt_index *ix, struct mlt_error *err) {
    enum mlt_status status = ix->env->mkdir(ix->env, ix->dir, false, err);
    return status == MLT_CONFLICT ? MLT_OK : status;
}

enum mlt_status mlt_index_open(struct mlt_index **out, struct mlt_trail *trail, const struct mlt_index_options *opt,
                               struct mlt_error *err) {
    static const struct mlt_index_options defaults = {.read_only = false};
    *out = NULL;
    opt = opt != NULL ? opt : &defaults;
    if (mlt_trail_is_raw(trail)) {
        return mlt_fail(err, MLT_INVALID,
                        "the trail was made with --raw: its entries are no records and have no index");
    }
    struct mlt_index *ix = calloc(1, sizeof(*ix));
    if (ix == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    ix->trail = trail;
    ix->env = mlt_trail_env(trail);
    struct mlt_head head;
    mlt_trail_head(trail, &head);
    enum mlt_status status = index_dir(ix->dir, mlt_trail_dir(trail), err);
    if (status == MLT_OK && !opt->read_only) {
        status = make_dir(ix, err);
    }
    if (status == MLT_OK) {
        status = open_lookup(ix, head.size, opt, err);
    }
    if (status == MLT_OK) {
        ix->lookup->erased = is_erased;
        ix->lookup->erased_arg = ix;
        status = mlt_index_reload(ix, head.size, opt, err);
    }
    if (status != MLT_OK) {
        enum mlt_status ignored = mlt_lookup_close(ix->lookup, false, NULL);
        (void)ignored; // the first failure is the one to report
        free(ix);
        return status;
    }
    *out = ix;
    return MLT_OK;
}

enum mlt_status mlt_index_close(struct mlt_index *ix, struct mlt_error *err) {
    if (ix == NULL) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_lookup_close(ix->lookup, true, err);
    free(ix);
    return status;
}

// ---- the writer's side ----

static enum mlt_status admit(void *ctx, const struct mlt_draft *draft, uint64_t index, enum mlt_added *added,
                             uint64_t *first, struct mlt_error *err) {
    struct mlt_index *ix = ctx;
    bool duplicate;
    enum mlt_status status = mlt_lookup_admit(ix->lookup, draft, index, &duplicate, first, err);
    *added = duplicate ? MLT_ADDED_DUPLICATE : MLT_ADDED_NEW;
    return status;
}

static void dropped(void *ctx, uint64_t size) {
    struct mlt_index *ix = ctx;
    mlt_lookup_dropped(ix->lookup, size);
}

static enum mlt_status added(void *ctx, const struct mlt_draft *const *drafts, size_t n, uint64_t first,
                             struct mlt_error *err) {
    struct mlt_index *ix = ctx;
    return mlt_lookup_added(ix->lookup, drafts, n, first, err);
}

struct mlt_admission mlt_index_admission(struct mlt_index *ix) {
    return (struct mlt_admission){ix, admit, dropped, added};
}

void mlt_index_get_stats(struct mlt_index *ix, struct mlt_index_stats *out) {
    struct mlt_lookup *lk = ix->lookup;
    pthread_rwlock_rdlock(&lk->lock);
    out->watermark = lk->watermark;
    out->in_memory = lk->end - lk->watermark;
    pthread_rwlock_unlock(&lk->lock);
    out->runs = lk->runs == NULL ? 0 : mlt_runs_count(lk->runs, MLT_RUN_NAMES);
    out->lists = lk->runs == NULL ? 0 : mlt_runs_count(lk->runs, MLT_RUN_LISTS);
}
