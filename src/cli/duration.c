#include "cli/duration.h"

bool mlt_duration_parse(int64_t *out_ns, const char *text) {
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", 1000000},
                 {"s", MLT_NS_PER_S},
                 {"m", 60 * MLT_NS_PER_S},
                 {"h", 3600 * MLT_NS_PER_S},
                 {"d", 86400 * MLT_NS_PER_S}};
    size_t digits = strspn(text, "0123456789");
    uint64_t count;
    if (!mlt_decimal_decode(&count, mlt_bytes_of(text, digits))) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].unit) == 0 && count <= (uint64_t)(INT64_MAX / units[i].ns)) {
            *out_ns = (int64_t)count * units[i].ns;
            return true;
        }
    }
    return false;
}
