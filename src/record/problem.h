// Saying why a record was rejected.
#ifndef MLT_RECORD_PROBLEM_H
#define MLT_RECORD_PROBLEM_H

#include "record/draft.h"

// mlt_problem_set fills a problem and returns `status`.
enum mlt_status mlt_problem_set(struct mlt_problem *p, enum mlt_status status, const char *code, const char *pointer,
                                const char *fmt, ...) MLT_PRINTF(5, 6);

// mlt_problem_append adds it to a JSON array whose bracket is still open; `out` is empty before the first.
void mlt_problem_append(struct mlt_buf *out, const struct mlt_problem *p);

#define MLT_SHOWN_LEN 64 // of a submitted value in a message, with its terminator

// mlt_problem_show makes text short and harmless on a terminal.
void mlt_problem_show(char out[static MLT_SHOWN_LEN], struct mlt_bytes text);

// mlt_name_distance is the number of letters to add, drop or change to make one name of the other (Levenshtein), for
// "did you mean"; long names are far from everything.
unsigned mlt_name_distance(struct mlt_bytes a, const char *b);

// mlt_json_type_words says what a value is: "a string", "null", ….
const char *mlt_json_type_words(const struct mlt_json *json, mlt_json_at at);

#endif
