#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/wait.h"
#include "trail/trail_private.h"

static void end_process(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)fprintf(stderr, "mltrail: %sstopping: %s\n",
                  err->status == MLT_IO ? "what is on disk is unknown, " : "the trail cannot go on, ", err->text);
    _exit(3);
}

static void end_forked(void *arg, const struct mlt_error *err) {
    (void)arg;
    (void)fprintf(stderr, "mltrail: this log has been rolled back or forked, stopping: %s\n", err->text);
    _exit(3);
}

enum mlt_status mlt_trail_sign(struct mlt_trail *t, struct mlt_head *out, uint64_t size,
                               const uint8_t root[static MLT_HASH_LEN], int64_t received, struct mlt_error *err) {
    struct mlt_checkpoint c = {.size = size};
    struct mlt_buf note = {0};
    if (!t->has_state) {
        return mlt_fail(err, MLT_DENIED, "no signing key: the state directory %s is not there", t->state_dir);
    }
    if (!t->state.signer.key) {
        return mlt_fail(err, MLT_DENIED, "the signing key is in a PKCS#11 token, which is opened to write only");
    }
    memcpy(c.origin, t->meta.origin, sizeof(c.origin));
    memcpy(c.root, root, MLT_HASH_LEN);
    pthread_mutex_lock(&t->sign_mu);
    enum mlt_status st = mlt_checkpoint_sign(&note, &c, &t->state.signer, err);
    pthread_mutex_unlock(&t->sign_mu);
    if (!st && note.len > sizeof(out->note)) {
        st = mlt_fail(err, MLT_INTERNAL, "a checkpoint of %zu bytes", note.len);
    }
    if (!st) {
        memset(out, 0, sizeof(*out));
        out->size = size;
        memcpy(out->root, root, MLT_HASH_LEN);
        out->received = received;
        memcpy(out->note, note.data, note.len);
        out->note_len = note.len;
    }
    mlt_buf_clear(&note);
    return st;
}

static void trail_free(struct mlt_trail *t) {
    mlt_state_close(&t->state);
    if (t->lock) {
        t->env->close(t->env, t->lock);
    }
    pthread_mutex_destroy(&t->sign_mu);
    pthread_mutex_destroy(&t->publish_mu);
    pthread_mutex_destroy(&t->commit_mu);
    pthread_mutex_destroy(&t->mu);
    pthread_cond_destroy(&t->work);
    pthread_cond_destroy(&t->changed);
    free(t->group_drafts);
    free(t);
}

enum mlt_status mlt_trail_paths(char dir[static MLT_PATH_MAX], char state_dir[static MLT_PATH_MAX],
                                const struct mlt_trail_options *opt, struct mlt_error *err) {
    int n = snprintf(dir, MLT_PATH_MAX, "%s", opt->dir);
    for (size_t len = strlen(dir); len > 1 && dir[len - 1] == '/'; len--) {
        dir[len - 1] = '\0';
    }
    int m = snprintf(state_dir, MLT_PATH_MAX, "%s%s", opt->state_dir ? opt->state_dir : dir,
                     opt->state_dir ? "" : ".state");
    return n < 0 || n >= MLT_PATH_MAX || m < 0 || m >= MLT_PATH_MAX
               ? mlt_fail(err, MLT_LIMIT, "the path of a trail is longer than %d bytes", MLT_PATH_MAX - 1)
               : MLT_OK;
}

enum mlt_status mlt_trail_state_path(char out[static MLT_PATH_MAX], const struct mlt_trail_options *opt,
                                     struct mlt_error *err) {
    char dir[MLT_PATH_MAX];
    return mlt_trail_paths(dir, out, opt, err);
}

static enum mlt_status read_meta(struct mlt_trail *t, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf text = {0};
    (void)snprintf(path, sizeof(path), "%s/trail.json", t->dir);
    enum mlt_status st = mlt_env_read_file(t->env, path, MLT_META_LEN_MAX, &text, err);
    if (st == MLT_NOTFOUND) {
        st = mlt_fail(err, MLT_NOTFOUND, "%s is no trail: it has no trail.json; `mltrail init` makes one", t->dir);
    } else if (!st) {
        st = mlt_meta_parse(&t->meta, mlt_buf_bytes(&text), err);
        st = st ? mlt_context(err, MLT_CORRUPT, "%s", t->dir) : MLT_OK;
    }
    mlt_buf_clear(&text);
    return st;
}

static enum mlt_status take_lock(struct mlt_trail *t, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    if (t->read_only) {
        return MLT_OK;
    }
    (void)snprintf(path, sizeof(path), "%s/lock", t->dir);
    enum mlt_status st = t->env->lock(t->env, &t->lock, path, err);
    if (st == MLT_BUSY) {
        st = mlt_fail(err, MLT_BUSY, "%s is being written by another process; one writer at a time", t->dir);
    }
    return st;
}

// trail.json follows <state>/signing.key: after a crash in between, or in a restored copy, it names fewer keys.
static enum mlt_status check_chain(struct mlt_trail *t, struct mlt_error *err) {
    const struct mlt_key_chain *ours = &t->state.chain;
    if (mlt_key_chain_ends_with(ours, &t->meta.chain)) {
        return MLT_OK;
    }
    if (mlt_key_chain_ends_with(&t->meta.chain, ours)) {
        return mlt_fail(err, MLT_CONFLICT,
                        "trail.json names a key that is newer than the one in %s: that directory is an older copy",
                        t->state_dir);
    }
    return mlt_fail(err, MLT_CONFLICT, "%s belongs to %s, the trail is %s; its own --state would be right",
                    t->state_dir, ours->keys[0].name, t->meta.origin);
}

static enum mlt_status open_state(struct mlt_trail *t, const struct mlt_trail_options *opt, struct mlt_head *head,
                                  struct mlt_error *err) {
    const struct mlt_state_options so = {.dir = t->state_dir, .writable = !t->read_only, .pin = opt->pin};
    enum mlt_status st = mlt_state_open(&t->state, t->env, &so, head, err);
    if (st == MLT_NOTFOUND && t->read_only) {
        mlt_error_clear(err);
        t->vkey = t->meta.chain.keys[0];
        return MLT_OK; // a copy without its secrets can still be read
    }
    if (st) {
        return mlt_context(err, st, "state directory %s", t->state_dir);
    }
    t->has_state = true;
    t->vkey = t->state.signer.vkey;
    return check_chain(t, err);
}

// The key in use has its place in trail.json before it signs anything there.
static enum mlt_status follow_chain(struct mlt_trail *t, struct mlt_error *err) {
    if (!t->has_state || t->meta.chain.num_keys == t->state.chain.num_keys) {
        return MLT_OK;
    }
    t->meta.chain = t->state.chain;
    (void)snprintf(t->meta.origin, sizeof(t->meta.origin), "%s", t->vkey.name);
    return t->read_only ? MLT_OK : mlt_trail_write_meta(t->env, t->dir, &t->meta, &t->state.signer, err);
}

// The published checkpoint must not be ahead of the tree, nor of another one. What is there but no checkpoint of ours
// is for `verify` to tell; the next publication replaces it.
static enum mlt_status check_checkpoint(struct mlt_trail *t, struct mlt_error *err) {
    struct mlt_buf note = {0};
    struct mlt_checkpoint c;
    struct mlt_checkpoint by_newest;
    uint8_t root[MLT_HASH_LEN];
    struct mlt_watermark mark;
    mlt_store_mark(t->store, &mark);
    const struct mlt_key_chain *chain = t->has_state ? &t->state.chain : &t->meta.chain;
    enum mlt_status st = mlt_trail_checkpoint(t, &note, NULL);
    if (!st && mlt_key_chain_open(chain, &c, mlt_buf_bytes(&note), NULL) == MLT_OK) {
        // One by a key that was replaced is due to be signed again.
        t->published = mlt_checkpoint_open(&by_newest, mlt_buf_bytes(&note), &t->vkey, NULL) == MLT_OK;
        t->published_size = c.size;
        if (c.size > mark.size) {
            st = mlt_fail(err, MLT_CONFLICT,
                          "the published checkpoint has size %llu, this trail ends at %llu: an older "
                          "copy was put in its place",
                          (unsigned long long)c.size, (unsigned long long)mark.size);
        } else {
            struct mlt_hash_source src = mlt_trail_hashes(t);
            st = mlt_merkle_root(&src, c.size, root, err);
            if (!st && memcmp(root, c.root, MLT_HASH_LEN) != 0) {
                st = mlt_fail(err, MLT_CONFLICT, "this tree does not extend the published checkpoint of size %llu",
                              (unsigned long long)c.size);
            }
        }
    } else {
        st = MLT_OK;
    }
    mlt_buf_clear(&note);
    return st;
}

static enum mlt_status open_store(struct mlt_trail *t, const struct mlt_trail_options *opt, struct mlt_error *err) {
    struct mlt_head head = {0};
    enum mlt_status st = open_state(t, opt, &head, err);
    struct mlt_store_options so = {.dir = t->dir,
                                   .read_only = t->read_only,
                                   .reserve_bytes = opt->reserve_bytes,
                                   .fatal = t->fatal,
                                   .fatal_arg = t->fatal_arg,
                                   .rewrapping = t->has_state && t->state.keys.has_old_kek,
                                   .keep_progress = t->purpose == MLT_FOR_REWRAP};
    so.head.known = t->has_state && t->purpose != MLT_FOR_RECOVER;
    so.head.size = head.size;
    memcpy(so.head.root, head.root, MLT_HASH_LEN);
    st = st ? st : mlt_store_open(&t->store, t->env, &so, err);
    t->head = head;
    if (st || t->purpose == MLT_FOR_RECOVER) {
        return st;
    }
    st = check_checkpoint(t, err);
    st = st ? st : follow_chain(t, err);
    if (st) {
        return st;
    }
    // A group that became durable just before a crash has no head yet.
    struct mlt_watermark mark;
    mlt_store_mark(t->store, &mark);
    t->last_received = mark.received;
    bool is_signed = t->has_state && head.size == mark.size && head.note_len > 0;
    if (!is_signed && t->has_state && t->state.signer.key) {
        st = mlt_trail_sign(t, &t->head, mark.size, mark.root, mark.received, err);
    } else if (!is_signed) {
        t->head.note_len = 0;
        t->head.size = mark.size;
        memcpy(t->head.root, mark.root, MLT_HASH_LEN);
        t->head.received = mark.received;
    }
    return st;
}

enum mlt_status mlt_trail_open(struct mlt_trail **out, struct mlt_env *env, const struct mlt_trail_options *opt,
                               struct mlt_error *err) {
    return mlt_trail_open_for(out, env, opt, MLT_FOR_USE, err);
}

enum mlt_status mlt_trail_open_for(struct mlt_trail **out, struct mlt_env *env, const struct mlt_trail_options *opt,
                                   enum mlt_purpose purpose, struct mlt_error *err) {
    *out = NULL;
    struct mlt_trail *t = calloc(1, sizeof(*t));
    if (!t) {
        return mlt_fail(err, MLT_NOMEM, "no memory to open %s", opt->dir);
    }
    t->env = env;
    t->purpose = purpose;
    t->read_only = opt->read_only;
    t->fatal = opt->fatal ? opt->fatal : end_process;
    t->fatal_arg = opt->fatal_arg;
    t->clock_step = opt->clock_step;
    t->clock_step_arg = opt->clock_step_arg;
    t->cosign = opt->cosign;
    t->cosign_arg = opt->cosign_arg;
    t->published_cb = opt->published;
    t->published_arg = opt->published_arg;
    t->forked = opt->forked ? opt->forked : end_forked;
    t->forked_arg = opt->forked_arg;
    t->again_at = INT64_MAX;
    t->publish_interval_ns = opt->publish_interval_ns ? opt->publish_interval_ns : MLT_PUBLISH_INTERVAL_DEFAULT;
    if (t->publish_interval_ns < MLT_PUBLISH_INTERVAL_MIN) {
        t->publish_interval_ns = MLT_PUBLISH_INTERVAL_MIN;
    }
    (void)pthread_mutex_init(&t->sign_mu, NULL);
    (void)pthread_mutex_init(&t->publish_mu, NULL);
    (void)pthread_mutex_init(&t->commit_mu, NULL);
    (void)pthread_mutex_init(&t->mu, NULL);
    (void)pthread_cond_init(&t->work, NULL);
    (void)mlt_wait_init(&t->changed);
    enum mlt_status st = mlt_trail_paths(t->dir, t->state_dir, opt, err);
    st = st ? st : read_meta(t, err);
    st = st ? st : take_lock(t, err);
    st = st ? st : open_store(t, opt, err);
    if (st) {
        (void)mlt_store_close(t->store, NULL);
        trail_free(t);
        return st;
    }
    *out = t;
    return MLT_OK;
}

static enum mlt_status start_threads(struct mlt_trail *t, struct mlt_error *err) {
    if (pthread_create(&t->committer, NULL, mlt_committer_main, t) != 0) {
        return mlt_fail(err, MLT_NOMEM, "no thread for the committer");
    }
    if (pthread_create(&t->publisher, NULL, mlt_publisher_main, t) != 0) {
        pthread_mutex_lock(&t->mu);
        t->stop_committer = true;
        pthread_cond_signal(&t->work);
        pthread_mutex_unlock(&t->mu);
        (void)pthread_join(t->committer, NULL);
        return mlt_fail(err, MLT_NOMEM, "no thread for the publisher");
    }
    return MLT_OK;
}

enum mlt_status mlt_trail_start(struct mlt_trail *t, const struct mlt_admission *admission, struct mlt_error *err) {
    if (t->read_only) {
        return mlt_fail(err, MLT_DENIED, "%s is open for reading only", t->dir);
    }
    if (admission) {
        t->admission = *admission;
        t->has_admission = true;
    }
    enum mlt_status st = mlt_state_put_head(&t->state, &t->head, err);
    st = st ? st : mlt_store_start(t->store, err);
    st = st ? st : start_threads(t, err);
    pthread_mutex_lock(&t->mu);
    // What others signed under the checkpoint that lies there is not known to be fresh, nor enough.
    t->published = t->published && !t->cosign;
    t->started = t->accepting = !st;
    pthread_mutex_unlock(&t->mu);
    return st ? st : mlt_trail_key_changes(t, err);
}

enum mlt_status mlt_trail_close(struct mlt_trail *t, struct mlt_error *err) {
    enum mlt_status st = MLT_OK;
    if (!t) {
        return MLT_OK;
    }
    if (t->started) {
        pthread_mutex_lock(&t->mu);
        t->accepting = false;
        t->stop_committer = true;
        pthread_cond_broadcast(&t->work);
        pthread_mutex_unlock(&t->mu);
        (void)pthread_join(t->committer, NULL);
        pthread_mutex_lock(&t->mu);
        t->stop_publisher = true;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->mu);
        (void)pthread_join(t->publisher, NULL);
        st = mlt_trail_publish(t, err);
        st = st == MLT_BUSY ? MLT_OK : st; // the checkpoint is late, everything is durable
    }
    enum mlt_status closed = mlt_store_close(t->store, st ? NULL : err);
    trail_free(t);
    return st ? st : closed;
}

enum mlt_status mlt_trail_erase(struct mlt_trail *t, const uint64_t *indexes, size_t num_indexes,
                                struct mlt_error *err) {
    struct mlt_watermark mark;
    if (!t->started) {
        return mlt_fail(err, MLT_DENIED, "%s is not open for writing", t->dir);
    }
    pthread_mutex_lock(&t->commit_mu);
    mlt_store_mark(t->store, &mark);
    enum mlt_status st = MLT_OK;
    for (size_t i = 0; i < num_indexes && !st; i++) {
        if (indexes[i] >= mark.size) {
            st = mlt_fail(err, MLT_NOTFOUND, "there is no entry %llu", (unsigned long long)indexes[i]);
        }
    }
    st = st ? st : mlt_store_erase(t->store, indexes, num_indexes, err);
    pthread_mutex_unlock(&t->commit_mu);
    return st;
}
