// A witness (C2SP tlog-witness): keeps for each log that it knows the largest checkpoint that it has cosigned, and
// cosigns another one only when it extends that.
//
//   <dir>/witness.key        "PRIVATE+KEY+…", type 04, and a newline
//         logs/<hex>         the log's vkeys, the one in use first, a line each; <hex> is SHA-256 of the origin
//         heads/<hex>        the checkpoint cosigned last, with the log's signature and ours
//         lock               no content: locked by who cosigns
//
// A head is one file that is replaced as a whole: it is durable before its cosignature leaves, so that after a crash at
// any moment the witness stands at or beyond everything that it has said. Nothing of it is kept in memory: a log that
// is added while the witness runs is known at once.
#ifndef MLT_WITNESS_WITNESS_H
#define MLT_WITNESS_WITNESS_H

#include "base/env.h"
#include "note/add_checkpoint.h"
#include "note/chain.h"
#include "note/cosignature.h"

#define MLT_WITNESS_TYPE_TEXT "text/plain; charset=utf-8"
#define MLT_WITNESS_TYPE_SIZE "text/x.tlog.size" // of the body of a 409: the protocol names it
#define MLT_WITNESS_ID_LEN 64                    // SHA-256 of an origin in hexadecimal

struct mlt_witness;

// mlt_witness_create makes `dir` with a new key. `name` is the witness's name on signature lines.
// MLT_CONFLICT: there is a witness already, or another process makes one. MLT_INVALID: the name cannot be a key name.
enum mlt_status mlt_witness_create(struct mlt_env *env, const char *dir, const char *name, struct mlt_vkey *out,
                                   struct mlt_error *err) MLT_MUST_USE;
// mlt_witness_open takes the lock unless `read_only`. MLT_NOTFOUND: no witness there. MLT_BUSY: another process
// cosigns.
enum mlt_status mlt_witness_open(struct mlt_witness **out, struct mlt_env *env, const char *dir, bool read_only,
                                 struct mlt_error *err) MLT_MUST_USE;
void mlt_witness_close(struct mlt_witness *w); // NULL accepted
const struct mlt_vkey *mlt_witness_vkey(const struct mlt_witness *w);

// mlt_witness_add_log makes a log known, durably. The same key again: nothing changes.
// MLT_CONFLICT: the origin is known under another key. MLT_INVALID: a witness's key, not a log's.
enum mlt_status mlt_witness_add_log(struct mlt_env *env, const char *dir, const struct mlt_vkey *log,
                                    struct mlt_error *err) MLT_MUST_USE;

// mlt_witness_follow_log makes the newest key of a chain known, in place of one of its older keys of the same origin
// that is known; what was cosigned under that stays. Every link must be good: whoever has the witness's directory need
// not believe whoever brings the chain. MLT_CONFLICT: the origin is known under a key that the chain does not lead
// from.
enum mlt_status mlt_witness_follow_log(struct mlt_env *env, const char *dir, const struct mlt_key_chain *chain,
                                       struct mlt_error *err) MLT_MUST_USE;

// What is kept of one log.
struct mlt_witness_log {
    struct mlt_vkey vkey;                          // signs from here on
    struct mlt_vkey older[MLT_CHAIN_KEYS_MAX - 1]; // may have signed the head that is kept
    size_t num_older;
    bool has_head;
    struct mlt_checkpoint head; // has_head: cosigned last
    uint64_t time;              // and when, seconds since 1970
};
// mlt_witness_each calls `each` for every log, in no order, until it returns false. A log whose files are damaged ends
// it with MLT_CORRUPT.
enum mlt_status mlt_witness_each(struct mlt_witness *w, bool (*each)(void *arg, const struct mlt_witness_log *log),
                                 void *arg, struct mlt_error *err) MLT_MUST_USE;

struct mlt_witness_answer {
    int status; // of HTTP
    const char *content_type;
    struct mlt_buf body;
    struct mlt_error fault; // with status 500: what the operator is to know, and nobody else
};
// mlt_witness_add_checkpoint answers `POST <prefix>/add-checkpoint` (witness_add.c). When it answers 200, the head is
// durable. From several threads; one at a time is served. `out->body` is appended to.
void mlt_witness_add_checkpoint(struct mlt_witness *w, struct mlt_bytes body, struct mlt_witness_answer *out);
// mlt_witness_get_checkpoint answers `GET <prefix>/<id>/checkpoint`: the head of a log, with both signatures.
void mlt_witness_get_checkpoint(struct mlt_witness *w, struct mlt_bytes id, struct mlt_witness_answer *out);

#endif
