// Changing the keys of a trail that nobody writes: the signing key, the key-encryption key, and both the key and the
// name where an older copy has to be gone on with. Each takes the locks for as long as it lasts; MLT_BUSY: somebody
// else has them.
//
// Each has one moment from which on it holds: <state>/signing.key is replaced, or <state>/kek.note says that every slot
// is under the new key. What follows that moment (trail.json, the head, the control entry, the checkpoint) follows at
// the next opening as well: an interrupted change leaves a trail that opens, with the old key or with the new one.
#ifndef MLT_TRAIL_KEYS_H
#define MLT_TRAIL_KEYS_H

#include "trail/kek.h"
#include "trail/trail.h"

struct mlt_key_change {
    const char *by;     // who does it; kept in the trail
    const char *reason; // why; kept in the trail, 1 to MLT_KEY_REASON_MAX bytes
    const char *uri; // a PKCS#11 URI: of the new signing key, or of the token's key over the new kek; NULL: none given
    bool in_file;    // the key may leave the token that it is in now
    void (*progress)(void *arg, uint64_t done, uint64_t total); // of slots; the signing key is replaced at once
    void *progress_arg;
};

// mlt_trail_rotate_signing makes the trail go on with a new signing key, or one in a token. Old and new key sign that
// the one follows the other, at this tree. Where the old key is in a token, the new one is named, or `in_file` said:
// MLT_INVALID otherwise. MLT_IO: `mlt_trail_open` tells which key it is. MLT_LIMIT: no more keys.
enum mlt_status mlt_trail_rotate_signing(struct mlt_env *env, const struct mlt_trail_options *opt,
                                         const struct mlt_key_change *how, struct mlt_error *err) MLT_MUST_USE;

struct mlt_kek_change {
    bool resumed; // an interrupted one was gone on with: by, reason and uri are those that it began with
    char old_fingerprint[2 * MLT_KEK_FINGERPRINT_LEN + 1];
    char new_fingerprint[2 * MLT_KEK_FINGERPRINT_LEN + 1];
    uint64_t num_wrapped;
    uint64_t num_erased;
};
// mlt_trail_rotate_kek wraps every secret with a new key-encryption key and destroys the old one: copies of slots made
// before cannot be opened any more. Without `uri` the new one lies as the old one did, under the same token's key if it
// was under one, unless `in_file`. After an error or a crash, payloads can be read and written as before, and calling
// it again goes on. MLT_CORRUPT: a slot opens under neither key; located, and nothing is destroyed.
enum mlt_status mlt_trail_rotate_kek(struct mlt_env *env, const struct mlt_trail_options *opt,
                                     const struct mlt_key_change *how, struct mlt_kek_change *out,
                                     struct mlt_error *err) MLT_MUST_USE;

// An older copy of a trail beside the <state> that knows better.
struct mlt_recovery {
    char old_origin[MLT_NOTE_NAME_MAX + 1];
    char new_origin[MLT_NOTE_NAME_MAX + 1];
    struct mlt_head last; // signed last
    uint64_t kept;        // entries that are there
    uint8_t kept_root[MLT_HASH_LEN];
};
// mlt_trail_plan_recovery says what mlt_trail_recover would do, and changes nothing. `origin` NULL: the old one and
// "/2", or the next number. MLT_INVALID: nothing is to be recovered, or not under that name. MLT_CONFLICT: the tree is
// not an older copy of what was signed.
enum mlt_status mlt_trail_plan_recovery(struct mlt_env *env, const struct mlt_trail_options *opt, const char *origin,
                                        struct mlt_recovery *out, struct mlt_error *err) MLT_MUST_USE;
// mlt_trail_recover goes on with the older copy under a new origin and a new key, which the old key vouches for. The
// first entry under the new origin says what was lost. `plan` as mlt_trail_plan_recovery gave it; MLT_CONFLICT: the
// trail is another one by now.
enum mlt_status mlt_trail_recover(struct mlt_env *env, const struct mlt_trail_options *opt,
                                  const struct mlt_recovery *plan, const struct mlt_key_change *how,
                                  struct mlt_error *err) MLT_MUST_USE;

#endif
