// Acknowledgement `proven`: an append is answered once a published checkpoint includes its records, with the quorum of
// the witness policy where there is one, and the receipt carries the proof. Records are durable before they come here;
// what does not get its proof in time is answered with the durable receipt and 202.
#ifndef MLT_SERVER_PROVING_H
#define MLT_SERVER_PROVING_H

#include "server/api_state.h"

#define MLT_PROVEN_TIMEOUT_S 30 // some publications, and witnesses that need all of their time
#define MLT_PROVING_MAX 10000   // appends that wait; further ones are answered 202 at once
#define MLT_PROOFS_MAX 10000    // proofs in one answer, some 2 KiB each

// A published checkpoint and what follows from it. Shared by all answers of one publication.
struct mlt_proven {
    uint64_t size;
    struct mlt_bytes note; // with all cosignatures
};

struct mlt_proving;
enum mlt_status mlt_proving_start(struct mlt_proving **out, struct mlt_error *err) MLT_MUST_USE;
// mlt_proving_wait takes the append over until it is answered (mlt_append_answer); from the committer. False: it does
// not wait, the caller answers.
bool mlt_proving_wait(struct mlt_proving *p, struct mlt_append *a, const struct mlt_receipt *receipts,
                      const struct mlt_head *head);
// mlt_proving_published tells of a checkpoint that proves what it covers; from the publisher.
void mlt_proving_published(struct mlt_proving *p, uint64_t size, struct mlt_bytes note);
// mlt_proving_end answers everything that waits, and lets nothing wait any more. The thread goes on until it is freed.
void mlt_proving_end(struct mlt_proving *p);
void mlt_proving_stop(struct mlt_proving *p); // ends, joins and frees; NULL accepted

#endif
