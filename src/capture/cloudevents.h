// CloudEvents 1.0 over HTTP: binary, structured and batched mode.
//
// Events of inference loggers become `prediction` records (kserve.h), all others `capture` records: the event in its
// JSON form, as it was received.
#ifndef MLT_CAPTURE_CLOUDEVENTS_H
#define MLT_CAPTURE_CLOUDEVENTS_H

#include "capture/capture.h"

#define MLT_CLOUDEVENTS_BATCH_MAX 10000  // events of one batch: some hundred bytes each under the limit of a body
#define MLT_CLOUDEVENT_ATTRIBUTES_MAX 64 // of one event; senders use a dozen

enum mlt_cloudevents_mode {
    MLT_CLOUDEVENTS_NONE, // no CloudEvent
    MLT_CLOUDEVENTS_BINARY,
    MLT_CLOUDEVENTS_STRUCTURED,
    MLT_CLOUDEVENTS_BATCHED
};
// mlt_cloudevents_mode_of: how a message says that it carries events, by Content-Type, else by its ce- headers.
enum mlt_cloudevents_mode mlt_cloudevents_mode_of(const struct mlt_foreign *msg);

// One event. Everything is borrowed from the message, its JSON, or the arena of the capture.
struct mlt_cloudevent {
    struct mlt_cloudevent_attribute {
        struct mlt_bytes name, value; // the value decoded; numbers and booleans as JSON writes them
        bool literal;                 // a number or boolean
    } attributes[MLT_CLOUDEVENT_ATTRIBUTES_MAX];
    size_t num_attributes;
    bool has_data;
    struct mlt_bytes data; // a JSON value of the event, or bytes of the content type
    struct mlt_bytes raw;  // as it came: the body, or the event within a batch
};
// mlt_cloudevent_get gives an attribute's value; {NULL, 0}: not given.
struct mlt_bytes mlt_cloudevent_get(const struct mlt_cloudevent *event, const char *name);

// mlt_cloudevent_decode_header undoes what the HTTP binding (section 3.1.3.2) did to an attribute's value: a value in
// double quotes is unescaped, then percent-encoding is undone once. False: malformed, or no UTF-8 afterwards; nothing
// is to be made of `out` then.
bool mlt_cloudevent_decode_header(struct mlt_arena *arena, struct mlt_bytes value, struct mlt_bytes *out);

mlt_capture_format mlt_capture_cloudevents;

#endif
