// The place that a verification reached, as a file. The file is the reader's own and trusted as such: whoever can write
// it could as well have changed the program. Its check sum finds what a crash or a disk did to it, not an attacker.
//
//   {"verify":1,"key":VKEY,"size":N,"at":N,"frontier":hex,"records":N,"records_at":N,"payload_end":N,"payloads":N,
//    "erased":N,"details":N,"payloads_checked":BOOL,"erased_indexes":base64,"erasures":base64,"num_faults":N,
//    "faults":[{"what":N,"file":T,"index":N|null,"text":T},…],"sha256":hex}
//
// in this order on one line; `sha256` is that of all bytes before `,"sha256"`; indexes are u64, big-endian.
#ifndef MLT_TRAIL_VERIFY_STATE_H
#define MLT_TRAIL_VERIFY_STATE_H

#include "trail/verify.h"

#define MLT_VERIFY_STATE_LEN_MAX ((size_t)256 << 20) // some 20 million erased payloads

void mlt_verify_state_format(struct mlt_buf *out, const struct mlt_verify_state *s);
// mlt_verify_state_parse fills a cleared state. MLT_CORRUPT: not such a file, or its check sum is another; `out` is
// cleared.
enum mlt_status mlt_verify_state_parse(struct mlt_verify_state *out, struct mlt_bytes text,
                                       struct mlt_error *err) MLT_MUST_USE;

#endif
