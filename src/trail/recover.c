// Going on with an older copy: design, "No silent fork". The same files, from here on under another name: heads of the
// old name above what was kept can never be extended, and the chain of keys says so.
#include <stdio.h>
#include <stdlib.h>

#include "trail/keys_private.h"

#define SUCCESSOR_FIRST 2
#define SUCCESSOR_DIGITS_MAX 6

// "name" gives "name/2", "name/2" gives "name/3".
static enum mlt_status next_origin(char out[static MLT_NOTE_NAME_MAX + 1], const char *old, struct mlt_error *err) {
    const char *slash = strrchr(old, '/');
    size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;
    unsigned long number = 0;
    size_t len = strlen(old);
    if (digits > 0 && digits <= SUCCESSOR_DIGITS_MAX && slash[1 + digits] == '\0') {
        number = strtoul(slash + 1, NULL, 10);
        len = number >= SUCCESSOR_FIRST ? (size_t)(slash - old) : len;
    }
    number = number >= SUCCESSOR_FIRST ? number + 1 : SUCCESSOR_FIRST;
    int n = snprintf(out, MLT_NOTE_NAME_MAX + 1, "%.*s/%lu", (int)len, old, number);
    return n > 0 && n <= MLT_NOTE_NAME_MAX
               ? MLT_OK
               : mlt_fail(err, MLT_INVALID, "the origin is too long to be numbered; --origin NAME would be right");
}

static enum mlt_status name_successor(struct mlt_recovery *plan, const struct mlt_key_chain *chain, const char *origin,
                                      struct mlt_error *err) {
    if (!origin) {
        return next_origin(plan->new_origin, plan->old_origin, err);
    }
    if (!mlt_note_name_valid(mlt_str(origin))) {
        return mlt_fail(err, MLT_INVALID,
                        "the origin \"%s\" is no name: 1 to %d bytes without white space and '+', such as %s/2, would "
                        "be right",
                        origin, MLT_NOTE_NAME_MAX, plan->old_origin);
    }
    for (size_t i = 0; i < chain->num_keys; i++) {
        if (strcmp(chain->keys[i].name, origin) == 0) {
            return mlt_fail(err, MLT_INVALID, "the trail was called %s before; a successor has a name of its own",
                            origin);
        }
    }
    (void)snprintf(plan->new_origin, sizeof(plan->new_origin), "%s", origin);
    return MLT_OK;
}

// A tree that reaches the last signed size either is what was signed, or something else than an older copy.
static enum mlt_status check_older(struct mlt_trail *t, const struct mlt_recovery *plan, struct mlt_error *err) {
    uint8_t root[MLT_HASH_LEN];
    struct mlt_hash_source src = mlt_trail_hashes(t);
    if (plan->kept < plan->last.size) {
        return MLT_OK;
    }
    enum mlt_status st = mlt_merkle_root(&src, plan->last.size, root, err);
    if (!st && memcmp(root, plan->last.root, MLT_HASH_LEN) != 0) {
        st = mlt_fail(err, MLT_CONFLICT,
                      "this is no older copy: it has another root at size %llu than was signed, so entries differ; "
                      "`mltrail verify` with a receipt tells more",
                      (unsigned long long)plan->last.size);
    } else if (!st) {
        st =
            mlt_fail(err, MLT_INVALID, "nothing is to be recovered: the tree of size %llu extends the head signed last",
                     (unsigned long long)plan->kept);
    }
    return st;
}

static enum mlt_status make_plan(struct mlt_recovery *plan, struct mlt_trail *t, const char *origin,
                                 struct mlt_error *err) {
    struct mlt_watermark mark;
    const struct mlt_key_chain *chain = &t->state.chain;
    memset(plan, 0, sizeof(*plan));
    mlt_store_mark(t->store, &mark);
    plan->kept = mark.size;
    memcpy(plan->kept_root, mark.root, MLT_HASH_LEN);
    plan->last = t->head;
    memcpy(plan->old_origin, chain->keys[0].name, sizeof(plan->old_origin));
    enum mlt_status st = check_older(t, plan, err);
    return st ? st : name_successor(plan, chain, origin, err);
}

enum mlt_status mlt_trail_plan_recovery(struct mlt_env *env, const struct mlt_trail_options *opt, const char *origin,
                                        struct mlt_recovery *out, struct mlt_error *err) {
    struct mlt_trail *t = NULL;
    struct mlt_trail_options reading = *opt;
    reading.read_only = true;
    enum mlt_status st = mlt_trail_open_for(&t, env, &reading, MLT_FOR_RECOVER, err);
    if (st) {
        return st;
    }
    st = t->has_state ? make_plan(out, t, origin, err)
                      : mlt_fail(err, MLT_NOTFOUND,
                                 "the state directory %s is not there: without the old key nobody can be led to a new "
                                 "one",
                                 t->state_dir);
    enum mlt_status closed = mlt_trail_close(t, st ? NULL : err);
    return st ? st : closed;
}

static enum mlt_status check_plan(struct mlt_trail *t, const struct mlt_recovery *plan, struct mlt_error *err) {
    struct mlt_recovery now;
    enum mlt_status st = make_plan(&now, t, plan->new_origin, err);
    if (!st && (now.kept != plan->kept || now.last.size != plan->last.size ||
                memcmp(now.kept_root, plan->kept_root, MLT_HASH_LEN) != 0)) {
        st = mlt_fail(err, MLT_CONFLICT, "the trail changed since it was looked at; look again");
    }
    return st;
}

static enum mlt_status begin_successor(struct mlt_trail *t, const struct mlt_trail_options *opt,
                                       const struct mlt_recovery *plan, const struct mlt_key_change *how,
                                       struct mlt_error *err) {
    struct mlt_signer signer = {0};
    struct mlt_key_link link = {.size = plan->last.size, .kept = plan->kept};
    struct mlt_key_file *next = calloc(1, sizeof(*next));
    if (!next) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a key");
    }
    memcpy(link.root, plan->last.root, MLT_HASH_LEN);
    memcpy(link.kept_root, plan->kept_root, MLT_HASH_LEN);
    enum mlt_status st = mlt_keys_check_place(t, how, err);
    st = st ? st : mlt_key_file_new(next, &signer, t->env, plan->new_origin, how->uri, opt->pin, err);
    st = st ? st
            : mlt_keys_replace(t, next, &signer, &link, how, mlt_bytes_of(plan->last.note, plan->last.note_len), err);
    mlt_signer_clear(&signer);
    mlt_wipe(next, sizeof(*next));
    free(next);
    return st;
}

enum mlt_status mlt_trail_recover(struct mlt_env *env, const struct mlt_trail_options *opt,
                                  const struct mlt_recovery *plan, const struct mlt_key_change *how,
                                  struct mlt_error *err) {
    struct mlt_trail *t = NULL;
    enum mlt_status st = mlt_keys_check_change(how, err);
    st = st ? st : mlt_trail_open_for(&t, env, opt, MLT_FOR_RECOVER, err);
    if (st) {
        return st;
    }
    st = check_plan(t, plan, err);
    st = st ? st : begin_successor(t, opt, plan, how, err);
    enum mlt_status closed = mlt_trail_close(t, st ? NULL : err);
    st = st ? st : closed;
    return st ? st : mlt_keys_settle(env, opt, err);
}
