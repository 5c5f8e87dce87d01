// <state>/signing.key: the key in use, how it came to be that, and what is still to be said about it.
//
//   line 1   "PRIVATE+KEY+…" (signed note), or a PKCS#11 URI
//   line 2   {"keys":[…],"links":[…],"event":{"time":TIME,"by":TEXT,"reason":TEXT,"head":NOTE}}
//
// Line 2 is absent while there is one key and it is no token's; `event` while there is one key; `head` unless a
// successor began: then it is the head that the old origin signed last. The file is replaced as a whole: that moment is
// when one key ends to sign and the next one begins.
#ifndef MLT_TRAIL_KEY_FILE_H
#define MLT_TRAIL_KEY_FILE_H

#include "base/env.h"
#include "base/time.h"
#include "hsm/hsm.h"
#include "note/chain.h"

#define MLT_KEY_REASON_MAX 500 // bytes of a reason: a sentence or two, kept in an entry
#define MLT_KEY_BY_MAX 256     // as a principal

// What the control entry about the newest key will say.
struct mlt_key_event {
    int64_t time;
    char by[MLT_KEY_BY_MAX + 1];
    char reason[MLT_KEY_REASON_MAX + 1];
    char head[MLT_CHECKPOINT_NOTE_MAX + 1]; // "" unless a successor began
};

struct mlt_key_file {
    char secret[MLT_HSM_URI_MAX]; // line 1
    struct mlt_key_chain chain;
    struct mlt_key_event event; // meaningless while there is one key
};

// mlt_key_file_new makes a key of that name, drawn anew or (`uri`) one in a token, with a chain of its own.
enum mlt_status mlt_key_file_new(struct mlt_key_file *out, struct mlt_signer *signer, struct mlt_env *env,
                                 const char *name, const char *uri, const struct mlt_pin_source *pin,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_key_file_parse: MLT_INVALID with what is wrong. No signature is verified.
enum mlt_status mlt_key_file_parse(struct mlt_key_file *out, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
void mlt_key_file_format(struct mlt_buf *out, const struct mlt_key_file *file);
// mlt_key_file_read: MLT_NOTFOUND when absent, MLT_CORRUPT when it is none. Wipe `out->secret` after use.
enum mlt_status mlt_key_file_read(struct mlt_key_file *out, struct mlt_env *env, const char *path,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_key_file_write replaces the file, and overwrites the bytes of the one that was there. Durable on return. MLT_IO:
// either the old one or the new one is there, whole.
enum mlt_status mlt_key_file_write(struct mlt_env *env, const char *path, const struct mlt_key_file *file,
                                   struct mlt_error *err) MLT_MUST_USE;
// mlt_key_file_signer makes the signer of line 1. A token's key must be the one that the file names.
enum mlt_status mlt_key_file_signer(struct mlt_signer *out, const struct mlt_key_file *file,
                                    const struct mlt_pin_source *pin, struct mlt_error *err) MLT_MUST_USE;
static inline bool mlt_key_file_in_token(const struct mlt_key_file *file) {
    return mlt_hsm_is_uri(mlt_str(file->secret));
}

#endif
