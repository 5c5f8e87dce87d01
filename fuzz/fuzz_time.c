// links: mlt_base
//
// A time that parses prints as a time that parses to the same instant, and a date is a time or a midnight.
#include <stdlib.h>

#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_bytes text = mlt_bytes_of(data, size);
    int64_t ns = 0;
    int64_t back = 0;
    bool is_time = mlt_time_parse(&ns, text);
    if (is_time) {
        char printed[MLT_TIME_TEXT_LEN + 1];
        mlt_time_format(printed, ns);
        if (strlen(printed) != MLT_TIME_TEXT_LEN || !mlt_time_parse(&back, mlt_str(printed)) || back != ns) {
            abort();
        }
    }
    bool is_date = mlt_date_parse(&back, text);
    if (is_time && (!is_date || back != ns)) {
        abort();
    }
    if (is_date && !is_time && back % (86400 * MLT_NS_PER_S) != 0) {
        abort();
    }
    return 0;
}
