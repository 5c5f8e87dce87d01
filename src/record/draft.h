// A draft: one validated record, split and sealed, ready for the log. Built by the thread that received the record,
// without any lock; the committer gives it its place, patches `received` and hashes it.
#ifndef MLT_RECORD_DRAFT_H
#define MLT_RECORD_DRAFT_H

#include "base/time.h"
#include "crypto/seal.h"
#include "record/kind.h"
#include "record/term.h"

#define MLT_ENTRY_MAX 65535                // tlog-tiles: u16 length
#define MLT_FACTS_INLINE_MAX (16 * 1024)   // more spills, largest first, into details
#define MLT_DETAILS_MAX (16 * 1024 * 1024) // facts of one record, all details together
#define MLT_PAYLOAD_MAX (4 * 1024 * 1024)  // plaintext of one record; 256 of them stay under 4 GiB (payload index)
#define MLT_RECORD_MAX (20 * 1024 * 1024)  // one submitted record
#define MLT_TERMS_MAX 256                  // of one record; it is not found by further ones

#define MLT_CONTENT_LEN 16 // of a keyed hash: nobody without the key can look for collisions

struct mlt_detail {
    uint8_t hash[MLT_HASH_LEN]; // SHA-256 of the bytes
    struct mlt_bytes bytes;
};

struct mlt_draft {
    enum mlt_kind kind;
    uint8_t *entry; // JSON, complete but for `received`; in the batch's arena
    size_t entry_len;
    size_t received_off; // MLT_TIME_TEXT_LEN bytes in `entry`
    bool has_payload;
    struct mlt_bytes sealed;
    uint8_t wrapped[MLT_WRAPPED_LEN];
    struct mlt_detail *details;
    size_t num_details;
    // Identity: the same name, owner and content is the same record again (a retry). `has_identity` is false when
    // records of this kind are never deduplicated (no event_id).
    bool has_identity;
    struct mlt_term name;
    uint64_t owner;                   // keyed hash of producer and what distinguishes records under one name
    uint8_t content[MLT_CONTENT_LEN]; // keyed hash of all members, in order of their names, white space removed
    struct mlt_term *terms;           // what it can be found by, `name` included
    size_t num_terms;
    bool has_sequence; // prediction with a sequence: the position in its stream
    struct mlt_term stream;
    uint64_t sequence;
    bool has_event_time;
    int64_t event_time;
    uint32_t line; // 1-based line in the batch it came in, for the report
};

// Drafts that were submitted together. Owned by whoever submits; the trail borrows it until it calls back.
struct mlt_batch {
    struct mlt_arena arena;
    struct mlt_draft *drafts;
    size_t num_drafts;
    size_t cap;
};
void mlt_batch_reset(struct mlt_batch *batch);
void mlt_batch_clear(struct mlt_batch *batch);

// Why a record was rejected.
struct mlt_problem {
    uint32_t line;
    char code[40];     // "not-json", "unknown-kind", "missing-member", "wrong-type", …: stable
    char pointer[256]; // JSON pointer to the member, "" for the whole record
    char detail[512];  // what is wrong and what would be right
};

// Who submits, and how we know.
struct mlt_producer {
    char principal[256];
    char assurance[16]; // "authenticated" | "local"
};

// The trail's secrets that drafting needs.
struct mlt_record_keys {
    uint8_t kek[MLT_KEK_LEN];
    bool has_old_kek; // while secrets go from one key-encryption key to the next, some are still under the old one
    uint8_t old_kek[MLT_KEK_LEN];
    uint8_t index_key[MLT_INDEX_KEY_LEN];
};

// mlt_record_keys_sealer makes a sealer that unwraps whatever these keys can.
enum mlt_status mlt_record_keys_sealer(struct mlt_sealer **out, const struct mlt_record_keys *keys,
                                       struct mlt_error *err) MLT_MUST_USE;

// A builder holds scratch memory, cipher contexts and a pool of random bytes; one per thread.
struct mlt_env;
struct mlt_builder;
enum mlt_status mlt_builder_new(struct mlt_builder **out, struct mlt_env *env, const struct mlt_record_keys *keys,
                                struct mlt_error *err) MLT_MUST_USE;
void mlt_builder_free(struct mlt_builder *b);

// mlt_builder_add validates one submitted JSON object and appends its draft to `batch`. `default_kind` (NULL: none)
// stands in for an absent `kind`. MLT_INVALID or MLT_LIMIT: rejected, `problem` is filled and the batch unchanged.
enum mlt_status mlt_builder_add(struct mlt_builder *b, struct mlt_batch *batch, const struct mlt_producer *producer,
                                struct mlt_bytes record, const char *default_kind, uint32_t line,
                                struct mlt_problem *problem, struct mlt_error *err) MLT_MUST_USE;
// mlt_builder_add_own is the same for kinds that only the server writes.
enum mlt_status mlt_builder_add_own(struct mlt_builder *b, struct mlt_batch *batch, const struct mlt_producer *producer,
                                    struct mlt_bytes record, struct mlt_problem *problem,
                                    struct mlt_error *err) MLT_MUST_USE;

#endif
