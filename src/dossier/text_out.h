// Plain text for a terminal: neutralised, wrapped, aligned.
#ifndef MLT_DOSSIER_TEXT_OUT_H
#define MLT_DOSSIER_TEXT_OUT_H

#include "dossier/view.h"
#include "dossier/visible.h"

#define MLT_TEXT_WIDTH_DEFAULT 100
#define MLT_TEXT_WIDTH_MIN 30 // below this nothing aligns

enum mlt_text_style { MLT_STYLE_PLAIN, MLT_STYLE_BOLD, MLT_STYLE_DIM, MLT_STYLE_GOOD, MLT_STYLE_BAD, MLT_STYLE_WARN };

struct mlt_text {
    struct mlt_buf *out;
    bool color;
    unsigned width;
    struct mlt_buf scratch;
};
void mlt_text_init(struct mlt_text *t, struct mlt_buf *out, bool color, unsigned width);
void mlt_text_clear(struct mlt_text *t);
void mlt_text_line(struct mlt_text *t); // an empty one
// mlt_text_wrap puts one paragraph: `first` columns before the first line, `rest` before the others.
void mlt_text_wrap(struct mlt_text *t, unsigned first, unsigned rest, enum mlt_text_style style, struct mlt_bytes text);
void mlt_text_heading(struct mlt_text *t, const char *title);
// mlt_text_row aligns a value behind its label.
void mlt_text_row(struct mlt_text *t, unsigned indent, unsigned label_width, struct mlt_bytes label,
                  enum mlt_text_style style, struct mlt_bytes value);
enum mlt_text_style mlt_text_severity(struct mlt_bytes severity);

// Sections that a dossier and an answer share.
void mlt_text_findings(struct mlt_text *t, struct mlt_view *v);
void mlt_text_integrity(struct mlt_text *t, struct mlt_view *v);
void mlt_text_nodes(struct mlt_text *t, struct mlt_view *v, const char *title, mlt_json_at list);

#endif
