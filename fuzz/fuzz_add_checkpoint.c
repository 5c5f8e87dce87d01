// links: mlt_note
//
// A request to a witness has one text: what parses prints as it was.
#include <stdlib.h>

#include "note/add_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_add_checkpoint request;
    struct mlt_error err = {0};
    if (mlt_add_checkpoint_parse(&request, mlt_bytes_of(data, size), &err) != MLT_OK) {
        require(err.text[0] != '\0' && request.note.len == 0);
        return 0;
    }
    struct mlt_buf printed = {0};
    require(request.proof.num_hashes <= MLT_ADD_CHECKPOINT_HASHES_MAX && request.note.len > 0);
    mlt_add_checkpoint_format(&printed, &request);
    require(mlt_bytes_equal(mlt_buf_bytes(&printed), mlt_bytes_of(data, size)));
    mlt_buf_clear(&printed);
    return 0;
}
