// The round. In order: is the checkpoint signed, does it go on from the one remembered, are the entries those that were
// signed, what do they say; and only then it is remembered. The point of no return is the renaming of state.json.
#include "monitor/monitor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/monitor_private.h"

static void state_path(const struct mlt_monitor *m, const char *name, char out[static MLT_MONITOR_PATH_MAX]) {
    (void)snprintf(out, MLT_MONITOR_PATH_MAX, "%s/%s", m->opt.state_dir, name);
}

// --- opening ---

static enum mlt_status take_lock(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_env *env = m->opt.env;
    enum mlt_status st = mlt_env_make_dir(env, m->opt.state_dir, true, err);
    if (st) {
        return st;
    }
    state_path(m, "lock", path);
    st = env->lock(env, &m->lock, path, err);
    return st == MLT_BUSY ? mlt_fail(err, MLT_CONFLICT, "another monitor keeps its state in %s", m->opt.state_dir) : st;
}

// --- whose key ---

static bool leads(const struct mlt_monitor *m, const struct mlt_key_chain *chain) {
    bool yes = m->opt.key && mlt_key_chain_leads(chain, m->opt.key);
    for (size_t i = 0; !yes && m->opt.policy && i < m->opt.policy->num_logs; i++) {
        yes = mlt_key_chain_leads(chain, &m->opt.policy->logs[i].vkey);
    }
    return yes;
}

// signer_of gives the key that counts for a checkpoint: the one asked for, or the one that it leads to.
static const struct mlt_vkey *signer_of(const struct mlt_monitor *m, struct mlt_bytes note) {
    struct mlt_checkpoint head;
    size_t at = 0;
    return m->meta && mlt_key_chain_open(&m->meta->chain, &head, note, NULL) == MLT_OK &&
                   mlt_key_chain_signer(&m->meta->chain, &head, &at, note, NULL) == MLT_OK
               ? &m->meta->chain.keys[at]
               : m->opt.key;
}

// take_chain believes a trail.json that leads from a key that is asked for.
static enum mlt_status take_chain(struct mlt_monitor *m, struct mlt_bytes text, bool *taken, struct mlt_error *err) {
    struct mlt_meta *meta = calloc(1, sizeof *meta);
    *taken = false;
    if (!meta) {
        return mlt_fail(err, MLT_NOMEM, "no memory for trail.json");
    }
    if (mlt_meta_parse(meta, text, NULL) == MLT_OK && mlt_meta_verify(meta, text, &meta->chain.keys[0]) &&
        leads(m, &meta->chain)) {
        free(m->meta);
        m->meta = meta;
        *taken = true;
        return MLT_OK;
    }
    free(meta);
    return MLT_OK;
}

// The chain is kept beside the state: what is remembered may be signed by a key that only it leads to.
static enum mlt_status load_chain(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf text = {0};
    bool taken;
    state_path(m, "trail.json", path);
    enum mlt_status st = mlt_env_read_file(m->opt.env, path, MLT_META_LEN_MAX, &text, err);
    st = st ? st : take_chain(m, mlt_buf_bytes(&text), &taken, err);
    mlt_buf_clear(&text);
    if (st == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    return st;
}

static enum mlt_status fetch_chain(struct mlt_monitor *m, bool *taken, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf text = {0};
    *taken = false;
    state_path(m, "trail.json", path);
    // A log without one has no changes of keys to tell of.
    enum mlt_status st = m->opt.fetch.get(m->opt.fetch.ctx, "trail.json", MLT_META_LEN_MAX, &text, NULL);
    st = st ? MLT_OK : take_chain(m, mlt_buf_bytes(&text), taken, err);
    if (!st && *taken) {
        st = mlt_env_replace_file(m->opt.env, path, mlt_buf_bytes(&text), false, err);
    }
    mlt_buf_clear(&text);
    return st;
}

// Is the note signed as the options ask? `*why` says what is wrong when it is not.
static enum mlt_status judge(const struct mlt_monitor *m, struct mlt_bytes bytes, struct mlt_checkpoint *head,
                             int64_t *cosigned, bool *good, char why[static MLT_POLICY_WHY_LEN]) {
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    struct mlt_note note;
    *good = false;
    *cosigned = 0;
    enum mlt_status st = MLT_OK;
    const struct mlt_vkey *key = signer_of(m, bytes);
    if (m->opt.policy) {
        struct mlt_policy_verdict *verdict = calloc(1, sizeof *verdict);
        st = verdict ? mlt_note_parse(&note, &arena, bytes, &err) : mlt_fail(&err, MLT_NOMEM, "out of memory");
        st = st ? st : mlt_policy_judge(verdict, m->opt.policy, key, &note, &err);
        *good = !st && verdict->holds;
        if (!st) {
            *head = verdict->checkpoint;
            *cosigned = (int64_t)verdict->latest * MLT_NS_PER_S;
            (void)snprintf(err.text, sizeof err.text, "%s", verdict->why);
        }
        free(verdict);
    } else {
        st = mlt_checkpoint_open(head, bytes, key, &err);
        *good = st == MLT_OK;
    }
    (void)snprintf(why, MLT_POLICY_WHY_LEN, "%.*s", MLT_POLICY_WHY_LEN - 1, err.text);
    mlt_arena_clear(&arena);
    return st == MLT_NOMEM ? st : MLT_OK;
}

// What was remembered was good then; under another key or a stricter policy it is of another log.
static enum mlt_status check_remembered(struct mlt_monitor *m, struct mlt_error *err) {
    struct mlt_checkpoint head;
    int64_t cosigned;
    bool good = true;
    char why[MLT_POLICY_WHY_LEN];
    enum mlt_status st = MLT_OK;
    if (m->state.note.len > 0) {
        st = judge(m, mlt_buf_bytes(&m->state.note), &head, &cosigned, &good, why);
    }
    if (!st && !good) {
        st = mlt_fail(err, MLT_CONFLICT, "what %s remembers is not signed as you ask: %s; give another --state",
                      m->opt.state_dir, why);
    }
    return st;
}

static enum mlt_status load_state(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf text = {0};
    state_path(m, "state.json", path);
    enum mlt_status st = mlt_env_read_file(m->opt.env, path, MLT_MONITOR_STATE_LEN_MAX, &text, err);
    st = st ? st : mlt_monitor_state_parse(&m->state, mlt_buf_bytes(&text), err);
    mlt_buf_clear(&text);
    if (st == MLT_NOTFOUND) {
        return MLT_OK; // a first round
    }
    return st ? mlt_context(err, st, "%s", path) : check_remembered(m, err);
}

enum mlt_status mlt_monitor_open(struct mlt_monitor **out, const struct mlt_monitor_options *opt,
                                 struct mlt_error *err) {
    struct mlt_monitor *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a monitor");
    }
    m->opt = *opt;
    enum mlt_status st = strlen(opt->state_dir) + 64 < MLT_MONITOR_PATH_MAX
                             ? MLT_OK
                             : mlt_fail(err, MLT_LIMIT, "the path of the state is too long");
    st = st ? st : take_lock(m, err);
    st = st ? st : load_chain(m, err);
    st = st ? st : load_state(m, err);
    st = st ? st : mlt_monitor_segments_open(m, err);
    st = st ? st : mlt_monitor_findings_open(m, err);
    if (!st && opt->mirror_dir) {
        st = mlt_mirror_dir_init(&m->dir, opt->env, opt->mirror_dir, err);
        st = st ? st : mlt_env_make_dir(opt->env, opt->mirror_dir, false, err);
    }
    if (st) {
        mlt_monitor_close(m);
        return st;
    }
    *out = m;
    return MLT_OK;
}

void mlt_monitor_close(struct mlt_monitor *m) {
    if (!m) {
        return;
    }
    mlt_monitor_segments_close(m);
    mlt_monitor_findings_close(m);
    mlt_monitor_state_clear(&m->state);
    mlt_monitor_state_clear(&m->next);
    mlt_mirror_clear(&m->mirror);
    free(m->meta);
    mlt_buf_clear(&m->served);
    mlt_arena_clear(&m->arena);
    mlt_entry_clear(&m->entry);
    if (m->lock) {
        m->opt.env->close(m->opt.env, m->lock);
    }
    free(m);
}

// --- the mirror's watcher ---

struct watching {
    struct mlt_monitor *m;
    enum mlt_status failed; // of an alarm
    struct mlt_error *err;
};

static void see_fault(void *ctx, enum mlt_mirror_fault what, const char *path, bool has_index, uint64_t index,
                      const char *text) {
    struct watching *w = ctx;
    struct mlt_alarm alarm = {
        .kind = what == MLT_MIRROR_TILE ? MLT_ALARM_TILE : MLT_ALARM_ENTRIES, .has_index = has_index, .index = index};
    (void)snprintf(alarm.path, sizeof alarm.path, "%s", path);
    alarm.bytes = mlt_buf_bytes(what == MLT_MIRROR_TILE ? &w->m->mirror.tile : &w->m->mirror.bundle);
    enum mlt_status st = mlt_monitor_alarm(w->m, &alarm, w->err, "%s: %s", path, text);
    w->failed = w->failed ? w->failed : st;
}

static enum mlt_status see_entry(void *ctx, uint64_t index, struct mlt_bytes entry, struct mlt_error *err) {
    struct watching *w = ctx;
    w->m->round->num_new++;
    return w->failed ? w->failed : mlt_monitor_read_entry(w->m, index, entry, err);
}

static enum mlt_status see_file(void *ctx, const char *path, struct mlt_bytes bytes, struct mlt_error *err) {
    struct watching *w = ctx;
    struct mlt_error why = {0};
    enum mlt_status st = mlt_mirror_dir_keep(&w->m->dir, path, bytes, &why);
    if (st == MLT_CONFLICT) {
        struct mlt_alarm alarm = {.kind = MLT_ALARM_MIRROR, .bytes = bytes};
        (void)snprintf(alarm.path, sizeof alarm.path, "%s", path);
        return mlt_monitor_alarm(w->m, &alarm, err, "%s", why.text);
    }
    if (st && err) {
        *err = why;
    }
    return st;
}

static enum mlt_status see_step(void *ctx, uint64_t done, uint64_t size, struct mlt_error *err) {
    struct watching *w = ctx;
    const struct mlt_monitor_options *opt = &w->m->opt;
    if (w->failed) {
        return w->failed;
    }
    if (opt->progress) {
        opt->progress(opt->progress_arg, done, size);
    }
    return opt->go_on && !opt->go_on(opt->go_on_arg) ? mlt_fail(err, MLT_BUSY, "stopped before the end of a round")
                                                     : MLT_OK;
}

// --- the round ---

// What the served tiles say about the checkpoint remembered.
enum consistency {
    EXTENDS,
    FORKS,   // the tree that is signed now has another tree of the remembered size in it
    UNKNOWN, // the tiles served do not belong to the tree that is signed, so they say nothing
};

static enum mlt_status ask_consistency(struct mlt_monitor *m, struct mlt_proof *proof, enum consistency *out,
                                       struct mlt_error *err) {
    struct mlt_mirror_hashes hashes = {.fetch = m->opt.fetch, .size = m->head.size};
    struct mlt_hash_source src = mlt_mirror_hash_source(&hashes);
    const struct mlt_checkpoint *before = &m->state.head;
    uint8_t inside[MLT_HASH_LEN];
    enum mlt_status st = mlt_merkle_prove_consistency(&src, before->size, m->head.size, proof, err);
    st = st ? st : mlt_merkle_root(&src, before->size, inside, err);
    mlt_buf_clear(&hashes.tile);
    if (st) {
        return st;
    }
    if (mlt_merkle_verify_consistency(before->size, m->head.size, proof, before->root, m->head.root)) {
        *out = EXTENDS;
    } else if (mlt_merkle_verify_consistency(before->size, m->head.size, proof, inside, m->head.root)) {
        *out = FORKS;
    } else {
        *out = UNKNOWN;
    }
    return MLT_OK;
}

static enum mlt_status check_consistency(struct mlt_monitor *m, enum consistency *out, struct mlt_error *err) {
    struct mlt_proof proof = {0};
    struct mlt_alarm alarm = {.kind = MLT_ALARM_FORK, .proof = &proof};
    enum mlt_status st = MLT_OK;
    *out = EXTENDS;
    if (m->state.head.size == m->head.size) { // two roots of one size need no proof
        bool same = memcmp(m->state.head.root, m->head.root, MLT_HASH_LEN) == 0;
        *out = same || m->state.note.len == 0 ? EXTENDS : FORKS;
    } else if (m->state.head.size > 0) {
        st = ask_consistency(m, &proof, out, err);
    }
    if (st || *out != FORKS) {
        return st;
    }
    return mlt_monitor_alarm(m, &alarm, err,
                             "the tree of size %" PRIu64 " does not extend the one of size %" PRIu64
                             " that was signed before: two histories are signed with one key",
                             m->head.size, m->state.head.size);
}

static enum mlt_status tell_unknown(struct mlt_monitor *m, struct mlt_error *err) {
    struct mlt_alarm alarm = {.kind = MLT_ALARM_TILE};
    return mlt_monitor_alarm(m, &alarm, err,
                             "the tiles served do not lead to the root that is signed for size %" PRIu64
                             ", nor to the one of size %" PRIu64 " that was signed before",
                             m->head.size, m->state.head.size);
}

static enum mlt_status read_new(struct mlt_monitor *m, struct mlt_error *err) {
    struct watching w = {.m = m, .err = err};
    uint8_t root[MLT_HASH_LEN];
    m->mirror.fetch = m->opt.fetch;
    m->mirror.tree = m->state.tree;
    m->mirror.watch = (struct mlt_mirror_watch){.ctx = &w,
                                                .fault = see_fault,
                                                .entry = see_entry,
                                                .keep = m->opt.mirror_dir ? see_file : NULL,
                                                .step = see_step};
    enum mlt_status st = mlt_mirror_grow(&m->mirror, m->head.size, err);
    st = st ? st : w.failed;
    if (st || m->mirror.broken) {
        return st;
    }
    m->next.tree = m->mirror.tree;
    mlt_frontier_root(&m->mirror.tree.frontier, root);
    if (memcmp(root, m->head.root, sizeof root) != 0) {
        struct mlt_alarm alarm = {.kind = MLT_ALARM_ENTRIES};
        st = mlt_monitor_alarm(
            m, &alarm, err, "the entries served do not have the root that is signed for size %" PRIu64, m->head.size);
    }
    return st;
}

static enum mlt_status check_age(struct mlt_monitor *m, int64_t cosigned, struct mlt_error *err) {
    struct mlt_alarm alarm = {.kind = MLT_ALARM_STALE};
    int64_t newest = m->next.received > m->next.grown ? m->next.received : m->next.grown;
    newest = cosigned > newest ? cosigned : newest;
    int64_t age = m->opt.env->now(m->opt.env) - newest;
    if (m->opt.max_age_ns == 0 || age <= m->opt.max_age_ns) {
        return MLT_OK;
    }
    return mlt_monitor_alarm(m, &alarm, err, "the checkpoint of size %" PRIu64 " is %" PRId64 " seconds old",
                             m->head.size, age / MLT_NS_PER_S);
}

static enum mlt_status remember(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf text = {0};
    enum mlt_status st = MLT_OK;
    if (m->opt.mirror_dir) {
        st = mlt_mirror_dir_keep(&m->dir, "checkpoint", mlt_buf_bytes(&m->next.note), err);
    }
    st = st ? st : mlt_monitor_segments_save(m, err);
    st = st ? st : mlt_monitor_findings_save(m, err);
    mlt_monitor_state_format(&text, &m->next);
    if (!st && text.failed) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for the state");
    }
    state_path(m, "state.json", path);
    st = st ? st : mlt_env_replace_file(m->opt.env, path, mlt_buf_bytes(&text), true, err);
    mlt_buf_clear(&text);
    uint64_t round_before = m->state.links_round;
    if (!st) {
        st = mlt_monitor_state_copy(&m->state, &m->next) ? MLT_OK : mlt_fail(err, MLT_NOMEM, "no memory for the state");
    }
    if (!st) {
        mlt_monitor_segments_saved(m, round_before);
    }
    return st;
}

// Nothing of this round stays but what was told.
static enum mlt_status forget(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf text = {0};
    mlt_monitor_findings_revert(m);
    enum mlt_status st = mlt_monitor_segments_revert(m, err);
    mlt_monitor_state_format(&text, &m->state);
    state_path(m, "state.json", path);
    if (!st && m->round->num_alarms > 0) {
        st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for the state")
                         : mlt_env_replace_file(m->opt.env, path, mlt_buf_bytes(&text), true, err);
    }
    mlt_buf_clear(&text);
    return st;
}

static enum mlt_status go_forward(struct mlt_monitor *m, int64_t cosigned, struct mlt_error *err) {
    enum consistency consistency;
    bool grows = m->head.size > m->state.head.size || m->state.note.len == 0;
    enum mlt_status st = check_consistency(m, &consistency, err);
    if (st || consistency == FORKS) {
        return st;
    }
    if (grows) {
        m->next.grown = m->opt.env->now(m->opt.env);
        st = read_new(m, err);
    }
    if (!st && consistency == UNKNOWN && m->tree_alarms == 0) {
        st = tell_unknown(m, err); // the new entries are right, and so are their tiles: it is an older one
    }
    st = st || m->tree_alarms > 0 ? st : mlt_monitor_read_again(m, err);
    if (st || m->tree_alarms > 0) {
        return st;
    }
    m->next.head = m->head;
    mlt_buf_reset(&m->next.note);
    mlt_buf_put_bytes(&m->next.note, mlt_buf_bytes(&m->served));
    if (m->next.note.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the state");
    }
    st = m->opt.findings == MLT_FINDINGS_NONE ? MLT_OK : mlt_monitor_tell_gaps(m, err);
    st = st || !grows ? st : mlt_monitor_tell_findings(m, err);
    return st ? st : check_age(m, cosigned, err);
}

// A checkpoint that is not signed as it must be may be signed by a newer key.
static enum mlt_status judge_served(struct mlt_monitor *m, int64_t *cosigned, bool *good,
                                    char why[static MLT_POLICY_WHY_LEN]) {
    struct mlt_error err = {0};
    bool taken = false;
    enum mlt_status st = judge(m, mlt_buf_bytes(&m->served), &m->head, cosigned, good, why);
    if (!st && !*good && fetch_chain(m, &taken, &err) != MLT_OK) {
        (void)snprintf(why, MLT_POLICY_WHY_LEN, "%.*s", MLT_POLICY_WHY_LEN - 1, err.text);
        return err.status;
    }
    return taken ? judge(m, mlt_buf_bytes(&m->served), &m->head, cosigned, good, why) : st;
}

static enum mlt_status hold_against(struct mlt_monitor *m, struct mlt_error *err) {
    int64_t cosigned;
    bool good;
    char why[MLT_POLICY_WHY_LEN];
    enum mlt_status st = judge_served(m, &cosigned, &good, why);
    if (st) {
        return mlt_fail(err, st, "%s", why);
    }
    if (!good || m->head.size > MLT_TREE_MAX) {
        struct mlt_alarm alarm = {.kind = MLT_ALARM_SIGNATURE};
        return mlt_monitor_alarm(m, &alarm, err, "the checkpoint is not signed as it must be: %s",
                                 good ? "its size is impossible" : why);
    }
    m->round->size = m->head.size;
    memcpy(m->round->root, m->head.root, sizeof m->round->root);
    if (m->head.size < m->state.head.size) {
        struct mlt_alarm alarm = {.kind = MLT_ALARM_ROLLBACK};
        return mlt_monitor_alarm(m, &alarm, err, "a checkpoint of size %" PRIu64 " is served after one of %" PRIu64,
                                 m->head.size, m->state.head.size);
    }
    return go_forward(m, cosigned, err);
}

enum mlt_status mlt_monitor_step(struct mlt_monitor *m, struct mlt_monitor_round *out, struct mlt_error *err) {
    struct mlt_error own = {0};
    struct mlt_error *e = err ? err : &own;
    *out = (struct mlt_monitor_round){.size_before = m->state.head.size};
    m->round = out;
    m->tree_alarms = 0;
    m->head = (struct mlt_checkpoint){0};
    if (!mlt_monitor_state_copy(&m->next, &m->state)) {
        return mlt_fail(e, MLT_NOMEM, "no memory for the state");
    }
    m->next.round++;
    enum mlt_status st = m->opt.fetch.get(m->opt.fetch.ctx, "checkpoint", MLT_NOTE_MAX, &m->served, e);
    st = st ? mlt_context(e, st, "checkpoint") : hold_against(m, e);
    if (!st && m->tree_alarms == 0) {
        return remember(m, e);
    }
    struct mlt_error later;
    enum mlt_status forgotten = forget(m, &later);
    if (!st && forgotten) {
        *e = later;
        st = forgotten;
    }
    return st;
}
