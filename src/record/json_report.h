// Where a scan failed: part of the scanner, in a file of its own.
#ifndef MLT_RECORD_JSON_REPORT_H
#define MLT_RECORD_JSON_REPORT_H

#include "record/json.h"

// mlt_json_report_place sets error_pointer to what was being read: through the `depth` open containers (tape
// positions), and last to `name` (MLT_JSON_NONE: the newest member or element of the innermost one).
void mlt_json_report_place(struct mlt_json *json, const uint32_t *open, uint32_t depth, uint32_t name);

#endif
