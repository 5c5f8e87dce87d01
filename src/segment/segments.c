#include "segment/segments.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/segment.h"

#define NAME_BYTES_MAX 255 // of a directory entry
// Derived files leave this much free: appends and the records of reads come first. Twice the trail's own reserve.
#define FREE_MIN (UINT64_C(512) << 20)

struct mlt_segments {
    struct mlt_trail *trail;
    struct mlt_segment_job job;        // what somebody waits for
    struct mlt_segment_job background; // what nobody waits for
    struct mlt_env *env;
    const char *dir;
    uint64_t entries;
    struct mlt_segments_options opt;

    atomic_bool stopping;
    atomic_uint waiting; // seals and proofs that wait for build_mu: what goes on in the background makes way

    // Held by who makes files and commitments, taken before `mu`. A merge needs it not: it touches nothing that they
    // do.
    pthread_mutex_t build_mu;
    bool cleaned; // leftovers are removed
    // Files of the tail that nobody committed to: a sixteenth of a whole segment each, so that a seal has little to
    // read.
    struct mlt_segment_part chunk[MLT_SEGMENT_FANOUT];
    size_t num_chunks;
    struct mlt_segment_part sealed; // the last seal that this process made; not known: none

    pthread_mutex_t mu;         // guards the list
    struct mlt_committed *list; // by first, then the longest, then the earliest
    size_t num;
    size_t cap;
};

void mlt_segments_stop(struct mlt_segments *s) {
    atomic_store(&s->stopping, true);
}

static bool is_stopping(void *arg) {
    struct mlt_segments *s = arg;
    return atomic_load(&s->stopping);
}

static bool makes_way(void *arg) {
    struct mlt_segments *s = arg;
    return atomic_load(&s->stopping) || atomic_load(&s->waiting) > 0;
}

static void lock_build(struct mlt_segments *s) {
    atomic_fetch_add(&s->waiting, 1);
    pthread_mutex_lock(&s->build_mu);
    atomic_fetch_sub(&s->waiting, 1);
}

enum mlt_status mlt_segments_open(struct mlt_segments **out, const struct mlt_segments_options *opt,
                                  struct mlt_error *err) {
    uint64_t entries = opt->entries ? opt->entries : MLT_SEGMENT_ENTRIES_DEFAULT;
    *out = NULL;
    if (entries < MLT_SEGMENT_ENTRIES_MIN || (entries & (entries - 1)) != 0) {
        return mlt_fail(err, MLT_INVALID, "a segment has a power of two of entries, at least %llu",
                        (unsigned long long)MLT_SEGMENT_ENTRIES_MIN);
    }
    struct mlt_segments *s = calloc(1, sizeof(*s));
    if (!s) {
        return mlt_fail(err, MLT_NOMEM, "no memory for segments");
    }
    *s = (struct mlt_segments){.trail = opt->trail,
                               .env = mlt_trail_env(opt->trail),
                               .dir = mlt_trail_dir(opt->trail),
                               .entries = entries,
                               .opt = *opt};
    s->job = (struct mlt_segment_job){.trail = s->trail, .stop = is_stopping, .stop_arg = s};
    s->background = (struct mlt_segment_job){.trail = s->trail, .stop = makes_way, .stop_arg = s};
    if (pthread_mutex_init(&s->build_mu, NULL) != 0) {
        free(s);
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    if (pthread_mutex_init(&s->mu, NULL) != 0) {
        pthread_mutex_destroy(&s->build_mu);
        free(s);
        return mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    *out = s;
    return MLT_OK;
}

void mlt_segments_close(struct mlt_segments *s) {
    if (s) {
        pthread_mutex_destroy(&s->mu);
        pthread_mutex_destroy(&s->build_mu);
        free(s->list);
        free(s);
    }
}

// The order of the list: where a cover goes on from `first`, what reaches furthest comes first.
static int list_order(const struct mlt_committed *a, const struct mlt_committed *b) {
    if (a->segment.first != b->segment.first) {
        return a->segment.first < b->segment.first ? -1 : 1;
    }
    if (a->segment.end != b->segment.end) {
        return a->segment.end > b->segment.end ? -1 : 1;
    }
    return (a->entry > b->entry) - (a->entry < b->entry);
}

// The first position whose commitment does not come before `key`.
static size_t list_find(const struct mlt_segments *s, const struct mlt_committed *key) {
    size_t low = 0;
    size_t high = s->num;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list_order(&s->list[middle], key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum mlt_status remember(struct mlt_segments *s, const struct mlt_committed *c, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    pthread_mutex_lock(&s->mu);
    size_t at = list_find(s, c);
    bool known = at < s->num && list_order(&s->list[at], c) == 0;
    if (!known && s->num == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        struct mlt_committed *grown = realloc(s->list, cap * sizeof(*grown));
        if (grown) {
            s->list = grown;
            s->cap = cap;
        } else {
            status = mlt_fail(err, MLT_NOMEM, "no memory for %zu commitments", cap);
        }
    }
    if (!known && status == MLT_OK) {
        memmove(&s->list[at + 1], &s->list[at], (s->num - at) * sizeof(*s->list));
        s->list[at] = *c;
        s->num++;
    }
    pthread_mutex_unlock(&s->mu);
    return status;
}

enum mlt_status mlt_segments_learn(struct mlt_segments *s, uint64_t entry, struct mlt_bytes bytes,
                                   struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_entry e;
    struct mlt_committed c = {.entry = entry};
    enum mlt_status status = mlt_entry_parse(&e, &arena, bytes, err);
    if (status == MLT_OK) {
        status = mlt_segment_read(&c.segment, &e, entry, err);
        mlt_entry_clear(&e);
    }
    mlt_arena_clear(&arena);
    return status ? status : remember(s, &c, err);
}

// The commitment that goes on from `first` furthest in a tree of `size`; under `mu`.
static const struct mlt_committed *furthest(const struct mlt_segments *s, uint64_t first, uint64_t size) {
    const struct mlt_committed key = {.segment = {.first = first, .end = UINT64_MAX}};
    for (size_t i = list_find(s, &key); i < s->num && s->list[i].segment.first == first; i++) {
        if (s->list[i].entry < size) {
            return &s->list[i];
        }
    }
    return NULL;
}

enum mlt_status mlt_segments_at(struct mlt_segments *s, uint64_t size, struct mlt_arena *arena,
                                const struct mlt_committed **list, size_t *num, uint64_t *covered,
                                struct mlt_error *err) {
    const struct mlt_committed *c;
    struct mlt_committed *out = NULL;
    *list = NULL;
    *num = 0;
    *covered = 0;
    pthread_mutex_lock(&s->mu);
    while ((c = furthest(s, *covered, size)) != NULL) {
        *covered = c->segment.end;
        ++*num;
    }
    if (*num > 0) {
        out = mlt_arena_take(arena, *num * sizeof(*out));
    }
    uint64_t at = 0;
    for (size_t i = 0; out && i < *num; i++) {
        out[i] = *furthest(s, at, size);
        at = out[i].segment.end;
    }
    pthread_mutex_unlock(&s->mu);
    *list = out;
    return *num == 0 || out ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for %zu segments", *num);
}

static void remove_file(struct mlt_segments *s, const struct mlt_segment *segment) {
    char path[MLT_SEGMENT_PATH_MAX];
    mlt_segment_path(path, s->dir, segment->first, segment->end, "");
    (void)s->env->unlink(s->env, path, NULL); // left over, it is removed at the next start
}

// Opens the file of a commitment; MLT_NOTFOUND also when what is there is not its file: then it is built anew.
static enum mlt_status open_file(struct mlt_segments *s, const struct mlt_segment *segment,
                                 struct mlt_segment_file *out, struct mlt_error *err) {
    enum mlt_status status = mlt_segment_file_open(out, s->env, s->dir, segment->first, segment->end, err);
    if (status == MLT_OK && (out->segment.num_leaves != segment->num_leaves ||
                             memcmp(out->segment.root, segment->root, MLT_HASH_LEN) != 0)) {
        mlt_segment_file_close(out);
        status = MLT_NOTFOUND;
    }
    return status == MLT_CORRUPT ? MLT_NOTFOUND : status;
}

// Builds the file of a commitment from the entries; under build_mu.
static enum mlt_status rebuild(struct mlt_segments *s, const struct mlt_segment *segment, struct mlt_error *err) {
    struct mlt_segment_part made;
    const struct mlt_segment *built = &made.segment;
    size_t bad;
    enum mlt_status status = mlt_segment_build(&s->job, segment->first, segment->end, NULL, 0, &made, &bad, err);
    if (status == MLT_OK &&
        (built->num_leaves != segment->num_leaves || memcmp(built->root, segment->root, MLT_HASH_LEN) != 0)) {
        remove_file(s, segment);
        status = mlt_fail(err, MLT_CORRUPT,
                          "the links of entries %llu to %llu are not those that the log commits to: run verify",
                          (unsigned long long)segment->first, (unsigned long long)(segment->end - 1));
    }
    return status;
}

static enum mlt_status open_or_rebuild(struct mlt_segments *s, const struct mlt_segment *segment,
                                       struct mlt_segment_file *out, struct mlt_error *err) {
    enum mlt_status status = open_file(s, segment, out, err);
    if (status != MLT_NOTFOUND) {
        return status;
    }
    lock_build(s);
    status = open_file(s, segment, out, err); // somebody else may have built it meanwhile
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        status = rebuild(s, segment, err);
        status = status ? status : open_file(s, segment, out, err);
    }
    pthread_mutex_unlock(&s->build_mu);
    return status;
}

enum mlt_status mlt_segments_prove(struct mlt_segments *s, const struct mlt_committed *which,
                                   const struct mlt_link *link, size_t max_shown, struct mlt_arena *arena,
                                   struct mlt_link_proof *out, struct mlt_error *err) {
    struct mlt_segment_file file;
    enum mlt_status status = open_or_rebuild(s, &which->segment, &file, err);
    if (status != MLT_OK) {
        return status;
    }
    const struct mlt_link_access access = mlt_segment_file_access(&file);
    const char *why = NULL;
    status = mlt_link_prove(&access, link, max_shown, arena, out, err);
    if (status == MLT_OK && !mlt_link_proof_verify(&which->segment, link, out, &why)) {
        // The file is damaged below its header. The next attempt builds it anew.
        remove_file(s, &which->segment);
        status = mlt_fail(err, MLT_CORRUPT, "the file of links %llu-%llu is damaged (%s); it is built again",
                          (unsigned long long)which->segment.first, (unsigned long long)which->segment.end, why);
    }
    mlt_segment_file_close(&file);
    return status;
}

static enum mlt_status commit(struct mlt_segments *s, const struct mlt_segment *segment, struct mlt_error *err) {
    struct mlt_committed c = {.segment = *segment};
    if (!s->opt.commit) {
        return mlt_fail(err, MLT_INVALID, "this trail is open for reading: no segment can be committed to");
    }
    enum mlt_status status = s->opt.commit(s->opt.ctx, segment, &c.entry, err);
    return status ? mlt_context(err, status, "commit to the links of a segment") : remember(s, &c, err);
}

// Where the whole segments end.
static uint64_t whole_end(struct mlt_segments *s) {
    uint64_t end = 0;
    pthread_mutex_lock(&s->mu);
    const struct mlt_committed *c;
    while ((c = furthest(s, end, UINT64_MAX)) != NULL && c->segment.end % s->entries == 0) {
        end = c->segment.end;
    }
    pthread_mutex_unlock(&s->mu);
    return end;
}

// The last seal that begins where the whole segments end.
static bool last_seal(struct mlt_segments *s, uint64_t first, struct mlt_segment *out) {
    pthread_mutex_lock(&s->mu);
    const struct mlt_committed *c = furthest(s, first, UINT64_MAX);
    if (c) {
        *out = c->segment;
    }
    pthread_mutex_unlock(&s->mu);
    return c != NULL;
}

static void drop_chunks(struct mlt_segments *s) {
    for (size_t i = 0; i < s->num_chunks; i++) {
        remove_file(s, &s->chunk[i].segment);
    }
    s->num_chunks = 0;
}

// Makes the file of first … end-1 out of the chunks or the last seal, whichever spares more reading, and the entries.
static enum mlt_status build_tail(struct mlt_segments *s, const struct mlt_segment_job *job, uint64_t first,
                                  uint64_t end, struct mlt_segment_part *out, struct mlt_error *err) {
    struct mlt_segment_part seal = {0};
    const struct mlt_segment_part *parts = s->chunk;
    size_t num_parts = 0;
    size_t bad = 0;
    while (num_parts < s->num_chunks && s->chunk[num_parts].segment.end <= end) {
        num_parts++;
    }
    uint64_t covered = num_parts > 0 ? s->chunk[num_parts - 1].segment.end : first;
    if (last_seal(s, first, &seal.segment) && seal.segment.end <= end && seal.segment.end > covered) {
        const struct mlt_segment_part *own = &s->sealed;
        bool is_own = own->is_known && own->segment.first == first && own->segment.end == seal.segment.end;
        parts = is_own ? own : &seal;
        num_parts = 1;
    }
    enum mlt_status status = mlt_segment_build(job, first, end, parts, num_parts, out, &bad, err);
    if (status != MLT_OK && bad < num_parts) { // a derived file is gone or damaged: the entries have it all
        mlt_error_clear(err);
        status = mlt_segment_build(job, first, end, NULL, 0, out, &bad, err);
    }
    return status;
}

// Commits to first … end-1, which follows the whole segments, and removes what that supersedes.
static enum mlt_status commit_tail(struct mlt_segments *s, const struct mlt_segment_job *job, uint64_t first,
                                   uint64_t end, struct mlt_error *err) {
    struct mlt_segment_part made;
    struct mlt_segment before;
    bool had_seal = last_seal(s, first, &before);
    enum mlt_status status = build_tail(s, job, first, end, &made, err);
    status = status ? status : commit(s, &made.segment, err);
    if (status == MLT_OK) {
        s->sealed = made;
    }
    if (status == MLT_OK && had_seal && before.end < end) {
        remove_file(s, &before);
    }
    if (status == MLT_OK && end - first == s->entries) {
        drop_chunks(s);
    }
    return status;
}

enum mlt_status mlt_segments_seal(struct mlt_segments *s, uint64_t end, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    lock_build(s);
    uint64_t at = whole_end(s);
    while (status == MLT_OK && at < end) {
        struct mlt_segment seal;
        uint64_t stop = end - at < s->entries ? end : at + s->entries;
        if (!last_seal(s, at, &seal) || seal.end < stop) {
            status = commit_tail(s, &s->job, at, stop, err);
        }
        at = stop;
    }
    pthread_mutex_unlock(&s->build_mu);
    return status;
}

struct cleaning {
    struct mlt_segments *s;
    struct mlt_buf names; // of files to remove, a terminator after each
};

// Whether a name is that of a file that a current commitment needs.
static bool is_current(struct mlt_segments *s, const char *name) {
    char path[MLT_SEGMENT_PATH_MAX];
    bool current = false;
    pthread_mutex_lock(&s->mu);
    uint64_t at = 0;
    const struct mlt_committed *c;
    while (!current && (c = furthest(s, at, UINT64_MAX)) != NULL) {
        mlt_segment_path(path, "", c->segment.first, c->segment.end, "");
        current = strcmp(path + strlen("/links/"), name) == 0;
        at = c->segment.end;
    }
    pthread_mutex_unlock(&s->mu);
    return current;
}

static bool look_at_name(void *arg, const char *name) {
    struct cleaning *c = arg;
    if (!is_current(c->s, name)) {
        mlt_buf_put(&c->names, name, strlen(name) + 1);
    }
    return true;
}

// Removes what crashes and earlier processes left: temporary files, chunks, superseded segments; under build_mu.
static enum mlt_status clean(struct mlt_segments *s, struct mlt_error *err) {
    char dir[MLT_SEGMENT_PATH_MAX];
    struct cleaning c = {.s = s};
    (void)snprintf(dir, sizeof(dir), "%s/links", s->dir);
    enum mlt_status status = s->env->list(s->env, dir, look_at_name, &c, err);
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        status = MLT_OK;
    }
    if (status == MLT_OK && c.names.failed) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for the names in %s", dir);
    }
    for (size_t at = 0; status == MLT_OK && at < c.names.len; at += strlen((const char *)c.names.data + at) + 1) {
        char path[MLT_SEGMENT_PATH_MAX + NAME_BYTES_MAX + 1];
        (void)snprintf(path, sizeof(path), "%s/%.255s", dir, (const char *)c.names.data + at);
        status = s->env->unlink(s->env, path, err);
    }
    mlt_buf_clear(&c.names);
    s->cleaned = status == MLT_OK;
    return status;
}

// Sixteen current segments of one length that begin where a segment of sixteen times that length would.
static bool find_merge(struct mlt_segments *s, struct mlt_segment_part out[static MLT_SEGMENT_FANOUT]) {
    const struct mlt_committed *c;
    size_t num = 0;
    uint64_t at = 0;
    pthread_mutex_lock(&s->mu);
    while (num < MLT_SEGMENT_FANOUT && (c = furthest(s, at, UINT64_MAX)) != NULL) {
        uint64_t len = c->segment.end - c->segment.first;
        if (num > 0 && len != out[0].segment.end - out[0].segment.first) {
            num = 0;
        }
        if (num > 0 || (len % s->entries == 0 && at % (len * MLT_SEGMENT_FANOUT) == 0)) {
            out[num++] = (struct mlt_segment_part){.segment = c->segment};
        }
        at = c->segment.end;
    }
    pthread_mutex_unlock(&s->mu);
    return num == MLT_SEGMENT_FANOUT;
}

static enum mlt_status merge(struct mlt_segments *s, const struct mlt_segment_part parts[static MLT_SEGMENT_FANOUT],
                             struct mlt_error *err) {
    struct mlt_segment_part made;
    size_t bad = MLT_SEGMENT_FANOUT;
    uint64_t first = parts[0].segment.first;
    uint64_t end = parts[MLT_SEGMENT_FANOUT - 1].segment.end;
    enum mlt_status status = mlt_segment_build(&s->job, first, end, parts, MLT_SEGMENT_FANOUT, &made, &bad, err);
    // A derived file that is gone or damaged is built again, which shows whether the entries are the ones committed to.
    for (size_t tries = 0; status != MLT_OK && bad < MLT_SEGMENT_FANOUT && tries < MLT_SEGMENT_FANOUT; tries++) {
        mlt_error_clear(err);
        lock_build(s);
        status = rebuild(s, &parts[bad].segment, err);
        pthread_mutex_unlock(&s->build_mu);
        if (status == MLT_OK) {
            status = mlt_segment_build(&s->job, first, end, parts, MLT_SEGMENT_FANOUT, &made, &bad, err);
        } else {
            bad = MLT_SEGMENT_FANOUT;
        }
    }
    status = status ? status : commit(s, &made.segment, err);
    for (size_t i = 0; i < MLT_SEGMENT_FANOUT && status == MLT_OK; i++) {
        remove_file(s, &parts[i].segment);
    }
    return status;
}

// Digests the next sixteenth of the tail, if it is there; `*done` says so.
static enum mlt_status digest_chunk(struct mlt_segments *s, uint64_t whole, uint64_t size, bool *done,
                                    struct mlt_error *err) {
    uint64_t len = s->entries / MLT_SEGMENT_FANOUT;
    size_t bad;
    if (s->num_chunks > 0 && s->chunk[0].segment.first != whole) {
        drop_chunks(s);
    }
    uint64_t first = whole + s->num_chunks * len;
    *done = s->num_chunks < MLT_SEGMENT_FANOUT && size >= first + len;
    if (!*done) {
        return MLT_OK;
    }
    enum mlt_status status =
        mlt_segment_build(&s->background, first, first + len, NULL, 0, &s->chunk[s->num_chunks], &bad, err);
    if (status == MLT_OK) {
        s->num_chunks++;
    }
    return status;
}

static enum mlt_status check_space(struct mlt_segments *s, struct mlt_error *err) {
    uint64_t space;
    enum mlt_status status = s->env->free_space(s->env, s->dir, &space, err);
    if (status == MLT_OK && space < FREE_MIN) {
        status = mlt_fail(err, MLT_NOSPACE, "less than 512 MiB are free: no links are written");
    }
    return status;
}

enum mlt_status mlt_segments_step(struct mlt_segments *s, bool *more, struct mlt_error *err) {
    struct mlt_segment_part parts[MLT_SEGMENT_FANOUT];
    struct mlt_head head;
    enum mlt_status status = check_space(s, err);
    *more = true;
    if (status != MLT_OK) {
        return status;
    }
    mlt_trail_head(s->trail, &head);
    pthread_mutex_lock(&s->build_mu);
    uint64_t whole = whole_end(s);
    bool merges = s->cleaned && find_merge(s, parts);
    if (!s->cleaned) {
        status = clean(s, err);
    } else if (!merges && head.size >= whole + s->entries) {
        status = commit_tail(s, &s->background, whole, whole + s->entries, err);
    } else if (!merges) {
        status = digest_chunk(s, whole, head.size, more, err);
    }
    pthread_mutex_unlock(&s->build_mu);
    return merges ? merge(s, parts, err) : status;
}

uint64_t mlt_segments_covered(struct mlt_segments *s) {
    uint64_t end = 0;
    pthread_mutex_lock(&s->mu);
    const struct mlt_committed *c;
    while ((c = furthest(s, end, UINT64_MAX)) != NULL) {
        end = c->segment.end;
    }
    pthread_mutex_unlock(&s->mu);
    return end;
}
