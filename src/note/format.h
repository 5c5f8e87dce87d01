// What the files of this layer share.
#ifndef MLT_NOTE_FORMAT_H
#define MLT_NOTE_FORMAT_H

#include "merkle/merkle.h"
#include "note/note.h"

// mlt_note_name_form is mlt_note_name_valid without the length: a line of somebody else's key may have a longer name.
bool mlt_note_name_form(struct mlt_bytes name);

// mlt_note_check_characters refuses what no note may hold: bad UTF-8 and control characters other than newline.
enum mlt_status mlt_note_check_characters(struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
// mlt_note_check_text is that for text to be signed, which ends in a newline.
enum mlt_status mlt_note_check_text(struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;

// mlt_note_put_signature appends the signature line of `key` with the bytes `sig`, which follow the key id.
enum mlt_status mlt_note_put_signature(struct mlt_buf *out, const struct mlt_vkey *key, struct mlt_bytes sig,
                                       struct mlt_error *err) MLT_MUST_USE;

// Signing keys of either type. mlt_key_parse_secret accepts `type` and MLT_KEY_ED25519, and says which in `found`.
enum mlt_status mlt_key_init(struct mlt_vkey *vkey, struct mlt_signing_key **key, enum mlt_key_type type,
                             struct mlt_bytes name, const uint8_t seed[static 32], struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_key_parse_secret(struct mlt_vkey *found, uint8_t seed[static 32], enum mlt_key_type type,
                                     struct mlt_bytes secret_text, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_key_format_secret(char out[static MLT_SKEY_TEXT_MAX], enum mlt_key_type type, struct mlt_bytes name,
                                      const uint8_t seed[static 32], struct mlt_error *err) MLT_MUST_USE;

// mlt_hash_lines_parse reads lines of one base64 hash each up to an empty line, which it consumes. MLT_INVALID: another
// line, over `max` hashes (max <= MLT_PROOF_MAX), or the end before an empty line.
enum mlt_status mlt_hash_lines_parse(struct mlt_proof *out, size_t max, struct mlt_cursor *c,
                                     struct mlt_error *err) MLT_MUST_USE;
// mlt_hash_lines_put writes the lines and the empty one.
void mlt_hash_lines_put(struct mlt_buf *out, const struct mlt_proof *proof);
// mlt_line_skip_prefix drops `prefix` from the front of `line`; false, and nothing dropped, when it is not there.
bool mlt_line_skip_prefix(struct mlt_bytes *line, const char *prefix);

#endif
