// Exchanges that have to be in the trail before anything goes on.
#ifndef MLT_MLFLOW_SENDER_H
#define MLT_MLFLOW_SENDER_H

#include "net/client.h"

struct mlt_sender_counts {
    uint64_t sent, refused; // exchanges: taken; refused for good
};

// Safe from several threads.
struct mlt_sender;
enum mlt_status mlt_sender_open(struct mlt_sender **out, const struct mlt_client_options *trail,
                                struct mlt_error *err) MLT_MUST_USE; // the options' texts are borrowed until close
void mlt_sender_close(struct mlt_sender *s, struct mlt_sender_counts *counts); // NULL accepted; counts may be NULL

// mlt_sender_now returns when the exchange (a line without its newline) is durable in the trail. MLT_INVALID: the trail
// refuses it. MLT_IO: it cannot be reached, has no space, or does not take the token.
enum mlt_status mlt_sender_now(struct mlt_sender *s, struct mlt_bytes line, struct mlt_error *err) MLT_MUST_USE;

#endif
