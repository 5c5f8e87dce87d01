// What the parsers of this layer share.
#ifndef MLT_NOTE_FORMAT_H
#define MLT_NOTE_FORMAT_H

#include "note/note.h"

// mlt_note_name_form is mlt_note_name_valid without the length: a line of somebody else's key may have a longer name.
bool mlt_note_name_form(struct mlt_bytes name);

// mlt_note_check_characters refuses what no note may hold: bad UTF-8 and control characters other than newline.
enum mlt_status mlt_note_check_characters(struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;

#endif
