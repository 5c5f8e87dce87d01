// A mirror as flat files: what a web server would serve as a log.
#include <stdio.h>

#include "base/env.h"
#include "monitor/mirror.h"

#define PATH_LEN_MAX (sizeof(((struct mlt_mirror_dir *)0)->dir) + MLT_TILE_PATH_MAX + 2)

enum mlt_status mlt_mirror_dir_init(struct mlt_mirror_dir *d, struct mlt_env *env, const char *dir,
                                    struct mlt_error *err) {
    d->env = env;
    int n = snprintf(d->dir, sizeof d->dir, "%s", dir);
    return n > 0 && (size_t)n < sizeof d->dir ? MLT_OK
                                              : mlt_fail(err, MLT_LIMIT, "the path of the mirror is empty or too long");
}

static enum mlt_status get(void *ctx, const char *path, size_t max, struct mlt_buf *out, struct mlt_error *err) {
    struct mlt_mirror_dir *d = ctx;
    char full[PATH_LEN_MAX];
    (void)snprintf(full, sizeof full, "%s/%s", d->dir, path);
    mlt_buf_reset(out);
    return mlt_env_read_file(d->env, full, max, out, err);
}

struct mlt_mirror_fetch mlt_mirror_dir_fetch(struct mlt_mirror_dir *d) {
    return (struct mlt_mirror_fetch){d, get};
}

static enum mlt_status make_parents(struct mlt_mirror_dir *d, char *full, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    for (char *slash = strchr(full + strlen(d->dir), '/'); slash && !st; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        st = mlt_env_make_dir(d->env, full, false, err);
        *slash = '/';
    }
    return st;
}

static bool is_write_once(const char *path) {
    return strncmp(path, "tile/", 5) == 0 && !strstr(path, ".p/");
}

enum mlt_status mlt_mirror_dir_keep(struct mlt_mirror_dir *d, const char *path, struct mlt_bytes bytes,
                                    struct mlt_error *err) {
    char full[PATH_LEN_MAX];
    struct mlt_buf there = {0};
    enum mlt_status st = MLT_NOTFOUND;
    (void)snprintf(full, sizeof full, "%s/%s", d->dir, path);
    if (is_write_once(path)) {
        st = mlt_env_read_file(d->env, full, MLT_BUNDLE_LEN_MAX, &there, NULL);
        if (!st && !mlt_bytes_equal(mlt_buf_bytes(&there), bytes)) {
            st = mlt_fail(err, MLT_CONFLICT, "%s is there already and differs from what is served now", full);
        }
        mlt_buf_clear(&there);
    }
    if (st == MLT_OK || st == MLT_CONFLICT) {
        return st;
    }
    st = make_parents(d, full, err);
    return st ? st : mlt_env_replace_file(d->env, full, bytes, false, err);
}
