// Durations as people write them: "500ms", "30s", "15m", "12h", "90d".
#ifndef MLT_CLI_DURATION_H
#define MLT_CLI_DURATION_H

#include "base/time.h"

bool mlt_duration_parse(int64_t *out_ns, const char *text);

#endif
