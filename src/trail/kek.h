// The key-encryption key at rest, and its rotation while that is under way.
//
//   <state>/kek        64 hexadecimal digits and a newline; or a line with a PKCS#11 URI and a line with the key as the
//                      token's AES key encrypted it, in base64 (60 bytes)
//   <state>/kek.next   the same form: the key that slots are being rewrapped with; new secrets are wrapped with it
//   <state>/kek.note   what the control entry about the rotation will say: {"time","by","reason","old","new"}
//
// kek.note is written first, then kek.next, then the slots go over; the note gets the counts, which says that no slot
// is under the old key any more; `kek` is overwritten with zeros, and kek.next takes its name; the control entry
// follows, and the note goes. While kek.next is there, a slot opens under exactly one of the two keys.
#ifndef MLT_TRAIL_KEK_H
#define MLT_TRAIL_KEK_H

#include "base/env.h"
#include "crypto/seal.h"
#include "hsm/hsm.h"
#include "record/draft.h"
#include "trail/key_file.h"

#define MLT_KEK_FINGERPRINT_LEN 16

struct mlt_kek {
    uint8_t key[MLT_KEK_LEN];
    char uri[MLT_HSM_URI_MAX]; // of the token's key over it; "": none
};

struct mlt_kek_note {
    int64_t time;
    char by[MLT_KEY_BY_MAX + 1];
    char reason[MLT_KEY_REASON_MAX + 1];
    char old_fingerprint[2 * MLT_KEK_FINGERPRINT_LEN + 1];
    char new_fingerprint[2 * MLT_KEK_FINGERPRINT_LEN + 1];
    uint64_t num_wrapped; // secrets under the new key when it was done; UINT64_MAX: not done yet
    uint64_t num_erased;
    uint64_t size; // of the tree then: the control entry is the next one
};

// mlt_kek_read: MLT_NOTFOUND when absent, MLT_CORRUPT when it holds no key, MLT_DENIED when the token refuses.
enum mlt_status mlt_kek_read(struct mlt_kek *out, struct mlt_env *env, const char *path,
                             const struct mlt_pin_source *pin, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_kek_write(struct mlt_env *env, const char *path, const struct mlt_kek *kek,
                              const struct mlt_pin_source *pin, struct mlt_error *err) MLT_MUST_USE;
// mlt_kek_destroy overwrites a key file with zeros, in place and synced, and leaves it.
enum mlt_status mlt_kek_destroy(struct mlt_env *env, const char *path, struct mlt_error *err) MLT_MUST_USE;
// mlt_kek_fingerprint tells keys apart without saying anything about them.
void mlt_kek_fingerprint(char out[static 2 * MLT_KEK_FINGERPRINT_LEN + 1], const uint8_t kek[static MLT_KEK_LEN]);

// mlt_kek_note_parse: MLT_INVALID or MLT_CORRUPT with what is wrong.
enum mlt_status mlt_kek_note_parse(struct mlt_kek_note *out, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
void mlt_kek_note_format(struct mlt_buf *out, const struct mlt_kek_note *note);
enum mlt_status mlt_kek_note_read(struct mlt_kek_note *out, struct mlt_env *env, const char *path,
                                  struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_kek_note_write(struct mlt_env *env, const char *path, const struct mlt_kek_note *note,
                                   struct mlt_error *err) MLT_MUST_USE;

// mlt_kek_load reads the keys of a state directory into `keys` as they are in force: also in the middle of a rotation.
// `current` may be NULL; it gets the URI also when the token refuses.
enum mlt_status mlt_kek_load(struct mlt_record_keys *keys, struct mlt_kek *current, struct mlt_env *env,
                             const char *state_dir, const struct mlt_pin_source *pin,
                             struct mlt_error *err) MLT_MUST_USE;
// mlt_kek_settle destroys the old key and gives the new one its name, if the note says that every slot is under it.
// Does nothing otherwise. Durable on return.
enum mlt_status mlt_kek_settle(struct mlt_env *env, const char *state_dir, struct mlt_error *err) MLT_MUST_USE;

#endif
