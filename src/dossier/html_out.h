// The HTML form of a dossier: one file, nothing fetched. Its one script checks the page (page_check.js).
#ifndef MLT_DOSSIER_HTML_OUT_H
#define MLT_DOSSIER_HTML_OUT_H

#include "crypto/sha256.h"
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

// What makes the page check itself (html_check.c): the policy that lets this one script run, the box for its result,
// what it checks, and the script.
void mlt_html_check_policy(struct mlt_buf *out);
void mlt_html_check_box(struct mlt_buf *out);
void mlt_html_check_script(struct mlt_view *v, struct mlt_buf *out);
// mlt_html_text_digest is the SHA-256 of the text of `html` (what a browser gives as textContent) without white space.
bool mlt_html_text_digest(struct mlt_bytes html, uint8_t out[static MLT_HASH_LEN]); // false: no memory

#endif
