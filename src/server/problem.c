#include "server/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "record/json.h"

static const char *title_of(int http_status) {
    switch (http_status) {
    case 400:
        return "Bad request";
    case 401:
        return "Not authenticated";
    case 403:
        return "Not granted";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict";
    case 411:
        return "Length required";
    case 413:
        return "Too large";
    case 415:
        return "Unsupported media type";
    case 422:
        return "Rejected";
    case 503:
        return "Try again later";
    case 507:
        return "No space";
    default:
        return "Internal error";
    }
}

void mlt_answer_problem(struct mlt_response *res, int http_status, const char *code, const char *pointer,
                        const char *fmt, ...) {
    char detail[MLT_ERROR_TEXT_LEN];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    mlt_buf_reset(&res->body);
    struct mlt_json_writer w;
    mlt_jw_init(&w, &res->body);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "type");
    char type[64];
    (void)snprintf(type, sizeof type, "urn:mltrail:problem:%s", code);
    mlt_jw_cstr(&w, type);
    mlt_jw_member(&w, "title", title_of(http_status));
    mlt_jw_name(&w, "status");
    mlt_jw_i64(&w, http_status);
    mlt_jw_member(&w, "code", code);
    mlt_jw_member(&w, "detail", detail);
    if (pointer && pointer[0]) {
        mlt_jw_member(&w, "pointer", pointer);
    }
    mlt_jw_end_object(&w);
    res->status = http_status;
    res->content_type = MLT_TYPE_PROBLEM;
    res->cache_control = NULL;
    res->next_cursor[0] = '\0';
    res->retry_after_s = http_status == 503 ? MLT_RETRY_AFTER_S : 0;
}

int mlt_problem_http_status(enum mlt_status status) {
    switch (status) {
    case MLT_OK:
        return 200;
    case MLT_INVALID:
        return 400;
    case MLT_LIMIT:
        return 413;
    case MLT_NOTFOUND:
        return 404;
    case MLT_CONFLICT:
        return 409;
    case MLT_DENIED:
        return 403;
    case MLT_BUSY:
    case MLT_NOMEM:
        return 503;
    case MLT_NOSPACE:
        return 507;
    case MLT_IO:
    case MLT_CORRUPT:
    case MLT_INTERNAL:
        break;
    }
    return 500;
}

void mlt_answer_status(struct mlt_response *res, enum mlt_status status, const struct mlt_error *err) {
    mlt_answer_problem(res, mlt_problem_http_status(status), mlt_status_name(status), NULL, "%s",
                       err->text[0] ? err->text : "no further detail");
}
