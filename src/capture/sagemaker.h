// Data capture of Amazon SageMaker endpoints: JSON Lines, a captured call each. Endpoint and variant stand in the path
// of the file alone (…/ENDPOINT/VARIANT/yyyy/mm/dd/hh/FILE.jsonl).
#ifndef MLT_CAPTURE_SAGEMAKER_H
#define MLT_CAPTURE_SAGEMAKER_H

#include "capture/lines.h"

mlt_capture_format mlt_capture_sagemaker;

// mlt_sagemaker_place finds endpoint and variant in a path. False: it is not laid out so.
bool mlt_sagemaker_place(struct mlt_bytes path, struct mlt_bytes *endpoint, struct mlt_bytes *variant);

#endif
