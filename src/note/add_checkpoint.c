// Requests to a witness:
//
//   old <decimal>
//   <base64 hash>             0..63, of the consistency proof
//                             an empty line
//   <signed checkpoint, verbatim>
#include "note/add_checkpoint.h"

#include <assert.h>

#include "note/format.h"

static const char OLD[] = "old ";

static enum mlt_status parse_body(struct mlt_add_checkpoint *out, struct mlt_bytes body, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(body);
    struct mlt_bytes line = mlt_cursor_line(&c);
    if (!mlt_line_skip_prefix(&line, OLD) || !mlt_decimal_decode(&out->old_size, line)) {
        return mlt_fail(err, MLT_INVALID, "request must begin with the line \"old <decimal size>\"");
    }
    enum mlt_status st = mlt_hash_lines_parse(&out->proof, MLT_ADD_CHECKPOINT_HASHES_MAX, &c, err);
    if (st) {
        return st;
    }
    out->note = mlt_cursor_take(&c, mlt_cursor_left(&c));
    if (out->note.len == 0) {
        return mlt_fail(err, MLT_INVALID, "request has no checkpoint after its empty line");
    }
    return MLT_OK;
}

enum mlt_status mlt_add_checkpoint_parse(struct mlt_add_checkpoint *out, struct mlt_bytes body, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    if (body.len > MLT_ADD_CHECKPOINT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "request has %zu bytes, at most %d are allowed", body.len,
                        MLT_ADD_CHECKPOINT_MAX);
    }
    enum mlt_status st = parse_body(out, body, err);
    if (st) {
        memset(out, 0, sizeof(*out));
    }
    return st;
}

void mlt_add_checkpoint_format(struct mlt_buf *out, const struct mlt_add_checkpoint *request) {
    assert(request->proof.num_hashes <= MLT_ADD_CHECKPOINT_HASHES_MAX);
    mlt_buf_put_str(out, OLD);
    mlt_buf_put_u64_decimal(out, request->old_size);
    mlt_buf_put_u8(out, '\n');
    mlt_hash_lines_put(out, &request->proof);
    mlt_buf_put_bytes(out, request->note);
}
