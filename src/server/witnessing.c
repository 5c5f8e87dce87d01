// The witnesses of the trail that is served: what <state> keeps of them, the hook of the publisher, the check at start.
#include <stdio.h>
#include <stdlib.h>

#include "server/witnessing_private.h"

#define MODE_MAX 32 // "require" and a newline, with room to see that it is something else

// -- what <state> keeps -----------------------------------------------------------------------------------------------

static void path_of(char out[static MLT_PATH_MAX + 32], const char *dir, const char *name) {
    (void)snprintf(out, MLT_PATH_MAX + 32, "%s/%s", dir, name);
}

static enum mlt_status read_kept(struct mlt_env *env, const char *state_dir, const char *name, size_t max,
                                 struct mlt_buf *out, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    path_of(path, state_dir, name);
    enum mlt_status status = mlt_env_read_file(env, path, max, out, err);
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    return status;
}

// An unchanged file is left alone: commands that work on a trail need no write access to say the same again.
static enum mlt_status keep(struct mlt_env *env, const char *state_dir, const char *name, struct mlt_bytes content,
                            struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf present = {0};
    path_of(path, state_dir, name);
    bool same = mlt_env_read_file(env, path, MLT_POLICY_TEXT_MAX, &present, NULL) == MLT_OK &&
                mlt_bytes_equal(mlt_buf_bytes(&present), content);
    mlt_buf_clear(&present);
    return same ? MLT_OK : mlt_env_replace_file(env, path, content, false, err);
}

static enum mlt_status forget(struct mlt_env *env, const char *state_dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    path_of(path, state_dir, "policy");
    enum mlt_status status = env->unlink(env, path, err);
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    return status ? status : env->sync_dir(env, state_dir, err);
}

static enum mlt_status read_mode(struct mlt_witnessing *w, const struct mlt_witnessing_options *opt,
                                 const char *state_dir, struct mlt_error *err) {
    if (opt->mode != MLT_WITNESS_AS_KEPT) {
        w->require = opt->mode == MLT_WITNESS_REQUIRE;
        return MLT_OK;
    }
    struct mlt_buf text = {0};
    enum mlt_status status = read_kept(w->env, state_dir, "witness-mode", MODE_MAX, &text, err);
    w->require = mlt_bytes_is(mlt_buf_bytes(&text), "require\n");
    if (!status && !w->require && text.len > 0 && !mlt_bytes_is(mlt_buf_bytes(&text), "prefer\n")) {
        status = mlt_fail(err, MLT_CORRUPT, "%s/witness-mode says neither \"prefer\" nor \"require\"", state_dir);
    }
    mlt_buf_clear(&text);
    return status;
}

static enum mlt_status read_policy(struct mlt_witnessing *w, const struct mlt_witnessing_options *opt,
                                   const char *state_dir, struct mlt_error *err) {
    bool given = opt->policy.len > 0;
    enum mlt_status status = MLT_OK;
    if (given) {
        mlt_buf_put_bytes(&w->text, opt->policy);
    } else {
        status = read_kept(w->env, state_dir, "policy", MLT_POLICY_TEXT_MAX, &w->text, err);
    }
    if (status || w->text.len == 0) {
        return status;
    }
    status = mlt_policy_parse(&w->policy, mlt_buf_bytes(&w->text), err);
    return status ? mlt_context(err, status, given ? "the policy" : "%s/policy", state_dir) : MLT_OK;
}

enum mlt_status mlt_witnessing_keep(struct mlt_env *env, const struct mlt_witnessing_options *opt,
                                    const char *state_dir, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    if (opt->forget) {
        return forget(env, state_dir, err);
    }
    if (opt->policy.len > 0) {
        status = keep(env, state_dir, "policy", opt->policy, err);
    }
    if (status == MLT_OK && opt->mode != MLT_WITNESS_AS_KEPT) {
        status = keep(env, state_dir, "witness-mode",
                      mlt_str(opt->mode == MLT_WITNESS_REQUIRE ? "require\n" : "prefer\n"), err);
    }
    return status;
}

// -- the hook of the trail --------------------------------------------------------------------------------------------

static void to_stderr(void *arg, const char *line) {
    (void)arg;
    (void)fprintf(stderr, "mltrail: %s\n", line);
}

static uint64_t size_now(void *arg) {
    struct mlt_head head;
    mlt_trail_head(arg, &head);
    return head.size;
}

// What was gathered says, as one word for people: n of the policy, k of them on this head.
static enum mlt_status gather(struct mlt_witnessing *w, const struct mlt_head *head, struct mlt_hash_source hashes,
                              bool all, struct mlt_buf *note, struct mlt_ring_result *out, struct mlt_error *err) {
    const struct mlt_ring_head ring_head = {.size = head->size,
                                            .note = mlt_bytes_of(head->note, head->note_len),
                                            .hashes = hashes,
                                            .size_now = size_now,
                                            .size_now_arg = w->trail};
    enum mlt_status status = mlt_ring_gather(w->ring, &ring_head, all, note, out, err);
    if (status == MLT_OK) {
        pthread_mutex_lock(&w->mu);
        w->tried = true;
        w->size = head->size;
        w->last = *out;
        pthread_mutex_unlock(&w->mu);
    }
    return status;
}

// The first witness that does not know this log or its key: time alone will not help.
static bool find_refusing(struct mlt_witnessing *w, struct mlt_ring_status *is) {
    for (size_t i = 0; i < w->policy.num_witnesses; i++) {
        mlt_ring_get(w->ring, i, is);
        if (is->state == MLT_RING_REFUSING) {
            return true;
        }
    }
    return false;
}

static enum mlt_status no_quorum(struct mlt_witnessing *w, const struct mlt_ring_result *r, struct mlt_error *err) {
    struct mlt_ring_status is;
    (void)mlt_fail(err, MLT_BUSY,
                   "only %zu of %zu witnesses cosigned, which is not the policy's quorum, and --witness-mode is "
                   "require",
                   r->num_cosigned, r->num_witnesses);
    if (err && find_refusing(w, &is)) {
        const size_t len = strlen(err->text);
        (void)snprintf(err->text + len, sizeof(err->text) - len, "; %.*s: %s", MLT_ARG(is.witness->name),
                       is.last_error);
    }
    return MLT_BUSY;
}

static enum mlt_status cosign(void *arg, const struct mlt_head *head, const struct mlt_hash_source *hashes,
                              struct mlt_buf *note, struct mlt_cosigned *out, struct mlt_error *err) {
    struct mlt_witnessing *w = arg;
    struct mlt_ring_result result;
    enum mlt_status status = gather(w, head, *hashes, false, note, &result, err);
    if (status == MLT_OK && !result.quorum && w->require) {
        status = no_quorum(w, &result, err);
    }
    *out = (struct mlt_cosigned){.quorum = result.quorum, .again_ns = result.again_s * MLT_NS_PER_S};
    return status;
}

bool mlt_witnessing_published(struct mlt_witnessing *w, uint64_t size, const struct mlt_cosigned *cosigned) {
    bool changed;
    if (!w) {
        return true;
    }
    pthread_mutex_lock(&w->mu);
    changed = w->published_size > 0 && w->published_quorum != cosigned->quorum;
    w->published_size = size;
    w->published_quorum = cosigned->quorum;
    w->proven_size = cosigned->quorum ? size : w->proven_size;
    pthread_mutex_unlock(&w->mu);
    if (changed) {
        w->log(w->log_arg, cosigned->quorum ? "the witnesses' quorum is met again"
                                            : "the witnesses' quorum is not met: checkpoints are self-attested");
    }
    return cosigned->quorum;
}

void mlt_witnessing_hook(struct mlt_witnessing *w, struct mlt_trail_options *opt) {
    if (w) {
        opt->cosign = cosign;
        opt->cosign_arg = w;
    }
}

// What is due is published by the next process that asks the witnesses.
static enum mlt_status hold(void *arg, const struct mlt_head *head, const struct mlt_hash_source *hashes,
                            struct mlt_buf *note, struct mlt_cosigned *out, struct mlt_error *err) {
    (void)arg;
    (void)head;
    (void)hashes;
    (void)note;
    (void)out;
    return mlt_fail(err, MLT_BUSY, "nothing is published without the witnesses");
}

enum mlt_status mlt_witnessing_hold(struct mlt_env *env, struct mlt_trail_options *opt, bool *watched,
                                    struct mlt_error *err) {
    char state_dir[MLT_PATH_MAX];
    struct mlt_witnessing *w = NULL;
    const struct mlt_witnessing_options as_kept = {0};
    enum mlt_status status = mlt_trail_state_path(state_dir, opt, err);
    status = status ? status : mlt_witnessing_open(&w, env, &as_kept, state_dir, err);
    *watched = w != NULL;
    if (w && w->require) {
        opt->cosign = hold;
    }
    mlt_witnessing_close(w);
    return status;
}

// -- opening, the check at start --------------------------------------------------------------------------------------

enum mlt_status mlt_witnessing_open(struct mlt_witnessing **out, struct mlt_env *env,
                                    const struct mlt_witnessing_options *opt, const char *state_dir,
                                    struct mlt_error *err) {
    *out = NULL;
    if (opt->forget) {
        return MLT_OK;
    }
    struct mlt_witnessing *w = calloc(1, sizeof *w);
    if (!w) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the witnesses");
    }
    w->env = env;
    w->log = opt->log ? opt->log : to_stderr;
    w->log_arg = opt->log_arg;
    (void)pthread_mutex_init(&w->mu, NULL);
    (void)snprintf(w->evidence_dir, sizeof w->evidence_dir, "%s/evidence", state_dir);
    w->ring_opt = (struct mlt_ring_options){.env = env,
                                            .policy = &w->policy,
                                            .log_key = &w->log_key,
                                            .evidence_dir = w->evidence_dir,
                                            .cacert = opt->cacert,
                                            .log = w->log,
                                            .log_arg = w->log_arg};
    enum mlt_status status = read_policy(w, opt, state_dir, err);
    status = status ? status : read_mode(w, opt, state_dir, err);
    if (status || w->text.len == 0) {
        mlt_witnessing_close(w);
        return status;
    }
    *out = w;
    return MLT_OK;
}

void mlt_witnessing_close(struct mlt_witnessing *w) {
    if (!w) {
        return;
    }
    mlt_ring_close(w->ring);
    mlt_policy_clear(&w->policy);
    mlt_buf_clear(&w->text);
    pthread_mutex_destroy(&w->mu);
    free(w);
}

enum mlt_status mlt_witnessing_check(struct mlt_witnessing *w, struct mlt_trail *trail, struct mlt_error *err) {
    struct mlt_head head;
    struct mlt_buf note = {0};
    struct mlt_ring_result result = {0};
    if (!w) {
        return MLT_OK;
    }
    w->trail = trail;
    w->log_key = *mlt_trail_vkey(trail);
    enum mlt_status status = mlt_ring_open(&w->ring, &w->ring_opt, err);
    if (status) {
        return status;
    }
    mlt_trail_head(trail, &head);
    status = gather(w, &head, mlt_trail_hashes(trail), true, &note, &result, err);
    mlt_buf_clear(&note);
    if (status == MLT_CONFLICT) {
        return mlt_context(err, status, "this log has been rolled back or forked, so nothing is signed or published");
    }
    // An empty tree says nothing that a witness would have to confirm; some take none.
    if (status == MLT_OK && !result.quorum && w->require && head.size > 0) {
        status = no_quorum(w, &result, err);
    }
    return status;
}
