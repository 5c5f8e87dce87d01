// The signing keys of a trail, newest first, and what leads from each to the next.
//
// A link is a signed note (C2SP signed-note) with two signatures, of the old key and of the new one, in this order. Its
// text is one of
//
//   mltrail/v1 key rotation        mltrail/v1 succession
//   origin                         old origin
//   old vkey                       new origin
//   new vkey                       old vkey
//   size                           new vkey
//   root                           size
//                                  root
//                                  kept size
//                                  kept root
//
// The old key signed no tree above `size`; the new key goes on from there. A succession goes on from an older copy, of
// `kept` entries: the entries from `kept` on are lost, and the origin is another one, so that no two trees have one
// name. No tree head begins so: an origin has no white space.
//
// Whoever trusts one key of a chain trusts them all: going to a newer key, the old one vouches for it; going to an
// older one, the new one vouches for what it signed up to the link.
#ifndef MLT_NOTE_CHAIN_H
#define MLT_NOTE_CHAIN_H

#include "note/checkpoint.h"

#define MLT_CHAIN_KEYS_MAX 32 // a rotation a quarter for eight years; trail.json stays below its limit
#define MLT_KEY_LINK_MAX 2048 // text of a link: names of 255 bytes, eight times

struct mlt_key_link {
    uint64_t size; // the tree that the old key signed last
    uint8_t root[MLT_HASH_LEN];
    uint64_t kept; // the tree that the new key goes on with; `size` unless entries were lost
    uint8_t kept_root[MLT_HASH_LEN];
    uint8_t old_signature[MLT_ED25519_SIG_LEN];
    uint8_t new_signature[MLT_ED25519_SIG_LEN];
};

struct mlt_key_chain {
    struct mlt_vkey keys[MLT_CHAIN_KEYS_MAX];      // the one in use first
    struct mlt_key_link links[MLT_CHAIN_KEYS_MAX]; // links[i] leads from keys[i + 1] to keys[i]
    size_t num_keys;
};

// mlt_key_link_sign fills in both signatures; sizes and roots are set.
enum mlt_status mlt_key_link_sign(struct mlt_key_link *link, const struct mlt_signer *old_signer,
                                  const struct mlt_signer *new_signer, struct mlt_error *err) MLT_MUST_USE;
void mlt_key_link_format(struct mlt_buf *out, const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                         const struct mlt_vkey *new_key);
// mlt_key_link_parse: MLT_INVALID unless the text is what mlt_key_link_format writes. Signatures are not verified.
enum mlt_status mlt_key_link_parse(struct mlt_key_link *link, struct mlt_vkey *old_key, struct mlt_vkey *new_key,
                                   struct mlt_bytes note, struct mlt_error *err) MLT_MUST_USE;
// mlt_key_link_verify is a verdict: both signatures are good, and the sizes make sense.
bool mlt_key_link_verify(const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                         const struct mlt_vkey *new_key);
static inline bool mlt_key_link_is_succession(const struct mlt_vkey *old_key, const struct mlt_vkey *new_key) {
    return strcmp(old_key->name, new_key->name) != 0;
}

void mlt_key_chain_init(struct mlt_key_chain *chain, const struct mlt_vkey *only);
// mlt_key_chain_push puts a newer key in front. MLT_LIMIT: there are MLT_CHAIN_KEYS_MAX already. MLT_INVALID: that key
// was in use before.
enum mlt_status mlt_key_chain_push(struct mlt_key_chain *chain, const struct mlt_vkey *newer,
                                   const struct mlt_key_link *link, struct mlt_error *err) MLT_MUST_USE;
// mlt_key_chain_leads is a verdict: `trusted` is one of the keys, every link is good, and no key stands there twice.
bool mlt_key_chain_leads(const struct mlt_key_chain *chain, const struct mlt_vkey *trusted);
// mlt_key_chain_ends_with is a verdict: `older` is how this chain looked before its newest keys were added.
bool mlt_key_chain_ends_with(const struct mlt_key_chain *chain, const struct mlt_key_chain *older);

// mlt_key_chain_names is a verdict: the first `size` entries of the log called `origin` are entries of this one.
// Either it is the name in use, or a succession left it, and went on with as many entries or more.
bool mlt_key_chain_names(const struct mlt_key_chain *chain, struct mlt_bytes origin, uint64_t size);

// mlt_key_chain_signer parses a signed checkpoint and finds the key that signed it (`*at`), whether or not that key was
// in use at its size. MLT_INVALID: malformed. MLT_DENIED: signed by none of the keys.
enum mlt_status mlt_key_chain_signer(const struct mlt_key_chain *chain, struct mlt_checkpoint *out, size_t *at,
                                     struct mlt_bytes note, struct mlt_error *err) MLT_MUST_USE;
// mlt_key_chain_open is the same, and refuses (MLT_DENIED) a head above what its key may sign: one made with a key
// after it was replaced, or one of entries that a succession gave up.
enum mlt_status mlt_key_chain_open(const struct mlt_key_chain *chain, struct mlt_checkpoint *out, struct mlt_bytes note,
                                   struct mlt_error *err) MLT_MUST_USE;

#endif
