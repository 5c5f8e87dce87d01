// The statement of an approval: the text that the approver signs, kept verbatim in the record beside its signature.
//
//   mltrail approval v1
//   origin: "example.com/trail"
//   approval_reference: "CAB-7"
//   …
//
// A line for each of the members below that the record has, in this order, `name: value`, the value being JSON without
// insignificant white space; strings are written as the JSON writer here writes them. So a line end, or anything else
// in a value, cannot make up a line, and one record has one statement. It names the origin: signed for one trail, it
// says nothing in another (docs/FORMAT.md, "Approval statements").
#ifndef MLT_RECORD_STATEMENT_H
#define MLT_RECORD_STATEMENT_H

#include "record/json.h"

#define MLT_STATEMENT_NAMESPACE "approval@mltrail" // of its signature: what is signed for something else is no approval
#define MLT_STATEMENT_MAX (64 * 1024)              // a page of reasons and conditions is read before it is signed
#define MLT_STATEMENT_MEMBERS 13

// The lines in order. The first is `origin`; the others are members of an approval.
extern const char *const mlt_statement_names[MLT_STATEMENT_MEMBERS];

// A statement as read. Owns tapes, borrows the text.
struct mlt_statement {
    struct mlt_json values[MLT_STATEMENT_MEMBERS]; // num_tokens 0: the line is not there
    struct mlt_bytes origin;                       // borrowed from the text or in the arena
};

// mlt_statement_write appends the statement of an approval: the object at `at`, members that are null or not named
// above left out. MLT_INVALID: a member that a statement must have is missing. MLT_LIMIT: too long.
enum mlt_status mlt_statement_write(struct mlt_buf *out, struct mlt_bytes origin, const struct mlt_json *approval,
                                    mlt_json_at at, struct mlt_error *err) MLT_MUST_USE;

// mlt_statement_read accepts exactly what mlt_statement_write writes. MLT_INVALID: it is no statement, and the error
// names the line. `out` is to be cleared either way.
enum mlt_status mlt_statement_read(struct mlt_statement *out, struct mlt_bytes text, struct mlt_arena *arena,
                                   struct mlt_error *err) MLT_MUST_USE;
void mlt_statement_clear(struct mlt_statement *statement);

// mlt_statement_agrees: line `i` says what the value says; an absent line, and an absent or null value, say the same.
bool mlt_statement_agrees(const struct mlt_statement *statement, size_t i, const struct mlt_json *json, mlt_json_at at);

#endif
