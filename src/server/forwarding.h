// Forwarding: CloudEvents go on, as they came, to others who want them too (KServe's agent knows one URL only).
//
// Each target has a thread and a bounded queue of its own; putting an event there copies it and never waits. What a
// target does not take after some tries, or what comes while its queue is full, is dropped: counted in /metrics and
// recorded (`control`, `forward-lost`), at most once a minute and at the end. The log is never behind a target: what is
// dropped here is in the log.
#ifndef MLT_SERVER_FORWARDING_H
#define MLT_SERVER_FORWARDING_H

#include "server/api.h"

#define MLT_FORWARDING_MAX 8 // targets; a monitor or two, and room
#define MLT_FORWARD_QUEUE_MAX 10000
#define MLT_FORWARD_QUEUE_BYTES_MAX ((size_t)64 * 1024 * 1024) // of one target: some minutes of a busy service

struct mlt_forwarding;

// mlt_forwarding_check says whether these options can be used: the URLs and their number.
enum mlt_status mlt_forwarding_check(const struct mlt_forwarding_options *opt, struct mlt_error *err) MLT_MUST_USE;
// mlt_forwarding_start begins; the API must be open and take records.
enum mlt_status mlt_forwarding_start(struct mlt_forwarding **out, struct mlt_api *api,
                                     const struct mlt_forwarding_options *opt, struct mlt_error *err) MLT_MUST_USE;
// mlt_forwarding_stop sends what is queued for some seconds more, records what is lost, and ends. NULL accepted.
void mlt_forwarding_stop(struct mlt_forwarding *fw);

// mlt_forwarding_put queues the request's body with its Content-Type and its ce- headers. NULL `fw`: nothing.
void mlt_forwarding_put(struct mlt_forwarding *fw, const struct mlt_request *req);

void mlt_forwarding_metrics(struct mlt_forwarding *fw, struct mlt_buf *out); // NULL `fw`: nothing

#endif
