#include "store/overlay.h"

#include <pthread.h>
#include <stdlib.h>

#define PAGE ((size_t)4096)

// A path, what was written to it, and how long that made it. Stays until the overlay goes.
struct node {
    struct node *next;
    char *path;
    bool in_base;
    bool changed; // else length and bytes are those of the base
    uint64_t len;
    uint64_t base_len;   // bytes from here on are zero unless written: truncation hides the base's
    uint64_t first_page; // of pages[0]
    size_t num_pages;
    uint8_t **pages; // NULL: as in the base
};

struct mlt_file {
    struct node *node;
    struct mlt_file *base; // NULL when only in memory
};

struct overlay {
    struct mlt_env env; // first: the table is what callers have
    struct mlt_env *base;
    pthread_mutex_t mu; // guards the nodes; one lock suffices, since hardly anybody writes
    struct node *nodes;
};

static struct overlay *overlay_of(struct mlt_env *env) {
    return (struct overlay *)env;
}

static enum mlt_status no_memory(struct mlt_error *err) {
    return mlt_fail(err, MLT_NOMEM, "no memory for what recovery would write");
}

static enum mlt_status refuse(struct mlt_error *err, const char *path) {
    return mlt_fail(err, MLT_DENIED, "%s: opened for reading only", path);
}

static struct node *find_node(struct overlay *o, const char *path) {
    struct node *n = o->nodes;
    while (n && strcmp(n->path, path) != 0) {
        n = n->next;
    }
    return n;
}

static struct node *add_node(struct overlay *o, const char *path) {
    struct node *n = calloc(1, sizeof(*n));
    char *copy = malloc(strlen(path) + 1);
    if (!n || !copy) {
        free(n);
        free(copy);
        return NULL;
    }
    memcpy(copy, path, strlen(path) + 1);
    n->path = copy;
    n->next = o->nodes;
    o->nodes = n;
    return n;
}

static enum mlt_status overlay_open(struct mlt_env *env, struct mlt_file **out, const char *path, unsigned flags,
                                    struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    struct mlt_file *f = calloc(1, sizeof(*f));
    enum mlt_status st = f ? MLT_OK : no_memory(err);
    *out = NULL;
    pthread_mutex_lock(&o->mu);
    if (!st) {
        f->node = find_node(o, path);
    }
    if (!st && (!f->node || f->node->in_base)) {
        st = o->base->open(o->base, &f->base, path, MLT_OPEN_READ, err);
        if (st == MLT_NOTFOUND && (flags & MLT_OPEN_CREATE)) {
            st = MLT_OK;
        }
    }
    if (!st && (flags & MLT_OPEN_EXCLUSIVE) && (f->node || f->base)) {
        st = mlt_fail(err, MLT_CONFLICT, "%s is there already", path);
    }
    if (!st && !f->node) {
        f->node = add_node(o, path);
        st = f->node ? MLT_OK : no_memory(err);
        if (!st) {
            f->node->in_base = f->base != NULL;
            f->node->changed = f->base == NULL;
        }
    }
    pthread_mutex_unlock(&o->mu);
    if (st && f) {
        if (f->base) {
            o->base->close(o->base, f->base);
        }
        free(f);
        return st;
    }
    *out = f;
    return st;
}

static void overlay_close(struct mlt_env *env, struct mlt_file *f) {
    struct overlay *o = overlay_of(env);
    if (f && f->base) {
        o->base->close(o->base, f->base);
    }
    free(f);
}

static enum mlt_status prepare_change(struct overlay *o, struct mlt_file *f, struct mlt_error *err) {
    if (f->node->changed) {
        return MLT_OK;
    }
    enum mlt_status st = o->base->size(o->base, f->base, &f->node->len, err);
    f->node->base_len = f->node->len;
    f->node->changed = !st;
    return st;
}

static uint8_t *page_of(const struct node *n, uint64_t number) {
    bool there = number >= n->first_page && number - n->first_page < n->num_pages;
    return there ? n->pages[number - n->first_page] : NULL;
}

// Reads one page as the overlay shows it; zeros beyond the base's content.
static enum mlt_status read_page(struct overlay *o, struct mlt_file *f, uint64_t number, uint8_t out[static PAGE],
                                 struct mlt_error *err) {
    const uint8_t *page = page_of(f->node, number);
    uint64_t at = number * PAGE;
    size_t got = 0;
    if (page) {
        memcpy(out, page, PAGE);
        return MLT_OK;
    }
    memset(out, 0, PAGE);
    if (!f->base || at >= f->node->base_len) {
        return MLT_OK;
    }
    uint64_t left = f->node->base_len - at;
    enum mlt_status st = o->base->read(o->base, f->base, out, PAGE, at, &got, err);
    if (!st && left < PAGE) {
        memset(out + left, 0, PAGE - (size_t)left);
    }
    return st;
}

// Makes room for a page in the vector, which begins at the lowest page written.
static bool reserve_page(struct node *n, uint64_t number) {
    if (n->num_pages == 0) {
        n->first_page = number;
    }
    size_t before = number < n->first_page ? (size_t)(n->first_page - number) : 0;
    size_t need = before ? before + n->num_pages : (size_t)(number - n->first_page) + 1;
    if (need <= n->num_pages) {
        return true;
    }
    uint8_t **grown = realloc(n->pages, need * sizeof(*grown));
    if (!grown) {
        return false;
    }
    memmove(grown + before, grown, n->num_pages * sizeof(*grown));
    size_t blank = before ? 0 : n->num_pages;
    size_t num_blank = need - n->num_pages;
    for (size_t i = 0; i < num_blank; i++) {
        grown[blank + i] = NULL;
    }
    n->pages = grown;
    n->num_pages = need;
    n->first_page -= before;
    return true;
}

static enum mlt_status write_page(struct overlay *o, struct mlt_file *f, uint64_t number, size_t within,
                                  const uint8_t *bytes, size_t len, struct mlt_error *err) {
    uint8_t *page = page_of(f->node, number);
    enum mlt_status st = MLT_OK;
    if (!page) {
        page = malloc(PAGE);
        if (!page || !reserve_page(f->node, number)) {
            free(page);
            return no_memory(err);
        }
        st = read_page(o, f, number, page, err);
        f->node->pages[number - f->node->first_page] = page;
    }
    memcpy(page + within, bytes, len);
    return st;
}

static enum mlt_status overlay_write(struct mlt_env *env, struct mlt_file *f, const void *buf, size_t len, uint64_t off,
                                     struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    const uint8_t *bytes = buf;
    pthread_mutex_lock(&o->mu);
    enum mlt_status st = prepare_change(o, f, err);
    while (len > 0 && !st) {
        size_t within = (size_t)(off % PAGE);
        size_t n = PAGE - within < len ? PAGE - within : len;
        st = write_page(o, f, off / PAGE, within, bytes, n, err);
        bytes += n;
        off += n;
        len -= n;
        f->node->len = f->node->len < off ? off : f->node->len;
    }
    pthread_mutex_unlock(&o->mu);
    return st;
}

// How much from `off` on is as in the base: all that lies before the first page written. Replaying a journal adds to
// the ends of files, so that this is nearly all of them.
static size_t len_from_base(const struct node *n, uint64_t off, size_t len) {
    if (!n->changed) {
        return len;
    }
    uint64_t end = n->num_pages > 0 && n->first_page * PAGE < n->base_len ? n->first_page * PAGE : n->base_len;
    return off >= end ? 0 : end - off < len ? (size_t)(end - off) : len;
}

static enum mlt_status read_changed(struct overlay *o, struct mlt_file *f, uint8_t *out, size_t len, uint64_t off,
                                    size_t *got, struct mlt_error *err) {
    uint8_t page[PAGE];
    enum mlt_status st = MLT_OK;
    pthread_mutex_lock(&o->mu);
    while (*got < len && off < f->node->len && !st) {
        size_t within = (size_t)(off % PAGE);
        size_t n = PAGE - within < len - *got ? PAGE - within : len - *got;
        n = f->node->len - off < n ? (size_t)(f->node->len - off) : n;
        st = read_page(o, f, off / PAGE, page, err);
        memcpy(out + *got, page + within, n);
        *got += n;
        off += n;
    }
    pthread_mutex_unlock(&o->mu);
    return st;
}

static enum mlt_status overlay_read(struct mlt_env *env, struct mlt_file *f, void *buf, size_t len, uint64_t off,
                                    size_t *got, struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    enum mlt_status st = MLT_OK;
    *got = 0;
    pthread_mutex_lock(&o->mu);
    bool changed = f->node->changed;
    size_t direct = f->base ? len_from_base(f->node, off, len) : 0;
    pthread_mutex_unlock(&o->mu);
    if (direct > 0) {
        st = o->base->read(o->base, f->base, buf, direct, off, got, err);
    }
    if (st || !changed || *got < direct || direct == len) {
        return st;
    }
    return read_changed(o, f, buf, len, off + direct, got, err);
}

static enum mlt_status overlay_nothing(struct mlt_env *env, struct mlt_file *f, struct mlt_error *err) {
    (void)env;
    (void)f;
    (void)err;
    return MLT_OK;
}

// What is only in memory is in no cache.
static enum mlt_status overlay_drop_cache(struct mlt_env *env, struct mlt_file *f, uint64_t off, uint64_t len,
                                          struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    return f->base ? o->base->drop_cache(o->base, f->base, off, len, err) : MLT_OK;
}

static enum mlt_status overlay_size(struct mlt_env *env, struct mlt_file *f, uint64_t *out, struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    pthread_mutex_lock(&o->mu);
    bool changed = f->node->changed;
    *out = f->node->len;
    pthread_mutex_unlock(&o->mu);
    return changed ? MLT_OK : o->base->size(o->base, f->base, out, err);
}

static enum mlt_status overlay_truncate(struct mlt_env *env, struct mlt_file *f, uint64_t len, struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    pthread_mutex_lock(&o->mu);
    enum mlt_status st = prepare_change(o, f, err);
    struct node *n = f->node;
    if (!st && len < n->len) {
        n->base_len = n->base_len < len ? n->base_len : len;
        for (size_t i = 0; i < n->num_pages; i++) {
            uint64_t at = (n->first_page + i) * PAGE;
            if (n->pages[i] && at + PAGE > len) {
                size_t keep = at < len ? (size_t)(len - at) : 0;
                memset(n->pages[i] + keep, 0, PAGE - keep);
            }
        }
    }
    if (!st) {
        n->len = len;
    }
    pthread_mutex_unlock(&o->mu);
    return st;
}

static enum mlt_status overlay_allocate(struct mlt_env *env, struct mlt_file *f, uint64_t len, struct mlt_error *err) {
    (void)env;
    (void)f;
    (void)len;
    (void)err;
    return MLT_OK;
}

static enum mlt_status overlay_rename(struct mlt_env *env, const char *from, const char *to, struct mlt_error *err) {
    (void)env;
    (void)to;
    return refuse(err, from);
}

static enum mlt_status overlay_unlink(struct mlt_env *env, const char *path, struct mlt_error *err) {
    (void)env;
    return refuse(err, path);
}

static enum mlt_status overlay_mkdir(struct mlt_env *env, const char *path, bool private_dir, struct mlt_error *err) {
    (void)env;
    (void)private_dir;
    return refuse(err, path);
}

static enum mlt_status overlay_sync_dir(struct mlt_env *env, const char *path, struct mlt_error *err) {
    (void)env;
    (void)path;
    (void)err;
    return MLT_OK;
}

static enum mlt_status overlay_list(struct mlt_env *env, const char *path, bool (*each)(void *arg, const char *name),
                                    void *arg, struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    size_t dir_len = strlen(path);
    enum mlt_status st = o->base->list(o->base, path, each, arg, err);
    pthread_mutex_lock(&o->mu);
    for (const struct node *n = o->nodes; n && !st; n = n->next) {
        bool inside = strncmp(n->path, path, dir_len) == 0 && n->path[dir_len] == '/';
        if (inside && !n->in_base && !strchr(n->path + dir_len + 1, '/') && !each(arg, n->path + dir_len + 1)) {
            break;
        }
    }
    pthread_mutex_unlock(&o->mu);
    return st;
}

static enum mlt_status overlay_lock(struct mlt_env *env, struct mlt_file **out, const char *path,
                                    struct mlt_error *err) {
    (void)env;
    *out = NULL;
    return refuse(err, path);
}

static enum mlt_status overlay_free_space(struct mlt_env *env, const char *path, uint64_t *out, struct mlt_error *err) {
    struct overlay *o = overlay_of(env);
    return o->base->free_space(o->base, path, out, err);
}

static int64_t overlay_now(struct mlt_env *env) {
    return overlay_of(env)->base->now(overlay_of(env)->base);
}

static int64_t overlay_monotonic(struct mlt_env *env) {
    return overlay_of(env)->base->monotonic(overlay_of(env)->base);
}

static enum mlt_status overlay_random(struct mlt_env *env, void *buf, size_t len, struct mlt_error *err) {
    return overlay_of(env)->base->random(overlay_of(env)->base, buf, len, err);
}

enum mlt_status mlt_overlay_new(struct mlt_env **out, struct mlt_env *base, struct mlt_error *err) {
    static const struct mlt_env table = {
        .open = overlay_open,
        .close = overlay_close,
        .read = overlay_read,
        .write = overlay_write,
        .write_synced = overlay_write,
        .sync = overlay_nothing,
        .size = overlay_size,
        .truncate = overlay_truncate,
        .allocate = overlay_allocate,
        .drop_cache = overlay_drop_cache,
        .rename = overlay_rename,
        .unlink = overlay_unlink,
        .mkdir = overlay_mkdir,
        .sync_dir = overlay_sync_dir,
        .list = overlay_list,
        .lock = overlay_lock,
        .free_space = overlay_free_space,
        .now = overlay_now,
        .monotonic = overlay_monotonic,
        .random = overlay_random,
    };
    struct overlay *o = calloc(1, sizeof(*o));
    *out = NULL;
    if (!o || pthread_mutex_init(&o->mu, NULL) != 0) {
        free(o);
        return no_memory(err);
    }
    o->env = table;
    o->base = base;
    *out = &o->env;
    return MLT_OK;
}

void mlt_overlay_free(struct mlt_env *overlay) {
    if (!overlay) {
        return;
    }
    struct overlay *o = overlay_of(overlay);
    while (o->nodes) {
        struct node *n = o->nodes;
        o->nodes = n->next;
        for (size_t i = 0; i < n->num_pages; i++) {
            free(n->pages[i]);
        }
        free(n->pages);
        free(n->path);
        free(n);
    }
    pthread_mutex_destroy(&o->mu);
    free(o);
}
