// POST /v1/cloudevents: what an inference logger or any other sender of CloudEvents posts. 200 as soon as it is
// durable: KServe's logger takes everything else for a failure and does not try again.
#include "capture/cloudevents.h"
#include "server/forwarding.h"
#include "server/intake.h"

static const struct mlt_intake CLOUDEVENTS = {.format = "cloudevents", .translate = mlt_capture_cloudevents};

bool mlt_call_has_cloudevents(const struct mlt_call *call) {
    const struct mlt_request *req = call->req;
    const struct mlt_foreign msg = {.content_type = req->content_type ? req->content_type : "",
                                    .header = req->header,
                                    .header_arg = req->header_arg};
    return mlt_cloudevents_mode_of(&msg) != MLT_CLOUDEVENTS_NONE;
}

// Others get an event on as it came, also when it is not taken here: they have ways of their own to judge it. Whoever
// may not append does not reach them.
void mlt_handle_cloudevents(struct mlt_call *call) {
    if ((call->req->principal->grant.rights & MLT_MAY_APPEND) != 0 && mlt_call_has_cloudevents(call)) {
        mlt_forwarding_put(call->api->forwarding, call->req);
    }
    mlt_intake_handle(call, &CLOUDEVENTS);
}
