// Text of others, made harmless to look at. What a producer wrote may hold terminal escapes, characters that turn the
// reading direction, or invisible ones: each is shown as \u{…}, so that what is read is what is there.
#ifndef MLT_DOSSIER_VISIBLE_H
#define MLT_DOSSIER_VISIBLE_H

#include "base/bytes.h"

enum mlt_visible_form { MLT_VISIBLE_PLAIN, MLT_VISIBLE_HTML /* also escapes & < > " ' */ };

void mlt_visible_put(struct mlt_buf *out, struct mlt_bytes text, enum mlt_visible_form form);
// mlt_visible_put_cut is the same, and ends with an ellipsis after `columns` columns.
void mlt_visible_put_cut(struct mlt_buf *out, struct mlt_bytes text, enum mlt_visible_form form, size_t columns);
// mlt_visible_width counts the columns of text that mlt_visible_put wrote (plain).
size_t mlt_visible_width(struct mlt_bytes text);
// mlt_visible_next takes one character off the front; U+FFFD for a byte that is no UTF-8. `text` is not empty.
uint32_t mlt_visible_next(struct mlt_bytes *text);
unsigned mlt_visible_columns(uint32_t c); // 0, 1 or 2

#endif
