// links: mlt_note
//
// A proof has one text: what parses prints as it was. Whatever it says, verifying it does not crash.
#include <stdlib.h>

#include "note/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_arena arena = {0};
    struct mlt_tlog_proof p;
    struct mlt_error err = {0};
    if (mlt_tlog_proof_parse(&p, &arena, mlt_bytes_of(data, size), &err) == MLT_OK) {
        static const uint8_t hash[MLT_HASH_LEN];
        struct mlt_buf printed = {0};
        mlt_tlog_proof_format(&printed, &p);
        require(mlt_bytes_equal(mlt_buf_bytes(&printed), mlt_bytes_of(data, size)));
        mlt_buf_clear(&printed);
        // No input hashes to zero.
        require(p.proof.num_hashes == 0 || !mlt_merkle_verify_inclusion(p.index, size, hash, &p.proof, hash));
        require(p.proof.num_hashes == 0 || !mlt_merkle_verify_consistency(p.index, size, &p.proof, hash, hash));
    } else {
        require(err.text[0] != '\0');
    }
    mlt_arena_clear(&arena);
    return 0;
}
