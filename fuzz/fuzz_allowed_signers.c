// links: mlt_note
//
// Allowed-signers files. What reads finds the keys that it names, and a refusal names its line.
#include <stdlib.h>

#include "note/allowed_signers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_allowed_signers list;
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    if (mlt_allowed_signers_read(&list, mlt_bytes_of(data, size), &arena, &err) != MLT_OK) {
        require(list.num == 0 && err.text[0] != '\0');
    }
    for (size_t i = 0; i < list.num; i++) {
        const struct mlt_allowed_signer *s = &list.signers[i], *found;
        require(s->line > 0 && s->principals.len > 0);
        enum mlt_signer_verdict verdict = mlt_allowed_signers_find(&list, mlt_str("erin@example.com"), &s->key,
                                                                   mlt_str("approval@mltrail"), 0, &found);
        require(verdict != MLT_SIGNER_UNKNOWN && found && mlt_bytes_equal(found->key.blob, s->key.blob));
    }
    mlt_arena_clear(&arena);
    return 0;
}
