// The order of it: note, new key, slots, counts into the note, old key destroyed, control entry. kek.h says what each
// leaves after a crash.
#include <stdio.h>
#include <stdlib.h>

#include "trail/keys_private.h"

// Two sealers: what the new one opens is done already.
struct rewrapper {
    struct mlt_sealer *new_sealer;
    struct mlt_sealer *old_sealer;
};

static enum mlt_status rewrap(void *ctx, uint8_t slot[static MLT_WRAPPED_LEN], struct mlt_error *err) {
    struct rewrapper *r = ctx;
    uint8_t secret[MLT_SECRET_LEN];
    struct mlt_error first = {0};
    enum mlt_status st = mlt_seal_unwrap(r->new_sealer, secret, slot, &first);
    if (st == MLT_CORRUPT) {
        st = mlt_seal_unwrap(r->old_sealer, secret, slot, err);
        st = st ? st : mlt_seal_wrap(r->new_sealer, slot, secret, err);
    } else if (st && err) {
        *err = first;
    }
    mlt_wipe(secret, sizeof(secret));
    return st;
}

struct paths {
    char kek[MLT_PATH_MAX + 32], next[MLT_PATH_MAX + 32], note[MLT_PATH_MAX + 32];
};

static void set_paths(struct paths *p, const struct mlt_trail *t) {
    (void)snprintf(p->kek, sizeof(p->kek), "%s/kek", t->state_dir);
    (void)snprintf(p->next, sizeof(p->next), "%s/kek.next", t->state_dir);
    (void)snprintf(p->note, sizeof(p->note), "%s/kek.note", t->state_dir);
}

// Draws the new key and says so in <state>. Nothing is under it yet.
static enum mlt_status begin(struct mlt_trail *t, const struct paths *p, const struct mlt_trail_options *opt,
                             const struct mlt_key_change *how, struct mlt_error *err) {
    struct mlt_kek next = {0};
    struct mlt_kek_note *note = calloc(1, sizeof(*note));
    if (!note) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a note");
    }
    (void)snprintf(next.uri, sizeof(next.uri), "%s", how->uri ? how->uri : how->in_file ? "" : t->state.kek_uri);
    (void)snprintf(note->by, sizeof(note->by), "%s", how->by);
    (void)snprintf(note->reason, sizeof(note->reason), "%s", how->reason);
    note->time = t->env->now(t->env);
    note->num_wrapped = UINT64_MAX;
    enum mlt_status st = t->env->random(t->env, next.key, sizeof(next.key), err);
    if (!st) {
        mlt_kek_fingerprint(note->old_fingerprint, t->state.keys.kek);
        mlt_kek_fingerprint(note->new_fingerprint, next.key);
        st = mlt_kek_note_write(t->env, p->note, note, err);
    }
    st = st ? st : mlt_kek_write(t->env, p->next, &next, opt->pin, err);
    mlt_wipe(&next, sizeof(next));
    free(note);
    return st;
}

static enum mlt_status move_slots(struct mlt_trail *t, const struct mlt_key_change *how, struct mlt_rewrap *done,
                                  struct mlt_error *err) {
    struct rewrapper r = {0};
    enum mlt_status st = mlt_sealer_new(&r.new_sealer, t->state.keys.kek, err);
    st = st ? st : mlt_sealer_new(&r.old_sealer, t->state.keys.old_kek, err);
    st = st ? st : mlt_store_rewrap(t->store, rewrap, &r, how->progress, how->progress_arg, done, err);
    mlt_sealer_free(r.new_sealer);
    mlt_sealer_free(r.old_sealer);
    return st;
}

static enum mlt_status finish(struct mlt_trail *t, const struct paths *p, const struct mlt_rewrap *done,
                              struct mlt_kek_change *out, struct mlt_error *err) {
    struct mlt_kek_note *note = calloc(1, sizeof(*note));
    if (!note) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a note");
    }
    enum mlt_status st = mlt_kek_note_read(note, t->env, p->note, err);
    note->num_wrapped = done->num_wrapped;
    note->num_erased = done->num_erased;
    note->size = done->at;
    // From here on the old key counts no more.
    st = st ? st : mlt_kek_note_write(t->env, p->note, note, err);
    st = st ? st : mlt_kek_settle(t->env, t->state_dir, err);
    out->num_wrapped = done->num_wrapped;
    out->num_erased = done->num_erased;
    memcpy(out->old_fingerprint, note->old_fingerprint, sizeof(out->old_fingerprint));
    memcpy(out->new_fingerprint, note->new_fingerprint, sizeof(out->new_fingerprint));
    free(note);
    return st;
}

// Opens for the part that moves slots, which needs both keys; the first time round the new one has yet to be drawn.
static enum mlt_status open_with_both(struct mlt_trail **t, struct mlt_env *env, const struct mlt_trail_options *opt,
                                      const struct mlt_key_change *how, bool *resumed, struct mlt_error *err) {
    struct paths p;
    enum mlt_status st = mlt_trail_open_for(t, env, opt, MLT_FOR_REWRAP, err);
    *resumed = !st && (*t)->state.keys.has_old_kek;
    if (st || *resumed) {
        return st;
    }
    set_paths(&p, *t);
    st = begin(*t, &p, opt, how, err);
    enum mlt_status closed = mlt_trail_close(*t, st ? NULL : err);
    *t = NULL;
    st = st ? st : closed;
    return st ? st : mlt_trail_open_for(t, env, opt, MLT_FOR_REWRAP, err);
}

// Does an interrupted one wait to be gone on with? Then the trail is not started in between: that would forget how far
// it got.
static enum mlt_status settle_unless_moving(struct mlt_env *env, const struct mlt_trail_options *opt,
                                            struct mlt_error *err) {
    struct mlt_trail *t = NULL;
    enum mlt_status st = mlt_trail_open_for(&t, env, opt, MLT_FOR_REWRAP, err);
    bool moving = !st && t->state.keys.has_old_kek;
    enum mlt_status closed = mlt_trail_close(t, st ? NULL : err);
    st = st ? st : closed;
    return st || moving ? st : mlt_keys_settle(env, opt, err);
}

enum mlt_status mlt_trail_rotate_kek(struct mlt_env *env, const struct mlt_trail_options *opt,
                                     const struct mlt_key_change *how, struct mlt_kek_change *out,
                                     struct mlt_error *err) {
    struct mlt_trail *t = NULL;
    struct paths p;
    struct mlt_rewrap done = {0};
    memset(out, 0, sizeof(*out));
    enum mlt_status st = mlt_keys_check_change(how, err);
    st = st ? st : settle_unless_moving(env, opt, err);
    st = st ? st : open_with_both(&t, env, opt, how, &out->resumed, err);
    if (st) {
        return st;
    }
    set_paths(&p, t);
    st = move_slots(t, how, &done, err);
    st = st ? st : finish(t, &p, &done, out, err);
    enum mlt_status closed = mlt_trail_close(t, st ? NULL : err);
    st = st ? st : closed;
    return st ? st : mlt_keys_settle(env, opt, err);
}
