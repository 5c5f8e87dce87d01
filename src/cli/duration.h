// Durations as people write them: "500ms", "30s", "15m", "12h", "90d".
#ifndef MLT_CLI_DURATION_H
#define MLT_CLI_DURATION_H

#include "base/time.h"

bool mlt_duration_parse(int64_t *out_ns, const char *text);
// mlt_byte_rate_parse reads bytes a second: digits, then nothing, kB, MB or GB (powers of 1000), then nothing or "/s".
bool mlt_byte_rate_parse(uint64_t *out, const char *text);

#endif
