// The state directory: what must not be copied with the trail, and must not be rolled back with it.
//
//   signing.key   the key in use and those before it (key_file.h)
//   kek           the key-encryption key (kek.h); kek.next, kek.note: while it is being replaced
//   index.key     the key of index terms: 64 hexadecimal digits and a newline
//   head          the tree head signed last: three slots of 4096 bytes
//   lock          no content: locked by who signs
//
//   slot   0  8  "MLTHEAD1"
//          8  8  sequence
//         16  8  received of its group, ns since 1970
//         24  4  length of the note
//         28     the note (signed checkpoint), then zeros
//       4092  4  CRC-32C of the first 4092 bytes
//
// The valid slot with the highest sequence counts. A head is written before each acknowledgement and synced before each
// publication. Writes that are not synced yet never go to the slot that was synced last, nor to the one that is being
// synced: so a power failure leaves at least the head that was synced last.
#ifndef MLT_TRAIL_STATE_H
#define MLT_TRAIL_STATE_H

#include <pthread.h>

#include "trail/kek.h"
#include "trail/key_file.h"
#include "trail/trail.h"

#define MLT_HEAD_SLOTS 3

struct mlt_state {
    struct mlt_env *env;
    struct mlt_signer signer; // its key is NULL when a token has it and nothing is to be signed
    struct mlt_key_chain chain;
    struct mlt_key_event event; // of the newest key, unless it is the first one
    struct mlt_record_keys keys;
    bool signing_in_token;
    char kek_uri[MLT_HSM_URI_MAX]; // of the token's key over the key-encryption key; "": none
    bool has_kek;                  // false: it is in a token that was not opened, and `keys.kek` is zeros
    struct mlt_file *head_file;
    struct mlt_file *lock; // NULL unless writable
    pthread_mutex_t mu;    // guards the fields below
    uint64_t sequence;
    unsigned durable; // slot synced last
    unsigned syncing; // slot being synced; MLT_HEAD_SLOTS: none
    unsigned latest;  // slot written last
};

struct mlt_state_options {
    const char *dir;
    bool writable; // takes the lock and opens the tokens; else a token that has no PIN at hand is done without
    const struct mlt_pin_source *pin;
    const char *signing_uri; // to create: the key in a token; NULL: a new one, kept in the directory
    const char *kek_uri;     // to create: the token's AES key over the key-encryption key; NULL: none
};

// mlt_state_create makes the directory with new keys. MLT_CONFLICT: it holds a key already.
enum mlt_status mlt_state_create(struct mlt_env *env, const struct mlt_state_options *opt, const char *origin,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_state_open reads keys and head. `head` is the tree that must still be there: the one signed last or, where a
// newer key has signed nothing yet, the one that it goes on with (`head->note_len` is then 0). MLT_NOTFOUND: no state
// there. MLT_CORRUPT: no valid head. MLT_BUSY: to be written, and somebody else does. MLT_DENIED: a token refuses.
enum mlt_status mlt_state_open(struct mlt_state *s, struct mlt_env *env, const struct mlt_state_options *opt,
                               struct mlt_head *head, struct mlt_error *err) MLT_MUST_USE;
void mlt_state_close(struct mlt_state *s);
// mlt_state_put_head writes the head, not synced.
enum mlt_status mlt_state_put_head(struct mlt_state *s, const struct mlt_head *head,
                                   struct mlt_error *err) MLT_MUST_USE;
// mlt_state_sync_head makes the head that was written last durable.
enum mlt_status mlt_state_sync_head(struct mlt_state *s, struct mlt_error *err) MLT_MUST_USE;

#endif
