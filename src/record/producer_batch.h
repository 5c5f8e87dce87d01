// Signed batches: a serving node signs what it logged, batch by batch, each chained to the one before. So the server
// can neither invent nor drop what a node sent (docs/FORMAT.md, "Signed batches").
//
// The statement is the text that the node's key signs (SSHSIG), kept verbatim in the `batch` record:
//
//   mltrail batch v1
//   serving_node: "node-7"
//   stream: "417-8f2c11d0a9be"
//   first: 1
//   last: 250
//   count: 250
//   root: "sha256:…"
//   previous: null
//
// `root` is the RFC 6962 tree hash over the leaves of the predictions in order of `sequence`; `previous` is the digest
// of the stream's statement before this one. A leaf is SHA-256(00 || nonce || canonical record): the nonce is a payload
// of the batch, so that nobody can guess a record from its leaf once that is erased.
#ifndef MLT_RECORD_PRODUCER_BATCH_H
#define MLT_RECORD_PRODUCER_BATCH_H

#include "crypto/sha256.h"
#include "record/json.h"

#define MLT_PRODUCER_BATCH_NAMESPACE "batch@mltrail" // of the signature
#define MLT_PRODUCER_BATCH_RECORDS_MAX 1000          // a batch is read whole to check one record of it
#define MLT_PRODUCER_BATCH_BLOCK 1000 // sequence numbers that share a look-up: a batch lies in two of them at most
#define MLT_PRODUCER_BATCH_NONCE_LEN 32

struct mlt_producer_batch {
    struct mlt_bytes serving_node, stream;
    uint64_t first, last, count;
    uint8_t root[MLT_HASH_LEN];
    bool has_previous;
    uint8_t previous[MLT_HASH_LEN];
};

void mlt_producer_batch_write(struct mlt_buf *out, const struct mlt_producer_batch *batch);
// mlt_producer_batch_read accepts exactly what mlt_producer_batch_write writes; names are in the arena or borrowed.
// MLT_INVALID: it is no such statement, or counts what cannot be.
enum mlt_status mlt_producer_batch_read(struct mlt_producer_batch *out, struct mlt_bytes text, struct mlt_arena *arena,
                                        struct mlt_error *err) MLT_MUST_USE;

// mlt_producer_batch_leaf hashes a record given as objects that hold its members between them (its facts and its
// payload, or the record itself); a member `kind` is `kind` already and is passed over.
//   canonical: u32be length || kind, then for each member in byte order of names: u32be length || name || u32be length
//   || value without insignificant white space
enum mlt_status mlt_producer_batch_leaf(uint8_t out[static MLT_HASH_LEN],
                                        const uint8_t nonce[static MLT_PRODUCER_BATCH_NONCE_LEN], struct mlt_bytes kind,
                                        const struct mlt_json *const *objects, size_t num_objects,
                                        struct mlt_arena *arena, struct mlt_error *err) MLT_MUST_USE;

#endif
