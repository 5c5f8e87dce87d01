// Proof hashes as lines of base64, as tlog-proof and the witness protocol have them before a checkpoint.
#include "note/format.h"

#define HASH_BASE64_LEN 44

enum mlt_status mlt_hash_lines_parse(struct mlt_proof *out, size_t max, struct mlt_cursor *c, struct mlt_error *err) {
    out->num_hashes = 0;
    for (;;) {
        struct mlt_bytes line = mlt_cursor_line(c);
        if (c->failed) {
            return mlt_fail(err, MLT_INVALID, "proof has no empty line before the checkpoint");
        }
        if (line.len == 0) {
            return MLT_OK;
        }
        if (out->num_hashes == max) {
            return mlt_fail(err, MLT_INVALID, "proof has over %zu hashes, no tree needs so many", max);
        }
        size_t len = 0;
        if (!mlt_base64_decode(out->hash[out->num_hashes], MLT_HASH_LEN, &len, line) || len != MLT_HASH_LEN) {
            return mlt_fail(err, MLT_INVALID, "proof hash %zu must be %d characters of standard base64 (32 bytes)",
                            out->num_hashes + 1, HASH_BASE64_LEN);
        }
        out->num_hashes++;
    }
}

void mlt_hash_lines_put(struct mlt_buf *out, const struct mlt_proof *proof) {
    for (size_t i = 0; i < proof->num_hashes; i++) {
        mlt_buf_put_base64(out, mlt_bytes_of(proof->hash[i], MLT_HASH_LEN));
        mlt_buf_put_u8(out, '\n');
    }
    mlt_buf_put_u8(out, '\n');
}

bool mlt_line_skip_prefix(struct mlt_bytes *line, const char *prefix) {
    size_t len = strlen(prefix);
    if (line->len < len || memcmp(line->ptr, prefix, len) != 0) {
        return false;
    }
    *line = mlt_bytes_of(line->ptr + len, line->len - len);
    return true;
}
