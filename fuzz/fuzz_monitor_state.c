// links: mlt_monitor
//
// What a monitor remembers, read back. The check sum would keep the fuzzer out: it is put right before each try.
// What is accepted reads the same when it is written again.
#include <assert.h>
#include <stdlib.h>

#include "lib/with_sum.h"
#include "monitor/monitor_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_buf text = {0};
    struct mlt_buf again = {0};
    struct mlt_monitor_state state;
    struct mlt_monitor_state second;
    with_sum(&text, data, size);
    if (mlt_monitor_state_parse(&state, mlt_bytes_of(data, size), NULL) == MLT_OK) {
        mlt_monitor_state_clear(&state);
    }
    if (mlt_monitor_state_parse(&state, mlt_buf_bytes(&text), NULL) == MLT_OK) {
        mlt_monitor_state_format(&again, &state);
        assert(mlt_monitor_state_parse(&second, mlt_buf_bytes(&again), NULL) == MLT_OK);
        assert(second.tree.frontier.size == state.tree.frontier.size && second.streams.len == state.streams.len &&
               second.runs.len == state.runs.len);
        mlt_monitor_state_clear(&second);
        mlt_monitor_state_clear(&state);
    }
    mlt_buf_clear(&text);
    mlt_buf_clear(&again);
    return 0;
}
