// What is sent at once: a batch of records, or one kept request; and what the server said to each of them.
#ifndef MLT_FORWARD_PARCEL_H
#define MLT_FORWARD_PARCEL_H

#include "forward/link.h"

#define MLT_PARCEL_RECORDS_MAX 1000 // the server commits a batch as one group
#define MLT_PARCEL_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct mlt_parcel {
    enum mlt_frame_type type;
    struct mlt_buf body; // lines, or the body of the one frame
    struct mlt_parcel_item {
        size_t at, len;
        uint64_t frame;
    } * items;
    size_t num, cap;
    size_t num_done; // those before are settled, whatever becomes of the rest
    bool failed;     // memory was out
};
void mlt_parcel_reset(struct mlt_parcel *p);
void mlt_parcel_clear(struct mlt_parcel *p);
// mlt_parcel_take is what mlt_spool_read gives frames to.
bool mlt_parcel_take(void *parcel, const struct mlt_frame *f);

// What became of an item.
struct mlt_settled {
    uint64_t frame;
    enum mlt_frame_type type;
    struct mlt_bytes body;
    bool accepted;
    int status;               // of the answer
    struct mlt_bytes problem; // JSON; of one that was not accepted
    // With receipts:
    bool has_receipt, duplicate;
    uint64_t index, tree_size;
    char leaf[65];
    struct mlt_bytes checkpoint; // text
};

struct mlt_deliver {
    struct mlt_link *link;
    bool receipts; // ask for them
    void (*settled)(void *arg, const struct mlt_settled *s);
    void *arg;
    int64_t retry_after_s; // out: what the server asks for
};
// mlt_deliver sends what is not settled yet. MLT_OK: all of it is. Else it is to be tried again later, and the error
// says why: no answer, an answer that is none of ours, or one that speaks of us and not of what was sent (401, 403, 404
// for records, 408, 429, 5xx).
enum mlt_status mlt_deliver(struct mlt_deliver *d, struct mlt_parcel *p, struct mlt_error *err) MLT_MUST_USE;

#endif
