// Files of KServe's inference logger in storage mode: a logged request or response, or an array of them. They say what
// its CloudEvents say, under other names, and are read as these.
#ifndef MLT_CAPTURE_KSERVE_BLOB_H
#define MLT_CAPTURE_KSERVE_BLOB_H

#include "capture/capture.h"

mlt_capture_format mlt_capture_kserve_blob;

#endif
