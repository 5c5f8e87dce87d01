// The HTML form of a dossier: one file, no script, nothing fetched.
#ifndef MLT_DOSSIER_HTML_OUT_H
#define MLT_DOSSIER_HTML_OUT_H

#include "dossier/view.h"
#include "dossier/visible.h"

extern const char *const mlt_html_css[]; // ends with NULL

void mlt_html_text(struct mlt_buf *out, struct mlt_bytes text); // escaped and neutralised
// mlt_html_value puts any value: tables for objects and lists of objects, marks for what is absent or withheld.
void mlt_html_value(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out);
void mlt_html_entry_link(struct mlt_view *v, mlt_json_at index, struct mlt_buf *out); // to its proof

void mlt_html_picture(struct mlt_view *v, struct mlt_buf *out);
void mlt_html_nodes(struct mlt_view *v, struct mlt_buf *out, const char *id, const char *title, const char *list);
void mlt_html_findings(struct mlt_view *v, struct mlt_buf *out);
void mlt_html_sources(struct mlt_view *v, struct mlt_buf *out);
void mlt_html_access(struct mlt_view *v, struct mlt_buf *out);
void mlt_html_timeline(struct mlt_view *v, struct mlt_buf *out);
void mlt_html_completeness(struct mlt_view *v, struct mlt_buf *out);
void mlt_html_integrity(struct mlt_view *v, struct mlt_buf *out);

#endif
