// Duplicate member names: part of the scanner, in a file of its own.
#ifndef MLT_RECORD_JSON_NAMES_H
#define MLT_RECORD_JSON_NAMES_H

#include "record/json.h"

// mlt_json_duplicate looks for a name that stands twice (compared after unescaping) in the object at `object`, whose
// last member is the newest token of the tape. `*name` is the later one's position, MLT_JSON_NONE when all differ.
// Linear for what people send, n log n for what an attacker can make of it. MLT_NOMEM is the only failure.
enum mlt_status mlt_json_duplicate(struct mlt_json *json, uint32_t object, uint32_t *name,
                                   struct mlt_error *err) MLT_MUST_USE;

#endif
