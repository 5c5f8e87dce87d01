// What the files of the witness itself share.
#ifndef MLT_WITNESS_WITNESS_PRIVATE_H
#define MLT_WITNESS_WITNESS_PRIVATE_H

#include <pthread.h>

#include "witness/witness.h"

#define MLT_WITNESS_PATH_MAX 1024

struct mlt_witness {
    struct mlt_env *env;
    char dir[MLT_WITNESS_PATH_MAX];
    struct mlt_file *lock_file;
    struct mlt_cosigner cosigner;
    // From reading a head to replacing it: comparing and setting must be one step, or a late request with a smaller
    // tree would roll the head back.
    pthread_mutex_t mu;
};

void mlt_witness_id(char out[static MLT_WITNESS_ID_LEN + 1], struct mlt_bytes origin);
// mlt_witness_load reads what is kept of the log with this id, and its head's note (may be NULL).
// MLT_NOTFOUND: no such log. MLT_CORRUPT: what is there was not written by this witness.
enum mlt_status mlt_witness_load(struct mlt_witness *w, const char *id, struct mlt_witness_log *out,
                                 struct mlt_buf *note, struct mlt_error *err) MLT_MUST_USE;
// mlt_witness_store replaces the head durably.
enum mlt_status mlt_witness_store(struct mlt_witness *w, const char *id, struct mlt_bytes note,
                                  struct mlt_error *err) MLT_MUST_USE;

#endif
