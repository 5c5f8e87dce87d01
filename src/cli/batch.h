// Records on their way to the trail, as a batch, and what the trail says of it: append and the imports.
#ifndef MLT_CLI_BATCH_H
#define MLT_CLI_BATCH_H

#include "cli/transport.h"
#include "record/json.h"

#define MLT_BATCH_RECORDS 1000 // answered within milliseconds, and a lost one is soon sent again
#define MLT_BATCH_BYTES ((size_t)1024 * 1024)

// The answer: zero-initialised before, cleared after.
struct mlt_batch_answer {
    struct mlt_reply reply;
    struct mlt_json json;
    uint64_t accepted, duplicates, rejected;
};
// mlt_batch_send posts lines of records, and again while the server is too busy to take them: what it took already it
// knows again. A refusal of each of them is an answer. Else it says what is wrong, below `progress`, and returns the
// exit status.
int mlt_batch_send(struct mlt_cli *cli, struct mlt_bytes lines, const char *query, struct mlt_progress *progress,
                   struct mlt_batch_answer *out);
// mlt_batch_each_problem: `line` counts within the batch, from 1.
typedef void mlt_batch_problem(void *arg, uint64_t line, struct mlt_bytes pointer, struct mlt_bytes detail);
void mlt_batch_each_problem(const struct mlt_batch_answer *a, mlt_batch_problem *each, void *arg);
void mlt_batch_answer_clear(struct mlt_batch_answer *a);

uint64_t mlt_batch_number(const struct mlt_json *json, mlt_json_at at, const char *name); // 0 when it is not there
// mlt_batch_tell names a line on standard error; `source` NULL: it need not be said of what.
void mlt_batch_tell(struct mlt_progress *progress, const char *source, const char *what, uint64_t number,
                    struct mlt_bytes pointer, struct mlt_bytes detail);

#endif
