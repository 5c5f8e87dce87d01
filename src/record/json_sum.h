// A JSON object on one line that ends in the SHA-256 of what stands before: for files of our own state. Finds what a
// crash or a disk did to them; whoever can write the file can write another sum.
#ifndef MLT_RECORD_JSON_SUM_H
#define MLT_RECORD_JSON_SUM_H

#include "record/json.h"

// mlt_json_sum_end ends the object that `w` is in with "sha256", over all bytes of its buffer so far, and a newline.
void mlt_json_sum_end(struct mlt_json_writer *w);
// mlt_json_sum_scan scans such a line. False: the sum is another, or it is no JSON object.
bool mlt_json_sum_scan(struct mlt_json *json, struct mlt_bytes text) MLT_MUST_USE;

#endif
