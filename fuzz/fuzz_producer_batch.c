// links: mlt_record
//
// Whatever is read as the statement of a signed batch is what its own writing gives, byte for byte, and counts right.
#include <stdlib.h>

#include "record/producer_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_producer_batch batch;
    struct mlt_arena arena = {0};
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    if (mlt_producer_batch_read(&batch, mlt_bytes_of(data, size), &arena, &err) == MLT_OK) {
        mlt_producer_batch_write(&text, &batch);
        require(mlt_bytes_equal(mlt_buf_bytes(&text), mlt_bytes_of(data, size)));
        require(batch.count > 0 && batch.last - batch.first == batch.count - 1);
    } else {
        require(err.text[0] != '\0');
    }
    mlt_buf_clear(&text);
    mlt_arena_clear(&arena);
    return 0;
}
