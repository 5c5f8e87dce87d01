// Monitoring data of BentoML (bentoml.monitor): a line of JSON for each row, with the columns that the service logged
// and timestamp, request_id, trace_id. What a column is (feature, prediction, target) stands in the schema log beside
// it: a message begins with the line of the schema that is in force.
#ifndef MLT_CAPTURE_BENTOML_H
#define MLT_CAPTURE_BENTOML_H

#include "capture/lines.h"

mlt_capture_format mlt_capture_bentoml;

// mlt_bentoml_is_schema: a line of the schema log.
bool mlt_bentoml_is_schema(struct mlt_bytes line);
// mlt_bentoml_belongs: two lines are rows of one request, which are numbered together.
bool mlt_bentoml_belongs(struct mlt_bytes a, struct mlt_bytes b);

#endif
