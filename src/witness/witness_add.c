// The ladder of C2SP tlog-witness for `add-checkpoint`. Whatever does not pass every rung gets no cosignature.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "witness/line.h"
#include "witness/witness_private.h"

// One request on its way.
struct submission {
    struct mlt_arena arena;
    struct mlt_add_checkpoint request;
    struct mlt_note note;
    struct mlt_checkpoint checkpoint;
    char id[MLT_WITNESS_ID_LEN + 1];
    struct mlt_witness_log log;
};

static bool refuse(struct mlt_witness_answer *out, int status, const char *fmt, ...) MLT_PRINTF(3, 4);
static bool refuse(struct mlt_witness_answer *out, int status, const char *fmt, ...) {
    char text[MLT_ERROR_TEXT_LEN];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    out->status = status;
    out->content_type = MLT_WITNESS_TYPE_TEXT;
    mlt_buf_printf(&out->body, "%s\n", text);
    return false;
}

// 500 says no more than that: paths and damage are for the operator.
static bool refuse_own_fault(struct mlt_witness_answer *out, const struct mlt_error *err) {
    out->fault = *err;
    return refuse(out, 500, "the witness cannot read or write its state");
}

static bool parse(struct submission *s, struct mlt_bytes body, struct mlt_witness_answer *out) {
    struct mlt_error err = {0};
    if (mlt_add_checkpoint_parse(&s->request, body, &err) != MLT_OK ||
        mlt_note_parse(&s->note, &s->arena, s->request.note, &err) != MLT_OK ||
        mlt_checkpoint_parse(&s->checkpoint, s->note.text, &err) != MLT_OK) {
        return refuse(out, err.status == MLT_NOMEM ? 500 : 400, "%s", err.text);
    }
    mlt_witness_id(s->id, mlt_str(s->checkpoint.origin));
    return true;
}

static bool find_log(struct mlt_witness *w, struct submission *s, struct mlt_witness_answer *out) {
    struct mlt_error err = {0};
    enum mlt_status st = mlt_witness_load(w, s->id, &s->log, NULL, &err);
    if (st == MLT_NOTFOUND) {
        return refuse(out, 404, "unknown log: this witness does not know the origin");
    }
    return st ? refuse_own_fault(out, &err) : true;
}

static bool check_signature(const struct submission *s, struct mlt_witness_answer *out) {
    const char *why = NULL;
    if (!mlt_note_verify(&s->note, &s->log.vkey, 1, NULL, &why)) {
        return refuse(out, 403, "invalid signature: %s", why);
    }
    return true;
}

static bool check_old_size(const struct submission *s, struct mlt_witness_answer *out) {
    uint64_t kept = s->log.has_head ? s->log.head.size : 0;
    if (s->request.old_size > s->checkpoint.size) {
        return refuse(out, 400, "old size %" PRIu64 " is larger than that of the checkpoint, %" PRIu64,
                      s->request.old_size, s->checkpoint.size);
    }
    if (s->request.old_size != kept) {
        out->status = 409;
        out->content_type = MLT_WITNESS_TYPE_SIZE;
        mlt_buf_put_u64_decimal(&out->body, kept);
        mlt_buf_put_u8(&out->body, '\n');
        return false;
    }
    return true;
}

static bool check_consistency(const struct submission *s, struct mlt_witness_answer *out) {
    const struct mlt_checkpoint *now = &s->checkpoint;
    const struct mlt_checkpoint *kept = &s->log.head;
    uint64_t old = s->request.old_size;
    uint8_t empty[MLT_HASH_LEN];
    mlt_merkle_empty(empty);
    if (now->size == 0 && memcmp(now->root, empty, sizeof(empty)) != 0) {
        return refuse(out, 422, "a tree without leaves has another root");
    }
    if ((old == 0 || old == now->size) && s->request.proof.num_hashes > 0) {
        return refuse(out, 422, "the consistency proof must be empty here");
    }
    if (old > 0 && old == now->size) {
        return memcmp(now->root, kept->root, MLT_HASH_LEN) == 0
                   ? true
                   : refuse(out, 422, "another root was cosigned for this size: the log has forked");
    }
    if (old > 0 && !mlt_merkle_verify_consistency(old, now->size, &s->request.proof, kept->root, now->root)) {
        return refuse(out, 422, "the consistency proof does not hold");
    }
    return true;
}

// The time never goes back, whatever the clock does: a later statement must not look like the earlier one.
static uint64_t stamp(struct mlt_witness *w, const struct mlt_witness_log *log) {
    int64_t now = w->env->now(w->env) / INT64_C(1000000000);
    uint64_t seconds = now > 0 ? (uint64_t)now : 0;
    return log->has_head && log->time > seconds ? log->time : seconds;
}

// compose makes the note that is kept: the text, the log's own signatures, ours. Lines of others are not ours to keep.
static enum mlt_status compose(struct mlt_witness *w, const struct submission *s, struct mlt_buf *note,
                               struct mlt_buf *line, struct mlt_error *err) {
    enum mlt_status st = mlt_cosignature_sign(line, s->note.text, &w->cosigner, stamp(w, &s->log), err);
    if (st) {
        return st;
    }
    mlt_buf_put_bytes(note, s->note.text);
    mlt_buf_put_u8(note, '\n');
    for (size_t i = 0; i < s->note.num_sigs; i++) {
        const struct mlt_note_sig *sig = &s->note.sigs[i];
        if (mlt_note_sig_claims(sig, &s->log.vkey)) {
            mlt_witness_put_line(note, sig);
            break; // a second one by the same key says nothing more
        }
    }
    mlt_buf_put_bytes(note, mlt_buf_bytes(line));
    return note->failed || line->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a cosignature") : MLT_OK;
}

static bool cosign(struct mlt_witness *w, const struct submission *s, struct mlt_witness_answer *out) {
    struct mlt_buf note = {0};
    struct mlt_buf line = {0};
    struct mlt_error err = {0};
    enum mlt_status st = compose(w, s, &note, &line, &err);
    st = st ? st : mlt_witness_store(w, s->id, mlt_buf_bytes(&note), &err);
    // The point of no return: the head is durable, from here on nothing but its extensions is cosigned.
    if (!st) {
        out->status = 200;
        out->content_type = MLT_WITNESS_TYPE_TEXT;
        mlt_buf_put_bytes(&out->body, mlt_buf_bytes(&line));
    }
    mlt_buf_clear(&note);
    mlt_buf_clear(&line);
    return st ? refuse_own_fault(out, &err) : true;
}

void mlt_witness_add_checkpoint(struct mlt_witness *w, struct mlt_bytes body, struct mlt_witness_answer *out) {
    struct submission sub = {0};
    out->status = 0;
    assert(w->lock_file); // opened for reading alone, it must not cosign
    if (parse(&sub, body, out)) {
        pthread_mutex_lock(&w->mu);
        bool cosigned = find_log(w, &sub, out) && check_signature(&sub, out) && check_old_size(&sub, out) &&
                        check_consistency(&sub, out) && cosign(w, &sub, out);
        pthread_mutex_unlock(&w->mu);
        assert(cosigned == (out->status == 200));
    }
    assert(out->status != 0);
    mlt_arena_clear(&sub.arena);
}

void mlt_witness_get_checkpoint(struct mlt_witness *w, struct mlt_bytes id, struct mlt_witness_answer *out) {
    char name[MLT_WITNESS_ID_LEN + 1];
    uint8_t hash[MLT_HASH_LEN];
    struct mlt_witness_log log;
    struct mlt_error err = {0};
    if (!mlt_hex_decode(hash, sizeof(hash), id)) {
        (void)refuse(out, 404, "this is no log's path: /<SHA-256 of the origin in hexadecimal>/checkpoint is");
        return;
    }
    memcpy(name, id.ptr, id.len);
    name[id.len] = '\0';
    // Without the lock: a head is replaced as a whole, the one before is as true.
    enum mlt_status st = mlt_witness_load(w, name, &log, &out->body, &err);
    if (st == MLT_NOTFOUND || (!st && !log.has_head)) {
        mlt_buf_reset(&out->body);
        (void)refuse(out, 404, "nothing of this log was cosigned yet");
    } else if (st) {
        mlt_buf_reset(&out->body);
        (void)refuse_own_fault(out, &err);
    } else {
        out->status = 200;
        out->content_type = MLT_WITNESS_TYPE_TEXT;
    }
}
