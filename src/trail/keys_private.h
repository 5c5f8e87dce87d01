// What the changes of keys share.
#ifndef MLT_TRAIL_KEYS_PRIVATE_H
#define MLT_TRAIL_KEYS_PRIVATE_H

#include "trail/keys.h"
#include "trail/trail_private.h"

// mlt_keys_check_change: MLT_INVALID when reason or principal cannot be kept, or the URI is none.
enum mlt_status mlt_keys_check_change(const struct mlt_key_change *how, struct mlt_error *err) MLT_MUST_USE;
// mlt_keys_check_place: MLT_INVALID when the signing key would leave its token unsaid.
enum mlt_status mlt_keys_check_place(const struct mlt_trail *t, const struct mlt_key_change *how,
                                     struct mlt_error *err) MLT_MUST_USE;
// mlt_keys_settle opens the trail, lets everything be recorded that is due, and closes it: with a head and a checkpoint
// by the key in use, and an empty journal.
enum mlt_status mlt_keys_settle(struct mlt_env *env, const struct mlt_trail_options *opt,
                                struct mlt_error *err) MLT_MUST_USE;
// mlt_keys_replace makes the key of `next` follow the one that `t` is open with, and writes signing.key. `link` has
// sizes and roots. From its return on `t` is only good for closing.
enum mlt_status mlt_keys_replace(struct mlt_trail *t, struct mlt_key_file *next, const struct mlt_signer *signer,
                                 struct mlt_key_link *link, const struct mlt_key_change *how, struct mlt_bytes head,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
