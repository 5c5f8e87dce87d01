// The state directory: what must not be copied with the trail, and must not be rolled back with it.
//
//   signing.key   the signer as a line of text (note, "PRIVATE+KEY+…")
//   kek           the key-encryption key: 64 hexadecimal digits and a newline
//   index.key     the key of index terms: the same form
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

#include "trail/trail.h"

#define MLT_HEAD_SLOTS 3

struct mlt_state {
    struct mlt_env *env;
    struct mlt_signer signer;
    struct mlt_record_keys keys;
    struct mlt_file *head_file;
    struct mlt_file *lock; // NULL unless writable
    pthread_mutex_t mu;    // guards the fields below
    uint64_t sequence;
    unsigned durable; // slot synced last
    unsigned syncing; // slot being synced; MLT_HEAD_SLOTS: none
    unsigned latest;  // slot written last
};

// mlt_state_create makes the directory with new keys. MLT_CONFLICT: it holds a key already.
enum mlt_status mlt_state_create(struct mlt_env *env, const char *dir, const char *origin,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_state_open reads keys and head. MLT_NOTFOUND: no state there. MLT_CORRUPT: no valid head. MLT_BUSY: to be
// written, and somebody else does.
enum mlt_status mlt_state_open(struct mlt_state *s, struct mlt_env *env, const char *dir, bool writable,
                               struct mlt_head *head, struct mlt_error *err) MLT_MUST_USE;
void mlt_state_close(struct mlt_state *s);
// mlt_state_put_head writes the head, not synced.
enum mlt_status mlt_state_put_head(struct mlt_state *s, const struct mlt_head *head,
                                   struct mlt_error *err) MLT_MUST_USE;
// mlt_state_sync_head makes the head that was written last durable.
enum mlt_status mlt_state_sync_head(struct mlt_state *s, struct mlt_error *err) MLT_MUST_USE;

#endif
