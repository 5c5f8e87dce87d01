// Exchanges on their way to the trail: at once, for who waits; or one after the other from a bounded queue, again and
// again until the trail has them.
#ifndef MLT_MLFLOW_SENDER_H
#define MLT_MLFLOW_SENDER_H

#include "mlflow/client.h"

#define MLT_SENDER_QUEUE_MAX ((size_t)64 * 1024 * 1024) // an hour of a busy server, at a kilobyte an exchange
#define MLT_SENDER_BATCH_MAX ((size_t)1024 * 1024)
#define MLT_SENDER_STOP_S 10 // at the end the queue is sent for so long; what is left then is counted as lost

struct mlt_sender_options {
    struct mlt_client_options trail;
    size_t queue_max;                         // 0: MLT_SENDER_QUEUE_MAX
    void (*log)(void *arg, const char *line); // a line when the trail begins or ceases to take, and for every loss
    void *log_arg;
};
struct mlt_sender_counts {
    uint64_t sent, refused, lost; // exchanges: taken; refused for good; dropped
};

struct mlt_sender;
enum mlt_status mlt_sender_start(struct mlt_sender **out, const struct mlt_sender_options *opt,
                                 struct mlt_error *err) MLT_MUST_USE;
void mlt_sender_stop(struct mlt_sender *s, struct mlt_sender_counts *counts); // NULL accepted; counts may be NULL

// mlt_sender_now returns when the exchange is durable in the trail. MLT_INVALID: the trail refuses it. MLT_IO: it
// cannot be reached, has no space, or does not take the token.
enum mlt_status mlt_sender_now(struct mlt_sender *s, struct mlt_bytes line, struct mlt_error *err) MLT_MUST_USE;
// mlt_sender_put queues a line (without its newline). False: the queue is full, the exchange is counted as lost.
bool mlt_sender_put(struct mlt_sender *s, struct mlt_bytes line);
bool mlt_sender_is_full(struct mlt_sender *s); // nothing more should begin

#endif
