#include "witness/line.h"

void mlt_witness_put_line(struct mlt_buf *out, const struct mlt_note_sig *sig) {
    struct mlt_buf bytes = {0};
    mlt_buf_put_u32be(&bytes, sig->key_id);
    mlt_buf_put(&bytes, sig->sig, sig->sig_len);
    mlt_buf_printf(out, "\xe2\x80\x94 %.*s ", MLT_ARG(sig->name));
    mlt_buf_put_base64(out, mlt_buf_bytes(&bytes));
    mlt_buf_put_u8(out, '\n');
    out->failed = out->failed || bytes.failed;
    mlt_buf_clear(&bytes);
}
