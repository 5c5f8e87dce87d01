// Signed notes (C2SP signed-note), verifier keys (vkey) and signing keys.
#ifndef MLT_NOTE_NOTE_H
#define MLT_NOTE_NOTE_H

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#define MLT_NOTE_NAME_MAX 255       // origin and key names: the ML-DSA cosignature message allows no more
#define MLT_NOTE_SIGNATURES_MAX 64  // C2SP asks for at least 16; tlog-policy allows 32 witnesses and logs sign too
#define MLT_NOTE_MAX 65536          // 64 KiB: sixty-four of our signatures fit, and a parse stays cheap
#define MLT_NOTE_SIG_BYTES_MAX 2600 // an ML-DSA-44 cosignature is 2,432

enum mlt_key_type { MLT_KEY_ED25519 = 0x01, MLT_KEY_COSIGNATURE_V1 = 0x04 };

// A verifier key: "name+hex8(key id)+base64(type || public key)".
struct mlt_vkey {
    char name[MLT_NOTE_NAME_MAX + 1];
    uint32_t key_id;
    enum mlt_key_type type;
    uint8_t key[MLT_ED25519_KEY_LEN];
};
#define MLT_VKEY_TEXT_MAX (MLT_NOTE_NAME_MAX + 1 + 8 + 1 + 44 + 1)
// MLT_INVALID with what is wrong: form, base64, unknown type, length, key id that is not the hash, bad name.
enum mlt_status mlt_vkey_parse(struct mlt_vkey *out, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
bool mlt_vkey_equal(const struct mlt_vkey *a, const struct mlt_vkey *b); // the same name, type and key
void mlt_vkey_format(char out[static MLT_VKEY_TEXT_MAX], const struct mlt_vkey *key);
uint32_t mlt_key_id(struct mlt_bytes name, uint8_t type, struct mlt_bytes public_key);
bool mlt_note_name_valid(
    struct mlt_bytes name); // non-empty, UTF-8, no Unicode space, no '+', at most MLT_NOTE_NAME_MAX bytes

// A note signer: an Ed25519 key with its name. Secret text form: "PRIVATE+KEY+name+hex8+base64(01 || seed)".
struct mlt_signer {
    struct mlt_vkey vkey;
    struct mlt_signing_key *key;
};
#define MLT_SKEY_TEXT_MAX (MLT_VKEY_TEXT_MAX + 12)
enum mlt_status mlt_signer_init(struct mlt_signer *out, struct mlt_bytes name, const uint8_t seed[static 32],
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_signer_take makes a signer of a key that is there already; it owns `key` from here on, also when it fails.
enum mlt_status mlt_signer_take(struct mlt_signer *out, struct mlt_bytes name, struct mlt_signing_key *key,
                                struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_signer_parse(struct mlt_signer *out, struct mlt_bytes secret_text,
                                 struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_signer_format_secret(char out[static MLT_SKEY_TEXT_MAX], struct mlt_bytes name,
                                         const uint8_t seed[static 32], struct mlt_error *err) MLT_MUST_USE;
void mlt_signer_clear(struct mlt_signer *s); // wipes

// A parsed note borrows from the text it was parsed from.
struct mlt_note_sig {
    struct mlt_bytes name;
    uint32_t key_id;
    uint8_t sig[MLT_NOTE_SIG_BYTES_MAX];
    size_t sig_len; // 0: longer than MLT_NOTE_SIG_BYTES_MAX, so of a type unknown here; never verifies
};
struct mlt_note {
    struct mlt_bytes text;     // what is signed, with its final newline
    struct mlt_note_sig *sigs; // in the caller's arena
    size_t num_sigs;
};
enum mlt_status mlt_note_parse(struct mlt_note *out, struct mlt_arena *arena, struct mlt_bytes bytes,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_note_parse_lines makes a note of signed text that is known and signature lines alone, which is what a witness
// answers. Both must outlive the note.
enum mlt_status mlt_note_parse_lines(struct mlt_note *out, struct mlt_arena *arena, struct mlt_bytes text,
                                     struct mlt_bytes lines, struct mlt_error *err) MLT_MUST_USE;
// mlt_note_sig_claims says whether a signature line bears the name and id of `key`; whether it is good is another
// thing.
bool mlt_note_sig_claims(const struct mlt_note_sig *sig, const struct mlt_vkey *key);
// mlt_note_verify is a verdict: at least one good signature by one of `keys`, and none of theirs bad. Unknown keys are
// passed over. `*why` (may be NULL) gets a fixed phrase when false. `good` (may be NULL) has num_keys flags.
bool mlt_note_verify(const struct mlt_note *note, const struct mlt_vkey *keys, size_t num_keys, bool *good,
                     const char **why);
// mlt_note_sign appends text, blank line and one signature line to `out`. `text` ends in '\n' and is valid note text.
enum mlt_status mlt_note_sign(struct mlt_buf *out, struct mlt_bytes text, const struct mlt_signer *signer,
                              struct mlt_error *err) MLT_MUST_USE;

#endif
