// A dossier (or an answer) read back from its JSON, for the renderings. They see nothing else.
#ifndef MLT_DOSSIER_VIEW_H
#define MLT_DOSSIER_VIEW_H

#include "base/time.h"
#include "record/json.h"

struct mlt_view {
    struct mlt_json json;
    struct mlt_arena arena;
};
// mlt_view_open scans `text`. MLT_INVALID: no JSON object.
enum mlt_status mlt_view_open(struct mlt_view *v, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
void mlt_view_clear(struct mlt_view *v);

// mlt_view_at follows a path of member names separated by '.'; MLT_JSON_NONE: not there.
mlt_json_at mlt_view_at(const struct mlt_view *v, mlt_json_at at, const char *path);
// The text of a string at a path; {NULL, 0}: absent or no string.
struct mlt_bytes mlt_view_string(struct mlt_view *v, mlt_json_at at, const char *path);
bool mlt_view_is(struct mlt_view *v, mlt_json_at at, const char *path, const char *text);
bool mlt_view_true(const struct mlt_view *v, mlt_json_at at, const char *path);
uint64_t mlt_view_u64(const struct mlt_view *v, mlt_json_at at, const char *path, uint64_t otherwise);
size_t mlt_view_count(const struct mlt_view *v, mlt_json_at list);
// mlt_view_absent: null or not there. mlt_view_withheld: the reason, {NULL, 0} when the value is not withheld.
bool mlt_view_absent(const struct mlt_view *v, mlt_json_at at);
struct mlt_bytes mlt_view_withheld(struct mlt_view *v, mlt_json_at at);

// mlt_view_show puts any value as one line of plain text: null is "not recorded", objects "name: value; …", arrays
// "a, b", times without trailing zeros. Not neutralised.
void mlt_view_show(struct mlt_view *v, mlt_json_at at, struct mlt_buf *out);
struct mlt_bytes mlt_view_shown(struct mlt_view *v, mlt_json_at at, const char *path); // in the view's arena
// mlt_view_time: the same for a time; mlt_view_range: a date range in words.
struct mlt_bytes mlt_view_time(struct mlt_view *v, mlt_json_at at, const char *path);
struct mlt_bytes mlt_view_range(struct mlt_view *v, mlt_json_at range);

// What is derived about an approval: how the approver is known, and what became of one of its signatures.
struct mlt_bytes mlt_view_assurance(struct mlt_view *v, mlt_json_at approval);
struct mlt_bytes mlt_view_signature(struct mlt_view *v, mlt_json_at check);
// mlt_view_has_lines: what was signed, and the signature, are shown line by line, as they stand.
bool mlt_view_has_lines(struct mlt_bytes name);
// mlt_view_next_line takes the next line, without its end, off the front of `text`, which is not empty.
struct mlt_bytes mlt_view_next_line(struct mlt_bytes *text);
// mlt_view_is_envelope: a member that a node has around its record. The renderings place these by hand, and no member
// of a record is written under such a name.
bool mlt_view_is_envelope(struct mlt_bytes name);
// mlt_view_label turns a member name into words: "model_version" is "model version".
struct mlt_bytes mlt_view_label(struct mlt_view *v, struct mlt_bytes name);

// The records of the chain, as a reader would pick them.
mlt_json_at mlt_view_served(struct mlt_view *v); // the served prediction, else the first; NONE: no prediction
// mlt_view_named is what names the served prediction's version: itself, or its "resolved".
mlt_json_at mlt_view_named(struct mlt_view *v);
mlt_json_at mlt_view_same_version(struct mlt_view *v, const char *list, mlt_json_at of); // same model, model_version
mlt_json_at mlt_view_approval(struct mlt_view *v, mlt_json_at version, mlt_json_at transition); // the newest that fits
mlt_json_at mlt_view_by_text(struct mlt_view *v, const char *list, const char *name, struct mlt_bytes text);

// mlt_view_answer puts the plain answer, one paragraph.
void mlt_view_answer(struct mlt_view *v, struct mlt_buf *out);
// mlt_view_bounds puts when an entry of integrity.entries was logged, as the anchors around it say; nothing when it has
// no bounds of its own. mlt_view_anchor puts one of integrity.anchors in words.
void mlt_view_bounds(struct mlt_view *v, mlt_json_at entry, struct mlt_buf *out);
void mlt_view_anchor(struct mlt_view *v, mlt_json_at anchor, struct mlt_buf *out);
// mlt_view_verdict puts one sentence on the integrity, and mlt_view_open_findings one on the findings.
void mlt_view_verdict(struct mlt_view *v, struct mlt_buf *out);
void mlt_view_findings_line(struct mlt_view *v, struct mlt_buf *out);

#define MLT_VIEW_EACH(v, list, it)                                                                                     \
    for (mlt_json_at it = mlt_json_first(&(v)->json, (list)); (it) != MLT_JSON_NONE;                                   \
         (it) = mlt_json_next(&(v)->json, (list), (it)))

#endif
