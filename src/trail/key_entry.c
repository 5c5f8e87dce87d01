// The control entries about keys: `key-rotated`, `recovered`, `kek-rotated`. Written once threads run, before anything
// else is let in; a crash before that leaves what is to be written in <state>.
#include <stdio.h>
#include <stdlib.h>

#include "record/json.h"
#include "trail/keys_private.h"

static const struct mlt_producer ITSELF = {.principal = "mltrail", .assurance = "local"};

static enum mlt_status append(struct mlt_trail *t, struct mlt_bytes record, struct mlt_error *err) {
    struct mlt_builder *builder = NULL;
    struct mlt_batch batch = {0};
    struct mlt_receipt receipt;
    struct mlt_problem problem = {0};
    enum mlt_status st = mlt_builder_new(&builder, t->env, &t->state.keys, err);
    if (!st) {
        st = mlt_builder_add_own(builder, &batch, &ITSELF, record, &problem, err);
        if (st == MLT_INVALID || st == MLT_LIMIT) {
            st = mlt_fail(err, MLT_INTERNAL, "a record about keys was rejected: %s", problem.detail);
        }
    }
    st = st ? st : mlt_trail_append_wait(t, &batch, true, &receipt, NULL, err);
    mlt_builder_free(builder);
    mlt_batch_clear(&batch);
    return st;
}

static void begin(struct mlt_json_writer *w, struct mlt_buf *out, int64_t when, const char *control, const char *name) {
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(time, when);
    mlt_jw_init(w, out);
    mlt_jw_object(w);
    mlt_jw_member(w, "kind", "control");
    mlt_jw_member(w, "timestamp", time);
    mlt_jw_member(w, "control", control);
    mlt_jw_member(w, "name", name);
    mlt_jw_name(w, "value");
    mlt_jw_object(w);
}

static enum mlt_status end(struct mlt_trail *t, struct mlt_json_writer *w, const char *reason, const char *by,
                           struct mlt_error *err) {
    mlt_jw_end_object(w);
    mlt_jw_member(w, "reason", reason);
    mlt_jw_member(w, "set_by", by);
    mlt_jw_end_object(w);
    return w->out->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a record about keys")
                          : append(t, mlt_buf_bytes(w->out), err);
}

static void put_tree(struct mlt_json_writer *w, uint64_t size, const uint8_t root[static MLT_HASH_LEN]) {
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "size", size);
    mlt_jw_name(w, "root");
    mlt_jw_hex(w, mlt_bytes_of(root, MLT_HASH_LEN));
    mlt_jw_end_object(w);
}

static void put_loss(struct mlt_json_writer *w, const struct mlt_key_link *link, const struct mlt_key_event *event) {
    mlt_jw_name(w, "last_signed");
    put_tree(w, link->size, link->root);
    mlt_jw_member(w, "last_checkpoint", event->head);
    mlt_jw_name(w, "kept");
    put_tree(w, link->kept, link->kept_root);
    mlt_jw_name(w, "lost");
    mlt_jw_object(w);
    mlt_jw_member_u64(w, "first", link->kept);
    mlt_jw_member_u64(w, "count", link->size - link->kept);
    mlt_jw_end_object(w);
}

static enum mlt_status record_newest_key(struct mlt_trail *t, struct mlt_error *err) {
    const struct mlt_key_chain *chain = &t->state.chain;
    const struct mlt_key_link *link = &chain->links[0];
    const struct mlt_key_event *event = &t->state.event;
    bool succession = mlt_key_link_is_succession(&chain->keys[1], &chain->keys[0]);
    char vkey[MLT_VKEY_TEXT_MAX];
    struct mlt_buf text = {0};
    struct mlt_buf statement = {0};
    struct mlt_json_writer w;
    mlt_key_link_format(&statement, link, &chain->keys[1], &chain->keys[0]);
    begin(&w, &text, event->time, succession ? "recovered" : "key-rotated", "signing-key");
    mlt_vkey_format(vkey, &chain->keys[1]);
    mlt_jw_member(&w, "old_key", vkey);
    mlt_vkey_format(vkey, &chain->keys[0]);
    mlt_jw_member(&w, "new_key", vkey);
    if (succession) {
        put_loss(&w, link, event);
    } else {
        mlt_jw_name(&w, "tree");
        put_tree(&w, link->size, link->root);
    }
    mlt_jw_member_bytes(&w, "statement", mlt_buf_bytes(&statement));
    text.failed = text.failed || statement.failed;
    enum mlt_status st = end(t, &w, event->reason, event->by, err);
    mlt_buf_clear(&text);
    mlt_buf_clear(&statement);
    return st;
}

static enum mlt_status record_kek(struct mlt_trail *t, const struct mlt_kek_note *note, struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    begin(&w, &text, note->time, "kek-rotated", "key-encryption-key");
    mlt_jw_member(&w, "old_fingerprint", note->old_fingerprint);
    mlt_jw_member(&w, "new_fingerprint", note->new_fingerprint);
    mlt_jw_member_u64(&w, "secrets", note->num_wrapped);
    mlt_jw_member_u64(&w, "erased", note->num_erased);
    enum mlt_status st = end(t, &w, note->reason, note->by, err);
    mlt_buf_clear(&text);
    return st;
}

// The note goes once the entry is durable. Nothing else is let in before: where the tree has grown, the entry is there.
static enum mlt_status settle_kek_note(struct mlt_trail *t, struct mlt_error *err) {
    struct mlt_watermark mark;
    char path[MLT_PATH_MAX + 32];
    struct mlt_kek_note *note = calloc(1, sizeof(*note));
    if (!note) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a note");
    }
    (void)snprintf(path, sizeof(path), "%s/kek.note", t->state_dir);
    enum mlt_status st = mlt_kek_note_read(note, t->env, path, err);
    if (st == MLT_NOTFOUND || (!st && note->num_wrapped == UINT64_MAX)) {
        mlt_error_clear(err);
        free(note);
        return MLT_OK; // none, or a rotation that is not done
    }
    mlt_store_mark(t->store, &mark);
    st = st || t->meta.raw || mark.size != note->size ? st : record_kek(t, note, err);
    st = st ? st : t->env->unlink(t->env, path, err);
    st = st ? st : t->env->sync_dir(t->env, t->state_dir, err);
    free(note);
    return st;
}

enum mlt_status mlt_trail_key_changes(struct mlt_trail *t, struct mlt_error *err) {
    struct mlt_watermark mark;
    const struct mlt_key_chain *chain = &t->state.chain;
    mlt_store_mark(t->store, &mark);
    enum mlt_status st = MLT_OK;
    // The entry is the first one under the new key: while there is no entry there, it is to be written.
    if (chain->num_keys > 1 && !t->meta.raw && mark.size == chain->links[0].kept) {
        st = record_newest_key(t, err);
    }
    st = st ? st : settle_kek_note(t, err);
    return st ? mlt_context(err, st, "record a change of keys") : MLT_OK;
}
