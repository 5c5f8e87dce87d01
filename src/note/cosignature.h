// Cosignatures (C2SP tlog-cosignature, Ed25519 `cosignature/v1`): a witness's dated statement that, at that time, a
// checkpoint was the largest consistent tree that it had seen of the log.
#ifndef MLT_NOTE_COSIGNATURE_H
#define MLT_NOTE_COSIGNATURE_H

#include "note/note.h"

// A cosigner's key with its name; `vkey` is of type MLT_KEY_COSIGNATURE_V1. One key serves one cosigner: the signed
// message does not hold the name. Use from one thread at a time.
struct mlt_cosigner {
    struct mlt_vkey vkey;
    struct mlt_signing_key *key;
};
enum mlt_status mlt_cosigner_init(struct mlt_cosigner *out, struct mlt_bytes name, const uint8_t seed[static 32],
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_cosigner_parse reads "PRIVATE+KEY+name+hex8+base64(04 || seed)", and the same with type 01 and its key id, which
// is how other witnesses keep the key that they cosign with.
enum mlt_status mlt_cosigner_parse(struct mlt_cosigner *out, struct mlt_bytes secret_text,
                                   struct mlt_error *err) MLT_MUST_USE;
// mlt_cosigner_format_secret writes the form with type 04. `name` must be valid.
enum mlt_status mlt_cosigner_format_secret(char out[static MLT_SKEY_TEXT_MAX], struct mlt_bytes name,
                                           const uint8_t seed[static 32], struct mlt_error *err) MLT_MUST_USE;
void mlt_cosigner_clear(struct mlt_cosigner *c); // wipes; NULL and zero accepted

// mlt_cosignature_sign appends one signature line to `out`: what a witness answers, and what follows the other lines of
// a note. `note_text` is what the log signed, with its final newline. MLT_INVALID: not the text of a note.
enum mlt_status mlt_cosignature_sign(struct mlt_buf *out, struct mlt_bytes note_text, const struct mlt_cosigner *c,
                                     uint64_t unix_seconds, struct mlt_error *err) MLT_MUST_USE;

// mlt_cosignature_verify is a verdict: the note has a signature by `key`, and every one that it has by it is good.
// `*timestamp` (may be NULL) gets the latest of their times, in seconds since 1970; 0 when false. `*why` (may be NULL)
// gets a fixed phrase when false. Whether the time is plausible is for the caller to say.
bool mlt_cosignature_verify(const struct mlt_note *note, const struct mlt_vkey *key, uint64_t *timestamp,
                            const char **why);

// mlt_cosignature_find is that with a status of its own: MLT_NOMEM, and then `*why` is not NULL and no time is set.
enum mlt_status mlt_cosignature_find(const char **why, uint64_t *timestamp, const struct mlt_note *note,
                                     const struct mlt_vkey *key, struct mlt_error *err) MLT_MUST_USE;
// mlt_cosignature_check judges one signature, without regard to names and key ids. MLT_NOMEM: it could not.
enum mlt_status mlt_cosignature_check(bool *good, const struct mlt_vkey *key, struct mlt_bytes note_text,
                                      const struct mlt_note_sig *sig, uint64_t *timestamp,
                                      struct mlt_error *err) MLT_MUST_USE;

// mlt_cosignature_good is that as a verdict alone: false also when memory ran out.
bool mlt_cosignature_good(const struct mlt_vkey *key, struct mlt_bytes note_text, const struct mlt_note_sig *sig,
                          uint64_t *timestamp);

#endif
