#include "lib/simdisk.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

const char *const simdisk_fault_names[SIMDISK_NUM_FAULTS] = {"none",         "error-applied", "error-not-applied",
                                                             "death-before", "death-during",  "death-after"};

#define SECTOR 512
#define PATH_LEN 512
enum { WRITTEN = 1, LOST = 2 }; // of a sector
#define MAX_NODES 4096

// A name on the disk: file or directory. The bytes are those that a reader sees; `old` has what is durable.
struct node {
    char path[PATH_LEN];         // as it is seen; "" when unlinked
    char durable_path[PATH_LEN]; // after a crash for sure; "": not there
    bool is_dir;
    uint8_t *bytes;
    uint64_t len;
    uint64_t cap;
    uint8_t *old;
    uint64_t old_len;
    uint64_t old_cap;
    uint8_t *dirty; // one per sector: written since the last sync (WRITTEN), or LOST by one that failed
    uint64_t dirty_cap;
    bool locked;
    bool replaced; // by a rename: the name goes on existing, whatever a crash does
    bool used;
};

struct mlt_file {
    struct node *node;
    bool writable;
    bool is_lock;
    uint64_t epoch;
};

struct simdisk {
    struct mlt_env env; // first
    pthread_mutex_t mu;
    struct node nodes[MAX_NODES];
    size_t num_nodes;
    uint64_t random;
    uint64_t operations;
    uint64_t fault_at;
    enum simdisk_fault fault;
    bool fired;
    bool dead;
    bool lying;
    uint64_t epoch;
    uint64_t bytes_left;
    char bad_path[PATH_LEN];
    int64_t clock;
    int64_t mono;
};

static struct simdisk *disk(struct mlt_env *env) {
    return (struct simdisk *)env;
}

static uint64_t next_random(struct simdisk *d) {
    uint64_t x = d->random += UINT64_C(0x9e3779b97f4a7c15); // splitmix64
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static enum mlt_status gone(struct mlt_error *err) {
    return mlt_fail(err, MLT_IO, "simulated machine is off");
}

static void *grow(void *p, uint64_t *cap, uint64_t need) {
    if (need > *cap) {
        uint64_t to = *cap ? *cap : 4096;
        while (to < need) {
            to *= 2;
        }
        p = realloc(p, to);
        assert(p);
        memset((uint8_t *)p + *cap, 0, to - *cap);
        *cap = to;
    }
    return p;
}

static struct node *find(struct simdisk *d, const char *path) {
    for (size_t i = 0; i < d->num_nodes; i++) {
        if (d->nodes[i].used && strcmp(d->nodes[i].path, path) == 0) {
            return &d->nodes[i];
        }
    }
    return NULL;
}

static struct node *add(struct simdisk *d, const char *path, bool is_dir) {
    struct node *n = NULL;
    for (size_t i = 0; i < d->num_nodes && !n; i++) {
        n = d->nodes[i].used ? NULL : &d->nodes[i];
    }
    if (!n) {
        assert(d->num_nodes < MAX_NODES);
        n = &d->nodes[d->num_nodes++];
    }
    memset(n, 0, sizeof(*n));
    n->used = true;
    n->is_dir = is_dir;
    (void)snprintf(n->path, sizeof(n->path), "%s", path);
    return n;
}

static void resize(struct node *n, uint64_t len) {
    n->bytes = grow(n->bytes, &n->cap, len);
    n->dirty = grow(n->dirty, &n->dirty_cap, (n->cap + SECTOR - 1) / SECTOR);
    if (len < n->len) {
        memset(n->bytes + len, 0, (size_t)(n->len - len));
    }
    n->len = len;
}

static void put(struct node *n, const uint8_t *bytes, size_t len, uint64_t off) {
    if (off + len > n->len) {
        resize(n, off + len);
    }
    memcpy(n->bytes + off, bytes, len);
    for (uint64_t s = off / SECTOR; s <= (off + len - 1) / SECTOR; s++) {
        n->dirty[s] = WRITTEN;
    }
}

static void make_durable(struct node *n) {
    n->old = grow(n->old, &n->old_cap, n->len);
    n->old_len = n->len;
    for (uint64_t at = 0; at < n->len; at += SECTOR) {
        uint8_t *dirty = &n->dirty[at / SECTOR];
        if (*dirty != LOST) {
            memcpy(n->old + at, n->bytes + at, (size_t)(n->len - at < SECTOR ? n->len - at : SECTOR));
            *dirty = 0;
        }
    }
}

// As Linux does: what a failed sync did not write counts as written. It can be read until the machine stops, the next
// sync reports success, and only writing it again makes it durable.
static void lose(struct node *n) {
    for (uint64_t s = 0; s * SECTOR < n->len; s++) {
        n->dirty[s] = n->dirty[s] ? LOST : 0;
    }
}

static void make_range_durable(struct node *n, uint64_t off, size_t len) {
    n->old = grow(n->old, &n->old_cap, n->len);
    n->old_len = n->old_len < off + len ? off + len : n->old_len;
    memcpy(n->old + off, n->bytes + off, len);
    for (uint64_t s = off / SECTOR; s < (off + len) / SECTOR; s++) {
        n->dirty[s] = 0;
    }
}

// What an operation is to do. Called with the lock held.
struct verdict {
    bool apply;
    bool half; // some sectors of it
    bool report;
    bool die_after;
};

static struct verdict begin(struct simdisk *d) {
    struct verdict v = {.apply = true};
    if (d->dead) {
        return (struct verdict){.report = true};
    }
    d->operations++;
    if (d->fault == SIMDISK_NONE || d->operations != d->fault_at) {
        return v;
    }
    d->fired = true;
    v.report = true;
    v.apply = d->fault != SIMDISK_ERROR_NOT_APPLIED && d->fault != SIMDISK_DEATH_BEFORE;
    v.half = d->fault == SIMDISK_DEATH_DURING;
    if (d->fault == SIMDISK_DEATH_BEFORE) {
        d->dead = true;
    }
    v.die_after = d->fault == SIMDISK_DEATH_DURING || d->fault == SIMDISK_DEATH_AFTER;
    return v;
}

static enum mlt_status end(struct simdisk *d, struct verdict v, struct mlt_error *err) {
    d->dead = d->dead || v.die_after;
    pthread_mutex_unlock(&d->mu);
    return v.report ? mlt_fail(err, MLT_IO, "simulated failure") : MLT_OK;
}

static bool parent_of(char out[static PATH_LEN], const char *path) {
    (void)snprintf(out, PATH_LEN, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash || slash == out) {
        return false;
    }
    *slash = '\0';
    return true;
}

static enum mlt_status sim_open(struct mlt_env *env, struct mlt_file **out, const char *path, unsigned flags,
                                struct mlt_error *err) {
    struct simdisk *d = disk(env);
    char parent[PATH_LEN];
    *out = NULL;
    struct mlt_file *f = calloc(1, sizeof(*f));
    if (!f) {
        return mlt_fail(err, MLT_NOMEM, "no memory to open %s", path);
    }
    pthread_mutex_lock(&d->mu);
    struct node *n = find(d, path);
    enum mlt_status st = d->dead ? gone(err) : MLT_OK;
    if (!st && n && (flags & MLT_OPEN_EXCLUSIVE)) {
        st = mlt_fail(err, MLT_CONFLICT, "%s exists", path);
    } else if (!st && !n && !(flags & MLT_OPEN_CREATE)) {
        st = mlt_fail(err, MLT_NOTFOUND, "%s: no such file", path);
    } else if (!st && !n) {
        if (parent_of(parent, path) && !find(d, parent)) {
            st = mlt_fail(err, MLT_NOTFOUND, "%s: no such directory", parent);
        } else {
            struct verdict v = begin(d);
            n = v.apply ? add(d, path, false) : NULL;
            d->dead = d->dead || v.die_after;
            st = v.report ? mlt_fail(err, MLT_IO, "simulated failure to create %s", path) : MLT_OK;
        }
    }
    if (!st) {
        f->node = n;
        f->writable = flags & MLT_OPEN_WRITE;
        f->epoch = d->epoch;
    }
    pthread_mutex_unlock(&d->mu);
    if (st) {
        free(f);
        return st;
    }
    *out = f;
    return MLT_OK;
}

static void sim_close(struct mlt_env *env, struct mlt_file *f) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    if (f && f->is_lock && f->epoch == d->epoch) {
        f->node->locked = false;
    }
    pthread_mutex_unlock(&d->mu);
    free(f);
}

static enum mlt_status sim_read(struct mlt_env *env, struct mlt_file *f, void *buf, size_t len, uint64_t off,
                                size_t *got, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    enum mlt_status st = MLT_OK;
    pthread_mutex_lock(&d->mu);
    *got = 0;
    if (d->dead || f->epoch != d->epoch) {
        st = gone(err);
    } else if (d->bad_path[0] && strcmp(d->bad_path, f->node->path) == 0) {
        st = mlt_fail(err, MLT_IO, "simulated bad sector in %s", f->node->path);
    } else if (off < f->node->len) {
        *got = f->node->len - off < len ? (size_t)(f->node->len - off) : len;
        memcpy(buf, f->node->bytes + off, *got);
    }
    pthread_mutex_unlock(&d->mu);
    return st;
}

static bool take_space(struct simdisk *d, const struct node *n, uint64_t end_off) {
    uint64_t more = end_off > n->len ? end_off - n->len : 0;
    if (d->bytes_left != UINT64_MAX) {
        if (more > d->bytes_left) {
            return false;
        }
        d->bytes_left -= more;
    }
    return true;
}

static void put_some(struct simdisk *d, struct node *n, const uint8_t *bytes, size_t len, uint64_t off) {
    for (size_t at = 0; at < len; at += SECTOR) {
        if (next_random(d) % 2) {
            put(n, bytes + at, len - at < SECTOR ? len - at : SECTOR, off + at);
        }
    }
}

static enum mlt_status change(struct mlt_env *env, struct mlt_file *f, const void *buf, size_t len, uint64_t off,
                              bool synced, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    if (f->epoch != d->epoch) {
        pthread_mutex_unlock(&d->mu);
        return gone(err);
    }
    assert(f->writable);
    assert(!synced || ((uintptr_t)buf % MLT_IO_ALIGN == 0 && len % MLT_IO_ALIGN == 0 && off % MLT_IO_ALIGN == 0));
    if (!d->dead && !take_space(d, f->node, off + len)) {
        pthread_mutex_unlock(&d->mu);
        return mlt_fail(err, MLT_NOSPACE, "simulated disk is full");
    }
    struct verdict v = begin(d);
    if (v.apply && v.half) {
        put_some(d, f->node, buf, len, off);
    } else if (v.apply && len > 0) {
        put(f->node, buf, len, off);
        if (synced && !d->lying) {
            make_range_durable(f->node, off, len);
        }
    }
    return end(d, v, err);
}

static enum mlt_status sim_write(struct mlt_env *env, struct mlt_file *f, const void *buf, size_t len, uint64_t off,
                                 struct mlt_error *err) {
    return change(env, f, buf, len, off, false, err);
}

static enum mlt_status sim_write_synced(struct mlt_env *env, struct mlt_file *f, const void *buf, size_t len,
                                        uint64_t off, struct mlt_error *err) {
    return change(env, f, buf, len, off, true, err);
}

static enum mlt_status sim_sync(struct mlt_env *env, struct mlt_file *f, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    struct verdict v = begin(d);
    if (v.apply && !v.half && !d->lying && f->epoch == d->epoch) {
        make_durable(f->node);
    } else if (!v.apply && !d->dead && f->epoch == d->epoch) {
        lose(f->node);
    }
    return end(d, v, err);
}

static enum mlt_status sim_size(struct mlt_env *env, struct mlt_file *f, uint64_t *out, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    bool off = d->dead || f->epoch != d->epoch;
    *out = off ? 0 : f->node->len;
    pthread_mutex_unlock(&d->mu);
    return off ? gone(err) : MLT_OK;
}

static enum mlt_status sim_truncate(struct mlt_env *env, struct mlt_file *f, uint64_t len, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    struct verdict v = begin(d);
    if (v.apply && f->epoch == d->epoch) {
        resize(f->node, len);
    }
    return end(d, v, err);
}

static enum mlt_status sim_allocate(struct mlt_env *env, struct mlt_file *f, uint64_t len, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    if (!d->dead && !take_space(d, f->node, len)) {
        pthread_mutex_unlock(&d->mu);
        return mlt_fail(err, MLT_NOSPACE, "simulated disk is full");
    }
    struct verdict v = begin(d);
    if (v.apply && f->epoch == d->epoch && len > f->node->len) {
        resize(f->node, len);
    }
    return end(d, v, err);
}

static enum mlt_status sim_drop_cache(struct mlt_env *env, struct mlt_file *f, uint64_t off, uint64_t len,
                                      struct mlt_error *err) {
    (void)f;
    (void)off;
    (void)len;
    return disk(env)->dead ? gone(err) : MLT_OK;
}

static enum mlt_status sim_rename(struct mlt_env *env, const char *from, const char *to, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    struct node *n = find(d, from);
    if (!n && !d->dead) {
        pthread_mutex_unlock(&d->mu);
        return mlt_fail(err, MLT_NOTFOUND, "%s: no such file", from);
    }
    struct verdict v = begin(d);
    if (v.apply && n) {
        struct node *target = find(d, to);
        if (target) {
            target->path[0] = '\0'; // its durable name stays until the directory is synced
            target->replaced = true;
        }
        (void)snprintf(n->path, sizeof(n->path), "%s", to);
    }
    return end(d, v, err);
}

static enum mlt_status sim_unlink(struct mlt_env *env, const char *path, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    struct node *n = find(d, path);
    if (!n && !d->dead) {
        pthread_mutex_unlock(&d->mu);
        return mlt_fail(err, MLT_NOTFOUND, "%s: no such file", path);
    }
    struct verdict v = begin(d);
    if (v.apply && n) {
        n->path[0] = '\0';
    }
    return end(d, v, err);
}

static enum mlt_status sim_mkdir(struct mlt_env *env, const char *path, bool private_dir, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    (void)private_dir;
    pthread_mutex_lock(&d->mu);
    if (!d->dead && find(d, path)) {
        pthread_mutex_unlock(&d->mu);
        return mlt_fail(err, MLT_CONFLICT, "%s exists", path);
    }
    struct verdict v = begin(d);
    if (v.apply) {
        add(d, path, true);
    }
    return end(d, v, err);
}

static bool is_in(const char *path, const char *dir) {
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}

static enum mlt_status sim_sync_dir(struct mlt_env *env, const char *path, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    struct verdict v = begin(d);
    for (size_t i = 0; i < d->num_nodes && v.apply && !v.half && !d->lying; i++) {
        struct node *n = &d->nodes[i];
        if (n->used && is_in(n->path, path)) {
            memcpy(n->durable_path, n->path, PATH_LEN);
        } else if (n->used && n->path[0] == '\0' && is_in(n->durable_path, path)) {
            n->durable_path[0] = '\0';
        }
    }
    return end(d, v, err);
}

static enum mlt_status sim_list(struct mlt_env *env, const char *path, bool (*each)(void *arg, const char *name),
                                void *arg, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    if (d->dead) {
        return gone(err);
    }
    for (size_t i = 0; i < d->num_nodes; i++) {
        struct node *n = &d->nodes[i];
        if (n->used && is_in(n->path, path) && !each(arg, n->path + strlen(path) + 1)) {
            break;
        }
    }
    return MLT_OK;
}

static enum mlt_status sim_lock(struct mlt_env *env, struct mlt_file **out, const char *path, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    enum mlt_status st = sim_open(env, out, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, err);
    if (st) {
        return st;
    }
    pthread_mutex_lock(&d->mu);
    bool busy = (*out)->node->locked;
    (*out)->node->locked = true;
    (*out)->is_lock = !busy;
    pthread_mutex_unlock(&d->mu);
    if (busy) {
        sim_close(env, *out);
        *out = NULL;
        return mlt_fail(err, MLT_BUSY, "%s is locked", path);
    }
    return MLT_OK;
}

static enum mlt_status sim_free_space(struct mlt_env *env, const char *path, uint64_t *out, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    (void)path;
    (void)err;
    pthread_mutex_lock(&d->mu);
    *out = d->bytes_left == UINT64_MAX ? (uint64_t)1 << 40 : d->bytes_left;
    pthread_mutex_unlock(&d->mu);
    return MLT_OK;
}

static int64_t sim_now(struct mlt_env *env) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    int64_t now = d->clock += 1000;
    pthread_mutex_unlock(&d->mu);
    return now;
}

static int64_t sim_monotonic(struct mlt_env *env) {
    struct simdisk *d = disk(env);
    pthread_mutex_lock(&d->mu);
    int64_t now = d->mono += 1000;
    pthread_mutex_unlock(&d->mu);
    return now;
}

static enum mlt_status sim_random(struct mlt_env *env, void *buf, size_t len, struct mlt_error *err) {
    struct simdisk *d = disk(env);
    uint8_t *out = buf;
    (void)err;
    pthread_mutex_lock(&d->mu);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)next_random(d);
    }
    pthread_mutex_unlock(&d->mu);
    return MLT_OK;
}

struct simdisk *simdisk_new(uint64_t seed) {
    static const struct mlt_env table = {
        .open = sim_open,
        .close = sim_close,
        .read = sim_read,
        .write = sim_write,
        .write_synced = sim_write_synced,
        .sync = sim_sync,
        .size = sim_size,
        .truncate = sim_truncate,
        .allocate = sim_allocate,
        .drop_cache = sim_drop_cache,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .mkdir = sim_mkdir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .lock = sim_lock,
        .free_space = sim_free_space,
        .now = sim_now,
        .monotonic = sim_monotonic,
        .random = sim_random,
    };
    struct simdisk *d = calloc(1, sizeof(*d));
    assert(d);
    d->env = table;
    d->random = seed;
    d->bytes_left = UINT64_MAX;
    d->clock = INT64_C(1795428000000000000); // 2026-11-23
    (void)pthread_mutex_init(&d->mu, NULL);
    return d;
}

static void free_node(struct node *n) {
    free(n->bytes);
    free(n->old);
    free(n->dirty);
    memset(n, 0, sizeof(*n));
}

void simdisk_free(struct simdisk *d) {
    for (size_t i = 0; d && i < d->num_nodes; i++) {
        free_node(&d->nodes[i]);
    }
    if (d) {
        pthread_mutex_destroy(&d->mu);
    }
    free(d);
}

struct mlt_env *simdisk_env(struct simdisk *d) {
    return &d->env;
}

void simdisk_plan(struct simdisk *d, enum simdisk_fault fault, uint64_t at) {
    pthread_mutex_lock(&d->mu);
    d->fault = fault;
    d->fault_at = at;
    d->operations = 0;
    d->fired = false;
    pthread_mutex_unlock(&d->mu);
}

uint64_t simdisk_operations(struct simdisk *d) {
    pthread_mutex_lock(&d->mu);
    uint64_t n = d->operations;
    pthread_mutex_unlock(&d->mu);
    return n;
}

bool simdisk_fired(struct simdisk *d) {
    pthread_mutex_lock(&d->mu);
    bool fired = d->fired;
    pthread_mutex_unlock(&d->mu);
    return fired;
}

bool simdisk_dead(struct simdisk *d) {
    pthread_mutex_lock(&d->mu);
    bool dead = d->dead;
    pthread_mutex_unlock(&d->mu);
    return dead;
}

void simdisk_kill(struct simdisk *d) {
    pthread_mutex_lock(&d->mu);
    d->dead = true;
    pthread_mutex_unlock(&d->mu);
}

// Each sector that was not synced, on its own: as before, as written, or the beginning of one and the end of the other.
static void settle(struct simdisk *d, struct node *n) {
    uint64_t len = n->len;
    if (n->len != n->old_len && next_random(d) % 2) {
        uint64_t low = n->len < n->old_len ? n->len : n->old_len;
        uint64_t high = n->len < n->old_len ? n->old_len : n->len;
        len = next_random(d) % 2 ? n->old_len : low + next_random(d) % (high - low + 1);
    }
    uint64_t most = n->len > n->old_len ? n->len : n->old_len;
    n->bytes = grow(n->bytes, &n->cap, most);
    n->old = grow(n->old, &n->old_cap, n->cap);
    n->dirty = grow(n->dirty, &n->dirty_cap, (n->cap + SECTOR - 1) / SECTOR);
    if (most > n->len) {
        memcpy(n->bytes + n->len, n->old + n->len, (size_t)(most - n->len)); // a truncation that did not happen
    }
    for (uint64_t s = 0; s * SECTOR < n->cap; s++) {
        if (!n->dirty[s]) {
            continue;
        }
        uint64_t choice = next_random(d) % 4;
        uint64_t keep = n->dirty[s] == LOST || choice == 0 ? SECTOR
                        : choice == 1                      ? next_random(d) % SECTOR
                                                           : 0; // bytes lost from the front
        memcpy(n->bytes + s * SECTOR, n->old + s * SECTOR, (size_t)keep);
    }
    if (len < most) {
        memset(n->bytes + len, 0, (size_t)(most - len));
    }
    n->len = len;
    if (n->dirty) {
        memset(n->dirty, 0, (size_t)n->dirty_cap);
    }
    make_durable(n);
}

// A change of a directory that was not synced: it happened or it did not.
static void settle_name(struct simdisk *d, struct node *n) {
    bool replaced_and_free = n->path[0] == '\0' && n->replaced;
    if (strcmp(n->path, n->durable_path) == 0 || (!replaced_and_free && next_random(d) % 2)) {
        return;
    }
    if (!n->durable_path[0] || !find(d, n->durable_path)) {
        memcpy(n->path, n->durable_path, PATH_LEN);
    }
}

void simdisk_reboot(struct simdisk *d) {
    pthread_mutex_lock(&d->mu);
    // Names that are there first: what a rename replaced comes back only where the rename did not happen.
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < d->num_nodes; i++) {
            if (d->nodes[i].used && (d->nodes[i].path[0] == '\0') == (pass == 1)) {
                settle_name(d, &d->nodes[i]);
            }
        }
    }
    for (size_t i = 0; i < d->num_nodes; i++) {
        struct node *n = &d->nodes[i];
        n->locked = false;
        if (n->used && n->path[0] == '\0') {
            free_node(n);
        } else if (n->used) {
            memcpy(n->durable_path, n->path, PATH_LEN);
            if (!n->is_dir) {
                settle(d, n);
            }
        }
    }
    d->dead = false;
    d->fault = SIMDISK_NONE;
    d->epoch++;
    pthread_mutex_unlock(&d->mu);
}

void simdisk_restart(struct simdisk *d) {
    pthread_mutex_lock(&d->mu);
    for (size_t i = 0; i < d->num_nodes; i++) {
        d->nodes[i].locked = false;
    }
    d->epoch++;
    pthread_mutex_unlock(&d->mu);
}

void simdisk_lie(struct simdisk *d, bool lying) {
    pthread_mutex_lock(&d->mu);
    d->lying = lying;
    pthread_mutex_unlock(&d->mu);
}

void simdisk_fill(struct simdisk *d, uint64_t bytes_left) {
    pthread_mutex_lock(&d->mu);
    d->bytes_left = bytes_left;
    pthread_mutex_unlock(&d->mu);
}

void simdisk_read_error(struct simdisk *d, const char *path) {
    pthread_mutex_lock(&d->mu);
    (void)snprintf(d->bad_path, sizeof(d->bad_path), "%s", path ? path : "");
    pthread_mutex_unlock(&d->mu);
}

void simdisk_clock(struct simdisk *d, int64_t ns) {
    pthread_mutex_lock(&d->mu);
    d->clock = ns;
    pthread_mutex_unlock(&d->mu);
}

uint8_t *simdisk_bytes(struct simdisk *d, const char *path, uint64_t *len) {
    struct node *n = find(d, path);
    *len = n ? n->len : 0;
    return n ? n->bytes : NULL;
}
