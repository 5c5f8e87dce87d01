// One signature line, as it stands in a note.
#ifndef MLT_WITNESS_LINE_H
#define MLT_WITNESS_LINE_H

#include "note/note.h"

// mlt_witness_put_line appends the line of a parsed signature with its newline.
void mlt_witness_put_line(struct mlt_buf *out, const struct mlt_note_sig *sig);

#endif
