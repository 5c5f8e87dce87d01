// What all metrics share: the text format of Prometheus, https://prometheus.io/docs/instrumenting/exposition_formats/
#ifndef MLT_SERVER_METRIC_H
#define MLT_SERVER_METRIC_H

#include "base/bytes.h"

// mlt_metric_label writes the value of a label, quoted and escaped.
void mlt_metric_label(struct mlt_buf *out, struct mlt_bytes value);

#endif
