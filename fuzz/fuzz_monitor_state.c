// links: mlt_monitor
//
// What a monitor remembers, read back. The check sum would keep the fuzzer out: it is put right before each try.
// What is accepted reads the same when it is written again.
#include <assert.h>
#include <stdlib.h>

#include "monitor/monitor_private.h"
#include "record/json_sum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The input without the sum that it may have, and the right one behind it.
static void with_sum(struct mlt_buf *out, const uint8_t *data, size_t size) {
    static const char name[] = ",\"sha256\":";
    size_t len = size;
    for (size_t i = 0; i + sizeof name - 1 <= size; i++) {
        if (memcmp(data + i, name, sizeof name - 1) == 0) {
            len = i;
        }
    }
    struct mlt_json_writer w;
    mlt_buf_put(out, data, len);
    mlt_jw_init(&w, out);
    w.depth = 1;
    w.need_comma[1] = true;
    mlt_json_sum_end(&w);
}

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
