// Instants are signed nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (as POSIX).
#ifndef MLT_BASE_TIME_H
#define MLT_BASE_TIME_H

#include "base/bytes.h"

#define MLT_TIME_TEXT_LEN 30 // 2026-11-23T09:40:01.123456789Z: fixed width, so that it can be patched in place
#define MLT_NS_PER_S INT64_C(1000000000)

// mlt_time_format writes exactly MLT_TIME_TEXT_LEN characters and a terminator. Years 1678..2261.
void mlt_time_format(char out[MLT_TIME_TEXT_LEN + 1], int64_t ns);

// mlt_time_parse accepts RFC 3339 date-times with a zone (`Z`, `z`, `+hh:mm`, `-hh:mm`), fractions of any length
// (cut after nanoseconds), 'T', 't' or one space between, second 60 taken as the next minute's 0. False otherwise.
bool mlt_time_parse(int64_t *out_ns, struct mlt_bytes text);

// mlt_date_parse accepts a full-date (YYYY-MM-DD) or what mlt_time_parse accepts; a date is its midnight UTC.
bool mlt_date_parse(int64_t *out_ns, struct mlt_bytes text);

#endif
