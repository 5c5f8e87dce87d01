// Checkpoints (C2SP tlog-checkpoint): the signed tree head.
#ifndef MLT_NOTE_CHECKPOINT_H
#define MLT_NOTE_CHECKPOINT_H

#include "merkle/merkle.h"
#include "note/note.h"

struct mlt_checkpoint {
    char origin[MLT_NOTE_NAME_MAX + 1];
    uint64_t size;
    uint8_t root[MLT_HASH_LEN];
};

// A checkpoint note of ours: origin, 20 digits, 44 characters, one signature line with the name again.
#define MLT_CHECKPOINT_NOTE_MAX 1024

// mlt_checkpoint_parse reads the note text (three lines; extension lines are refused only if empty).
enum mlt_status mlt_checkpoint_parse(struct mlt_checkpoint *out, struct mlt_bytes note_text,
                                     struct mlt_error *err) MLT_MUST_USE;
void mlt_checkpoint_format(struct mlt_buf *out, const struct mlt_checkpoint *c);
// mlt_checkpoint_sign appends the whole signed note to `out`.
enum mlt_status mlt_checkpoint_sign(struct mlt_buf *out, const struct mlt_checkpoint *c,
                                    const struct mlt_signer *signer, struct mlt_error *err) MLT_MUST_USE;
// mlt_checkpoint_open parses a signed checkpoint and verifies it with `key`, whose name must be the origin.
// MLT_INVALID: malformed. MLT_DENIED: well-formed, but not signed by this key or for another origin.
enum mlt_status mlt_checkpoint_open(struct mlt_checkpoint *out, struct mlt_bytes note, const struct mlt_vkey *key,
                                    struct mlt_error *err) MLT_MUST_USE;

// C2SP tlog-proof: an offline inclusion proof with its checkpoint, as text.
struct mlt_tlog_proof {
    uint64_t index;
    struct mlt_proof proof;
    struct mlt_bytes extra;      // decoded, in the arena; len 0: none
    struct mlt_bytes checkpoint; // verbatim, borrowed
};
enum mlt_status mlt_tlog_proof_parse(struct mlt_tlog_proof *out, struct mlt_arena *arena, struct mlt_bytes text,
                                     struct mlt_error *err) MLT_MUST_USE;
void mlt_tlog_proof_format(struct mlt_buf *out, const struct mlt_tlog_proof *p);

#endif
