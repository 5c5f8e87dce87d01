// Problem documents (RFC 9457): how the API says no.
#ifndef MLT_SERVER_PROBLEM_H
#define MLT_SERVER_PROBLEM_H

#include "server/api.h"

#define MLT_TYPE_JSON "application/json"
#define MLT_TYPE_PROBLEM "application/problem+json"
#define MLT_TYPE_NDJSON "application/x-ndjson"
#define MLT_TYPE_TEXT "text/plain; charset=utf-8"
#define MLT_TYPE_HTML "text/html; charset=utf-8"
#define MLT_TYPE_ZIP "application/zip"
#define MLT_TYPE_BYTES "application/octet-stream"

#define MLT_RETRY_AFTER_S 1 // a full queue is short of a second's work

// mlt_answer_problem makes `res` a problem document; what it held is dropped. `pointer` NULL or "": none.
void mlt_answer_problem(struct mlt_response *res, int http_status, const char *code, const char *pointer,
                        const char *fmt, ...) MLT_PRINTF(5, 6);
// mlt_answer_status answers a failure of the layers below with the status that fits it.
void mlt_answer_status(struct mlt_response *res, enum mlt_status status, const struct mlt_error *err);
int mlt_problem_http_status(enum mlt_status status);

#endif
