// The body of a request to a witness (C2SP tlog-witness, `POST <submission prefix>/add-checkpoint`).
#ifndef MLT_NOTE_ADD_CHECKPOINT_H
#define MLT_NOTE_ADD_CHECKPOINT_H

#include "note/checkpoint.h"

#define MLT_ADD_CHECKPOINT_HASHES_MAX 63 // the protocol's own limit
// The longest body: "old" and 20 digits, 63 lines of 44 characters, an empty line, a note.
#define MLT_ADD_CHECKPOINT_MAX (32 + MLT_ADD_CHECKPOINT_HASHES_MAX * 45 + 1 + MLT_NOTE_MAX)

struct mlt_add_checkpoint {
    uint64_t old_size;      // the witness's size, as the sender believes; 0: it has none
    struct mlt_proof proof; // of consistency from old_size to the checkpoint
    struct mlt_bytes note;  // the signed checkpoint, verbatim, borrowed
};

// mlt_add_checkpoint_parse checks the form alone: what the note says, and whether the proof holds, is for the witness.
// MLT_INVALID, MLT_LIMIT: answer 400.
enum mlt_status mlt_add_checkpoint_parse(struct mlt_add_checkpoint *out, struct mlt_bytes body,
                                         struct mlt_error *err) MLT_MUST_USE;
// proof.num_hashes must be at most MLT_ADD_CHECKPOINT_HASHES_MAX.
void mlt_add_checkpoint_format(struct mlt_buf *out, const struct mlt_add_checkpoint *request);

#endif
