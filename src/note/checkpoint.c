// Checkpoints (C2SP tlog-checkpoint): a note of origin, size, root and, rarely, extension lines.
#include "note/checkpoint.h"

#include "note/format.h"

#define ROOT_BASE64_LEN 44

static enum mlt_status parse_origin(struct mlt_checkpoint *out, struct mlt_bytes line, struct mlt_error *err) {
    if (line.len == 0 || line.len > MLT_NOTE_NAME_MAX) {
        return mlt_fail(err, MLT_INVALID, "checkpoint origin has %zu bytes, want 1..%d", line.len, MLT_NOTE_NAME_MAX);
    }
    memcpy(out->origin, line.ptr, line.len);
    return MLT_OK;
}

static enum mlt_status parse_lines(struct mlt_checkpoint *out, struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(text);
    struct mlt_bytes origin = mlt_cursor_line(&c);
    struct mlt_bytes size = mlt_cursor_line(&c);
    struct mlt_bytes root = mlt_cursor_line(&c);
    if (c.failed) {
        return mlt_fail(err, MLT_INVALID, "checkpoint has fewer than three lines: origin, size, root");
    }
    enum mlt_status st = parse_origin(out, origin, err);
    if (st) {
        return st;
    }
    if (!mlt_decimal_decode(&out->size, size) || out->size > MLT_TREE_MAX) {
        return mlt_fail(err, MLT_INVALID,
                        "checkpoint size must be a decimal number without leading zeros, at most 2^62");
    }
    size_t root_len = 0;
    if (!mlt_base64_decode(out->root, sizeof(out->root), &root_len, root) || root_len != MLT_HASH_LEN) {
        return mlt_fail(err, MLT_INVALID, "checkpoint root must be %d characters of standard base64 (32 bytes)",
                        ROOT_BASE64_LEN);
    }
    while (mlt_cursor_left(&c) > 0) {
        struct mlt_bytes extension = mlt_cursor_line(&c);
        if (c.failed || extension.len == 0) {
            return mlt_fail(err, MLT_INVALID, "checkpoint extension lines must not be empty and must end in newline");
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_checkpoint_parse(struct mlt_checkpoint *out, struct mlt_bytes note_text, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    if (note_text.len > MLT_NOTE_MAX) {
        return mlt_fail(err, MLT_LIMIT, "checkpoint has %zu bytes, at most %d are allowed", note_text.len,
                        MLT_NOTE_MAX);
    }
    enum mlt_status st = mlt_note_check_characters(note_text, err);
    if (!st) {
        st = parse_lines(out, note_text, err);
    }
    if (st) {
        memset(out, 0, sizeof(*out));
    }
    return st;
}

void mlt_checkpoint_format(struct mlt_buf *out, const struct mlt_checkpoint *c) {
    mlt_buf_put_str(out, c->origin);
    mlt_buf_put_u8(out, '\n');
    mlt_buf_put_u64_decimal(out, c->size);
    mlt_buf_put_u8(out, '\n');
    mlt_buf_put_base64(out, mlt_bytes_of(c->root, sizeof(c->root)));
    mlt_buf_put_u8(out, '\n');
}

enum mlt_status mlt_checkpoint_sign(struct mlt_buf *out, const struct mlt_checkpoint *c,
                                    const struct mlt_signer *signer, struct mlt_error *err) {
    struct mlt_buf text = {0};
    mlt_checkpoint_format(&text, c);
    enum mlt_status st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a checkpoint")
                                     : mlt_note_sign(out, mlt_buf_bytes(&text), signer, err);
    mlt_buf_clear(&text);
    return st;
}

enum mlt_status mlt_checkpoint_open(struct mlt_checkpoint *out, struct mlt_bytes note, const struct mlt_vkey *key,
                                    struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    const char *why = NULL;
    memset(out, 0, sizeof(*out));
    struct mlt_checkpoint c;
    enum mlt_status st = mlt_note_parse(&parsed, &arena, note, err);
    if (st) {
        goto out;
    }
    st = mlt_checkpoint_parse(&c, parsed.text, err);
    if (st) {
        goto out;
    }
    if (strcmp(c.origin, key->name) != 0) {
        st = mlt_fail(err, MLT_DENIED, "checkpoint is of origin %s, the key is for %s", c.origin, key->name);
        goto out;
    }
    if (!mlt_note_verify(&parsed, key, 1, NULL, &why)) {
        st = mlt_fail(err, MLT_DENIED, "checkpoint of %s: %s", c.origin, why);
        goto out;
    }
    *out = c;
out:
    mlt_arena_clear(&arena);
    return st;
}
