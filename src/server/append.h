// A batch of records on its way to the log, whoever sent it: lines become drafts in the thread that received them, the
// committer answers. What is rejected is told, and kept.
#ifndef MLT_SERVER_APPEND_H
#define MLT_SERVER_APPEND_H

#include "server/rejected.h"

#define MLT_PROBLEMS_MAX 10000 // reported one by one; further ones are counted: nobody reads more

struct mlt_appending {
    struct mlt_call *call;
    struct mlt_append *a;
    struct mlt_spare_builder *spare;
    struct mlt_producer producer;
    struct mlt_rejected rejected;
};

// mlt_append_open begins a batch of the call's principal, which `answer` will answer. False: answered, nothing to
// close.
bool mlt_append_open(struct mlt_appending *b, struct mlt_call *call, mlt_append_answerer *answer);
// mlt_append_line adds one record. One that is rejected is told and kept; not MLT_OK: out of memory or worse.
enum mlt_status mlt_append_line(struct mlt_appending *b, struct mlt_bytes line, uint32_t number,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_append_lines adds each line of an NDJSON text.
enum mlt_status mlt_append_lines(struct mlt_appending *b, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
// mlt_append_reject tells and keeps what did not become a line.
void mlt_append_reject(struct mlt_appending *b, struct mlt_bytes input, const struct mlt_problem *problem);
// mlt_append_close sends the batch on its way, or answers the failure `status`. When the call has somebody who takes
// the answer, the batch and with it request and response may be gone on return; else it waits for the answer.
void mlt_append_close(struct mlt_appending *b, enum mlt_status status, struct mlt_error *err);

struct mlt_totals {
    uint64_t accepted, duplicates, first, last; // first is UINT64_MAX when nothing was accepted
};
struct mlt_totals mlt_append_totals(const struct mlt_append *a, const struct mlt_receipt *receipts);

// mlt_append_answer answers an append that waited (proving.h) and gives it back to the pool.
struct mlt_proven;
void mlt_append_answer(struct mlt_append *a, const struct mlt_receipt *receipts, const struct mlt_head *head,
                       const struct mlt_proven *proven);

#endif
