// The intake of foreign messages: a route speaks the protocol of another system, a format (capture/capture.h) makes
// records of the message, and they are appended as one batch the way those of POST /v1/records are: grants hold, what
// is rejected is kept, and the answer leaves when the records are durable. Nothing is kept between two messages.
//
// A protocol is one file with a `struct mlt_intake` and a handler that calls mlt_intake_handle, a prototype in
// api_state.h, and a row in routes.c with MLT_ROUTE_FOREIGN, and MLT_ROUTE_APPENDS unless it has `derive`.
#ifndef MLT_SERVER_INTAKE_H
#define MLT_SERVER_INTAKE_H

#include "capture/capture.h"
#include "server/api_state.h"

// What became of a message: an answer is made of it.
struct mlt_intake_outcome {
    uint64_t accepted, duplicates;     // records
    uint64_t rejected;                 // items that were not understood, and records that were not taken
    uint64_t items;                    // events of a batch, where the format counts them
    uint64_t ignored;                  // items that are no business of ours
    const struct mlt_problem *problem; // the first one; NULL: none
    struct mlt_bytes problems; // all of them as a JSON array: {"line","code","pointer","detail"}, line is the item
    const char *content_type;  // of the message
    const struct mlt_head *head;
};

struct mlt_intake {
    const char *format; // its name, as in `capture` records
    mlt_capture_format *translate;
    // authenticate (may be NULL) is for open routes, whose messages prove by themselves who sent them: it fills the
    // principal that the records are of. False: answered.
    bool (*authenticate)(struct mlt_call *call, const struct mlt_foreign *msg, struct mlt_principal *out);
    // derive (may be NULL) adds what only follows together with earlier messages: `src` is the log before this one,
    // with payloads. One call at a time, and the next one sees what this one leads to. The route must not have
    // MLT_ROUTE_APPENDS: it waits.
    enum mlt_status (*derive)(struct mlt_call *call, const struct mlt_source *src, const struct mlt_foreign *msg,
                              struct mlt_capture *capture, struct mlt_error *err);
    // answer writes status, content type and body, once everything is durable. From the committer: it must not block.
    // NULL: 200 or 422 and the counts as JSON.
    void (*answer)(const struct mlt_intake_outcome *outcome, struct mlt_response *res);
};

// mlt_intake_handle takes the message of the call. When the call has somebody who takes the answer, request and
// response may be gone on return.
void mlt_intake_handle(struct mlt_call *call, const struct mlt_intake *how);

#endif
