// Where lineage and dossiers read from: a trail with its index, or the contents of a bundle. The same walk over either
// gives the same answer.
#ifndef MLT_RECORD_SOURCE_H
#define MLT_RECORD_SOURCE_H

#include "merkle/merkle.h"
#include "note/chain.h"
#include "record/entry.h"

#define MLT_FIND_PAGE_MAX 10000 // entries per call of `find`

enum mlt_payload_state {
    MLT_PAYLOAD_OPEN, // here it is
    MLT_PAYLOAD_NONE, // the record had none
    MLT_PAYLOAD_ERASED,
    MLT_PAYLOAD_WITHHELD, // the reader's grant does not cover payloads
    MLT_PAYLOAD_MISSING,  // gone without an erasure: verify fails
    MLT_PAYLOAD_PARTLY, // some members are here: what `payload` gives is {"members":{…},"masked":[names]}, the names
                        // as in the entry ("~1" for one that only its commitment knows)
    MLT_PAYLOAD_MASKED, // of one member: masked, while others of its payload are here
};

// A run of consecutive sequence numbers of one stream, in log order.
struct mlt_stream_run {
    uint64_t first_sequence;
    uint64_t count;
    uint64_t first_entry;
    uint64_t last_entry;
};

// Everything is answered as of `size`: entries at or above it do not exist. Memory of answers is in the caller's arena.
struct mlt_source {
    void *ctx;
    uint64_t size;
    const char *origin;
    const struct mlt_key_chain *keys; // of this origin and those before it; NULL: not known
    uint8_t index_key[MLT_INDEX_KEY_LEN];
    enum mlt_status (*entry)(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                             struct mlt_error *err);
    enum mlt_status (*detail)(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                              struct mlt_bytes *out, struct mlt_error *err);
    // The JSON object of all payload members, commitments checked.
    enum mlt_status (*payload)(void *ctx, uint64_t index, const struct mlt_entry *entry, struct mlt_arena *arena,
                               enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err);
    // find gives entries that have ALL of `terms` (at least one), ascending from `from` (or descending below `from`
    // when `descending`; UINT64_MAX: from the end), at most `limit`. `*total` (may be NULL) is the exact count of all
    // matches below `size`, `*more` says that there are further ones.
    enum mlt_status (*find)(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from, bool descending,
                            size_t limit, uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                            struct mlt_error *err);
    // stream gives the runs of a stream's sequence numbers, at most `cap` (`*num_runs` says how many there are).
    enum mlt_status (*stream)(void *ctx, const struct mlt_term *stream, struct mlt_stream_run *out, size_t cap,
                              size_t *num_runs, struct mlt_error *err);
    // prove gives the inclusion proof of an entry in the tree of `size`.
    enum mlt_status (*prove)(void *ctx, uint64_t index, struct mlt_proof *out, struct mlt_error *err);
    // extends gives the consistency proof from the tree of an earlier `size` to that of the source. NULL: none is
    // given.
    enum mlt_status (*extends)(void *ctx, uint64_t size, struct mlt_proof *out, struct mlt_error *err);
    // watch (may be NULL) is told of each term that is asked by, with the values that it was made of: whoever records a
    // walk learns from it what the walk looked for, also where it found nothing.
    void (*watch)(void *ctx, const struct mlt_term *term, const struct mlt_bytes *values, size_t num_values);
    void *watch_ctx;
};

// mlt_source_term makes the term to ask `src` by; whatever reads through a source makes its terms with it.
void mlt_source_term(const struct mlt_source *src, struct mlt_term *out, enum mlt_dim dim,
                     const struct mlt_bytes *values, size_t num_values);

#endif
