// Offline inclusion proofs (C2SP tlog-proof):
//
//   c2sp.org/tlog-proof@v1
//   extra <base64>            optional; not authenticated
//   index <decimal>
//   <base64 hash>             none or more, the leaf's sibling first
//                             an empty line
//   <checkpoint, verbatim>
#include "note/checkpoint.h"

#include "note/format.h"

// A proof is one note and at most MLT_PROOF_MAX hashes; `extra` gets as much room as a note.
#define TLOG_PROOF_TEXT_MAX ((size_t)4 * MLT_NOTE_MAX)

static const char HEADER[] = "c2sp.org/tlog-proof@v1";
static const char EXTRA[] = "extra ";
static const char INDEX[] = "index ";

static enum mlt_status parse_extra(struct mlt_tlog_proof *out, struct mlt_arena *arena, struct mlt_bytes base64,
                                   struct mlt_error *err) {
    if (base64.len == 0 || base64.len > mlt_base64_encoded_len(MLT_NOTE_MAX)) {
        return mlt_fail(err, MLT_INVALID, "proof extra data must be base64 of 1..%d bytes", MLT_NOTE_MAX);
    }
    size_t cap = base64.len / 4 * 3;
    uint8_t *data = mlt_arena_take(arena, cap);
    if (!data) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a proof");
    }
    size_t len = 0;
    if (!mlt_base64_decode(data, cap, &len, base64)) {
        return mlt_fail(err, MLT_INVALID, "proof extra data must be standard base64 with padding");
    }
    out->extra = mlt_bytes_of(data, len);
    return MLT_OK;
}

enum mlt_status mlt_tlog_proof_parse(struct mlt_tlog_proof *out, struct mlt_arena *arena, struct mlt_bytes text,
                                     struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    if (text.len > TLOG_PROOF_TEXT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "proof has %zu bytes, at most %zu are allowed", text.len, TLOG_PROOF_TEXT_MAX);
    }
    struct mlt_cursor c = mlt_cursor_of(text);
    if (!mlt_bytes_is(mlt_cursor_line(&c), HEADER)) {
        return mlt_fail(err, MLT_INVALID, "a proof begins with the line %s", HEADER);
    }
    struct mlt_bytes line = mlt_cursor_line(&c);
    enum mlt_status st;
    if (mlt_line_skip_prefix(&line, EXTRA)) {
        st = parse_extra(out, arena, line, err);
        if (st) {
            return st;
        }
        line = mlt_cursor_line(&c);
    }
    if (!mlt_line_skip_prefix(&line, INDEX) || !mlt_decimal_decode(&out->index, line)) {
        return mlt_fail(err, MLT_INVALID, "proof has no line \"index <decimal>\" where it should be");
    }
    st = mlt_hash_lines_parse(&out->proof, MLT_PROOF_MAX, &c, err);
    if (st) {
        return st;
    }
    out->checkpoint = mlt_cursor_take(&c, mlt_cursor_left(&c));
    if (out->checkpoint.len == 0) {
        return mlt_fail(err, MLT_INVALID, "proof has no checkpoint after its empty line");
    }
    return MLT_OK;
}

void mlt_tlog_proof_format(struct mlt_buf *out, const struct mlt_tlog_proof *p) {
    mlt_buf_put_str(out, HEADER);
    mlt_buf_put_u8(out, '\n');
    if (p->extra.len > 0) {
        mlt_buf_put_str(out, EXTRA);
        mlt_buf_put_base64(out, p->extra);
        mlt_buf_put_u8(out, '\n');
    }
    mlt_buf_put_str(out, INDEX);
    mlt_buf_put_u64_decimal(out, p->index);
    mlt_buf_put_u8(out, '\n');
    mlt_hash_lines_put(out, &p->proof);
    mlt_buf_put_bytes(out, p->checkpoint);
}
