// links: mlt_trail
//
// The place of a verification, read back. The check sum would keep the fuzzer out: it is put right before each try.
// What is accepted reads the same when it is written again.
#include <assert.h>
#include <stdlib.h>

#include "lib/with_sum.h"
#include "trail/verify_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_buf text = {0};
    struct mlt_buf again = {0};
    struct mlt_verify_state state;
    struct mlt_verify_state second;
    with_sum(&text, data, size);
    if (mlt_verify_state_parse(&state, mlt_bytes_of(data, size), NULL) == MLT_OK) {
        mlt_verify_state_clear(&state);
    }
    if (mlt_verify_state_parse(&state, mlt_buf_bytes(&text), NULL) == MLT_OK) {
        mlt_verify_state_format(&again, &state);
        assert(mlt_verify_state_parse(&second, mlt_buf_bytes(&again), NULL) == MLT_OK);
        assert(second.frontier.size == state.frontier.size && second.num_faults == state.num_faults);
        mlt_verify_state_clear(&second);
        mlt_verify_state_clear(&state);
    }
    mlt_buf_clear(&text);
    mlt_buf_clear(&again);
    return 0;
}
