#include "store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/overlay.h"

#define SPACE_AGE_NS INT64_C(1000000000)      // how old an answer about free space may be
#define SPACE_STEP_BYTES ((uint64_t)64 << 20) // … or how much may have been written since
#define DIR_LEN 900                           // leaves room for the longest name below it

struct mlt_store {
    struct mlt_env *env;
    struct mlt_env *overlay; // NULL unless read-only
    char dir[DIR_LEN];
    uint64_t reserve_bytes;
    void (*fatal)(void *arg, const struct mlt_error *err);
    void *fatal_arg;
    bool started;
    bool read_only;
    struct mlt_rewrap rewrapped; // how far slots got to another key-encryption key, as it was when opened

    // With the thread that commits.
    struct mlt_journal journal; // header part: under header_mu
    struct mlt_files files;     // positions; descriptors are constant
    struct mlt_frontier frontier;
    struct mlt_group_builder builder;
    struct mlt_group group;
    struct mlt_group_hashes hashes;
    struct mlt_watermark committed;
    uint64_t last_group[MLT_JOURNAL_REGIONS]; // number after the last one of each region: free when durable reaches it
    bool half_flushed;

    pthread_mutex_t header_mu; // one header write at a time
    pthread_mutex_t flush_mu;  // one flush at a time; taken before header_mu
    pthread_t flusher;

    pthread_mutex_t mu;     // guards all below; taken last
    pthread_cond_t wake;    // the flusher: flush_wanted or stop
    pthread_cond_t flushed; // who waits for journal space
    struct mlt_watermark applied;
    uint64_t durable_group; // groups below this number are durable in the files
    struct mlt_buf details; // hashes of details applied and not yet synced
    bool flush_wanted;
    bool stop;
    bool failed;
    struct mlt_error error;
    uint64_t num_syncs;
    uint64_t free_bytes;
    int64_t space_asked; // monotonic; 0: never
    uint64_t space_asked_len;
};

static void journal_path(char out[static DIR_LEN + 32], const char *dir) {
    (void)snprintf(out, DIR_LEN + 32, "%s/journal/groups", dir);
}

enum mlt_status mlt_store_create(struct mlt_env *env, const char *dir, uint64_t journal_bytes, struct mlt_error *err) {
    char path[DIR_LEN + 32];
    if (strlen(dir) >= DIR_LEN) {
        return mlt_fail(err, MLT_LIMIT, "the path %s is longer than %d bytes", dir, DIR_LEN - 1);
    }
    (void)snprintf(path, sizeof(path), "%s/journal", dir);
    enum mlt_status st = env->mkdir(env, path, false, err);
    st = st == MLT_CONFLICT ? MLT_OK : st;
    st = st ? st : mlt_files_create(env, dir, err);
    journal_path(path, dir);
    st = st ? st : mlt_journal_create(env, path, journal_bytes ? journal_bytes : MLT_JOURNAL_BYTES_DEFAULT, err);
    (void)snprintf(path, sizeof(path), "%s/journal", dir);
    return st ? st : env->sync_dir(env, path, err);
}

static void store_free(struct mlt_store *s) {
    mlt_files_close(&s->files);
    mlt_journal_close(&s->journal);
    mlt_group_builder_clear(&s->builder);
    mlt_group_hashes_clear(&s->hashes);
    mlt_buf_clear(&s->details);
    mlt_overlay_free(s->overlay);
    pthread_mutex_destroy(&s->header_mu);
    pthread_mutex_destroy(&s->flush_mu);
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->flushed);
    free(s);
}

// After recovery: it wrote no slot of a run, since the journal is emptied before the first one.
static enum mlt_status resume_rewrap(struct mlt_store *s, const struct mlt_store_options *opt, struct mlt_error *err) {
    if (!opt->rewrapping) {
        return MLT_OK;
    }
    enum mlt_status st = mlt_rewrap_redo(&s->rewrapped, &s->files, err);
    if (st || s->read_only || opt->keep_progress) {
        return st;
    }
    memset(&s->rewrapped, 0, sizeof(s->rewrapped));
    st = s->env->sync(s->env, s->files.file[MLT_FILE_SLOTS], err);
    return st ? st : mlt_rewrap_forget(&s->files, err);
}

enum mlt_status mlt_store_open(struct mlt_store **out, struct mlt_env *env, const struct mlt_store_options *opt,
                               struct mlt_error *err) {
    char path[DIR_LEN + 32];
    *out = NULL;
    if (strlen(opt->dir) >= DIR_LEN) {
        return mlt_fail(err, MLT_LIMIT, "the path %s is longer than %d bytes", opt->dir, DIR_LEN - 1);
    }
    struct mlt_store *s = calloc(1, sizeof(*s));
    if (!s) {
        return mlt_fail(err, MLT_NOMEM, "no memory to open %s", opt->dir);
    }
    (void)pthread_mutex_init(&s->header_mu, NULL); // cannot fail on Linux with default attributes
    (void)pthread_mutex_init(&s->flush_mu, NULL);
    (void)pthread_mutex_init(&s->mu, NULL);
    (void)pthread_cond_init(&s->wake, NULL);
    (void)pthread_cond_init(&s->flushed, NULL);
    (void)snprintf(s->dir, sizeof(s->dir), "%s", opt->dir);
    s->env = env;
    s->read_only = opt->read_only;
    s->reserve_bytes = opt->reserve_bytes ? opt->reserve_bytes : MLT_RESERVE_BYTES_DEFAULT;
    s->fatal = opt->fatal;
    s->fatal_arg = opt->fatal_arg;
    enum mlt_status st = MLT_OK;
    if (opt->read_only) {
        st = mlt_overlay_new(&s->overlay, env, err);
        s->env = s->overlay;
    }
    journal_path(path, opt->dir);
    st = st ? st : mlt_journal_open(&s->journal, s->env, path, err);
    st = st ? st : mlt_files_open(&s->files, s->env, opt->dir, &s->journal.header.mark, true, err);
    st = st ? st : mlt_recover(&s->journal, &s->files, &opt->head, &s->frontier, &s->committed, err);
    st = st ? st : resume_rewrap(s, opt, err);
    if (st) {
        store_free(s);
        return st;
    }
    s->applied = s->committed;
    s->durable_group = s->committed.next_group;
    *out = s;
    return MLT_OK;
}

enum mlt_status mlt_store_failed(struct mlt_store *s, struct mlt_error *err) {
    pthread_mutex_lock(&s->mu);
    enum mlt_status st = s->failed ? MLT_IO : MLT_OK;
    if (st && err) {
        *err = s->error;
    }
    pthread_mutex_unlock(&s->mu);
    return st;
}

enum mlt_status mlt_store_fail(struct mlt_store *s, const struct mlt_error *why) {
    pthread_mutex_lock(&s->mu);
    bool first = !s->failed;
    if (first) {
        s->failed = true;
        s->error = *why;
        s->error.status = MLT_IO;
    }
    pthread_cond_broadcast(&s->flushed);
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->mu);
    if (first && s->fatal) {
        s->fatal(s->fatal_arg, why);
    }
    return MLT_IO;
}

// Every failure after which the disk's content is unknown goes through here.
static enum mlt_status poison(struct mlt_store *s, struct mlt_error *own, struct mlt_error *err) {
    if (err) {
        *err = *own;
        err->status = MLT_IO;
    }
    return mlt_store_fail(s, own);
}

// Puts a region into use: from its header on, groups with this nonce count.
static enum mlt_status use_region(struct mlt_store *s, unsigned region, bool first_use, struct mlt_error *err) {
    uint64_t nonce = 0;
    enum mlt_status st = MLT_OK;
    while (!st && nonce == 0) {
        st = s->env->random(s->env, &nonce, sizeof(nonce), err);
    }
    if (st) {
        return st;
    }
    pthread_mutex_lock(&s->header_mu);
    struct mlt_journal_header h = s->journal.header;
    if (first_use) {
        memset(h.nonce, 0, sizeof(h.nonce));
    }
    h.nonce[region] = nonce;
    h.first_group[region] = s->committed.next_group;
    h.active = region;
    st = mlt_journal_write_header(&s->journal, &h, err);
    pthread_mutex_unlock(&s->header_mu);
    if (!st) {
        mlt_journal_use_region(&s->journal, region, nonce);
        s->half_flushed = false;
    }
    return st;
}

static enum mlt_status sync_snapshot(struct mlt_store *s, const struct mlt_watermark *mark, struct mlt_bytes details,
                                     struct mlt_error *err) {
    enum mlt_status st = mlt_files_sync_details(&s->files, details, err);
    st = st ? st : mlt_files_sync(&s->files, err);
    if (st) {
        return st;
    }
    pthread_mutex_lock(&s->header_mu);
    struct mlt_journal_header h = s->journal.header;
    h.mark = *mark;
    st = mlt_journal_write_header(&s->journal, &h, err);
    pthread_mutex_unlock(&s->header_mu);
    return st;
}

enum mlt_status mlt_store_flush(struct mlt_store *s, struct mlt_error *err) {
    struct mlt_error own = {0};
    pthread_mutex_lock(&s->flush_mu);
    enum mlt_status st = mlt_store_failed(s, err);
    if (st) {
        pthread_mutex_unlock(&s->flush_mu);
        return st;
    }
    pthread_mutex_lock(&s->mu);
    struct mlt_watermark mark = s->applied;
    struct mlt_buf details = s->details;
    memset(&s->details, 0, sizeof(s->details));
    bool nothing_new = mark.next_group == s->durable_group;
    pthread_mutex_unlock(&s->mu);
    if (!nothing_new) {
        st = sync_snapshot(s, &mark, mlt_buf_bytes(&details), &own);
    }
    if (st) {
        st = poison(s, &own, err);
    } else {
        pthread_mutex_lock(&s->mu);
        s->durable_group = mark.next_group;
        pthread_cond_broadcast(&s->flushed);
        pthread_mutex_unlock(&s->mu);
    }
    mlt_buf_clear(&details);
    pthread_mutex_unlock(&s->flush_mu);
    return st;
}

static void *flusher_main(void *arg) {
    struct mlt_store *s = arg;
    for (;;) {
        pthread_mutex_lock(&s->mu);
        while (!s->flush_wanted && !s->stop && !s->failed) {
            pthread_cond_wait(&s->wake, &s->mu);
        }
        bool done = s->stop || s->failed;
        s->flush_wanted = false;
        pthread_mutex_unlock(&s->mu);
        if (done || mlt_store_flush(s, NULL) != MLT_OK) {
            return NULL;
        }
    }
}

enum mlt_status mlt_store_start(struct mlt_store *s, struct mlt_error *err) {
    assert(!s->started && !s->read_only);
    uint64_t len = mlt_journal_region_offset(&s->journal, MLT_JOURNAL_REGIONS);
    enum mlt_status st = s->env->allocate(s->env, s->journal.file, len, err);
    st = st ? st : s->env->sync(s->env, s->journal.file, err);
    st = st ? st : use_region(s, 0, true, err);
    if (st) {
        return mlt_context(err, st, "prepare the journal");
    }
    if (pthread_create(&s->flusher, NULL, flusher_main, s) != 0) {
        return mlt_fail(err, MLT_NOMEM, "no thread for the store");
    }
    s->started = true;
    return MLT_OK;
}

uint64_t mlt_store_group_max(const struct mlt_store *s) {
    // The worst case of rounding up, of the header, and of the stamps.
    return s->journal.region_bytes / MLT_SECTOR * MLT_SECTOR_DATA - MLT_IO_ALIGN - MLT_GROUP_HEADER;
}

void mlt_store_begin(struct mlt_store *s) {
    mlt_group_builder_reset(&s->builder);
    mlt_group_hashes_reset(&s->hashes);
}

enum mlt_status mlt_store_add(struct mlt_store *s, const struct mlt_draft *d, uint8_t leaf[static MLT_HASH_LEN],
                              struct mlt_error *err) {
    enum mlt_status st = mlt_group_builder_add(&s->builder, d, err);
    if (!st) {
        mlt_merkle_leaf(leaf, mlt_bytes_of(d->entry, d->entry_len));
        mlt_buf_put(&s->hashes.level[0], leaf, MLT_HASH_LEN);
        st = s->hashes.level[0].failed ? mlt_fail(err, MLT_NOMEM, "no memory for a leaf hash") : MLT_OK;
    }
    return st;
}

static void want_flush(struct mlt_store *s) {
    pthread_mutex_lock(&s->mu);
    s->flush_wanted = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mu);
}

// Goes on to the other region, once nothing in it is needed any more.
static enum mlt_status switch_region(struct mlt_store *s, struct mlt_error *err) {
    unsigned other = 1 - s->journal.region;
    s->last_group[s->journal.region] = s->committed.next_group;
    want_flush(s);
    pthread_mutex_lock(&s->mu);
    while (s->durable_group < s->last_group[other] && !s->failed) {
        pthread_cond_wait(&s->flushed, &s->mu);
    }
    pthread_mutex_unlock(&s->mu);
    enum mlt_status st = mlt_store_failed(s, err);
    return st ? st : use_region(s, other, false, err);
}

enum mlt_status mlt_store_commit(struct mlt_store *s, int64_t received, struct mlt_watermark *after,
                                 struct mlt_error *err) {
    struct mlt_error own = {0};
    struct mlt_group *g = &s->group;
    struct mlt_frontier grown = s->frontier;
    memset(g, 0, sizeof(*g));
    mlt_group_builder_sections(&s->builder, g);
    g->number = s->committed.next_group;
    g->first = s->committed.size;
    g->received = received;
    assert(s->started && g->count > 0);
    enum mlt_status st = mlt_store_failed(s, err);
    st = st ? st : mlt_group_hash(&s->hashes, &grown, g, err);
    if (st) {
        return st;
    }
    mlt_frontier_root(&grown, g->root);
    if (!mlt_journal_room(&s->journal, mlt_group_len(g))) {
        if (mlt_group_disk_len(mlt_group_len(g)) > s->journal.region_bytes) {
            return mlt_fail(err, MLT_LIMIT, "a group of %llu bytes does not fit into a journal region of %llu",
                            (unsigned long long)mlt_group_len(g), (unsigned long long)s->journal.region_bytes);
        }
        st = switch_region(s, &own);
    }
    st = st ? st : mlt_journal_append(&s->journal, g, &own);
    if (st == MLT_NOSPACE || st == MLT_NOMEM) {
        if (err) {
            *err = own;
        }
        return st;
    }
    if (st) {
        return poison(s, &own, err);
    }
    // The point of no return: from here on a crash recovers this group.
    s->frontier = grown;
    s->committed.size = grown.size;
    memcpy(s->committed.root, g->root, MLT_HASH_LEN);
    s->committed.entries_len += g->entries.len;
    s->committed.payloads_len += g->payloads.len;
    s->committed.next_group++;
    s->committed.received = received;
    *after = s->committed;
    return MLT_OK;
}

static enum mlt_status note_details(struct mlt_store *s, struct mlt_error *err) {
    struct mlt_detail detail;
    size_t at = 0;
    while (mlt_group_detail(&s->group, &at, &detail)) {
        mlt_buf_put(&s->details, detail.hash, MLT_HASH_LEN);
    }
    return s->details.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a list of details") : MLT_OK;
}

enum mlt_status mlt_store_apply(struct mlt_store *s, struct mlt_error *err) {
    struct mlt_error own = {0};
    enum mlt_status st = mlt_files_apply(&s->files, &s->group, &s->hashes, false, &own);
    pthread_mutex_lock(&s->mu);
    st = st ? st : note_details(s, &own);
    if (!st) {
        s->applied = s->committed;
        s->num_syncs++;
    }
    pthread_mutex_unlock(&s->mu);
    if (st) {
        return poison(s, &own, err);
    }
    if (!s->half_flushed && s->journal.off > s->journal.region_bytes / 2) {
        s->half_flushed = true;
        want_flush(s);
    }
    return MLT_OK;
}

static enum mlt_status empty_journal(struct mlt_store *s, struct mlt_error *err) {
    struct mlt_journal_header h = {.region_bytes = s->journal.region_bytes, .mark = s->committed};
    pthread_mutex_lock(&s->header_mu);
    enum mlt_status st = mlt_journal_write_header(&s->journal, &h, err);
    pthread_mutex_unlock(&s->header_mu);
    return st;
}

enum mlt_status mlt_store_erase(struct mlt_store *s, const uint64_t *indexes, size_t num_indexes,
                                struct mlt_error *err) {
    struct mlt_error own = {0};
    assert(s->started);
    // After this flush no recovery writes these slots again.
    enum mlt_status st = mlt_store_flush(s, err);
    if (st) {
        return st;
    }
    st = empty_journal(s, &own);
    for (size_t i = 0; i < num_indexes && !st; i++) {
        assert(indexes[i] < s->files.size);
        st = mlt_files_erase_slot(&s->files, indexes[i], &own);
    }
    st = st ? st : s->env->sync(s->env, s->files.file[MLT_FILE_SLOTS], &own);
    st = st ? st : mlt_journal_scrub(&s->journal, &own);
    st = st ? st : use_region(s, 0, true, &own);
    if (!st) {
        memset(s->last_group, 0, sizeof(s->last_group));
        return MLT_OK;
    }
    return poison(s, &own, err);
}

enum mlt_status mlt_store_rewrap(struct mlt_store *s, mlt_rewrap_slot rewrap, void *ctx,
                                 void (*progress)(void *arg, uint64_t done, uint64_t total), void *progress_arg,
                                 struct mlt_rewrap *out, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    uint64_t size = s->committed.size;
    assert(!s->started && !s->read_only);
    *out = s->rewrapped;
    while (!st && out->at < size) {
        st = mlt_rewrap_run(out, &s->files, size, rewrap, ctx, err);
        if (!st && progress) {
            progress(progress_arg, out->at, size);
        }
    }
    return st ? st : mlt_rewrap_forget(&s->files, err);
}

enum mlt_status mlt_store_space(struct mlt_store *s, uint64_t *free_bytes, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    pthread_mutex_lock(&s->mu);
    int64_t now = s->env->monotonic(s->env);
    uint64_t len = s->applied.entries_len + s->applied.payloads_len;
    if (s->space_asked == 0 || now - s->space_asked > SPACE_AGE_NS || len - s->space_asked_len > SPACE_STEP_BYTES) {
        st = s->env->free_space(s->env, s->dir, &s->free_bytes, err);
        s->space_asked = now;
        s->space_asked_len = len;
    }
    *free_bytes = s->free_bytes;
    pthread_mutex_unlock(&s->mu);
    if (!st && *free_bytes < s->reserve_bytes) {
        st = mlt_fail(err, MLT_NOSPACE,
                      "%s has %llu MiB free, the reserve is %llu MiB: appends are refused until there "
                      "is more",
                      s->dir, (unsigned long long)(*free_bytes >> 20), (unsigned long long)(s->reserve_bytes >> 20));
    }
    return st;
}

void mlt_store_mark(struct mlt_store *s, struct mlt_watermark *out) {
    pthread_mutex_lock(&s->mu);
    *out = s->applied;
    pthread_mutex_unlock(&s->mu);
}

uint64_t mlt_store_syncs(struct mlt_store *s) {
    pthread_mutex_lock(&s->mu);
    uint64_t n = s->num_syncs;
    pthread_mutex_unlock(&s->mu);
    return n;
}

const struct mlt_files *mlt_store_files(const struct mlt_store *s) {
    return &s->files;
}

enum mlt_status mlt_store_close(struct mlt_store *s, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    struct mlt_error own = {0};
    if (!s) {
        return MLT_OK;
    }
    if (s->started) {
        pthread_mutex_lock(&s->mu);
        s->stop = true;
        pthread_cond_broadcast(&s->wake);
        pthread_mutex_unlock(&s->mu);
        (void)pthread_join(s->flusher, NULL);
        st = mlt_store_flush(s, err);
        if (!st) {
            st = empty_journal(s, &own);
            st = st ? st : s->env->truncate(s->env, s->journal.file, MLT_JOURNAL_HEADERS_LEN, &own);
            st = st ? st : s->env->sync(s->env, s->journal.file, &own);
            st = st ? poison(s, &own, err) : MLT_OK;
        }
    }
    store_free(s);
    return st;
}
