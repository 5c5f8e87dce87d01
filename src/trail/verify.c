// The one oracle. In order: who signs, what the journal completes, every entry, and every head that was signed.
#include "trail/verify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/overlay.h"
#include "trail/trail_private.h"
#include "trail/verify_private.h"

#define NO_INDEX UINT64_MAX
#define LIVE_PAUSE_NS 10000000L // between looks for a group that is being written
#define LIVE_PAUSES 300         // three seconds of them

const char *mlt_verify_what_name(enum mlt_verify_what what) {
    static const char *const names[MLT_NUM_VERIFY_WHATS] = {
        [MLT_VERIFY_CHECKPOINT] = "checkpoint", [MLT_VERIFY_JOURNAL] = "journal",
        [MLT_VERIFY_ENTRY] = "entry",           [MLT_VERIFY_TILE] = "tile",
        [MLT_VERIFY_PAYLOAD] = "payload",       [MLT_VERIFY_SLOT] = "slot",
        [MLT_VERIFY_DETAIL] = "detail",         [MLT_VERIFY_FILE] = "file",
        [MLT_VERIFY_STATE] = "state",           [MLT_VERIFY_COMMITMENT] = "commitment",
        [MLT_VERIFY_ANCHOR] = "anchor",
    };
    assert(what < MLT_NUM_VERIFY_WHATS && names[what]);
    return names[what];
}

MLT_PRINTF(6, 0)
static void add_fault(struct mlt_verify_report *r, enum mlt_verify_what what, const char *file, bool has_index,
                      uint64_t index, const char *fmt, va_list args) {
    r->verdict = false;
    if (r->num_faults < MLT_VERIFY_FAULTS_MAX) {
        struct mlt_verify_fault *f = &r->faults[r->num_faults];
        *f = (struct mlt_verify_fault){.what = what, .has_index = has_index, .index = has_index ? index : 0};
        (void)snprintf(f->file, sizeof(f->file), "%.*s", (int)sizeof(f->file) - 1, file);
        (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    }
    r->num_faults++;
}

void mlt_verify_fault_add(struct mlt_verify_report *r, enum mlt_verify_what what, const char *file, bool has_index,
                          uint64_t index, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    add_fault(r, what, file, has_index, index, fmt, args);
    va_end(args);
}

void mlt_verify_fault(struct mlt_verify *v, enum mlt_verify_what what, const char *file, uint64_t index,
                      const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    add_fault(v->report, what, file, index != NO_INDEX, index, fmt, args);
    va_end(args);
}

// Everything known from outside the files of the log.
struct known {
    struct mlt_state state;
    bool has_state;
    struct mlt_head state_head;
    struct mlt_meta meta;
    bool has_meta;
    struct mlt_buf meta_text;
    struct mlt_key_chain chain; // of keys that may sign here
    bool has_key;
    struct mlt_buf note; // the checkpoint file
    struct mlt_checkpoint checkpoint;
    bool has_checkpoint;
};

static bool is_ours(enum mlt_status st) {
    return st == MLT_NOTFOUND || st == MLT_CORRUPT || st == MLT_INVALID || st == MLT_LIMIT || st == MLT_DENIED;
}

// Asked of the lock, which a planted socket cannot hold. Opened first: verification creates no file.
static bool is_locked(struct mlt_verify *v, const char *dir) {
    char path[MLT_STORE_PATH_MAX + 32];
    struct mlt_file *file = NULL;
    (void)snprintf(path, sizeof(path), "%s/lock", dir);
    if (v->base->open(v->base, &file, path, MLT_OPEN_READ, NULL)) {
        return false;
    }
    v->base->close(v->base, file);
    enum mlt_status st = v->base->lock(v->base, &file, path, NULL);
    if (!st) {
        v->base->close(v->base, file);
    }
    return st == MLT_BUSY;
}

static enum mlt_status load_state(struct mlt_verify *v, struct known *k, struct mlt_error *err) {
    struct mlt_error why = {0};
    const struct mlt_state_options so = {.dir = v->state_dir, .pin = v->opt->pin};
    enum mlt_status st = mlt_state_open(&k->state, v->base, &so, &k->state_head, &why);
    if (st == MLT_NOTFOUND && !v->opt->state_dir) {
        v->report->live = is_locked(v, v->dir);
        return MLT_OK; // a copy without its state, or one whose state is elsewhere
    }
    if (is_ours(st)) {
        mlt_verify_fault(v, MLT_VERIFY_STATE, "head", NO_INDEX, "%s", why.text);
        return MLT_OK;
    }
    if (st) {
        *err = why;
        return st;
    }
    k->has_state = true;
    v->report->live = is_locked(v, v->state_dir);
    v->keys = k->state.keys;
    v->rewrapping = v->keys.has_old_kek;
    if (k->state.has_kek && !v->opt->no_payloads) {
        st = mlt_record_keys_sealer(&v->sealer, &v->keys, err);
    }
    v->report->payloads_checked = v->sealer != NULL;
    return st;
}

static enum mlt_status load_meta(struct mlt_verify *v, struct known *k, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 16];
    struct mlt_error why = {0};
    (void)snprintf(path, sizeof(path), "%s/trail.json", v->dir);
    enum mlt_status st = mlt_env_read_file(v->base, path, MLT_META_LEN_MAX, &k->meta_text, &why);
    st = st ? st : mlt_meta_parse(&k->meta, mlt_buf_bytes(&k->meta_text), &why);
    k->has_meta = !st;
    v->raw = k->meta.raw;
    if (is_ours(st)) {
        mlt_verify_fault(v, MLT_VERIFY_FILE, "trail.json", NO_INDEX, "%s", why.text);
        return MLT_OK;
    }
    if (st) {
        *err = why;
    }
    return st;
}

static void fault_meta(struct mlt_verify *v, const struct mlt_vkey *key) {
    mlt_verify_fault(v, MLT_VERIFY_FILE, "trail.json", NO_INDEX,
                     "not as it was signed by %s+%08x, or by a key that this one leads to (FORMAT.md, trail.json)",
                     key->name, (unsigned)key->key_id);
}

// The chain in <state> may be ahead of trail.json by what a crash left undone; the one in trail.json is all that there
// is in a copy.
static void choose_chain(struct mlt_verify *v, struct known *k, const struct mlt_vkey *trusted) {
    bool meta_good = k->has_meta && mlt_meta_verify(&k->meta, mlt_buf_bytes(&k->meta_text), &k->meta.chain.keys[0]);
    k->has_key = true;
    if (k->has_state && mlt_key_chain_leads(&k->state.chain, trusted)) {
        k->chain = k->state.chain;
        meta_good = meta_good && mlt_key_chain_ends_with(&k->chain, &k->meta.chain);
    } else if (meta_good && mlt_key_chain_leads(&k->meta.chain, trusted)) {
        k->chain = k->meta.chain;
    } else {
        mlt_key_chain_init(&k->chain, trusted);
        meta_good = false;
    }
    if (k->has_meta && !meta_good) {
        fault_meta(v, trusted);
    }
}

// From outside, else from <state>, else the trail's own word for it.
static void choose_key(struct mlt_verify *v, struct known *k) {
    v->report->authenticated = true;
    if (v->opt->key) {
        choose_chain(v, k, v->opt->key);
    } else if (k->has_state) {
        choose_chain(v, k, &k->state.chain.keys[0]);
    } else {
        v->report->authenticated = false;
        if (k->has_meta) {
            choose_chain(v, k, &k->meta.chain.keys[0]);
        }
    }
}

static enum mlt_status load_checkpoint(struct mlt_verify *v, struct known *k, struct mlt_error *err) {
    char path[MLT_STORE_PATH_MAX + 16];
    struct mlt_error why = {0};
    (void)snprintf(path, sizeof(path), "%s/checkpoint", v->dir);
    enum mlt_status st = mlt_env_read_file(v->base, path, MLT_NOTE_MAX, &k->note, &why);
    if (!st && k->has_key) {
        st = mlt_key_chain_open(&k->chain, &k->checkpoint, mlt_buf_bytes(&k->note), &why);
    }
    k->has_checkpoint = !st && k->has_key;
    if (is_ours(st)) {
        mlt_verify_fault(v, MLT_VERIFY_CHECKPOINT, "checkpoint", NO_INDEX, "%s", why.text);
        return MLT_OK;
    }
    if (st) {
        *err = why;
    }
    return st;
}

bool mlt_verify_has_root(const struct mlt_verify *v, uint64_t size, const uint8_t root[static MLT_HASH_LEN]) {
    uint8_t have[MLT_HASH_LEN];
    struct mlt_hash_source src = mlt_files_hashes(&v->files);
    return mlt_merkle_root(&src, size, have, NULL) == MLT_OK && memcmp(have, root, MLT_HASH_LEN) == 0;
}

// The hashes were checked against the entries before: wherever they fit, this root is that of the entries.
static void check_head(struct mlt_verify *v, enum mlt_verify_what what, const char *file, uint64_t size,
                       const uint8_t root[static MLT_HASH_LEN]) {
    if (size > v->mark.size) {
        mlt_verify_fault(v, what, file, NO_INDEX,
                         "a head of size %llu was signed, but the trail ends at %llu: entries are missing, or an older "
                         "copy was put in its place",
                         (unsigned long long)size, (unsigned long long)v->mark.size);
        return;
    }
    if (v->files_open && !mlt_verify_has_root(v, size, root)) {
        mlt_verify_fault(v, what, file, NO_INDEX, "the tree has another root at size %llu than was signed",
                         (unsigned long long)size);
    }
}

static void check_heads(struct mlt_verify *v, struct known *k) {
    if (k->has_checkpoint) {
        check_head(v, MLT_VERIFY_CHECKPOINT, "checkpoint", k->checkpoint.size, k->checkpoint.root);
    }
    if (k->has_state) {
        check_head(v, MLT_VERIFY_STATE, "head", k->state_head.size, k->state_head.root);
    }
    for (size_t i = 0; k->has_key && i + 1 < k->chain.num_keys; i++) {
        check_head(v, MLT_VERIFY_FILE, "trail.json", k->chain.links[i].kept, k->chain.links[i].kept_root);
    }
    for (size_t i = 0; i < v->opt->num_heads; i++) {
        char name[32];
        struct mlt_checkpoint c;
        struct mlt_error why = {0};
        (void)snprintf(name, sizeof(name), "receipt %zu", i + 1);
        if (!k->has_key || mlt_key_chain_open(&k->chain, &c, v->opt->heads[i], &why) != MLT_OK) {
            mlt_verify_fault(v, MLT_VERIFY_CHECKPOINT, name, NO_INDEX, "%s", why.text);
        } else {
            check_head(v, MLT_VERIFY_CHECKPOINT, name, c.size, c.root);
        }
    }
}

// While a server writes, only what it signed holds still. A head is in <state> shortly before its group is in the
// files; one that stays ahead of them is no server at work, whoever answers at the socket.
static void limit_to_signed(struct mlt_verify *v, const struct known *k) {
    if (!v->report->live || !k->has_checkpoint) {
        return;
    }
    v->mark.size = k->checkpoint.size;
    memcpy(v->mark.root, k->checkpoint.root, MLT_HASH_LEN);
    v->mark.payloads_len = UINT64_MAX;
    if (!k->has_state || !v->files_open || k->state_head.size <= v->mark.size) {
        return;
    }
    const struct timespec pause = {.tv_nsec = LIVE_PAUSE_NS};
    bool there = mlt_verify_has_root(v, k->state_head.size, k->state_head.root);
    for (unsigned i = 0; !there && i < LIVE_PAUSES; i++) {
        (void)nanosleep(&pause, NULL);
        there = mlt_verify_has_root(v, k->state_head.size, k->state_head.root);
    }
    if (there) {
        v->mark.size = k->state_head.size;
        memcpy(v->mark.root, k->state_head.root, MLT_HASH_LEN);
    }
}

// Drops what reading entries from `first` on brought into the cache, whole bundles; the rest goes with the next ones.
static void drop_entries(struct mlt_verify *v, uint64_t first, size_t len) {
    uint64_t off;
    if (mlt_files_bundle_offset(&v->files, first / MLT_FILES_BUNDLE, &off, NULL) == MLT_OK) {
        (void)v->env->drop_cache(v->env, v->files.file[MLT_FILE_ENTRIES], off, len, NULL);
    }
}

static enum mlt_status view_entries(void *ctx, uint64_t first, size_t count, struct mlt_buf *out,
                                    struct mlt_error *err) {
    struct mlt_verify *v = ctx;
    const size_t before = out->len;
    enum mlt_status st = mlt_files_entries(&v->files, first, count, out, err);
    const size_t len = out->len - before;
    atomic_fetch_add(&v->bytes_viewed, len);
    if (v->opt->past_cache && len > 0) {
        drop_entries(v, first, len);
    }
    if (!st && v->opt->pace && !v->opt->pace(v->opt->pace_arg, len)) {
        st = mlt_fail(err, MLT_BUSY, "stopped before the end");
    }
    return st;
}

static void view_fault(void *ctx, enum mlt_verify_what what, uint64_t index, const char *text) {
    mlt_verify_fault(ctx, what, mlt_files_name(MLT_FILE_ENTRIES), index, "%s", text);
}

// What the entries say, if they are those that were signed: anything else would be found over and over.
static enum mlt_status look_further(struct mlt_verify *v, struct mlt_error *err) {
    const struct mlt_verify_view view = {.ctx = v, .size = v->mark.size, .entries = view_entries, .fault = view_fault};
    bool may = v->opt->further && v->files_open && !v->raw && v->report->verdict;
    enum mlt_status st = may ? v->opt->further(v->opt->further_arg, &view, err) : MLT_OK;
    v->report->bytes_read += atomic_load(&v->bytes_viewed);
    return st;
}

static enum mlt_status verify(struct mlt_verify *v, struct known *k, struct mlt_error *err) {
    enum mlt_status st = load_state(v, k, err);
    st = st ? st : load_meta(v, k, err);
    if (st) {
        return st;
    }
    choose_key(v, k);
    st = load_checkpoint(v, k, err);
    st = st ? st : mlt_verify_journal(v, err);
    if (st) {
        return st;
    }
    limit_to_signed(v, k);
    v->report->size = v->mark.size;
    if (v->files_open && v->opt->state && k->has_key && k->chain.num_keys > 0) {
        st = mlt_verify_take_up(v, &k->chain.keys[k->chain.num_keys - 1], err); // the first key: it stays
    }
    if (v->files_open && !st) {
        st = mlt_verify_entries(v, err);
        enum mlt_status kept = v->state ? mlt_verify_leave_off(v, st ? NULL : err) : MLT_OK;
        st = st ? st : kept;
    }
    if (v->files_open && !st && !v->report->live) {
        mlt_verify_erasures(v);
    }
    if (!st) {
        check_heads(v, k);
        st = look_further(v, err);
    }
    if (!st && v->files_open && !v->raw && v->opt->tsa_roots) {
        st = mlt_verify_anchors(v, k->has_meta ? &k->meta.chain : NULL, err);
    }
    return st;
}

void mlt_verify_clear_scratch(struct mlt_verify *v) {
    mlt_sealer_free(v->sealer);
    mlt_wipe(&v->keys, sizeof(v->keys));
    mlt_arena_clear(&v->arena);
    mlt_entry_clear(&v->entry);
    mlt_json_clear(&v->plain);
    mlt_buf_clear(&v->erased);
    mlt_buf_clear(&v->erasures);
}

enum mlt_status mlt_verify_trail(struct mlt_env *env, const struct mlt_verify_options *opt,
                                 struct mlt_verify_report *out, struct mlt_error *err) {
    struct mlt_error own = {0};
    struct mlt_error *e = err ? err : &own;
    memset(out, 0, sizeof(*out));
    struct mlt_verify *v = calloc(1, sizeof(*v));
    struct known *k = calloc(1, sizeof(*k));
    enum mlt_status st = v && k ? MLT_OK : mlt_fail(e, MLT_NOMEM, "no memory to verify");
    if (!st) {
        v->base = env;
        v->opt = opt;
        v->report = out;
        const struct mlt_trail_options paths = {.dir = opt->dir, .state_dir = opt->state_dir};
        st = mlt_trail_paths(v->dir, v->state_dir, &paths, e);
        st = st ? st : mlt_overlay_new(&v->env, env, e);
    }
    if (!st) {
        out->verdict = true; // until a fault is found; a check that could not be made is a status
        st = verify(v, k, e);
    }
    if (st) {
        out->verdict = false;
    }
    if (v) {
        mlt_files_close(&v->files);
        mlt_overlay_free(v->env);
        mlt_verify_clear_scratch(v);
    }
    if (k) {
        mlt_state_close(&k->state);
        mlt_buf_clear(&k->meta_text);
        mlt_buf_clear(&k->note);
    }
    free(v);
    free(k);
    return st;
}
