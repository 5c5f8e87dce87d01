// OpenTelemetry over HTTP (OTLP): spans and log events of calls to models become `prediction` records.
//
// An exporter sends protobuf or JSON, and both say the same: protobuf is put into the JSON form of OTLP first
// (otlp_text.c), and only that is read. What has no model in it is no business of ours, and is counted.
#ifndef MLT_CAPTURE_OTLP_H
#define MLT_CAPTURE_OTLP_H

#include "capture/capture.h"

#define MLT_OTLP_PROTOBUF "application/x-protobuf"
#define MLT_OTLP_TEXT_MAX ((size_t)128 * 1024 * 1024) // of a message as JSON: four times what a body may have

enum mlt_otlp_signal { MLT_OTLP_TRACES, MLT_OTLP_LOGS };

// mlt_otlp_is_protobuf: by the content type, without its parameters.
bool mlt_otlp_is_protobuf(const char *content_type);

// mlt_otlp_text puts a protobuf Export…ServiceRequest into its JSON form; fields that nobody here reads are left out.
// MLT_INVALID: malformed; MLT_LIMIT: nested deeper than JSON may be, or longer than MLT_OTLP_TEXT_MAX.
enum mlt_status mlt_otlp_text(struct mlt_buf *out, struct mlt_bytes protobuf, enum mlt_otlp_signal signal,
                              struct mlt_error *err) MLT_MUST_USE;

mlt_capture_format mlt_capture_otlp_traces; // the body of POST /v1/traces
mlt_capture_format mlt_capture_otlp_logs;   // the body of POST /v1/logs

#endif
